"""A folder of Parquet that a store was exported to, as a source of messages: one state of it, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from os import PathLike
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import ColumnKind, MessageSource, RawCounts, Seconds
from masanalytics.analysis.sources.coverage import coverage_of_manifest
from masanalytics.analysis.sources.damaged_files import (
    check_contents,
    check_sizes,
    export_of,
    naming_damaged,
    state_of_files,
)
from masanalytics.analysis.sources.ledger_parts import LedgerPart
from masanalytics.analysis.sources.lent_rows import Ask, LendsRows, Loan
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.number_totals import NumberTotals, TotalsNumbers
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.parquet_files import opened, read_through
from masanalytics.analysis.sources.united import UnitedMessages
from masanalytics.analysis.sources.watched_until import WatchedUntil, asks_for_long_ages
from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import (
    ARCHIVED_FILE,
    MANIFEST,
    Manifest,
    Partition,
    current_file,
    current_files,
    read_manifest,
)
from masanalytics.paths import full_path
from masanalytics.vocabulary import MESSAGE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExportedMessages", "exports_in"]

_TRIES: Final = 50
_SQLITE: Final = b"SQLite format 3\0"
_WAIT_S: Final = 0.1
_T = TypeVar("_T")


def exports_in(folder: str | PathLike[str]) -> list[ExportedMessages]:
    """Return the exports in a folder: its own, or those of the folders in it, one a store.

    Raises
    ------
    InputError
        If there is none.
    StoreError
        If there is an archive whose first archiving has not ended.
    """
    place = full_path(folder, "data")
    found = [place] if (place / MANIFEST).exists() else sorted(file.parent for file in place.glob(f"*/{MANIFEST}"))
    for each in [] if found == [place] else [place, *(file for file in sorted(place.glob("*")) if file not in found)]:
        _refuse_begun(each)
    if not found:
        raise _no_export(place)
    return [ExportedMessages(each) for each in found]


def _no_export(place: Path) -> InputError:
    """Return the error that says what is in the place of an export, and what to give."""
    whole = next((folder for folder in place.parents if (folder / MANIFEST).exists()), None)
    if whole is not None:
        return InputError(
            "{path} is a part of an export: give its folder, {folder}", path=str(place), folder=str(whole)
        )
    if not place.exists():
        return InputError("there is no folder {folder}", folder=str(place))
    if place.is_file() and _begins_with(place, _SQLITE):
        return InputError("{path} is the file of a store: give mas.Store({path!r})", path=str(place))
    if any(place.glob("month=*/*.parquet")):
        return InputError(
            "{folder} has no _manifest.json, which says which of its files count: give the folder that was exported to, as it was"
            " written",
            folder=str(place),
        )
    return InputError(
        "{folder} holds no export of a store: store.export_parquet(folder) makes one. Other Parquet files are opened with DuckDB or"
        " polars first",
        folder=str(place),
    )


def _begins_with(file: Path, sign: bytes) -> bool:
    with file.open("rb") as content:
        return content.read(len(sign)) == sign


def _refuse_begun(folder: Path) -> None:
    """Raise if a folder has files of an archive and no manifest yet: its messages are in no export."""
    if any(ARCHIVED_FILE.fullmatch(file.name) for file in folder.glob("month=*/*.parquet")):
        raise StoreError(
            "{folder} is an archive without a manifest, since the first store.archive(before, folder) has not ended or was interrupted:"
            " run it again, which ends it. mas.Archive(folder, store) counts all meanwhile",
            folder=str(folder),
        )


class ExportedMessages:
    """One export as a source of messages, read by DuckDB where it is installed, else by polars or pandas.

    Files are replaced while somebody reads. Each question is therefore asked of the files that a manifest names, and asked again if
    that has been replaced meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def phone_style(self) -> str:
        """How numbers stand in it."""
        return self._manifest().phone_style

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    def ledger_part(self) -> LedgerPart:
        """Return of which store it is, and what of it."""
        return LedgerPart.of_folder(self._folder, self._manifest())

    def state(self) -> Hashable:
        """Return what is equal as long as the same files count and are as they were written; None where one is missing."""
        manifest = self._manifest()
        files = [
            file for kind in ("messages", "uplinks", "late") for file in current_files(self._folder, manifest, kind)
        ]
        # The manifest too: of two exports in one second it alone may differ.
        seen = state_of_files([*files, self._folder / MANIFEST])
        written = (manifest.settings["store"], manifest.generation, manifest.written_at, *manifest.turn.values())
        return None if seen is None else ("export", str(self._folder), *written, seen)

    def message_columns(self) -> Sequence[str]:
        """Return the columns of its files."""
        return [*MESSAGE_COLUMNS, *self._manifest().settings["own_columns"]]

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count messages where they are."""
        return self._of_one_state(
            lambda source: RawCounts(*source.grouped_count(by, where=where, seconds=seconds)), where, seconds
        )

    def estimated_count(self, where: Filters) -> int:
        """Return 0: to count is a query of its own, and a part of the rows is not read faster than all of them."""
        return self._of_one_state(lambda source: source.estimated_count(where), where)

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`."""
        return self._of_one_state(lambda source: source.message_rows(columns, where=where), where)

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return what the messages of each number come to; None where that takes their rows."""
        return self._of_one_state(
            lambda source: source.number_totals(where, among) if isinstance(source, TotalsNumbers) else None, where
        )

    def lend_rows(self, loan: Loan, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds out of the accepted messages; None where their rows have to be read."""
        return self._of_one_state(
            lambda source: source.lend_rows(loan, ask) if isinstance(source, LendsRows) else None, loan.where
        )

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds."""
        kind = MESSAGE_COLUMNS.get(name, "str" if name in self.message_columns() else "")
        return "text" if kind == "str" else "number" if "nt64" in kind else None

    def repeated_messages(self) -> int:
        """Return 0: an export has each message once."""
        return 0

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return how far and when reports had been fetched when it was written, as far as it concerns messages that pass `where`."""
        return self.coverage_within(where, self.grouped_count)

    def coverage_within(self, where: Filters, count: Callable[..., RawCounts]) -> Mapping[str, Any]:
        """Return the same where `count` counts the messages of the store, those that were archived too."""
        return coverage_of_manifest(self._manifest(), where, count)

    def uplinks(self) -> pd.DataFrame | None:
        """Return its replies, with the columns of ``Store.uplinks()``; None where they were not exported."""
        import pandas as pd

        if not self._manifest().extra.get("uplinks"):
            return None

        def read(files: list[Path]) -> pd.DataFrame:
            columns = ("uplink_id", "poll_id", "message_id", "campaign", "account", "phone", "content", "add_serial", "sent_at",
                       "send_time", "opt_out")  # fmt: skip
            tables = [pd.read_parquet(file) for file in files]
            return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)

        return self._while_unchanged(
            lambda manifest: read(self._files(manifest, [one for one in manifest.partitions if one.kind == "uplinks"])),
            kinds=["uplinks"],
        )

    def _manifest(self) -> Manifest:
        manifest = _manifest_of(self._folder)
        if manifest is None:
            raise InputError("{folder} holds no export of a store any more", folder=str(self._folder))
        return manifest

    def _of_one_state(
        self, question: Callable[[MessageSource], _T], where: Filters, seconds: Seconds | None = None
    ) -> _T:
        def asked(manifest: Manifest) -> _T:
            # What an earlier version wrote may lack columns, a file more than another.
            are_alike = manifest.settings.get("columns") == [*MESSAGE_COLUMNS]
            own = manifest.settings["own_columns"]
            chosen = [_concerned(each, where) for each in _with_same_columns(manifest, "messages")] or [[]]
            # What was written may have been watched for longer since; of an export only long ages are a matter of it.
            is_longer = bool(manifest.settings.get("archive")) or asks_for_long_ages(where, seconds)
            sources = [_opened(self._files(manifest, each), own=own, are_alike=are_alike) for each in chosen]
            late = [opened(self._files(manifest, each), own=own) for each in _with_same_columns(manifest, "late")]
            if is_longer:
                watched = WatchedUntil.of(manifest, manifest.partitions)
                sources = [one.watched_until(watched) if isinstance(one, NarwhalsMessages) else one for one in sources]
                late = [one.watched_until(watched) for one in late]
            return question(_as_one(sources, late))

        return self._while_unchanged(asked, kinds=["messages", "late"])

    def _files(self, manifest: Manifest, partitions: Sequence[Partition]) -> list[Path]:
        check_contents(self._folder, manifest, partitions)
        pending = set(manifest.pending)
        return [current_file(self._folder, one, pending) for one in partitions]

    def _while_unchanged(self, question: Callable[[Manifest], _T], *, kinds: Sequence[str]) -> _T:
        """Ask, and again until the manifest is the same before and after.

        Raises
        ------
        StoreError
            If a file is missing or damaged, naming it and what brings it back.
        """
        for _ in range(_TRIES):
            manifest = self._manifest()
            try:
                check_sizes(self._folder, manifest, kinds)
                answer = question(manifest)
            except Exception:
                # A file that was replaced between its being named and opened, by whatever name its reader calls that.
                if self._manifest() == manifest and not manifest.pending:
                    files = [file for kind in kinds for file in current_files(self._folder, manifest, kind)]
                    with naming_damaged(files, read_through, export=export_of(self._folder, manifest)):
                        raise
            else:
                if self._manifest().generation == manifest.generation:
                    return answer
            sleep(_WAIT_S)
        raise StoreError(
            "{folder} is being written all the time: ask again later", folder=str(self._folder), retryable=True
        )


def _manifest_of(folder: Path) -> Manifest | None:
    """Return the folder's manifest, read once as long as it is the same file: of many files it is long."""
    try:
        at = (folder / MANIFEST).stat()
    except OSError:
        return read_manifest(folder)
    return _read_once(folder, (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns))


@lru_cache(maxsize=32)
def _read_once(folder: Path, state: tuple[int, ...]) -> Manifest | None:  # noqa: ARG001 - of another state, another manifest
    return read_manifest(folder)


def _concerned(partitions: Sequence[Partition], where: Filters) -> list[Partition]:
    """Return the files of messages in which one can pass `where`, by account and time; the first file where there is none."""
    accounts = where.values.get("account")
    known = None if accounts is None or None in accounts else {"", *map(str, accounts)}
    since, until = where.since, where.until

    def can_pass(one: Partition) -> bool:
        if known is not None and one.account not in known:
            return False
        if one.first is None or one.last is None:
            return True
        return (since is None or one.last >= since) and (until is None or one.first < until)

    return [one for one in partitions if can_pass(one)] or list(partitions[:1])


def _with_same_columns(manifest: Manifest, kind: str) -> list[list[Partition]]:
    """Return the files of a kind, those that have the same columns of the user's own together: what a file lacks was not kept."""
    lacking = manifest.extra.get("lacking", {})
    found: dict[tuple[str, ...], list[Partition]] = {}
    for one in manifest.partitions:
        if one.kind == kind:
            found.setdefault(tuple(lacking.get(one.file, ())), []).append(one)
    return list(found.values())


def _as_one(sources: Sequence[MessageSource], late: Sequence[NarwhalsMessages]) -> MessageSource:
    """Return messages as one source: of those of an archive that were reported late what late rows say."""
    ids = [number for one in late for number in one.message_rows(["message_id"], where=Filters())["message_id"]]
    others = [one.without(ids) if ids and isinstance(one, NarwhalsMessages) else one for one in sources]
    parts: list[MessageSource] = [*others, *late]
    return parts[0] if len(parts) == 1 else UnitedMessages(parts, apart=0)


def _opened(files: Sequence[Path], *, own: Sequence[str], are_alike: bool) -> MessageSource:
    import pandas as pd

    if not files:
        return PandasMessages(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in MESSAGE_COLUMNS.items()}))
    return opened(files, own=own, are_alike=are_alike)
