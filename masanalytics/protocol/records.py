"""One record of a poll: a state report or an uplink, read leniently from the platform's JSON object."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, Literal, NamedTuple

from masanalytics.masking import mask_phone
from masanalytics.protocol.lenient_json import storable
from masanalytics.text import BLANK_WORDS, MOBILE, fold
from masanalytics.timezone import parse_platform_time
from masanalytics.vocabulary import Status

__all__ = [
    "Endpoint",
    "Instants",
    "ReportRecord",
    "UplinkRecord",
    "fold_group",
    "fold_mobile",
    "is_intermediate",
    "is_record",
    "kind_of",
    "outcome_of",
    "read_report",
    "read_uplink",
]

Endpoint = Literal["report", "deliver"]

_MOBILES: Final = ("mobile", "mobiles")
_CONTENTS: Final = ("smsContent", "content")
_OF_REPORTS: Final = frozenset({"reportStatus", "errorCode", "receiveDate"})
_MOBILE = re.compile(MOBILE)
_NO_GROUP: Final = BLANK_WORDS | {"-", "--", "undefined"}
_GROUP_LENGTH = 22
_LONGEST_MOBILE = 40
_FEWEST_DIGITS, _MOST_DIGITS = 5, 20  # of anything that can be a number: 10086, and the longest with prefixes
_DELIVERED: Final = frozenset({"DELIVRD", "CM:0000"})
_INTERMEDIATE: Final = frozenset({"ACCEPTD", "ACCEPTED", "ENROUTE", "SCHEDULED", "BUFFERED", "CM:3000"})
# What a failure looks like: a code of ASCII letters and digits. Zeros alone, a word for success and a sentence are none.
_FAILURE = re.compile(r"(?!0+$)[A-Z0-9_+-]+(?::[A-Z0-9_:.+-]*)?", re.ASCII)
_NO_FAILURE: Final = frozenset({"SUCCESS", "SUCC", "DELIVERED", "OK", "TRUE", "NULL", "NONE"})


class ReportRecord(NamedTuple):
    """A state report (状态报告) of one number.

    Attributes
    ----------
    mobile : str
        11 digits where the platform's text can be folded to a mobile number, else that text.
    msg_group : str
        The platform's name for the batch; ``""`` where it says none.
    report_status : str
        ``DELIVRD`` or ``CM:0000``, or on failure the error code. Where the platform leaves it out, its errorCode.
    error_code : str
        The platform's errorCode.
    submit_date, receive_date : str
        The platform's own texts.
    submitted_at, received_at : int or None
        The instants they mean (epoch seconds UTC); None where they mean none.
    """

    mobile: str
    msg_group: str
    report_status: str
    error_code: str
    submit_date: str
    receive_date: str
    submitted_at: int | None
    received_at: int | None

    def __repr__(self) -> str:
        return f"ReportRecord({mask_phone(self.mobile)}, {self.msg_group}, {self.report_status})"


class UplinkRecord(NamedTuple):
    """A message from a customer (上行).

    Attributes
    ----------
    mobile : str
        Who wrote, folded as in `ReportRecord`.
    content : str
        What they wrote: untrusted text.
    add_serial : str
        The number they wrote to: service code and extension together.
    send_time : str
        The platform's own text.
    sent_at : int or None
        The instant it means (epoch seconds UTC).
    """

    mobile: str
    content: str
    add_serial: str
    send_time: str
    sent_at: int | None

    def __repr__(self) -> str:
        return f"UplinkRecord({mask_phone(self.mobile)}, {len(self.content)} characters, {self.send_time})"


class Instants:
    """The instants of one page's times, each worked out once.

    Examples
    --------
    >>> Instants().of("20210906144506")
    1630910706
    """

    def __init__(self) -> None:
        self._minutes: dict[str, int | None] = {}
        self._known: dict[str, int | None] = {}

    def of(self, text: str) -> int | None:
        """Return the instant `text` means (epoch seconds UTC), or None."""
        try:
            return self._known[text]
        except KeyError:
            return self._known.setdefault(text, self._work_out(text))

    def _work_out(self, text: str) -> int | None:
        length = len(text)
        if (length != 14 and length != 19) or not text.isascii() or not text[-2:].isdigit():
            return parse_platform_time(text) if text else None
        minute, second = text[:-2], int(text[-2:])
        try:
            start = self._minutes[minute]
        except KeyError:
            start = self._minutes[minute] = parse_platform_time(minute + "00")
        return None if start is None or second > 60 else start + second


def fold_mobile(text: str) -> str:
    """Return `text` as 11 digits where a plan would read a mobile number in it, else as it is (trimmed).

    Examples
    --------
    >>> fold_mobile("(+86)138-0013-8000"), fold_mobile("013800138000"), fold_mobile("10086")
    ('13800138000', '13800138000', '10086')
    """
    if _MOBILE.fullmatch(text):
        return text
    from masanalytics.phones import read_phone  # with pandas, which the usual form does not need

    return read_phone(text)[0] or text.strip()


def fold_group(text: str) -> str:
    """Return a msgGroup without space, width, quotes and what cannot be seen; ``""`` for what stands for none.

    Written as a number, a group of the months before October has lost its first zero.

    Examples
    --------
    >>> fold_group(" ０105013527000001139923\u200b"), fold_group("null"), fold_group("0")
    ('0105013527000001139923', '', '')
    """
    group = "".join(fold(text).split()).strip("\"'")
    if len(group) == _GROUP_LENGTH - 1 and group.isdecimal():
        group = "0" + group
    return "" if group.casefold() in _NO_GROUP or not group.strip("0") else group


def is_intermediate(report_status: str) -> bool:
    """Return whether `report_status` is a state on the way, after which a final report comes.

    Examples
    --------
    >>> is_intermediate("ACCEPTD"), is_intermediate("UNDELIV")
    (True, False)
    """
    return report_status.strip().upper() in _INTERMEDIATE


def outcome_of(report_status: str, error_code: str = "") -> Status:
    """Return what a report says of its message: delivered, failed, or pending (intermediate, or not known to be a failure).

    DELIVRD and CM:0000 are the words for success. The document has DELIVRD in ``reportStatus``; captured pushes have CM:0000
    there and DELIVRD in ``errorCode``. A failure's code beside it contradicts it, and then the message has failed.

    Examples
    --------
    >>> outcome_of("DELIVRD").name, outcome_of("CM:2007").name, outcome_of("ACCEPTD").name
    ('delivered', 'failed', 'pending')
    >>> outcome_of("CM:0000", "DELIVRD").name, outcome_of("CM:0000").name, outcome_of("DELIVRD", "MK:0001").name
    ('delivered', 'delivered', 'failed')
    """
    words = [word.strip().upper() for word in (report_status, error_code)]
    if any(map(_is_failure, words)):
        return Status.failed if _is_final(words) else Status.pending
    return Status.delivered if not _DELIVERED.isdisjoint(words) else Status.pending


def _is_failure(word: str) -> bool:
    known = word in _DELIVERED or word in _INTERMEDIATE or word in _NO_FAILURE
    return bool(word) and not known and _FAILURE.fullmatch(word) is not None


def _is_final(words: list[str]) -> bool:
    """Whether these are the words of a final report: an intermediate one may name a code of the way so far."""
    return words[0] not in _INTERMEDIATE


def is_record(value: object) -> bool:
    """Return whether a JSON value is a record, or holds what belongs into one: an object that says whose number it is about.

    Examples
    --------
    >>> is_record({"mobile": "13800138000"}), is_record({"message": "TOO_FREQUENT"}), is_record("mobile")
    (True, False, False)
    """
    return isinstance(value, Mapping) and any(name in value for name in _MOBILES)


def kind_of(value: object) -> Endpoint | None:
    """Return what a JSON value would have been polled from, by the names of its fields; None where these do not tell.

    Examples
    --------
    >>> kind_of({"mobile": "13800138000", "smsContent": "TD"}), kind_of({"errorCode": "MN:0090"}), kind_of({"mobile": ""})
    ('deliver', 'report', None)
    """
    if not isinstance(value, Mapping):
        return None
    if not _OF_REPORTS.isdisjoint(value):
        return "report"
    return "deliver" if any(name in value for name in _CONTENTS) else None


def read_report(item: Mapping[str, Any], instants: Instants) -> list[ReportRecord]:
    """Read one object of ``/sms/report``; one record for each number in it.

    Raises
    ------
    ValueError
        If it cannot be used; the text is the reason.
    """
    get = item.get
    code = _text(get("errorCode"), "errorCode")
    status = _text(get("reportStatus"), "reportStatus") or (code if code.strip("0") else "")
    if not status:
        raise ValueError("no reportStatus")
    submitted = _text(get("submitDate"), "submitDate")
    received = _text(get("receiveDate"), "receiveDate")
    fields = (
        fold_group(_text(get("msgGroup"), "msgGroup") or _text(get("mgsGroup"), "mgsGroup")),
        status,
        code,
        submitted,
        received,
        instants.of(submitted),
        instants.of(received),
    )
    return [ReportRecord(mobile, *fields) for mobile in _mobiles(item)]


def read_uplink(item: Mapping[str, Any], instants: Instants) -> list[UplinkRecord]:
    """Read one object of ``/sms/deliver``; one record for each number in it.

    Raises
    ------
    ValueError
        If it cannot be used; the text is the reason.
    """
    if not any(name in item for name in _CONTENTS):
        raise ValueError("no smsContent")
    content = next(filter(None, (_text(item.get(name), name) for name in _CONTENTS)), "")
    sent = _text(item.get("sendTime"), "sendTime")
    serial = _text(item.get("addSerial"), "addSerial")
    return [UplinkRecord(mobile, content, serial, sent, instants.of(sent)) for mobile in _mobiles(item)]


def _mobiles(item: Mapping[str, Any]) -> list[str]:
    # The names of _MOBILES, and the usual form, on the shortest way: 1,000 of them a page.
    value = item.get("mobile") or item.get("mobiles")
    if type(value) is str and len(value) == 11 and value.isascii() and value.isdigit():
        return [value]
    entries = value if isinstance(value, list) else _text(value, "mobile").split(",")
    numbers = [fold_mobile(_text(entry, "mobile")) for entry in entries]
    numbers = [number for number in numbers if number]
    if not numbers:
        raise ValueError("no mobile")
    digits = [sum(map(str.isdecimal, unicodedata.normalize("NFKC", number))) for number in numbers]
    if any(len(number) > _LONGEST_MOBILE for number in numbers) or max(digits) > _MOST_DIGITS:
        raise ValueError("mobile is too long to be one")
    if min(digits) < _FEWEST_DIGITS:
        raise ValueError("mobile has too few digits to be one")
    return numbers


def _text(value: object, name: str) -> str:
    if type(value) is str:
        return value if value.isascii() and "\0" not in value else storable(value)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not text")  # noqa: TRY004 - a fault of the data, not of the caller
    if isinstance(value, float) and not isfinite(value):
        return ""
    return str(int(value)) if value == int(value) else str(value)
