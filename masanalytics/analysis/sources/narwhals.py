"""The grouped count of any other frame (polars, DuckDB, Spark, Arrow), run where its data is, through narwhals."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from masanalytics.analysis.dimensions import (
    NIGHT,
    PREFIX_DIGITS,
    WINDOW,
    fold_ages,
    late_after,
    missing_in_messages,
    time_part,
)
from masanalytics.analysis.filter_values import options_within, spelled_options, status_numbers, with_plain_forms
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import narwhals_expressions as expressions
from masanalytics.analysis.sources.base import (
    ColumnKind,
    RawCounts,
    Seconds,
    columns_needed,
)
from masanalytics.analysis.sources.counted_tables import as_counts, to_pandas
from masanalytics.analysis.sources.coverage import coverage_of_files
from masanalytics.analysis.sources.damaged_files import checked_exports
from masanalytics.analysis.sources.duckdb_relation import epoch_name, with_epochs
from masanalytics.analysis.sources.ids_apart import shifts_by_account, told_apart
from masanalytics.analysis.sources.ledger_parts import LedgerPart
from masanalytics.analysis.sources.lent_rows import (
    Ask,
    Loan,
)
from masanalytics.analysis.sources.number_totals import AddedUp, NumberTotals
from masanalytics.analysis.sources.numeric_times import NumberKind, as_epoch, kinds_of_columns
from masanalytics.analysis.sources.watched_until import WatchedUntil, asks_for_long_ages
from masanalytics.analysis.sources.written_numbers import (
    joined_styles,
    other_spellings,
    refuse_joined,
    refuse_several_styles,
    seen_style,
    spelled_oddly,
)
from masanalytics.argument_kinds import is_number
from masanalytics.errors import InputError
from masanalytics.export_folder import ExportedFiles
from masanalytics.own_columns import as_texts
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import PROOF, Status

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

__all__ = ["NarwhalsMessages"]

_T = TypeVar("_T")

_HOUR_S = 3600
_SPARK = ("PYSPARK", "PYSPARK_CONNECT", "SQLFRAME")
_WITH_WINDOWS: Final = ("DUCKDB", "POLARS", *_SPARK)
_TEXTS: Final = ("phone", "error_code", "carrier")
_NUMBERS: Final = ("message_id", "segments")
_TIMES: Final = ("submitted_at", "received_at")
_EPOCHS: Final = tuple(map(epoch_name, _TIMES))


class NarwhalsMessages:
    """A frame of messages that narwhals can handle, as a source; lazy ones stay lazy until the count is small."""

    def __init__(
        self, frame: nw.DataFrame[Any] | nw.LazyFrame[Any], *, shifts: Mapping[str, int] | None = None
    ) -> None:
        self._given = frame
        self._schema = frame.collect_schema()
        self._known_shifts = shifts

    @cached_property
    def _frame(self) -> Any:
        frame = with_epochs(self._given, self._number_kinds) if _is_duckdb(self._given) else self._given
        return told_apart(frame, self._shifts)

    @cached_property
    def _number_kinds(self) -> Mapping[str, NumberKind]:
        """What times are that are whole numbers."""
        times = [name for name in _TIMES if epoch_name(name) not in self._schema]
        return kinds_of_columns(self._given, times, self._collected)

    def shifts_of_accounts(self) -> Mapping[str, int]:
        """Return account -> what its ids have added; nothing where all are as they were, as in an export of one store."""
        return self._shifts

    @cached_property
    def _shifts(self) -> Mapping[str, int]:
        is_known = self._known_shifts is not None or self._exported is not None
        return self._known_shifts or {} if is_known else shifts_by_account(self._given, self._collected)

    @property
    def phone_style(self) -> str:
        """How numbers stand in it, as far as manifests of exports say: ``whole`` unless they say something else."""
        return joined_styles(one.manifest.phone_style for one in self._exports if one is not None)

    def watched_until(self, watched: WatchedUntil) -> Self:
        """Return the same messages with ``waited_s`` as of these instants."""
        return type(self)(self._watched(watched), shifts={})

    def _watched(self, watched: WatchedUntil) -> Any:
        return watched.shown_in(self._frame, self._epoch("submitted_at"))

    def _as_asked(self, where: Filters, seconds: Seconds | None) -> Any:
        """Return the messages, of the files of an export as long watched as its manifest says, where that matters."""
        is_asked = asks_for_long_ages(where, seconds) and self._exported is not None
        return self._watched(self._export_watched) if is_asked else self._frame

    @cached_property
    def _export_watched(self) -> WatchedUntil:
        return WatchedUntil.of_files(self._exported)

    def renamed(self, accounts: Mapping[str, str]) -> Self:
        """Return the same messages with accounts by other names, old name -> new name."""
        import narwhals as nw

        account = nw.col("account")
        for old, new in accounts.items():
            account = nw.when(nw.col("account") == old).then(nw.lit(new)).otherwise(account)
        return type(self)(self._frame.with_columns(account=account), shifts={}) if accounts else self

    def without(self, message_ids: Sequence[int]) -> Self:
        """Return the messages but for these."""
        import narwhals as nw

        return type(self)(self._frame.filter(~nw.col("message_id").is_in(list(message_ids))), shifts={})

    def reported_by_part(self, accounts: Collection[str]) -> Self:
        """Return the same messages with ``parts_missing`` of these accounts' alone, whose reports come one a part."""
        return type(self)(self._frame.with_columns(parts_missing=expressions.parts_missing(accounts)), shifts={})

    def message_columns(self) -> Sequence[str]:
        """Return the frame's columns, but for those of epoch seconds that stand beside its times."""
        return [name for name in self._schema.names() if name not in _EPOCHS]

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count rows by the source dimensions, status and whole seconds."""
        self._check(by, where, seconds)
        return as_counts(self._collected(self._counted(by, where, seconds)), by, where)

    def binned_count(self, by: Sequence[str], *, where: Filters, edges: Sequence[int]) -> RawCounts:
        """Count rows by the source dimensions, status, and the first of the `edges` that is no less than their seconds."""
        import narwhals as nw

        self._check(by, where, "outcome")
        names = [*(f"by{number}" for number in range(len(by))), "status", "seconds"]
        # The exact seconds are few by then.
        binned = self._binned(self._counted(by, where, "outcome"), edges).group_by(names).agg(n=nw.col("n").sum())
        return as_counts(self._collected(binned.with_columns(n=nw.col("n").cast(nw.Int64))), by, where)

    def _binned(self, exact: Any, edges: Sequence[int]) -> Any:
        """Return counts with the first of the `edges` that is no less than their seconds, in place of these."""
        import narwhals as nw

        seconds = nw.col("seconds")
        return exact.with_columns(seconds=nw.when(~seconds.is_null()).then(expressions.first_edge(seconds, edges)))

    def _check(self, by: Sequence[str], where: Filters, seconds: Seconds | None) -> None:
        """Raise if the columns cannot answer."""
        columns_needed(by, where, seconds=seconds, available=self.message_columns())
        if self.column_kind("status") == "boolean":
            status_numbers([True])

    def _counted(self, by: Sequence[str], where: Filters, seconds: Seconds | None) -> Any:
        """Return the grouped count, not yet collected, its dimensions called ``by0, by1, …``."""
        import narwhals as nw

        # Numbered names: a dimension may have any name, also that of a helper column.
        named = {f"by{number}": self._dimension(name) for number, name in enumerate(by)}
        named["status"] = nw.col("status")
        if seconds is not None:
            waited = self._whole("waited_s")
            kinds = {"waited": waited, "waited_hours": waited // _HOUR_S * _HOUR_S}
            named["seconds"] = self._outcome_seconds() if seconds == "outcome" else kinds[seconds]
        return self._kept(where, seconds).select(**named).group_by(*named).agg(n=nw.len())

    def estimated_count(self, where: Filters) -> int:  # noqa: ARG002
        """Return 0: to count is a query of its own, and a part of the rows is not read faster than all of them."""
        return 0

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`."""
        available = self.message_columns()
        columns_needed([], where, seconds=None, available=available)
        error = missing_in_messages(columns, available)
        if error is not None:
            raise error
        return self._collected(self._kept(where).select(**{name: self._value(name) for name in columns}))

    def seen_number_style(self) -> str:
        """Return how some of its numbers are hidden, where they are."""
        return seen_style(self._given, self._collected)

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the accepted messages of each number, added up; None where a column holds neither texts nor times."""
        import narwhals as nw

        times = [name for name in ("submitted_at", "received_at") if name in self._schema]
        columns_needed([], where, seconds=None, available=self.message_columns())
        timed = all(isinstance(self._schema[name], nw.Datetime) or self._schema[name].is_integer() for name in times)
        if not timed or not isinstance(self._schema["phone"], nw.String):
            return None
        refuse_joined(self.phone_style)
        # A column that is missing everywhere may be of no kind.
        texts = {name: self._lent(name).cast(nw.String) for name in ("error_code", "carrier")}
        columns = {"phone": nw.col("phone"), "outcome": self._outcome(tells_silent=False)}
        columns["sent"] = self._epoch("submitted_at")
        rows = self._kept(where).select(**columns, heard=self._lent("heard"), **texts)
        chosen = AddedUp(among).chosen(rows.filter(~nw.col("outcome").is_null() & ~nw.col("phone").is_null()))
        if among is not None and self._frame.implementation.name not in _SPARK and isinstance(chosen, nw.LazyFrame):
            chosen = self._gathered(chosen)  # the messages of few: both tables need them, some of it twice
        return AddedUp(None)(chosen, self._collected)

    def lend_rows(self, loan: Loan, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds out of the accepted messages; None where it cannot be asked by windows."""
        import narwhals as nw

        if self._frame.implementation.name not in _WITH_WINDOWS or not self._can_lend(loan):
            return None
        refuse_joined(self.phone_style)
        if self._known_shifts is None and self._exported is None:
            refuse_several_styles(self._frame.select(phone=self._dimension("phone")), self._collected)
        for where in filter(None, (loan.where, loan.asked)):
            columns_needed([], where, seconds=None, available=self.message_columns())
        columns = {"phone": self._dimension("phone"), "outcome": self._outcome(), "sent": self._epoch("submitted_at")}
        columns["odd"] = nw.when(spelled_oddly(columns["phone"])).then(nw.lit(1)).otherwise(nw.lit(0))
        among = None if loan.asked is None else self._test(loan.asked)
        columns["asked"] = nw.lit(1) if among is None else nw.when(among).then(nw.lit(1)).otherwise(nw.lit(0))
        rows = self._kept(loan.where).select(**columns, **{name: self._lent(name) for name in loan.columns})
        known = ~nw.col("outcome").is_null() & ~nw.col("phone").is_null()
        known &= ~nw.col("sent").is_null() if loan.timed else nw.lit(value=True)
        return ask(rows.filter(known), self._collected)

    def _can_lend(self, loan: Loan) -> bool:
        """Return whether the columns that are wanted are there, and of the kinds that they should be."""
        import narwhals as nw

        wanted = ["phone", "submitted_at", *("received_at" if name == "heard" else name for name in loan.columns)]
        optional = {"received_at" if name == "heard" else name for name in loan.optional}
        if not {"status", *wanted} - optional <= set(self._schema.names()):
            return False

        def fits(name: str) -> bool:
            if name in _TIMES:
                return isinstance(self._schema[name], nw.Datetime)
            is_whole = self._schema[name].is_integer() and name not in _TEXTS
            return is_whole or (self.column_kind(name) == "text" and name not in _NUMBERS)

        return all(fits(name) for name in wanted if name in self._schema)

    def _lent(self, name: str) -> nw.Expr:
        """Return a column of `lend_rows`, whether it is there or not."""
        import narwhals as nw

        if name == "heard":
            sent = self._epoch("submitted_at")
            return nw.coalesce(self._epoch("received_at"), sent) if "received_at" in self._schema else sent
        if name in self._schema:
            return self._dimension(name)
        return nw.lit(0) if name in _NUMBERS else nw.lit(None, nw.String)

    def _outcome(self, *, tells_silent: bool = True) -> nw.Expr:
        """Return what became of an accepted message; null of others. To tell the silent from the open is to read one more column."""
        waited = self._whole("waited_s") if "waited_s" in self._schema and tells_silent else None
        return expressions.outcome(waited, self._schema["status"])

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds."""
        import narwhals as nw

        dtype = self._schema.get(name)
        if dtype is None:
            return None
        if isinstance(dtype, nw.Boolean):
            return "boolean"
        if dtype.is_numeric():
            return "number"
        return "text" if isinstance(dtype, (nw.String, nw.Categorical, nw.Enum)) else None

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row shows too."""
        return 0 if "message_id" not in self._schema or self._exported is not None else self._counted_repeats()

    def _counted_repeats(self) -> int:
        """Return the same by one distinct count where the data is."""
        import narwhals as nw

        by_account = "account" in self._schema
        known = self._frame.filter(~nw.col("message_id").is_null())
        counted = {"n": nw.len(), "distinct": nw.col("message_id").n_unique()}
        table = self._collected(known.group_by("account").agg(**counted) if by_account else known.select(**counted))
        return int(table["n"].sum() - table["distinct"].sum())

    def _files(self) -> Sequence[Path] | None:
        """Return the Parquet files that are read, if they are all that is; None where that is not known."""
        return None

    @cached_property
    def _exports(self) -> Sequence[ExportedFiles | None]:
        """What the manifests of exports know of the files, by folder."""
        files = self._files()
        return [] if files is None else checked_exports(files)

    @property
    def _exported(self) -> ExportedFiles | None:
        """What the manifest of an export knows of the files; None where they are of something else, or of several."""
        return self._exports[0] if len(self._exports) == 1 else None

    def ledger_part(self) -> LedgerPart | None:
        """Return of which store it is, where the files of an export are all that is read; None where that is not known."""
        found = self._exported
        return None if found is None else LedgerPart.of_folder(found.folder, found.manifest, found.partitions)

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return the end of coverage that ``submitted_at + waited_s`` tells; of the files of an export, what its manifest says."""
        files, account = self._exported, where.values.get("account")
        if files is None or not files.manifest.coverage:
            test = None if account is None else self._test(Filters({"account": account}))
            return self._coverage if test is None else type(self)(self._frame.filter(test), shifts={})._coverage  # noqa: SLF001
        known = coverage_of_files(files, where, self.grouped_count)
        return known if files.is_whole else {**known, "as_of": self._coverage["as_of"]}

    @cached_property
    def _coverage(self) -> Mapping[str, Any]:
        import pandas as pd

        nothing: dict[str, Any] = {"as_of": None, "end": {}, "gaps": [], "holes": []}
        if not {"submitted_at", "waited_s"} <= set(self.message_columns()):
            return nothing
        known = () if self._exported is None else self._exported.partitions
        if known and all(one.rows == 0 or one.as_of is not None for one in known):
            last = max(one.as_of or 0 for one in known) or None
        else:
            last = self._last_end()
        return nothing if pd.isna(last) else {**nothing, "as_of": int(last)}

    def _last_end(self) -> Any:
        """Return the latest ``submitted_at + waited_s``; missing where there is none."""
        import narwhals as nw

        waited, at = self._waited(), nw.col("submitted_at")
        # What was submitted after the end of coverage has waited 0 and does not tell where that is.
        known = self._frame.filter((waited > 0) & ~at.is_null())
        ends = known.select(end=(self._epoch("submitted_at") + waited.cast(nw.Int64)).max())
        return self._collected(ends)["end"].iloc[0]

    def _gathered(self, frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
        """Run a query, and keep what comes of it where the engine is."""
        return frame.collect()

    def _collected(self, frame: Any) -> pd.DataFrame:
        """Run a query, and bring what comes of it."""
        return to_pandas(frame)

    def _as_in_column(self, name: str, options: Sequence[Any]) -> list[Any]:
        """Return values as the column has them: 1 and 1.0 are one, and no whole number is 2.5."""
        import narwhals as nw

        dtype = self._schema.get(name)
        if name == "status" and dtype is not None:
            spelled = spelled_options(options, as_numbers=dtype.is_numeric())
            return [float(one) if is_number(one) else one for one in spelled] if dtype.is_float() else spelled
        if dtype is None or not (dtype.is_float() or dtype.is_integer()):
            texts = as_texts(options) if dtype == nw.String else options
            return [*with_plain_forms(name, texts), *self._other_spellings(name, options)]
        like = float if dtype.is_float() else int
        known = options_within(options) if dtype.is_integer() else list(options)
        return [like(one) if is_number(one) else one for one in known if not is_number(one) or like(one) == one]

    def _other_spellings(self, name: str, options: Sequence[Any]) -> list[str]:
        """Return how else the column of numbers spells these; an export spells each in one way."""
        if name != "phone" or self._exported is not None:
            return []
        return other_spellings(self._frame.select(phone=self._dimension("phone")), options, self._collected)

    def _kept(self, where: Filters, seconds: Seconds | None = None) -> Any:
        """Return the messages that pass `where`, for a question about `seconds`."""
        passes, messages = self._test(where), self._as_asked(where, seconds)
        return messages if passes is None else messages.filter(passes)

    def _test(self, where: Filters, *, but_for: Collection[str] = ()) -> Any:
        """Return the test that a message passes `where`, `but_for` the values of these columns; None where all do."""
        import narwhals as nw

        tests = [
            expressions.one_of(self._column(name), self._as_in_column(name, options))
            for name, options in where.values.items()
            if name not in but_for
        ]
        if where.is_without_proofs and self._has_proofs:
            of_proof = (self._dimension("round") == PROOF) & self._dimension("campaign").str.ends_with(f"({PROOF})")
            tests.append(~of_proof.fill_null(value=False))
        if where.since is not None:
            tests.append(self._instant(where.since, operator.ge))
        if where.until is not None:
            tests.append(self._instant(where.until, operator.lt))
        if where.waited_at_least is not None:
            tests.append(self._waited() >= where.waited_at_least)
        if where.waited_in is not None:
            waited = self._whole("waited_s")
            inside = [(waited >= start) & (waited < end) for start, end in where.waited_in]
            tests.append(reduce(operator.or_, inside, nw.lit(value=False)))
        return reduce(operator.and_, tests) if tests else None

    @cached_property
    def _has_proofs(self) -> bool:
        """Return whether there may be proofs: most data has none, and to leave them out is to read two more columns in every count."""
        if not {"campaign", "round"} <= set(self._schema.names()):
            return False
        if self._frame.implementation.name in _SPARK:  # where a question is a job of its own
            return True
        of_proof = self._frame.filter(self._dimension("round") == PROOF)
        return len(self._collected(of_proof.select("round").head(1))) > 0

    def _column(self, name: str) -> nw.Expr:
        return expressions.column(name, is_spark=self._frame.implementation.name in _SPARK)

    def _value(self, name: str) -> nw.Expr:
        """Return a column; one of categories by their names, since their order is that in which they came."""
        import narwhals as nw

        is_coded = isinstance(self._schema[name], (nw.Categorical, nw.Enum))
        return self._column(name).cast(nw.String) if is_coded else self._column(name)

    def _dimension(self, name: str) -> nw.Expr:
        import narwhals as nw

        if name in self._schema:
            return self._value(name)
        if name == "prefix":
            phone = self._whole("phone") if self._schema["phone"].is_float() else nw.col("phone")
            return phone.cast(nw.String).str.slice(0, PREFIX_DIGITS)
        if name == WINDOW:
            return self._window()
        if name == NIGHT:
            return expressions.at_night(self._epoch("submitted_at"))
        late = late_after(name)
        if late is not None:
            latency = self._latency()
            return fold_ages(
                late, lambda age, below, above: nw.when(latency > age).then(above).otherwise(below), nw.lit
            )
        part = time_part(name)
        if part is None:  # columns_needed has already refused such a name
            raise KeyError(name)
        expression: nw.Expr = part.of(self._epoch("submitted_at"))
        return expression

    def _instant(self, at: int, compared: Callable[[Any, Any], nw.Expr]) -> nw.Expr:
        """Compare the time of submission with an instant: DuckDB and Spark as a time, so that files without such times are not read."""
        import narwhals as nw

        dtype = self._schema["submitted_at"]
        compares_times = _is_duckdb(self._frame) or self._frame.implementation.name == "PYSPARK"
        time = expressions.as_time(at, dtype) if isinstance(dtype, nw.Datetime) and compares_times else None
        return compared(self._epoch("submitted_at"), at) if time is None else compared(nw.col("submitted_at"), time)

    def _epoch(self, name: str) -> nw.Expr:
        """Return a column of times as epoch seconds; times without a zone are China time."""
        import narwhals as nw

        dtype = self._schema[name]
        if dtype.is_integer():
            is_there = _is_duckdb(self._frame)
            return nw.col(epoch_name(name)) if is_there else as_epoch(nw.col(name), self._number_kinds[name])
        if not isinstance(dtype, nw.Datetime):
            raise InputError(
                "column {name!r} does not hold times but {dtype}: make it a column of times first",
                name=name,
                dtype=str(dtype),
            )
        backend, naive = self._frame.implementation.name, dtype.time_zone is None
        if backend in _SPARK:
            if naive:  # Spark casts such a column by its session's zone, whatever that is
                raise InputError(
                    "column {name!r} is a timestamp without a zone: make it one with a zone (China time)",
                    name=name,
                )
            return nw.col(name).cast(nw.Int64)
        seconds = nw.col(epoch_name(name)) if backend == "DUCKDB" else nw.col(name).dt.timestamp("ms") // 1000
        return seconds - CHINA_OFFSET_S if naive else seconds

    def _window(self) -> nw.Expr:
        hidden = self._export_watched.hidden_before
        epoch = self._epoch("submitted_at") if hidden else None
        return expressions.window(self._whole("waited_s"), self._latency(), epoch, hidden)

    def _latency(self) -> nw.Expr:
        if "latency_s" in self._schema:
            return self._whole("latency_s")
        return self._epoch("received_at") - self._epoch("submitted_at")

    def _waited(self) -> nw.Expr:
        """Return how long messages have been watched, in seconds and parts of them."""
        import narwhals as nw

        dtype = self._schema["waited_s"]
        if dtype.is_float():
            return nw.when(nw.col("waited_s").is_finite()).then(nw.col("waited_s"))
        return nw.col("waited_s") if dtype.is_integer() else self._whole("waited_s")

    def _whole(self, name: str) -> nw.Expr:
        return expressions.whole(name, self._schema[name])

    def _outcome_seconds(self) -> nw.Expr:
        import narwhals as nw

        status = self._schema["status"]
        waited = nw.when(expressions.has_status([Status.pending], status)).then(self._whole("waited_s"))
        reported = expressions.has_status([Status.delivered, Status.failed], status)
        return nw.when(reported).then(self._latency()).otherwise(waited)


def _is_duckdb(frame: Any) -> bool:
    return bool(frame.implementation.name == "DUCKDB")
