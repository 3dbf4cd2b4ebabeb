"""What the platform hands out when asked: pages of state reports (``/sms/report``) and uplinks (``/sms/deliver``).

It hands each record out once, so a page is read to get everything out of it: a record that cannot be used is set aside
with its reason and harms no other, and a page that was cut off gives every record that came through whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple, cast

from masanalytics.protocol.decoding import Encoding
from masanalytics.protocol.lenient_json import (
    UNREADABLE,
    BadRecord,
    excerpt,
    read_json,
    salvage,
    unwrap,
)
from masanalytics.protocol.records import (
    Endpoint,
    Instants,
    ReportRecord,
    UplinkRecord,
    is_record,
    read_report,
    read_uplink,
)

__all__ = ["FULL_PAGE", "Page", "PollAnswer", "read_page"]

FULL_PAGE: Final = 1000
"""A page of this many records is full: there may be more behind it."""

_Reader = Callable[[Mapping[str, Any], Instants], "list[ReportRecord] | list[UplinkRecord]"]
_READERS: Final[dict[str, _Reader]] = {"report": read_report, "deliver": read_uplink}
_NOTICE_KEYS = ("rspcod", "message", "msg", "error")
_PLAIN_NOTICE = 1000
_DEEPEST_WRAPPING = 4
_UNDONE: Final = frozenset({501, 503, 505})
"""HTTP statuses of 500 and more that say that nothing was done."""
_NAMES_A_NUMBER = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_NUMBER_IN_A_FIELD = re.compile(r"(?<=[=|,;\t&])1[3-9]\d{9}(?!\d)|(?<!\d)1[3-9]\d{9}(?=[=|,;\t&])")
_RUBBISH = re.compile(r"[<\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


class _Items(NamedTuple):
    """The items of an answer, or why it has none."""

    items: list[Any] | None
    notice: str
    salvaged: bool


@dataclass(frozen=True)
class PollAnswer:
    """What the platform handed out, as it came. It will not hand it out again: keep `raw` before anything else.

    Attributes
    ----------
    endpoint : {"report", "deliver"}
        What was asked for.
    raw : bytes
        The body, with any compression undone.
    status : int
        The HTTP status.
    complete : bool
        Whether the whole body arrived; where not, `raw` is what did.
    requested_at, answered_at : float
        When it was asked for, and when its end arrived (epoch seconds UTC), by this machine's clock.
    server_time : float, optional
        What time the platform said it was, where it said so.
    charset : str
        What its header says of the encoding, or ``""``.
    """

    endpoint: Endpoint
    raw: bytes = field(repr=False)
    status: int
    complete: bool
    requested_at: float
    answered_at: float
    server_time: float | None = None
    charset: str = ""


@dataclass(frozen=True)
class Page:
    """One poll's answer as it reads.

    Attributes
    ----------
    kind : str
        ``records`` (data, perhaps none), ``rejected`` (an answer that is not data: too soon, a refusal) or ``unreadable``
        (nothing could be read from it, though it may have held data).
    records : list of ReportRecord or of UplinkRecord
        Everything usable; one for each number.
    bad : list of BadRecord
        What was set aside.
    size : int
        How many records the platform handed out in this page, good and bad.
    notice : str
        Of a refusal, what it said: the bare rspcod where there is one. Otherwise a remark on the page, or ``""``.
        Phone numbers are masked.
    salvaged : bool
        The page was broken or cut off; there may have been more in it.
    encoding : str
        ``utf-8``, or ``gb18030`` where that was no UTF-8, or ``damaged`` where some bytes are no text in either: they are U+FFFD.
    """

    kind: Literal["records", "rejected", "unreadable"]
    records: list[ReportRecord] | list[UplinkRecord]
    bad: list[BadRecord]
    size: int
    notice: str
    salvaged: bool
    encoding: Encoding = "utf-8"

    def __repr__(self) -> str:
        return (
            f"Page({self.kind}, records={len(self.records)}, bad={len(self.bad)}, size={self.size}, "
            f"notice={self.notice!r}, salvaged={self.salvaged})"
        )

    @property
    def drained(self) -> bool:
        """Whether this page proves that the platform had nothing more to hand out."""
        return self.kind == "records" and not self.salvaged and self.size < FULL_PAGE

    @property
    def reports(self) -> list[ReportRecord]:
        """The records of a page of ``/sms/report``."""
        return cast("list[ReportRecord]", self.records)

    @property
    def uplinks(self) -> list[UplinkRecord]:
        """The records of a page of ``/sms/deliver``."""
        return cast("list[UplinkRecord]", self.records)


def read_page(raw: bytes, endpoint: Endpoint, *, complete: bool = True, status: int = 200, charset: str = "") -> Page:
    """Read the answer of a poll.

    Parameters
    ----------
    raw : bytes
        The answer's body.
    endpoint : {"report", "deliver"}
        What was asked for.
    complete : bool, optional
        Whether the whole answer arrived. A page that was cut off never counts as drained.
    status : int, optional
        The HTTP status: with another than 200, an answer that holds no records is a refusal. With one that says that the
        platform, or a gateway before it, failed (500, 502, 504), it is unreadable: the records may have been handed out all
        the same.
    charset : str, optional
        What the header says of the encoding.

    Examples
    --------
    >>> page = read_page(b'[{"mobile":"13800138000","reportStatus":"DELIVRD"}]', "report")
    >>> page.size, page.records[0].report_status, page.drained
    (1, 'DELIVRD', True)
    >>> read_page(b'{"message":"NOT_WHITE_IP","success":false}', "report").notice
    'NOT_WHITE_IP'
    """
    text, encoding = unwrap(raw, charset)
    page = replace(_read(text, endpoint, complete=complete), encoding=encoding)
    if status == 200 or page.size:
        return page
    failed = status >= 500 and status not in _UNDONE and not text.startswith("{")
    notice = f"HTTP {status}: {page.notice or excerpt(text)}"
    return replace(page, kind="unreadable" if failed else "rejected", notice=notice)


def _read(text: str, endpoint: Endpoint, *, complete: bool) -> Page:
    answer = _items_of(text, complete=complete)
    if answer.items is None:
        kind: Literal["rejected", "unreadable"] = "rejected" if answer.notice else "unreadable"
        return Page(kind, [], [], 0, answer.notice or excerpt(text), salvaged=False)
    good, bad = _records(answer.items, _READERS[endpoint])
    return Page("records", good, bad, len(answer.items), "", salvaged=answer.salvaged or not complete)


def _items_of(text: str, *, complete: bool) -> _Items:
    value = read_json(text) if text else None
    if value is UNREADABLE:
        return _items_of_broken(text)
    if isinstance(value, list):
        return _Items(value, "", salvaged=False)
    wrapped = _wrapped_records(value)
    if wrapped:
        return _Items(wrapped, "", salvaged=False)
    if isinstance(value, Mapping) and _NAMES_A_NUMBER.search(text):
        return _Items(None, "", salvaged=False)  # it may hold records, in a shape that nobody has seen yet
    if value is None or value in ("", {}):
        # Nothing at all is an empty page only if it is known to be all there was.
        return _Items([], "", salvaged=False) if complete else _Items(None, "", salvaged=False)
    return _Items(None, _notice(value), salvaged=False)


def _wrapped_records(value: object, depth: int = 0) -> list[Any]:
    """Return the records of an object that is one itself, or has a list of them somewhere, as such or as text; else none."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = read_json(value)
    if isinstance(value, list):
        return value if any(map(is_record, value)) else []
    if not isinstance(value, Mapping) or depth > _DEEPEST_WRAPPING:
        return []
    if is_record(value):
        return [value]
    found = (_wrapped_records(inner, depth + 1) for inner in value.values())
    return next((records for records in found if records), [])


def _items_of_broken(text: str) -> _Items:
    if text.startswith(("[", "{")):
        items = salvage(text)
        if any(not isinstance(item, BadRecord) for item in items):
            return _Items(items, "", salvaged=True)
        return _Items(None, "", salvaged=False)
    # A short plain sentence is the platform speaking ("too soon"); markup, binary rubbish and fields with a number are not.
    plain = len(text) <= _PLAIN_NOTICE and _RUBBISH.search(text) is None and _NUMBER_IN_A_FIELD.search(text) is None
    return _Items(None, excerpt(text) if plain else "", salvaged=False)


def _notice(value: object) -> str:
    if isinstance(value, Mapping):
        for key in _NOTICE_KEYS:
            word = value.get(key)
            if isinstance(word, str) and word.strip():
                return excerpt(word)
    return excerpt(str(value)) or "-"


def _records(items: Iterable[Any], read: _Reader) -> tuple[list[ReportRecord] | list[UplinkRecord], list[BadRecord]]:
    good: list[Any] = []
    bad: list[BadRecord] = []
    instants = Instants()
    for index, item in enumerate(items):
        if isinstance(item, str):
            item = read_json(item)  # noqa: PLW2901 - a record wrapped in a text of its own
        if isinstance(item, BadRecord):
            bad.append(replace(item, index=index))
            continue
        if not isinstance(item, dict):
            bad.append(BadRecord.of(index, "not an object", item))
            continue
        try:
            good.extend(read(item, instants))
        except ValueError as fault:
            bad.append(BadRecord.of(index, str(fault), item))
    return good, bad
