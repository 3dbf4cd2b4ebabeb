"""How many archived messages batches have by status: as they were archived, and as late reports have left them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from masanalytics.protocol import outcome_of
from masanalytics.store.message_outcomes import Evidence, fold
from masanalytics.vocabulary import Status

__all__ = ["late_outcomes", "statuses_of"]


def statuses_of(conn: sqlite3.Connection, which: str, values: Sequence[object]) -> list[tuple[int, int]]:
    """Return how many archived messages batches have by status; `which` is a test on ``batches b``."""
    row = conn.execute(
        "SELECT sum(a.pending), sum(a.delivered), sum(a.failed) FROM archived_batches a JOIN batches b USING (batch_id)"
        f" WHERE {which}",
        list(values),
    ).fetchone()
    counts = dict(zip((Status.pending, Status.delivered, Status.failed), (count or 0 for count in row), strict=True))
    for _, status in late_outcomes(conn, which, values):
        counts[Status.pending] -= 1
        counts[status] += 1
    return [(int(status), count) for status, count in counts.items() if count]


def late_outcomes(conn: sqlite3.Connection, which: str, values: Sequence[object]) -> list[tuple[int, Status]]:
    """Return batch and outcome of each archived message that was pending until a late report came; `which` as in `statuses_of`."""
    rows = conn.execute(
        "SELECT l.batch_id, l.message_id, l.report_status_id, l.error_code_id, l.received_at, s.code, e.code FROM late_reports l"
        " JOIN batches b ON b.batch_id = l.batch_id JOIN codes s ON s.code_id = l.report_status_id"
        f" JOIN codes e ON e.code_id = l.error_code_id WHERE l.was_open = 1 AND ({which})",
        list(values),
    )
    found: dict[tuple[int, int], list[Evidence]] = defaultdict(list)
    for batch_id, message_id, status_id, error_id, received_at, report_status, error in rows:
        found[batch_id, message_id].append(
            Evidence(outcome_of(report_status, error), status_id, error_id, None, received_at)
        )
    ended = [(batch_id, Status(fold(reports).status_id)) for (batch_id, _), reports in found.items()]
    return [(batch_id, status) for batch_id, status in ended if status != Status.pending]
