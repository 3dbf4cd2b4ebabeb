"""What can be set on the simulated platform: its accounts, its rules, and how its answers look.

The interface document leaves much open. Each setting here is one such question, with the document's own answer (or, where
it has none, what real clients have seen) as the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from masanalytics.secret import Secret

__all__ = ["DEFAULT_ACCOUNT", "PlatformAccount", "Rules", "Style"]


@dataclass(frozen=True)
class PlatformAccount:
    """An interface account (接口账号) as the platform keeps it.

    Parameters
    ----------
    ec_name, ap_id, secret_key : str
        Who may send. With ``--mine`` the secret is the user's own: it is kept as a `masanalytics.secret.Secret`, which shows
        nowhere.
    signs : tuple of str
        The signature codes that belong to the account.
    service_code : str
        The number replies are sent to (服务代码); an extension is appended to it.
    exact : bool
        Whether the service code is matched exactly (精确匹配), so that ``addSerial`` must be empty.
    signature : str
        The text the platform puts in front of every message. It counts for the segments.
    templates : mapping of str to str, optional
        The texts of approved templates, with ``{1}``, ``{2}`` … for the variables. A template that is not listed is
        accepted too, as its text is nobody's business here.
    protocol : {"any", "https", "http"}
        What the account was made for. Under another protocol than its own it is rejected (``InvalidUsrOrPwd``).

    Examples
    --------
    >>> PlatformAccount(ap_id="demo0", secret_key="123qwe", signs=("DWItALe3A",)).ap_id
    'demo0'
    """

    ec_name: str = "模拟企业"
    ap_id: str = "sim0"
    secret_key: str | Secret = field(default="sim-secret", repr=False)
    signs: tuple[str, ...] = ("SimSign01",)
    service_code: str = "106575000000"
    exact: bool = False
    signature: str = "【模拟企业】"
    templates: Mapping[str, str] = field(default_factory=dict)
    protocol: Literal["any", "https", "http"] = "any"

    def __post_init__(self) -> None:
        """Hide the secret."""
        object.__setattr__(self, "secret_key", Secret(self.secret_key))

    @property
    def secret(self) -> str:
        """The secret as text."""
        return Secret(self.secret_key).reveal()


DEFAULT_ACCOUNT = PlatformAccount()
"""The account a simulator has unless told otherwise."""


@dataclass(frozen=True)
class Rules:
    """What the platform enforces.

    Parameters
    ----------
    poll_interval : float
        Seconds between two polls of one account, reports and uplinks together. 0 switches the rule off.
    page : int
        Most rows one poll hands out.
    many_limit : int
        Most numbers of a request with one text. The document says 5000 in its tables, and "fewer than 5000" in a note: 5000 are
        a deviation.
    each_limit : int
        Most numbers of a request with a text each. The document says "less than 1000"; no rspcod is documented for
        more, so ``TooManyMobiles`` is answered.
    http_each_limit : int
        The same at ``/sms/norsubmit``, whose document says "at most 1000".
    strict : bool
        Whether a request that deviates from the document in any way is rejected, even in ways that real clients get
        away with.
    bad_mobile : {"report", "reject"}
        What happens to a number that is none: its report says so later, or the request is rejected (``InvalidMobile``).
        No document says which.
    """

    poll_interval: float = 5.0
    page: int = 1000
    many_limit: int = 5000
    each_limit: int = 999
    http_each_limit: int = 1000
    strict: bool = False
    bad_mobile: Literal["report", "reject"] = "report"


@dataclass(frozen=True)
class Style:
    """How answers look, where the document and what was seen in the wild leave a choice.

    Parameters
    ----------
    group_key : str
        ``"msgGroup"`` as in every real answer, or ``"mgsGroup"`` as the document's tables print it.
    success : tuple of str
        ``reportStatus`` and ``errorCode`` of a delivered message. The document: ``DELIVRD``, and an errorCode that only
        failures have. Receivers of pushed reports have been seen to expect ``("CM:0000", "DELIVRD")``.
    success_as_text : bool
        Whether ``success`` is answered as ``"true"`` instead of ``true``.
    too_soon : str
        The answer to a poll that comes too soon. What the real platform answers is unknown; this is an object, not a
        list, in the shape of the one rejection without rspcod that was seen. The platform's SDK has a word for it, which
        would make it ``{"msgGroup":"","rspcod":"RequestTooOften","success":false}``.
    empty : str
        The answer to a poll when there is nothing.
    hour_24 : bool
        Whether receiveDate writes the first hour of a day as hour 24 of the day before.
    dashed_dates : bool
        Whether reports write dates as ``yyyy-MM-dd HH:mm:ss``.
    minutes : bool
        Whether the times of reports have no seconds, as in the one delivered report that was captured. Failures that the
        platform makes itself (``CM:…``) keep theirs.
    mobile_as_list : bool
        Whether reports give ``mobile`` as a list of one.
    mobile_prefix : str
        Put before each number, such as ``"86"`` or ``"+86"``.
    escaped : bool
        Whether text is written with JSON escapes instead of raw Chinese.
    per_segment : bool
        Whether a long message gets one report a segment instead of one in all.
    intermediate : float
        Share of messages that first get an intermediate report.
    intermediate_code : str
        What that report says: ``ACCEPTD``, or the platform's own ``CM:3000`` (handed to the gateway).
    duplicates : float
        Share of reports handed out twice.
    """

    group_key: str = "msgGroup"
    success: tuple[str, str] = ("DELIVRD", "")
    success_as_text: bool = False
    too_soon: str = '{"message":"TOO_FREQUENT","success":false}'
    empty: str = "[]"
    hour_24: bool = False
    dashed_dates: bool = False
    minutes: bool = False
    mobile_as_list: bool = False
    mobile_prefix: str = ""
    escaped: bool = False
    per_segment: bool = False
    intermediate: float = 0.0
    intermediate_code: str = "ACCEPTD"
    duplicates: float = 0.0
