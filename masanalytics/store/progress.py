"""How far a campaign has come: counts by status, straight from the file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from masanalytics.frames import Status
from masanalytics.store import lookups

__all__ = ["CampaignProgress", "campaign_progress", "codes_of_failed"]


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """A campaign's messages by status."""

    counts: dict[str, int]

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
    else:
        number = lookups.find_campaign(conn, campaign)
        rows = conn.execute(
            "SELECT m.status_id, count(*) FROM batches b CROSS JOIN messages m USING (batch_id) WHERE b.campaign_id = ?"
            " GROUP BY m.status_id",
            [number],
        ).fetchall()
    return CampaignProgress({Status(status).name: count for status, count in rows})


def codes_of_failed(conn: sqlite3.Connection, campaign: str, most: int) -> list[tuple[str, int]]:
    """Return the commonest error codes of a campaign's failed messages, with counts."""
    return conn.execute(
        "SELECT coalesce(c.code, ''), count(*) n FROM batches b CROSS JOIN messages m USING (batch_id)"
        " LEFT JOIN codes c ON c.code_id = m.error_code_id WHERE b.campaign_id = ? AND m.status_id = 6"
        " GROUP BY 1 ORDER BY n DESC, 1 LIMIT ?",
        [lookups.find_campaign(conn, campaign), most],
    ).fetchall()
