"""How charts and reports write numbers, times and names, in both languages."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd

from masanalytics.codes import category_name
from masanalytics.i18n import choose, resolve_language
from masanalytics.vocabulary import CARRIERS_ZH, STATUS_ZH

__all__ = [
    "by_phrase",
    "column_name",
    "count",
    "display_width",
    "duration",
    "group_label",
    "percent",
    "shorten",
    "wrap",
]

_COLUMNS = {
    "account": ("account", "账号"),
    "accepted": ("accepted", "已受理"),
    "arm": ("arm", "分组"),
    "batch_id": ("batch", "批次"),
    "campaign": ("campaign", "活动"),
    "carrier": ("carrier", "运营商"),
    "category": ("error category", "失败类别"),
    "city": ("city", "城市"),
    "content": ("text", "短信内容"),
    "day": ("day", "日期"),
    "error_code": ("error code", "错误码"),
    "hour": ("hour of submission", "提交时段"),
    "mode": ("mode", "发送方式"),
    "msg_group": ("msgGroup", "msgGroup"),
    "prefix": ("number prefix", "号段"),
    "province": ("province", "省份"),
    "segments": ("segments", "条数"),
    "status": ("status", "状态"),
    "template_id": ("template", "模板"),
    "weekday": ("weekday", "星期"),
}
_WEEKDAYS = (
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
)
_UNITS = ((86400, "d", "天"), (3600, "h", "小时"), (60, "min", "分"), (1, "s", "秒"))


def percent(share: float, digits: int = 1) -> str:
    """Return a share as a percentage that never rounds to 0 or 100 what is neither.

    Examples
    --------
    >>> percent(0.9423), percent(0.99999), percent(0.00001), percent(1.0), percent(float("nan"))
    ('94.2%', '>99.9%', '<0.1%', '100%', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    share = round(share, 9)
    edge = 0.5 * 10 ** -(digits + 2)
    if share in (0, 1):
        return f"{share:.0%}"
    if 0 < share < edge:
        return f"<{10**-digits:.{digits}f}%"
    if 1 - edge < share < 1:
        return f">{100 - 10**-digits:.{digits}f}%"
    return f"{share:.{digits}%}"


def count(number: float) -> str:
    """Return a count with thousands separated, a dash where there is none.

    Examples
    --------
    >>> count(1234567), count(float("nan"))
    ('1,234,567', '–')
    """
    return "–" if pd.isna(number) else f"{int(number):,}"


def duration(seconds: float, language: str | None = None) -> str:
    """Return a measured length of time in its two largest units; ages to read at are said by `language.duration`.

    Examples
    --------
    >>> duration(45, "en"), duration(200, "en"), duration(7500, "zh"), duration(90000, "en")
    ('45 s', '3 min 20 s', '2 小时 5 分', '1 d 1 h')
    >>> duration(15119, "en"), duration(86399, "en")
    ('4 h 12 min', '1 d')
    >>> duration(2.4, "en"), duration(float("nan"), "en"), duration(-3, "en")
    ('2.4 s', '–', '-3 s')
    """
    if pd.isna(seconds):
        return "–"
    if seconds < 0:
        return "-" + duration(-seconds, language)
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} {choose('s', '秒', language)}"
    smallest = next((smaller for (size, *_), (smaller, *_) in pairwise(_UNITS) if seconds >= size), 1)
    left, parts = round(seconds / smallest) * smallest, []
    for size, en, zh in _UNITS:
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {choose(en, zh, language)}")
        elif parts:
            break
    return " ".join(parts[:2]) or f"0 {choose('s', '秒', language)}"


def column_name(column: str, language: str | None = None) -> str:
    """Return what a column is called for people.

    Examples
    --------
    >>> column_name("carrier", "zh"), column_name("客户等级", "en")
    ('运营商', '客户等级')
    """
    names = _COLUMNS.get(column)
    return column if names is None else choose(*names, language)


def by_phrase(by: Sequence[str], language: str | None = None) -> str:
    """Return " by carrier and province" or "（按运营商、省份）", nothing for no column.

    Examples
    --------
    >>> by_phrase(["carrier", "province"], "en"), by_phrase(["carrier", "province"], "zh"), by_phrase([], "en")
    (' by carrier and province', '（按运营商、省份）', '')
    """
    names = [column_name(column, language) for column in by]
    if not names:
        return ""
    return choose(" by " + " and ".join(names), f"（按{'、'.join(names)}）", language)


def group_label(columns: Sequence[str], values: Sequence[Any], language: str | None = None) -> str:
    """Return the name of one group.

    Examples
    --------
    >>> group_label(["carrier", "weekday"], ["China Unicom", 0], "zh")
    '中国联通 · 周一'
    >>> group_label(["hour"], [9], "en"), group_label(["province"], [None], "zh"), group_label([], [], "en")
    ('09:00', '未知', 'all')
    """
    if not columns:
        return choose("all", "全部", language)
    if "total" in [value for value in values if isinstance(value, str)]:
        return choose("total", "合计", language)
    return " · ".join(_value(column, value, language) for column, value in zip(columns, values, strict=True))


def _value(column: str, value: Any, language: str | None) -> str:
    if pd.isna(value) or value == "":
        return choose("unknown", "未知", language)
    if not str(value).strip():
        return choose("(blank)", "（空白）", language)
    if column == "weekday":
        return _weekday(value, language)
    if column == "hour" and str(value).removesuffix(".0").isdigit():
        return f"{int(value):02d}:00"
    if column == "category":
        return category_name(str(value), language)
    if isinstance(value, pd.Timestamp | date):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    if resolve_language(language) == "zh":
        words = CARRIERS_ZH if column == "carrier" else STATUS_ZH if column == "status" else {}
        return words.get(str(value), str(value))
    return str(value)


def _weekday(value: Any, language: str | None) -> str:
    if str(value).removesuffix(".0").isdigit():
        return choose(*_WEEKDAYS[int(value) % 7], language)
    for en, zh in _WEEKDAYS:
        if str(value).startswith((en, zh)):
            return choose(en, zh, language)
    return str(value)


def display_width(text: str) -> int:
    """Return how many Latin letters wide `text` is: a Chinese character counts two.

    Examples
    --------
    >>> display_width("MK:0001 空号")
    12
    """
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shorten(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` Latin letters, with … in its middle where it is longer.

    Names of campaigns often begin alike and differ in their last words.

    Examples
    --------
    >>> shorten("春节客户回馈活动第二批次华东大区", 20), shorten("spring", 20)
    ('春节客户回…华东大区', 'spring')
    """
    line = " ".join(text.split())
    if display_width(line) <= width:
        return line
    head, tail, room = "", "", width - 1
    for char in line:
        if display_width(head + char) > (room + 1) // 2:
            break
        head += char
    for char in reversed(line):
        if display_width(head + char + tail) > room:
            break
        tail = char + tail
    return f"{head.rstrip()}…{tail.lstrip()}"


def wrap(text: str, width: int, lines: int = 2) -> str:
    r"""Return `text` broken into at most `lines` lines of `width` Latin letters, cut with … where it is longer.

    Breaks at spaces, and between Chinese characters.

    Examples
    --------
    >>> wrap("用户关机或不在服务区", 10)
    '用户关机或\n不在服务区'
    >>> wrap("Carrier-side fault: retry later", 14)
    'Carrier-side\nfault: retry…'
    """
    rows = _fill(text, width)
    if len(rows) > lines:
        last = rows[lines - 1]
        while display_width(last) > width - 1:
            last = last[:-1]
        return "\n".join([*rows[: lines - 1], last.rstrip(" ,;，；、：:") + "…"])
    for narrower in range(display_width(text) // max(len(rows), 1), width):  # even lines, no orphan at the end
        if len(even := _fill(text, narrower)) == len(rows):
            return "\n".join(even)
    return "\n".join(rows)


def _fill(text: str, width: int) -> list[str]:
    rows: list[str] = [""]
    for piece in _pieces(text):
        if display_width(rows[-1] + piece) > width and rows[-1].strip():
            rows.append(piece.lstrip())
        else:
            rows[-1] += piece
    return [part.strip() for row in rows for part in _hard_break(row, width)]


def _pieces(text: str) -> list[str]:
    """Cut `text` where a line may break: before a space, and around each wide character."""
    pieces: list[str] = []
    for char in " ".join(text.split()):
        wide = unicodedata.east_asian_width(char) in "WF"
        # A line never begins with a closing sign.
        closing = char in "，。；：、）」》！？%％"
        after_wide = bool(pieces) and unicodedata.east_asian_width(pieces[-1][-1]) in "WF"
        if not pieces or char == " " or (wide and not closing) or (after_wide and not closing):
            pieces.append(char)
        else:
            pieces[-1] += char
    return pieces


def _hard_break(row: str, width: int) -> list[str]:
    if display_width(row) <= width:
        return [row]
    return (
        textwrap.wrap(row, max(width, 1))
        if row.isascii()
        else [row[i : i + max(width // 2, 1)] for i in range(0, len(row), max(width // 2, 1))]
    )
