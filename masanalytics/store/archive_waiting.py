"""What of the months asked for does not leave for the archive yet, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from masanalytics.i18n import N_, Text
from masanalytics.store.changed_days import Month
from masanalytics.store.lookups import ACCEPTED
from masanalytics.store.observation import Observation
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import SETTLED_S

__all__ = ["staying_reasons", "unsettled", "waiting_reasons"]

_UNSETTLED: Final = {
    "watched": N_("{month}: the reports of {accounts} have not been fetched for a week beyond it"),
    "answers": N_("{month}: an answer that may hold reports of {accounts} is missing: see store.missing_answers()"),
    "doubts": N_("{month}: a batch of {accounts} is in doubt: see store.batches(state='unknown')"),
}


def unsettled(conn: sqlite3.Connection, months: Sequence[Month]) -> dict[int, str]:
    """Return the accounts of which something of a month can still change, and why: ``watched``, ``answers`` or ``doubts``."""
    seen, found = Observation.of(conn), {}
    for month in months:
        start, end = month.limits or (0, 0)
        if seen.ends.get(month.account_id, 0) < end + SETTLED_S:
            found[month.account_id] = "watched"
        elif any(one.first < end and one.last >= start for one in seen.cut.get(month.account_id, ())):
            found[month.account_id] = "answers"
        elif _has_doubts(conn, month.account_id, end + SETTLED_S):
            found[month.account_id] = "doubts"
    return found


def _has_doubts(conn: sqlite3.Connection, account_id: int, before: int) -> bool:
    """Return whether a batch of an account that was requested before an instant may have been sent or not."""
    sql = (
        "SELECT 1 FROM batches WHERE account_id = ? AND state IN ('submitting', 'unknown') AND requested_at < ? LIMIT 1"
    )
    return conn.execute(sql, [account_id, before]).fetchone() is not None


def waiting_reasons(conn: sqlite3.Connection, waiting: Mapping[str, Mapping[int, str]]) -> list[Text]:
    """Return in words why months wait; `waiting` is what `unsettled` says of each."""
    names = dict(conn.execute("SELECT account_id, account FROM accounts").fetchall())
    return [
        Text(sentence, code=kind, month=month, accounts=of_kind)
        for month, accounts in sorted(waiting.items())
        for kind, sentence in _UNSETTLED.items()
        if (of_kind := sorted(names[number] for number, why in accounts.items() if why == kind))
    ]


def staying_reasons(conn: sqlite3.Connection, settled: Mapping[str, Sequence[int]], before: int) -> list[Text]:
    """Return in words which accepted messages of settled months stay in the file, after all others have left."""
    rows = conn.execute(
        f"SELECT strftime('%Y-%m', m.submitted_at + {CHINA_OFFSET_S}, 'unixepoch') AS month, m.account_id, b.msg_group IS NULL, count(*)"
        f" FROM messages m JOIN batches b USING (batch_id) WHERE m.status_id {ACCEPTED} AND m.submitted_at < ? GROUP BY 1, 2, 3",
        [before],
    )
    counts: dict[tuple[str, int], int] = {}
    for month, account_id, without_group, count in rows:
        if account_id in settled.get(month, ()):
            counts[month, without_group] = counts.get((month, without_group), 0) + count
    return [
        _without_group(month, count) if without_group else _held(month, count)
        for (month, without_group), count in sorted(counts.items())
    ]


def _without_group(month: str, count: int) -> Text:
    return Text(
        "{month}: {count:,} message stays that was accepted by your word, without a msgGroup: only by its number in the file is a report"
        " of it known",
        "{month}: {count:,} messages stay that were accepted by your word, without a msgGroup: only by their numbers in the file are"
        " reports of them known",
        code="no_group",
        month=month,
        count=count,
    )


def _held(month: str, count: int) -> Text:
    return Text(
        "{month}: {count:,} message stays that a canary counts, that stood in another batch before, that was delivered after it had"
        " failed, or that is the newest",
        "{month}: {count:,} messages stay that a canary counts, that stood in another batch before, that were delivered after they had"
        " failed, or that are the newest",
        code="held",
        month=month,
        count=count,
    )
