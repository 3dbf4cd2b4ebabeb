"""What carriers block and readers stumble over, found before sending: warnings with row counts, never refusals."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from masanalytics.i18n import N_, Text
from masanalytics.planning.encoded_column import LONG_TEXT, EncodedColumn
from masanalytics.planning.encoded_text import EncodedText
from masanalytics.planning.plan_warnings import PlanWarning

__all__ = ["LONG_UNITS", "check_contents"]

LONG_UNITS: Final = 450
"""UTF-16 units above which a text is called long: the platform's limit is not documented, others refuse above 450 to 600."""

_CHUNK: Final = 50_000
_AROUND: Final = 16
_JOINING: Final = "./:@_-"
_STAND_IN: Final = "一"
_LAST_OF_BASIC_PLANE: Final = "\uffff"


# ASCII only: a link or a number ends where Chinese begins.
_PATTERNS: Final = {
    "own_signature": re.compile(r"[【】]"),
    "link": re.compile(
        r"https?://|\bwww\.|(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:com|cn|net|org|gov|edu|top|vip|xyz|info|cc|me|io|co|tv|shop|"
        r"site|club|link|ltd|app|ink|mobi|wang|t\.cn|url\.cn)(?![a-z0-9-])(?:/\S*)?",
        re.I | re.A,
    ),
    "phone_number": re.compile(
        r"(?<![\d.])(?:1[3-9]\d[ -]?\d{4}[ -]?\d{4}|[48]00[ -]?\d{3,4}[ -]?\d{3,4}|\(?0\d{2,3}\)?[ -]?[2-9]\d{6,7})(?!\d)|"
        r"(?:电话|热线|致电|拨打|客服|咨询|详询|垂询|来电|服务号码?)[^0-9]{0,6}\d{3,12}(?!\d)",
        re.A,
    ),
    "contact": re.compile(
        r"(?:QQ|扣扣|企鹅|微信|威信|薇信|微信号|VX|V信|加微|wechat|weixin)[^A-Za-z0-9]{0,4}[A-Za-z0-9_][A-Za-z0-9_-]{4,}",
        re.I,
    ),
    "unfilled": re.compile(r"[{｛][^{}｛｝]{1,30}[}｝]"),
    "printed_missing": re.compile(r"(?<![A-Za-z])(?:nan|NaN|NaT|None|null|NULL|<NA>)(?![A-Za-z])"),
}
_DISCOUNT = re.compile(r"[0-9一二三四五六七八九]折(?![算叠合旧返])")
_MARKETING = re.compile(
    "优惠|促销|折扣|特价|特惠|限时|抢购|秒杀|红包|满减|立减|赠送|好礼|福利|代金券|抽奖|大促|钜惠|巨惠|新品|抵扣|免费领|领取"
)
_OPT_OUT = re.compile(
    r"(?:拒收|退订|退阅|不再接收|取消)[^，。；,;]{0,6}回[^，。；,;]{0,3}[A-Za-z0-9]|"
    r"回[^，。；,;]{0,3}(?:T|N|R|QX|0000)[^，。；,;]{0,4}(?:拒收|退订|取消)"
)

# What a text must hold for a pattern to be worth trying; most texts hold none of it.
_NEEDS: Final = {
    "own_signature": re.compile("[【】]"),
    "link": re.compile(r"[.:][A-Za-z/]"),
    "phone_number": re.compile("[0-9][0-9 -]{6}|[电热致拨客咨详垂来服][话线电打服询务]"),
    "contact": re.compile("[QqVvWw扣企微威薇加][Qq扣鹅信微VvXxEe号]"),
    "unfilled": re.compile("[{｛]"),
    "printed_missing": re.compile("[Nn][aAuUo]|<NA>"),
}
_MAYBE = re.compile("|".join([*(need.pattern for need in _NEEDS.values()), "回", "[\U00010000-\U0010ffff]"]))

_FILLERS: Final = frozenset(
    {
        "-",
        "—",
        "--",
        "——",
        "/",
        "\\",
        ".",
        "无",
        "未知",
        "暂无",
        "(空白)",
        "（空白）",
        "空",
        "&nbsp;",
        "<br>",
        "<br/>",
        "#",
        "*",
        "?",
        # A day that a database or a program has where it has none.
        *(
            shape.format(year, month, day)
            for year, month, day in ((1, 1, 1), (1900, 1, 1), (1970, 1, 1), (9999, 12, 31))
            for shape in (
                "{0:04}-{1:02}-{2:02}",
                "{0:04}/{1}/{2}",
                "{0:04}/{1:02}/{2:02}",
                "{0:04}年{1}月{2}日",
                "{0:04}年{1:02}月{2:02}日",
            )
        ),
    }
)
_ZERO: Final = "0"
_SAMPLE: Final = 1_000
_LONGEST_FILLER: Final = max(map(len, _FILLERS))

_WORDS: Final = {
    "own_signature": N_(
        "{messages} with 【 or 】 in the text: the platform puts the signature in front, and may reject another"
    ),
    "link": N_("{messages} with a link: China Mobile blocks links that are not registered"),
    "phone_number": N_("{messages} with a phone number: China Mobile blocks numbers that are not registered"),
    "contact": N_("{messages} with a QQ or WeChat contact: China Mobile blocks contacts that are not registered"),
    "outside_bmp": N_(
        "{messages} with emoji or rare characters outside the basic plane: they count twice, and some phones show boxes"
    ),
    "unfilled": N_("{messages} with a name in braces: a placeholder that was not filled?"),
    "printed_missing": N_("{messages} with nan, NaT, None or null as text: a blank cell was printed"),
    "too_long": N_(
        "{messages} of more than {units} characters with the signature: the platform's limit is not documented"
    ),
    "filler": N_("{messages} with {value} in place of a value, as sheets write for a blank"),
    "no_opt_out": N_("{messages} with words of marketing and none on how to opt out (拒收请回复R)"),
}


def check_contents(
    texts: EncodedText, units: npt.NDArray[np.int64], *, marketing: bool | None = None
) -> list[PlanWarning]:
    """Return what should be looked at in the texts of a plan.

    Parameters
    ----------
    texts : EncodedText
        The planned messages, each whole.
    units : ndarray of int64
        UTF-16 units of each, with the signature.
    marketing : bool, optional
        Whether the texts are marketing; by default told from their words.

    Notes
    -----
    Fixed parts are looked at once and each distinct value once, between the characters that stand around it in the text. What
    only arises where two values meet is not seen.
    """
    if not texts.size:
        return []
    codes = (*_PATTERNS, "outside_bmp", "marketing", "opt_out")
    flagged = {code: np.zeros(texts.size, dtype=bool) for code in codes}
    for code in _codes_in(_STAND_IN.join(texts.literals)):
        flagged[code][:] = True
    for index, column in enumerate(texts.columns):
        before = _STAND_IN.join(texts.literals[: index + 1])[-_AROUND:]
        behind = _STAND_IN.join(texts.literals[index + 1 :])[:_AROUND]
        for code, flags in _flagged_values(column, before, behind).items():
            flagged[code] |= flags[column.codes]
    fillers = (
        [_filler_rows(column) for column in texts.columns] if len(texts.literals) > 1 and any(texts.literals) else []
    )
    flagged["too_long"] = units > LONG_UNITS
    promoting = flagged.pop("marketing")
    if marketing is not None:
        promoting = np.full(texts.size, marketing)
    flagged["no_opt_out"] = promoting & ~flagged.pop("opt_out")
    warnings = [_warning(code, int(rows.sum())) for code, rows in flagged.items() if rows.any()]
    return warnings + [_warning("filler", int(rows.sum()), value) for value, rows in fillers if rows.any()]


def _filler_rows(column: EncodedColumn) -> tuple[str, npt.NDArray[np.bool_]]:
    """Return the first value that sheets write where there is none, and the rows that hold such a value."""
    short = np.flatnonzero(column.dictionary.units <= _LONGEST_FILLER)
    texts = column.dictionary.texts[short].tolist()
    fillers = _FILLERS | {_ZERO} if _ZERO in texts and _is_words(column) else _FILLERS
    codes = [code for code, text in zip(short.tolist(), texts, strict=True) if text in fillers]
    value = next((text for text in texts if text in fillers), "")
    return value, np.isin(column.codes, codes)


def _is_words(column: EncodedColumn) -> bool:
    """Return whether the values beside 0 are words without digits, as names are: there 0 is a lookup that found nothing."""
    others = [text for text in column.dictionary.texts[:_SAMPLE].tolist() if text != _ZERO]
    return bool(others) and not any(character.isdigit() for text in others for character in text)


def _flagged_values(column: EncodedColumn, before: str, behind: str) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each code which values of the column bring it into the text."""
    without = _codes_in(f"{before}{_STAND_IN}{behind}") - {"marketing", "opt_out"}
    # Beside a letter or digit, or behind words such as 致电 or 微信, any value may complete something.
    samples = _codes_in(f"{before}95598{behind}") | _codes_in(f"{before}abcdef{behind}")
    anything = bool(samples - without - {"marketing", "opt_out"}) or not (before or behind)
    anything = anything or _touches(before[-1:]) or _touches(behind[:1])
    flags: dict[str, npt.NDArray[np.bool_]] = {}
    if not anything and not column.dictionary.odd.any():
        return flags
    for start in range(0, len(column.dictionary.texts), _CHUNK):
        chunk = column.dictionary.texts[start : start + _CHUNK].tolist()
        odd = np.flatnonzero(column.dictionary.odd[start : start + len(chunk)]).tolist()
        for index in range(len(chunk)) if anything else odd:
            text = chunk[index]
            if anything or len(text) > LONG_TEXT or _MAYBE.search(text):
                for code in _codes_in(f"{before}{text}{behind}") - without:
                    flags.setdefault(code, np.zeros(len(column.dictionary.texts), dtype=bool))[start + index] = True
    return flags


def _touches(character: str) -> bool:
    """Return whether what stands beside it can be one word or number with this character."""
    return character.isascii() and (character.isalnum() or character in _JOINING) and character != ""


def _codes_in(text: str) -> set[str]:
    codes = {code for code, need in _NEEDS.items() if need.search(text) and _PATTERNS[code].search(text)}
    if not text.isascii() and max(text) > _LAST_OF_BASIC_PLANE:
        codes.add("outside_bmp")
    if _MARKETING.search(text) or _DISCOUNT.search(text):
        codes.add("marketing")
    if "回" in text and _OPT_OUT.search(text):
        codes.add("opt_out")
    return codes


def _warning(code: str, rows: int, value: str = "") -> PlanWarning:
    messages = Text("{count:,} message", "{count:,} messages", count=rows)
    return PlanWarning(rows, Text(_WORDS[code], code=code, messages=messages, units=LONG_UNITS, value=value))
