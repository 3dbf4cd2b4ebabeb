"""Bringing reports and batches together that did not find each other at once.

Reports may come before their batch's own answer is stored, or the answer may never come. Either way they wait as messages
of no campaign under their msgGroup. When the answer names that msgGroup, or when it is proved that the group is a batch whose
outcome is unknown, the reports move to the messages they belong to.

A proof is exclusive (no other batch of the account, in flight, in doubt or accepted without a msgGroup, could have caused the
reports), sufficient (most of the batch's numbers come under one msgGroup, and all of the group's numbers are in the batch) and in
time (between question and answer, by the platform's clock). A batch of few numbers stays in doubt for ever. What was inferred
can be taken back by the user; the platform's own word, an answer or a report under the batch's own msgGroup, beats both.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from masanalytics.i18n import Text
from masanalytics.store.kept_texts import keep_text
from masanalytics.store.lookups import STATUS_OF_STATE
from masanalytics.store.message_outcomes import refresh
from masanalytics.store.moved_messages import NUMBERS_OF_BATCH, pull_back, sent_again
from masanalytics.store.platform_clock import date_messages, group_time, offsets_near
from masanalytics.vocabulary import Status

__all__ = ["adopt", "confirm", "give_back", "infer", "look_again", "settle"]

_FEWEST: Final = 5
"""Fewer numbers than these prove nothing, however small the batch: somebody else on the account reaches them by chance."""
_BEFORE_S: Final = 5
_AFTER_S: Final = 30
_UNDER_WAY_S: Final = 300
"""A request whose sender was killed is taken within this time, or never."""
_SAME_GROUP_S: Final = 180 * 86400
"""A msgGroup carries no year: the same one more than half a year away is another batch."""
_SHOWN_BY_REPORTS = Text("accepted, as its reports show", code="shown_by_reports")
_SETTLED_BY_USER = Text("settled by the user", code="settled_by_user")


def adopt(conn: sqlite3.Connection, batch_id: int) -> int:
    """Move reports that waited under this batch's msgGroup to its messages; return how many messages they settled."""
    msg_group, account_id, requested_at = conn.execute(
        "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    if not msg_group:
        return 0
    strangers = conn.execute(
        "SELECT batch_id FROM batches WHERE msg_group = ? AND account_id = ? AND campaign_id IS NULL"
        " AND abs(coalesce(requested_at, ?) - ?) <= ?",
        [msg_group, account_id, requested_at, requested_at, _SAME_GROUP_S],
    ).fetchall()
    return sum(_move(conn, stranger, batch_id) for (stranger,) in strangers)


class _Candidate(NamedTuple):
    """A batch that may be the group: its answer is not known, or did not name one."""

    batch_id: int
    state: str
    is_doubtful: bool
    requested_at: int
    answered_at: int


def infer(conn: sqlite3.Connection, foreign: Iterable[int]) -> list[int]:
    """Settle batches of unknown outcome that groups of reports prove to have been accepted; return those groups.

    A batch in flight is a rival like any other, and waits for its own answer. What was rejected is a rival only where nothing in
    doubt has the numbers, what was surely not sent only where nothing else fits: then the reports prove the word about it wrong. A
    request without an answer may have come late, however long ago it was made.
    """
    settled = []
    for group_id in foreign:
        row = conn.execute(
            "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ? AND campaign_id IS NULL",
            [group_id],
        ).fetchone()
        if row is None or row[2] is None or not row[0]:
            continue
        candidates = _candidates(conn, group_id, row[0], row[1])
        fitting = [one for one in candidates if _fits(conn, group_id, one, *row)]
        doubtful = [one for one in fitting if one.is_doubtful]
        if not doubtful and any(one.state in ("submitting", "unknown") for one in candidates):
            continue
        chosen = doubtful or [one for one in fitting if one.state == "rejected"] or fitting
        if len(chosen) != 1 or chosen[0].state == "submitting" or not _suffices(conn, group_id, chosen[0].batch_id):
            continue
        pull_back(conn, chosen[0].batch_id)
        conn.execute("UPDATE batches SET msg_group = ? WHERE batch_id = ?", [row[0], chosen[0].batch_id])
        _accept(conn, chosen[0].batch_id)
        adopt(conn, chosen[0].batch_id)
        settled.append(group_id)
    return settled


def look_again(conn: sqlite3.Connection, batch_ids: Iterable[int]) -> list[int]:
    """Settle batches that have just turned out to be of unknown outcome by reports that came before.

    Their reports may all have been fetched while the answer was still awaited. Returns the groups that found their batch.
    """
    waiting = conn.execute(
        "SELECT DISTINCT g.batch_id FROM messages m JOIN messages g ON g.phone = m.phone AND g.round_id IS NULL"
        " JOIN batches b ON b.batch_id = m.batch_id WHERE m.batch_id IN (SELECT value FROM json_each(?))"
        " AND g.campaign_id IS NULL AND g.account_id = b.account_id",
        [json.dumps(list(batch_ids))],
    ).fetchall()
    return infer(conn, [group_id for (group_id,) in waiting])


def confirm(conn: sqlite3.Connection, account_id: int) -> int:
    """Settle batches whose msgGroup is known and named by reports, whatever was said of them; return how many.

    An answer that contradicts itself may still have named the msgGroup.
    """
    rows = conn.execute(
        "SELECT batch_id FROM batches WHERE account_id = ? AND state IN ('unknown', 'rejected', 'not_sent') AND msg_group IS"
        " NOT NULL AND EXISTS (SELECT 1 FROM messages m WHERE m.batch_id = batches.batch_id AND m.reports > 0)",
        [account_id],
    ).fetchall()
    for (batch_id,) in rows:
        _accept(conn, batch_id)
    return len(rows)


def settle(conn: sqlite3.Connection, batch_id: int, state: str) -> bool:
    """Set a batch to what the user says: ``accepted`` or ``not_sent``; return whether its outcome was open to that.

    It is where it is unknown, was inferred from reports, or was the user's own word before. With "not sent", reports that had been
    taken for the batch's are nobody's again, and do not settle it another time; with "accepted" they may.
    """
    row = conn.execute(
        "SELECT inferred FROM batches WHERE batch_id = ? AND campaign_id IS NOT NULL AND (state = 'unknown' OR inferred OR"
        " settled_by_user)",
        [batch_id],
    ).fetchone()
    if row is None or conn.execute("SELECT 1 FROM archived_batches WHERE batch_id = ?", [batch_id]).fetchone():
        return False  # what is archived was settled by its reports, or by 72 hours without one
    if row[0] and state != "accepted":
        give_back(conn, batch_id)
    conn.execute(
        "UPDATE batches SET state = ?, notice = ?, settled_by_user = 1 WHERE batch_id = ?",
        [state, keep_text(_SETTLED_BY_USER), batch_id],
    )
    _settle_messages(conn, batch_id, STATUS_OF_STATE[state])
    if state == "accepted":
        conn.execute("UPDATE batches SET denied_group = NULL WHERE batch_id = ?", [batch_id])
        look_again(conn, [batch_id])
    return True


def give_back(conn: sqlite3.Connection, batch_id: int) -> None:
    """Take an inference back: its reports become those of a group of no campaign again, and the batch has no msgGroup."""
    msg_group, account_id, requested_at = conn.execute(
        "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    conn.execute(
        "UPDATE batches SET state = 'unknown', msg_group = NULL, denied_group = ?, inferred = 0 WHERE batch_id = ?",
        [msg_group, batch_id],
    )
    reported = conn.execute(
        "SELECT message_id, phone, carrier_id, submitted_at FROM messages WHERE batch_id = ? AND reports > 0",
        [batch_id],
    ).fetchall()
    if reported:
        stranger = conn.execute(
            "INSERT INTO batches (account_id, mode, state, msg_group, messages, requested_at) VALUES (?, 'foreign',"
            " 'accepted', ?, ?, ?)",
            [account_id, msg_group, len(reported), min((row[3] or requested_at) for row in reported)],
        ).lastrowid
        for message_id, phone, carrier_id, submitted_at in reported:
            theirs = conn.execute(
                "INSERT INTO messages (batch_id, account_id, phone, carrier_id, status_id, submitted_at)"
                f" VALUES (?, ?, ?, ?, {int(Status.pending)}, ?)",
                [stranger, account_id, phone, carrier_id, submitted_at],
            ).lastrowid
            conn.execute("UPDATE reports SET message_id = ? WHERE message_id = ?", [theirs, message_id])
            refresh(conn, [theirs or 0])
    conn.execute(
        "UPDATE messages SET status_id = ?, submitted_at = ?, received_at = NULL, report_status_id = NULL,"
        " error_code_id = NULL, reports = 0 WHERE batch_id = ?",
        [int(Status.unknown), requested_at, batch_id],
    )


def _accept(conn: sqlite3.Connection, batch_id: int) -> None:
    count = sent_again(conn, batch_id)
    notice = _SHOWN_BY_REPORTS
    if count:
        notice = Text(
            "accepted, as its reports show; {count:,} of its messages was sent again meanwhile, since it was said not to have been sent",
            "accepted, as its reports show; {count:,} of its messages were sent again meanwhile, since it was said not to have been sent",
            code="taken_twice",
            count=count,
        )
    conn.execute(
        "UPDATE batches SET state = 'accepted', inferred = 1, settled_by_user = 0, notice = ? WHERE batch_id = ?",
        [keep_text(notice), batch_id],
    )
    _settle_messages(conn, batch_id, Status.pending)
    date_messages(conn, batch_id)


def _settle_messages(conn: sqlite3.Connection, batch_id: int, status: Status) -> None:
    """Set the batch's messages to a status, except those that have reports: these say more."""
    conn.execute("UPDATE messages SET status_id = ? WHERE batch_id = ? AND reports = 0", [int(status), batch_id])


def _candidates(conn: sqlite3.Connection, group_id: int, msg_group: str, account_id: int) -> list[_Candidate]:
    """Return the batches that one of the group's numbers stands, or stood, in, and that no answer has given a msgGroup."""
    rows = conn.execute(
        "WITH same AS (SELECT message_id, batch_id FROM messages WHERE phone = (SELECT phone FROM messages WHERE batch_id = ?"
        " LIMIT 1)) SELECT b.batch_id, b.state, b.settled_by_user, b.requested_at, b.answered_at FROM batches b WHERE b.batch_id"
        " IN (SELECT batch_id FROM same UNION SELECT v.batch_id FROM moved v JOIN same USING (message_id))"
        " AND b.account_id = ? AND b.campaign_id IS NOT NULL AND b.msg_group IS NULL AND b.requested_at IS NOT NULL"
        " AND b.state <> 'planned' AND ifnull(b.denied_group, '') <> ?",
        [group_id, account_id, msg_group],
    ).fetchall()
    return [
        _Candidate(
            batch_id,
            state,
            bool(by_user) or state in ("submitting", "unknown", "accepted"),
            requested_at,
            requested_at + _UNDER_WAY_S if answered_at is None else max(requested_at, answered_at),
        )
        for batch_id, state, by_user, requested_at, answered_at in rows
    ]


def _fits(
    conn: sqlite3.Connection, group_id: int, batch: _Candidate, msg_group: str, account_id: int, submitted_at: int
) -> bool:
    """Whether the batch could be the group: all its numbers are in it, and its times lie within the request."""
    times = [submitted_at]
    own_time = group_time(msg_group, submitted_at)
    if own_time is not None:
        times.append(own_time)
    in_time = any(
        all(
            batch.requested_at + offset.low - _BEFORE_S <= time <= batch.answered_at + offset.high + _AFTER_S
            for time in times
        )
        for offset in offsets_near(conn, batch.batch_id, account_id, batch.requested_at)
    )
    if not in_time:
        return False
    missing = conn.execute(
        f"SELECT 1 FROM messages g WHERE g.batch_id = ?2 AND g.phone NOT IN ({NUMBERS_OF_BATCH}) LIMIT 1",
        [batch.batch_id, group_id],
    ).fetchone()
    return missing is None


def _suffices(conn: sqlite3.Connection, group_id: int, batch_id: int) -> bool:
    """Whether the group names most of the batch's numbers, and more than anybody reaches by chance."""
    named, size = (
        conn.execute(f"SELECT count(*) FROM ({NUMBERS_OF_BATCH})", [one]).fetchone()[0] for one in (group_id, batch_id)
    )
    return bool(named >= _FEWEST and named * 2 > size)


def _move(conn: sqlite3.Connection, stranger: int, batch_id: int) -> int:
    pairs = conn.execute(
        "SELECT g.message_id, m.message_id FROM messages g JOIN messages m ON m.batch_id = ? AND m.phone = g.phone"
        " WHERE g.batch_id = ?",
        [batch_id, stranger],
    ).fetchall()
    conn.executemany(
        "UPDATE OR IGNORE reports SET message_id = ? WHERE message_id = ?", [(mine, theirs) for theirs, mine in pairs]
    )
    conn.executemany("DELETE FROM reports WHERE message_id = ?", [(theirs,) for theirs, _ in pairs])
    conn.executemany(
        "UPDATE uplinks SET message_id = ? WHERE message_id = ?", [(mine, theirs) for theirs, mine in pairs]
    )
    conn.executemany("DELETE FROM messages WHERE message_id = ?", [(theirs,) for theirs, _ in pairs])
    left = conn.execute("SELECT count(*) FROM messages WHERE batch_id = ?", [stranger]).fetchone()[0]
    if left:
        conn.execute("UPDATE batches SET messages = ? WHERE batch_id = ?", [left, stranger])
    else:
        conn.execute("DELETE FROM batches WHERE batch_id = ?", [stranger])
    refresh(conn, [mine for _, mine in pairs])
    return len(pairs)
