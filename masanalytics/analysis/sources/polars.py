"""A polars frame of messages, eager or lazy: narwhals asks it, but for what narwhals has no words for, or slow ones."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from masanalytics.analysis.sources.damaged_files import state_of_exported, unreadable
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.errors import StoreError

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

__all__ = ["PolarsMessages", "naming_unreadable"]

_BITS: Final = 62
_A_SCAN: Final = "Parquet SCAN ["
_OF_PARQUET: Final = re.compile("parquet|ARROW:schema|out-of-spec")


class PolarsMessages(NarwhalsMessages):
    """A polars frame of messages, as a source."""

    def state(self) -> Hashable | None:
        """Return what is equal as long as no message changes, where files of this machine tell; None where nothing does."""
        seen = None if self._scan is None else state_of_exported(self._scan)
        return None if seen is None else ("polars", tuple(self._schema.items()), str(Path.cwd()), seen)

    def _files(self) -> Sequence[Path] | None:
        return self._scan

    @cached_property
    def _scan(self) -> list[Path] | None:
        return _parquet_scan(self._given.to_native())

    def _collected(self, frame: Any) -> pd.DataFrame:
        with self._explaining():
            return super()._collected(frame)

    def _gathered(self, frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
        with self._explaining():
            return super()._gathered(frame)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Say in our words why a file of a scan cannot be read: polars keeps of it what it was when it was scanned."""
        from narwhals.exceptions import ComputeError, InvalidOperationError
        from polars.exceptions import ComputeError as PolarsComputeError
        from polars.exceptions import PanicException

        try:
            yield
        except (ComputeError, PolarsComputeError, InvalidOperationError, PanicException, FileNotFoundError) as error:
            is_gone, has_panicked = isinstance(error, FileNotFoundError), isinstance(error, PanicException)
            if self._scan is None and has_panicked:  # which is no Exception
                raise StoreError("polars broke off while it read: {why}", why=str(error)) from error
            if self._scan is None and is_gone:
                raise _unread(error) from error
            if self._scan is None or not (is_gone or has_panicked or _OF_PARQUET.search(str(error))):
                raise
            _refuse_unreadable(self._scan)
            raise StoreError(
                "{file}, or another file of the scan, was written anew after it was scanned, or is damaged: scan the files again",
                file=str(self._scan[0]),
                retryable=True,
            ) from error

    def _binned(self, exact: Any, edges: Sequence[int]) -> Any:
        """Polars looks the edges up; what is more than all is as the last one."""
        import narwhals as nw
        import polars as pl

        seconds = pl.col("seconds").cast(pl.Int64)
        place = pl.lit(pl.Series(edges[:-1], dtype=pl.Int64)).search_sorted(seconds)
        edge = pl.lit(pl.Series(edges, dtype=pl.Int64)).gather(place)
        return nw.from_native(exact.to_native().with_columns(seconds=pl.when(seconds.is_not_null()).then(edge)))

    def _counted_repeats(self) -> int:
        repeated = None
        if self._schema["message_id"].is_integer():
            with self._explaining():
                repeated = _repeated_ids(self._frame, None)
                if repeated and "account" in self._schema:
                    # Two accounts may number their messages alike, which few do: most are asked once.
                    repeated = _repeated_ids(self._frame, "account")
        return super()._counted_repeats() if repeated is None else repeated


@contextmanager
def naming_unreadable(frame: Any) -> Iterator[None]:
    """Say which Parquet file of a lazy frame it is, where one cannot be read: polars reads their ends to know the columns.

    Raises
    ------
    StoreError
        Naming the file, where a pattern was scanned; polars tells nothing of a scan of one file that it cannot read.
    """
    import polars as pl

    if not isinstance(frame, pl.LazyFrame):
        yield
        return
    files = _parquet_scan(frame) or ()
    try:
        yield
    except Exception as error:
        _refuse_unreadable(files)
        if not _OF_PARQUET.search(str(error)):
            raise
        raise _unread(error) from error


def _unread(error: BaseException) -> StoreError:
    return StoreError("a Parquet file of the scan cannot be read: {why}", why=str(error), retryable=True)


def _refuse_unreadable(files: Iterable[Path]) -> None:
    """Raise if the end of one of the files cannot be read, naming it."""
    import polars as pl

    for file in files:
        try:
            pl.scan_parquet(file).collect_schema()
        except Exception as error:
            raise unreadable(file) from error


def _parquet_scan(frame: Any) -> list[Path] | None:
    """Return the Parquet files that a lazy frame scans, if it is nothing but all of every file; else None.

    What tells them is what polars hands to other engines, and promises to nobody: where it is not as it was, nothing is known.
    """
    import polars as pl

    if not isinstance(frame, pl.LazyFrame):
        return None
    try:
        if not frame.explain(optimized=False).startswith(_A_SCAN):
            return None
        scan = frame._ldf.visit().view_current_node()  # noqa: SLF001
        options = scan.file_options
        parts = [scan.predicate, options.n_rows, options.row_index, options.with_columns, options.include_file_paths]
        files = [Path(path) for path in scan.paths]
    except Exception:  # noqa: BLE001 - of polars, whatever it is
        return None
    is_whole = scan.scan_type[0] == "parquet" and parts == [None] * len(parts)
    return files if is_whole and files else None


def _repeated_ids(frame: Any, account: str | None) -> int | None:
    """Return how many rows have a ``message_id`` that another row has; None where there are numbers below 0.

    Numbers of neighbours share a set of bits, so that memory stays small where a distinct count holds each.
    """
    import polars as pl

    number = pl.col("message_id")
    bit = pl.lit(2, pl.Int64).pow(number % _BITS).cast(pl.Int64)
    neighbours = (
        frame.lazy().to_native().filter(number.is_not_null())
        .group_by([(number // _BITS).alias("#neighbours"), *([account] if account else [])])
        .agg(pl.len().cast(pl.Int64).alias("n"), number.min().alias("lowest"), bit.bitwise_or().alias("bits"))
    )  # fmt: skip
    repeated = pl.col("n") - pl.col("bits").bitwise_count_ones().cast(pl.Int64)
    least, count = neighbours.select(pl.col("lowest").min(), repeated.sum()).collect().row(0)
    return None if least is not None and least < 0 else int(count or 0)
