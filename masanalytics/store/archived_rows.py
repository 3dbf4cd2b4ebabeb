"""What stays in the file of messages that were archived: who got which round, and which reports are in the archive already.

A row of some 50 bytes keeps the promise that nobody is sent a round twice, caps and replies their message, and tells a report that
is new from one that was there. A trigger keeps out every insertion of a message that is archived, whoever makes it.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.timezone import format_instant

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EVERYBODY",
    "REPORTS_ARCHIVED",
    "ArchivedMessage",
    "add_checksums",
    "add_copies",
    "add_open_messages",
    "add_outcomes",
    "archived_by_month",
    "archived_messages",
    "archived_to",
    "archived_words",
    "emptied_columns",
    "evidence",
    "forget_archived",
    "is_archived",
    "make_tables",
    "note_archived",
    "refuse_archived",
]

_TABLES: Final = """
CREATE TABLE archive_runs (
  archive_id INTEGER PRIMARY KEY,
  month TEXT NOT NULL,
  file TEXT NOT NULL UNIQUE,
  messages INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  own_columns TEXT NOT NULL,
  archived_at INTEGER NOT NULL
) STRICT;
CREATE TABLE archived (
  phone TEXT NOT NULL,
  round_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  message_id INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  submitted_at INTEGER NOT NULL,
  archive_id INTEGER NOT NULL,
  evidence TEXT,
  PRIMARY KEY (phone, round_id, key, message_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE archived_batches (
  batch_id INTEGER PRIMARY KEY,
  pending INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  long INTEGER NOT NULL
) STRICT;
CREATE TABLE late_reports (
  report_id INTEGER PRIMARY KEY,
  poll_id INTEGER NOT NULL REFERENCES polls,
  message_id INTEGER NOT NULL,
  report_status_id INTEGER NOT NULL REFERENCES codes,
  error_code_id INTEGER NOT NULL REFERENCES codes,
  submitted_at INTEGER,
  received_at INTEGER,
  submit_date TEXT NOT NULL,
  receive_date TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX late_reports_once
  ON late_reports (message_id, receive_date, report_status_id, error_code_id, submit_date);
CREATE TABLE archive_erasures (archive_id INTEGER PRIMARY KEY, own_columns TEXT NOT NULL) STRICT;
CREATE TABLE archive_old_files (file TEXT PRIMARY KEY) STRICT;
CREATE TRIGGER archived_message_stays BEFORE INSERT ON messages WHEN NEW.round_id IS NOT NULL AND EXISTS
  (SELECT 1 FROM archived WHERE phone = NEW.phone AND round_id = NEW.round_id AND key = NEW.key)
  BEGIN SELECT RAISE(IGNORE); END;
"""
_ASK_AT_ONCE: Final = 400
EVERYBODY: Final = "*"
REPORTS_ARCHIVED: Final = Text(
    "reports of archived messages are not listed here: they are in the folder of the archive, under _reports",
    code="archived",
)


def make_tables(conn: sqlite3.Connection) -> None:
    """Make the tables, and the trigger that keeps archived messages from being planned again."""
    *tables, trigger = _TABLES.split("\nCREATE")
    for statement in filter(str.strip, tables):
        conn.execute(f"CREATE{statement}")
    conn.execute(f"CREATE{trigger}")


def add_outcomes(conn: sqlite3.Connection) -> None:
    """Note of what is archived, and with each late report, what the reports of the message had come to: see `archived_counts`."""
    for table in ("archived", "late_reports"):
        conn.execute(f"ALTER TABLE {table} ADD COLUMN outcome INTEGER")


def add_copies(conn: sqlite3.Connection) -> None:
    """Note with a late report how many equal ones came in one answer, as with the reports of what is not archived."""
    conn.execute("ALTER TABLE late_reports ADD COLUMN copies INTEGER NOT NULL DEFAULT 1")


def add_checksums(conn: sqlite3.Connection) -> None:
    """Note of each file of the archive what its content adds up to."""
    conn.execute("ALTER TABLE archive_runs ADD COLUMN checksum INTEGER")


def add_open_messages(conn: sqlite3.Connection) -> None:
    """Note with a late report the batch of its message, and whether no report of that had come before it was archived."""
    for column in ("batch_id", "was_open"):
        conn.execute(f"ALTER TABLE late_reports ADD COLUMN {column} INTEGER")


def is_archived(conn: sqlite3.Connection) -> bool:
    """Whether anything was archived from this file."""
    return conn.execute("SELECT 1 FROM archive_runs LIMIT 1").fetchone() is not None


class ArchivedMessage(NamedTuple):
    """What the file knows of a message that is archived: which of its reports are known, and what they had come to, where that is."""

    message_id: int
    evidence: str
    outcome: int | None


def archived_messages(
    conn: sqlite3.Connection, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], ArchivedMessage]:
    """Return the archived messages among batches' numbers (batch, phone)."""
    found = {}
    for start in range(0, len(keys), _ASK_AT_ONCE):
        part = keys[start : start + _ASK_AT_ONCE]
        rows = conn.execute(
            f"WITH page (batch_id, phone) AS (VALUES {','.join(['(?,?)'] * len(part))}) SELECT page.batch_id, page.phone, a.message_id,"
            " a.evidence, a.outcome FROM page CROSS JOIN archived a ON a.phone = page.phone AND a.batch_id = page.batch_id",
            [value for key in part for value in key],
        )
        found.update(
            {
                (batch_id, phone): ArchivedMessage(number, known or "", outcome)
                for batch_id, phone, number, known, outcome in rows
            }
        )
    return found


def evidence(submit_date: str, receive_date: str, report_status: str, error_code: str) -> str:
    """Return a short sign of a report by which it is known again.

    Examples
    --------
    >>> evidence("20260131090000", "20260131090005", "DELIVRD", "")
    'ea81f87a'
    """
    return f"{zlib.crc32(chr(0).join((submit_date, receive_date, report_status, error_code)).encode()):08x}"


def forget_archived(
    conn: sqlite3.Connection,
    before: int | None,
    phones: Sequence[str],
    columns: Sequence[str],
    name_of: Callable[[str], str],
) -> list[tuple[str, int]]:
    """Rename people in what the file knows of archived messages, and note which files of the archive name them.

    Returns the number and the batch of each message.

    The files themselves are written anew by the next archiving.
    """
    rows = conn.execute(
        "SELECT phone, round_id, key, message_id, archive_id, batch_id FROM archived WHERE phone NOT LIKE '%~%' AND (submitted_at < ? OR phone IN"
        " (SELECT value FROM json_each(?)))",
        [before or 0, json.dumps(list(phones))],
    ).fetchall()
    conn.executemany(
        "UPDATE archived SET phone = ? WHERE phone = ? AND round_id = ? AND key = ? AND message_id = ?",
        [(name_of(row[0]), *row[:4]) for row in rows],
    )
    ids: dict[int, list[int]] = defaultdict(list)
    for *_, message_id, archive_id, _batch_id in rows:
        ids[archive_id].append(message_id)
    for archive_id, message_ids in ids.items():
        known = conn.execute("SELECT own_columns FROM archive_erasures WHERE archive_id = ?", [archive_id]).fetchone()
        emptied = emptied_columns(known[0] if known else "{}")
        emptied |= {str(message_id): sorted(columns) for message_id in message_ids if columns}
        kept = json.dumps(emptied, ensure_ascii=False)
        conn.execute("INSERT OR REPLACE INTO archive_erasures VALUES (?, ?)", [archive_id, kept])
    return [(row[0], row[5]) for row in rows]


def emptied_columns(kept: str) -> dict[str, list[str]]:
    """Return which of the user's columns are to be emptied of each message (by number as text) of a file.

    Under ``*`` are those of all who leave it, as an earlier version kept them.

    Examples
    --------
    >>> emptied_columns('{"7": ["town"]}'), emptied_columns('["town"]'), emptied_columns("[]")
    ({'7': ['town']}, {'*': ['town']}, {})
    """
    found = json.loads(kept)
    if isinstance(found, list):
        found = {EVERYBODY: found} if found else {}
    return dict(found)


def archived_by_month(conn: sqlite3.Connection) -> dict[str, int]:
    """Return month -> how many of its messages are archived."""
    return dict(conn.execute("SELECT month, sum(messages) FROM archive_runs GROUP BY month ORDER BY month").fetchall())


def archived_words(conn: sqlite3.Connection) -> Text | None:
    """Return in words how many messages are archived; None where none is."""
    count, last = conn.execute("SELECT sum(messages), max(last) FROM archive_runs").fetchone()
    if not count:
        return None
    return Text(
        "{count:,} message submitted until {until} is archived and not counted here: mas.Archive(folder, store) counts all",
        "{count:,} messages submitted until {until} are archived and not counted here: mas.Archive(folder, store) counts all",
        code="archived",
        count=count,
        until=format_instant(last),
    )


def note_archived(conn: sqlite3.Connection, rows: pd.DataFrame, note: Text | None = None) -> pd.DataFrame:
    """Return a list of what is in the file with a note of what is archived, if anything is."""
    words = archived_words(conn)
    if words is not None:
        rows.attrs["notes"] = [(note or words).as_json()]
    return rows


def archived_to(conn: sqlite3.Connection, phones: Sequence[str]) -> Text | None:
    """Return in words how many archived messages went to a person, whose number and name are given; None where none did."""
    count, last = conn.execute(
        "SELECT count(*), max(submitted_at) FROM archived WHERE phone IN (SELECT value FROM json_each(?))",
        [json.dumps(list(phones))],
    ).fetchone()
    if not count:
        return None
    return Text(
        "{count:,} message submitted until {until} is archived and not listed here: mas.Archive(folder, store).history(phone) lists all",
        "{count:,} messages submitted until {until} are archived and not listed here: mas.Archive(folder, store).history(phone) lists all",
        code="archived",
        count=count,
        until=format_instant(last),
    )


def refuse_archived(conn: sqlite3.Connection, campaign: str) -> None:
    """Raise if messages of a campaign are archived: who reads the file alone would take them for never sent.

    Raises
    ------
    InputError
        Saying what to ask instead.
    """
    row = conn.execute(
        "SELECT sum(a.pending + a.delivered + a.failed) FROM archived_batches a JOIN batches USING (batch_id)"
        " JOIN campaigns USING (campaign_id) WHERE campaign = ?",
        [campaign],
    ).fetchone()
    if row[0]:
        raise InputError(
            "{count:,} message of {campaign} is archived: give mas.Archive(folder, store) in place of the store",
            "{count:,} messages of {campaign} are archived: give mas.Archive(folder, store) in place of the store",
            count=row[0],
            campaign=campaign,
            code="archived",
        )
