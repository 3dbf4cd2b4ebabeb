"""From what the user has, a Store or a frame of any kind, to the source of messages that is asked."""

from __future__ import annotations

from typing import Any, cast

from masanalytics.aliases import Messages
from masanalytics.analysis.sources.base import HoldsMessages, MessageSource
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.errors import InputError

__all__ = ["HoldsMessages", "MessageSource", "as_source"]


def as_source(data: Messages) -> MessageSource:
    """Return `data` as a source of messages.

    Raises
    ------
    InputError
        If it is neither a Store nor a frame.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return PandasMessages(data)
    if isinstance(data, HoldsMessages):
        return data.message_source
    if isinstance(data, MessageSource):
        return data
    import narwhals as nw

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        return NarwhalsMessages(cast("Any", frame))
    raise InputError(
        "data is a {type}: give a Store or a frame of messages (pandas, polars, DuckDB, Spark)",
        type=type(data).__name__,
    )
