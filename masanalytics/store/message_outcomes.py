"""What several reports for one message come to.

Long messages may bring one report a segment, a gateway may say "accepted" before it says "delivered", and one that tries again
says what came of each attempt. The rule: an intermediate report never replaces a final one. Of a message of one segment the last
final report counts, with its own code and time. Of a longer one, or of one whose length is not known, each report may be of
another part: it is delivered only if none of its reports failed, and the time is that of the last. A report without a time of
submission says nothing of it: that of the other reports stays. The result does not depend on the order in which reports came.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from masanalytics.protocol import outcome_of
from masanalytics.store.coverage import covered_until
from masanalytics.store.lookups import STATUS_OF_STATE
from masanalytics.store.part_rules import by_part_accounts
from masanalytics.store.platform_clock import date_messages
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["Evidence", "Outcome", "fold", "refresh", "reset", "write"]

_MESSAGES_AT_ONCE = 400
_NEVER = -1 << 40
_WRITE_OUTCOME = (
    "UPDATE messages SET status_id = ?, report_status_id = ?, error_code_id = ?,"
    " submitted_at = coalesce(?, submitted_at), received_at = ?, reports = ? WHERE message_id = ?"
)


class Evidence(NamedTuple):
    """One report of a message."""

    status: Status
    report_status_id: int
    error_code_id: int | None
    submitted_at: int | None
    received_at: int | None
    copies: int = 1


class Outcome(NamedTuple):
    """What is written onto the message."""

    status_id: int
    report_status_id: int
    error_code_id: int | None
    submitted_at: int | None
    received_at: int | None
    reports: int


_STATUS_OF_STATE = " ".join(f"WHEN '{state}' THEN {int(status)}" for state, status in STATUS_OF_STATE.items())
_RANK = {Status.failed: 2, Status.delivered: 1, Status.pending: 0}


def fold(reports: Iterable[Evidence], segments: int | None = None, *, by_part: bool = False) -> Outcome:
    """Return the outcome of a message with these reports (at least one) and so many segments, where that is known.

    `by_part` says that the account's reports come one a part, and that others may still come.

    Examples
    --------
    A message of one segment whose second attempt succeeded was delivered then.

    >>> delivered = Evidence(Status.delivered, 1, None, 100, 130)
    >>> failed = Evidence(Status.failed, 2, 2, 100, 120)
    >>> fold([delivered, failed], 1) == fold([failed, delivered], 1) == Outcome(5, 1, None, 100, 130, 2)
    True

    A message of two segments, of which one failed, has failed; its time is that of the last report.

    >>> fold([delivered], 2).status_id, fold([delivered], 2, by_part=True).status_id
    (5, 4)
    >>> fold([delivered, failed], 2) == fold([failed, delivered], 2) == Outcome(6, 2, 2, 100, 130, 2)
    True
    """
    found = list(reports)
    final = [report for report in found if report.status != Status.pending]
    submitted_at = _submission(final, found, is_short=segments == 1)
    if segments == 1 and final:
        final = [max(final, key=_lateness)]
    decisive = max(final or found, key=_weight)
    parts = sum(report.copies for report in final)
    if by_part and decisive.status == Status.delivered and parts < (segments or 1):
        decisive, final = decisive._replace(status=Status.pending), []
    received = [report.received_at for report in final if report.received_at is not None]
    return Outcome(
        int(decisive.status),
        decisive.report_status_id,
        decisive.error_code_id,
        submitted_at,
        max(received, default=None),
        len(found) if segments is None or segments < 2 else sum(report.copies for report in found),
    )


def _submission(final: Sequence[Evidence], found: Sequence[Evidence], *, is_short: bool) -> int | None:
    """Return when a message was submitted: what its last dated final report says, or the earliest of those of a longer one."""
    dated = [report for report in final if report.submitted_at is not None]
    if is_short and dated:
        last = max(map(_lateness, dated))
        dated = [report for report in dated if _lateness(report) == last]
    return min((one.submitted_at for one in dated or found if one.submitted_at is not None), default=None)


def _weight(report: Evidence) -> tuple[int, int, int, int]:
    at = -1 if report.received_at is None else report.received_at
    return _RANK[report.status], at, report.report_status_id, report.error_code_id or 0


def _lateness(report: Evidence) -> tuple[int, int, int, int]:
    # Within one second, or in times that were cut to the minute: who got a message cannot fail to get it afterwards.
    rank, at, *ids = _weight(report)
    return at, -rank, ids[0], ids[1]


def write(conn: sqlite3.Connection, rows: Sequence[tuple[int | None, ...]]) -> None:
    """Write outcomes onto messages: the fields of an `Outcome`, then the message, for each."""
    conn.executemany(_WRITE_OUTCOME, rows)


def refresh(conn: sqlite3.Connection, message_ids: Iterable[int]) -> None:
    """Write onto these messages what all their reports come to; those without any are left as they are."""
    outcomes = _fold_stored(conn, sorted(set(message_ids)))
    write(conn, [(*outcome, message_id) for message_id, outcome, _ in outcomes])
    conn.executemany(
        "UPDATE messages SET first_failed = ? WHERE message_id = ? AND first_failed IS NOT ?",
        [(flag, message_id, flag) for message_id, _, failed in outcomes for flag in [1 if failed else None]],
    )


def reset(conn: sqlite3.Connection, message_ids: Sequence[int]) -> None:
    """Set messages back to what they were before any report: what their batch says, at the time it was taken or we asked."""
    conn.executemany(
        "UPDATE messages SET received_at = NULL, report_status_id = NULL, error_code_id = NULL, reports = 0, first_failed = NULL,"
        f" (status_id, submitted_at) = (SELECT CASE state {_STATUS_OF_STATE} END, requested_at"
        " FROM batches WHERE batches.batch_id = messages.batch_id) WHERE message_id = ?",
        [(message_id,) for message_id in message_ids],
    )
    batches = "SELECT DISTINCT batch_id FROM messages WHERE message_id IN (SELECT value FROM json_each(?))"
    for (batch_id,) in conn.execute(batches, [json.dumps(list(message_ids))]).fetchall():
        date_messages(conn, batch_id)
    refresh(conn, message_ids)  # what pruned answers brought still counts


def _fold_stored(conn: sqlite3.Connection, message_ids: Sequence[int]) -> list[tuple[int, Outcome, bool]]:
    """Return what the reports of each message come to, and whether it was delivered after it had been reported as failed."""
    grouped: dict[int, list[Evidence]] = defaultdict(list)
    sizes: dict[int, int | None] = {}
    open_parts: set[int] = set()
    young = _young(conn)
    for start in range(0, len(message_ids), _MESSAGES_AT_ONCE):
        chunk = message_ids[start : start + _MESSAGES_AT_ONCE]
        for (
            message_id,
            segments,
            account_id,
            asked_at,
            status_id,
            status,
            error_id,
            error,
            submitted_at,
            received_at,
            copies,
        ) in conn.execute(
            "SELECT m.message_id, m.segments, m.account_id, m.submitted_at, r.report_status_id, s.code, r.error_code_id, e.code, r.submitted_at,"
            " r.received_at, r.copies FROM reports r JOIN messages m USING (message_id)"
            " JOIN codes s ON s.code_id = r.report_status_id JOIN codes e ON e.code_id = r.error_code_id"
            f" WHERE m.message_id IN ({','.join('?' * len(chunk))})",
            chunk,
        ):
            sizes[message_id] = segments
            if asked_at is not None and asked_at > young.get(account_id, asked_at):
                open_parts.add(message_id)
            grouped[message_id].append(
                Evidence(
                    outcome_of(status, error), status_id, error_id if error else None, submitted_at, received_at, copies
                )
            )
    folded = []
    for message_id, evidence in grouped.items():
        outcome = fold(evidence, sizes[message_id], by_part=message_id in open_parts)
        failed_before = outcome.status_id == Status.delivered and any(one.status == Status.failed for one in evidence)
        folded.append((message_id, outcome, failed_before))
    return folded


def _young(conn: sqlite3.Connection) -> dict[int, int]:
    """Return, of accounts whose reports come by part, since when a part may still be on its way."""
    by_part = by_part_accounts(conn)
    ends = covered_until(conn) if by_part else {}
    return {account: ends[account] - UNREPORTED_AFTER_S if account in ends else _NEVER for account in by_part}
