"""Taking reports in: from the records of one poll to evidence rows and the outcomes on messages, in one transaction.

The cost of a page depends on the page, not on the size of the file: every look-up goes through an index, and every message
is read and written once a page.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from masanalytics.carriers import carriers_of
from masanalytics.protocol import ReportRecord, outcome_of
from masanalytics.store import forgetting, lookups, message_outcomes
from masanalytics.store.archived_rows import is_archived
from masanalytics.store.late_reports import take_late
from masanalytics.vocabulary import Status

__all__ = ["take_reports"]

_SAME_GROUP_S = 180 * 86400
"""A msgGroup carries no year: the same one more than half a year away, by a clock that may be wrong, is another batch."""
_ASK_AT_ONCE = 400


class _Message(NamedTuple):
    """A message as it stands before the page."""

    message_id: int
    reports: int
    is_long: bool


class _Codes(NamedTuple):
    """What a report's two codes mean, as numbers."""

    outcome: int
    is_final: bool
    status_id: int
    error_id: int
    shown_error_id: int | None


def take_reports(
    conn: sqlite3.Connection, account_id: int, poll_id: int, records: Sequence[ReportRecord]
) -> tuple[dict[int, int], int]:
    """Store the reports of one poll and write their outcomes onto the messages.

    Returns
    -------
    dict of int to int, int
        The batches of no campaign that got reports, with how many: perhaps another system's, perhaps one of ours whose
        answer was lost; and how many of the reports are new.
    """
    late_new = 0
    if records and is_archived(conn):
        records, late_new = _without_late(conn, account_id, poll_id, records)
    if not records:
        return {}, late_new
    codes = _read_codes(conn, records)
    batch_ids, foreign = _find_batches(conn, account_id, records)
    keys = [(batch_ids[index], record.mobile) for index, record in enumerate(records)]
    messages_at = _find_messages(conn, keys, range(len(keys)))
    unmatched = [index for index in range(len(keys)) if index not in messages_at]
    if names := forgetting.names_of(conn, [keys[index][1] for index in unmatched]):
        filed = {index: (keys[index][0], names.get(keys[index][1], "")) for index in unmatched}
        messages_at |= _find_messages(conn, [filed.get(index, key) for index, key in enumerate(keys)], unmatched)
        unmatched = [index for index in unmatched if index not in messages_at]
    if unmatched:
        made = _foreign_batch_ids(conn, account_id, records, keys, unmatched, foreign)
        for index in unmatched:
            keys[index] = (made[index], names.get(records[index].mobile, records[index].mobile))
        foreign.update(made.values())
        carriers = carriers_of([records[index].mobile for index in unmatched]).codes.tolist()
        rows = [(*keys[i], carrier, records[i].submitted_at) for i, carrier in zip(unmatched, carriers, strict=True)]
        _add_foreign(conn, account_id, rows)
        messages_at |= _find_messages(conn, keys, unmatched)
    page_messages = [messages_at[index] for index in range(len(keys))]
    before = conn.total_changes
    conn.executemany(
        "INSERT OR IGNORE INTO reports (poll_id, message_id, report_status_id, error_code_id, submitted_at, received_at,"
        f" submit_date, receive_date) VALUES ({poll_id}, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.message_id, code.status_id, code.error_id, record.submitted_at, record.received_at,
                record.submit_date, record.receive_date,
            )
            for one, code, record in zip(page_messages, codes, records, strict=True)
        ],
    )  # fmt: skip
    new = conn.total_changes - before
    _count_copies(conn, page_messages, records, codes)
    _write_outcomes(conn, page_messages, records, codes, all_new=new == len(records))
    return dict(Counter(batch_id for batch_id, _ in keys if batch_id in foreign)), new + late_new


def _without_late(
    conn: sqlite3.Connection, account_id: int, poll_id: int, records: Sequence[ReportRecord]
) -> tuple[list[ReportRecord], int]:
    """Keep the reports of archived messages apart; return the others, and how many of those are new."""
    batch_ids, _ = _find_batches(conn, account_id, records)
    asked = "SELECT batch_id FROM archived_batches WHERE batch_id IN (SELECT value FROM json_each(?))"
    archived = {row[0] for row in conn.execute(asked, [json.dumps(list(set(batch_ids)))])}
    keys = [(batch_id, record.mobile) for batch_id, record in zip(batch_ids, records, strict=True)]
    places = [place for place, batch_id in enumerate(batch_ids) if batch_id in archived]
    live = _find_messages(conn, keys, places)
    places = [place for place in places if place not in live]
    codes = _read_codes(conn, [records[place] for place in places])
    late, new = take_late(
        conn,
        poll_id,
        {
            place: (
                *keys[place],
                one.report_status,
                one.submitted_at,
                one.received_at,
                one.submit_date,
                one.receive_date,
            )
            for place in places
            for one in [records[place]]
        },
        {
            place: (
                code.status_id,
                code.error_id,
                records[place].error_code or ("" if code.shown_error_id is None else records[place].report_status),
            )
            for place, code in zip(places, codes, strict=True)
        },
    )
    return [record for place, record in enumerate(records) if place not in late], new


def _count_copies(
    conn: sqlite3.Connection, messages: Sequence[_Message], records: Sequence[ReportRecord], codes: Sequence[_Codes]
) -> None:
    """Note how many equal reports of a long message came in one answer: they are of as many parts."""
    equal = Counter(
        (one.message_id, code.status_id, code.error_id, record.submit_date, record.receive_date)
        for one, code, record in zip(messages, codes, records, strict=True)
        if one.is_long
    )
    conn.executemany(
        "UPDATE reports SET copies = max(copies, ?) WHERE message_id = ? AND report_status_id = ? AND error_code_id = ?"
        " AND submit_date = ? AND receive_date = ?",
        [(count, *key) for key, count in equal.items() if count > 1],
    )


def _read_codes(conn: sqlite3.Connection, records: Sequence[ReportRecord]) -> list[_Codes]:
    """Return what each report says; the platform repeats the error code as the status, and sometimes writes it only there."""
    codes_of: dict[tuple[str, str], _Codes] = {}
    for record in records:
        key = (record.report_status, record.error_code)
        if key not in codes_of:
            status = outcome_of(*key)
            error = record.error_code or (record.report_status if status == Status.failed else "")
            codes = lookups.code_ids(conn, {record.report_status, error})
            error_id = codes[error]
            codes_of[key] = _Codes(
                int(status),
                status != Status.pending,
                codes[record.report_status],
                error_id,
                error_id if error else None,
            )
    return [codes_of[record.report_status, record.error_code] for record in records]


def _find_batches(
    conn: sqlite3.Connection, account_id: int, records: Sequence[ReportRecord]
) -> tuple[list[int], set[int]]:
    """Return the batch of each record (0 for none known), and which of those are of no campaign."""
    candidates: dict[str, list[tuple[int, int | None, bool]]] = defaultdict(list)
    groups = sorted({record.msg_group for record in records})
    for start in range(0, len(groups), _ASK_AT_ONCE):
        part = groups[start : start + _ASK_AT_ONCE]
        marks = ",".join("?" * len(part))
        for group, batch_id, requested_at, campaign in conn.execute(
            f"SELECT msg_group, batch_id, requested_at, campaign_id FROM batches WHERE msg_group IN ({marks})"
            " AND account_id = ?",
            [*part, account_id],
        ):
            candidates[group].append((batch_id, requested_at, campaign is None))
    chosen: dict[tuple[str, int | None], tuple[int, bool]] = {}
    batch_ids, foreign = [], set()
    for record in records:
        key = (record.msg_group, record.submitted_at)
        if key not in chosen:
            chosen[key] = _nearest(candidates.get(record.msg_group, []), record.submitted_at)
        batch_id, is_foreign = chosen[key]
        batch_ids.append(batch_id)
        if is_foreign:
            foreign.add(batch_id)
    return batch_ids, foreign


def _nearest(candidates: list[tuple[int, int | None, bool]], submitted_at: int | None) -> tuple[int, bool]:
    """Return the candidate sent nearest to the report's submit date; our own before one only heard of."""

    def distance(candidate: tuple[int, int | None, bool]) -> tuple[bool, int, int]:
        batch_id, requested_at, is_foreign = candidate
        if submitted_at is None or requested_at is None:
            return is_foreign, 0, -batch_id
        return is_foreign, abs(requested_at - submitted_at), -batch_id

    near = [candidate for candidate in candidates if distance(candidate)[1] <= _SAME_GROUP_S]
    if not near:
        return 0, False
    batch_id, _, is_foreign = min(near, key=distance)
    return batch_id, is_foreign


def _find_messages(
    conn: sqlite3.Connection, keys: Sequence[tuple[int, str]], places: Sequence[int]
) -> dict[int, _Message]:
    """Return the messages of those `places` of `keys` where there is one."""
    messages_at: dict[int, _Message] = {}
    for start in range(0, len(places), _ASK_AT_ONCE):
        part = places[start : start + _ASK_AT_ONCE]
        rows = conn.execute(
            f"WITH page (place, batch_id, phone) AS (VALUES {','.join(['(?,?,?)'] * len(part))})"
            " SELECT page.place, m.message_id, m.reports, m.segments >= 2 FROM page CROSS JOIN messages m"
            " ON m.batch_id = page.batch_id AND m.phone = page.phone",
            [value for place in part for value in (place, *keys[place])],
        )
        for place, message_id, reports, is_long in rows:
            messages_at[place] = _Message(message_id, reports, bool(is_long))
    return messages_at


def _foreign_batch_ids(
    conn: sqlite3.Connection,
    account_id: int,
    records: Sequence[ReportRecord],
    keys: Sequence[tuple[int, str]],
    unmatched: Sequence[int],
    foreign: Collection[int],
) -> dict[int, int]:
    """Return the batch of no campaign for each record that no message of this store explains, making it where needed."""
    batch_ids: dict[int, int] = {}
    made: dict[tuple[str, int], int] = {}
    for index in unmatched:
        record = records[index]
        if keys[index][0] in foreign:
            batch_ids[index] = keys[index][0]
            continue
        # Reports of one group lie within half a year of each other; a group that comes again next year is another batch.
        place = (record.msg_group, (record.submitted_at or 0) // _SAME_GROUP_S)
        if place not in made:
            made[place] = _foreign_batch(conn, account_id, record)
        batch_ids[index] = made[place]
    return batch_ids


def _add_foreign(conn: sqlite3.Connection, account_id: int, rows: Sequence[tuple[int, str, int, int | None]]) -> None:
    """Make messages of no campaign: (batch, phone, carrier, submitted_at)."""
    conn.executemany(
        "INSERT OR IGNORE INTO messages (batch_id, account_id, phone, carrier_id, status_id, submitted_at)"
        f" VALUES (?, {account_id}, ?, ?, 4, ?)",
        rows,
    )
    for batch_id, added in Counter(row[0] for row in rows).items():
        conn.execute("UPDATE batches SET messages = messages + ? WHERE batch_id = ?", [added, batch_id])


def _foreign_batch(conn: sqlite3.Connection, account_id: int, record: ReportRecord) -> int:
    rows = conn.execute(
        "SELECT batch_id, requested_at, campaign_id FROM batches WHERE msg_group = ? AND account_id = ?"
        " AND campaign_id IS NULL",
        [record.msg_group, account_id],
    ).fetchall()
    batch_id, _ = _nearest([(row[0], row[1], True) for row in rows], record.submitted_at)
    if batch_id:
        return batch_id
    cursor = conn.execute(
        "INSERT INTO batches (account_id, mode, state, msg_group, messages, requested_at) VALUES (?, 'foreign',"
        " 'accepted', ?, 0, ?)",
        [account_id, record.msg_group, record.submitted_at],
    )
    return cursor.lastrowid or 0


def _write_outcomes(
    conn: sqlite3.Connection,
    messages: Sequence[_Message],
    records: Sequence[ReportRecord],
    codes: Sequence[_Codes],
    *,
    all_new: bool,
) -> None:
    """Write outcomes: straight from the page where a message has this one report, from all its reports otherwise."""
    seen = Counter([one.message_id for one in messages])
    # By far the commonest case, 1,000 times a page: no object is made for it.
    simple = [
        (
            code.outcome, code.status_id, code.shown_error_id, record.submitted_at,
            record.received_at if code.is_final else None, 1, one.message_id,
        )
        for one, record, code in zip(messages, records, codes, strict=True)
        if all_new and not one.reports and not one.is_long and seen[one.message_id] == 1
    ]  # fmt: skip
    message_outcomes.write(conn, simple)
    if len(simple) < len(messages):
        done = {row[-1] for row in simple}
        message_outcomes.refresh(conn, [one.message_id for one in messages if one.message_id not in done])
