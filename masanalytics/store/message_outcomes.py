"""What several reports for one message come to.

Long messages may bring one report a segment, and a gateway may say "accepted" before it says "delivered". The rule: an
intermediate report never replaces a final one; a message is delivered only if none of its reports failed; the time is
that of the last report. The result does not depend on the order in which reports came.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from masanalytics.vocabulary import Status

__all__ = ["Evidence", "Outcome", "fold"]


class Evidence(NamedTuple):
    """One report of a message."""

    status: Status
    report_status_id: int
    error_code_id: int | None
    submitted_at: int | None
    received_at: int | None


class Outcome(NamedTuple):
    """What is written onto the message."""

    status_id: int
    report_status_id: int
    error_code_id: int | None
    submitted_at: int | None
    received_at: int | None
    reports: int


_RANK = {Status.failed: 2, Status.delivered: 1, Status.pending: 0}


def fold(reports: Iterable[Evidence]) -> Outcome:
    """Return the outcome of a message with these reports (at least one).

    Examples
    --------
    A message of two segments, of which one failed, has failed; its time is that of the last report.

    >>> delivered = Evidence(Status.delivered, 1, None, 100, 130)
    >>> failed = Evidence(Status.failed, 2, 2, 100, 120)
    >>> fold([delivered, failed]) == fold([failed, delivered]) == Outcome(6, 2, 2, 100, 130, 2)
    True
    """
    found = list(reports)
    final = [report for report in found if report.status != Status.pending]
    weighed = final or found
    decisive = max(weighed, key=_weight)
    submitted = [report.submitted_at for report in weighed if report.submitted_at is not None]
    received = [report.received_at for report in final if report.received_at is not None]
    return Outcome(
        int(decisive.status),
        decisive.report_status_id,
        decisive.error_code_id,
        min(submitted, default=None),
        max(received, default=None),
        len(found),
    )


def _weight(report: Evidence) -> tuple[int, int, int, int]:
    at = -1 if report.received_at is None else report.received_at
    return _RANK[report.status], at, report.report_status_id, report.error_code_id or 0
