"""A DuckDB relation of messages: each question is one filter and one GROUP BY of its own SQL."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import RawCounts, Seconds
from masanalytics.analysis.sources.counted_tables import as_counts, whole_numbers
from masanalytics.analysis.sources.duckdb_relation import (
    draws_progress_bar,
    files_behind,
    parquet_behind,
    repeated_ids,
    without_progress_bar,
)
from masanalytics.analysis.sources.duckdb_words import MANY, DuckDBWords, Grouping, first_edge, grouped_by, one_of_many
from masanalytics.analysis.sources.narwhals import NarwhalsMessages

if TYPE_CHECKING:
    from typing import Self

    import narwhals as nw
    import pandas as pd

__all__ = ["DuckDBMessages"]


class DuckDBMessages(NarwhalsMessages):
    """A DuckDB relation of messages, as a source.

    Every step that a relation is built in is bound anew over all its files, so that few steps are taken; columns of kinds that
    exports do not have are left to narwhals.
    """

    def state(self) -> Hashable | None:
        """Return what is equal as long as no message changes, where files of this machine tell; None where nothing does."""
        return files_behind(self._given)

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count rows by the source dimensions, status and whole seconds."""
        self._check(by, where, seconds)
        found = self._grouped(by, where, seconds)
        return super().grouped_count(by, where=where, seconds=seconds) if found is None else as_counts(found, by, where)

    def binned_count(self, by: Sequence[str], *, where: Filters, edges: Sequence[int]) -> RawCounts:
        """Count rows by the source dimensions, status, and the first of the `edges` that is no less than their seconds."""
        self._check(by, where, "outcome")
        found = self._grouped(by, where, "outcome", edges)
        return super().binned_count(by, where=where, edges=edges) if found is None else as_counts(found, by, where)

    def _counted_repeats(self) -> int:
        if self._schema["message_id"].is_integer():
            table = self._taken(repeated_ids(self._given.to_native(), "account" if "account" in self._schema else None))
            least, repeated = table.iloc[0].fillna(0)
            if least >= 0:
                return int(repeated)
        return super()._counted_repeats()

    def _last_end(self) -> Any:
        as_of = self._words.as_of()
        if as_of is None:
            return super()._last_end()
        return self._taken(self._frame.to_native().aggregate(f"{as_of} AS as_of"))["as_of"].iloc[0]

    def _files(self) -> Sequence[Path] | None:
        return parquet_behind(self._given)

    @cached_property
    def _words(self) -> DuckDBWords:
        return DuckDBWords(self._schema, self._export_watched.hidden_before)

    @cached_property
    def _draws(self) -> bool:
        return draws_progress_bar(self._given)

    def _grouped(
        self, by: Sequence[str], where: Filters, seconds: Seconds | None, edges: Sequence[int] = ()
    ) -> pd.DataFrame | None:
        """Return the counted table, its seconds put into bins where there are `edges`; None where columns are of other kinds."""
        from duckdb import ConversionException

        try:
            return self._grouped_as(by, where, seconds, edges, narrow=True)
        except ConversionException:  # a number that does not fit into 32 bits
            return self._grouped_as(by, where, seconds, edges, narrow=False)

    def _grouped_as(
        self, by: Sequence[str], where: Filters, seconds: Seconds | None, edges: Sequence[int], *, narrow: bool
    ) -> pd.DataFrame | None:
        named = {"status": Grouping('"status"', '"status"')}
        if seconds is not None:
            counted_seconds = self._words.seconds(seconds)
            if counted_seconds is None:
                return None
            named["seconds"] = grouped_by(counted_seconds, narrow=narrow)
        for number, name in enumerate(by):
            grouping = self._words.grouping(name, narrow=narrow)
            if grouping is None:
                return None
            named[f"by{number}"] = grouping
        select = ", ".join(f"{grouping.shown} AS {name}" for name, grouping in named.items())
        groups = ", ".join(grouping.key for grouping in named.values())
        counted = self._kept(where, seconds).to_native().aggregate(f"{select}, count(*) AS n", groups)
        if edges:  # there are few exact seconds by now, and a bin is found by several comparisons
            others = ", ".join(name for name in named if name != "seconds")
            edge = f"CASE WHEN seconds IS NOT NULL THEN {first_edge('seconds', edges)} END"
            counted = counted.aggregate(f"{others}, {edge} AS seconds, sum(n)::BIGINT AS n", f"{others}, {edge}")
        return self._taken(counted)

    def _kept(self, where: Filters, seconds: Seconds | None = None) -> Any:
        """Return the messages that pass `where`, for a question about `seconds`."""
        import narwhals as nw

        tests = {name: self._one_of_many(name, options) for name, options in where.values.items()}
        long = {name: test for name, test in tests.items() if test is not None}
        if not long:
            return super()._kept(where, seconds)
        others, messages = self._test(where, but_for=long), self._as_asked(where, seconds)
        kept = messages if others is None else messages.filter(others)
        return nw.from_native(kept.to_native().filter(" AND ".join(long.values())))

    def without(self, message_ids: Sequence[int]) -> Self:
        """Return the messages but for these."""
        import narwhals as nw

        test = self._one_of_many("message_id", message_ids)
        if test is None:
            return super().without(message_ids)
        return type(self)(nw.from_native(self._frame.to_native().filter(f"NOT {test}")), shifts={})

    def _one_of_many(self, name: str, options: Sequence[Any]) -> str | None:
        """Return the test that a column has one of very many values; None where they are few, or of kinds that exports do not have."""
        import narwhals as nw

        kind = self._schema.get(name)
        if kind is None or len(options) < MANY or not (kind == nw.String or kind.is_integer()):
            return None
        return one_of_many(name, self._as_in_column(name, options))

    def _gathered(self, frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
        with without_progress_bar(self._given, drawn=self._draws):
            return frame.collect()

    def _collected(self, frame: Any) -> pd.DataFrame:
        return self._taken(frame.to_native()) if frame.implementation.name == "DUCKDB" else super()._collected(frame)

    def _taken(self, relation: Any) -> pd.DataFrame:
        """Run the query of a relation."""
        from pyarrow.types import is_integer

        with without_progress_bar(self._given, drawn=self._draws):
            found = _with_texts(relation.to_arrow_table())
            counted = [
                column.name for column in found.schema if column.name.startswith("by") and is_integer(column.type)
            ]
            whole = {name: whole_numbers(found[name]) for name in counted}
            # Column by column, each let go of when it is there: both at once are the most memory of all.
            table: pd.DataFrame = found.to_pandas(split_blocks=True, self_destruct=True)
        return table.assign(**whole)


def _with_texts(table: Any) -> Any:
    """Return an Arrow table with texts in place of DuckDB's categories, which the lowest pyarrow does not bring into pandas."""
    from pyarrow.types import is_dictionary

    for place, column in enumerate(table.schema):
        if is_dictionary(column.type):
            table = table.set_column(place, column.name, table[column.name].cast(column.type.value_type))
    return table
