"""Forgetting people: their numbers and texts are erased, what is counted stays.

A number becomes a name made of its first three digits and a salted hash of the whole. So one person stays one person, prefix
and carrier stay, a round that was sent to somebody is known as sent, and an opt-out is known as one; but nothing in the file
says the number. Whoever has both the file and a list of all numbers can still try them: the file stays private.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from masanalytics.analysis.filters import to_instant
from masanalytics.errors import InputError
from masanalytics.masking import hashed_phone
from masanalytics.protocol import Endpoint, read_page
from masanalytics.protocol.lenient_json import unwrap
from masanalytics.store import held_out, kept_columns
from masanalytics.store.archived_rows import forget_archived
from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["Forgotten", "Wish", "as_filed", "forget", "instant_before", "is_listed", "names_of", "names_of_time"]

_AGE = re.compile(r"(\d+)\s*([hdw])(?:ours?|ays?|eeks?)?")
_UNITS_S = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_LETTERS = 24
_PICKED = "SELECT message_id FROM picked"


@dataclass(frozen=True)
class Forgotten:
    """What was erased.

    Attributes
    ----------
    messages, replies, answers, opt_outs : int
        Messages and replies whose number and text are gone, raw answers of polls that are gone, opt-outs that are kept
        without the number.
    dry_run : bool
        Whether this only says what would be erased.
    """

    messages: int
    replies: int
    answers: int
    opt_outs: int
    dry_run: bool = False


@dataclass(frozen=True)
class Wish:
    """Who is to be forgotten: everything before an instant, or some numbers; which of the user's own columns; and how."""

    now: int
    before: int | None = None
    phones: Sequence[str] = ()
    columns: Sequence[str] = ()
    keep_opt_outs: bool = True
    force: bool = False


def forget(conn: sqlite3.Connection, wish: Wish) -> Forgotten:
    """Erase numbers and texts within one transaction; return what was erased.

    Raises
    ------
    InputError
        If reports of some of the messages may still come, or some are being sent, and it is not forced.
    """
    conn.execute("PRAGMA secure_delete = ON")
    _pick(conn, wish)
    if not wish.force:
        _check_settled(conn, wish.now)
    salt = _salt(conn, make=True)
    _drop_planned(conn, wish)
    numbers = [row[0] for row in conn.execute("SELECT DISTINCT phone FROM messages JOIN picked USING (message_id)")]
    replies = _forget_replies(conn, wish, salt)
    messages = _forget_messages(conn, salt)
    archived = forget_archived(conn, wish.before, wish.phones, wish.columns, lambda phone: _name(salt, phone))
    messages += len(archived)
    _forget_texts(conn, {batch_id for _, batch_id in archived})
    if wish.columns:
        kept_columns.forget_columns(conn, wish.columns, _PICKED)
    answers = _forget_answers(conn, wish)
    opt_outs = _forget_opt_outs(conn, wish, salt)
    held_out.names_to_forget(conn, wish.before, wish.phones, lambda phone: _name(salt, phone))
    known = {*numbers, *(phone for phone, _ in archived), *wish.phones}
    conn.executemany(
        "INSERT OR IGNORE INTO forgotten VALUES (?)", [(_name(salt, phone),) for phone in known if "~" not in phone]
    )
    conn.execute(
        "INSERT INTO forgettings (at, before, numbers, messages, replies, answers, opt_outs) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [wish.now, wish.before, len(wish.phones) or None, messages, replies, answers, opt_outs],
    )
    conn.execute("DROP TABLE picked")
    return Forgotten(messages, replies, answers, opt_outs)


def instant_before(value: object, now: int) -> int:
    """Return the instant that a time, or an age such as ``"90d"``, means.

    Examples
    --------
    >>> instant_before("1d", 100_000), instant_before("1970-01-02 08:00", 0)
    (13600, 86400)
    """
    age = _AGE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if age is not None:
        return now - int(age[1]) * _UNITS_S[age[2]]
    return to_instant(value)  # type: ignore[arg-type]


def names_of(conn: sqlite3.Connection, phones: Sequence[str]) -> dict[str, str]:
    """Return the names of those numbers that were forgotten."""
    salt = _salt(conn)
    if not salt:
        return {}
    names = {phone: _name(salt, phone) for phone in phones}
    found = {
        name for name in names.values() if conn.execute("SELECT 1 FROM forgotten WHERE name = ?", [name]).fetchone()
    }
    return {phone: name for phone, name in names.items() if name in found}


def names_of_time(conn: sqlite3.Connection, phones: Sequence[str]) -> dict[str, str]:
    """Return the names of numbers that are to be forgotten for their age, whether or not the file has known them."""
    salt = _salt(conn)
    return {phone: _name(salt, phone) for phone in phones} if salt else {}


def as_filed(
    conn: sqlite3.Connection, round_id: int, phones: Sequence[str], keys: Sequence[str] | None = None
) -> list[str]:
    """Return numbers as a round knows them: by their name where it was sent to somebody who was forgotten since."""
    names = names_of(conn, phones)
    if not names:
        return list(phones)
    sent = (
        f"SELECT 1 FROM messages WHERE phone = ? AND round_id = ? AND key = ? AND status_id {MAY_BE_OUT}"
        " UNION ALL SELECT 1 FROM archived WHERE phone = ? AND round_id = ? AND key = ?"
    )
    filed = []
    for place, phone in enumerate(phones):
        name = names.get(phone)
        key = "" if keys is None else keys[place]
        is_sent = name is not None and conn.execute(sent, [name, round_id, key] * 2).fetchone() is not None
        filed.append(name if name is not None and is_sent else phone)
    return filed


def is_listed(conn: sqlite3.Connection, listed: Collection[str], phones: Sequence[str]) -> list[bool]:
    """Return, number by number, whether it is on a list that may hold names of the forgotten."""
    names = names_of(conn, phones)
    return [phone in listed or names.get(phone) in listed for phone in phones]


def _salt(conn: sqlite3.Connection, *, make: bool = False) -> str:
    row = conn.execute("SELECT salt FROM forgetting_salt").fetchone()
    if row is None and make:
        conn.execute("INSERT INTO forgetting_salt VALUES (?)", [secrets.token_hex(32)])
        return _salt(conn)
    return row[0] if row else ""


def _name(salt: str, phone: str) -> str:
    return hashed_phone(phone, bytes.fromhex(salt), letters=_LETTERS)


def _pick(conn: sqlite3.Connection, wish: Wish) -> None:
    """Lay down which messages are meant."""
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS picked (message_id INTEGER PRIMARY KEY)")
    conn.execute("DELETE FROM picked")
    if wish.before is not None:
        conn.execute(
            "INSERT INTO picked SELECT message_id FROM messages JOIN batches USING (batch_id) WHERE phone NOT LIKE '%~%' AND"
            " coalesce(submitted_at, messages.received_at, batches.requested_at, planned_at) < ?",
            [wish.before],
        )
    for phone in wish.phones:
        conn.execute("INSERT OR IGNORE INTO picked SELECT message_id FROM messages WHERE phone = ?", [phone])


def _check_settled(conn: sqlite3.Connection, now: int) -> None:
    count = conn.execute(
        f"SELECT count(*) FROM messages JOIN batches USING (batch_id) WHERE message_id IN ({_PICKED}) AND"
        " (batches.state = 'submitting' OR (status_id IN (?, ?) AND submitted_at > ?))",
        [int(Status.pending), int(Status.unknown), now - UNREPORTED_AFTER_S],
    ).fetchone()[0]
    if count:
        raise InputError(
            "{count:,} message of these is still open: its report may come within 72 hours. Forget later, or force=True",
            "{count:,} messages of these are still open: their reports may come within 72 hours. Forget later, or force=True",
            code="still_open",
            count=count,
        )


def _drop_planned(conn: sqlite3.Connection, wish: Wish) -> None:
    """Drop what was not sent yet to people who asked to be forgotten."""
    for phone in wish.phones:
        conn.execute("DELETE FROM moved WHERE message_id IN (SELECT message_id FROM messages WHERE phone = ?)", [phone])
        conn.execute(
            "DELETE FROM messages WHERE phone = ? AND status_id = ? AND batch_id IN"
            " (SELECT batch_id FROM batches WHERE state = 'planned')",
            [phone, int(Status.planned)],
        )
    conn.execute(
        "UPDATE batches SET messages = (SELECT count(*) FROM messages m WHERE m.batch_id = batches.batch_id)"
        " WHERE state = 'planned'"
    )


def _forget_messages(conn: sqlite3.Connection, salt: str) -> int:
    rows = conn.execute(f"SELECT message_id, phone FROM messages WHERE message_id IN ({_PICKED})").fetchall()
    conn.execute(f"DELETE FROM moved WHERE message_id IN ({_PICKED})")
    conn.executemany(
        "UPDATE messages SET phone = ?, content = NULL WHERE message_id = ?",
        [(_name(salt, phone), message_id) for message_id, phone in rows if "~" not in phone],
    )
    return len(rows)


def _forget_texts(conn: sqlite3.Connection, archived: Collection[int]) -> None:
    """Erase the texts of batches of which everybody was forgotten, some just now: live, or in these with `archived` messages."""
    live = conn.execute(f"SELECT DISTINCT batch_id FROM messages WHERE message_id IN ({_PICKED})")
    touched = {*archived, *(batch_id for (batch_id,) in live)}
    known: set[int] = set()
    for table in ("messages", "archived"):
        rows = conn.execute(
            f"SELECT DISTINCT batch_id FROM {table} WHERE phone NOT LIKE '%~%' AND batch_id IN (SELECT value FROM json_each(?))",
            [json.dumps(sorted(touched))],
        )
        known |= {batch_id for (batch_id,) in rows}
    gone = json.dumps(sorted(touched - known))
    conn.execute(
        "UPDATE batches SET content = NULL, params = NULL WHERE batch_id IN (SELECT value FROM json_each(?))", [gone]
    )
    # Who was forgotten before has the text in a file of the archive still.
    conn.execute(
        "INSERT OR IGNORE INTO archive_erasures SELECT DISTINCT archive_id, '[]' FROM archived"
        " WHERE batch_id IN (SELECT value FROM json_each(?))",
        [gone],
    )


def _forget_replies(conn: sqlite3.Connection, wish: Wish, salt: str) -> int:
    rows = conn.execute(
        "SELECT uplink_id, phone FROM uplinks WHERE phone NOT LIKE '%~%' AND (sent_at < ? OR phone IN"
        " (SELECT value FROM json_each(?)))",
        [wish.before if wish.before is not None else 0, _json(wish.phones)],
    ).fetchall()
    # Each with a text of its own: two of one second are still two.
    conn.executemany(
        "UPDATE uplinks SET phone = ?, content = '(' || uplink_id || ')' WHERE uplink_id = ?",
        [(_name(salt, phone), uplink_id) for uplink_id, phone in rows],
    )
    return len(rows)


def _forget_answers(conn: sqlite3.Connection, wish: Wish) -> int:
    """Drop the raw answers of that time, or those that hold one of the numbers; what they brought stays."""
    polls: list[int] = []
    if wish.before is not None:
        polls += [row[0] for row in conn.execute("SELECT poll_id FROM polls WHERE raw IS NOT NULL AND answered_at < ?",
                                                 [wish.before])]  # fmt: skip
    if wish.phones:
        everything = "SELECT poll_id, endpoint, raw, packing FROM polls WHERE raw IS NOT NULL"
        polls += [row[0] for row in conn.execute(everything) if _names_one(wish.phones, *row[1:])]
    conn.executemany("UPDATE polls SET raw = NULL, packing = NULL WHERE poll_id = ?", [(poll_id,) for poll_id in polls])
    conn.executemany("UPDATE records_set_aside SET record = '' WHERE poll_id = ?", [(poll_id,) for poll_id in polls])
    return len(polls)


def _names_one(phones: Sequence[str], endpoint: Endpoint, raw: bytes, packing: str | None) -> bool:
    """Whether an answer names one of the numbers, however it writes it."""
    answer = zlib.decompress(raw) if packing == "zlib" else bytes(raw)
    text = unwrap(answer).text
    if any(phone in text for phone in phones):
        return True
    named = {record.mobile for record in read_page(answer, endpoint).records}
    return not named.isdisjoint(phones)


def _forget_opt_outs(conn: sqlite3.Connection, wish: Wish, salt: str) -> int:
    for phone in wish.phones:  # who asks to be forgotten is not to be written to
        conn.execute(
            "INSERT INTO opt_outs (phone, since, reason) VALUES (?, ?, 'forgotten') ON CONFLICT (phone) DO UPDATE SET"
            " until = NULL",
            [phone, wish.now],
        )
    where = "phone NOT LIKE '%~%' AND (since < ? OR phone IN (SELECT value FROM json_each(?)))"
    values = [wish.before if wish.before is not None else 0, _json(wish.phones)]
    rows = conn.execute(f"SELECT phone FROM opt_outs WHERE {where}", values).fetchall()
    if not wish.keep_opt_outs:
        conn.execute(f"DELETE FROM opt_outs WHERE {where}", values)
        return 0
    conn.executemany(
        "UPDATE OR REPLACE opt_outs SET phone = ? WHERE phone = ?", [(_name(salt, phone), phone) for (phone,) in rows]
    )
    conn.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", [(_name(salt, phone),) for (phone,) in rows])
    return len(rows)


def _json(phones: Sequence[str]) -> str:
    return "[" + ",".join(f'"{phone}"' for phone in phones) + "]"
