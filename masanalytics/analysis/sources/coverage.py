"""What of the coverage concerns the messages asked about: the gaps and holes in which a report of theirs could have come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from masanalytics.analysis.filters import Filters, to_instant
from masanalytics.export_folder import ExportedFiles, Manifest
from masanalytics.i18n import Text
from masanalytics.vocabulary import UNREPORTED_AFTER_S

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Submitted", "concerning", "coverage_of_files", "coverage_of_manifest", "of_accounts", "within"]

_MINUTE_S: Final = 60


class Submitted(NamedTuple):
    """Between which instants messages were submitted (epoch seconds), and to which accounts; None: to any."""

    first: float = -inf
    last: float = inf
    accounts: frozenset[str] | None = None


def concerning(coverage: Mapping[str, Any], asked: Submitted) -> dict[str, Any]:
    """Return a coverage with the gaps and holes alone that concern messages `asked` about: until 72 h after the last of them.

    Parameters
    ----------
    coverage : mapping
        As `coverage_summary` of a source returns it.
    asked : Submitted
        Between which instants they were submitted.

    Examples
    --------
    >>> gap = {"account": "shop", "from": "2026-01-05 08:00:00", "until": "2026-01-05 09:00:00"}
    >>> at = to_instant("2026-01-01"), to_instant("2026-01-02"), to_instant("2026-01-03")
    >>> [len(concerning({"gaps": [gap], "holes": []}, Submitted(last=last))["gaps"]) for last in at]
    [0, 0, 1]
    """
    latest = asked.last + UNREPORTED_AFTER_S

    def is_theirs(one: Mapping[str, Any]) -> bool:
        return asked.accounts is None or one["account"] in asked.accounts

    gaps = [
        gap
        for gap in coverage["gaps"]
        if is_theirs(gap) and to_instant(gap["until"]) > asked.first and to_instant(gap["from"]) < latest
    ]
    holes = [
        hole
        for hole in coverage["holes"]
        if is_theirs(hole)
        and to_instant(hole["until"]) >= asked.first
        and (hole["from"] is None or to_instant(hole["from"]) <= latest)
    ]
    return {**coverage, "gaps": gaps, "holes": holes}


def of_accounts(coverage: Mapping[str, Any], where: Filters) -> dict[str, Any]:
    """Return the part of a coverage that is of the accounts that are asked about, where it knows one account from another.

    Examples
    --------
    >>> known = {"as_of": 0, "end": {"a": "2026-01-05 08:00:00", "b": "2026-03-05 08:00:00"}, "gaps": [], "holes": []}
    >>> of_accounts(known, Filters({"account": ("a",)}))["as_of"] == to_instant("2026-01-05 08:00")
    True
    """
    asked = where.values.get("account")
    ends = {name: end for name, end in (coverage.get("end") or {}).items() if asked is None or name in asked}
    if asked is None or not ends:
        return dict(coverage)
    theirs = concerning(coverage, Submitted(accounts=frozenset(ends)))
    return {**theirs, "as_of": max(map(to_instant, ends.values())), "end": ends}


def coverage_of_manifest(manifest: Manifest, where: Filters, count: Callable[..., Sequence[Any]]) -> dict[str, Any]:
    """Return the coverage that a manifest keeps, as far as it concerns the messages asked about, its notes as words.

    Parameters
    ----------
    manifest : Manifest
        Of an export.
    where : Filters
        Which messages.
    count : callable
        The ``grouped_count`` of their source.
    """
    notes = [Text.from_json(note) for note in manifest.coverage["notes"]]
    if where != Filters():
        notes = [_of_all(note) if note.code == "failed_before" else note for note in notes]
    kept = {**manifest.coverage, "notes": notes}
    return concerning(kept, _submitted(where, count)) if kept["gaps"] or kept["holes"] else kept


def coverage_of_files(files: ExportedFiles, where: Filters, count: Callable[..., Sequence[Any]]) -> dict[str, Any]:
    """Return the same of some files of an export: of their accounts and months, and without the notes, which are of all, where some lack."""
    known = coverage_of_manifest(files.manifest, where, count)
    if files.is_whole:
        return known
    accounts = frozenset(one.account for one in files.partitions)
    first = min((one.first for one in files.partitions if one.first is not None), default=inf)
    last = max((one.last for one in files.partitions if one.last is not None), default=-inf)
    ends = {account: end for account, end in known["end"].items() if account in accounts}
    return concerning({**known, "end": ends, "notes": []}, Submitted(first, last, accounts))


def _of_all(failed_before: Text) -> Text:
    """Return the note of a whole export for a question about some of its messages: of each an export keeps its last outcome alone."""
    return Text(
        "{count:,} delivered message of the whole export had been reported as failed before; whether it is one of those asked about,"
        " only the store knows",
        "{count:,} delivered messages of the whole export had been reported as failed before; how many of them are among those asked"
        " about, only the store knows",
        code="failed_before",
        count=failed_before.parameters["count"],
    )


def _submitted(where: Filters, count: Callable[..., Sequence[Any]]) -> Submitted:
    """Return between which instants the messages asked about were submitted, as far as campaigns and times tell."""
    first, last = -inf, inf
    campaigns = where.values.get("campaign", ())
    if campaigns and None not in campaigns:
        named = Filters({"campaign": campaigns})
        minutes = _times(count, _MINUTE_S, named)
        first, last = inf, -inf
        if len(minutes):
            first = float(_times(count, 1, replace(named, until=int(minutes.min()) + _MINUTE_S)).min())
            last = float(_times(count, 1, replace(named, since=int(minutes.max()))).max())
    return within(where, first, last)


def _times(count: Callable[..., Sequence[Any]], width_s: int, where: Filters) -> pd.Series:
    """Return when messages were submitted, each time of so many seconds once."""
    name = f"time/{width_s}"
    times: pd.Series = count([name], where=where, seconds=None)[0][name].dropna()
    return times


def within(where: Filters, first: float, last: float) -> Submitted:
    """Return the instants `first` to `last` as far as ``since`` and ``until`` leave them."""
    since, until = (-inf if where.since is None else where.since), (inf if where.until is None else where.until)
    return Submitted(max(first, since), min(last, until))
