"""What polars is asked in its own words, because narwhals has no words for it, or slow ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["in_bins", "is_polars", "repeated_ids"]

_BITS: Final = 62


def is_polars(frame: Any) -> bool:
    """Return whether a narwhals frame is one of polars, in memory or lazy."""
    return bool(frame.implementation.name == "POLARS")


def in_bins(frame: Any, edges: Sequence[int]) -> Any:
    """Return a frame with the first of the ascending `edges` that is no less than its ``seconds`` in place of these.

    polars looks them up; what is more than all is as the last one.
    """
    import narwhals as nw
    import polars as pl

    seconds = pl.col("seconds").cast(pl.Int64)
    place = pl.lit(pl.Series(edges[:-1], dtype=pl.Int64)).search_sorted(seconds)
    edge = pl.lit(pl.Series(edges, dtype=pl.Int64)).gather(place)
    return nw.from_native(frame.to_native().with_columns(seconds=pl.when(seconds.is_not_null()).then(edge)))


def repeated_ids(frame: Any, account: str | None) -> int | None:
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
