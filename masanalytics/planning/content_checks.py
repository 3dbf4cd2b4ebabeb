"""What carriers block and readers stumble over, found before sending: warnings with row counts, never refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from masanalytics.i18n import choose, counted
from masanalytics.planning.factors import Factor
from masanalytics.planning.pieces import LONG_PIECE
from masanalytics.planning.texts import Texts
from masanalytics.segments import utf16_units

__all__ = ["LONG_UNITS", "PlanWarning", "lint"]

LONG_UNITS: Final = 450
"""UTF-16 units above which a text is called long: the platform's limit is not documented, others refuse above 450 to 600."""

_AROUND: Final = 16
_JOINING: Final = "./:@_-"
_STAND_IN: Final = "一"


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something about a plan that its owner should look at; the plan can be sent all the same.

    Attributes
    ----------
    code : str
        A short, stable name: ``too_long``, ``own_signature``, ``link``, ``phone_number``, ``contact``, ``outside_bmp``,
        ``no_opt_out``, ``unfilled``, ``printed_missing``, ``signature_unknown``, ``round_numbers``,
        ``unreadable_suppression``.
    rows : int
        How many messages (or entries) it concerns.
    en, zh : str
        What it is, in English and Chinese.
    """

    code: str
    rows: int
    en: str
    zh: str

    def text(self, language: str | None = None) -> str:
        """Return the warning in ``"en"`` or ``"zh"`` (by default in the user's language)."""
        return choose(self.en, self.zh, language)

    def __str__(self) -> str:
        return self.text()


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

_MEANING: Final = {
    "own_signature": (
        "with 【 or 】 in the text: the platform puts the signature in front, and may refuse another",
        "含有【或】：平台会自动加签名，自带括号可能被拒",
    ),
    "link": (
        "with a link: China Mobile blocks links that are not registered",
        "含有链接：未报备的链接会被中国移动拦截",
    ),
    "phone_number": (
        "with a phone number: China Mobile blocks numbers that are not registered",
        "含有电话号码：未报备的号码会被中国移动拦截",
    ),
    "contact": (
        "with a QQ or WeChat contact: China Mobile blocks contacts that are not registered",
        "含有 QQ 或微信联系方式：未报备的会被中国移动拦截",
    ),
    "outside_bmp": (
        "with emoji or rare characters outside the basic plane: they count twice, and some phones show boxes",
        "含有表情或生僻字（基本平面之外）：按两个字计费，部分手机显示为方框",
    ),
    "unfilled": (
        "with a name in braces: a placeholder that was not filled?",
        "含有未替换的 {占位符}？",
    ),
    "printed_missing": (
        "with nan, NaT, None or null as text: a blank cell was printed",
        "含有 nan、NaT、None 或 null：空单元格被当作文字写进了短信",
    ),
    "too_long": (
        f"of more than {LONG_UNITS} characters with the signature: the platform's limit is not documented",
        f"连签名超过 {LONG_UNITS} 字：平台未公布字数上限，可能被拒",
    ),
    "no_opt_out": (
        "with words of marketing and none on how to opt out (拒收请回复R)",
        "像是营销短信，但没有写明退订方式（如“拒收请回复R”）",
    ),
}


def lint(texts: Texts, units: npt.NDArray[np.int64], *, marketing: bool | None = None) -> tuple[PlanWarning, ...]:
    """Return what should be looked at in the texts of a plan.

    Parameters
    ----------
    texts : Texts
        The planned messages, each whole.
    units : ndarray of int64
        UTF-16 units of each, with the signature.
    marketing : bool, optional
        Whether the texts are marketing; by default told from their words.

    Notes
    -----
    Fixed parts are looked at once and each distinct piece once, between the characters that stand around it in the text. What
    only arises where two pieces meet is not seen.
    """
    if not texts.size:
        return ()
    found = {code: np.zeros(texts.size, dtype=bool) for code in (*_PATTERNS, "outside_bmp", "marketing", "opt_out")}
    for code in _codes_in(_STAND_IN.join(texts.literals)):
        found[code][:] = True
    for place, factor in enumerate(texts.factors):
        before = _STAND_IN.join(texts.literals[: place + 1])[-_AROUND:]
        behind = _STAND_IN.join(texts.literals[place + 1 :])[:_AROUND]
        for code, flags in _flagged_pieces(factor, before, behind).items():
            found[code] |= flags[factor.codes]
    found["too_long"] = units > LONG_UNITS
    promoting = found.pop("marketing")
    if marketing is not None:
        promoting = np.full(texts.size, marketing)
    found["no_opt_out"] = promoting & ~found.pop("opt_out")
    return tuple(_warning(code, int(rows.sum())) for code, rows in found.items() if rows.any())


def _flagged_pieces(factor: Factor, before: str, behind: str) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each code which pieces bring it into the text."""
    without = _codes_in(f"{before}{_STAND_IN}{behind}") - {"marketing", "opt_out"}
    # Beside a letter or digit, or behind words such as 致电 or 微信, any piece may complete something.
    samples = _codes_in(f"{before}95598{behind}") | _codes_in(f"{before}abcdef{behind}")
    anything = bool(samples - without - {"marketing", "opt_out"}) or not (before or behind)
    anything = anything or _touches(before[-1:]) or _touches(behind[:1])
    flags: dict[str, npt.NDArray[np.bool_]] = {}
    if not anything and not factor.pieces.odd.any():
        return flags
    for start, part in factor.pieces.parts():
        odd = np.flatnonzero(factor.pieces.odd[start : start + len(part)]).tolist()
        for index in range(len(part)) if anything else odd:
            piece = part[index]
            if anything or len(piece) > LONG_PIECE or _MAYBE.search(piece):
                for code in _codes_in(f"{before}{piece}{behind}") - without:
                    flags.setdefault(code, np.zeros(len(factor.pieces), dtype=bool))[start + index] = True
    return flags


def _touches(character: str) -> bool:
    """Return whether what stands beside it can be one word or number with this character."""
    return character.isascii() and (character.isalnum() or character in _JOINING) and character != ""


def _codes_in(text: str) -> set[str]:
    codes = {code for code, need in _NEEDS.items() if need.search(text) and _PATTERNS[code].search(text)}
    if utf16_units(text) != len(text):
        codes.add("outside_bmp")
    if _MARKETING.search(text) or _DISCOUNT.search(text):
        codes.add("marketing")
    if "回" in text and _OPT_OUT.search(text):
        codes.add("opt_out")
    return codes


def _warning(code: str, rows: int) -> PlanWarning:
    english, chinese = _MEANING[code]
    return PlanWarning(code, rows, f"{counted(rows, 'message')} {english}", f"{rows:,} 条短信{chinese}")
