"""How many archived messages batches have by status: as they were archived, and as late reports have left them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from masanalytics.protocol import outcome_of
from masanalytics.store.message_outcomes import Evidence, fold
from masanalytics.vocabulary import Status

__all__ = ["OUTCOME_SQL", "LateOutcome", "delivered_after_all", "late_outcomes", "statuses_of"]

_STATUSES: Final = 4
_KINDS: Final = 2 * _STATUSES
_FAR_S: Final = 2**40
OUTCOME_SQL: Final = (
    f"max(min(ifnull(m.received_at, 0), {_FAR_S}), -{_FAR_S}) * {_KINDS}"
    f" + ifnull(m.segments = 1, 0) * {_STATUSES} + m.status_id - {int(Status.pending)}"
)
"""What the reports of ``messages m`` have come to, in one number: the last time, whether it is of one segment, the status."""


def statuses_of(conn: sqlite3.Connection, which: str, values: Sequence[object]) -> list[tuple[int, int]]:
    """Return how many archived messages batches have by status; `which` is a test on ``batches b``."""
    row = conn.execute(
        "SELECT sum(a.pending), sum(a.delivered), sum(a.failed) FROM archived_batches a JOIN batches b USING (batch_id)"
        f" WHERE {which}",
        list(values),
    ).fetchone()
    counts = dict(zip((Status.pending, Status.delivered, Status.failed), (count or 0 for count in row), strict=True))
    for late in late_outcomes(conn, which, values):
        counts[late.before] -= 1
        counts[late.now] += 1
    return [(int(status), count) for status, count in counts.items() if count]


class LateOutcome(NamedTuple):
    """What an archived message was, as `archived_batches` counts it, and what a late report has made of it."""

    batch_id: int
    before: Status
    now: Status


def late_outcomes(conn: sqlite3.Connection, which: str, values: Sequence[object]) -> list[LateOutcome]:
    """Return the archived messages that are something else since a late report came; `which` as in `statuses_of`."""
    late = [
        _late_outcome(batch_id, outcome, reports)
        for (batch_id, _, outcome), reports in _late_reports(conn, which, values).items()
    ]
    return [one for one in late if one.now != one.before]


def delivered_after_all(conn: sqlite3.Connection) -> int:
    """Return how many archived messages are delivered that failed before, when they were archived or by a late report."""
    count = 0
    for (batch_id, _, outcome), reports in _late_reports(conn, "1", ()).items():
        late = _late_outcome(batch_id, outcome, reports)
        failed = late.before == Status.failed or any(one.status == Status.failed for one in reports)
        count += late.now == Status.delivered and failed
    return count


def _late_reports(
    conn: sqlite3.Connection, which: str, values: Sequence[object]
) -> dict[tuple[int, int, int | None], list[Evidence]]:
    """Return the late reports of each message, which is told by its batch, its number, and what its own reports had come to."""
    rows = conn.execute(
        "SELECT l.batch_id, l.message_id, l.outcome, l.report_status_id, l.error_code_id, l.received_at, s.code, e.code"
        " FROM late_reports l JOIN batches b ON b.batch_id = l.batch_id JOIN codes s ON s.code_id = l.report_status_id"
        f" JOIN codes e ON e.code_id = l.error_code_id WHERE (l.was_open = 1 OR l.outcome IS NOT NULL) AND ({which})",
        list(values),
    )
    found: dict[tuple[int, int, int | None], list[Evidence]] = defaultdict(list)
    for batch_id, message_id, outcome, status_id, error_id, received_at, report_status, error in rows:
        found[batch_id, message_id, outcome].append(
            Evidence(outcome_of(report_status, error), status_id, error_id, None, received_at)
        )
    return found


def _late_outcome(batch_id: int, outcome: int | None, reports: Sequence[Evidence]) -> LateOutcome:
    """Return what late `reports` make of a message whose own had come to `outcome`; None: an earlier version knew of no report."""
    if outcome is None:
        return LateOutcome(batch_id, Status.pending, Status(fold(reports).status_id))
    at, (is_short, status) = outcome // _KINDS, divmod(outcome % _KINDS, _STATUSES)
    before = Status(Status.pending + status)
    own = Evidence(before, 0, None, None, at or None)
    return LateOutcome(batch_id, before, Status(fold([own, *reports], 1 if is_short else None).status_id))
