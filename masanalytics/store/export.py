"""Messages as Parquet, one folder a month, for DuckDB, Spark, polars or pandas on another machine."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pandas as pd

from masanalytics.errors import MissingExtraError, StoreError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.paths import private_file, replace_file
from masanalytics.store import kept_columns
from masanalytics.store.messages import message_range, read_messages
from masanalytics.vocabulary import MESSAGE_COLUMNS

__all__ = ["export_parquet"]

_AT_ONCE = 200_000
_NO_TEXTS = ("phone", "msg_group", "status", "carrier", "mode")


def export_parquet(conn: sqlite3.Connection, folder: Path, *, reveal: bool) -> list[Path]:
    """Write all messages to ``folder/month=YYYY-MM/messages.parquet``; return the files.

    Reads a part of the file at a time, so memory does not grow with the store. Each file appears whole or not at all.
    Unless `reveal`, mobile numbers are masked in ``phone`` and wherever they occur in any text: contents, params, names of campaigns.
    With `reveal` the files can be read by their owner only.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    StoreError
        If the folder cannot be made or written, naming it and the cause.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError.of("parquet", "pyarrow", Text("writing {kind}", kind=".parquet")) from error
    try:
        return _written(conn, folder, pa, pq, reveal=reveal)
    except OSError as error:
        raise StoreError(
            "{folder} cannot be written: {why}", folder=str(error.filename or folder), why=error.strerror or str(error)
        ) from error


def _written(conn: sqlite3.Connection, folder: Path, pa: Any, pq: Any, *, reveal: bool) -> list[Path]:
    """Write every month under a name of this export's own, then put all in place, and take away what holds nothing now."""
    draft_name = f"messages.parquet.{uuid.uuid4().hex[:12]}.draft"
    last = conn.execute("SELECT max(message_id) FROM messages").fetchone()[0] or 0
    own = kept_columns.column_names(conn)
    schema = _schema(pa, own)
    writers: dict[str, Any] = {}
    try:
        with contextlib.ExitStack() as open_files:
            for start in range(1, last + 1, _AT_ONCE):
                frame = read_messages(conn, message_range(start, start + _AT_ONCE))
                for month, part in _by_month(frame, own, reveal=reveal).items():
                    if month not in writers:
                        draft = folder / f"month={month}" / draft_name
                        draft.parent.mkdir(parents=True, exist_ok=True)
                        if reveal:
                            private_file(draft)
                        writers[month] = open_files.enter_context(pq.ParquetWriter(draft, schema, compression="zstd"))
                    writers[month].write_table(pa.Table.from_pandas(part, schema=schema, preserve_index=False))
    except BaseException:
        for draft in folder.glob(f"month=*/{draft_name}"):
            draft.unlink(missing_ok=True)
        raise
    files = []
    for month in sorted(writers):
        final = folder / f"month={month}" / "messages.parquet"
        replace_file(final.with_name(draft_name), final)
        files.append(final)
    for before in folder.glob("month=*/messages.parquet"):
        if before not in files:  # its messages are in another month now, or in none
            before.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps something else there
                before.parent.rmdir()
    return files


def _by_month(frame: pd.DataFrame, own: list[str], *, reveal: bool) -> dict[str, pd.DataFrame]:
    """Return the months' rows; messages never submitted go to the month ``unsent``."""
    if not reveal:
        names = [name for name, kind in MESSAGE_COLUMNS.items() if kind == "str" and name not in _NO_TEXTS]
        texts = {name: _masked_within(frame[name]) for name in [*names, *own]}
        frame = frame.assign(phone=frame["phone"].map(mask_phone, na_action="ignore"), **texts)
    months = frame["submitted_at"].dt.strftime("%Y-%m").fillna("unsent")
    return {str(month): part for month, part in frame.groupby(months, sort=True)}


def _masked_within(texts: pd.Series) -> pd.Series:
    """Return texts with the mobile numbers in them masked; each distinct one is looked at once."""
    codes, distinct = pd.factorize(texts)
    if not len(distinct):
        return texts
    masked = pd.array([*(mask_phones_in(text) for text in distinct), None], dtype="str")
    return pd.Series(masked.take(codes), index=texts.index)


def _schema(pa: Any, own: list[str]) -> Any:
    kinds = {"int64": pa.int64(), "Int64": pa.int64(), "str": pa.string()}
    times = pa.timestamp("s", tz="Asia/Shanghai")
    columns = {**MESSAGE_COLUMNS, **dict.fromkeys(own, "str")}
    return pa.schema([(name, kinds.get(kind, times)) for name, kind in columns.items()])
