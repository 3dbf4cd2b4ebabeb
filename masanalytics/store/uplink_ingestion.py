"""Taking replies in: each is matched to the last message sent to its number before it, and opt-outs count at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from masanalytics.errors import InputError
from masanalytics.opt_outs import match_opt_out
from masanalytics.phones import normalise_phones
from masanalytics.protocol import UplinkRecord
from masanalytics.store import forgetting
from masanalytics.store.lookups import MAY_BE_OUT

__all__ = ["mobile_numbers", "opt_in", "opt_out", "opted_out", "take_uplinks"]

_CLOCKS_DIFFER_S = 120
_LOOK_BACK = 50


def take_uplinks(
    conn: sqlite3.Connection,
    account_id: int,
    poll_id: int,
    records: Sequence[UplinkRecord],
    words: Collection[str] | None,
) -> tuple[int, int]:
    """Store the uplinks of one poll; return how many opt-outs they brought, and how many of them are new."""
    opt_outs = new = 0
    for record in records:
        verdict = match_opt_out(record.content, words) if words is not None else match_opt_out(record.content)
        cursor = conn.execute(
            "INSERT OR IGNORE INTO uplinks (poll_id, account_id, message_id, phone, content, add_serial, sent_at,"
            " send_time, opt_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                poll_id, account_id, _last_message(conn, account_id, record), record.mobile, record.content,
                record.add_serial, record.sent_at, record.send_time, verdict,
            ],
        )  # fmt: skip
        new += cursor.rowcount
        if cursor.rowcount and verdict == "opt_out":
            asked_at = conn.execute("SELECT asked_at FROM polls WHERE poll_id = ?", [poll_id]).fetchone()[0]
            since = record.sent_at if record.sent_at is not None else asked_at
            opt_outs += _add(conn, record.mobile, since, "reply", cursor.lastrowid)
    return opt_outs, new


def opted_out(conn: sqlite3.Connection) -> set[str]:
    """Return the numbers on the opt-out list."""
    return {row[0] for row in conn.execute("SELECT phone FROM opt_outs WHERE until IS NULL")}


def opt_out(conn: sqlite3.Connection, phones: Iterable[str], reason: str, now: float) -> int:
    """Put numbers on the opt-out list; return how many were not on it."""
    return sum(_add(conn, phone, int(now), reason, None) for phone in phones)


def opt_in(conn: sqlite3.Connection, phones: Iterable[str], now: float) -> int:
    """Take numbers off the opt-out list, keeping the record of it; return how many were on it."""
    phones = list(phones)
    names = forgetting.names_of(conn, phones)
    return sum(
        conn.execute(
            "UPDATE opt_outs SET until = ? WHERE phone IN (?, ?) AND until IS NULL",
            [int(now), phone, names.get(phone, phone)],
        ).rowcount
        for phone in phones
    )


def _add(conn: sqlite3.Connection, phone: str, since: int, reason: str, uplink_id: int | None) -> int:
    # A reply from before the person was taken back in (read late, or replayed) does not count again.
    return conn.execute(
        "INSERT INTO opt_outs (phone, since, reason, uplink_id) VALUES (?, ?, ?, ?) ON CONFLICT (phone) DO UPDATE SET"
        " since = excluded.since, until = NULL, reason = excluded.reason, uplink_id = excluded.uplink_id"
        " WHERE opt_outs.until IS NOT NULL AND excluded.since >= opt_outs.until",
        [phone, since, reason, uplink_id],
    ).rowcount


def _last_message(conn: sqlite3.Connection, account_id: int, record: UplinkRecord) -> int | None:
    """Return the last message sent to the number before the reply, preferring the one whose extension it answers."""
    before = (record.sent_at if record.sent_at is not None else 2**53) + _CLOCKS_DIFFER_S
    got = (
        f"SELECT message_id, batch_id FROM messages WHERE phone = ?1 AND status_id {MAY_BE_OUT}"
        " UNION ALL SELECT message_id, batch_id FROM archived WHERE phone = ?1"
    )
    rows = conn.execute(
        f"SELECT m.message_id, b.add_serial FROM ({got}) m JOIN batches b USING (batch_id) WHERE b.account_id = ?2"
        f" AND b.requested_at <= ?3 ORDER BY b.requested_at DESC, m.message_id DESC LIMIT {_LOOK_BACK}",
        [record.mobile, account_id, before],
    ).fetchall()
    exact = [row[0] for row in rows if row[1] and record.add_serial.endswith(row[1])]
    plain = [row[0] for row in rows if not row[1]]
    return next(iter([*exact, *plain, *(row[0] for row in rows)]), None)


def mobile_numbers(phones: Iterable[object]) -> list[str]:
    """Return numbers given by a person in the form the store keeps.

    Raises
    ------
    InputError
        If one of them is no mobile number.
    """
    if isinstance(phones, str) or not isinstance(phones, Iterable):
        raise InputError("give a list or a column of numbers, not one number or another thing")
    entries = pd.Series(list(phones), dtype=object)
    numbers = normalise_phones(entries)["phone"]
    if wrong := int(numbers.isna().sum()):
        raise InputError(
            "{count:,} entry is not a mobile number, of {total:,}: nothing was changed",
            "{count:,} entries are not mobile numbers, of {total:,}: nothing was changed",
            count=wrong,
            total=len(entries),
        )
    return [str(phone) for phone in numbers]
