"""How long each message has been watched: to the end of its account's coverage, or to the first hole that concerns it.

Who was open at the time of a hole may have been reported in it. So from there on nothing is known of any message submitted up to
72 hours before: whether it was reported before the hole or after makes no difference, since a rate of those alone whose
report was heard would be none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from masanalytics.store.coverage import covered_until
from masanalytics.store.holes import Hole, cutting
from masanalytics.vocabulary import UNREPORTED_AFTER_S

__all__ = ["Observation", "Stretch", "stretches"]

Ints = NDArray[np.int64]

_MOST_STRETCHES = 100


class Stretch(NamedTuple):
    """Messages submitted from `first` to `last` have been watched until `end` only."""

    first: int
    last: int
    end: int


@dataclass(frozen=True)
class Observation:
    """Until when the messages of each account have been watched.

    Attributes
    ----------
    ends : mapping of int to int
        The end of coverage, by account.
    cut : mapping of int to sequence of Stretch
        Whose observation a hole ends before that, by account; in ascending order, none overlapping.
    only_account : bool
        Whether the store knows one account at most, so that no query need tell them apart.
    """

    ends: Mapping[int, int]
    cut: Mapping[int, Sequence[Stretch]]
    only_account: bool

    @classmethod
    def of(cls, conn: sqlite3.Connection) -> Observation:
        """Read coverage and holes."""
        ends = covered_until(conn)
        holes = cutting(conn)
        cut = {
            account_id: stretches((hole for hole in holes if hole.account_id == account_id), ends[account_id])
            for account_id in {hole.account_id for hole in holes} & set(ends)
        }
        accounts = conn.execute("SELECT count(*) FROM accounts").fetchone()[0]
        return cls(ends, {account_id: found for account_id, found in cut.items() if found}, accounts <= 1)

    @cached_property
    def coverage_sql(self) -> str:
        """SQL for the end of coverage of a row of ``messages m``."""
        return self._by_account({account_id: str(int(end)) for account_id, end in self.ends.items()})

    @cached_property
    def end_sql(self) -> str:
        """SQL for the instant until which a row of ``messages m`` has been watched."""
        ends = {}
        for account_id, end in self.ends.items():
            whens = " ".join(
                f"WHEN m.submitted_at BETWEEN {one.first} AND {one.last} THEN {one.end}"
                for one in self.cut.get(account_id, ())
            )
            ends[account_id] = f"CASE {whens} ELSE {int(end)} END" if whens else str(int(end))
        return self._by_account(ends)

    def ends_of(self, account_ids: Ints, submitted_at: Ints) -> Ints:
        """Return the instants until which messages have been watched."""
        accounts, place = np.unique(account_ids, return_inverse=True)
        found = np.array([self.ends.get(int(number), 0) for number in accounts], dtype=np.int64)[place]
        for account_id, cut in self.cut.items():
            mine = account_ids == account_id
            for one in cut:
                found[mine & (submitted_at >= one.first) & (submitted_at <= one.last)] = one.end
        return found

    def _by_account(self, ends: Mapping[int, str]) -> str:
        if self.only_account:
            return f"({next(iter(ends.values()), '0')})"
        whens = " ".join(f"WHEN {int(account_id)} THEN {end}" for account_id, end in ends.items())
        return f"(CASE m.account_id {whens} ELSE 0 END)" if whens else "0"


def stretches(holes: Iterable[Hole], end: int) -> list[Stretch]:
    """Return whose observation the holes of one account, whose coverage ends at `end`, end before that.

    Examples
    --------
    >>> hole = Hole(7, 1, "shop/ap", "lost", 900_000, 900_060, 1000, True)
    >>> stretches([hole], 2_000_000)
    [Stretch(first=640800, last=900060, end=900000)]
    """
    found: list[Stretch] = []
    for hole in sorted(holes, key=lambda hole: hole.until):
        since = min(hole.since or 0, end)
        first = max(since - UNREPORTED_AFTER_S, found[-1].last + 1 if found else since - UNREPORTED_AFTER_S)
        if since >= end or first > hole.until:
            continue
        if found and found[-1].last + 1 == first and found[-1].end == since:
            found[-1] = found[-1]._replace(last=hole.until)
        else:
            found.append(Stretch(first, hole.until, since))
    while len(found) > _MOST_STRETCHES:  # as many steps would make every query slow: neighbours share the earlier end
        found = [
            Stretch(pair[0].first, pair[-1].last, min(one.end for one in pair))
            for pair in (found[place : place + 2] for place in range(0, len(found), 2))
        ]
    return found
