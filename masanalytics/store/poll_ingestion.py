"""From one raw answer to everything it changes, in one transaction: evidence, outcomes, opt-outs, coverage."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from masanalytics.protocol import Page, read_page
from masanalytics.store import coverage, reconciliation, report_ingestion, sends, uplink_ingestion
from masanalytics.store.polls import RawPoll, read_raw

__all__ = ["Received", "receive", "replay"]


@dataclass(frozen=True, slots=True)
class Received:
    """What one answer brought.

    Attributes
    ----------
    kind : str
        ``records``, ``refused`` (the answer is not data: too soon, or the account is refused) or ``unreadable``.
    size : int
        Records in the answer, readable or not.
    reports, uplinks, foreign, opt_outs, set_aside, settled : int
        Readable records by kind, reports of batches this store did not send, new opt-outs, records that do not parse,
        and batches of unknown outcome that the reports settled.
    drained : bool
        Whether the platform had nothing more at that moment.
    notice : str
        What the platform said instead of data.
    """

    kind: str
    size: int = 0
    reports: int = 0
    uplinks: int = 0
    foreign: int = 0
    opt_outs: int = 0
    set_aside: int = 0
    settled: int = 0
    drained: bool = False
    notice: str = ""


def receive(conn: sqlite3.Connection, poll: RawPoll, words: Collection[str] | None) -> Received:
    """Parse a stored answer and store what it says."""
    page = read_page(poll.raw, poll.endpoint, complete=poll.complete, status=poll.http_status)
    if page.kind == "records":
        received = _take_records(conn, poll, page, words)
    else:
        received = Received(page.kind, notice=page.notice)
    state = {"records": "unparsed" if page.bad or page.salvaged else "parsed", "refused": "refused"}.get(
        page.kind, "unparsed"
    )
    conn.execute(
        "UPDATE polls SET state = ?, records = ?, set_aside = ?, notice = nullif(?, '') WHERE poll_id = ?",
        [state, received.size, received.set_aside, page.notice, poll.poll_id],
    )
    return received


def replay(conn: sqlite3.Connection, words: Collection[str] | None) -> int:
    """Rebuild reports, uplinks and outcomes from the raw answers alone; return how many answers were read.

    What came from answers that have since been pruned stays as it is.
    """
    polls = conn.execute("SELECT poll_id FROM polls WHERE raw IS NOT NULL ORDER BY poll_id").fetchall()
    kept = "poll_id IN (SELECT poll_id FROM polls WHERE raw IS NOT NULL)"
    touched = [row[0] for row in conn.execute(f"SELECT DISTINCT message_id FROM reports WHERE {kept}")]
    conn.execute(f"DELETE FROM reports WHERE {kept}")
    conn.execute(f"DELETE FROM records_set_aside WHERE {kept}")
    conn.execute(
        f"DELETE FROM opt_outs WHERE until IS NULL AND uplink_id IN (SELECT uplink_id FROM uplinks WHERE {kept})"
    )
    conn.execute(f"DELETE FROM uplinks WHERE {kept}")
    _forget_outcomes(conn, touched)
    for (poll_id,) in polls:
        _again(conn, poll_id, words)
    conn.execute("DELETE FROM messages WHERE campaign_id IS NULL AND reports = 0")
    conn.execute(
        "DELETE FROM batches WHERE campaign_id IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM messages WHERE messages.batch_id = batches.batch_id)"
    )
    return len(polls)


def _again(conn: sqlite3.Connection, poll_id: int, words: Collection[str] | None) -> None:
    poll = read_raw(conn, poll_id)
    if poll is not None:
        receive(conn, poll, words)


def _forget_outcomes(conn: sqlite3.Connection, message_ids: Sequence[int]) -> None:
    """Set messages back to what they were before any report: what their batch says, at the time we asked."""
    conn.executemany(
        "UPDATE messages SET received_at = NULL, report_status_id = NULL, error_code_id = NULL, reports = 0,"
        " (status_id, submitted_at) = (SELECT CASE state WHEN 'accepted' THEN 4 WHEN 'rejected' THEN 2"
        " WHEN 'not_sent' THEN 1 WHEN 'planned' THEN 0 ELSE 3 END, requested_at"
        " FROM batches WHERE batches.batch_id = messages.batch_id) WHERE message_id = ?",
        [(message_id,) for message_id in message_ids],
    )
    report_ingestion.refresh(conn, message_ids)  # what pruned answers brought still counts


def _take_records(conn: sqlite3.Connection, poll: RawPoll, page: Page, words: Collection[str] | None) -> Received:
    conn.executemany(
        "INSERT OR REPLACE INTO records_set_aside (poll_id, position, reason, record) VALUES (?, ?, ?, ?)",
        [(poll.poll_id, bad.index, bad.reason, bad.text) for bad in page.bad],
    )
    if poll.endpoint == "deliver":
        replies = page.uplinks
        opt_outs = uplink_ingestion.take_uplinks(conn, poll.account_id, poll.poll_id, replies, words)
        return Received(
            "records", page.size, uplinks=len(replies), opt_outs=opt_outs, set_aside=len(page.bad), drained=page.drained
        )
    reports = page.reports
    strange = report_ingestion.take_reports(conn, poll.account_id, poll.poll_id, reports)
    settled = reconciliation.infer(conn, strange)
    if strange:  # perhaps a batch whose sender was killed, and that nobody has missed yet
        settled += reconciliation.look_again(conn, sends.release_stale(conn, poll.answered_at))
    confirmed = reconciliation.confirm(conn, poll.account_id)
    if page.drained:
        coverage.extend(conn, poll.account_id, poll.asked_at)
    return Received(
        "records",
        page.size,
        reports=len(reports),
        foreign=sum(count for group, count in strange.items() if group not in settled),
        set_aside=len(page.bad),
        settled=len(settled) + confirmed,
        drained=page.drained,
    )
