"""One interface account of Cloud MAS, and the key that it never shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import wraps

from masanalytics.account.account_key import AccountKey
from masanalytics.account.address import base_url, protocol_of
from masanalytics.account.budget import checked_budget, checked_unit
from masanalytics.account.config import environment_settings, profile_settings
from masanalytics.account.frequency_cap import FrequencyCap
from masanalytics.account.validation import (
    SHORTEST_INTERVAL_S,
    VARIABLES,
    allowed_numbers,
    check_add_serial,
    check_service_code,
    check_sign,
    checked_cap,
    clean_text,
    poll_seconds,
    tls_mode,
)
from masanalytics.near_names import suggests_names
from masanalytics.secret import Secret

__all__ = ["Account"]

_POSITION = 3
"""Where the password stands among the arguments of `Account`."""


def _hidden(secret: object) -> object:
    return Secret(secret) if isinstance(secret, str) else secret


def _showing_no_password(init: Callable[..., None]) -> Callable[..., None]:
    """Return `init` so that no frame of an error that it raises shows the password: verbose tracebacks print arguments."""

    @wraps(init)
    def hiding(self: Account, *args: object, **kwargs: object) -> None:
        args = tuple(_hidden(each) if place == _POSITION else each for place, each in enumerate(args))
        if "secret_key" in kwargs:
            kwargs["secret_key"] = _hidden(kwargs["secret_key"])
        init(self, *args, **kwargs)

    return hiding


@suggests_names
@dataclass(frozen=True)
class Account:
    """One interface account of Cloud MAS, checked when it is made.

    Parameters
    ----------
    url : str
        Where the platform is: ``https://HOST:PORT``. There is no default. An endpoint such as ``/sms/submit`` at its end
        is dropped, once it has told the flavour of the interface.
    ec_name : str
        The enterprise's name as the platform knows it (企业名称).
    ap_id : str
        The user name of the *interface* account (管理 → 接口管理 → 短信接入用户管理), not of the web login.
    secret_key : str
        Its password. It is kept as a `Secret`, which is no text: no frame, dict or file shows it, and what prints it prints
        ``***``. Pickled it goes along, so that another process can use the account.
    sign : str, optional
        The signature's **code** (签名编码), about nine letters and digits; not the text in 【】.
    add_serial : str, optional
        The extension (扩展码), digits. Empty where the service code is matched exactly.
    service_code : str, optional
        The service code (服务代码); with the extension at most 20 digits.
    tls : str, optional
        ``first-use`` (remember the certificate at the first contact, refuse another one later), ``sha256:<64 hex>``,
        ``unverified``, ``system``, or the path of a CA file.
    poll_interval : float, optional
        Seconds between two polls of this account; the interface allows one in five, and less is taken for a simulator on this
        machine alone.
    signature : str, optional
        The text the platform puts in front, with or without its 【】; kept without. Used to count segments.
    allow_only : sequence of str, optional
        The only numbers this account may reach; None for everybody.
    protocol : {"https", "http"}, optional
        The flavour of the interface that the account was made for. Reports of an ``https`` account are polled; those of an
        ``http`` account are pushed to a `Receiver`. By default the address tells: the path ``/sms/norsubmit``, and any
        ``http://`` address other than this machine's own, is of the HTTP flavour.
    template_sign : str, optional
        The signature's code for template messages, where the account has another one for these; by default `sign`.
    budget : mapping of str to int, optional
        The most that may be sent in a ``day`` and in a ``month`` of China time: ``{"day": 50_000, "month": 500_000}``. Counted in
        the store, which knows what it has sent itself; what may have been sent counts. `send` refuses a job that does not fit.
    budget_unit : {"segments", "messages"}, optional
        What the budget counts: parts as they are billed, or messages.
    cap : (int, str) or str, optional
        At most so many messages to a number in so long, such as ``(2, "7d")`` or ``"2/7d"``: the default of ``plan(cap=)``.

    Raises
    ------
    ConfigError
        If a setting cannot be right; its text says which and what to do.

    Examples
    --------
    >>> Account("https://mas.example:28888/sms/submit", "某某公司", "demo0", "123qwe").url
    'https://mas.example:28888'
    >>> print(Account("https://mas.example", "某某公司", "demo0", "123qwe").name)
    某某公司/demo0
    >>> Account("http://112.35.1.155:1992/sms/norsubmit", "某某公司", "demo0", "123qwe").protocol
    'http'
    """

    url: str
    ec_name: str
    ap_id: str
    secret_key: str | Secret = field(repr=False)
    sign: str = ""
    add_serial: str = ""
    service_code: str = ""
    tls: str = "first-use"
    poll_interval: float = SHORTEST_INTERVAL_S
    _: KW_ONLY
    signature: str = ""
    allow_only: Sequence[str] | None = field(default=None, repr=False)
    protocol: str = ""
    template_sign: str = ""
    budget: Mapping[str, int] | None = field(default=None, hash=False)
    budget_unit: str = ""
    cap: tuple[int, str] | str | FrequencyCap | None = None

    def __post_init__(self) -> None:
        """Check every setting and bring it into its normal form."""
        for name in VARIABLES:
            self._set(name, clean_text(name, getattr(self, name)))
        self._set("protocol", protocol_of(self.url, self.protocol))
        self._set("url", base_url(self.url))
        self._set("tls", tls_mode(self.tls))
        self._set("poll_interval", poll_seconds(self.poll_interval, self.url))
        self._set("signature", self.signature.removeprefix("【").removesuffix("】").strip())
        self._set("allow_only", allowed_numbers(self.allow_only))
        self._set("budget", checked_budget(self.budget))
        self._set("budget_unit", checked_unit(self.budget_unit))
        self._set("cap", checked_cap(self.cap))
        check_sign(self.sign)
        check_sign(self.template_sign, "template_sign")
        check_service_code(self.service_code)
        check_add_serial(self.add_serial, self.service_code)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        """How frames and the store call this account: ``ec_name/ap_id``."""
        return f"{self.ec_name}/{self.ap_id}"

    @property
    def key(self) -> AccountKey:
        """By what a store and this machine know this account: its name and the platform's address together."""
        return AccountKey.at(self.name, self.url)

    @property
    def is_pushed(self) -> bool:
        """Whether the platform pushes this account's reports and replies, instead of handing them out to polls."""
        return self.protocol == "http"

    def sign_of(self, *, template: bool) -> str:
        """Return the signature's code of a plain message, or of a template message."""
        return (self.template_sign if template else "") or self.sign

    def allows(self, mobile: str) -> bool:
        """Return whether this account may reach `mobile` (11 digits)."""
        return self.allow_only is None or mobile in self.allow_only

    @classmethod
    def from_env(cls, env_file: str | os.PathLike[str] | None = None) -> Account:
        """Read an account from ``MAS_…`` variables and a ``.env`` file; the real environment wins.

        Parameters
        ----------
        env_file : path, optional
            The file to read; by default ``.env`` in the working folder, if there is one. ``os.environ`` stays as it is.

        Raises
        ------
        ConfigError
            If variables are missing (it names all of them), or a setting cannot be right.
        """
        return cls(**environment_settings(env_file))

    @classmethod
    def from_profile(cls, name: str) -> Account:
        """Read the account `name` from ``profiles.toml`` in the user's config folder (see `config_folder`).

        Each account is one table, ``[name]``, of this class's parameters.

        Raises
        ------
        ConfigError
            If there is no such file or profile (it names those that exist), or a setting cannot be right.
        """
        return cls(**profile_settings(name, [entry.name for entry in fields(cls)]))


setattr(Account, "__init__", _showing_no_password(Account.__init__))  # noqa: B010 - the one that dataclass has made
