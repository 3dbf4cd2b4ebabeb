"""What was sent, and to whom: the states of batches and the rule that a campaign reaches a number once.

A batch is committed as ``submitting``, with its messages as ``unknown``, before its request leaves, and gets its outcome
afterwards. Whatever happens in between, the file says at worst that a message may have been taken, and such a message is
never sent again by itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from masanalytics.store import lookups
from masanalytics.store.process_identity import is_alive, this_process
from masanalytics.vocabulary import Status

__all__ = [
    "Answered",
    "Claimed",
    "RunRecord",
    "RunStart",
    "SendableBatch",
    "already_sent",
    "claim",
    "drop_emptied",
    "end_run",
    "open_round",
    "record_answers",
    "register",
    "release_stale",
    "start_run",
]

PATIENCE_S = 600.0
"""After this long even a living process's request counts as unanswered."""


class SendableBatch(Protocol):
    """What the ledger needs of a planned batch (`masanalytics.planning` makes them)."""

    @property
    def mode(self) -> str: ...  # noqa: D102
    @property
    def phones(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def contents(self) -> Sequence[str] | None: ...  # noqa: D102
    @property
    def content(self) -> str | None: ...  # noqa: D102
    @property
    def template_id(self) -> str | None: ...  # noqa: D102
    @property
    def params_text(self) -> str | None: ...  # noqa: D102
    @property
    def segments(self) -> Sequence[int | None]: ...  # noqa: D102
    @property
    def carriers(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def regions(self) -> Sequence[tuple[str, str]] | None: ...  # noqa: D102
    @property
    def variants(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def arm(self) -> str | None: ...  # noqa: D102
    @property
    def add_serial(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One call of `send`: whose batches these are."""

    run_id: int
    campaign_id: int
    account_id: int
    occasion: int
    add_serial: str
    process: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """One batch that is ours to send now, exactly as the file has it."""

    batch_id: int
    mode: str
    phones: list[str]
    contents: list[str]
    content: str | None
    template_id: str | None
    params: str | None
    add_serial: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one request."""

    batch_id: int
    state: str
    msg_group: str
    rspcod: str
    notice: str
    answered_at: int


def open_round(conn: sqlite3.Connection, campaign: str, *, again: bool) -> int:
    """Return which round of the campaign a new plan belongs to.

    The first round is 0. `again` opens the next one, unless the last is unfinished: then that one is gone on with.
    """
    number = lookups.find_campaign(conn, campaign)
    if number is None:
        return 0
    last = conn.execute("SELECT max(occasion) FROM batches WHERE campaign_id = ?", [number]).fetchone()[0]
    if last is None:
        return 0
    unfinished = conn.execute(
        "SELECT 1 FROM batches JOIN messages USING (batch_id) WHERE batches.campaign_id = ? AND batches.occasion = ?"
        " AND batches.state IN ('planned', 'not_sent', 'rejected') LIMIT 1",
        [number, last],
    ).fetchone()
    return int(last) + int(again and unfinished is None)


def already_sent(
    conn: sqlite3.Connection, campaign: str, occasion: int, phones: Sequence[str], variants: Sequence[int]
) -> np.ndarray:
    """Return, number by number, whether the campaign has been sent (or may have been) to it.

    Returns
    -------
    ndarray of bool
        In the order of `phones`. Planned, refused and never-sent messages do not count.
    """
    number = lookups.find_campaign(conn, campaign)
    if number is None or not len(phones):
        return np.zeros(len(phones), dtype=bool)
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS asked (position INTEGER PRIMARY KEY, phone TEXT, variant INTEGER)")
    conn.execute("DELETE FROM asked")
    conn.executemany(
        "INSERT INTO asked VALUES (?, ?, ?)", zip(range(len(phones)), phones, map(int, variants), strict=True)
    )
    rows = conn.execute(
        "SELECT position FROM asked JOIN messages m ON m.phone = asked.phone AND m.campaign_id = ? AND m.occasion = ?"
        " AND m.variant = asked.variant WHERE m.status_id NOT IN (0, 1, 2)",
        [number, occasion],
    )
    found = np.zeros(len(phones), dtype=bool)
    found[[row[0] for row in rows]] = True
    conn.execute("DELETE FROM asked")
    return found


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is noted when a `send` begins."""

    campaign: str
    account: str
    occasion: int
    plan_hash: str
    add_serial: str


def start_run(conn: sqlite3.Connection, start: RunStart, now: float) -> RunRecord:
    """Note that a `send` begins in this process."""
    campaign = lookups.campaign_id(conn, start.campaign)
    account = lookups.account_id(conn, start.account)
    me = f"{this_process()}#{threading.get_ident()}"
    cursor = conn.execute(
        "INSERT INTO runs (campaign_id, account_id, plan_hash, process, started_at) VALUES (?, ?, ?, ?, ?)",
        [campaign, account, start.plan_hash, me, int(now)],
    )
    return RunRecord(cursor.lastrowid or 0, campaign, account, start.occasion, start.add_serial, me)


def end_run(conn: sqlite3.Connection, run: RunRecord, because: str, now: float) -> None:
    """Note that a `send` ended, and why."""
    conn.execute("UPDATE runs SET ended_at = ?, ended_because = ? WHERE run_id = ?", [int(now), because, run.run_id])


def register(conn: sqlite3.Connection, run: RunRecord, batches: Iterable[SendableBatch], now: float) -> dict[int, int]:
    """Write planned batches and their messages; return batch -> how many messages it has to send, none left out.

    A number that the campaign has reached, or may have reached, stays where it is and is not in the new batch. One that
    was planned, refused or never sent before moves into the new batch, with the new text.
    """
    registered = {}
    for batch in batches:
        cursor = conn.execute(
            "INSERT INTO batches (campaign_id, account_id, run_id, occasion, mode, state, content, template_id, params,"
            " add_serial, arm, messages, planned_at) VALUES (?, ?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?)",
            [
                run.campaign_id, run.account_id, run.run_id, run.occasion, batch.mode, batch.content, batch.template_id,
                batch.params_text, run.add_serial if batch.add_serial is None else batch.add_serial, batch.arm, len(batch.phones), int(now),
            ],
        )  # fmt: skip
        batch_id = cursor.lastrowid or 0
        _write_messages(conn, run, batch_id, batch)
        count = conn.execute("SELECT count(*) FROM messages WHERE batch_id = ?", [batch_id]).fetchone()[0]
        if not count:
            conn.execute("DELETE FROM batches WHERE batch_id = ?", [batch_id])
            continue
        if count != len(batch.phones):
            conn.execute("UPDATE batches SET messages = ? WHERE batch_id = ?", [count, batch_id])
        registered[batch_id] = count
    return registered


def drop_emptied(conn: sqlite3.Connection, run: RunRecord) -> None:
    """Correct the batches of earlier runs that never left, and whose messages have moved into batches of this run."""
    earlier = "campaign_id = ? AND occasion = ? AND run_id <> ? AND state IN ('planned', 'not_sent')"
    values = [run.campaign_id, run.occasion, run.run_id]
    conn.execute(
        "UPDATE batches SET messages = (SELECT count(*) FROM messages WHERE messages.batch_id = batches.batch_id)"
        f" WHERE {earlier}",
        values,
    )
    conn.execute(f"DELETE FROM batches WHERE {earlier} AND messages = 0", values)


def _write_messages(conn: sqlite3.Connection, run: RunRecord, batch_id: int, batch: SendableBatch) -> None:
    size = len(batch.phones)
    places = batch.regions or [("", "")] * size
    known = lookups.region_ids(conn, {place for place in places if place != ("", "")})
    conn.executemany(
        "INSERT INTO messages (batch_id, campaign_id, account_id, phone, occasion, variant, carrier_id, region_id,"
        f" segments, content, status_id) VALUES ({batch_id}, {run.campaign_id}, {run.account_id}, ?, {run.occasion},"
        " ?, ?, ?, ?, ?, 0) ON CONFLICT (phone, campaign_id, occasion, variant) DO UPDATE SET"
        " batch_id = excluded.batch_id, account_id = excluded.account_id, content = excluded.content,"
        " segments = excluded.segments, carrier_id = excluded.carrier_id, region_id = excluded.region_id,"
        " status_id = 0, submitted_at = NULL WHERE messages.status_id IN (0, 1, 2)",
        zip(
            batch.phones,
            batch.variants,
            batch.carriers,
            [known.get(place) for place in places],
            batch.segments,
            [None] * size if batch.contents is None else batch.contents,
            strict=True,
        ),
    )


def claim(conn: sqlite3.Connection, run: RunRecord, batch_ids: Sequence[int], now: float) -> list[Claimed]:
    """Take batches for sending: from this commit on they count as possibly sent.

    Batches that another run has taken, and messages of people who opted out meanwhile, are left out.
    """
    claimed = []
    for batch_id in batch_ids:
        taken = conn.execute(
            "UPDATE batches SET state = 'submitting', run_id = ?, process = ?, requested_at = ?, answered_at = NULL"
            " WHERE batch_id = ? AND state IN ('planned', 'not_sent')",
            [run.run_id, run.process, int(now), batch_id],
        ).rowcount
        if not taken:
            continue
        conn.execute(
            "DELETE FROM messages WHERE batch_id = ? AND phone IN (SELECT phone FROM opt_outs WHERE until IS NULL)",
            [batch_id],
        )
        one = _read_claimed(conn, batch_id)
        if not one.phones:
            conn.execute("DELETE FROM batches WHERE batch_id = ?", [batch_id])
            continue
        conn.execute(
            "UPDATE messages SET status_id = ?, submitted_at = ? WHERE batch_id = ?",
            [int(Status.unknown), int(now), batch_id],
        )
        conn.execute("UPDATE batches SET messages = ? WHERE batch_id = ?", [len(one.phones), batch_id])
        claimed.append(one)
    return claimed


def _read_claimed(conn: sqlite3.Connection, batch_id: int) -> Claimed:
    mode, content, template_id, params, add_serial = conn.execute(
        "SELECT mode, content, template_id, params, add_serial FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    rows = conn.execute(
        "SELECT phone, content FROM messages WHERE batch_id = ? ORDER BY message_id", [batch_id]
    ).fetchall()
    phones, contents = [row[0] for row in rows], [row[1] or "" for row in rows]
    return Claimed(batch_id, mode, phones, contents, content, template_id, params, add_serial or "")


_MESSAGE_STATUS = {
    "accepted": Status.pending,
    "rejected": Status.rejected,
    "not_sent": Status.not_sent,
    "unknown": Status.unknown,
}


def record_answers(conn: sqlite3.Connection, answers: Iterable[Answered]) -> None:
    """Write what became of requests onto their batches and messages.

    A message that a report has settled meanwhile keeps what the report said.
    """
    for answer in answers:
        conn.execute(
            "UPDATE batches SET state = ?, msg_group = coalesce(nullif(?, ''), msg_group), rspcod = nullif(?, ''),"
            " notice = nullif(?, ''), answered_at = ?, inferred = 0"
            " WHERE batch_id = ? AND (state IN ('submitting', 'unknown') OR ? = 'accepted')",
            [
                answer.state, answer.msg_group, answer.rspcod, answer.notice, answer.answered_at, answer.batch_id,
                answer.state,
            ],
        )  # fmt: skip
        conn.execute(
            "UPDATE messages SET status_id = ? WHERE batch_id = ? AND status_id = ?",
            [int(_MESSAGE_STATUS[answer.state]), answer.batch_id, int(Status.unknown)],
        )


def release_stale(
    conn: sqlite3.Connection, now: float, patience_s: float = PATIENCE_S, *, beginning: bool = False
) -> list[int]:
    """Set batches in flight of processes that are gone to ``unknown``; return them.

    Parameters
    ----------
    patience_s : float
        After this long even a living process's request counts as unanswered.
    beginning : bool
        Whether this thread is about to begin a run: what it left in flight earlier (its disk was full when the answers
        came) is then over too.
    """
    rows = conn.execute("SELECT batch_id, process, requested_at FROM batches WHERE state = 'submitting'").fetchall()
    alive = {process: is_alive((process or "").partition("#")[0]) for process in {row[1] for row in rows}}
    if beginning:
        alive[f"{this_process()}#{threading.get_ident()}"] = False
    stale = [row[0] for row in rows if not alive[row[1]] or now - row[2] > patience_s]
    conn.executemany(
        "UPDATE batches SET state = 'unknown', notice = 'the sending process ended before the answer' WHERE batch_id = ?",
        [[batch_id] for batch_id in stale],
    )
    return stale
