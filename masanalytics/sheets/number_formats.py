"""Number formats of spreadsheets: what a cell with a number, a date or a time shows.

The format language is that of ECMA-376 part 1, section 18.8.31. What is not understood here (fractions, conditions, scientific
notation, elapsed hours) gives None: a value whose appearance is not known is left out of a text, never guessed.
"""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Final

__all__ = ["BUILT_IN", "GENERAL", "NOT_KNOWN", "is_date_format", "keeps_digits", "shown"]

GENERAL: Final = "General"
NOT_KNOWN: Final = "[?]"
"""Stands for a format that a workbook names by number alone and that differs between countries, such as a currency."""

# Section 18.8.30: the formats that a workbook names by number alone; 27 to 36 and 50 to 58 as Chinese Excel shows them.
BUILT_IN: Final = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "yyyy/m/d",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy/m/d h:mm",
    27: 'yyyy"年"m"月"',
    28: 'm"月"d"日"',
    29: 'm"月"d"日"',
    30: "m-d-yy",
    31: 'yyyy"年"m"月"d"日"',
    32: 'h"时"mm"分"',
    33: 'h"时"mm"分"ss"秒"',
    34: '上午/下午h"时"mm"分"',
    35: '上午/下午h"时"mm"分"ss"秒"',
    36: 'yyyy"年"m"月"',
    37: "#,##0;-#,##0",
    38: "#,##0;-#,##0",
    39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00",
    41: '_ * #,##0_ ;_ * -#,##0_ ;_ * "-"_ ;_ @_ ',
    43: '_ * #,##0.00_ ;_ * -#,##0.00_ ;_ * "-"??_ ;_ @_ ',
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
    50: 'yyyy"年"m"月"',
    51: 'm"月"d"日"',
    52: 'yyyy"年"m"月"',
    53: 'm"月"d"日"',
    54: 'm"月"d"日"',
    55: '上午/下午h"时"mm"分"',
    56: '上午/下午h"时"mm"分"ss"秒"',
    57: 'yyyy"年"m"月"',
    58: 'm"月"d"日"',
}

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<half>AM/PM|A/P|上午/下午)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?|aaa+|b+|e+)|(?P<digits>[0#?,.]*[0#?][0#?,.]*)"
    r"|(?P<general>General|G/通用格式)|(?P<percent>%)|(?P<text>@)|(?P<literal>.)",
    re.I | re.S,
)
_COLOUR = re.compile(
    r"(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+|颜色 ?\d+|[黑蓝青绿红白黄]色?|洋红色?)", re.I
)
_CURRENCY = re.compile(r"\$([^-]*)(?:-[0-9A-Fa-f]*)?")
_WEEKDAYS: Final = "一二三四五六日"
_SIGNIFICANT = 11  # digits that the format General shows before it rounds or turns to scientific notation

_Token = tuple[str, str]


def shown(value: Any, number_format: str) -> str | None:
    """Return what a cell shows, or None where that is not known.

    Parameters
    ----------
    value : int, float, date, datetime, time, timedelta or str
        What the cell holds.
    number_format : str
        Such as ``#,##0.00`` or ``yyyy"年"m"月"d"日"``.

    Examples
    --------
    >>> from datetime import date
    >>> shown(12, "000000"), shown(1280, "#,##0"), shown(0.125, "0.0%"), shown(12.5, "¥#,##0.00")
    ('000012', '1,280', '12.5%', '¥12.50')
    >>> shown(date(2025, 4, 14), "aaaa"), shown(date(2025, 4, 14), 'yyyy"年"m"月"d"日"'), shown(5, "# ?/?")
    ('星期一', '2025年4月14日', None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return None
    sections = _sections(number_format)
    if sections is None:
        return None
    if isinstance(value, (date, time)):
        return _as_date(value, sections[0])
    if isinstance(value, timedelta):
        return None
    section, number = _section_for(value, sections)
    return _as_number(number, section)


def is_date_format(number_format: str) -> bool:
    """Return whether a format shows a date or a time.

    Examples
    --------
    >>> is_date_format("yyyy/m/d"), is_date_format('0"days"'), is_date_format("[$-804]aaaa")
    (True, False, True)
    """
    sections = _sections(number_format)
    if sections is None:
        return bool(re.search(r"[ymdhs]", re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", number_format), re.I))
    return any(kind in ("date", "half") for kind, _ in sections[0])


def keeps_digits(number_format: str) -> bool:
    """Return whether every whole number reads the same with the format and without: nothing is added, cut or padded.

    Examples
    --------
    >>> [keeps_digits(one) for one in ("General", "0", "@", "#", "000000", "#,##0")]
    [True, True, True, True, False, False]
    """
    return number_format in (GENERAL, "0", "#", "@", "0_ ", "0_);(0)") or number_format.strip() == "0"


@lru_cache(maxsize=512)
def _sections(number_format: str) -> tuple[tuple[_Token, ...], ...] | None:
    """Return the tokens of each section (positive; negative; zero), or None where the format is not understood."""
    if re.search(r"E[+-]", re.sub(r'"[^"]*"', "", number_format), re.I):
        return None
    sections: list[list[_Token]] = [[]]
    for match in _TOKEN.finditer(number_format):
        kind, text = match.lastgroup or "literal", match[match.lastgroup or 0]
        if kind == "literal" and text == ";":
            sections.append([])
            continue
        token = _token(kind, text)
        if token is None:
            return None
        if token[0]:
            sections[-1].append(token)
    if "/" in number_format and any("?" in text for kind, text in sections[0] if kind == "digits"):
        return None
    return tuple(map(tuple, sections[:3])) if all(map(_is_plain, sections[:3])) else None


def _token(kind: str, text: str) -> _Token | None:
    if kind in ("quoted", "escaped"):
        return "literal", text
    if kind == "space":
        return "literal", " "
    if kind == "fill":
        return "", ""
    if kind == "bracket":
        if text.upper() in ("$-F800", "$-F400"):  # the long date and the time as the reader's system is set
            return None
        currency = _CURRENCY.fullmatch(text)
        if currency is not None:
            return "literal", currency[1]
        return ("", "") if _COLOUR.fullmatch(text) else None
    if kind == "date":
        return None if text[0] in "bBeE" else ("date", text.lower())
    return kind, text


def _is_plain(section: list[_Token]) -> bool:
    """Return whether a section has at most one group of digits, and no digits beside parts of a date."""
    kinds = [kind for kind, _ in section]
    return kinds.count("digits") + kinds.count("general") <= 1 and not ("digits" in kinds and "date" in kinds)


def _section_for(value: float, sections: tuple[tuple[_Token, ...], ...]) -> tuple[tuple[_Token, ...], float]:
    if value < 0 and len(sections) > 1:
        return sections[1], -value
    if value == 0 and len(sections) > 2:
        return sections[2], value
    return sections[0], value


def _as_number(number: float, section: tuple[_Token, ...]) -> str | None:
    parts = []
    scale = sum(kind == "percent" for kind, _ in section)
    for kind, text in section:
        if kind in ("date", "half"):
            return None
        if kind in ("general", "text"):
            plain = _general(number)
            if plain is None:
                return None
            parts.append(plain)
        else:
            parts.append(_digits(Decimal(repr(number)) * 100**scale, text) if kind == "digits" else text)
    text = "".join(parts)
    if "-" in text[1:] and number < 0 and not text.startswith("-"):  # the sign stands in front of ¥ and the like
        text = "-" + text.replace("-", "", 1)
    return text.strip(" ")


def _general(number: float) -> str | None:
    """Return a number as the format General shows it in a wide cell; None where not all of its digits would be shown."""
    # A workbook keeps fifteen significant digits: what lies beyond comes of binary fractions.
    text = format(Decimal(format(number, ".15g") if isinstance(number, float) else number), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if len(text.lstrip("-").replace(".", "")) <= _SIGNIFICANT else None


def _digits(number: Decimal, pattern: str) -> str:
    """Write `number` into a pattern such as ``#,##0.00``."""
    whole_pattern, _, fraction_pattern = pattern.partition(".")
    thousands = len(pattern) - len(pattern.rstrip(","))
    number = number / 1000**thousands
    fraction_pattern = fraction_pattern.rstrip(",")
    places = len(fraction_pattern)
    rounded = abs(number).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.zfill(whole_pattern.count("0")) if whole != "0" or "0" in whole_pattern else ""
    if "," in whole_pattern.rstrip(","):
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole)
    while fraction and fraction.endswith("0") and fraction_pattern[len(fraction) - 1] in "#?":
        fraction = fraction[:-1]
    point = "." if "." in pattern and (fraction or places == 0) else ""
    return ("-" if number < 0 and rounded else "") + whole + point + fraction


def _as_date(value: date | time, section: tuple[_Token, ...]) -> str | None:
    if any(kind in ("digits", "general", "text") for kind, _ in section) or not section:
        return None
    half = any(kind == "half" for kind, _ in section)
    moments = [text for kind, text in section if kind == "date"]
    place = 0
    parts = []
    for kind, text in section:
        if kind == "date":
            minutes = text in ("m", "mm") and (
                (place and moments[place - 1][0] == "h") or (place + 1 < len(moments) and moments[place + 1][0] == "s")
            )
            part = _moment(value, text, minutes=bool(minutes), half=half)
            place += 1
            if part is None:
                return None
            parts.append(part)
        elif kind == "half":
            parts.append(_half(value, text))
        else:
            parts.append(text)
    return "".join(parts)


def _half(value: date | time, text: str) -> str:
    morning, afternoon = text.split("/")
    return morning if getattr(value, "hour", 0) < 12 else afternoon


def _moment(value: date | time, token: str, *, minutes: bool, half: bool) -> str | None:
    """Return one part of a date or a time; None for a part that the value does not have."""
    letter, size = token[0], len(token)
    if letter in "hs" or minutes:
        hour, minute, second = (getattr(value, name, 0) for name in ("hour", "minute", "second"))
        if letter == "h" and half:
            hour = hour % 12 or 12
        if letter == "s" and "." in token:
            return None
        number = {"h": hour, "m": minute, "s": second}[letter]
        return f"{number:0{min(size, 2)}d}"
    if not isinstance(value, date):
        return None
    if letter == "a":  # what aaa shows (一 or 周一) depends on the version
        return f"星期{_WEEKDAYS[value.weekday()]}" if size > 3 else None
    if letter == "y":
        return f"{value.year:04d}" if size > 2 else f"{value.year % 100:02d}"
    if size > 2:
        return None
    return f"{value.month if letter == 'm' else value.day:0{size}d}"
