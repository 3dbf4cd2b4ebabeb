"""The grouped count of a pandas frame: every column as small integers, packed and counted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.dimensions import (
    BEYOND,
    PREFIX_DIGITS,
    WINDOW,
    late_after,
    missing_in_messages,
    time_part,
)
from masanalytics.analysis.filter_values import options_within, spelled_options, with_plain_forms
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import (
    ColumnKind,
    RawCounts,
    Seconds,
    column_statuses,
    columns_needed,
    refuse_doubled,
)
from masanalytics.analysis.sources.ids_apart import IDS, shifts_by_account, told_apart
from masanalytics.analysis.sources.numeric_times import kind_of_numbers
from masanalytics.analysis.sources.written_numbers import HASHED, MASKED, SOME, WHOLE, other_spellings, style_of
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.own_columns import as_texts
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import PROOF, UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PandasMessages", "as_floats", "count_combinations", "epoch_seconds"]

_SECONDS_CAP = 2**62 - 2
_LARGEST_KEY = 2**62
_DENSE_ROOM = 2**20
_WIDE = 2**36
_HOUR_S = 3600
_TIME_TEXT = r"\s*\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:[T\s].*)?|\s*\d{14}\s*|\s*\d{8}\s*|\s*"


class PandasMessages:
    """A pandas frame of messages as a source."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._given = _without_dictionaries(frame)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        import narwhals as nw

        if not self._shifts:
            return self._given
        ids = nw.to_native(told_apart(nw.from_native(self._given[self._told_by]), self._shifts))
        return self._given.assign(**{name: ids[name] for name in IDS if name in ids})

    def shifts_of_accounts(self) -> Mapping[str, int]:
        """Return account -> what its ids have added; nothing where all are as they were."""
        return self._shifts

    @cached_property
    def _shifts(self) -> Mapping[str, int]:
        import narwhals as nw

        return shifts_by_account(nw.from_native(self._given[self._told_by]), nw.to_native)

    @property
    def _told_by(self) -> list[str]:
        return [name for name in ("account", *IDS) if list(self._given.columns).count(name) == 1]

    def message_columns(self) -> Sequence[str]:
        """Return the frame's columns."""
        return [str(name) for name in self._frame.columns]

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count rows by the source dimensions, status and whole seconds."""
        import pandas as pd

        need = columns_needed(by, where, seconds=seconds, available=self.message_columns())
        refuse_doubled([name for name in self.message_columns() if name in need])
        frame = self._kept(where, need)
        dimensions = [_window(frame) if name == WINDOW else factorize(self._dimension(frame, name)) for name in by]
        status, distinct = factorize(frame["status"])
        numbers = np.array(column_statuses(distinct, where), dtype=np.int64)
        status = numbers[status] + 1
        columns = [codes for codes, _ in dimensions]
        sizes = [len(values) for _, values in dimensions]
        timed, first, span = _whole(_asked_seconds(frame, status - 1, seconds), len(status))
        rows, n = count_combinations([*columns, status, timed], [*sizes, len(Status) + 1, span])
        keys = {
            name: _narrow(_plain(values).iloc[row].reset_index(drop=True))
            for name, (_, values), row in zip(by, dimensions, rows, strict=False)
        }
        # Added up as integers: far from 0, floats would lose the seconds.
        known = np.where(rows[-1] > 0, (rows[-1] - 1 + first).astype(float), np.nan)
        return RawCounts(pd.DataFrame(keys, index=pd.RangeIndex(len(n))), rows[-2] - 1, known, n)

    def estimated_count(self, where: Filters) -> int:
        """Return how many rows pass `where`."""
        need = columns_needed([], where, seconds=None, available=self.message_columns())
        return len(self._kept(where, need))

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`."""
        available = self.message_columns()
        error = missing_in_messages(columns, available)
        if error is not None:
            raise error
        need = {*columns_needed([], where, seconds=None, available=available), *columns}
        rows = self._kept(where, need)[list(columns)].reset_index(drop=True)
        return rows.assign(**{name: _plain(rows[name]) for name in columns})

    def seen_number_style(self) -> str:
        """Return how some of its numbers are hidden, where they are."""
        if "phone" not in self._frame.columns:
            return ""
        some = self._frame["phone"].dropna().head(SOME).astype("str")
        return style_of(*(int(some.str.contains(look).sum()) for look in (MASKED, HASHED, WHOLE)))

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds, where its type or its values tell."""
        import pandas as pd

        if name not in self._frame.columns:
            return None
        column = self._frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.cat.categories.to_series()
        if pd.api.types.is_bool_dtype(column.dtype):
            return "boolean"
        if pd.api.types.is_numeric_dtype(column.dtype):
            return "number"
        if pd.api.types.is_object_dtype(column.dtype):
            inferred = pd.api.types.infer_dtype(column, skipna=True)
            kinds: dict[str, ColumnKind] = {
                "string": "text",
                "integer": "number",
                "floating": "number",
                "boolean": "boolean",
            }
            return kinds.get(inferred)
        return "text" if pd.api.types.is_string_dtype(column.dtype) else None

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row shows too."""
        if "message_id" not in self._frame.columns:
            return 0
        numbers = self._frame["message_id"]
        if numbers.is_monotonic_increasing and numbers.is_unique:
            return 0
        ids = [name for name in ("account", "message_id") if name in self._frame.columns]
        return int((self._frame.duplicated(ids) & numbers.notna()).sum())

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return the end of coverage that ``submitted_at + waited_s`` tells, and what the frame's attrs say."""
        kept = self._frame.attrs.get("coverage")
        if isinstance(kept, Mapping):
            return kept
        notes = [Text.from_json(note) for note in self._frame.attrs.get("notes") or () if note["code"] == "archived"]
        nothing: dict[str, Any] = {"as_of": None, "end": {}, "gaps": [], "holes": [], "notes": notes}
        if not {"submitted_at", "waited_s"} <= set(self._frame.columns):
            return nothing
        theirs = {name: options for name, options in where.values.items() if name == "account"}
        frame = self._kept(Filters(theirs), {"submitted_at", "waited_s", *theirs}) if theirs else self._frame
        waited = as_floats(frame["waited_s"])
        ends = epoch_seconds(frame["submitted_at"]) + waited
        # What was submitted after the end of coverage has waited 0 and does not tell where that is.
        last = np.max(ends, where=(waited > 0) & np.isfinite(ends), initial=-np.inf)
        return {**nothing, "as_of": int(last)} if np.isfinite(last) else nothing

    def _as_in_column(self, name: str, options: Sequence[Any]) -> list[Any]:
        """Return values as the column has them."""
        import pandas as pd

        column = self._frame[name]
        if name == "status":
            return spelled_options(options, as_numbers=pd.api.types.is_numeric_dtype(column.dtype))
        texts = as_texts(options) if isinstance(column.dtype, pd.StringDtype) else options_within(options)
        others = _other_spellings(column, texts) if name == "phone" else []
        return [*with_plain_forms(name, texts), *others]

    def _kept(self, where: Filters, need: set[str]) -> pd.DataFrame:

        frame = self._frame[[name for name in self._frame.columns if name in need]]
        keep = np.ones(len(frame), dtype=bool)
        for name, options in where.values.items():
            column = frame[name]
            asked = self._as_in_column(name, options)
            chosen = column.isin([option for option in asked if option is not None])
            keep &= (chosen | column.isna() if None in options else chosen).to_numpy(dtype=bool)
        if where.is_without_proofs and {"campaign", "round"} <= set(frame.columns):
            of_proof = (frame["round"] == PROOF).to_numpy(dtype=bool, na_value=False)
            if of_proof.any():
                keep &= ~(
                    of_proof
                    & frame["campaign"].astype("str").str.endswith(f"({PROOF})").to_numpy(dtype=bool, na_value=False)
                )
        if where.every > 1:
            keep &= _one_in(where.every, len(frame))
        if where.since is not None:
            keep &= epoch_seconds(frame["submitted_at"]) >= where.since
        if where.until is not None:
            keep &= epoch_seconds(frame["submitted_at"]) < where.until
        if where.waited_at_least is not None:
            keep &= as_floats(frame["waited_s"]) >= where.waited_at_least
        if where.waited_in is not None:
            waited = np.floor(as_floats(frame["waited_s"]) + 0.5)
            inside = [(waited >= start) & (waited < end) for start, end in where.waited_in]
            keep &= np.any([np.zeros(len(frame), dtype=bool), *inside], axis=0)
        return frame if keep.all() else frame[keep]

    @staticmethod
    def _dimension(frame: pd.DataFrame, name: str) -> pd.Series:
        import pandas as pd

        if name in frame.columns:
            return frame[name]
        if name == "prefix":
            return frame["phone"].astype("str").str.slice(0, PREFIX_DIGITS)
        late = late_after(name)
        if late is not None:
            latency = np.floor(latencies(frame) + 0.5)
            below = np.where(np.isnan(latency), 0, np.searchsorted(late, latency))
            return pd.Series(below.astype(np.int64), index=frame.index)
        part = time_part(name)
        if part is None:  # columns_needed has already refused such a name
            raise KeyError(name)
        epoch = epoch_seconds(frame["submitted_at"])
        known = ~np.isnan(epoch)
        whole = np.where(known, epoch, 0).astype(np.int64)
        return pd.Series(pd.array(np.asarray(part.of(whole)), dtype="Int64")).where(pd.Series(known))


def _without_dictionaries(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Arrow's dictionary columns, of which pandas can neither compare nor take everything, as their values."""
    import pandas as pd

    types = {name: dtype.pyarrow_dtype for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.ArrowDtype)}
    if not types:
        return frame
    from pyarrow.types import is_dictionary

    coded = {name: kind.value_type for name, kind in types.items() if is_dictionary(kind)}
    return frame.astype({name: pd.ArrowDtype(kind) for name, kind in coded.items()}) if coded else frame


def _narrow(values: pd.Series) -> pd.Series:
    """Return whole numbers none of which is missing as such; as floats two long ones could be one."""
    return values.astype("int64") if values.dtype == "Int64" and not values.isna().any() else values


def _plain(values: pd.Series) -> pd.Series:
    """Return a column of categories by their values: the order of categories is that in which they came, unless they have one."""
    import pandas as pd

    kind: Any = values.dtype
    is_coded = isinstance(kind, pd.CategoricalDtype) and not kind.ordered
    return values.astype(kind.categories.dtype) if is_coded else values


def _other_spellings(phones: pd.Series[Any], options: Sequence[Any]) -> list[Any]:
    """Return the cells of a column of numbers that are no plain number, and are one of `options` however both are spelled."""
    import narwhals as nw
    import pandas as pd

    if pd.api.types.is_numeric_dtype(phones.dtype):
        return []
    texts = phones.dropna().astype("str")
    found = set(other_spellings(nw.from_native(texts.to_frame("phone")), options, nw.to_native))
    return [cell for cell in phones.unique() if str(cell) in found] if found else []


def _one_in(every: int, rows: int) -> Booleans:
    """Choose one row in `every`, by a hash of its position: rows in turn (carriers, campaigns) are all kept a part of."""
    mixed = np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(32)) % np.uint64(every) == 0, dtype=bool)


def _window(frame: pd.DataFrame) -> tuple[Numbers, pd.Series]:
    """Return each message's window, and all there are up to the largest."""
    import pandas as pd

    waited = as_floats(frame["waited_s"])
    window = (~(waited >= UNREPORTED_AFTER_S)).astype(np.int64)  # MATURED, YOUNG
    young = np.flatnonzero(window)
    observed, latency = (np.floor(values[young] + 0.5) for values in (waited, latencies(frame)))
    beyond = latency > observed
    window[young[beyond]] = BEYOND + np.maximum(observed[beyond], 0).astype(np.int64)
    return window, pd.Series(range(int(window.max(initial=0)) + 1))


def _asked_seconds(frame: pd.DataFrame, status: Numbers, seconds: Seconds | None) -> Figures | None:
    if seconds is None:
        return None
    if seconds == "waited":
        return as_floats(frame["waited_s"])
    if seconds == "waited_hours":
        return np.floor((np.floor(as_floats(frame["waited_s"]) + 0.5)) / _HOUR_S) * _HOUR_S
    values = np.where((status == Status.delivered) | (status == Status.failed), latencies(frame), np.nan)
    pending = np.flatnonzero(status == Status.pending)
    values[pending] = as_floats(frame["waited_s"].take(pending))
    return values


def _whole(values: Figures | None, rows: int) -> tuple[Numbers, int, int]:
    """Return 1 + seconds - first (0 for unknown), the first second, and how many numbers there can be."""
    known = np.zeros(rows, dtype=bool) if values is None else np.isfinite(values)
    if values is None or not known.any():
        return np.zeros(rows, dtype=np.int64), 0, 1
    # Absurd ones are held where they do not overflow.
    whole = np.clip(np.floor(np.where(known, values, 0) + 0.5), -_SECONDS_CAP, _SECONDS_CAP).astype(np.int64)
    first, last = (int(end(whole, where=known, initial=whole[np.argmax(known)])) for end in (np.min, np.max))
    whole -= first - 1
    whole *= known
    return whole, first, last - first + 2


def latencies(frame: pd.DataFrame) -> Figures:
    """Return ``latency_s``, or received_at - submitted_at where the frame has no such column; NaN where unknown."""
    if "latency_s" in frame.columns:
        return as_floats(frame["latency_s"])
    return epoch_seconds(frame["received_at"]) - epoch_seconds(frame["submitted_at"])


def as_floats(column: pd.Series) -> Figures:
    """Return a column of numbers (or lengths of time) as floats, missing and infinite ones NaN."""
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(column):
        column = column.dt.total_seconds()
    try:
        values = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise InputError(
            "column {name!r} holds values that are not numbers: it is counted in seconds",
            name=column.name,
        ) from error
    return np.where(np.isinf(values), np.nan, values) if np.isinf(values).any() else values


def epoch_seconds(column: pd.Series) -> Figures:
    """Return a column of times as epoch seconds (those without a zone are China time), missing ones NaN."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return _numbers_as_epoch(column)
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = _texts_as_times(column)
    zone = getattr(column.dt, "tz", None)
    naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else column
    instants = naive.to_numpy(dtype="datetime64[s]")
    seconds = instants.view(np.int64).astype(float)
    seconds[np.isnat(instants)] = np.nan
    return seconds if zone is not None else seconds - CHINA_OFFSET_S


def _numbers_as_epoch(column: pd.Series) -> Figures:
    """Return numbers as epoch seconds, whatever they are (`kind_of_numbers`); digits that are no time are missing."""
    import pandas as pd

    values = as_floats(column)
    known = values[np.isfinite(values)]
    kind = kind_of_numbers(str(column.name), known.min(), known.max()) if len(known) else "epoch"
    if kind == "epoch":
        return values
    digits = pd.Series(values * 10**6 if kind == "days" else values).astype("Int64").astype("string")
    return epoch_seconds(pd.to_datetime(digits, format="%Y%m%d%H%M%S", errors="coerce"))


def _texts_as_times(column: pd.Series) -> pd.Series:
    """Return text (or objects) as times: the year first, or the platform's fourteen digits."""
    import pandas as pd

    texts = column.dropna().astype("str")
    if pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty"):
        odd = texts[~texts.str.fullmatch(_TIME_TEXT)]
        if len(odd):
            raise InputError(
                "column {name!r} holds {value!r}: write times with the year first, '2026-01-31 09:00'",
                name=column.name,
                value=odd.iloc[0],
            )
    try:
        times = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise InputError(
            "column {name!r} holds values that are not times",
            name=column.name,
        ) from error
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise InputError("column {name!r} holds values that are not times", name=column.name)
    return times


def factorize(values: pd.Series) -> tuple[Numbers, pd.Series]:
    """Return each value's number (missing ones have the last) and the distinct values, a missing one at the end."""
    import pandas as pd

    try:
        codes, distinct = pd.factorize(values, use_na_sentinel=True)
    except TypeError as error:
        raise InputError(
            "column {name!r} holds lists or other values that cannot be grouped by: give one value a row",
            name=values.name,
        ) from error
    codes = codes.astype(np.int64, copy=False)
    codes[codes < 0] = len(distinct)
    # Reindexing adds a missing value and keeps the dtype wherever it can hold one.
    found = pd.Series(distinct).reset_index(drop=True)
    is_whole = isinstance(found.dtype, np.dtype) and found.dtype.kind == "i"
    return codes, (found.astype("Int64") if is_whole else found).reindex(range(len(distinct) + 1))


def count_combinations(columns: Sequence[Numbers], sizes: Sequence[int]) -> tuple[list[Numbers], Numbers]:
    """Count the distinct rows of `columns`, whose values lie in ``0..size-1``.

    Returns
    -------
    list of array, array
        The distinct rows, column by column, and how often each occurs.

    Examples
    --------
    >>> rows, n = count_combinations([np.array([0, 1, 1]), np.array([2, 0, 0])], [2, 3])
    >>> [row.tolist() for row in rows], n.tolist()
    ([[0, 1], [2, 0]], [1, 2])
    """
    wide = next((place for place, size in enumerate(sizes) if size > _WIDE and size > len(columns[place])), None)
    if wide is not None:  # one absurd value makes a column wide: its distinct values are few
        distinct, numbers = np.unique(columns[wide], return_inverse=True)
        narrow = [*columns[:wide], numbers.astype(np.int64), *columns[wide + 1 :]]
        rows, counts = count_combinations(narrow, [*sizes[:wide], len(distinct), *sizes[wide + 1 :]])
        return [*rows[:wide], distinct[rows[wide]], *rows[wide + 1 :]], counts
    fitting = next((k for k in range(len(sizes), 0, -1) if prod(sizes[:k]) <= _LARGEST_KEY), 1)
    if fitting < len(sizes):
        keys, numbers = np.unique(_pack(columns[:fitting], sizes[:fitting]), return_inverse=True)
        rest, counts = count_combinations([numbers, *columns[fitting:]], [len(keys), *sizes[fitting:]])
        return [column[rest[0]] for column in _unpack(keys, sizes[:fitting])] + rest[1:], counts
    keys, counts = _count_keys(_pack(columns, sizes), prod(sizes))
    return _unpack(keys, sizes), counts


def _pack(columns: Sequence[Numbers], sizes: Sequence[int]) -> Numbers:
    key = columns[0].astype(np.int64, copy=True)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        key *= size
        key += column
    return key


def _unpack(keys: Numbers, sizes: Sequence[int]) -> list[Numbers]:
    columns: list[Numbers] = []
    for size in reversed(sizes[1:]):
        keys, column = np.divmod(keys, size)
        columns.append(column)
    return [keys, *reversed(columns)]


def _count_keys(key: Numbers, span: int) -> tuple[Numbers, Numbers]:
    if span <= max(_DENSE_ROOM, len(key)):
        dense = np.bincount(key, minlength=0)
        keys = np.flatnonzero(dense).astype(np.int64)
        return keys, np.asarray(dense[keys], dtype=np.int64)
    keys, counts = np.unique(key, return_counts=True)
    return keys, counts.astype(np.int64)
