"""Archived and live messages together, as one source of messages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import pandas as pd

from masanalytics.analysis.filter_checks import narrowed
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import ColumnKind, MessageSource, RawCounts, Seconds
from masanalytics.analysis.sources.damaged_files import damaged, holds_checksum, naming_damaged, state_of_files
from masanalytics.analysis.sources.folders import exports_in
from masanalytics.analysis.sources.ledger_parts import LedgerPart
from masanalytics.analysis.sources.lent_rows import Ask, LendsRows, Loan
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.number_totals import NumberTotals, TotalsNumbers
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.parquet_files import in_memory, opened, read_through
from masanalytics.analysis.sources.united import UnitedMessages
from masanalytics.analysis.sources.watched_until import WatchedUntil
from masanalytics.clock import Clock
from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import aside_of
from masanalytics.i18n import speaks
from masanalytics.near_names import suggests_names
from masanalytics.paths import full_path
from masanalytics.store.archive_erasing import erased_rows, not_yet_erased, texts_of_forgotten
from masanalytics.store.archive_place import check_place, stand_ins
from masanalytics.store.archive_renames import renames_by_file
from masanalytics.store.late_reports import amended, late_failures, late_messages
from masanalytics.store.observation import Observation
from masanalytics.store.part_rules import by_part_accounts
from masanalytics.store.sql_count import StoredMessages, failed_before_words
from masanalytics.store.store import Store
from masanalytics.vocabulary import MESSAGE_COLUMNS

if TYPE_CHECKING:
    from masanalytics.store.history import History
    from masanalytics.store.sends import Sends

__all__ = ["Archive"]

_T = TypeVar("_T")
_TRIES: Final = 50


@suggests_names
class Archive:
    """The messages that `Store.archive` moved, and the live ones of their store, for every function that takes a Store to analyse.

    Parameters
    ----------
    folder : str or Path
        The archive.
    store : Store, optional
        The store it was made from. Without it only what is archived is there, with the reports that had come when `Store.archive` was last
        called.

    Raises
    ------
    InputError
        If there is no store, nor an archive in the folder. With a store the folder may be empty yet.
    StoreError
        When it is asked: if a file of the archive is missing or damaged, naming it, or the archive is of another store.

    Examples
    --------
    >>> import masanalytics as mas
    >>> store = mas.Store(":memory:")
    >>> Archive(store.path.parent / "archive", store).messages().empty  # nothing was archived yet
    True
    """

    def __init__(self, folder: str | Path, store: Store | None = None) -> None:
        if not isinstance(store, Store | None):
            raise InputError("store={store!r}: give the Store itself, Archive(folder, Store(path))", store=store)
        self.folder = full_path(folder, "folder")
        self.store = store
        self.message_source: MessageSource = (
            exports_in(self.folder)[0] if store is None else _ArchiveMessages(self.folder, store)
        )

    def messages(self, campaign: str | Sequence[str] | None = None, **filters: object) -> pd.DataFrame:
        """Return messages, live and archived, with the columns of `Store.messages`; it takes the same filters.

        Proofs are there where their campaign is named.
        """
        where = Filters.parse({"campaign": campaign, **filters})
        if self.store is not None:
            self.store.sends.check_campaigns(where)
        columns = self.message_source.message_columns()
        pushed, derived = narrowed(self.message_source, where)
        if derived:
            raise InputError(
                "messages cannot be narrowed by {name!r} here: take the rows that have it", name=next(iter(derived))
            )
        rows = self.message_source.message_rows(columns, where=pushed).sort_values("message_id", ignore_index=True)
        kinds = {name: kind for name, kind in MESSAGE_COLUMNS.items() if kind in ("str", "Int64", "int64")}
        return rows.astype({**dict.fromkeys(set(columns) - set(MESSAGE_COLUMNS), "str"), **kinds})

    def uplinks(self, campaign: str | None = None) -> pd.DataFrame:
        """Return the replies, which stay in the store."""
        return self._of_store.uplinks(campaign)

    def batches(self, campaign: str | None = None) -> pd.DataFrame:
        """Return the batches, which stay in the store."""
        return self._of_store.batches(campaign)

    def held_out(self, campaign: str | None = None, round: str | None = None) -> pd.DataFrame:  # noqa: A002
        """Return who is in a silent arm: the store knows."""
        return self._of_store.held_out(campaign, round)

    @property
    def clock(self) -> Clock:
        """What time it is: of the store."""
        return self._of_store.clock

    @property
    def sends(self) -> Sends:
        """What sending knows: of the store."""
        return self._of_store.sends

    def campaigns(
        self,
        *,
        by: Literal["campaign", "month"] = "campaign",
        price: float | Mapping[str, float] | None = None,
        **where: object,
    ) -> pd.DataFrame:
        """Return the campaigns, live and archived, as `Store.campaigns` does."""
        from masanalytics.store.campaigns import campaign_table

        reading = self._of_store._connections.reading  # noqa: SLF001 - of one room
        return _ArchiveMessages(self.folder, self._of_store).of_one_state(
            lambda: campaign_table(self, reading, by, price, where)
        )

    @speaks
    def history(self, phone: object, *, reveal: bool = False, language: str | None = None) -> History:
        """Return what one person got, live and archived, as `Store.history` does."""
        from masanalytics.store.history import one_number, read_history

        number, source = one_number(phone), _ArchiveMessages(self.folder, self._of_store)

        def archived(names: list[str]) -> pd.DataFrame:
            where = Filters({"phone": tuple(dict.fromkeys(names))})
            return source.archived_rows(source.message_columns(), where)

        def found() -> History:
            with self._of_store._connections.reading() as conn:  # noqa: SLF001 - of one room
                return read_history(conn, number, reveal=reveal, archived=archived)

        return source.of_one_state(found)

    def __repr__(self) -> str:
        return f"Archive({self.folder}, {self.store!r})"

    @property
    def _of_store(self) -> Store:
        if self.store is None:
            raise InputError("that is in the store: mas.Archive(folder, store)")
        return self.store


class _ArchiveMessages:
    """Archived and live messages as one source, in one state of the file: what moves meanwhile is counted once."""

    phone_style = "whole"

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._connections = store._connections  # noqa: SLF001 - of one room
        self._live = StoredMessages(self._connections)

    def state(self) -> Hashable | None:
        """Return what is equal as long as nothing changes, neither the store nor a file of the archive."""
        live = self._live.state()
        with self._connections.reading() as conn:
            seen = state_of_files(self._files(conn))
        return None if live is None or seen is None else ("archive", str(self._folder), live, seen)

    def ledger_part(self) -> LedgerPart:
        """Return of which store it is: all of it."""
        return replace(self._live.ledger_part(), name=f"Archive({self._folder})", holds="everything")

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count in both."""
        return self._asked(lambda source: RawCounts(*source.grouped_count(by, where=where, seconds=seconds)))

    def estimated_count(self, where: Filters) -> int:  # noqa: ARG002
        """Return 0: a part of an archive is not read faster than all of it."""
        return 0

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`."""
        return self._asked(lambda source: source.message_rows(columns, where=where))

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the accepted messages of each number, added up; None where no engine can."""
        return self._asked(
            lambda source: source.number_totals(where, among) if isinstance(source, TotalsNumbers) else None
        )

    def lend_rows(self, loan: Loan, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds out of the accepted messages; None where their rows have to be read."""
        return self._asked(lambda source: source.lend_rows(loan, ask) if isinstance(source, LendsRows) else None)

    def archived_rows(self, columns: Sequence[str], where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where` and have left the file."""

        def found() -> pd.DataFrame:
            with self._moved() as parts:
                if not parts:
                    return pd.DataFrame(columns=list(columns))
                return UnitedMessages(parts, apart=0).message_rows(columns, where=where)

        return self.of_one_state(found)

    def of_one_state(self, ask: Callable[[], _T]) -> _T:
        """Ask, and again where files were written anew meanwhile: who began before does not find the older ones any more."""
        for _ in range(_TRIES):
            files = self._known_files()
            try:
                return ask()
            except StoreError:
                if self._known_files() == files:
                    raise
        return ask()

    def message_columns(self) -> Sequence[str]:
        """Return the columns messages have: the store knows all that were ever kept."""
        return self._live.message_columns()

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds."""
        return self._live.column_kind(name)

    def meant_shares(self, where: Filters) -> Mapping[str, float]:
        """Return the shares that arms were meant to have: the store knows."""
        return self._live.meant_shares(where)

    def repeated_messages(self) -> int:
        """Return 0: each message is in one of the two."""
        return 0

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return how far and when reports were fetched: the store knows."""
        found = dict(self._live.coverage_summary(where))
        notes = [note for note in found["notes"] if note.code not in ("archived", "failed_before")]
        before = [note.parameters["count"] for note in found["notes"] if note.code == "failed_before"]
        if count := sum(before) + self._delivered_after_all(where):
            notes.append(failed_before_words(count))
        return {**found, "notes": notes}

    def _asked(self, question: Callable[[MessageSource], _T]) -> _T:
        def asked() -> _T:
            with self._united() as source:
                return question(source)

        return self.of_one_state(asked)

    @contextmanager
    def _united(self) -> Iterator[MessageSource]:
        with self._moved() as parts:
            yield UnitedMessages([*parts, self._live], apart=0)

    @contextmanager
    def _moved(self) -> Iterator[list[MessageSource]]:
        """Yield the archived messages, as they stand now."""
        with self._written() as (conn, archived):
            changed, rows = _changed_rows(conn, archived)
            parts: list[MessageSource] = [part.without(changed) if changed else part for part in archived]
            yield [*parts, in_memory(rows) or PandasMessages(rows)] if changed else parts

    @contextmanager
    def _written(self) -> Iterator[tuple[sqlite3.Connection, list[NarwhalsMessages]]]:
        """Yield the archived messages, as they were when their files were written."""
        with (
            self._connections.reading(sorts_all=True) as conn,
            naming_damaged(self._files(conn), read_through, export=None),
        ):
            yield conn, self._archived(conn)

    def _delivered_after_all(self, where: Filters) -> int:
        """Return how many of the archived messages asked about are delivered, and failed in their file or by a late report."""
        ids = self.of_one_state(self._failed_of_late)
        rows = self.message_rows(["status"], where=where.among(ids)) if ids else None
        return 0 if rows is None else int((rows["status"] == "delivered").sum())

    def _failed_of_late(self) -> list[int]:
        """Return those with late reports that failed, in their file or by one of these."""
        with self._written() as (conn, archived):
            late = late_messages(conn)
            if not late:
                return []
            failed = Filters({"message_id": tuple(late), "status": ("failed",)})
            in_file = UnitedMessages(archived, apart=0).message_rows(["message_id"], where=failed)["message_id"]
            return sorted({*in_file.tolist(), *late_failures(conn)})

    def _known_files(self) -> list[Path]:
        with self._connections.reading() as conn:
            return self._files(conn)

    def _files(self, conn: sqlite3.Connection) -> list[Path]:
        """Return the files of the archive."""
        return [self._folder / row[0] for row in conn.execute("SELECT file FROM archive_runs ORDER BY archive_id")]

    def _archived(self, conn: sqlite3.Connection) -> list[NarwhalsMessages]:
        """Return the files, as of now, those with the same columns and names of accounts together."""
        check_place(conn, self._folder)
        seen = Observation.of(conn)
        names = dict(conn.execute("SELECT account_id, account FROM accounts").fetchall())
        watched = WatchedUntil(
            {names[account_id]: end for account_id, end in seen.ends.items()},
            {names[account_id]: cut for account_id, cut in seen.cut.items()},
        )
        by_part = {names[account_id] for account_id in by_part_accounts(conn)}
        runs = conn.execute("SELECT file, own_columns, size_bytes, checksum FROM archive_runs ORDER BY archive_id")
        known = [(self._folder / file, *run) for file, *run in runs]
        for path, _, size, checksum in known:
            others = [] if path.exists() or aside_of(path).exists() else stand_ins(path)
            if others:
                raise StoreError(
                    "{file} is missing from the archive: another copy of the store wrote it anew, as {other}, and archive() of this"
                    " one takes that",
                    file=str(path),
                    other=str(others[0]),
                )
            if not path.exists() or path.stat().st_size != size or not holds_checksum(path, checksum):
                raise damaged(path, export=None)
        called = renames_by_file(conn, self._folder)
        files: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], list[Path]] = {}
        for path, own, _, _ in known:
            renames = called.get(path.relative_to(self._folder).as_posix(), {})
            files.setdefault((tuple(sorted(json.loads(own))), tuple(renames.items())), []).append(path)
        return [
            opened(group, own=own_columns).renamed(dict(renames)).watched_until(watched).reported_by_part(by_part)
            for (own_columns, renames), group in files.items()
        ]


def _changed_rows(conn: sqlite3.Connection, archived: Sequence[NarwhalsMessages]) -> tuple[list[int], pd.DataFrame]:
    """Return which archived messages have changed since their file was written, and these as they are now.

    A report came late, or a person was forgotten, which the next archiving writes into the files.
    """
    late, (names, emptied) = late_messages(conn), not_yet_erased(conn)
    changed = sorted({*late, *names})
    if not changed:
        return changed, pd.DataFrame()
    united = UnitedMessages(archived, apart=0)
    rows = united.message_rows(united.message_columns(), where=Filters({"message_id": tuple(changed)}))
    is_late = rows["message_id"].isin(late)
    if is_late.any():
        rows = pd.concat([amended(conn, rows[is_late]), rows[~is_late]], ignore_index=True)
    return changed, erased_rows(rows, names, emptied, texts_of_forgotten(conn, names))
