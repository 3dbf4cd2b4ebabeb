"""What silence says of batches whose outcome is unknown, and of batches that somebody else may be reading away.

If most messages of the same campaign, sent no earlier, have been reported, a whole batch of them without a single report was
almost surely never accepted; of a batch of one, nothing can be said. It is evidence to look at, never a reason to send again
by itself.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from masanalytics.i18n import Text
from masanalytics.store.holes import open_holes
from masanalytics.store.lookups import REPORTED
from masanalytics.vocabulary import UNREPORTED_AFTER_S

__all__ = ["Doubt", "doubts", "under_reported"]

_SURE = 1e-6
_LIKELY = 1e-2
_FEWEST_NEIGHBOURS = 20
_FEWEST_MESSAGES = 30
_GAP_IN_SHARE = 0.3
_SETTLED_AFTER_S = 900


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known of one batch of unknown outcome.

    Attributes
    ----------
    batch_id, messages : int
        The batch and its size.
    silence : float or None
        How probable it is that an accepted batch of this size would still be silent; None where it cannot be told.
    """

    batch_id: int
    messages: int
    silence: float | None

    @property
    def verdict(self) -> Text:
        """What the silence says."""
        if self.silence is not None and self.silence < _SURE:
            return Text("almost surely not accepted", code="almost_surely_not_accepted")
        if self.silence is not None and self.silence < _LIKELY:
            return Text("probably not accepted", code="probably_not_accepted")
        return Text("cannot tell", code="cannot_tell")


def doubts(conn: sqlite3.Connection) -> list[Doubt]:
    """Return the batches of unknown outcome with what their silence says.

    The chance that one accepted message is still silent is taken from messages of the same campaign that were sent at the
    same time or later, so that it is rather too high than too low, and only where the queue was drained since
    and no answer is known to be missing. For a batch
    of n it is raised to the n-th power, which supposes that messages are silent independently of each other; the limits
    for words are set low because they are not quite.
    """
    found = []
    for batch_id, messages, campaign_id, account_id, requested_at in conn.execute(
        "SELECT batch_id, messages, campaign_id, account_id, requested_at FROM batches WHERE state = 'unknown'"
    ).fetchall():
        accepted, reported = conn.execute(
            f"SELECT count(*), coalesce(sum(m.status_id {REPORTED}), 0) FROM batches b CROSS JOIN messages m USING (batch_id)"
            " WHERE b.campaign_id = ? AND b.state = 'accepted' AND b.requested_at >= ?",
            [campaign_id, requested_at],
        ).fetchone()
        drained = conn.execute(
            "SELECT 1 FROM coverage WHERE account_id = ? AND ended_at > ?", [account_id, requested_at]
        ).fetchone()
        enough = (
            drained is not None
            and accepted >= _FEWEST_NEIGHBOURS
            and not _may_be_missing(conn, account_id, requested_at)
        )
        found.append(Doubt(batch_id, messages, (1 - reported / accepted) ** messages if enough else None))
    return found


def under_reported(conn: sqlite3.Connection, account: str) -> list[tuple[int, float, float]]:
    """Return batches whose reported share stays far below that of their campaign's others: (batch, share, others' share).

    Where a whole batch lags, somebody else may be fetching its reports. Only batches of the last three days under coverage
    are looked at, a quarter of an hour after they were sent, and none whose reports may be in an answer known to be missing.
    """
    rows = conn.execute(
        f"SELECT b.batch_id, b.campaign_id, count(*), sum(m.status_id {REPORTED}) FROM batches b"
        " JOIN accounts a USING (account_id) CROSS JOIN messages m USING (batch_id)"
        " WHERE a.account = ? AND b.state = 'accepted' AND b.campaign_id IS NOT NULL AND b.requested_at BETWEEN"
        " (SELECT max(ended_at) FROM coverage c WHERE c.account_id = b.account_id) - ? AND"
        " (SELECT max(ended_at) FROM coverage c WHERE c.account_id = b.account_id) - ?"
        " AND NOT EXISTS (SELECT 1 FROM holes h WHERE h.account_id = b.account_id AND h.endpoint = 'report' AND h.cuts"
        " AND h.given_up_at IS NULL AND h.until >= b.requested_at) GROUP BY b.batch_id HAVING count(*) >= ?",
        [account, UNREPORTED_AFTER_S, _SETTLED_AFTER_S, _FEWEST_MESSAGES],
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
    return any(hole.cuts and hole.account_id == account_id and hole.until >= requested_at for hole in open_holes(conn))
