"""From one raw answer to everything it changes, in one transaction: evidence, outcomes, opt-outs, coverage."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from masanalytics.i18n import Text
from masanalytics.protocol import (
    FULL_PAGE,
    BadRecord,
    Endpoint,
    Page,
    PollAnswer,
    ReportRecord,
    UplinkRecord,
    read_page,
    read_push,
)
from masanalytics.store import (
    coverage,
    holes,
    message_outcomes,
    parts,
    platform_clock,
    poll_log,
    reconciliation,
    report_ingestion,
    send_log,
    uplink_ingestion,
)

__all__ = ["Received", "ingest", "replay"]

_STATES = {"records": "parsed", "rejected": "rejected"}
_WORDS_OF_ENCODING = {
    "gb18030": Text("the answer was in GB18030 (GBK), not in UTF-8, and was read as that", code="gb18030"),
    "damaged": Text(
        "some of the answer's bytes are no text, in UTF-8 or in GB18030; they were replaced, and the answer is kept",
        code="damaged_text",
    ),
}
_AHEAD_AT_MOST_S = 2 * 366 * 86_400
_THIS_IS_WRITTEN = 1_767_225_600
"""The year 2026: a clock that says an earlier time is wrong, and is no measure of the platform's."""
_NO_GROUP = "no msgGroup"
_KEPT = "poll_id IN (SELECT poll_id FROM polls WHERE raw IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Received:
    """What one answer brought.

    Attributes
    ----------
    kind : str
        ``records``, ``rejected`` (the answer is not data: too soon, or the account is rejected) or ``unreadable``.
    size : int
        Records in the answer, readable or not.
    reports, uplinks, repeated, foreign, opt_outs, set_aside, settled : int
        New records by kind, readable ones that are in the store already, reports of batches this store did not send, new opt-outs, records that do not parse,
        and batches of unknown outcome that the reports settled.
    drained : bool
        Whether the platform had nothing more at that moment.
    rspcod : str
        The platform's own word, where it said that instead of data.
    notice : Text or None
        What is to be said of the answer.
    """

    kind: str
    size: int = 0
    reports: int = 0
    uplinks: int = 0
    repeated: int = 0
    foreign: int = 0
    opt_outs: int = 0
    set_aside: int = 0
    settled: int = 0
    drained: bool = False
    rspcod: str = ""
    notice: Text | None = None


def ingest(conn: sqlite3.Connection, poll_id: int, answer: PollAnswer, words: Collection[str] | None) -> Received:
    """Parse the stored answer of a poll and store what it says."""
    page, endpoint = _read(answer)
    page = _without_future(page, answer)
    notice = _notice(page)
    if page.kind == "records":
        take = _take_reports if endpoint == "report" else _take_uplinks
        received = replace(take(conn, poll_id, answer, page, words), notice=notice)
    else:
        received = Received(page.kind, rspcod=page.notice if page.kind == "rejected" else "", notice=notice)
    whole = not (received.set_aside or page.salvaged or page.encoding == "damaged")
    unread = 0 if page.kind == "rejected" else max(0, FULL_PAGE - received.size)
    holes.close_read(
        conn,
        poll_id,
        answer.answered_at,
        unread=unread if page.salvaged or page.kind == "unreadable" else 0,
        set_aside=received.set_aside,
    )
    poll_log.note_read(
        conn,
        poll_id,
        _STATES.get(page.kind, "unparsed") if whole else "unparsed",
        records=received.size,
        set_aside=received.set_aside,
        notice=notice,
    )
    return received


def _read(answer: PollAnswer) -> tuple[Page, Endpoint]:
    """Read an answer as a page, or else as a push in whatever form is known by now: it is kept as it came.

    An address takes reports and replies, so that only what is in a push tells which it holds.
    """
    page = read_page(
        answer.raw, answer.endpoint, complete=answer.complete, status=answer.status, charset=answer.charset
    )
    if page.kind == "records":
        return page, answer.endpoint
    pushed = read_push(answer.raw, answer.endpoint)
    parts = [part for part in pushed if part.endpoint == answer.endpoint] or pushed
    pages = [read_page(part.raw, part.endpoint, complete=answer.complete) for part in parts]
    if len(pages) == 1 and pages[0].kind == "records":
        return pages[0], parts[0].endpoint
    return page, answer.endpoint


def _without_future(page: Page, answer: PollAnswer) -> Page:
    """Leave out instants that lie years ahead of the answer that tells them: what programs write for "never"."""
    latest = max(answer.answered_at, answer.server_time or 0.0, _THIS_IS_WRITTEN) + _AHEAD_AT_MOST_S
    believed: list[Any] = [_with_instants_to(latest, record) for record in page.records]
    return replace(page, records=believed)


def _with_instants_to(latest: float, record: ReportRecord | UplinkRecord) -> ReportRecord | UplinkRecord:
    if isinstance(record, ReportRecord):
        submitted_at, received_at = record.submitted_at, record.received_at
        if (submitted_at or 0) > latest:
            record = record._replace(submitted_at=None)
        return record._replace(received_at=None) if (received_at or 0) > latest else record
    return record._replace(sent_at=None) if (record.sent_at or 0) > latest else record


def replay(conn: sqlite3.Connection, words: Collection[str] | None) -> int:
    """Rebuild reports, uplinks and outcomes from the raw answers alone; return how many answers were read.

    What came from answers that have since been pruned stays as it is.
    """
    poll_ids = poll_log.kept_answers(conn)
    touched = [row[0] for row in conn.execute(f"SELECT DISTINCT message_id FROM reports WHERE {_KEPT}")]
    conn.execute(f"DELETE FROM reports WHERE {_KEPT}")
    conn.execute(f"DELETE FROM late_reports WHERE {_KEPT}")
    conn.execute(f"DELETE FROM records_set_aside WHERE {_KEPT}")
    conn.execute(
        f"DELETE FROM opt_outs WHERE until IS NULL AND uplink_id IN (SELECT uplink_id FROM uplinks WHERE {_KEPT})"
    )
    conn.execute(f"DELETE FROM uplinks WHERE {_KEPT}")
    message_outcomes.reset(conn, touched)
    for poll_id in poll_ids:
        _ingest_again(conn, poll_id, words)
    conn.execute("DELETE FROM messages WHERE campaign_id IS NULL AND reports = 0")
    conn.execute(
        "DELETE FROM batches WHERE campaign_id IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM messages WHERE messages.batch_id = batches.batch_id) AND batch_id NOT IN"
        " (SELECT batch_id FROM archived_batches)"
    )
    return len(poll_ids)


def _ingest_again(conn: sqlite3.Connection, poll_id: int, words: Collection[str] | None) -> None:
    """Read one kept answer again; it is let go before the next is read, since an answer may be large."""
    answer = poll_log.read_answer(conn, poll_id)
    if answer is not None:
        ingest(conn, poll_id, answer, words)


def _notice(page: Page) -> Text | None:
    if page.kind == "records" or not page.notice:
        return _WORDS_OF_ENCODING.get(page.encoding)
    return Text("{said}", code=page.kind, said=page.notice)


def _take_uplinks(
    conn: sqlite3.Connection, poll_id: int, _answer: PollAnswer, page: Page, words: Collection[str] | None
) -> Received:
    _set_aside(conn, poll_id, page)
    account_id = poll_log.account_of(conn, poll_id)
    opt_outs, new = uplink_ingestion.take_uplinks(conn, account_id, poll_id, page.uplinks, words)
    return Received(
        "records",
        page.size,
        uplinks=new,
        repeated=len(page.uplinks) - new,
        opt_outs=opt_outs,
        set_aside=len(page.bad),
        drained=page.drained,
    )


def _take_reports(
    conn: sqlite3.Connection, poll_id: int, answer: PollAnswer, page: Page, _words: Collection[str] | None
) -> Received:
    reports = [report for report in page.reports if report.msg_group]
    # Which message a report without a msgGroup is of cannot be told: merged or guessed, it would count for another one.
    nameless = [
        BadRecord.of(page.size + place, _NO_GROUP, report._asdict())
        for place, report in enumerate(report for report in page.reports if not report.msg_group)
    ]
    page = replace(page, bad=[*page.bad, *nameless])
    _set_aside(conn, poll_id, page)
    account_id = poll_log.account_of(conn, poll_id)
    foreign, new = report_ingestion.take_reports(conn, account_id, poll_id, reports)
    settled = reconciliation.infer(conn, foreign)
    if foreign:  # perhaps a batch whose sender was killed, and that nobody has missed yet
        settled += send_log.release_stale(conn).groups
    confirmed = reconciliation.confirm(conn, account_id)
    if page.drained:
        told = answer.server_time
        if told is None:
            told = platform_clock.time_told_at(conn, account_id, answer.requested_at)
        believed = coverage.believed(answer.requested_at, told)
        coverage.extend(conn, account_id, believed if told is None else min(believed, int(told)))
        parts.keep_up(conn, account_id)
    return Received(
        "records",
        page.size,
        reports=new,
        repeated=len(reports) - new,
        foreign=sum(count for group, count in foreign.items() if group not in settled),
        set_aside=len(page.bad),
        settled=len(settled) + confirmed,
        drained=page.drained,
    )


def _set_aside(conn: sqlite3.Connection, poll_id: int, page: Page) -> None:
    conn.executemany(
        "INSERT OR REPLACE INTO records_set_aside (poll_id, position, reason, record) VALUES (?, ?, ?, ?)",
        [(poll_id, bad.index, bad.reason, bad.text) for bad in page.bad],
    )
