"""What is asked once more when batches are claimed, in the same transaction, and how a claim is taken back before it leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from masanalytics.account import Budget, FrequencyCap, Period
from masanalytics.store import spending
from masanalytics.store.contacts import over_cap
from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.vocabulary import Status

__all__ = ["ClaimRules", "hold_over_budget", "hold_over_cap", "put_back", "seconds_to_repeat"]

REPEAT_S: Final = 60
"""The platform refuses the same text to the same number within so many seconds."""


_ASKED_AT: Final = "coalesce(c.claimed_at, c.requested_at)"
"""When a request was asked for by our clock, wrong as it may be."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What a run keeps to, whatever other processes do meanwhile.

    Attributes
    ----------
    budget : Budget or None
        What its account may send.
    cap : FrequencyCap or None
        How many messages somebody may get in how long.
    kin : mapping of str to sequence of str
        Number -> all numbers of the same person, for people who have several.
    outside_caps : bool
        Whether its messages (proofs, transactional ones) count towards no cap.
    earlier : dict
        What the run has added up of the budget's days before yesterday.
    """

    budget: Budget | None = None
    cap: FrequencyCap | None = None
    kin: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outside_caps: bool = False
    earlier: spending.Earlier = field(default_factory=dict, compare=False)


def hold_over_cap(conn: sqlite3.Connection, rules: ClaimRules, batch_id: int, now: float) -> None:
    """Move messages to people who have reached the cap out of a batch, into one that stays planned."""
    if rules.cap is None:
        return
    rows = conn.execute(
        "SELECT message_id, phone FROM messages WHERE batch_id = ? ORDER BY message_id", [batch_id]
    ).fetchall()
    is_over = over_cap(conn, rules.cap, rules.kin, [phone for _, phone in rows], now)
    held = [message_id for (message_id, _), over in zip(rows, is_over, strict=True) if over]
    if not held:
        return
    columns = (
        "campaign_id, account_id, run_id, round_id, mode, content, template_id, params, add_serial, arm, planned_at"
    )
    aside = conn.execute(
        f"INSERT INTO batches ({columns}, outside_caps, state, messages) SELECT {columns}, outside_caps, 'planned', ?"
        " FROM batches WHERE batch_id = ?",
        [len(held), batch_id],
    ).lastrowid
    conn.executemany(
        "UPDATE messages SET batch_id = ?, status_id = ? WHERE message_id = ?",
        [(aside, int(Status.planned), message_id) for message_id in held],
    )


def hold_over_budget(
    conn: sqlite3.Connection, rules: ClaimRules, account_id: int, batch_id: int, now: float
) -> Period | None:
    """Put back a batch just claimed that the budget does not hold; return the period it is too much for, as it is without it."""
    budget = rules.budget
    if budget is None:
        return None
    over = spending.exceeded(conn, account_id, budget, now, rules.earlier)
    if over is None:
        return None
    put_back(conn, [batch_id])
    return next(one for one in spending.periods(conn, account_id, budget, now) if one.name == over.name)


def put_back(conn: sqlite3.Connection, batch_ids: Sequence[int]) -> None:
    """Take claims back whose requests surely have not left: the hour or the pace did not allow it any more."""
    for batch_id in batch_ids:
        conn.execute(
            "UPDATE batches SET state = 'planned', process = NULL, requested_at = NULL"
            " WHERE batch_id = ? AND state = 'submitting'",
            [batch_id],
        )
        conn.execute(
            "UPDATE messages SET status_id = ?, submitted_at = NULL WHERE batch_id = ? AND status_id = ?",
            [int(Status.planned), batch_id, int(Status.unknown)],
        )


def seconds_to_repeat(conn: sqlite3.Connection, batch_id: int, now: float) -> float:
    """Return how long a batch has to wait, because a number in it was sent the very same within the last minute.

    By whatever campaign, round or proof. A clock set back is no reason to wait: what lies in the future does not count.
    """
    latest = conn.execute(
        f"SELECT max({_ASKED_AT}) FROM messages m JOIN batches b ON b.batch_id = m.batch_id"
        " JOIN messages o ON o.phone = m.phone AND o.message_id <> m.message_id"
        f" AND o.status_id {MAY_BE_OUT}"
        f" JOIN batches c ON c.batch_id = o.batch_id AND {_ASKED_AT} > ? AND {_ASKED_AT} <= ?"
        " WHERE m.batch_id = ? AND c.template_id IS b.template_id AND c.params IS b.params"
        " AND coalesce(o.content, c.content) IS coalesce(m.content, b.content)"
        " AND c.mode <> 'foreign'",
        [int(now) - REPEAT_S, int(now), batch_id],
    ).fetchone()[0]
    return max(0.0, latest + REPEAT_S + 1 - now) if latest else 0.0
