"""Files of messages that are missing, cut short or damaged: found before they are asked, or named when they cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from masanalytics.errors import MasError, StoreError
from masanalytics.export_folder import (
    MANIFEST,
    ExportedFiles,
    Manifest,
    Partition,
    aside_of,
    checksum_of,
    current_file,
    exported_files,
    read_manifest,
)

__all__ = [
    "check_contents",
    "check_sizes",
    "checked_exports",
    "checked_table",
    "damaged",
    "export_of",
    "holds_checksum",
    "naming_damaged",
    "state_of_exported",
    "state_of_files",
    "unreadable",
]


def state_of_files(files: Iterable[str | Path]) -> Hashable | None:
    """Return what is equal as long as files are as they are, by name, size and times; None where one cannot be seen."""
    try:
        known = [(str(file), os.stat(file)) for file in files]  # noqa: PTH116 - thousands of them
    except OSError:
        return None
    return tuple((name, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for name, at in known)


def state_of_exported(files: Sequence[Path]) -> Hashable | None:
    """Return the same of files and of the manifests beside them, which know what the files do not: coverage, holes, ages of today."""
    manifests = sorted({file.parent.parent / MANIFEST for file in files})
    return state_of_files([*files, *(manifest for manifest in manifests if manifest.exists())])


def check_sizes(folder: Path, manifest: Manifest, kinds: Sequence[str]) -> None:
    """Raise if a file of these kinds that a manifest names is not there, or not as long as it was written.

    Raises
    ------
    StoreError
        Naming it, and what brings it back.
    """
    pending, export = set(manifest.pending), export_of(folder, manifest)
    for one in manifest.partitions:
        if one.kind not in kinds:
            continue
        try:
            size = os.stat(current_file(folder, one, pending)).st_size  # noqa: PTH116
        except OSError as error:
            raise damaged(folder / one.file, export=export) from error
        if size != one.size_bytes:
            raise damaged(folder / one.file, export=export)


def check_contents(folder: Path, manifest: Manifest, partitions: Sequence[Partition]) -> None:
    """Raise if a file that is to be read does not hold what was written, as long as the manifest is still that of the folder.

    Engines read on where a bit of a number has turned over. A file is read once for this as long as it stays as it is.

    Raises
    ------
    StoreError
        Naming it, and what brings it back.
    """
    pending = set(manifest.pending)
    for one in partitions:
        if not holds_checksum(current_file(folder, one, pending), one.checksum) and read_manifest(folder) == manifest:
            raise damaged(folder / one.file, export=export_of(folder, manifest))


def checked_exports(files: Sequence[Path]) -> list[ExportedFiles | None]:
    """Return what `exported_files` says of the files of each folder, none of which is damaged.

    Raises
    ------
    StoreError
        As `check_contents`.
    """
    by_folder: dict[Path, list[Path]] = {}
    for file in files:
        by_folder.setdefault(file.parent.parent, []).append(file)
    exports = [exported_files(group) for group in by_folder.values()]
    for found in filter(None, exports):
        check_contents(found.folder, found.manifest, found.partitions)
    return exports


def holds_checksum(file: Path, checksum: int | None) -> bool:
    """Whether a file has this checksum; None: of an earlier version, which knew none."""
    if checksum is None:
        return True
    try:
        return _checksum_once(file, state_of_files([file])) == checksum
    except OSError:
        return False


@lru_cache(maxsize=10_000)
def _checksum_once(file: Path, state: Hashable) -> int:  # noqa: ARG001 - of another state, another content
    return checksum_of(file)


def export_of(folder: Path, manifest: Manifest) -> Path | None:
    """Return the folder of an export, as `damaged` and `naming_damaged` take it; None of an archive."""
    return None if manifest.settings.get("archive") else folder


def unreadable(file: Path) -> StoreError:
    """Return the error that says of any Parquet file that it cannot be read: of an export or archive, what brings it back.

    Which it is the manifest beside it says, whatever has become of the file.
    """
    folder = file.parent.parent
    try:
        manifest = read_manifest(folder)
    except StoreError:
        manifest = None
    if manifest is None or not any(folder / one.file == file for one in manifest.partitions):
        return StoreError("{file} is missing or damaged, or is no Parquet file", file=str(file), retryable=True)
    return damaged(file, export=export_of(folder, manifest))


def damaged(file: Path, *, export: Path | None) -> StoreError:
    """Return the error that says of a file of an export (None: of an archive) that it is missing or damaged, and what brings it back."""
    if export is None and not file.exists() and aside_of(file).exists():
        return StoreError(
            "{file} is missing from the archive: it was set aside as {aside}, and archive() of the store that it is of takes it back",
            file=str(file),
            aside=str(aside_of(file)),
        )
    if export is None:
        return StoreError("{file} is missing from the archive, or damaged: put it back from a copy", file=str(file))
    return StoreError(
        "{file} is missing or damaged: delete it if it is there, then store.export_parquet({folder!r}), called as before,"
        " writes it anew",
        file=str(file),
        folder=str(export),
    )


def checked_table(file: Path, columns: Sequence[str] | None = None, filters: Sequence[Any] | None = None) -> Any:
    """Return a file of an archive as an Arrow table, every page compared with the checksum that was written with it.

    Raises
    ------
    StoreError
        If it is missing, or not what was written, naming it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, tests = None if columns is None else list(columns), None if filters is None else list(filters)
    try:
        return pq.read_table(file, columns=names, filters=tests, partitioning=None, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise damaged(file, export=None) from error


@contextmanager
def naming_damaged(files: Sequence[Path], read: Callable[[Path], Any], *, export: Path | None) -> Iterator[None]:
    """Say which of the files it is, where one of them cannot be read: engines have errors of their own, and some name no file.

    Parameters
    ----------
    read : callable
        What reads a file from end to end.
    export : Path or None
        The folder of the export that they are of; None: of an archive.

    Raises
    ------
    StoreError
        Naming the file.
    """
    try:
        yield
    except MasError:
        raise
    except Exception as error:
        said = str(error)
        for file in sorted(files, key=lambda one: str(one) not in said):
            try:
                read(file)
            except Exception:  # noqa: BLE001 - of any engine
                raise damaged(file, export=export) from error
        raise
