"""The rows that polls hand out: how a batch's reports are laid out in time, and how rows are written as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from masanalytics.simulator.behaviour import ACCEPTD, DELIVRD, Fates
from masanalytics.simulator.random_keys import Floats, Ints, Keys, uniform
from masanalytics.simulator.settings import Style
from masanalytics.timezone import CHINA_OFFSET_S, format_instant, to_platform_time

__all__ = [
    "BROKEN_SEGMENT",
    "ROW",
    "Rows",
    "Taken",
    "add_extras",
    "report_row",
    "report_texts",
    "segments_of",
    "spread_reports",
    "uplink_text",
]

ROW = np.dtype([("due", "f8"), ("received", "i8"), ("phone", "i8"), ("batch", "i4"), ("code", "i2")])
"""One report: when it can be fetched (platform seconds), receiveDate (epoch seconds), number, batch, code."""

Rows = npt.NDArray[np.void]

BROKEN_SEGMENT = "MK:0010"
"""What the report of a lost segment says: the phone was switched off in between."""

_DAY_S = 86_400
_SINGLE, _JOINED = 70, 67
_SEGMENT_FAILS = 0.004


class Taken(NamedTuple):
    """An accepted batch: where its reports belong.

    Attributes
    ----------
    number : int
        Its place in the platform's list of batches.
    group : str
        msgGroup.
    instant : float
        When it was taken (seconds since 1970).
    due : float
        The same in the platform's own seconds, which never jump.
    """

    number: int
    group: str
    instant: float
    due: float


def segments_of(texts: str | Sequence[str], signature: str, count: int) -> Ints:
    """Return how many segments each of `count` messages has: 70 characters alone, 67 each when joined.

    Examples
    --------
    >>> segments_of(["短" * 64, "短" * 65, "长" * 150, "六" * 60 + "😀" * 34], "【模拟企业】", 4).tolist()
    [1, 2, 3, 3]
    """
    each_text = [texts] if isinstance(texts, str) else texts
    segments = np.array([_segments(signature + text) for text in each_text], dtype=np.int64)
    return np.repeat(segments, count) if isinstance(texts, str) else segments


def _segments(text: str) -> int:
    """Count in UTF-16 units; a character of two of them is never torn apart."""
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length <= _SINGLE:
        return 1
    if length == len(text):
        return -(-length // _JOINED)
    count, room = 1, _JOINED
    for width in (2 if ord(character) > 0xFFFF else 1 for character in text):
        if width > room:
            count, room = count + 1, _JOINED
        room -= width
    return count


def spread_reports(taken: Taken, phones: Ints, fates: Fates, code_ids: Ints, keys: Keys, segments: Ints | None) -> Rows:
    """Return the reports of a batch, one a message (or one a segment), in the order they fall due.

    `code_ids` gives the platform's number for each of the fates' codes; its last entry is for a later segment that is
    lost on the way (`BROKEN_SEGMENT`).
    """
    reported = np.flatnonzero(np.isfinite(fates.latency))
    if segments is not None:
        reported = np.repeat(reported, segments[reported])
    latency = fates.latency[reported]
    rows = np.zeros(len(reported), dtype=ROW)
    rows["phone"], rows["batch"], rows["code"] = phones[reported], taken.number, code_ids[fates.code[reported]]
    if segments is not None and len(reported):
        segment = np.arange(len(reported)) - np.searchsorted(
            reported, reported
        )  # 0 for the first segment of each message
        latency = latency + np.floor(segment * (0.5 + uniform(keys[reported], 71)))
        broken = (
            (fates.code[reported] == 0)
            & (segment > 0)
            & (uniform(keys[reported] + segment.astype(np.uint64), 72) < _SEGMENT_FAILS)
        )
        rows["code"][broken] = code_ids[-1]
    rows["received"] = np.floor(taken.instant + latency)
    rows["due"] = taken.due + latency + fates.lag[reported]
    return rows[np.argsort(rows["due"], kind="stable")]


def add_extras(rows: Rows, keys: Floats, style: Style, accepted: int) -> Rows:
    """Return `rows` with intermediate reports before some of them and some handed out twice.

    Parameters
    ----------
    rows : array of ROW
        The reports of one batch.
    keys : float64
        A number in [0, 1) for each row.
    style : Style
        How many of each.
    accepted : int
        The code of an intermediate report.
    """
    early = rows[keys < style.intermediate].copy()
    early["code"] = accepted
    early["due"] -= 0.5
    twice = rows[keys >= 1.0 - style.duplicates].copy()
    twice["due"] += 3.0
    rows = np.concatenate([early, rows, twice])
    return rows[np.argsort(rows["due"], kind="stable")]


def report_texts(
    rows: Rows, batches: Sequence[Taken], codes: Sequence[str], odd: Sequence[str], style: Style
) -> list[str]:
    """Return each report as a JSON object.

    Examples
    --------
    >>> rows = np.array([(0.0, 1630910706, 13800138000, 0, 1)], dtype=ROW)
    >>> batch = Taken(0, "0906144506000001364223", 1630910700.0, 0.0)
    >>> print(*report_texts(rows, [batch], ["DELIVRD", "CM:2007"], [], Style()))
    ... # doctest: +NORMALIZE_WHITESPACE
    {"errorCode":"CM:2007","mobile":"13800138000","msgGroup":"0906144506000001364223","receiveDate":"20210906144506","reportStatus":"CM:2007","submitDate":"20210906144500"}
    """
    outcomes = [_outcome(code, style) for code in codes]
    submitted = {number: to_platform_time(batches[number].instant) for number in set(rows["batch"].tolist())}
    received = _receive_dates(rows["received"], style)
    whole = [not style.minutes or code.startswith("CM:") for code in codes]
    opening, closing = ('["', '"]') if style.mobile_as_list else ('"', '"')
    opening += style.mobile_prefix
    texts = []
    for date, phone, number, code in zip(
        received, rows["phone"].tolist(), rows["batch"].tolist(), rows["code"].tolist(), strict=True
    ):
        status, error = outcomes[code]
        mobile = phone if phone >= 0 else json.dumps(odd[-phone - 1])[1:-1]
        texts.append(
            f'{{"errorCode":"{error}","mobile":{opening}{mobile}{closing},"msgGroup":"{batches[number].group}",'
            f'"receiveDate":"{_dressed(date, style, whole=whole[code])}","reportStatus":"{status}",'
            f'"submitDate":"{_dressed(submitted[number], style, whole=whole[code])}"}}'
        )
    return texts


def report_row(phone: str, code: str, group: str, times: tuple[float, float], style: Style) -> dict[str, str]:
    """Return one report as a JSON object's fields; `times` are the instants of submitDate and receiveDate."""
    status, error = style.success if code == DELIVRD else (code, code)
    whole = not style.minutes or code.startswith("CM:")
    submitted, received = (_dressed(to_platform_time(instant), style, whole=whole) for instant in times)
    return {
        "errorCode": error,
        "mobile": phone,
        "msgGroup": group,
        "receiveDate": received,
        "reportStatus": status,
        "submitDate": submitted,
    }


def _outcome(code: str, style: Style) -> tuple[str, str]:
    """Return (reportStatus, errorCode): failures repeat the code, as the one captured failure does."""
    if code == DELIVRD:
        return style.success
    return (style.intermediate_code, "") if code == ACCEPTD else (code, code)


def _receive_dates(instants: npt.NDArray[np.int64], style: Style) -> list[str]:
    """Return receiveDate of each row."""
    local = instants + CHINA_OFFSET_S
    days, seconds = local // _DAY_S, local % _DAY_S
    clock = seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    if style.hour_24:
        first = seconds < 3600
        days, clock = days - first, clock + 240_000 * first
    names = {day: datetime.fromtimestamp(day * _DAY_S, UTC).strftime("%Y%m%d") for day in set(days.tolist())}
    return [f"{names[day]}{time:06d}" for day, time in zip(days.tolist(), clock.tolist(), strict=True)]


def _dressed(date: str, style: Style, *, whole: bool) -> str:
    """Return a 14-digit date in the form the style asks for, with its seconds or without."""
    if not whole:
        date = date[:12] + "00"
    if not style.dashed_dates:
        return date
    return f"{date[:4]}-{date[4:6]}-{date[6:8]} {date[8:10]}:{date[10:12]}:{date[12:]}"


def uplink_text(phone: str, text: str, instant: float, code: str, style: Style) -> str:
    """Return a reply as a JSON object.

    Examples
    --------
    >>> print(uplink_text("13800138000", "退订", 1630910706, "106575000000", Style()))
    {"smsContent":"退订","mobile":"13800138000","sendTime":"2021-09-06 14:45:06","addSerial":"106575000000"}
    """
    mobile: str | list[str] = style.mobile_prefix + phone
    row = {
        "smsContent": text,
        "mobile": [mobile] if style.mobile_as_list else mobile,
        "sendTime": format_instant(instant),
        "addSerial": code,
    }
    return json.dumps(row, ensure_ascii=style.escaped, separators=(",", ":"))
