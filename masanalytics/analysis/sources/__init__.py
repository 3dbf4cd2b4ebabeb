"""From what the user has, a Store or a frame of any kind, to the source of messages that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from masanalytics.aliases import Messages
from masanalytics.analysis.sources.base import HoldsMessages, MessageSource
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.remembered import RememberedMessages, asks_once, remembered
from masanalytics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HoldsMessages", "MessageSource", "RememberedMessages", "as_source", "asks_once"]


_ROWS_OF_A_SHEET = {"message_id", "excluded_because"}
"""The columns by which rows of `masanalytics.outcomes` are known: several of them may show the same message."""


def as_source(data: Messages) -> MessageSource:
    """Return `data` as a source of messages.

    Raises
    ------
    InputError
        If it is neither a Store nor a frame.
    """
    return data if isinstance(data, MessageSource) else remembered(data, lambda: _source_of(data))


def _source_of(data: Any) -> MessageSource:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return PandasMessages(_each_once(data))
    if isinstance(data, HoldsMessages):
        return data.message_source
    import narwhals as nw

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        if set(frame.collect_schema().names()) >= _ROWS_OF_A_SHEET:
            frame = cast("Any", frame.filter(~nw.col("message_id").is_null())).unique("message_id", keep="any")
        return NarwhalsMessages(cast("Any", frame))
    raise InputError(
        "data is a {type}: give a Store or a frame of messages (pandas, polars, DuckDB, Spark)",
        type=type(data).__name__,
    )


def _each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that show a message, and each message once."""
    if not set(frame.columns) >= _ROWS_OF_A_SHEET:
        return frame
    return frame[frame["message_id"].notna() & ~frame["message_id"].duplicated()]
