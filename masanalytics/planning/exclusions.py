"""Which rows are left out, and why: one reason a row, in a fixed order.

1. the number: ``empty_number``, ``invalid_number``, ``lossy_scientific``, ``two_numbers``, ``landline``, ``foreign``
2. the person: ``opted_out``, then ``suppressed``, then ``not_allowed``
3. the text: ``missing_value`` or ``empty_content``, ``invalid_content``; then ``missing_key``
4. ``duplicate``: of the rows of one number (and one key, where there is one) that are left by then the first is kept, so that
   nobody is lost because an earlier row of theirs could not be written
5. ``already_sent``: this round of the campaign has gone, or may have gone, to the number
6. ``over_cap``: the person has had as many messages as the cap allows, of all campaigns; rows above count too
7. ``held_elsewhere``: the person is in a silent arm of another campaign meanwhile (transactional plans do not ask); then
   ``held_out``: in a silent arm of this round. Last, so that who is in a silent arm would else have got the message
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Booleans, Numbers, PathName, Phones, Table
from masanalytics.phones import REASONS
from masanalytics.planning.contact_caps import CappedRows, CapRule, capped_rows
from masanalytics.planning.encoded_text import RowTexts
from masanalytics.planning.number_lists import SuppressionList, allowed_numbers, suppression_list
from masanalytics.text import plain_name

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["ExclusionRules", "Exclusions", "exclude", "plain_names"]

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
    suppress, allow_only : DataFrame, Series, iterable of numbers, or None
        Numbers that must not get it, and the only ones that may.
    round : str
        Which repetition of the campaign this is, by its name; empty for the first.
    key : str or None
        The column that tells several messages to one number apart.
    capping : CapRule
        How often somebody may be written to.
    silent : ndarray of bool, optional
        Which rows are in a silent arm.
    """

    campaign: str
    phone: Hashable
    store: Store | None
    suppress: Phones | Table | PathName | None
    allow_only: Phones | None
    round: str = ""
    key: str | None = None
    capping: CapRule = field(default_factory=CapRule)
    silent: Booleans | None = None


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Why rows are left out, and what was learned on the way.

    Attributes
    ----------
    reasons : ndarray of int8
        For each row a position in `masanalytics.phones.REASONS`; -1 where it is planned.
    suppression : SuppressionList or None
        The do-not-send list that was given, as it was read.
    near : (str or None, str or None)
        A known campaign, and a known round of this one, whose name is nearly the same.
    capped : CappedRows
        The rows over the cap.
    new_store : str
        The store's path, where nothing had been in it before; else empty.
    """

    reasons: npt.NDArray[np.int8]
    suppression: SuppressionList | None
    near: tuple[str | None, str | None]
    capped: CappedRows
    new_store: str = ""


@dataclass(slots=True)
class _Known:
    """What a store knows of the rows' people and of the round."""

    opted_out: Booleans
    already_sent: Booleans
    held_out: Booleans
    held_elsewhere: Booleans
    near: tuple[str | None, str | None] = (None, None)
    new_store: str = ""

    @classmethod
    def of_nobody(cls, size: int) -> _Known:
        return cls(*np.zeros((4, size), dtype=bool))

    def ask(
        self,
        store: Store,
        rules: ExclusionRules,
        numbers: Numbers,
        rows_of: tuple[Numbers, Numbers],
        keys: npt.NDArray[np.object_] | None,
    ) -> None:
        """Ask for the rows that have a number, and for those that have a text and a key too."""
        numbered, whole = rows_of
        now, sends = store.clock.now(), store.sends
        self.new_store = str(store.path) if store.is_new and sends.is_empty else ""
        self.near = sends.check_round(rules.campaign, rules.round, rules.key)
        for start in range(0, len(numbered), _CHUNK):
            rows = numbered[start : start + _CHUNK]
            self.opted_out[rows] = sends.opted_out(list(map(str, numbers[rows].tolist())))
        for start in range(0, len(whole), _CHUNK):
            rows = whole[start : start + _CHUNK]
            phones = list(map(str, numbers[rows].tolist()))
            own_keys = None if keys is None else keys[rows].tolist()
            self.already_sent[rows] = sends.already_sent(rules.campaign, rules.round, phones, own_keys)
            held = sends.held_out(rules.campaign, rules.round, phones, now)
            self.held_out[rows] = held.here
            self.held_elsewhere[rows] = held.elsewhere & (not rules.capping.is_transactional)


def exclude(
    numbers: Numbers,
    reasons: npt.NDArray[np.int8],
    row_texts: RowTexts,
    keys: npt.NDArray[np.object_] | None,
    rules: ExclusionRules,
    people: npt.NDArray[np.object_] | None = None,
) -> Exclusions:
    """Say why rows are left out: of each the first reason that holds, in the order stated above.

    Parameters
    ----------
    numbers : ndarray of int64
        The number of each row, 0 where it has none.
    reasons : ndarray of int8
        Why it has none, as a position in `masanalytics.phones.REASONS`; -1 where it has one. Filled on.
    row_texts : RowTexts
        What each row says, and why it cannot be written.
    keys : ndarray of object or None
        The key of each row, None where its cell is blank; None where a number gets one message.
    rules : ExclusionRules
        Who else is left out.
    people : ndarray of object, optional
        Who each row is for, None where its cell is blank; by default each number is somebody of their own.
    """
    suppression, known = None, _Known.of_nobody(len(numbers))
    suppressed, not_allowed = np.zeros((2, len(numbers)), dtype=bool)
    numbered = np.flatnonzero(reasons < 0)
    without_key = np.zeros(len(numbers), dtype=bool) if keys is None else np.asarray(pd.isna(keys), dtype=bool)
    whole = numbered[(row_texts.problems[numbered] < 0) & ~without_key[numbered]]
    if rules.suppress is not None:
        suppression = suppression_list(rules.suppress)
        suppressed = np.isin(numbers, suppression.numbers)
    if rules.allow_only is not None:
        not_allowed = ~np.isin(numbers, allowed_numbers(rules.allow_only, rules.phone))
    if rules.store is not None:
        known.ask(rules.store, rules, numbers, (numbered, whole), keys)
    if rules.silent is not None:
        known.held_out |= rules.silent
    for reason, holds in (("opted_out", known.opted_out), ("suppressed", suppressed), ("not_allowed", not_allowed)):
        reasons[(reasons < 0) & holds] = REASONS.index(reason)
    np.copyto(reasons, row_texts.problems, where=reasons < 0)
    reasons[(reasons < 0) & without_key] = REASONS.index("missing_key")
    rows = np.flatnonzero(reasons < 0)
    identity = {"number": numbers[rows]} if keys is None else {"number": numbers[rows], "key": keys[rows]}
    reasons[rows[pd.DataFrame(identity).duplicated().to_numpy()]] = REASONS.index("duplicate")
    reasons[(reasons < 0) & known.already_sent] = REASONS.index("already_sent")
    capped = capped_rows(numbers, reasons < 0, people, rules.capping, rules.store)
    reasons[capped.rows] = REASONS.index("over_cap")
    for reason, holds in (("held_elsewhere", known.held_elsewhere), ("held_out", known.held_out)):
        reasons[(reasons < 0) & holds] = REASONS.index(reason)
    return Exclusions(reasons, suppression, known.near, capped, known.new_store)


def plain_names(cells: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    r"""Return the names in a column (arms, keys) as they are kept, None where a cell is blank; each distinct one is looked at once.

    Examples
    --------
    >>> plain_names(np.array(["A-1", " A-1\u200b", "", None], dtype=object)).tolist()
    ['A-1', 'A-1', None, None]
    """
    codes, values = pd.factorize(cells)
    table = np.empty(len(values) + 1, dtype=object)
    table[: len(values)] = [plain_name(value) or None for value in values]
    return np.asarray(table[codes])
