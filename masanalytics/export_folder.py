"""A folder of Parquet files and its manifest: what is in it, and how its files are replaced.

One file an account and month, always under the same name, so that a listing of ``folder/**/*.parquet`` shows each of them once. A new
version of a file is written beside it as a draft, under a name that no such listing shows. When all drafts are on disk, a manifest
that names them is put in place; from then on they count. Then each draft takes the place of its file, in one step. Whoever is
interrupted before the manifest leaves the folder as it was, whoever is interrupted after it leaves work that the next one ends:
reading by the manifest (`current_files`) shows the same either way.

Files that have lost a message to another file are put in place first: whoever lists the folder in that moment misses the message,
and does not see it twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from masanalytics.errors import StoreError
from masanalytics.paths import remove_file, replace_file

__all__ = [
    "ARCHIVED_FILE",
    "MANIFEST",
    "SCHEMA_VERSION",
    "ExportedFiles",
    "Manifest",
    "Partition",
    "aside_of",
    "checksum_of",
    "commit",
    "current_file",
    "current_files",
    "exported_files",
    "finish",
    "name_beside",
    "read_manifest",
    "sync_file",
]

MANIFEST: Final = "_manifest.json"
SCHEMA_VERSION: Final = 1
ARCHIVED_FILE: Final = re.compile(r"\d{6,}-[0-9a-f]{8}\.parquet")
"""What the files of an archive are called."""
DRAFT: Final = ".draft"
_ASIDE: Final = ".orphan"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Partition:
    """One file.

    Attributes
    ----------
    kind : str
        ``messages``, ``uplinks``, ``late`` (archived messages as late reports have left them) …
    account, month : str
        Whose, and of which month (``YYYY-MM``, China time; ``unsent`` for messages that were never submitted).
    file : str
        Its path within the folder, with ``/``.
    rows, size_bytes : int
        How many rows and bytes it has.
    generation : int
        The export that wrote it.
    first, last : int, optional
        The first and last time of submission in it, epoch seconds.
    observed : str
        Up to when its messages had been watched, as far as that mattered.
    as_of : int, optional
        The latest ``submitted_at + waited_s`` of its messages, epoch seconds; None where none has waited.
    checksum : int, optional
        Its `checksum_of`; None of a file of an earlier version.
    """

    kind: str
    account: str
    month: str
    file: str
    rows: int
    size_bytes: int
    generation: int
    first: int | None = None
    last: int | None = None
    observed: str = ""
    as_of: int | None = None
    checksum: int | None = None

    @staticmethod
    def as_observed(end: int, cut: Iterable[tuple[int, int, int]]) -> str:
        """Return `observed` of messages that have been watched until `end`, those of `cut` for a shorter time."""
        return " ".join([str(end), *(f"{first}-{last}:{earlier}" for first, last, earlier in cut)])

    @property
    def cut(self) -> list[tuple[int, int, int]]:
        """Which of them have been watched for a shorter time than the others: submitted from, to, and watched until.

        Examples
        --------
        >>> watched = Partition.as_observed(1700, [(1000, 1200, 1100)])
        >>> watched, Partition("messages", "shop", "2026-01", "a", 9, 99, 1, observed=watched).cut
        ('1700 1000-1200:1100', [(1000, 1200, 1100)])
        """
        stretches = [re.split("[-:]", one) for one in self.observed.split(" ")[1:]]
        return [(int(first), int(last), int(end)) for first, last, end in stretches]


@dataclass(frozen=True)
class Manifest:
    """What a folder holds.

    Attributes
    ----------
    settings : mapping
        What all files have in common: the store, how numbers are shown, the columns, the user's own among them. Of other settings, other files.
    generation : int
        How often the folder was written.
    partitions : list of Partition
        The files.
    turn : mapping
        Up to where the store had been read.
    coverage : mapping
        How far reports had been fetched: what `coverage_summary` of a source of messages says.
    written_at : str
        When, in China time.
    pending : list of str
        Files whose draft counts and may not be in place yet, in the order in which they are put there.
    gone : list of str
        Files that may still be there and count no more, before any draft is put in place; one that is pending too is missing
        for a moment.
    extra : mapping
        What else whoever wrote it wants to know again.
    """

    settings: Mapping[str, Any]
    generation: int = 0
    partitions: Sequence[Partition] = ()
    turn: Mapping[str, Any] = field(default_factory=dict)
    coverage: Mapping[str, Any] = field(default_factory=dict)
    written_at: str = ""
    pending: Sequence[str] = ()
    gone: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def phone_style(self) -> str:
        """How numbers stand in the files: ``masked``, ``whole``, or ``hashed`` with what tells its key from others."""
        return " ".join(filter(None, (self.settings["phones"], self.settings["key"])))


def draft_of(file: Path) -> Path:
    """Return where the next version of a file is written: no reader of ``*.parquet`` sees it, nor one that lists the folder itself.

    Arrow, pandas and Spark read all files of a folder but for those that begin with ``_`` or a dot.
    """
    return file.with_name(f"_{file.name}{DRAFT}")


def aside_of(file: Path) -> Path:
    """Return the name under which a file of an archive is set aside where a store does not know it."""
    return file.with_name(f"_{file.name}{_ASIDE}")


def name_beside(file: Path) -> Path:
    """Return the name that a file has, or had before it was set aside (`aside_of`).

    Examples
    --------
    >>> name_beside(aside_of(Path("month=2026-01/000001-aa.parquet"))).name, name_beside(Path("000001-aa.parquet")).name
    ('000001-aa.parquet', '000001-aa.parquet')
    """
    is_aside = file.name.endswith(_ASIDE)
    return file.with_name(file.name.removeprefix("_").removesuffix(_ASIDE)) if is_aside else file


def read_manifest(folder: Path) -> Manifest | None:
    """Return the folder's manifest; None where it has none.

    Raises
    ------
    StoreError
        If it cannot be read, or is of a newer version.
    """
    path = folder / MANIFEST
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        version = kept.pop("schema_version")
        if version <= SCHEMA_VERSION:
            return _as_written(**kept)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            "{path} cannot be read, or is not what was written: export into another folder; of an archive, delete this file and run"
            " store.archive(before, folder), which writes it anew",
            path=str(path),
        ) from error
    raise StoreError("{path} was written by a newer masanalytics: update this one", path=str(path))


def _as_written(*, checksum: int | None = None, **fields: Any) -> Manifest:
    """Return the manifest with these fields; one of an earlier version has no checksum."""
    if checksum is not None and checksum != _checksum_of_manifest(fields):
        raise ValueError(MANIFEST)
    return Manifest(**{**fields, "partitions": [Partition(**one) for one in fields["partitions"]]})


def _checksum_of_manifest(fields: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in place, durably and in one step."""
    fields = json.loads(json.dumps(asdict(manifest)))
    kept = {"schema_version": SCHEMA_VERSION, "checksum": _checksum_of_manifest(fields), **fields}
    draft = draft_of(folder / MANIFEST)
    with draft.open("w", encoding="utf-8") as out:
        json.dump(kept, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    replace_file(draft, folder / MANIFEST)
    _sync_folder(folder)


def commit(folder: Path, manifest: Manifest, *, before: Manifest | None) -> Manifest:
    """Make the drafts of `manifest.pending` count in place of what was there `before`, and put them in place."""
    was = {one.file for one in before.partitions} if before else set()
    is_now = {one.file for one in manifest.partitions}
    write_manifest(folder, replace(manifest, gone=sorted({*manifest.gone, *(was - is_now)})))
    return finish(folder) or manifest


def finish(folder: Path) -> Manifest | None:
    """Put in place what counts already, take away what counts no more and what was left half-written; return the manifest."""
    manifest = read_manifest(folder)
    if manifest is not None:
        for name in manifest.gone:
            if name not in manifest.pending or draft_of(folder / name).exists():
                remove_file(folder / name)
                _remove_if_empty((folder / name).parent)
        for name in manifest.pending:
            if draft_of(folder / name).exists():
                replace_file(draft_of(folder / name), folder / name)
        _sync_folders(folder / name for name in manifest.pending)
        if manifest.pending or manifest.gone:
            manifest = replace(manifest, pending=[], gone=[])
            write_manifest(folder, manifest)
    for left in [*folder.glob(f"*/*{DRAFT}"), *folder.glob(f"*/*/*{DRAFT}")]:
        remove_file(left)
        _remove_if_empty(left.parent)
    return manifest


def current_files(folder: Path, manifest: Manifest, kind: str = "messages") -> list[Path]:
    """Return the files of a kind that count, also while drafts are being put in place."""
    pending = set(manifest.pending)
    return [current_file(folder, one, pending) for one in manifest.partitions if one.kind == kind]


def current_file(folder: Path, one: Partition, pending: Collection[str]) -> Path:
    """Return where a file that counts is: its draft, while that is being put in place."""
    file = folder / one.file
    return draft_of(file) if one.file in pending and draft_of(file).exists() else file


def checksum_of(file: Path) -> int:
    """Return the CRC-32 of a file's bytes."""
    found = 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            found = zlib.crc32(chunk, found)
    return found


@dataclass(frozen=True)
class ExportedFiles:
    """Files of messages of one folder, as its manifest knows them.

    Attributes
    ----------
    folder : Path
        Of the export, or the archive.
    manifest : Manifest
        Its own.
    partitions : list of Partition
        What it knows of these files.
    """

    folder: Path
    manifest: Manifest
    partitions: Sequence[Partition]

    @property
    def is_whole(self) -> bool:
        """Whether these are all its files of messages."""
        return len(self.partitions) == sum(one.kind == "messages" for one in self.manifest.partitions)


def exported_files(files: Sequence[Path]) -> ExportedFiles | None:
    """Return what the manifest of an export knows of its files of messages; None if one is another file, or there twice.

    Nor is anything known while files are being put in place, and of a file that is not as long as it was written.
    """
    folder = files[0].parent.parent
    try:
        manifest = read_manifest(folder)
        if manifest is None or manifest.pending or manifest.gone:
            return None
        known = {folder / one.file: one for one in manifest.partitions if one.kind == "messages"}
        if len(set(files)) < len(files) or not all(
            file in known and known[file].size_bytes == file.stat().st_size for file in files
        ):
            return None
    except (OSError, StoreError):
        return None
    return ExportedFiles(folder, manifest, [known[file] for file in files])


def sync_file(path: Path) -> None:
    """Make sure that a file's content is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folders(files: Iterable[Path]) -> None:
    for folder in {file.parent for file in files}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Windows opens no folder, and needs not
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody keeps something else there
        folder.rmdir()
