"""How often somebody was written to lately, and who has had as much as a cap allows.

What the platform took, or may have taken, counts, of all campaigns and rounds; proofs and transactional messages do not, nor
does what other systems sent. Where our clock is known to be wrong, what either clock has within the time counts: whichever is
asked next, nobody gets more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from masanalytics.account import FrequencyCap
from masanalytics.store.forgetting import names_of
from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.store.platform_clock import earliest_now

__all__ = ["Contact", "contacts", "over_cap"]


class Contact(NamedTuple):
    """How many messages a number got lately; when (epoch seconds), and of which campaign, the last of them was."""

    messages: int
    last_at: int
    campaign: str


def contacts(conn: sqlite3.Connection, phones: Sequence[str], seconds: float, now: float) -> dict[str, Contact]:
    """Return number -> what it got in the last `seconds`, for those of `phones` that got anything."""
    names = names_of(conn, phones)
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS reached (position INTEGER NOT NULL, phone TEXT NOT NULL)")
    conn.execute("DELETE FROM reached")
    conn.executemany(
        "INSERT INTO reached VALUES (?, ?)",
        [(place, name) for place, phone in enumerate(phones) for name in {phone, names.get(phone, phone)}],
    )
    # Of the row with the greatest submitted_at SQLite takes the campaign, too. Where our clock and the platform's differ, the later
    # time counts: that keeps people on the safe side.
    got = (
        f"SELECT r.position, m.submitted_at, m.batch_id FROM reached r CROSS JOIN messages m ON m.phone = r.phone AND m.status_id {MAY_BE_OUT}"
        " UNION ALL SELECT r.position, h.submitted_at, h.batch_id FROM reached r CROSS JOIN archived h ON h.phone = r.phone"
    )
    rows = conn.execute(
        f"SELECT m.position, count(*), max(m.submitted_at), c.campaign FROM ({got}) m CROSS JOIN batches b ON b.batch_id = m.batch_id"
        " CROSS JOIN campaigns c ON c.campaign_id = b.campaign_id"
        " WHERE (max(b.requested_at, coalesce(m.submitted_at, 0)) > ?1 OR b.claimed_at > ?2 AND b.claimed_at <= ?3)"
        " AND NOT b.outside_caps GROUP BY m.position",
        [earliest_now(conn, now) - seconds, now - seconds, now],
    ).fetchall()
    conn.execute("DELETE FROM reached")
    return {phones[place]: Contact(count, last_at, campaign) for place, count, last_at, campaign in rows}


def over_cap(
    conn: sqlite3.Connection, cap: FrequencyCap, kin: Mapping[str, Sequence[str]], phones: Sequence[str], now: float
) -> list[bool]:
    """Return, number by number, whether the cap is reached, if those before it in `phones` get theirs.

    Parameters
    ----------
    kin : mapping of str to sequence of str
        Number -> all numbers of the same person, for people who have several.
    """
    own = [tuple(kin.get(phone, (phone,))) for phone in phones]
    asked = list(dict.fromkeys(number for numbers in own for number in numbers))
    counts = {number: contact.messages for number, contact in contacts(conn, asked, cap.seconds, now).items()}
    over = []
    for phone, numbers in zip(phones, own, strict=True):
        over.append(sum(counts.get(number, 0) for number in numbers) >= cap.most)
        counts[phone] = counts.get(phone, 0) + (not over[-1])
    return over
