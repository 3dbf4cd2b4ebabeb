"""Messages and replies as Parquet, a file an account and month, for DuckDB, Spark, polars or pandas on another machine.

Only what has changed is written again (`masanalytics.store.changed_days`); how files are replaced is told in
`masanalytics.export_folder`.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from masanalytics.analysis.filters import Filters
from masanalytics.errors import MissingExtraError, StoreError
from masanalytics.export_folder import (
    MANIFEST,
    Manifest,
    Partition,
    checksum_of,
    commit,
    current_files,
    draft_of,
    finish,
)
from masanalytics.i18n import Text
from masanalytics.own_columns import name_in_files
from masanalytics.paths import alone_with
from masanalytics.store import changed_days, kept_columns
from masanalytics.store.archived_rows import archived_by_month
from masanalytics.store.arrow_messages import ArrowMessages
from masanalytics.store.changed_days import MESSAGES, UPLINKS, Month, Turn
from masanalytics.store.database import Connections
from masanalytics.store.exported_uplinks import write_uplinks
from masanalytics.store.late_reports import late_count
from masanalytics.store.observation import Observation
from masanalytics.store.packed_rows import PackedRows, stretches
from masanalytics.store.part_rules import by_part_accounts
from masanalytics.store.partition_writers import PartitionWriters
from masanalytics.store.phone_styles import PhoneStyle
from masanalytics.store.sql_count import StoredMessages
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import MESSAGE_COLUMNS, SETTLED_S

__all__ = ["Export", "export_parquet", "need_pyarrow", "partition_name", "within_folder"]

_KINDS: Final = {MESSAGES: "messages", UPLINKS: "uplinks"}


@dataclass(frozen=True)
class Export:
    """What an export is asked for.

    Attributes
    ----------
    style : PhoneStyle
        How numbers are shown.
    uplinks : bool
        Whether replies are written too.
    now : float
        The time.
    """

    style: PhoneStyle
    uplinks: bool
    now: float


def export_parquet(connections: Connections, folder: Path, asked: Export) -> list[Path]:
    """Bring a folder up to date; return the files of messages in it.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    StoreError
        If the folder cannot be made or written, naming it and the cause, or belongs to another store.
    """
    need_pyarrow()
    with within_folder(folder):
        before = finish(folder)
        with (
            suppress(StoreError),
            connections.writing() as conn,
        ):  # a file that may only be read is exported all the same
            changed_days.new_turn(conn)
        try:
            with connections.reading() as conn:
                manifest = _Run(
                    conn, folder, asked, before, StoredMessages(connections).coverage_summary(Filters())
                ).written()
            manifest = commit(folder, manifest, before=before) if manifest != before else manifest
        except BaseException:
            with suppress(OSError, StoreError):
                finish(folder)  # takes the drafts away
            raise
        return current_files(folder, manifest)


def need_pyarrow() -> None:
    """Raise if pyarrow is not installed.

    Raises
    ------
    MissingExtraError
        Saying how it is installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError.of("parquet", "pyarrow", Text("writing {kind}", kind=".parquet")) from error


@contextmanager
def within_folder(folder: Path) -> Iterator[None]:
    """Work in a folder that nobody else writes meanwhile, and say which file was in the way.

    Raises
    ------
    StoreError
        Naming the file and the cause.
    """
    try:
        folder.mkdir(exist_ok=True)
        with alone_with(folder / MANIFEST):
            yield
    except OSError as error:
        raise StoreError(
            "{folder} cannot be written: {why}", folder=str(error.filename or folder), why=error.strerror or str(error)
        ) from error


def partition_name(account: str) -> str:
    """Return an account's name as the name of a file: no two accounts have the same, on any system.

    Examples
    --------
    >>> partition_name("shop/ap")
    'shop-ap-0b63d27a'
    """
    readable = re.sub(r"[^\w]+", "-", account).strip("-")[:40]
    return f"{readable}-{hashlib.sha256(account.encode()).hexdigest()[:8]}"


def _without_manifest(folder: Path) -> Path | None:
    """Return a file of messages or replies that no manifest knows; None where there is none but those of 0.1.0, which are replaced."""
    known = (*folder.glob("month=*/*.parquet"), *folder.glob("_uplinks/month=*/*.pq"))
    return next((file for file in sorted(known) if file.name != "messages.parquet"), None)


class _Run:
    """One export: one state of the file, compared with what the folder holds."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        folder: Path,
        asked: Export,
        before: Manifest | None,
        coverage: Mapping[str, Any],
    ) -> None:
        self._conn, self._folder, self._asked = conn, folder, asked
        self._own = kept_columns.column_names(conn)
        self._seen = Observation.of(conn)
        self._accounts = dict(conn.execute("SELECT account_id, account FROM accounts").fetchall())
        self._turn = changed_days.latest_turn(conn)
        ledger = conn.execute("SELECT ledger_id FROM ledger").fetchone()[0]
        if before is not None and (before.settings.get("store") != ledger or before.settings.get("archive")):
            raise StoreError(
                "{folder} holds the export of another store, or an archive: give each a folder of its own",
                folder=str(folder),
            )
        if before is None and (strange := _without_manifest(folder)) is not None:
            raise StoreError(
                "{folder} has no _manifest.json, and {file} would stay and count beside the new files: export into an empty folder, or"
                " delete what is in it",
                folder=str(folder),
                file=strange.relative_to(folder).as_posix(),
            )
        self._settings = {
            "store": ledger,
            **asked.style.settings,
            "own_columns": self._own,
            "columns": [*MESSAGE_COLUMNS],
            "by_part": sorted(self._accounts[number] for number in by_part_accounts(conn)),
        }
        if renamed := [name for name in self._own if name_in_files(name) != name]:
            self._settings["renamed"] = renamed
        self._coverage = {**coverage, "notes": [note.as_json() for note in coverage["notes"]]}
        self._before = before
        self._known = {
            (one.kind, one.account, one.month): one
            for one in (before.partitions if before and before.settings == self._settings else ())
        }

    @cached_property
    def _tables(self) -> ArrowMessages:
        """What makes tables of messages: where nothing is written, the texts of all columns need not be read."""
        return ArrowMessages(self._conn, self._asked.style)

    def written(self) -> Manifest:
        """Write the drafts of all files that differ; return the manifest that makes them count."""
        before, generation = self._before, (self._before.generation + 1 if self._before else 1)
        same = before is not None and before.settings == self._settings
        since = Turn(**before.turn) if before is not None and same else None
        months = changed_days.changed_months(self._conn, since)
        kept, todo, lost = self._sorted(months)
        fresh = [*self._write_messages(todo, generation), *self._write_uplinks(todo, generation)]
        losers = [one for one in fresh if (one.kind, one.account, one.month) in lost]
        settings, turn = self._settings, self._turn._asdict()
        extra = {
            "uplinks": self._asked.uplinks,
            "archived": archived_by_month(self._conn),
            "late_reports": late_count(self._conn),
            "observed_until": {
                self._accounts[number]: end for number, end in self._seen.ends.items() if number in self._accounts
            },
        }
        if before is not None and not fresh and same and len(kept) == len(before.partitions):
            if (dict(before.turn), before.coverage, before.extra) == (turn, self._coverage, extra):
                return before
            written_at = format_instant(int(self._asked.now))
            return replace(before, turn=turn, coverage=self._coverage, extra=extra, written_at=written_at)
        others = [one.file for one in fresh if one not in losers]
        return Manifest(
            settings, generation, sorted([*kept, *fresh], key=lambda one: one.file), turn, self._coverage,
            format_instant(int(self._asked.now)), [*(one.file for one in losers), *others], self._taken_away(losers), extra,
        )  # fmt: skip

    def _taken_away(self, losers: Sequence[Partition]) -> list[str]:
        """Return the files that are missing for a moment: of months that may have exchanged messages, all but the first; older ones."""
        gone = []
        for account in {one.account for one in losers}:
            months = [one for one in losers if one.account == account and one.month != changed_days.NEVER]
            gone += [one.file for one in months[1:]]
        if self._before is None:  # an earlier version wrote a file a month
            gone += [f"{file.parent.name}/{file.name}" for file in self._folder.glob("month=*/messages.parquet")]
        return gone

    def _sorted(
        self, months: Mapping[Month, tuple[bool, bool]]
    ) -> tuple[list[Partition], list[Month], set[tuple[str, str, str]]]:
        """Return the files that stay, the months to be written, and which of those have lost something."""
        kept: list[Partition] = []
        todo: list[Month] = []
        lost: set[tuple[str, str, str]] = set()
        for month, (changed, has_lost) in months.items():
            if month.account_id not in self._accounts or (month.kind == UPLINKS and not self._asked.uplinks):
                continue
            key = (_KINDS[month.kind], self._accounts[month.account_id], month.month)
            known = self._known.get(key)
            is_new = month.kind == UPLINKS and (self._before is None or not self._before.extra.get("uplinks"))
            if not changed and not is_new and (known is None or self._is_current(known, month)):
                kept += [known] if known else []
                continue
            todo.append(month)
            if has_lost:
                lost.add(key)
        return kept, todo, lost

    def _is_current(self, known: Partition, month: Month) -> bool:
        file = self._folder / known.file
        there = file.exists() and file.stat().st_size == known.size_bytes
        return there and known.observed == self._observed(month.account_id, known.first, known.last)

    def _observed(self, account_id: int, first: int | None, last: int | None) -> str:
        """Return up to when messages of a time had been watched, as far as that changes anything."""
        if first is None or last is None:
            return ""
        end = min(self._seen.ends.get(account_id, 0), last + SETTLED_S)
        cuts = [one for one in self._seen.cut.get(account_id, ()) if one.first <= last and one.last >= first]
        return Partition.as_observed(end, cuts)

    def _write_messages(self, todo: Iterable[Month], generation: int) -> Iterator[Partition]:
        by_month: dict[str, list[Month]] = defaultdict(list)
        for month in todo:
            if month.kind == MESSAGES:
                by_month[month.month].append(month)
        packed = PackedRows(self._conn)
        for name, months in sorted(by_month.items()):
            files = {
                month.account_id: f"month={name}/{partition_name(self._accounts[month.account_id])}.parquet"
                for month in months
            }
            paths = {account_id: draft_of(self._folder / file) for account_id, file in files.items()}
            writers = PartitionWriters(self._conn, self._tables, paths, private=self._is_private)
            done = writers.write(packed.read(one) for one in stretches(self._conn, months[0].limits))
            for account_id, (rows, first, last, as_of) in done.items():
                draft, seen = paths[account_id], self._observed(account_id, first, last)
                yield Partition(
                    "messages", self._accounts[account_id], name, files[account_id], rows, draft.stat().st_size, generation, first,
                    last, seen, as_of, checksum_of(draft)
                )  # fmt: skip

    def _write_uplinks(self, todo: Iterable[Month], generation: int) -> Iterator[Partition]:
        for month in todo:
            if month.kind != UPLINKS:
                continue
            account = self._accounts[month.account_id]
            file = f"_uplinks/month={month.month}/{partition_name(account)}.pq"
            draft = draft_of(self._folder / file)
            rows = write_uplinks(self._conn, month, draft, self._asked.style, private=self._is_private)
            if rows:
                size, checksum = draft.stat().st_size, checksum_of(draft)
                yield Partition("uplinks", account, month.month, file, rows, size, generation, checksum=checksum)

    @property
    def _is_private(self) -> bool:
        return self._asked.style.phones == "whole"
