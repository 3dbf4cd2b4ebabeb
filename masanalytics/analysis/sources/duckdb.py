"""A DuckDB relation of messages: each question is one filter and one GROUP BY of its own SQL."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import RawCounts, Seconds
from masanalytics.analysis.sources.duckdb_relation import (
    draws_progress_bar,
    files_behind,
    repeated_ids,
    without_progress_bar,
)
from masanalytics.analysis.sources.duckdb_words import DuckDBWords, first_edge
from masanalytics.analysis.sources.narwhals import NarwhalsMessages, as_counts

if TYPE_CHECKING:
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
        found = self._grouped(by, where, self._words.seconds(seconds))
        return super().grouped_count(by, where=where, seconds=seconds) if found is None else as_counts(found, by)

    def binned_count(self, by: Sequence[str], *, where: Filters, edges: Sequence[int]) -> RawCounts:
        """Count rows by the source dimensions, status, and the first of the `edges` that is no less than their seconds."""
        self._check(by, where, "outcome")
        seconds = self._words.seconds("outcome")
        bins = None if seconds is None else f"CASE WHEN {seconds} IS NOT NULL THEN {first_edge(seconds, edges)} END"
        found = self._grouped(by, where, bins)
        return super().binned_count(by, where=where, edges=edges) if found is None else as_counts(found, by)

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row shows too."""
        if "message_id" not in self._schema:
            return 0
        if self._schema["message_id"].is_integer():
            table = self._taken(repeated_ids(self._given.to_native(), "account" if "account" in self._schema else None))
            least, repeated = table.iloc[0].fillna(0)
            if least >= 0:
                return int(repeated)
        return super().repeated_messages()

    def _last_end(self) -> Any:
        as_of = self._words.as_of()
        if as_of is None:
            return super()._last_end()
        return self._taken(self._frame.to_native().aggregate(f"{as_of} AS as_of"))["as_of"].iloc[0]

    @cached_property
    def _words(self) -> DuckDBWords:
        return DuckDBWords(self._schema)

    @cached_property
    def _draws(self) -> bool:
        return draws_progress_bar(self._given)

    def _grouped(self, by: Sequence[str], where: Filters, seconds: str | None) -> pd.DataFrame | None:
        """Return the counted table; None where the columns are of other kinds."""
        dimensions = [self._words.dimension(name) for name in by]
        if seconds is None or None in dimensions:
            return None
        named = {f"by{number}": sql for number, sql in enumerate(dimensions)} | {
            "status": '"status"',
            "seconds": seconds,
        }
        select = ", ".join(f"{sql} AS {name}" for name, sql in named.items())
        groups = ", ".join(str(sql) for sql in named.values())
        return self._taken(self._kept(where).to_native().aggregate(f"{select}, count(*) AS n", groups))

    def _gathered(self, frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
        with without_progress_bar(self._given, drawn=self._draws):
            return frame.collect()

    def _collected(self, frame: Any) -> pd.DataFrame:
        return self._taken(frame.to_native()) if frame.implementation.name == "DUCKDB" else super()._collected(frame)

    def _taken(self, relation: Any) -> pd.DataFrame:
        """Run the query of a relation."""
        with without_progress_bar(self._given, drawn=self._draws):
            # Column by column, each let go of when it is there: both at once are the most memory of all.
            table: pd.DataFrame = relation.to_arrow_table().to_pandas(split_blocks=True, self_destruct=True)
        return table
