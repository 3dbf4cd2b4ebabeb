"""Which rows are left out, and why: one reason a row, in a fixed order.

1. the number: ``empty_number``, ``invalid_number``, ``lossy_scientific``, ``two_numbers``, ``landline``, ``foreign``
2. the person: ``opted_out``, then ``suppressed``, then ``not_allowed``
3. the text: ``missing_value`` or ``empty_content``, ``invalid_content``
4. ``duplicate``: of the rows of one number that are left by then the first is kept, so that nobody is lost because an earlier
   row of theirs could not be written
5. ``already_sent``: this round of the campaign has gone, or may have gone, to the number
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers, Phones, Table
from masanalytics.errors import InputError
from masanalytics.phones import REASONS, parse_phones
from masanalytics.planning.encoded_text import EncodedText, RowTexts

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["ExclusionRules", "Exclusions", "exclude", "listed_numbers", "variants_of"]

_CHUNK: Final = 100_000


@dataclass(frozen=True, slots=True)
class ExclusionRules:
    """Who is left out besides those without a number or a text.

    Attributes
    ----------
    campaign : str
        Under this name a number gets a message at most once.
    phone : hashable
        What the column of numbers is called, in the frame and perhaps in lists too.
    store : Store or None
        Knows who has opted out and what the campaign has sent.
    again : bool
        Whether another round of the campaign begins.
    suppress, allow_only : DataFrame, Series, iterable of numbers, or None
        Numbers that must not get it, and the only ones that may.
    each : bool
        Whether a number gets every different text, not only its first.
    """

    campaign: str
    phone: Hashable
    store: Store | None
    again: bool
    suppress: Phones | Table | None
    allow_only: Phones | None
    each: bool


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Why rows are left out, and what was learned on the way.

    Attributes
    ----------
    reasons : ndarray of int8
        For each row a position in `masanalytics.phones.REASONS`; -1 where it is planned.
    variants : ndarray of int64 or None
        What tells several texts to one number apart, where a number gets each.
    round : int
        Which round of the campaign this is, from 0.
    unreadable : int
        Entries of the suppression list that are no mobile numbers.
    """

    reasons: npt.NDArray[np.int8]
    variants: Numbers | None
    round: int
    unreadable: int


def exclude(numbers: Numbers, reasons: npt.NDArray[np.int8], row_texts: RowTexts, rules: ExclusionRules) -> Exclusions:
    """Say why rows are left out: of each the first reason that holds, in the order stated above.

    Parameters
    ----------
    numbers : ndarray of int64
        The number of each row, 0 where it has none.
    reasons : ndarray of int8
        Why it has none, as a position in `masanalytics.phones.REASONS`; -1 where it has one. Filled on.
    row_texts : RowTexts
        What each row says, and why it cannot be written.
    rules : ExclusionRules
        Who else is left out.
    """
    store, round_number, unreadable = rules.store, 0, 0
    suppressed, not_allowed, opted_out, already_sent = np.zeros((4, len(numbers)), dtype=bool)
    numbered = np.flatnonzero(reasons < 0)
    whole = numbered[row_texts.problems[numbered] < 0]
    variants = variants_of(row_texts.texts, whole, row_texts.template_id) if rules.each else None
    if rules.suppress is not None:
        listed, unreadable = listed_numbers(rules.suppress, rules.phone)
        suppressed = np.isin(numbers, listed)
    if rules.allow_only is not None:
        not_allowed = ~np.isin(numbers, listed_numbers(rules.allow_only, rules.phone)[0])
    if store is not None:
        round_number = int(store.sends.open_round(rules.campaign, rules.again))
        for start in range(0, len(numbered), _CHUNK):
            rows = numbered[start : start + _CHUNK]
            opted_out[rows] = store.sends.opted_out(list(map(str, numbers[rows].tolist())))
        for start in range(0, len(whole), _CHUNK):
            rows = whole[start : start + _CHUNK]
            which = np.zeros(len(rows), dtype=np.int64) if variants is None else variants[rows]
            phones = list(map(str, numbers[rows].tolist()))
            already_sent[rows] = store.sends.already_sent(rules.campaign, round_number, phones, which)
    for reason, holds in (("opted_out", opted_out), ("suppressed", suppressed), ("not_allowed", not_allowed)):
        reasons[(reasons < 0) & holds] = REASONS.index(reason)
    np.copyto(reasons, row_texts.problems, where=reasons < 0)
    rows = np.flatnonzero(reasons < 0)
    keys = {"number": numbers[rows]} if variants is None else {"number": numbers[rows], "variant": variants[rows]}
    reasons[rows[pd.DataFrame(keys).duplicated().to_numpy()]] = REASONS.index("duplicate")
    reasons[(reasons < 0) & already_sent] = REASONS.index("already_sent")
    return Exclusions(reasons, variants, round_number, unreadable)


def listed_numbers(numbers: Phones | Table, phone: Hashable) -> tuple[Numbers, int]:
    """Return the numbers of a list that was given by the user, and how many entries of it are no numbers.

    Parameters
    ----------
    numbers : DataFrame, Series, or iterable
        A frame has them in the column `phone`, or ``phone``, or its only one.
    phone : hashable
        What the plan's own phone column is called.

    Examples
    --------
    >>> numbers, unreadable = listed_numbers(["+86 138 0013 8000", "10086"], "手机号")
    >>> numbers.tolist(), unreadable
    ([13800138000], 1)
    """
    if isinstance(numbers, (str, bytes)):
        raise InputError("a list of numbers is needed, not one text")
    if not isinstance(numbers, Iterable):
        raise InputError(
            "a list of numbers is needed (a DataFrame, a Series or a list), this is one {kind}",
            kind=type(numbers).__name__,
        )
    if hasattr(numbers, "to_pandas"):  # polars
        numbers = numbers.to_pandas()
    if isinstance(numbers, pd.DataFrame):
        numbers = _column_of_numbers(numbers, phone)
    column = (
        numbers if isinstance(numbers, pd.Series) else pd.Series(list(cast("Iterable[object]", numbers)), dtype=object)
    )
    parsed, reasons = parse_phones(column)
    blank = REASONS.index("empty_number")
    return np.unique(parsed[parsed > 0]), int(((reasons >= 0) & (reasons != blank)).sum())


def _column_of_numbers(frame: pd.DataFrame, phone: Hashable) -> pd.Series[Any]:
    names = [name for name in (phone, "phone") if name in frame.columns]
    if not names and frame.shape[1] == 1:
        names = [frame.columns[0]]
    if not names:
        raise InputError(
            "which column of the list has the numbers? Name it {phone} or 'phone'; its columns are: {columns}",
            phone=repr(phone),
            columns=", ".join(map(repr, frame.columns)),
        )
    column: pd.Series[Any] = frame[names[0]]
    return column


def variants_of(texts: EncodedText, rows: Numbers, template_id: str | None) -> Numbers:
    """Return a stable 63-bit number for the text of each of `rows` (0 for all other rows): equal texts, equal numbers.

    Parameters
    ----------
    texts : EncodedText
        The text, or the parameters, of every row.
    rows : ndarray of int64
        Those whose text is whole.
    template_id : str, optional
        The template that the parameters are for.
    """
    variants = np.zeros(texts.size, dtype=np.int64)
    front = "" if template_id is None else f"{template_id}\n"
    for start, chunk in texts.take(rows).rendered():
        hashes = [hashlib.blake2b(f"{front}{text}".encode(), digest_size=8).digest() for text in chunk]
        values = np.frombuffer(b"".join(hashes), dtype=">u8") >> np.uint64(1)
        # 0 is what a number has that gets one message only.
        variants[rows[start : start + len(chunk)]] = np.maximum(values.astype(np.int64), 1)
    return variants
