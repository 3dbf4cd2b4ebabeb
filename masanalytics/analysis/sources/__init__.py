"""From what the user has, a Store or a frame of any kind, to the source of messages that is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, cast

from masanalytics.aliases import Messages
from masanalytics.analysis.sources.base import HoldsMessages, HoldsUplinks, MessageSource
from masanalytics.analysis.sources.duckdb import DuckDBMessages
from masanalytics.analysis.sources.duckdb_relation import in_microseconds
from masanalytics.analysis.sources.folders import ExportedMessages, exports_in
from masanalytics.analysis.sources.ids_apart import APART, id_places
from masanalytics.analysis.sources.ledger_parts import ledger_part, with_archive
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.polars import PolarsMessages, naming_unreadable
from masanalytics.analysis.sources.remembered import RememberedMessages, asks_once, remembered
from masanalytics.analysis.sources.united import UnitedMessages
from masanalytics.errors import InputError
from masanalytics.i18n import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HoldsMessages",
    "MessageSource",
    "RememberedMessages",
    "as_source",
    "asks_once",
    "uplinks_of",
    "without_uplinks",
]


_KINDS: Final[dict[str, type[NarwhalsMessages]]] = {"DUCKDB": DuckDBMessages, "POLARS": PolarsMessages}

_ROWS_OF_A_SHEET = {"message_id", "excluded_because"}
"""The columns by which rows of `masanalytics.outcomes` are known: several of them may show the same message."""


def as_source(data: Messages) -> MessageSource:
    """Return `data` as a source of messages.

    Raises
    ------
    InputError
        If it is neither a Store, a frame, the folder of an export nor a list of these, or two of the list are of one store.
    StoreError
        If an export and the archive of its store are of different times.
    """
    return data if isinstance(data, MessageSource) else remembered(data, lambda: _source_of(data))


def _plain_source(data: Any) -> MessageSource:
    return data if isinstance(data, MessageSource) else _source_of(data)


def _source_of(data: Any) -> MessageSource:
    import pandas as pd

    if isinstance(data, (str, PathLike, list, tuple)):
        parts = [_plain_source(one) for one in _flat(data)]
        return parts[0] if len(parts) == 1 and not isinstance(data, (list, tuple)) else UnitedMessages(parts)
    if isinstance(data, pd.DataFrame):
        return PandasMessages(_each_once(data))
    if isinstance(data, HoldsMessages):
        return data.message_source
    import narwhals as nw

    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        with naming_unreadable(frame.to_native()) if frame.implementation.is_polars() else nullcontext():
            names = set(frame.collect_schema().names())
        if names >= _ROWS_OF_A_SHEET:
            shown = cast("Any", frame.filter(~nw.col("message_id").is_null()))
            frame = shown.unique(_told_by(shown.collect_schema().names()), keep="any")
        if frame.implementation.is_duckdb():
            frame = in_microseconds(frame)
        kind = _KINDS.get(frame.implementation.name, NarwhalsMessages)
        return kind(cast("Any", frame))
    raise InputError(
        "data is a {type}: give a Store, a frame of messages (pandas, polars, DuckDB, Spark), the folder of an export, or a list of"
        " these",
        type=type(data).__name__,
    )


def uplinks_of(data: Messages) -> pd.DataFrame | None:
    """Return the replies that `data` knows of, with the ids of `as_source`; None where it knows of none, as a frame does not."""
    import pandas as pd

    parts = _flat(data)
    if not all(isinstance(one, (HoldsUplinks, ExportedMessages)) for one in parts):
        return None
    if len(parts) == 1:
        return cast("HoldsUplinks", parts[0]).uplinks()
    known = [ledger_part(_plain_source(one)) for one in parts]
    beside_exports = {id(each["archived"]) for each in with_archive(known).values()}
    found = [
        (place, cast("HoldsUplinks", one).uplinks())
        for one, place, of_ledger in zip(parts, id_places(known), known, strict=True)
        if id(of_ledger) not in beside_exports  # the replies to what is archived are in the export
    ]
    tables = [
        table.assign(message_id=table["message_id"].astype("Int64") + place * APART)
        for place, table in found
        if table is not None
    ]
    return pd.concat(tables, ignore_index=True) if len(tables) == len(found) else None


def without_uplinks(data: Messages) -> Text | None:
    """Return in words why the replies to messages are not known, and what to do; None for what never has any: frames alone."""
    parts = _flat(data)
    lacking = [(one, one.ledger_part()) for one in parts if isinstance(one, ExportedMessages) and one.uplinks() is None]
    of_exports = [str(one.folder) for one, known in lacking if known.holds == "export"]
    if of_exports:
        return Text(
            "replies are not counted: {folders} has none. store.export_parquet(folder, uplinks=True) writes them",
            folders=", ".join(of_exports),
            code="no_replies",
        )
    if lacking:
        return Text(
            "replies are not counted: those to archived messages stay in the store, and mas.Archive(folder, store) counts them",
            code="no_replies",
        )
    if any(isinstance(one, HoldsMessages) for one in parts):
        return Text("replies are not counted: a frame of messages has none", code="no_replies")
    return None


def _flat(data: Any) -> list[Any]:
    """Return what is taken as one: stores, frames and exports, each by itself."""
    if isinstance(data, (str, PathLike)):
        return list(exports_in(data))
    if isinstance(data, (list, tuple)):
        return [part for one in _distinct(data) for part in _flat(one)]
    is_export = isinstance(data, HoldsMessages) and isinstance(data.message_source, ExportedMessages)
    return [data.message_source if is_export else data]


def _distinct(parts: Sequence[Any]) -> Sequence[Any]:
    """Return the parts of a list, none of which is there twice.

    Raises
    ------
    InputError
        If one is, or there is none.
    """
    if not len(parts):
        raise InputError("data is an empty list: give the stores, or exports, to be taken as one")
    names = [
        str(getattr(one, "path", one)) if isinstance(one, (HoldsMessages, str, PathLike)) else None for one in parts
    ]
    keys = [id(one) if name is None else name for one, name in zip(parts, names, strict=True)]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            shown = names[place] or f"data[{place}]"
            raise InputError("{name} is in the list twice: its messages would count twice", name=shown)
    return parts


def _each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that show a message, and each message once."""
    if not set(frame.columns) >= _ROWS_OF_A_SHEET:
        return frame
    return frame[frame["message_id"].notna() & ~frame.duplicated(_told_by(frame.columns))]


def _told_by(columns: Iterable[str]) -> list[str]:
    """Return the columns that tell a message from another: of several stores each counts its messages from 1."""
    return [name for name in ("account", "message_id") if name in set(columns)]
