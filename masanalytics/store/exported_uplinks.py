"""The replies of one account and month as a Parquet file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import pandas as pd

from masanalytics.store.changed_days import Month
from masanalytics.store.partition_writers import parquet_writer
from masanalytics.store.phone_styles import PhoneStyle
from masanalytics.store.uplink_rows import uplinks_where

__all__ = ["write_uplinks"]

_HIDDEN_IN: Final = ("content", "campaign", "add_serial")


def write_uplinks(conn: sqlite3.Connection, month: Month, path: Path, style: PhoneStyle, *, private: bool) -> int:
    """Write the replies of a month with the columns of ``Store.uplinks()``; return how many.

    Numbers are shown as `style` says, also those in texts. Where there is none, no file is made.
    """
    import pyarrow as pa

    within, limits = (
        ("u.sent_at IS NULL", ()) if month.limits is None else ("u.sent_at >= ? AND u.sent_at < ?", month.limits)
    )
    frame = uplinks_where(conn, f"u.account_id = ? AND {within}", [month.account_id, *limits])
    if frame.empty:
        return 0
    schema = _schema(pa)
    table = pa.Table.from_pandas(_shown(frame, style), schema=schema, preserve_index=False).replace_schema_metadata()
    with parquet_writer(path, schema, coded=["campaign", "account", "opt_out"], private=private) as writer:
        writer.write_table(table)
    return len(frame)


def _shown(frame: pd.DataFrame, style: PhoneStyle) -> pd.DataFrame:
    texts = {
        name: pd.array([None if pd.isna(text) else style.text(text) for text in frame[name]], "str")
        for name in _HIDDEN_IN
    }
    return frame.assign(phone=pd.array(style.numbers(frame["phone"].tolist()), "str"), **texts)


def _schema(pa: Any) -> Any:
    text, number = pa.string(), pa.int64()
    return pa.schema(
        [
            ("uplink_id", number), ("poll_id", number), ("message_id", number), ("campaign", text), ("account", text),
            ("phone", text), ("content", text), ("add_serial", text), ("sent_at", pa.timestamp("s", tz="Asia/Shanghai")),
            ("send_time", text), ("opt_out", text),
        ]
    )  # fmt: skip
