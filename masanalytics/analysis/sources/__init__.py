"""From what the user has, a Store or a frame of any kind, to the source of messages that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from masanalytics.aliases import Messages
from masanalytics.analysis.sources.base import HoldsMessages, HoldsUplinks, MessageSource
from masanalytics.analysis.sources.duckdb import DuckDBMessages
from masanalytics.analysis.sources.folders import exports_in
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.remembered import RememberedMessages, asks_once, remembered
from masanalytics.analysis.sources.united import APART, UnitedMessages
from masanalytics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HoldsMessages", "MessageSource", "RememberedMessages", "as_source", "asks_once", "uplinks_of"]


_ROWS_OF_A_SHEET = {"message_id", "excluded_because"}
"""The columns by which rows of `masanalytics.outcomes` are known: several of them may show the same message."""


def as_source(data: Messages) -> MessageSource:
    """Return `data` as a source of messages.

    Raises
    ------
    InputError
        If it is neither a Store, a frame, the folder of an export nor a list of these, or something is in the list twice.
    """
    return data if isinstance(data, MessageSource) else remembered(data, lambda: _source_of(data))


def _plain_source(data: Any) -> MessageSource:
    return data if isinstance(data, MessageSource) else _source_of(data)


def _source_of(data: Any) -> MessageSource:
    import pandas as pd

    if isinstance(data, (str, PathLike)):
        exports = exports_in(data)
        return exports[0] if len(exports) == 1 else UnitedMessages(exports)
    if isinstance(data, (list, tuple)):
        return UnitedMessages([_plain_source(one) for one in _distinct(data)])
    if isinstance(data, pd.DataFrame):
        return PandasMessages(_each_once(data))
    if isinstance(data, HoldsMessages):
        return data.message_source
    import narwhals as nw

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        if set(frame.collect_schema().names()) >= _ROWS_OF_A_SHEET:
            frame = cast("Any", frame.filter(~nw.col("message_id").is_null())).unique("message_id", keep="any")
        kind = DuckDBMessages if frame.implementation.name == "DUCKDB" else NarwhalsMessages
        return kind(cast("Any", frame))
    raise InputError(
        "data is a {type}: give a Store, a frame of messages (pandas, polars, DuckDB, Spark), the folder of an export, or a list of"
        " these",
        type=type(data).__name__,
    )


def uplinks_of(data: Messages) -> pd.DataFrame | None:
    """Return the replies that `data` knows of, with the ids of `as_source`; None where it knows of none, as a frame does not."""
    import pandas as pd

    if isinstance(data, HoldsUplinks):
        return data.uplinks()
    if isinstance(data, (str, PathLike)):
        found = [export.uplinks() for export in exports_in(data)]
    elif isinstance(data, (list, tuple)):
        found = [uplinks_of(one) for one in data]
    else:
        return None
    several = len(found) > 1
    known = [
        table.assign(message_id=table["message_id"].astype("Int64") + number * APART * several)
        for number, table in enumerate(found)
        if table is not None
    ]
    return pd.concat(known, ignore_index=True) if len(known) == len(found) else None


def _distinct(parts: Sequence[Any]) -> Sequence[Any]:
    """Return the parts of a list, none of which is there twice.

    Raises
    ------
    InputError
        If one is, or there is none.
    """
    if not len(parts):
        raise InputError("data is an empty list: give the stores, or exports, to be taken as one")
    keys = [
        str(getattr(one, "path", one)) if isinstance(one, (HoldsMessages, str, PathLike)) else str(id(one))
        for one in parts
    ]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError("{name} is in the list twice: its messages would count twice", name=key)
    return parts


def _each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that show a message, and each message once."""
    if not set(frame.columns) >= _ROWS_OF_A_SHEET:
        return frame
    return frame[frame["message_id"].notna() & ~frame["message_id"].duplicated()]
