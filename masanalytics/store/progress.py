"""How far a campaign has come: counts by status, straight from the file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from masanalytics.store import lookups
from masanalytics.store.archived_counts import statuses_of
from masanalytics.vocabulary import Status

__all__ = [
    "CampaignProgress",
    "batches_progress",
    "before_run",
    "campaign_progress",
    "campaigns",
    "codes_of_failed",
    "round_progress",
]


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """A campaign's messages by status, and how many of them are in requests whose answer is awaited."""

    counts: dict[str, int]
    under_way: int = 0

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int]], under_way: int = 0) -> CampaignProgress:
        """Add up (status as the store keeps it, how many)."""
        counts: Counter[str] = Counter()
        for status, count in rows:
            counts[Status(status).name] += count
        return cls(dict(counts), under_way)

    @property
    def accepted(self) -> int:
        """Messages the platform took."""
        return sum(self.counts.get(name, 0) for name in ("pending", "delivered", "failed"))

    @property
    def reported(self) -> int:
        """Messages with a final report."""
        return self.counts.get("delivered", 0) + self.counts.get("failed", 0)

    @property
    def share_reported(self) -> float:
        """Reported ÷ accepted; 1.0 where nothing was accepted, since nothing is awaited."""
        return self.reported / self.accepted if self.accepted else 1.0


def campaign_progress(conn: sqlite3.Connection, campaign: str | None) -> CampaignProgress:
    """Return the counts of a campaign (all its rounds), or of everything where `campaign` is None."""
    if campaign is None:
        rows = conn.execute("SELECT status_id, count(*) FROM messages GROUP BY status_id").fetchall()
        rows += statuses_of(conn, "1", [])
    else:
        campaign_id = lookups.find_campaign(conn, campaign)
        rows = conn.execute(
            "SELECT m.status_id, count(*) FROM batches b CROSS JOIN messages m USING (batch_id) WHERE b.campaign_id = ?"
            " GROUP BY m.status_id",
            [campaign_id],
        ).fetchall()
        rows += statuses_of(conn, "b.campaign_id = ?", [campaign_id])
    return CampaignProgress.of(rows)


def round_progress(conn: sqlite3.Connection, round_id: int) -> CampaignProgress:
    """Return the counts of one round of a campaign."""
    rows = conn.execute(
        "SELECT m.status_id, count(*) FROM batches b CROSS JOIN messages m USING (batch_id) WHERE b.round_id = ?"
        " AND b.campaign_id = (SELECT campaign_id FROM rounds r WHERE r.round_id = b.round_id) GROUP BY m.status_id",
        [round_id],
    ).fetchall()
    rows += statuses_of(conn, "b.round_id = ? AND b.campaign_id IS NOT NULL", [round_id])
    return CampaignProgress.of(rows)


def before_run(conn: sqlite3.Connection, round_id: int) -> dict[str, int]:
    """Return the messages of a round by status, those whose request is out as ``under_way``: their answer is awaited."""
    counts = dict(round_progress(conn, round_id).counts)
    out: int = conn.execute(
        "SELECT coalesce(sum(messages), 0) FROM batches WHERE round_id = ? AND state = 'submitting'", [round_id]
    ).fetchone()[0]
    if out:
        counts |= {"unknown": max(0, counts.get("unknown", 0) - out), "under_way": out}
    return counts


def batches_progress(conn: sqlite3.Connection, batch_ids: Sequence[int]) -> CampaignProgress:
    """Return the counts of some batches, of this run or another, with what is under way by the same state of the file."""
    select = (
        "SELECT m.status_id, count(*), b.state = 'submitting' FROM messages m JOIN batches b USING (batch_id)"
        " WHERE batch_id = ? GROUP BY m.status_id"
    )
    rows = [row for batch_id in batch_ids for row in conn.execute(select, [batch_id])]
    return CampaignProgress.of(
        ((status, count) for status, count, _ in rows), sum(count for _, count, is_under_way in rows if is_under_way)
    )


def codes_of_failed(conn: sqlite3.Connection, batch_ids: Sequence[int], most: int) -> list[tuple[str, int]]:
    """Return the commonest error codes of the failed messages of some batches, with counts."""
    counts: Counter[str] = Counter()
    for batch_id in batch_ids:
        counts.update(
            row[0]
            for row in conn.execute(
                "SELECT coalesce(c.code, '') FROM messages m LEFT JOIN codes c ON c.code_id = m.error_code_id"
                f" WHERE m.batch_id = ? AND m.status_id = {int(Status.failed)}",
                [batch_id],
            )
        )
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]


def campaigns(conn: sqlite3.Connection) -> list[str]:
    """Return the names of all campaigns, newest first."""
    return [row[0] for row in conn.execute("SELECT campaign FROM campaigns ORDER BY campaign_id DESC")]
