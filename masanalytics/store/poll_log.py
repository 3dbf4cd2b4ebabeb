"""The log of polls: a poll is born with the account's turn, gets its raw answer, is judged, or is declared lost.

Whose turn it is stands in the file (table ``pace``), so that the platform's interval holds across threads, processes and
restarts. An answer is durable before it is parsed, kept for good, and can be read again at any time.
"""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass

from masanalytics.account import AccountKey
from masanalytics.account.turn_rule import LastPoll, wait_for_turn
from masanalytics.clock import Clock
from masanalytics.i18n import Text
from masanalytics.process_identity import is_alive, this_process
from masanalytics.protocol import PollAnswer
from masanalytics.store import holes, lookups
from masanalytics.store.kept_texts import keep_text, kept_text

__all__ = [
    "Turn",
    "account_of",
    "begin_again",
    "compress_answers",
    "give_back",
    "is_first_collection",
    "is_waiting",
    "keep_answer",
    "keep_spooled",
    "kept_answers",
    "note_no_answer",
    "note_read",
    "note_unreadable",
    "prune_answers",
    "read_answer",
    "take_turn",
    "waiting_polls",
]

_BUSY_AT_MOST_S = 120
_SAME_POLL_S = 120
"""A request leaves within this time after its turn; a poll of the same number in a copy of the file is another one."""
_COMPRESSED_AT_ONCE = 200
_READ_AT_MOST = 3
_READ_FOR_S = 60
_BEGUN = "reading_begun"
_READ_IN_FULL = "state IN ('parsed', 'rejected')"
_ENDED_WITHOUT_ANSWER = Text("the polling process ended before the answer was stored", code="process_ended")


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to poll once, or how long to wait for it.

    Attributes
    ----------
    poll_id : int
        The poll noted in the store; 0 where it is not our turn yet.
    wait_s : float
        Seconds until it is worth asking again.
    """

    poll_id: int
    wait_s: float


# ---- the account's turn ---------------------------------------------------------------------------------------------


def take_turn(
    conn: sqlite3.Connection, account: str | AccountKey, endpoint: str, interval_s: float, clock: Clock, asker: str
) -> Turn:
    """Take the account's turn if the interval since the last poll has passed, and note the poll.

    `asker` names one poller of this process; the rule is that of `masanalytics.account.turn_rule`.
    """
    account_id = lookups.account_id(conn, account)
    process = this_process()
    me = f"{process}#{asker}"
    row = conn.execute("SELECT wall, monotonic, era, holder FROM pace WHERE account_id = ?", [account_id]).fetchone()
    if row is not None:
        wait = wait_for_turn(LastPoll(*row), me, interval_s, clock)
        if wait.is_left:
            _declare_lost(conn, account_id, clock.now())
        if wait.begins_anew:
            _note_poll(conn, account_id, LastPoll.at(clock))
        if wait.seconds > 0:
            return Turn(0, wait.seconds)
    holes.open_unanswered(conn, account_id, clock.now())
    _note_poll(conn, account_id, LastPoll.at(clock, me))
    return Turn(_add_poll(conn, account_id, endpoint, int(clock.now()), process), 0.0)


def give_back(conn: sqlite3.Connection, account: str | AccountKey, clock: Clock) -> None:
    """Note that the account's poll has ended: the interval starts now."""
    _note_poll(conn, lookups.account_id(conn, account), LastPoll.at(clock))


def is_first_collection(conn: sqlite3.Connection, account: str | AccountKey, now: float) -> bool:
    """Whether nobody has collected this account into this store before; from now on somebody has."""
    account_id = lookups.account_id(conn, account)
    if conn.execute("SELECT 1 FROM polls WHERE account_id = ? LIMIT 1", [account_id]).fetchone():
        return False
    conn.execute(
        "INSERT OR IGNORE INTO pace (account_id, wall, monotonic, era, first_collected_at) VALUES (?, 0, 0, '', ?)",
        [account_id, int(now)],
    )
    return True


def _note_poll(conn: sqlite3.Connection, account_id: int, last: LastPoll) -> None:
    conn.execute(
        "INSERT INTO pace (account_id, wall, monotonic, era, holder) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account_id)"
        " DO UPDATE SET wall = excluded.wall, monotonic = excluded.monotonic, era = excluded.era,"
        " holder = excluded.holder",
        [account_id, *last],
    )


# ---- the life of a poll ---------------------------------------------------------------------------------------------


def _add_poll(
    conn: sqlite3.Connection, account_id: int, endpoint: str, asked_at: int, process: str | None = None
) -> int:
    cursor = conn.execute(
        "INSERT INTO polls (account_id, endpoint, state, asked_at, process) VALUES (?, ?, 'asked', ?, ?)",
        [account_id, endpoint, asked_at, process],
    )
    return cursor.lastrowid or 0


def keep_answer(conn: sqlite3.Connection, poll_id: int, answer: PollAnswer, spool: str | None = None) -> None:
    """Write the answer of a poll; `spool` names the file in which it waited."""
    conn.execute(
        "UPDATE polls SET state = 'stored', answered_at = ?, http_status = ?, complete = ?, raw = ?, spool = ?,"
        " server_time = ?, charset = nullif(?, '') WHERE poll_id = ?",
        [
            int(answer.answered_at), answer.status, int(answer.complete), answer.raw, spool,
            None if answer.server_time is None else int(answer.server_time), answer.charset, poll_id,
        ],
    )  # fmt: skip


def keep_spooled(
    conn: sqlite3.Connection, account: str | AccountKey, poll_id: int, answer: PollAnswer, spool: str
) -> int | None:
    """Write an answer that had to wait in a spool file; return its poll, or None where it was taken in before."""
    if conn.execute("SELECT 1 FROM polls WHERE spool = ?", [spool]).fetchone():
        return None
    account_id = lookups.account_id(conn, account)
    asked_at = int(answer.requested_at)
    without_answer = conn.execute(
        "SELECT 1 FROM polls WHERE poll_id = ? AND account_id = ? AND endpoint = ? AND abs(asked_at - ?) <= ?"
        " AND raw IS NULL",
        [poll_id, account_id, answer.endpoint, asked_at, _SAME_POLL_S],
    ).fetchone()
    if without_answer is None:
        poll_id = _add_poll(conn, account_id, answer.endpoint, asked_at)
    keep_answer(conn, poll_id, answer, spool)
    return poll_id


def note_no_answer(conn: sqlite3.Connection, poll_id: int, notice: Text, now: float, *, lost: bool) -> None:
    """Note that a poll brought no answer: ``lost`` (it may have been handed out) or ``failed`` (it never left)."""
    conn.execute(
        "UPDATE polls SET state = ?, notice = ?, answered_at = ? WHERE poll_id = ?",
        ["lost" if lost else "failed", keep_text(notice), int(now), poll_id],
    )
    if lost:
        holes.note(conn, poll_id, now)


def _declare_lost(conn: sqlite3.Connection, account_id: int, now: float) -> None:
    """Note that whoever asked for the account's polls under way is gone."""
    holes.open_unanswered(conn, account_id, now)
    conn.execute(
        "UPDATE polls SET state = 'lost', notice = ? WHERE account_id = ? AND state = 'asked'",
        [keep_text(_ENDED_WITHOUT_ANSWER), account_id],
    )


def note_read(
    conn: sqlite3.Connection, poll_id: int, state: str, *, records: int, set_aside: int, notice: Text | None
) -> None:
    """Note what was read from an answer: ``parsed``, ``unparsed`` (not all of it could be read) or ``rejected`` (not data)."""
    conn.execute(
        "UPDATE polls SET state = ?, records = ?, set_aside = ?, notice = ? WHERE poll_id = ?",
        [state, records, set_aside, keep_text(notice), poll_id],
    )


def begin_again(conn: sqlite3.Connection, poll_id: int, now: float) -> bool:
    """Note that an answer is read that a process left behind; return False where that has failed too often.

    Whatever ended those processes may have been the answer itself: it is set aside, and stays for `replay`. Within a minute it is
    not: processes that are killed one after the other would leave a good answer unread.
    """
    row = conn.execute("SELECT notice FROM polls WHERE poll_id = ? AND state = 'stored'", [poll_id]).fetchone()
    if row is None:
        return False
    begun = kept_text(row[0])
    before = begun.parameters if begun is not None and begun.code == _BEGUN else {"count": 0}
    times, since = 1 + int(before["count"]), int(before.get("since", now))
    is_over = times > _READ_AT_MOST and abs(now - since) >= _READ_FOR_S
    said = Text(
        "reading this answer was begun {count} time and not ended",
        "reading this answer was begun {count} times and not ended",
        code=_BEGUN,
        count=times,
        since=since,
    )
    state = "unparsed" if is_over else "stored"
    conn.execute("UPDATE polls SET notice = ?, state = ? WHERE poll_id = ?", [keep_text(said), state, poll_id])
    if is_over:
        answered_at = conn.execute("SELECT answered_at FROM polls WHERE poll_id = ?", [poll_id]).fetchone()[0]
        holes.note(conn, poll_id, answered_at or 0)
    return not is_over


def note_unreadable(conn: sqlite3.Connection, poll_id: int, notice: Text) -> None:
    """Note that reading an answer failed; it stays for `replay`."""
    conn.execute(
        "UPDATE polls SET state = 'unparsed', notice = ? WHERE poll_id = ? AND state = 'stored'",
        [keep_text(notice), poll_id],
    )
    answered_at = conn.execute("SELECT answered_at FROM polls WHERE poll_id = ?", [poll_id]).fetchone()[0]
    holes.note(conn, poll_id, answered_at or 0)


# ---- the answers ----------------------------------------------------------------------------------------------------


def waiting_polls(conn: sqlite3.Connection, now: float) -> list[int]:
    """Return the polls whose answers are durable but not parsed, and whose process no longer works on them."""
    rows = conn.execute(
        "SELECT poll_id, process, asked_at FROM polls WHERE state = 'stored' ORDER BY poll_id"
    ).fetchall()
    return [row[0] for row in rows if abs(now - row[2]) > _BUSY_AT_MOST_S or not is_alive(row[1])]


def is_waiting(conn: sqlite3.Connection, poll_id: int) -> bool:
    """Whether the poll's answer is durable but not parsed."""
    return conn.execute("SELECT 1 FROM polls WHERE poll_id = ? AND state = 'stored'", [poll_id]).fetchone() is not None


def account_of(conn: sqlite3.Connection, poll_id: int) -> int:
    """Return the number of the account that was polled."""
    account_id: int = conn.execute("SELECT account_id FROM polls WHERE poll_id = ?", [poll_id]).fetchone()[0]
    return account_id


def kept_answers(conn: sqlite3.Connection) -> list[int]:
    """Return the polls whose raw answer is kept, oldest first."""
    return [row[0] for row in conn.execute("SELECT poll_id FROM polls WHERE raw IS NOT NULL ORDER BY poll_id")]


def read_answer(conn: sqlite3.Connection, poll_id: int) -> PollAnswer | None:
    """Return a kept answer, unpacked; None where the poll has none (lost, or pruned)."""
    row = conn.execute(
        "SELECT endpoint, raw, http_status, complete, asked_at, answered_at, packing, server_time, charset FROM polls"
        " WHERE poll_id = ? AND raw IS NOT NULL",
        [poll_id],
    ).fetchone()
    if row is None:
        return None
    endpoint, raw, http_status, complete, asked_at, answered_at, packing, server_time, charset = row
    unpacked = zlib.decompress(raw) if packing == "zlib" else bytes(raw)
    return PollAnswer(
        endpoint, unpacked, http_status or 0, bool(complete), asked_at, answered_at, server_time, charset or ""
    )


def compress_answers(conn: sqlite3.Connection, before: int) -> int:
    """Compress some raw answers that were fully read before an instant; return how many (0 when none is left)."""
    rows = conn.execute(
        f"SELECT poll_id, raw FROM polls WHERE {_READ_IN_FULL} AND packing IS NULL AND raw IS NOT NULL"
        f" AND answered_at < ? LIMIT {_COMPRESSED_AT_ONCE}",
        [before],
    ).fetchall()
    conn.executemany(
        "UPDATE polls SET raw = ?, packing = 'zlib' WHERE poll_id = ?",
        [(zlib.compress(bytes(raw), 6), poll_id) for poll_id, raw in rows],
    )
    return len(rows)


def prune_answers(conn: sqlite3.Connection, before: int) -> int:
    """Drop raw answers that were fully read before an instant; what they brought stays. Return how many.

    Answers with anything that could not be read are kept: they are the only record of it.
    """
    return conn.execute(
        f"UPDATE polls SET raw = NULL, packing = NULL WHERE {_READ_IN_FULL} AND raw IS NOT NULL AND answered_at < ?",
        [before],
    ).rowcount
