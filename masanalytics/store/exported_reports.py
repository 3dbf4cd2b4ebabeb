"""The reports of messages that leave for the archive, as a Parquet file beside them: the evidence goes with the message."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from masanalytics.export_folder import draft_of
from masanalytics.paths import replace_file
from masanalytics.store.frames import REPORTS, read_view
from masanalytics.store.partition_writers import parquet_writer

__all__ = ["write_reports"]


def write_reports(conn: sqlite3.Connection, path: Path) -> None:
    """Write the reports of the messages in the temporary table ``leaving``, with the columns of ``Store.reports()``."""
    import pyarrow as pa

    frame = read_view(
        conn, f"{REPORTS} JOIN leaving l ON l.message_id = p.message_id ORDER BY p.report_id", [],
        times=("submitted_at", "received_at"), integers=("report_id", "poll_id", "message_id"),
    )  # fmt: skip
    times, kinds = (
        pa.timestamp("s", tz="Asia/Shanghai"),
        dict.fromkeys(("report_id", "poll_id", "message_id"), pa.int64()),
    )
    kinds |= dict.fromkeys(("submitted_at", "received_at"), times)
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in frame.columns])
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata()
    coded = ["campaign", "account", "msg_group", "report_status", "error_code"]
    with parquet_writer(draft_of(path), schema, coded=coded, private=True) as writer:
        writer.write_table(table)
    replace_file(draft_of(path), path)
