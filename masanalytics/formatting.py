"""How everything is written that people read: numbers, lengths of time, names, tables in a terminal, cards in a notebook."""

from __future__ import annotations

import html
import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from masanalytics.i18n import N_, Text, _
from masanalytics.vocabulary import (
    CARRIERS,
    COLUMN_WORDS,
    NOT_KEPT,
    STATUS_WORDS,
    VERDICT_WORDS,
    WEEKDAYS,
    category_name,
)

__all__ = [
    "by_phrase",
    "card",
    "column_name",
    "count",
    "display_width",
    "duration",
    "fill",
    "group_label",
    "money",
    "percent",
    "percents",
    "plain_card",
    "shorten",
    "wrap",
]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS_UNTIL: Final = 10 * _MINUTE
_HOURS_UNTIL: Final = 72 * _HOUR  # for so long reports can come: it is said in hours everywhere
_BOX = "border:1px solid #d8dee4;border-radius:6px;padding:.6em .9em;display:inline-block;max-width:60em"
_FIGURE = "display:inline-block;margin:.3em 1.4em .3em 0"
_NOTE = "color:#57606a;font-size:92%"


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


def percents(*shares: float) -> list[str]:
    """Return shares that stand in one sentence as percentages, with digits enough to tell apart those that differ.

    Examples
    --------
    >>> percents(0.942, 0.918), percents(0.999, 0.9989), percents(0.5, 0.5)
    (['94.2%', '91.8%'], ['99.90%', '99.89%'], ['50.0%', '50.0%'])
    """
    different = len({round(share, 6) for share in shares if not _is_missing(share)})
    digits = next(
        digits
        for digits in (1, 2, 3, 4)
        if digits == 4 or len({percent(share, digits) for share in shares if not _is_missing(share)}) == different
    )
    return [percent(share, digits) for share in shares]


def count(number: float) -> str:
    """Return a count with thousands separated, a dash where there is none.

    Examples
    --------
    >>> count(1234567), count(float("nan"))
    ('1,234,567', '–')
    """
    return "–" if _is_missing(number) else f"{int(number):,}"


def duration(seconds: float, *, platform_time: bool = False) -> str:
    """Return a length of time as precisely as it matters: seconds up to ten minutes, then minutes, days beyond 72 hours.

    Parameters
    ----------
    seconds : float
        How long.
    platform_time : bool
        Whether a simulated platform's clock told it, which must not be taken for the time that somebody waited.

    Examples
    --------
    >>> duration(2.4), duration(45), duration(200), duration(1915), duration(7300)
    ('2.4 s', '45 s', '3 min 20 s', '32 min', '2 h 2 min')
    >>> duration(72 * 3600), duration(80 * 3600), duration(0.01), duration(-3), duration(float("nan"))
    ('72 h', '3 d 8 h', '<0.1 s', '-3 s', '–')
    >>> duration(660, platform_time=True)
    '11 min (platform time)'
    """
    return str(duration_text(seconds, platform_time=platform_time))


def duration_text(seconds: float, *, platform_time: bool = False) -> Text | str:
    """Return the same for a sentence that is kept: it becomes words when it is shown.

    Examples
    --------
    >>> duration_text(7300)
    Text('2 h 2 min')
    """
    if _is_missing(seconds):
        return "–"
    if platform_time:
        return Text("{length} (platform time)", length=duration_text(seconds))
    if seconds < 0:
        return Text("-{length}", length=duration_text(-seconds))
    if seconds < 10 and seconds != int(seconds):
        return Text("{count} s", count=("<" if seconds < 0.1 else "") + f"{max(seconds, 0.1):.1f}")
    if round(seconds) < _SECONDS_UNTIL:
        return _two_units(round(seconds), _MINUTE, "{count} min", "{count} s")
    minutes = round(seconds / _MINUTE)
    if minutes * _MINUTE <= _HOURS_UNTIL:
        return _two_units(minutes, _HOUR // _MINUTE, "{count} h", "{count} min")
    return _two_units(round(seconds / _HOUR), _DAY // _HOUR, "{count} d", "{count} h")


def _two_units(amount: int, size: int, large: str, small: str) -> Text:
    """Return `amount` of the small unit, of which `size` make a large one, in both."""
    whole, rest = divmod(amount, size)
    if whole and rest:
        return Text("{large} {small}", large=Text(large, count=whole), small=Text(small, count=rest))
    return Text(large, count=whole) if whole else Text(small, count=rest)


_SMALL_AMOUNT: Final = 100
_UNITS: Final = (N_("{count} s"), N_("{count} min"), N_("{count} h"), N_("{count} d"))


def money(amount: float) -> str:
    """Return an amount of yuan, with as many decimals as it takes below a hundred.

    Examples
    --------
    >>> money(0.045), money(0.225), money(0.05), money(1234.5)
    ('¥0.045', '¥0.225', '¥0.05', '¥1,234.50')
    """
    return f"¥{amount:,.3f}" if amount < _SMALL_AMOUNT and round(amount, 2) != round(amount, 4) else f"¥{amount:,.2f}"


def column_name(column: str) -> str:
    """Return what a column is called for people; the user's own columns keep their names.

    Examples
    --------
    >>> column_name("hour"), column_name("客户等级")
    ('hour of submission', '客户等级')
    """
    words = COLUMN_WORDS.get(column)
    return column if words is None else _(words)


def by_phrase(by: Sequence[str]) -> str:
    """Return " by carrier and province" (in Chinese "（按运营商、省份）"), nothing for no column.

    Examples
    --------
    >>> by_phrase(["carrier", "province"]), by_phrase([])
    (' by carrier and province', '')
    """
    names = _(" and ").join(column_name(column) for column in by)
    return _(" by {columns}", columns=names) if names else ""


def group_label(columns: Sequence[str], values: Sequence[Any]) -> str:
    """Return the name of one group.

    Examples
    --------
    >>> group_label(["carrier", "weekday"], ["China Unicom", 0])
    'China Unicom · Mon'
    >>> group_label(["hour"], [9]), group_label(["province"], [None]), group_label([], [])
    ('09:00', 'unknown', 'all')
    """
    if not columns:
        return _("all")
    if "total" in [value for value in values if isinstance(value, str)]:
        return _("total")
    return " · ".join(_value_name(column, value) for column, value in zip(columns, values, strict=True))


def _value_name(column: str, value: Any) -> str:
    if _is_missing(value) or value == "":
        return _("unknown")
    if not str(value).strip():
        return _("(blank)")
    if column == "weekday":
        return _weekday(value)
    if column == "hour" and str(value).removesuffix(".0").isdigit():
        return f"{int(value):02d}:00"
    if column in ("category", "last_category"):
        return category_name(str(value))
    if column == "verdict" and value in VERDICT_WORDS:
        return _(VERDICT_WORDS[str(value)])
    if isinstance(value, date):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    if column == "carrier" and value in CARRIERS:
        return _(str(value))
    if column == "status" and value in STATUS_WORDS:
        return _(STATUS_WORDS[str(value)])
    return _(NOT_KEPT) if value == NOT_KEPT else str(value)


def _weekday(value: Any) -> str:
    if str(value).removesuffix(".0").isdigit():
        return _(WEEKDAYS[int(value) % 7])
    for day in WEEKDAYS:
        if str(value).startswith((day, Text(day).text("zh"))):
            return _(day)
    return str(value)


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or NA, without loading pandas."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither
        return True


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
    rows = fill(text, width)
    if len(rows) > lines:
        last = rows[lines - 1]
        while display_width(last) > width - 1:
            last = last[:-1]
        return "\n".join([*rows[: lines - 1], last.rstrip(" ,;，；、：:") + "…"])
    for narrower in range(display_width(text) // max(len(rows), 1), width):  # even lines, no orphan at the end
        if len(even := fill(text, narrower)) == len(rows):
            return "\n".join(even)
    return "\n".join(rows)


def fill(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` Latin letters, broken at spaces and between Chinese characters.

    Examples
    --------
    >>> fill("采集状态报告 and replies", 12)
    ['采集状态报告', 'and replies']
    """
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


def card(title: str, figures: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """Return an HTML card.

    Parameters
    ----------
    title : str
        What it is.
    figures : mapping of str to object
        Label -> value; whole numbers get separators.
    notes : sequence of str
        Lines below.

    Examples
    --------
    >>> print(card("<Store>", {"messages": 1234}))  # doctest: +ELLIPSIS
    <div style="..."><b>&lt;Store&gt;</b><div><span style="..."><span style="...">messages</span><br><b>1,234</b></span></div></div>
    """
    shown = "".join(
        f'<span style="{_FIGURE}"><span style="{_NOTE}">{html.escape(label)}</span><br><b>{html.escape(_figure(value))}</b></span>'
        for label, value in figures.items()
    )
    lines = "".join(f'<div style="{_NOTE}">{html.escape(note)}</div>' for note in notes if note)
    return f'<div style="{_BOX}"><b>{html.escape(title)}</b><div>{shown}</div>{lines}</div>'


def plain_card(title: str, figures: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """Return the same as plain text.

    Examples
    --------
    >>> print(plain_card("<Store>", {"messages": 1234, "batches": 2}, ["collected"]))
    <Store>
      messages: 1,234
      batches: 2
      collected
    """
    lines = [title, *(f"{label}: {_figure(value)}" for label, value in figures.items()), *filter(None, notes)]
    return "\n  ".join(lines)


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
