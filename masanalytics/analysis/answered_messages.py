"""Messages by what people did, in place of whether they arrived: a source that any question about rates can be asked of.

What succeeded is counted as ``delivered``, what did not as ``failed``, what is no part of the question as ``planned``; so a rate of
replies has the intervals, clusters, strata and ages of a delivery rate, and runs on every engine: counts travel, and of those who
answered their ``message_id``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.dimensions import late_after
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import group_rows
from masanalytics.analysis.sources.base import ColumnKind, MessageSource, RawCounts, Seconds
from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.vocabulary import ACCEPTED, NOT_KEPT, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnsweredMessages", "MarkedMessages"]

_YES: Final = frozenset(("1", "true", "yes", "y", "是", "有"))
_NO: Final = frozenset(("0", "false", "no", "n", "否", "无"))
_NOT_ASKED = int(Status.planned)


@dataclass(frozen=True)
class _OtherOutcome:
    """What such a source hands on to the messages behind it."""

    source: MessageSource

    def estimated_count(self, where: Filters) -> int:
        """Return about how many messages pass `where`."""
        return self.source.estimated_count(where)

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`."""
        return self.source.message_rows(columns, where=where)

    def message_columns(self) -> Sequence[str]:
        """Return the columns there are."""
        return self.source.message_columns()

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds."""
        return self.source.column_kind(name)

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row shows too."""
        return self.source.repeated_messages()

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return how far reports were fetched."""
        return self.source.coverage_summary(where)


@dataclass(frozen=True)
class AnsweredMessages(_OtherOutcome):
    """The delivered messages by whether they were answered; their seconds are those from submission to the first answer.

    Attributes
    ----------
    first : mapping of int to float
        message_id -> seconds to its first answer, of those answered (`first_answers`).
    """

    first: Mapping[int, float]

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count the delivered messages: answered as ``delivered``, the others as ``failed``."""
        plain = [name for name in by if late_after(name) is None]
        every = RawCounts(
            *self.source.grouped_count(plain, where=where, seconds=None if seconds == "outcome" else seconds)
        )
        if seconds in ("waited", "waited_hours"):
            status = np.where(every.status == Status.delivered, every.status, _NOT_ASKED)
            return RawCounts(_with_lateness(every.keys, by, None), status, every.seconds, every.n)
        arrived = every.status == Status.delivered
        answered = self._answered(plain, where)
        rest = _taken_away(every.keys[arrived].reset_index(drop=True), every.n[arrived], answered)
        keys = [
            _with_lateness(part.keys, by, after)
            for part, after in ((answered, answered.seconds), (rest, None))
            if len(part.n)
        ]
        joined = [np.concatenate(pair) for pair in zip(answered[1:], rest[1:], strict=True)]
        return RawCounts(_below(keys or [_with_lateness(rest.keys, by, None)]), joined[0], joined[1], joined[2])

    def _answered(self, plain: Sequence[str], where: Filters) -> RawCounts:
        """Return the delivered messages that were answered, a row each."""
        first = self.first
        counted = RawCounts(
            *self.source.grouped_count(
                list(dict.fromkeys([*plain, "message_id"])), where=where.among(list(first)), seconds=None
            )
        )
        arrived = counted.status == Status.delivered
        keys = counted.keys[arrived].reset_index(drop=True)
        after = np.array([first[one] for one in keys["message_id"].astype("int64").tolist()], dtype=float)
        return RawCounts(keys[list(plain)], counted.status[arrived], after, counted.n[arrived])


@dataclass(frozen=True)
class MarkedMessages(_OtherOutcome):
    """The accepted messages by a column that says yes or no of each.

    Attributes
    ----------
    column : str
        The column.
    """

    column: str

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count the accepted messages: those with a yes as ``delivered``, with a no as ``failed``."""
        plain = [name for name in by if late_after(name) is None]
        counted = RawCounts(
            *self.source.grouped_count(
                list(dict.fromkeys([*plain, self.column])),
                where=where,
                seconds=None if seconds == "outcome" else seconds,
            )
        )
        accepted = np.isin(counted.status, [Status[name] for name in ACCEPTED])
        is_yes, is_no = self._read(counted.keys[self.column], accepted, counted.n)
        status = np.where(is_yes, int(Status.delivered), int(Status.failed))
        status = np.where(accepted & (is_yes | is_no), status, _NOT_ASKED)
        return RawCounts(_with_lateness(counted.keys[plain], by, None), status, counted.seconds, counted.n)

    def _read(self, marks: pd.Series, accepted: Booleans, n: Numbers) -> tuple[Booleans, Booleans]:
        """Return which rows say yes and which say no.

        Raises
        ------
        InputError
            If an accepted message says neither, naming what it says; or nothing.
        """
        import pandas as pd

        codes, distinct = pd.factorize(marks, use_na_sentinel=True)
        words = [_as_word(value) for value in distinct]
        strange = {
            code for code, word in enumerate(words) if word not in _YES and word not in _NO and word != NOT_KEPT
        } & set(codes[accepted].tolist())
        if strange:
            raise InputError(
                "outcome={column!r} holds {value!r}: it must say yes or no of each message (1 and 0, True and False, 是 and 否)."
                " Amounts are compared by uplift(value=)",
                column=self.column,
                value=mask_phones_in(str(distinct[min(strange)])),
            )
        blank = accepted & (codes < 0)
        if blank.any():
            raise InputError(
                "outcome={column!r} is blank in {count:,} message: whether that is a no is not known, so write 0 or 1 in each",
                "outcome={column!r} is blank in {count:,} messages: whether that is a no is not known, so write 0 or 1 in each",
                column=self.column,
                count=int(n[blank].sum()),
            )
        is_yes, is_no = (np.array([word in wanted for word in words] + [False])[codes] for wanted in (_YES, _NO))
        return is_yes, is_no


def _as_word(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    text = str(value).strip()
    return text.casefold().removesuffix(".0") if text != NOT_KEPT else text


def _taken_away(keys: pd.DataFrame, n: Numbers, answered: RawCounts) -> RawCounts:
    """Return the messages that were not answered: all of them less those that were."""
    import pandas as pd

    number, distinct = _numbered(_below([keys, answered.keys]) if len(answered.n) else keys)
    left = np.bincount(number, weights=np.concatenate([n, -answered.n]), minlength=len(distinct))
    rows = np.flatnonzero(np.rint(left) > 0)
    count = len(rows)
    status = np.full(count, int(Status.failed), dtype=np.int64)
    kept = distinct.iloc[rows].reset_index(drop=True) if len(distinct.columns) else pd.DataFrame(index=range(count))
    return RawCounts(kept, status, np.full(count, np.nan), np.rint(left[rows]).astype(np.int64))


def _numbered(keys: pd.DataFrame) -> tuple[Numbers, pd.DataFrame]:
    if len(keys.columns):
        return group_rows(keys)
    return np.zeros(len(keys), dtype=np.int64), keys.iloc[:1]


def _with_lateness(keys: pd.DataFrame, by: Sequence[str], after: Figures | None) -> pd.DataFrame:
    """Return the dimensions `by`: whether an answer came later than asked is known of the answered only."""
    late = {name: late_after(name) for name in by}
    shown = keys.assign(
        **{
            name: 0 if after is None else np.searchsorted(ages, after)
            for name, ages in late.items()
            if ages is not None
        }
    )
    return shown[list(by)]


def _below(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(parts, ignore_index=True)
