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
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers, PathName, Phones, Table
from masanalytics.phones import REASONS
from masanalytics.planning.encoded_text import EncodedText, RowTexts
from masanalytics.planning.number_lists import SuppressionList, allowed_numbers, suppression_list

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["ExclusionRules", "Exclusions", "exclude", "variants_of"]

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
    suppress: Phones | Table | PathName | None
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
    suppression : SuppressionList or None
        The do-not-send list that was given, as it was read.
    """

    reasons: npt.NDArray[np.int8]
    variants: Numbers | None
    round: int
    suppression: SuppressionList | None


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
    store, round_number, suppression = rules.store, 0, None
    suppressed, not_allowed, opted_out, already_sent = np.zeros((4, len(numbers)), dtype=bool)
    numbered = np.flatnonzero(reasons < 0)
    whole = numbered[row_texts.problems[numbered] < 0]
    variants = variants_of(row_texts.texts, whole, row_texts.template_id) if rules.each else None
    if rules.suppress is not None:
        suppression = suppression_list(rules.suppress)
        suppressed = np.isin(numbers, suppression.numbers)
    if rules.allow_only is not None:
        not_allowed = ~np.isin(numbers, allowed_numbers(rules.allow_only, rules.phone))
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
    return Exclusions(reasons, variants, round_number, suppression)


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
