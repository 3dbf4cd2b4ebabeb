"""What silence says of batches whose outcome is unknown, and of batches that somebody else may be reading away.

If most messages of the same campaign, sent no earlier, have been reported, a whole batch of them without a single report was
almost surely never accepted: once it has been silent for longer than any batch of the account was, and no report that names its
numbers lies about unmatched. Messages of one request are late together, so that a short silence says nothing, however many they
are; where a whole batch that the platform took was never heard of, another may be silent for the same reason; of a batch of one,
nothing can be said. It is evidence to look at, never a reason to send again by itself.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from masanalytics.account import AccountKey
from masanalytics.i18n import Text
from masanalytics.store import lookups
from masanalytics.store.holes import cutting
from masanalytics.store.lookups import REPORTED
from masanalytics.store.platform_clock import offsets_near
from masanalytics.vocabulary import UNREPORTED_AFTER_S

__all__ = ["Doubt", "doubts", "under_reported"]

_SURE = 1e-6
_LIKELY = 1e-2
_FEWEST_NEIGHBOURS = 20
_NEIGHBOUR_S = 3600
_FEWEST_MESSAGES = 30
_GAP_IN_SHARE = 0.3
_SETTLED_AFTER_S = 900
_FEWEST_BATCHES = 20
_BATCHES_LOOKED_AT = 50
_SHORTEST_SILENCE_S = 6 * 3600
_TIMES_THE_SLOWEST = 3
_ABOUT_THEN_S = 2 * 86_400


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known of one batch of unknown outcome.

    Attributes
    ----------
    batch_id, messages : int
        The batch and its size.
    named : int
        How many of its numbers one msgGroup names that belongs to no batch: what speaks for it.
    silence : float or None
        How probable it is that an accepted batch of this size would still be silent; None where it cannot be told.
    """

    batch_id: int
    messages: int
    named: int
    silence: float | None

    @property
    def verdict(self) -> Text:
        """What the silence says."""
        if self.silence is not None and self.silence < _SURE:
            return Text("almost surely not accepted", code="almost_surely_not_accepted")
        if self.silence is not None and self.silence < _LIKELY:
            return Text("probably not accepted", code="probably_not_accepted")
        return Text("cannot tell", code="cannot_tell")


class _Batch(NamedTuple):
    batch_id: int
    messages: int
    campaign_id: int
    account_id: int
    requested_at: int


def doubts(conn: sqlite3.Connection) -> list[Doubt]:
    """Return the batches of unknown outcome with what their silence, and unmatched reports, say.

    The chance that one accepted message is still silent is taken from messages of the same campaign that were sent within an
    hour of it (those of another day tell nothing of a night in which no report was made), one more of them taken for silent, so
    that it is rather too high than too low. For a batch of n it is
    raised to the n-th power, which supposes that messages are silent independently of each other; it is no lower than the share of
    the account's accepted batches that are silent as a whole (`_silent_batches`). The limits for words are set low all the same,
    and nothing is said before the silence has lasted (`_has_lasted`), while a number of the batch is named by reports that
    belong to no batch, or where an answer is known to be missing.
    """
    found = []
    for row in conn.execute(
        "SELECT batch_id, messages, campaign_id, account_id, requested_at FROM batches WHERE state = 'unknown'"
        " AND requested_at IS NOT NULL"
    ).fetchall():
        batch = _Batch(*row)
        named, is_named = _named(conn, batch)
        silent = not is_named and _has_lasted(conn, batch)
        found.append(Doubt(batch.batch_id, batch.messages, named, _chance(conn, batch) if silent else None))
    return found


def _chance(conn: sqlite3.Connection, batch: _Batch) -> float | None:
    """Return the chance that a batch of this size would be silent; None where too little is known."""
    accepted, reported = conn.execute(
        f"SELECT count(*), coalesce(sum(m.status_id {REPORTED}), 0) FROM batches b CROSS JOIN messages m USING (batch_id)"
        " WHERE b.campaign_id = ? AND b.state = 'accepted' AND b.requested_at BETWEEN ? AND ?",
        [batch.campaign_id, batch.requested_at - _NEIGHBOUR_S, batch.requested_at + _NEIGHBOUR_S],
    ).fetchone()
    if accepted < _FEWEST_NEIGHBOURS:
        return None
    one = (accepted - reported + 1) / (accepted + 2)
    return float(max(one**batch.messages, _silent_batches(conn, batch, one)))


def _silent_batches(conn: sqlite3.Connection, batch: _Batch, one: float) -> float:
    """Return how many of the account's accepted batches are silent as a whole though later ones were heard of, as a share.

    It is one of the batches of which that says something.

    Parameters
    ----------
    one : float
        The chance that one message is silent: a batch that is silent by that chance alone says nothing of whole batches.
    """
    rows = conn.execute(
        "SELECT b.messages, b.requested_at, EXISTS (SELECT 1 FROM messages m WHERE m.batch_id = b.batch_id AND m.reports > 0)"
        " FROM batches b WHERE b.account_id = ? AND b.campaign_id IS NOT NULL AND b.state = 'accepted' AND b.inferred = 0"
        " ORDER BY b.batch_id DESC LIMIT ?",
        [batch.account_id, _BATCHES_LOOKED_AT],
    ).fetchall()
    last = max((requested_at for _, requested_at, is_heard in rows if is_heard), default=batch.requested_at)
    heard = [is_heard for messages, requested_at, is_heard in rows if one**messages < _LIKELY and requested_at <= last]
    return heard.count(0) / len(heard) if heard else 0.0


def _named(conn: sqlite3.Connection, batch: _Batch) -> tuple[int, bool]:
    """Return how many of the batch's numbers one unmatched msgGroup of about then names, and whether any names one at all."""
    since = min(low for low, _ in offsets_near(conn, batch.batch_id, batch.account_id, batch.requested_at))
    counts = conn.execute(
        "SELECT count(*) FROM messages m JOIN messages g ON g.phone = m.phone AND g.round_id IS NULL WHERE m.batch_id = ?"
        " AND g.campaign_id IS NULL AND g.account_id = ? AND ifnull(g.submitted_at, ?) >= ? GROUP BY g.batch_id",
        [batch.batch_id, batch.account_id, batch.requested_at, batch.requested_at + since - _ABOUT_THEN_S],
    ).fetchall()
    most = max((count for (count,) in counts), default=0)
    return most, bool(most)


def _has_lasted(conn: sqlite3.Connection, batch: _Batch) -> bool:
    """Whether everything the platform had was fetched long enough after the batch was asked for, by the platform's clock.

    Long enough is three times what the slowest of the account's batches took to its first report, six hours at least; where
    fewer than twenty are known from beginning to end, or one of them was never heard of, it is the 72 hours of the carriers.
    """
    if _may_be_missing(conn, batch.account_id, batch.requested_at):
        return False
    offsets = offsets_near(conn, batch.batch_id, batch.account_id, batch.requested_at)
    end = conn.execute("SELECT max(ended_at) FROM coverage WHERE account_id = ?", [batch.account_id]).fetchone()[0]
    if end is None:
        return False
    firsts = conn.execute(
        "SELECT (SELECT min(m.received_at - m.submitted_at) FROM messages m WHERE m.batch_id = b.batch_id AND m.reports > 0)"
        " FROM batches b WHERE b.account_id = ? AND b.campaign_id IS NOT NULL AND b.state = 'accepted' AND b.inferred = 0"
        " AND b.requested_at <= ? ORDER BY b.batch_id DESC LIMIT ?",
        [batch.account_id, end - UNREPORTED_AFTER_S, _BATCHES_LOOKED_AT],
    ).fetchall()
    delays = [delay for (delay,) in firsts]
    needed = UNREPORTED_AFTER_S
    if len(delays) >= _FEWEST_BATCHES and None not in delays:
        needed = min(needed, max(_SHORTEST_SILENCE_S, _TIMES_THE_SLOWEST * max(delays)))
    return bool(end >= batch.requested_at + max(high for _, high in offsets) + needed)


def under_reported(conn: sqlite3.Connection, account: str | AccountKey) -> list[tuple[int, float, float]]:
    """Return batches whose reported share stays far below that of their campaign's others: (batch, share, others' share).

    Where a whole batch lags, somebody else may be fetching its reports. Only batches of the last three days under coverage
    are looked at, a quarter of an hour after they were sent, and none whose reports may be in an answer known to be missing.
    """
    rows = conn.execute(
        f"SELECT b.batch_id, b.campaign_id, count(*), sum(m.status_id {REPORTED}) FROM batches b"
        " CROSS JOIN messages m USING (batch_id)"
        " WHERE b.account_id = ? AND b.state = 'accepted' AND b.campaign_id IS NOT NULL AND b.requested_at BETWEEN"
        " (SELECT max(ended_at) FROM coverage c WHERE c.account_id = b.account_id) - ? AND"
        " (SELECT max(ended_at) FROM coverage c WHERE c.account_id = b.account_id) - ?"
        " AND NOT EXISTS (SELECT 1 FROM holes h WHERE h.account_id = b.account_id AND h.endpoint = 'report' AND h.cuts"
        " AND h.given_up_at IS NULL AND h.until >= b.requested_at) GROUP BY b.batch_id HAVING count(*) >= ?",
        [lookups.find_account(conn, account), UNREPORTED_AFTER_S, _SETTLED_AFTER_S, _FEWEST_MESSAGES],
    ).fetchall()
    totals: dict[int, tuple[int, int]] = {}
    for _, campaign_id, size, reported in rows:
        before = totals.get(campaign_id, (0, 0))
        totals[campaign_id] = (before[0] + size, before[1] + reported)
    found = []
    for batch_id, campaign_id, size, reported in rows:
        others, others_reported = totals[campaign_id][0] - size, totals[campaign_id][1] - reported
        if others and others_reported / others - reported / size > _GAP_IN_SHARE:
            found.append((batch_id, reported / size, others_reported / others))
    return found


def _may_be_missing(conn: sqlite3.Connection, account_id: int, requested_at: int) -> bool:
    """Whether reports of a batch may be in an answer that is known to be missing."""
    return any(hole.account_id == account_id and hole.until >= requested_at for hole in cutting(conn))
