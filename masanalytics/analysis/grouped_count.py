"""From any source of messages to the counted table every statistic is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Messages, Numbers
from masanalytics.analysis.dimensions import (
    BEYOND,
    DAY_S,
    HIDDEN,
    MATURED,
    WINDOW,
    YOUNG,
    is_derived,
    late_after,
    present,
    time_part,
)
from masanalytics.analysis.filter_checks import narrowed
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.known_holes import hole_room
from masanalytics.analysis.sources import as_source
from masanalytics.analysis.sources.base import MessageSource, RawCounts, Seconds
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.i18n import Text
from masanalytics.vocabulary import ACCEPTED, MESSAGE_COLUMNS, UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Counts", "Question", "count_messages", "group_rows", "messages_with"]

_ROW = "#row"
_DAY_BUCKET = f"time/{DAY_S}"


_ENOUGH_TIMES: Final = 20
_MINUTES_SHARE: Final = 0.95


@dataclass(frozen=True)
class Question:
    """What is asked: dimensions, filters, and whether seconds matter.

    Attributes
    ----------
    by : list of str
        The dimensions of the result.
    also : list of str
        Dimensions counted beside them, such as a stratum or the error code; left out where the source has none.
    where : Filters
        Which messages.
    seconds : {"outcome", "waited", "waited_hours"}, optional
        Which seconds are counted: see `masanalytics.analysis.sources.RawCounts`.
    """

    by: Sequence[str] = ()
    also: Sequence[str] = ()
    where: Filters = field(default_factory=Filters)
    seconds: Seconds | None = "outcome"


@dataclass(frozen=True)
class Counts:
    """The counted table: one row a distinct combination of dimensions, status and seconds.

    Attributes
    ----------
    keys : DataFrame
        The dimensions of the rows.
    status : array of int
        As `masanalytics.vocabulary.Status`.
    seconds : array of float
        Latency of delivered and failed, waiting time of pending; NaN where unknown.
    n : array of int
        How many messages.
    by : list of str
        The dimensions of the result: columns of `keys`.
    room : tuple of int
        How many reports answers known to be missing can hold, and how many single records were set aside.
    """

    keys: pd.DataFrame
    status: Numbers
    seconds: Figures
    n: Numbers
    by: list[str]
    room: tuple[int, int] = (0, 0)

    @cached_property
    def _grouped(self) -> tuple[Numbers, pd.DataFrame]:
        return group_rows(self.keys[self.by]) if self.by else _one_group(self.keys)

    @property
    def group(self) -> Numbers:
        """Each row's group: its number in `groups`."""
        return self._grouped[0]

    @property
    def groups(self) -> pd.DataFrame:
        """One row a group, its dimensions, in the order of the result."""
        return self._grouped[1]

    def tally(self, chosen: Booleans) -> Numbers:
        """Return, group by group, how many messages the `chosen` rows hold."""
        counted = np.bincount(self.group[chosen], weights=self.n[chosen], minlength=len(self.groups))
        return np.rint(counted).astype(np.int64)

    def taken(self, chosen: Booleans) -> Counts:
        """Return the `chosen` rows only (groups without any are gone)."""
        keys = self.keys[chosen].reset_index(drop=True)
        return Counts(keys, self.status[chosen], self.seconds[chosen], self.n[chosen], self.by, self.room)

    def regrouped(self, by: Sequence[str]) -> Counts:
        """Return the same rows, grouped by other dimensions."""
        return Counts(self.keys, self.status, self.seconds, self.n, list(by), self.room)

    def grouped_as(self, group: Numbers, groups: pd.DataFrame) -> Counts:
        """Return the same rows with these groups, such as those of a table of which they are a part."""
        other = self.regrouped(self.by)
        other.__dict__["_grouped"] = (group, groups)
        return other

    @cached_property
    def window(self) -> Numbers:
        """How far each row's messages have been observed: see `masanalytics.analysis.dimensions`."""
        if WINDOW not in self.keys.columns:
            return np.full(len(self.n), YOUNG)
        return self.keys[WINDOW].to_numpy(dtype=np.int64, na_value=YOUNG)

    def matured(self) -> Booleans:
        """Return which rows have 72 h of coverage behind them."""
        return np.asarray(self.window == MATURED, dtype=bool)

    def observed(self) -> tuple[Numbers, Figures]:
        """Return status and seconds as far as coverage reaches: who was reported later was still open at its end."""
        beyond = (self.window >= BEYOND) & (self.status != Status.pending) & self.accepted()
        status = np.where(beyond, int(Status.pending), self.status)
        return status, np.where(beyond, (self.window - BEYOND).astype(float), self.seconds)

    def hidden(self) -> Booleans:
        """Return which rows are pending after 72 h only because an answer is known to be missing."""
        return np.asarray((self.window == HIDDEN) & (self.status == Status.pending), dtype=bool)

    def has_minutes_only(self) -> bool:
        """Return whether the times of some delivered messages have no seconds: see `minute_rows`."""
        return bool((self.minute_rows() & (self.status == Status.delivered) & ~np.isnan(self.seconds)).any())

    def minute_rows(self) -> Booleans:
        """Return which rows are of an account whose reports carry no seconds, as far as its latencies tell.

        Where both times of a report are cut to the minute, every latency is a multiple of 60; by chance one in sixty is. The
        messages of failures are left out: the platform's own have seconds where the carriers' have none. Without an account
        among the dimensions all rows are of one.
        """
        import pandas as pd

        has_account = "account" in self.keys.columns
        account = pd.factorize(self.keys["account"])[0] + 1 if has_account else np.zeros(len(self.n), dtype=np.int64)
        known = (self.status == Status.delivered) & ~np.isnan(self.seconds)
        whole = known & (self.seconds % 60 == 0)
        size = int(account.max(initial=0)) + 1
        total, in_minutes = (
            np.bincount(account[rows], weights=self.n[rows], minlength=size) for rows in (known, whole)
        )
        told: Booleans = (total >= _ENOUGH_TIMES) & (in_minutes >= _MINUTES_SHARE * total)
        return told[account]

    def accepted(self) -> Booleans:
        """Return which rows the platform accepted."""
        accepted: Booleans = np.isin(self.status, [Status[name] for name in ACCEPTED])
        return accepted

    def without_status_notes(self) -> list[Text]:
        """Return how many messages have no status, where there are any."""
        count = int(self.n[self.status < 0].sum())
        if not count:
            return []
        return [
            Text(
                "{count:,} message has no status and is in no number",
                "{count:,} messages have no status and are in no number",
                code="no_status",
                count=count,
            )
        ]

    def unreported(self) -> Booleans:
        """Return which rows are pending although every report of 72 h would have been heard."""
        unreported: Booleans = (self.status == Status.pending) & (self.seconds >= UNREPORTED_AFTER_S)
        return unreported


def count_messages(data: Messages | MessageSource, question: Question) -> tuple[Counts, MessageSource]:
    """Count the messages of `data` as `question` asks; return the table and the source it came from.

    Raises
    ------
    InputError
        If a column is missing, or `data` is not a source of messages.
    """
    source = as_source(data)
    available = list(source.message_columns())
    also = [name for name in question.also if _can_be_counted(name, available)]
    wanted = list(dict.fromkeys([*question.by, *also]))
    pushed, derived = narrowed(source, question.where)
    asked = list(dict.fromkeys([*wanted, *derived]))
    raw = RawCounts(*source.grouped_count(_source_dimensions(asked, available), where=pushed, seconds=question.seconds))
    room = hole_room(source.coverage_summary(pushed).get("holes") or ()) if WINDOW in asked else (0, 0)
    counts = Counts(_shown(raw, asked, available), raw.status, raw.seconds, raw.n, list(question.by), room)
    if derived:
        counts = counts.taken(_passing(counts.keys, derived))
    return counts, source


def _can_be_counted(name: str, available: Sequence[str]) -> bool:
    """Return whether messages of these columns have the dimension `name`."""
    if time_part(name) is not None:
        return name in available or "submitted_at" in available
    return name in available or name == WINDOW or late_after(name) is not None


def messages_with(messages: pd.DataFrame, derived: Mapping[str, tuple[Any, ...]]) -> pd.DataFrame:
    """Return the messages (with ``status`` and the columns behind `derived`) that have these derived values.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({"phone": ["13800000001", "13900000001"], "status": "delivered"})
    >>> messages_with(messages, {"prefix": ("139",)})["phone"].tolist()
    ['13900000001']
    """
    if not derived:
        return messages
    # Counted by its own row number, each message gets the derived values that every other result shows.
    numbered = messages.assign(**{_ROW: range(len(messages))})
    counts, _ = count_messages(PandasMessages(numbered), Question([_ROW], (), Filters(derived), None))
    return messages.iloc[sorted(counts.keys[_ROW].tolist())].reset_index(drop=True)


def _source_dimensions(asked: Sequence[str], available: Sequence[str]) -> list[str]:
    """Return what the source is asked for: the category is derived from the error code, of numbers with the carrier."""
    if not ("category" in asked and is_derived("category", available)):
        return list(dict.fromkeys(_source_name(name, available) for name in asked))
    plain = [_source_name(name, available) for name in asked if name != "category"]
    carrier = ["carrier"] if "carrier" in available else []
    return list(dict.fromkeys([*plain, "error_code", *carrier]))


def _source_name(name: str, available: Sequence[str]) -> str:
    """Return what a source is asked for: the day is the bucket of a day, which nobody counts by twice."""
    return _DAY_BUCKET if name == "day" and not {name, _DAY_BUCKET} & set(available) else name


def _shown(raw: RawCounts, asked: Sequence[str], available: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    shown: dict[str, pd.Series] = {}
    for name in asked:
        if not is_derived(name, available):
            shown[name] = _as_in_messages(name, raw.keys[name])
        elif name == "category":
            shown[name] = _categories(raw.keys, raw.status)
        else:
            shown[name] = present(name, raw.keys[_source_name(name, available)])
    return pd.DataFrame(shown, index=raw.keys.index)


def _as_in_messages(name: str, column: pd.Series) -> pd.Series:
    """Return a column of whole numbers as messages have it, whatever its source counts with."""
    import pandas as pd

    kind = MESSAGE_COLUMNS.get(name, "")
    if kind not in ("int64", "Int64") or not pd.api.types.is_integer_dtype(column.dtype) or column.dtype == kind:
        return column
    return column.astype("Int64") if kind == "Int64" or column.isna().any() else column.astype("int64")


def _categories(raw: pd.DataFrame, status: Numbers) -> pd.Series:
    """Return the category of each row's error code: ``delivered`` for those, missing for what has no report."""
    import pandas as pd

    from masanalytics.codes import category_of

    carriers = raw["carrier"] if "carrier" in raw.columns else pd.Series([None] * len(raw), index=raw.index)
    known: dict[tuple[Any, Any], str] = {}
    category: list[str | None] = [None] * len(raw)
    failed = np.flatnonzero(status == Status.failed)
    for row, code, carrier in zip(failed, raw["error_code"].iloc[failed], carriers.iloc[failed], strict=True):
        pair = (None if pd.isna(code) else code, None if pd.isna(carrier) else carrier)
        if pair not in known:
            known[pair] = category_of(*pair)
        category[row] = known[pair]
    return pd.Series(category, index=raw.index, dtype="str").mask(status == Status.delivered, "delivered")


def _passing(keys: pd.DataFrame, derived: Mapping[str, tuple[Any, ...]]) -> Booleans:
    keep = np.ones(len(keys), dtype=bool)
    for name, options in derived.items():
        values = [option for option in options if option is not None]
        chosen = keys[name].isin(_like(keys[name], values))
        keep &= (chosen | keys[name].isna() if None in options else chosen).to_numpy(dtype=bool)
    return keep


def _like(column: pd.Series, values: list[Any]) -> list[Any]:
    import pandas as pd

    return [pd.Timestamp(value) for value in values] if pd.api.types.is_datetime64_any_dtype(column) else values


def _one_group(keys: pd.DataFrame) -> tuple[Numbers, pd.DataFrame]:
    import pandas as pd

    return np.zeros(len(keys), dtype=np.int64), pd.DataFrame(index=pd.RangeIndex(1 if len(keys) else 0))


def group_rows(keys: pd.DataFrame) -> tuple[Numbers, pd.DataFrame]:
    """Give the distinct rows of `keys` numbers in ascending order, missing values last.

    Returns
    -------
    array of int, DataFrame
        Each row's number, and the distinct rows in that order.

    Examples
    --------
    >>> import pandas as pd
    >>> number, distinct = group_rows(pd.DataFrame({"carrier": ["b", None, "a", "b"]}))
    >>> number.tolist(), distinct["carrier"].tolist()
    ([1, 2, 0, 1], ['a', 'b', nan])
    """
    import pandas as pd

    number = np.zeros(len(keys), dtype=np.int64)
    for name in keys.columns:
        codes = _ordered_codes(keys[name])
        # Renumbered column by column, so that the numbers stay below rows squared.
        _, number = np.unique(number * (codes.max(initial=0) + 1) + codes, return_inverse=True)
    first = pd.Series(number).drop_duplicates().sort_values().index
    return number.astype(np.int64), keys.iloc[first].reset_index(drop=True)


def _ordered_codes(column: pd.Series) -> Numbers:
    """Return numbers in the order of the values; values that cannot be compared are ordered by their text."""
    import pandas as pd

    if column.dtype == object:
        codes, distinct = pd.factorize(column, use_na_sentinel=True)
        order = sorted(range(len(distinct)), key=lambda i: (str(type(distinct[i])), str(distinct[i])))
        rank = np.empty(len(distinct) + 1, dtype=np.int64)
        rank[order] = np.arange(len(distinct))
        rank[-1] = len(distinct)
        return rank[codes]
    codes, distinct = pd.factorize(column, sort=True, use_na_sentinel=True)
    return np.where(codes < 0, len(distinct), codes).astype(np.int64)
