"""Of which store each source in a list is, whatever it is called, so that no message counts twice.

A store has an identity, which its copies, exports and archive have too. Two sources of one store are refused but for an export and
the archive's folder, which hold different messages as long as nothing has moved since the export: their manifests say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

from masanalytics.errors import InputError, MasError, StoreError
from masanalytics.export_folder import Manifest, Partition
from masanalytics.i18n import Text

__all__ = ["ARCHIVED", "LedgerPart", "OfALedger", "check_once", "late_words", "ledger_part", "with_archive"]

ARCHIVED: Final = "archived"
"""The code of the note that messages are archived and not counted."""
_OF_THE_ORIGIN: Final = 16


@dataclass(frozen=True)
class LedgerPart:
    """What a source has of a store.

    Attributes
    ----------
    ledger : str
        The store's identity.
    name : str
        What the source is called in an error: a path.
    holds : {"live", "everything", "export", "archived"}
        The live messages, these and the archived, those that were live at the time of an export, or the archived alone.
    archived : mapping of str to int, optional
        Month -> how many of its messages had been archived when it was written; None where a manifest does not say.
    late : int
        How many reports of archived messages were known that had come after these were archived.
    files : set of str, optional
        Which of the files of an export or archive it reads; None: all.
    """

    ledger: str
    name: str
    holds: Literal["live", "everything", "export", "archived"]
    archived: Mapping[str, int] | None = None
    late: int = 0
    files: frozenset[str] | None = None

    @classmethod
    def of_folder(cls, folder: Path, manifest: Manifest, files: Iterable[Partition] | None = None) -> LedgerPart:
        """Return what the folder of an export, or of an archive, has of which store, or some of its files."""
        ledger, late = str(manifest.settings["store"]), int(manifest.extra.get("late_reports", 0))
        name = str(folder.absolute())
        chosen = None if files is None else frozenset(one.file for one in files)
        if not manifest.settings.get("archive"):
            return cls(ledger, name, "export", manifest.extra.get("archived"), late, chosen)
        archived: dict[str, int] = {}
        for one in manifest.partitions:
            if one.kind == "messages":
                archived[one.month] = archived.get(one.month, 0) + one.rows
        return cls(ledger, name, "archived", archived, late, chosen)

    def is_apart_from(self, other: LedgerPart) -> bool:
        """Return whether both are files of one folder, and none is a file of both."""
        if self.files is None or other.files is None or self.name != other.name:
            return False
        return self.files.isdisjoint(other.files)

    @property
    def origin(self) -> str:
        """What stays of the identity where a copy goes on by itself (`Store.accept_older_copy`)."""
        return self.ledger[:_OF_THE_ORIGIN]


@runtime_checkable
class OfALedger(Protocol):
    """A source that knows of which store it is."""

    def ledger_part(self) -> LedgerPart | None:
        """Return what it has of which store; None where it cannot tell."""
        ...


def ledger_part(source: object) -> LedgerPart | None:
    """Return what a source has of which store; None where one cannot tell, as of a frame."""
    return source.ledger_part() if isinstance(source, OfALedger) else None


def check_once(parts: Iterable[LedgerPart | None]) -> None:
    """Raise if a message would count twice, or is in no part since it moved between two of them.

    Raises
    ------
    InputError
        If two parts are of one store, naming both and what to give.
    StoreError
        If an export and the archive of its store are of different times, saying which is to be written again.
    """
    for one, other in combinations([part for part in parts if part is not None], 2):
        if one.ledger != other.ledger:
            if one.origin == other.origin:
                raise InputError(
                    "{first} and {second} have been one store, of which a copy went on by itself: the messages of before would count twice."
                    " Ask each by itself",
                    first=one.name,
                    second=other.name,
                )
            continue
        if one.is_apart_from(other):
            continue
        by_kind = {part.holds: part for part in (one, other)}
        error = (
            _misfit(by_kind["export"], by_kind["archived"])
            if by_kind.keys() == {"export", "archived"}
            else _twice(one, other)
        )
        if error is not None:
            raise error


def with_archive(parts: Sequence[LedgerPart | None]) -> dict[str, dict[str, LedgerPart]]:
    """Return the stores of which both an export and the archive are there: identity -> what it holds -> part."""
    found: dict[str, dict[str, LedgerPart]] = defaultdict(dict)
    for part in parts:
        if part is not None:
            found[part.ledger][part.holds] = part
    return {ledger: by_kind for ledger, by_kind in found.items() if by_kind.keys() == {"export", "archived"}}


def late_words(export: LedgerPart, archived: LedgerPart) -> Text | None:
    """Return in words how many reports an export knows of that the archive does not show; None where it is none."""
    missing = export.late - archived.late
    if missing <= 0:
        return None
    return Text(
        "{count:,} report of an archived message came after the archive was written and is not counted here: run"
        " store.archive(before, folder) again",
        "{count:,} reports of archived messages came after the archive was written and are not counted here: run"
        " store.archive(before, folder) again",
        code="late_reports",
        count=missing,
    )


def _twice(one: LedgerPart, other: LedgerPart) -> InputError:
    names: dict[str, Any] = {"first": one.name, "second": other.name}
    kinds = {one.holds, other.holds}
    if one.name == other.name:
        return InputError("{name} is in the list twice: its messages would count twice", name=one.name)
    if "everything" in kinds and len(kinds) > 1:
        whole = one if one.holds == "everything" else other
        return InputError(
            "{first} and {second} are of one store: its messages would count twice. Give {whole} alone, which has the live messages and"
            " the archived",
            **names,
            whole=whole.name,
        )
    if kinds == {"live", "archived"}:
        return InputError(
            "{first} and {second} are of one store: what moves meanwhile would count twice. Give mas.Archive(folder, store) in"
            " place of both, or the folders of an export and the archive",
            **names,
        )
    return InputError(
        "{first} and {second} are of one store: its messages would count twice. Give one of them", **names
    )


def _misfit(export: LedgerPart, archived: LedgerPart) -> MasError | None:
    """Return what is wrong with an export and the archive of one store; None where they have each message once."""
    if export.archived is None:
        return StoreError(
            "{export} does not say what was archived when it was written, so that messages could count twice beside {archive}: export"
            " again (store.export_parquet)",
            export=export.name,
            archive=archived.name,
        )
    then, now = export.archived, archived.archived or {}
    if dict(then) == dict(now):
        return None
    moved = sum(now.values()) - sum(then.values())
    if moved > 0:
        return StoreError(
            "{count:,} message moved into {archive} after {export} was written, and would count twice: export again (store.export_parquet)",
            "{count:,} messages moved into {archive} after {export} was written, and would count twice: export again (store.export_parquet)",
            count=moved,
            export=export.name,
            archive=archived.name,
        )
    return StoreError(
        "{archive} does not show all that was archived when {export} was written: run store.archive(before, folder) again, then export"
        " again; or put back the newest copy of the archive",
        export=export.name,
        archive=archived.name,
    )
