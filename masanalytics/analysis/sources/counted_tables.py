"""What an engine has counted, as pandas: numbers stay whole, whatever is missing beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import RawCounts, column_statuses

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_counts", "to_pandas", "whole_numbers"]


def as_counts(table: pd.DataFrame, by: Sequence[str], where: Filters) -> RawCounts:
    """Return a counted table, whose dimensions are called ``by0, by1, …``, as a source gives it."""
    import pandas as pd

    keys = {name: table[f"by{number}"] for number, name in enumerate(by)}
    names, distinct = pd.factorize(table["status"], use_na_sentinel=False)
    status = np.array(column_statuses(distinct, where), dtype=np.int64)[names] if len(table) else np.zeros(0, np.int64)
    seconds = _floats(table["seconds"]) if "seconds" in table.columns else np.full(len(table), np.nan)
    return RawCounts(pd.DataFrame(keys, index=table.index), status, seconds, table["n"].to_numpy(dtype=np.int64))


def to_pandas(frame: Any) -> pd.DataFrame:
    """Run a query, where it is one still, and bring what comes of it."""
    import narwhals as nw

    collected = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    native, engine = nw.to_native(collected), collected.implementation
    # A column a block, so that none is copied beside all others.
    apart = {"split_blocks": True} if engine.is_polars() or engine.is_pyarrow() else {}
    table: pd.DataFrame = native.to_pandas(**apart) if apart else collected.to_pandas().reset_index(drop=True)
    counted = {name: collected[name] for name, dtype in collected.schema.items() if _is_dimension(name, dtype)}
    return table.assign(**{name: whole_numbers(column.to_arrow()) for name, column in counted.items()})


def _is_dimension(name: str, dtype: Any) -> bool:
    return name.startswith("by") and bool(dtype.is_integer())


def whole_numbers(column: Any) -> pd.Series:
    """Return an Arrow column of integers, which stay integers where some are missing: as floats two long ones could be one."""
    import pandas as pd
    import pyarrow as pa

    kinds = {pa.int64(): pd.Int64Dtype()} if column.null_count else {}
    return pd.Series(column.cast(pa.int64()).to_pandas(types_mapper=kinds.get))


def _floats(column: pd.Series) -> Any:
    import pandas as pd

    return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
