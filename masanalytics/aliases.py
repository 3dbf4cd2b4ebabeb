"""Names for the types that many signatures share: what is taken, said once.

``Messages`` is what every analysis function takes, ``Length`` what ``within=`` takes, ``Instant`` what ``since=`` takes.
Only names are defined here; the libraries behind them are not loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from narwhals.typing import IntoFrame
    from numpy.typing import NDArray

    from masanalytics.analysis.sources import HoldsMessages, MessageSource

__all__ = [
    "Booleans",
    "Column",
    "Columns",
    "Figures",
    "Filter",
    "Instant",
    "Length",
    "Messages",
    "Numbers",
    "PathName",
    "Phones",
    "Table",
]

Messages: TypeAlias = "HoldsMessages | MessageSource | IntoFrame | str | PathLike[str] | Sequence[HoldsMessages | IntoFrame | str | PathLike[str]]"
"""Where messages are: a Store, a frame of messages (pandas, polars, a DuckDB relation, Spark), the folder of an export or of several,
or a list of these, which is taken as one."""

Table: TypeAlias = "pd.DataFrame | IntoFrame"
"""A table of the user's own, such as a sheet of customers: pandas or polars."""

Phones: TypeAlias = "pd.Series[Any] | Iterable[object]"
"""Phone numbers, in any form."""

Column: TypeAlias = str
"""The name of a column."""

Columns: TypeAlias = "str | Sequence[str]"
"""One column, or several: what ``by=`` takes."""

Length: TypeAlias = str | float | timedelta
"""A length of time: ``"10min"``, ``"2h"``, ``"3d"``, a timedelta, or seconds."""

Instant: TypeAlias = str | float | date | datetime
"""A point in time: ``"2026-01-31 09:00"``, a date or datetime (without a zone: China time), or epoch seconds."""

Filter: TypeAlias = Any
"""What ``**where`` narrows a column or a time to: a value, or several of which any will do. It is handed on beside other keywords,
which a type checker cannot tell apart by name."""

PathName: TypeAlias = "str | PathLike[str]"
"""The name of a file."""

Numbers: TypeAlias = "NDArray[np.int64]"
"""Whole numbers, such as phones, counts and positions."""

Figures: TypeAlias = "NDArray[np.float64]"
"""Numbers with a fraction, such as rates and seconds; NaN where there is none."""

Booleans: TypeAlias = "NDArray[np.bool_]"
"""Yes or no for each element."""
