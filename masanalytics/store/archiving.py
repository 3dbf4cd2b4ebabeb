"""Moving settled months out of SQLite into Parquet, some 100,000 messages at a time.

Each part is one transaction: its messages are read and written to a file, the file is made durable, and then the same transaction
takes them out and notes the file. Killed before it commits, the messages are where they were, and the file belongs to nobody: the
next archiving removes it. While it runs nobody else writes, so no report can come between.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import (
    ARCHIVED_FILE,
    Manifest,
    Partition,
    checksum_of,
    draft_of,
    finish,
    read_manifest,
    write_manifest,
)
from masanalytics.i18n import Text
from masanalytics.paths import replace_file
from masanalytics.store import changed_days
from masanalytics.store.archive_erasing import erase, has_old_files, remove_old_files
from masanalytics.store.archive_orphans import forget_in_orphans, settle_orphans, take_back
from masanalytics.store.archive_place import check_place, note_place
from masanalytics.store.archive_renames import compare_older_files, outdated_files
from masanalytics.store.archive_waiting import staying_reasons, unsettled, waiting_reasons
from masanalytics.store.archived_counts import OUTCOME_SQL, delivered_after_all
from masanalytics.store.archived_rows import evidence, is_archived
from masanalytics.store.arrow_messages import ArrowMessages
from masanalytics.store.changed_days import MESSAGES, NEVER, Month
from masanalytics.store.database import Connections
from masanalytics.store.export import need_pyarrow, within_folder
from masanalytics.store.exported_reports import write_reports
from masanalytics.store.late_files import remove_late, write_late
from masanalytics.store.late_reports import late_count
from masanalytics.store.lookups import ACCEPTED
from masanalytics.store.observation import Observation
from masanalytics.store.packed_rows import PackedRows, Rows, Stretch, stretches
from masanalytics.store.partition_writers import parquet_writer
from masanalytics.store.phone_styles import PhoneStyle
from masanalytics.store.rounds import HOLDING
from masanalytics.store.sql_count import failed_before_words
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import Status

__all__ = ["Archived", "archive", "archive_manifest"]

_WHOLE: Final = PhoneStyle("whole")


@dataclass(frozen=True, repr=False)
class Archived:
    """What was archived.

    Attributes
    ----------
    messages : int
        How many messages were moved.
    months : list of str
        The months they were submitted in, ``YYYY-MM``.
    waiting : list of str
        Months before the time asked for of which something is not settled: reports of an account may still come, an answer is
        missing, a batch is in doubt, or was accepted by your word alone (`Store.settle`), without a msgGroup.
    reasons : list of Text
        Why these wait, and what else of settled months stays in the file, in words (``str(reason)``).
    """

    messages: int
    months: list[str]
    waiting: list[str]
    reasons: list[Text] = field(default_factory=list)

    def __repr__(self) -> str:
        fields = {**vars(self), "reasons": [str(reason) for reason in self.reasons]}
        return f"Archived({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def archive(connections: Connections, folder: Path, before: int, now: float) -> Archived:
    """Move the settled messages of all months that end before an instant into a folder; return what was moved.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    StoreError
        If the folder cannot be written, holds something else, or lacks a file of the archive.
    """
    need_pyarrow()
    with connections.reading() as conn:
        check_place(conn, folder, to_write=True)
        ledger = conn.execute("SELECT ledger_id FROM ledger").fetchone()[0]
    with within_folder(folder):
        counted = _check_folder(folder, ledger)
        take_back(connections, folder)
        if has_old_files(connections):  # of an archiving that was interrupted
            _publish(connections, folder, ledger, now)
        _clear(connections, folder, counted)
        with connections.reading() as conn:
            months = _months(conn, before)
            outdated = outdated_files(conn)
            open_ones = {name: unsettled(conn, accounts) for name, accounts in months.items()}
            settled = {
                name: [one.account_id for one in accounts if one.account_id not in open_ones[name]]
                for name, accounts in months.items()
            }
            parts = [
                (name, one, settled[name])
                for name, accounts in sorted(months.items())
                if settled[name]
                for one in stretches(conn, accounts[0].limits)
            ]
        moved = [(name, _move(connections, folder, name, stretch, accounts, now)) for name, stretch, accounts in parts]
        for archive_id, emptied in outdated:
            erase(connections, folder, archive_id, emptied)
        _publish(connections, folder, ledger, now)
        with connections.reading() as conn:
            staying = staying_reasons(conn, settled, before)
            reasons = [*waiting_reasons(conn, open_ones), *staying]
    waiting = {name for name, accounts in open_ones.items() if accounts}
    waiting |= {reason.parameters["month"] for reason in staying if reason.code == "no_group"}
    done = sorted({name for name, count in moved if count})
    return Archived(sum(count for _, count in moved), done, sorted(waiting), reasons)


def _check_folder(folder: Path, ledger: str) -> set[str]:
    """Return the files that the folder's manifest counts."""
    finish(folder)
    manifest = read_manifest(folder)
    if manifest is not None and not (manifest.settings.get("archive") and manifest.settings.get("store") == ledger):
        raise StoreError("{folder} is not the archive of this store: choose another folder", folder=str(folder))
    foreign = [file for file in sorted(folder.glob("month=*/*.parquet")) if not ARCHIVED_FILE.fullmatch(file.name)]
    if foreign:
        raise StoreError(
            "{folder} holds {file}, which no archive writes: choose another folder",
            folder=str(folder),
            file=foreign[0].relative_to(folder).as_posix(),
        )
    return set() if manifest is None else {one.file for one in manifest.partitions}


def _publish(connections: Connections, folder: Path, ledger: str, now: float) -> None:
    """Let the manifest name the files that the store has noted; then take away those that it names no more.

    Who reads the folder meanwhile finds all files that the manifest names, whichever it has read.
    """
    with connections.reading() as conn:
        late = write_late(conn, folder)
        write_manifest(folder, archive_manifest(conn, ledger, now, late))
    remove_old_files(connections, folder)
    remove_late(folder, late)


def _clear(connections: Connections, folder: Path, counted: set[str]) -> None:
    """Take out of the folder what was never noted, and note where it is now and which accounts its older files name."""
    with connections.writing() as conn:
        settle_orphans(conn, folder, counted)
        forget_in_orphans(conn, folder)
        compare_older_files(conn, folder)
        if is_archived(conn):
            note_place(conn, folder)


def _months(conn: sqlite3.Connection, before: int) -> dict[str, list[Month]]:
    """Return the months that end before an instant, with their accounts."""
    there = {
        row[0] for row in conn.execute("SELECT account_id FROM accounts")
    }  # not those that were made part of another
    found: dict[str, list[Month]] = {}
    for month in changed_days.changed_months(conn, None):
        if (
            month.kind == MESSAGES
            and month.account_id in there
            and month.month != NEVER
            and month.limits is not None
            and month.limits[1] <= before
        ):
            found.setdefault(month.month, []).append(month)
    return found


def _leaving(conn: sqlite3.Connection, stretch: Stretch, accounts: Sequence[int]) -> Stretch:
    """Return the test for what leaves: accepted messages of which nothing is in doubt.

    The newest message stays, since SQLite would give its number to the next one. So do those that a canary still counts, that stood
    in another batch before, and that were delivered after they had failed, which results count apart.
    """
    held = ", ".join(
        str(row[0]) for row in conn.execute(f"SELECT round_id FROM rounds WHERE canary_state IN {HOLDING}")
    )
    tests = [
        stretch.sql,
        f"m.account_id IN ({', '.join(map(str, accounts))})",
        f"m.status_id {ACCEPTED}",
        "m.submitted_at IS NOT NULL",
        "m.first_failed IS NULL",
        "m.message_id < (SELECT max(message_id) FROM messages)",
        f"ifnull(m.round_id, 0) NOT IN ({held or '-1'})",
        "EXISTS (SELECT 1 FROM batches g WHERE g.batch_id = m.batch_id AND g.msg_group IS NOT NULL AND g.state = 'accepted')",
        "NOT EXISTS (SELECT 1 FROM moved v WHERE v.message_id = m.message_id)",
    ]
    return Stretch(" AND ".join(tests), stretch.values)


def _move(
    connections: Connections, folder: Path, month: str, stretch: Stretch, accounts: Sequence[int], now: float
) -> int:
    """Move the messages of a stretch in one transaction; return how many."""
    with connections.writing(durable=True) as conn:
        rows = PackedRows(conn).read(_leaving(conn, stretch, accounts))
        if not len(rows):
            return 0
        conn.execute("CREATE TEMP TABLE IF NOT EXISTS leaving (message_id INTEGER PRIMARY KEY, evidence TEXT)")
        conn.execute("DELETE FROM leaving")
        ids = [(number,) for number in rows.numbers["message_id"].tolist()]
        conn.executemany("INSERT INTO leaving (message_id) VALUES (?)", ids)
        tables = ArrowMessages(conn, _WHOLE)
        archive_id = conn.execute("SELECT ifnull(max(archive_id), 0) + 1 FROM archive_runs").fetchone()[0]
        name = f"{archive_id:06d}-{secrets.token_hex(4)}"
        file = folder / f"month={month}" / f"{name}.parquet"
        _write(conn, file, tables, rows)
        reports = folder / "_reports" / f"month={month}" / f"{name}.pq"
        _note_evidence(conn)
        write_reports(conn, reports)
        at = rows.numbers["submitted_at"]
        conn.execute(
            "INSERT INTO archive_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                archive_id, month, f"month={month}/{name}.parquet", len(rows), file.stat().st_size, int(at.min()), int(at.max()),
                json.dumps(tables.own, ensure_ascii=False), int(now), checksum_of(file),
            ],
        )  # fmt: skip
        _take_out(conn, archive_id)
        note_place(conn, folder)
        return len(rows)


def _write(conn: sqlite3.Connection, file: Path, tables: ArrowMessages, rows: Rows) -> None:
    draft = draft_of(file)
    with parquet_writer(draft, tables.schema, coded=tables.coded, private=True) as writer:
        writer.write_table(tables.table(rows, tables.texts_of_batches(conn, rows)))
    replace_file(draft, file)


def _note_evidence(conn: sqlite3.Connection) -> None:
    """Note by which signs the reports of what leaves are known again."""
    signs: dict[int, list[str]] = {}
    for message_id, *report in conn.execute(
        "SELECT r.message_id, r.submit_date, r.receive_date, s.code, e.code FROM leaving JOIN reports r USING (message_id)"
        " JOIN codes s ON s.code_id = r.report_status_id JOIN codes e ON e.code_id = r.error_code_id"
    ):
        signs.setdefault(message_id, []).append(evidence(*report))
    conn.executemany(
        "UPDATE leaving SET evidence = ? WHERE message_id = ?",
        [(",".join(each), number) for number, each in signs.items()],
    )


def _take_out(conn: sqlite3.Connection, archive_id: int) -> None:
    conn.execute(
        "INSERT INTO archived (phone, round_id, key, message_id, batch_id, submitted_at, archive_id, evidence, outcome)"
        f" SELECT m.phone, ifnull(m.round_id, 0), m.key, m.message_id, m.batch_id, m.submitted_at, ?, l.evidence, {OUTCOME_SQL}"
        " FROM leaving l JOIN messages m USING (message_id)",
        [archive_id],
    )
    sums = ", ".join(
        f"sum(m.status_id = {int(status)})" for status in (Status.pending, Status.delivered, Status.failed)
    )
    conn.execute(
        f"INSERT INTO archived_batches SELECT m.batch_id, {sums}, sum(ifnull(m.segments, 0) >= 2) FROM leaving JOIN messages m"
        " USING (message_id) GROUP BY m.batch_id ON CONFLICT (batch_id) DO UPDATE SET pending = pending + excluded.pending,"
        " delivered = delivered + excluded.delivered, failed = failed + excluded.failed, long = long + excluded.long"
    )
    for table in ("reports", "messages"):
        conn.execute(f"DELETE FROM {table} WHERE message_id IN (SELECT message_id FROM leaving)")
    conn.execute("DELETE FROM leaving")


def archive_manifest(conn: sqlite3.Connection, ledger: str, now: float, late: Sequence[Partition]) -> Manifest:
    """Return what the archive of a store holds, as the store knows it, with what `late` reports make of it."""
    runs = conn.execute(
        "SELECT archive_id, month, file, messages, size_bytes, first, last, checksum, own_columns FROM archive_runs"
        " ORDER BY archive_id"
    ).fetchall()
    own = list(dict.fromkeys(name for run in runs for name in json.loads(run[-1])))
    partitions = [
        Partition("messages", "", month, file, rows, size, archive_id, first, last, checksum=checksum)
        for archive_id, month, file, rows, size, first, last, checksum, _ in runs
    ]
    settings: dict[str, Any] = {"store": ledger, "archive": True, "phones": "whole", "key": "", "own_columns": own}
    retried = delivered_after_all(conn)
    notes = [failed_before_words(retried).as_json()] if retried else []
    known: dict[str, Any] = {"as_of": None, "end": {}, "gaps": [], "holes": [], "notes": notes}
    kept = {archive_id: json.loads(columns) for archive_id, *_, columns in runs}
    files = [(one.file, [name for name in own if name not in kept[one.generation]]) for one in [*partitions, *late]]
    accounts = dict(conn.execute("SELECT account_id, account FROM accounts").fetchall())
    extra = {
        "late_reports": late_count(conn),
        "lacking": {file: names for file, names in files if names},
        "observed_until": {accounts[account_id]: end for account_id, end in Observation.of(conn).ends.items()},
    }
    return Manifest(settings, len(runs), [*partitions, *late], {}, known, format_instant(int(now)), extra=extra)


def check_before(limit: int, now: float) -> None:
    """Raise if the time before which is archived lies in the future.

    Raises
    ------
    InputError
        If it does.
    """
    if limit > now:
        raise InputError("before= has not come yet: give a time that is past")
