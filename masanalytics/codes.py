"""What the codes in state reports, and the platform's words for a request, mean, and what to do about them.

The catalogue is shipped as data (``masanalytics/data``): about 700 codes and code families gathered from public documents;
the words for a request stand in `masanalytics.rspcods`. Vendors differ; where they do, the meaning says so, the platform's own
word first. A bare number is a code of China Unicom's protocol (SGIP) and means
something else, or nothing, at the other carriers.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from masanalytics.formatting import card, duration, plain_card
from masanalytics.i18n import N_, Language, Text, _, resolve_language, speaks, use_language
from masanalytics.near_names import named_arguments
from masanalytics.rspcods import RSPCODS
from masanalytics.text import BLANK_WORDS, fold
from masanalytics.vocabulary import categories, category_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CodeDescription", "catalogue_version", "category_name", "category_of", "code_catalogue", "describe_code"]

_BARE_NUMBER = re.compile(r"-?\d+")
_MISSING = frozenset(word.upper() for word in BLANK_WORDS)
_NO_CODE = N_("The report carried no code")
_NOT_LISTED = N_("Not in the catalogue")
_NO_ADVICE = N_(
    "Keep the code; look the batch up in 云MAS 报表/统计报表/话单查询, or ask the carrier with msgGroup, number and time."
)
_UNICOM: Final = "China Unicom"
_UNICOM_ONLY = N_(
    'China Unicom knows a code of this number: say carrier="China Unicom" (--carrier) if it was sent there.'
)
_WITHOUT_CODE = N_("no code")
_NETWORKS = {
    "cmpp": N_("China Mobile's gateway (CMPP)"),
    "sgip": N_("China Unicom's gateway (SGIP)"),
    "smgp": N_("China Telecom's gateway (SMGP)"),
    "platform": N_("the platform"),
}
_ACTIONS = {
    "remove": N_("leave the number out"),
    "retry_later": N_("send again later: it may pass by itself"),
    "change_text": N_("change the text or the request"),
    "ask_carrier": N_("ask the carrier or the account manager"),
    "check_account": N_("put account, signature or service code right"),
    "respect_wish": N_("do not write to this person"),
}
_MATCHES = {"exact": N_("this very code"), "prefix": N_("by its family")}


@dataclass(frozen=True, repr=False)
class CodeDescription:
    """What is known of one code. Shows itself as a card in a notebook, as lines of text elsewhere.

    Attributes
    ----------
    code : str
        The code asked for, as it was given (surrounding spaces removed); empty for a missing one.
    known : bool
        Whether the catalogue has an entry for it, itself or its family. An entry can say that no meaning was published.
    match : {"exact", "prefix", "unknown"}
        How the entry was found: the code itself, the longest family it belongs to, or not at all.
    category : str
        One of the catalogue's categories, such as ``"blacklist"``; ``"unknown"`` where nothing is known.
    meaning, advice : str
        What it means and what to do about it, in the language asked for.
    source : str
        Where the meaning was published.
    network : str
        Whose code it is: ``cmpp`` (China Mobile), ``sgip`` (Unicom), ``smgp`` (Telecom), ``platform``; empty if unknown.
    action : str
        What is to be done: ``remove`` (the number), ``retry_later``, ``change_text``, ``ask_carrier``, ``check_account``,
        ``respect_wish``, or empty for nothing.
    retry_after : int or None
        After how many seconds it is worth another try, where that is what is to be done.
    language : {"en", "zh"}
        The language it speaks.
    """

    code: str
    known: bool
    match: Literal["exact", "prefix", "unknown"]
    category: str
    meaning: str
    advice: str
    source: str
    network: str
    action: str = field(default="ask_carrier", compare=False)
    retry_after: int | None = field(default=None, compare=False)
    language: Language = field(default="en", compare=False)

    def text(self) -> str:
        """Return what is known as a few lines for people.

        Examples
        --------
        >>> describe_code("mk:9999", language="en").text().splitlines()[:2]
        ['mk:9999: SMSC final state UNDELIV', '  category: Empty, suspended or off']
        """
        return plain_card(*self._shown())

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return card(*self._shown())

    def _shown(self) -> tuple[str, dict[str, object], list[str]]:
        """Return heading, figures and notes, in the language that `meaning` and `advice` were asked for in."""
        with use_language(self.language):
            figures: dict[str, object] = {}
            if self.known:
                network = _NETWORKS.get(self.network)
                figures[_("category")] = category_name(self.category)
                figures[_("whose code")] = _(network) if network else self.network
                figures[_("found")] = _(_MATCHES[self.match])
                if self.action:
                    figures[_("to be done")] = _(_ACTIONS[self.action])
                if self.retry_after is not None:
                    figures[_("again after")] = duration(self.retry_after)
            title = _("{code}: {meaning}", code=self.code or _(_WITHOUT_CODE), meaning=self.meaning)
            source = _("Source: {source}", source=self.source) if self.source else ""
            return title, figures, [self.advice, source]


class _Entry(NamedTuple):
    code: str
    match: Literal["exact", "prefix"]
    network: str
    category: str
    meaning: dict[Language, str]
    advice: dict[Language, str]
    source: str
    own_action: str = ""

    @property
    def action(self) -> str:
        return self.own_action or categories()[self.category]["action"]

    @property
    def retry_after(self) -> int | None:
        """Seconds, where another try is what is to be done."""
        seconds = categories()[self.category]["retry_after"]
        return int(seconds) if seconds and self.action == "retry_later" else None


class _Catalogue(NamedTuple):
    entries: tuple[_Entry, ...]
    exact: dict[str, _Entry]
    prefixes: dict[str, _Entry]
    longest_prefix: int


@named_arguments
@speaks
def describe_code(code: object, *, carrier: str | None = None, language: str | None = None) -> CodeDescription:
    """Say what a code of a state report, or a rspcod, means: the exact code, else its longest family, else unknown.

    Parameters
    ----------
    code : object
        The code as the report gives it. Case, spaces and full-width signs do not matter; a missing value (None, NaN,
        empty) is described as unknown.
    carrier : str, optional
        The recipient's carrier as frames name it. Bare numbers are read only for ``"China Unicom"``.
    language : {"en", "zh"}, optional
        Of `meaning` and `advice`; by default the user's own.

    Returns
    -------
    CodeDescription

    Examples
    --------
    >>> blocked = describe_code("db:0141", language="en")
    >>> blocked.match, blocked.category
    ('exact', 'blacklist')
    >>> describe_code("MK:9999", language="zh").meaning
    '短信中心状态为 UNDELIV'
    >>> describe_code("CM:2007", language="zh").meaning
    '云MAS 回执中出现（reportStatus 与 errorCode 均为此码），平台自己的码表中没有，官方未公开含义'
    >>> describe_code("1", carrier="China Unicom").known, describe_code("1").known
    (True, False)
    """
    text = _as_text(code)
    key = _fold(text)
    spoken = resolve_language()
    if key in _MISSING or (entry := _find(key, carrier)) is None:
        code, meaning = ("", _NO_CODE) if key in _MISSING else (text, _NOT_LISTED)
        advice = _UNICOM_ONLY if code and carrier is None and _find(key, _UNICOM) is not None else _NO_ADVICE
        return CodeDescription(code, False, "unknown", "unknown", _(meaning), _(advice), "", "", language=spoken)
    return CodeDescription(
        text,
        True,
        entry.match,
        entry.category,
        entry.meaning[spoken],
        entry.advice[spoken],
        entry.source,
        entry.network,
        entry.action,
        entry.retry_after,
        spoken,
    )


def category_of(code: object, carrier: str | None = None) -> str:
    """Return the category of a code, ``"unknown"`` where there is none.

    Examples
    --------
    >>> category_of("DELIVRD"), category_of("MN:0090"), category_of(None)
    ('delivered', 'unreachable', 'unknown')
    """
    key = _fold(_as_text(code))
    entry = None if key in _MISSING else _find(key, carrier)
    return "unknown" if entry is None else entry.category


@speaks
def code_catalogue(language: str | None = None) -> pd.DataFrame:
    """Return the whole catalogue, one row a code or family, in the order of its file.

    Returns
    -------
    DataFrame
        Columns: ``code, match`` (``exact`` or ``prefix``), ``network, category, category_name, action, retry_after`` (Int64:
        seconds, where the action is ``retry_later``), ``meaning, advice, source``; the others are text.

    Examples
    --------
    >>> table = code_catalogue("en")
    >>> table.loc[table["code"] == "DELIVRD", ["category", "meaning"]].values.tolist()
    [['delivered', 'Delivered to the handset']]
    """
    import pandas as pd

    spoken = resolve_language()
    rows = [
        {
            "code": entry.code,
            "match": entry.match,
            "network": entry.network,
            "category": entry.category,
            "category_name": category_name(entry.category),
            "action": entry.action,
            "retry_after": pd.NA if entry.retry_after is None else entry.retry_after,
            "meaning": entry.meaning[spoken],
            "advice": entry.advice[spoken],
            "source": entry.source,
        }
        for entry in _catalogue().entries
    ]
    table = pd.DataFrame(rows)
    return table.astype({name: "Int64" if name == "retry_after" else "str" for name in table})


def _find(key: str, carrier: str | None) -> _Entry | None:
    catalogue = _catalogue()
    entry = catalogue.exact.get(key)
    if entry is not None:
        unicom = (carrier or "").strip() == "China Unicom"
        return None if entry.network == "sgip" and _BARE_NUMBER.fullmatch(key) and not unicom else entry
    for length in range(min(len(key), catalogue.longest_prefix), 0, -1):
        family = catalogue.prefixes.get(key[:length])
        if family is not None:
            return family
    return None


def _as_text(code: object) -> str:
    if code is None:
        return ""
    if isinstance(code, float) and code.is_integer():  # a column of numbers with gaps turns 8 into 8.0
        code = int(code)
    return str(code).strip()


def _fold(text: str) -> str:
    return "".join(fold(text).split()).upper()


@cache
def catalogue_version() -> int:
    """Return a number that is another where the catalogue is: by it a file knows whether what it keeps of codes is as of today.

    Below 2³¹, as SQLite keeps such a number. It is of the words that the catalogue is made of, so that it is not read for it.
    """
    words = [(code, known.category, known.meaning) for code, known in RSPCODS.items()]
    return zlib.crc32(repr([_text_of("error_codes.csv"), words, _NOT_LISTED]).encode()) >> 1


@cache
def _catalogue() -> _Catalogue:
    advices = {row["advice_en"]: row for row in _rows("code_advice.csv")}
    entries = (*(_entry(row, advices) for row in _rows("error_codes.csv")), *map(_word, RSPCODS))
    exact: dict[str, _Entry] = {}
    prefixes: dict[str, _Entry] = {}
    for entry in entries:
        # Two spellings that fold to one key differ only in wording: the first stays.
        (prefixes if entry.match == "prefix" else exact).setdefault(_fold(entry.code), entry)
    return _Catalogue(entries, exact, prefixes, max(map(len, prefixes)))


def _entry(row: dict[str, str], advices: dict[str, dict[str, str]]) -> _Entry:
    advice = row["advice_en"]
    known = advices.get(advice, {})
    return _Entry(
        code=row["code_or_prefix"],
        match="prefix" if row["match"] == "prefix" else "exact",
        network=row["network"],
        category=row["category"],
        meaning={"en": row["meaning_en"], "zh": row["meaning_zh"]},
        advice={"en": advice, "zh": known.get("advice_zh", advice)},
        source=row["source"],
        own_action=known.get("action", ""),
    )


def _word(rspcod: str) -> _Entry:
    """Return the entry of a word for a request."""
    known = RSPCODS[rspcod]
    meaning, advice = Text(known.meaning), Text(known.advice)
    return _Entry(
        code=rspcod,
        match="exact",
        network="platform",
        category=known.category,
        meaning={"en": meaning.text("en"), "zh": meaning.text("zh")},
        advice={"en": advice.text("en"), "zh": advice.text("zh")},
        source=known.source,
    )


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text_of(name), newline="")))


def _text_of(name: str) -> str:
    return resources.files("masanalytics").joinpath("data", name).read_text(encoding="utf-8-sig")
