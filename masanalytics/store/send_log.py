"""What was sent, and to whom: the states of batches and the rule that a campaign reaches a number once.

A batch is committed as ``submitting``, with its messages as ``unknown``, before its request leaves, and gets its outcome
afterwards. Whatever happens in between, the file says at worst that a message may have been taken, and such a message is
never sent again by itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from masanalytics.account import AccountKey, Period
from masanalytics.i18n import Text
from masanalytics.process_identity import is_alive, is_elsewhere, this_process
from masanalytics.store import (
    claim_rules,
    contacts,
    coverage,
    forgetting,
    held_out,
    holes,
    kept_columns,
    lookups,
    moved_messages,
    platform_clock,
    progress,
    reconciliation,
    rounds,
    template_texts,
)
from masanalytics.store.claim_rules import ClaimRules
from masanalytics.store.kept_texts import keep_text
from masanalytics.store.lookups import ACCEPTED, MAY_BE_OUT, RESENDABLE, STATUS_OF_STATE
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    from masanalytics.client import SubmitResult
    from masanalytics.planning import PlannedBatch
    from masanalytics.planning.held_out import HeldOut

__all__ = [
    "Claimed",
    "Claims",
    "Released",
    "RunRecord",
    "RunStart",
    "already_sent",
    "claim",
    "count_planned",
    "count_reopened",
    "drop_emptied",
    "end_run",
    "record_answers",
    "register",
    "release_stale",
    "start_run",
]

_PROCESS_ENDED = Text("the sending process ended before the answer", code="process_ended")
_ELSEWHERE = Text(
    "its sender runs on another machine or in another container, which cannot be asked: it may still be at work",
    code="sender_elsewhere",
)


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is noted when a `send` begins: `round` is the round's name, `key` the column that its rule names.

    `rules` are asked whenever batches are claimed. `template` is the id and the text of the template, where its owner has said it.
    `held_out` is who is in a silent arm.
    """

    campaign: str
    account: str | AccountKey
    round: str
    key: str | None
    plan_hash: str
    add_serial: str
    rules: ClaimRules = field(default_factory=ClaimRules)
    template: tuple[str, str] | None = None
    held_out: HeldOut | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One call of `send`: whose batches these are.

    Attributes
    ----------
    run_id, campaign_id, round_id, account_id : int
        Numbers in the file.
    add_serial : str
        The account's extension of the service code.
    process : str
        The process and thread that sends.
    before : dict of str to int
        The round's messages by status, as the run found them; ``under_way`` those of other runs' requests that were out then.
    rules : ClaimRules
        What is asked whenever batches are claimed.
    """

    run_id: int
    campaign_id: int
    round_id: int
    account_id: int
    add_serial: str
    process: str
    before: dict[str, int]
    rules: ClaimRules = field(default_factory=ClaimRules)


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


class Claims(NamedTuple):
    """What is ours to send now.

    Attributes
    ----------
    batches : list of Claimed
        The batches.
    short : Period or None
        The period of the budget that held back others; None where nothing did.
    later : list of int
        Batches that have to wait: the platform would take them now for repetitions.
    wait_s : float
        How long.
    """

    batches: list[Claimed]
    short: Period | None
    later: list[int]
    wait_s: float


class Released(NamedTuple):
    """Batches that were given up as ``unknown``, and the groups of reports that thereupon found their batch."""

    batch_ids: list[int]
    groups: list[int]


# ---- what a plan asks ------------------------------------------------------------------------------------------------


def already_sent(
    conn: sqlite3.Connection, campaign: str, label: str, phones: Sequence[str], keys: Sequence[str] | None = None
) -> npt.NDArray[np.bool_]:
    """Return, number by number, whether this round of the campaign has been sent (or may have been) to it.

    Returns
    -------
    ndarray of bool
        In the order of `phones`. Planned, rejected and never-sent messages do not count.
    """
    is_sent = np.zeros(len(phones), dtype=bool)
    round_id = rounds.find_round(conn, campaign, label)
    if round_id is None or not len(phones):
        return is_sent
    _ask(conn, round_id, phones, keys)
    positions = conn.execute(
        "SELECT position FROM asked JOIN messages m ON m.phone = asked.phone AND m.round_id = ? AND m.key = asked.key"
        f" WHERE m.status_id {MAY_BE_OUT}",
        [round_id],
    )
    is_sent[[position for (position,) in positions]] = True
    archived = conn.execute(
        "SELECT position FROM asked JOIN archived h ON h.phone = asked.phone AND h.round_id = ? AND h.key = asked.key",
        [round_id],
    )
    is_sent[[position for (position,) in archived]] = True
    conn.execute("DELETE FROM asked")
    return is_sent


def _ask(conn: sqlite3.Connection, round_id: int, phones: Sequence[str], keys: Sequence[str] | None) -> None:
    """Lay numbers and keys beside the tables, to be looked up at once."""
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS asked (position INTEGER PRIMARY KEY, phone TEXT, key TEXT)")
    conn.execute("DELETE FROM asked")
    filed = forgetting.as_filed(conn, round_id, phones, keys)
    rows = zip(range(len(phones)), filed, repeat("") if keys is None else keys, strict=False)
    conn.executemany("INSERT INTO asked VALUES (?, ?, ?)", rows)


def count_planned(
    conn: sqlite3.Connection, run: RunRecord, phones: Sequence[str], keys: Sequence[str] | None, now: float
) -> dict[str, int]:
    """Return what has become of planned messages, as counts: each is in exactly one of these.

    ``accepted``, ``rejected``, ``unknown``, ``not_sent`` (in this run); ``already_sent`` (accepted from another one);
    ``opted_out``; ``held_out`` (in a silent arm, of another campaign too where the run asks); ``left_to_another_run`` (another run's request is under way); ``taken_over`` (a later run has them, and has
    not come to an end with them); ``over_cap`` and ``left`` (nobody has tried them, because the cap of the run's rules is
    reached, or for another reason).
    """
    _ask(conn, run.round_id, phones, keys)
    # A run outside caps does not ask for silent arms of others: none of them is over later than that.
    others_at = 2**62 if run.rules.outside_caps else int(now)
    ids = {"run": run.run_id, "round": run.round_id, "others_at": others_at}
    counts = dict(conn.execute(f"SELECT what, count(*) FROM ({_WHAT_BECAME}) GROUP BY what", ids).fetchall())
    cap = run.rules.cap
    if cap is not None and counts.get("left"):
        left = [row[0] for row in conn.execute(f"SELECT phone FROM ({_WHAT_BECAME}) WHERE what = 'left'", ids)]
        counts["over_cap"] = sum(contacts.over_cap(conn, cap, run.rules.kin, left, now))
        counts["left"] -= counts["over_cap"]
    conn.execute("DELETE FROM asked")
    return counts


def count_reopened(
    conn: sqlite3.Connection, run: RunRecord, phones: Sequence[str], keys: Sequence[str] | None = None
) -> int:
    """Return how many messages that a plan left out as sent already are known by now not to have been, and may go."""
    states = [state for state, status in STATUS_OF_STATE.items() if status < Status.unknown]
    may_go = conn.execute(
        f"SELECT 1 FROM batches WHERE campaign_id = ? AND round_id = ? AND state IN ({','.join('?' * len(states))}) LIMIT 1",
        [run.campaign_id, run.round_id, *states],
    ).fetchone()
    if may_go is None or not len(phones):
        return 0
    _ask(conn, run.round_id, phones, keys)
    count: int = conn.execute(
        "SELECT count(*) FROM asked JOIN messages m ON m.phone = asked.phone AND m.round_id = ? AND m.key = asked.key"
        f" WHERE m.status_id {RESENDABLE} AND NOT EXISTS"
        " (SELECT 1 FROM opt_outs o WHERE o.phone = asked.phone AND o.until IS NULL)",
        [run.round_id],
    ).fetchone()[0]
    conn.execute("DELETE FROM asked")
    return count


_WHAT_BECAME = f"""
SELECT asked.phone, CASE
  WHEN h.phone IS NOT NULL THEN 'already_sent'
  WHEN m.status_id {ACCEPTED} THEN iif(b.run_id = :run, 'accepted', 'already_sent')
  WHEN m.status_id = {int(Status.unknown)} THEN
    iif(b.state = 'submitting' AND b.run_id <> :run, 'left_to_another_run', 'unknown')
  WHEN o.phone IS NOT NULL THEN 'opted_out'
  WHEN EXISTS (SELECT 1 FROM held_out h WHERE h.phone = asked.phone AND (h.round_id = :round OR h.until > :others_at))
    THEN 'held_out'
  WHEN b.run_id = :run AND m.status_id <> {int(Status.planned)} THEN m.status
  WHEN b.run_id > :run THEN 'taken_over'
  ELSE 'left' END AS what
FROM asked LEFT JOIN messages m ON m.phone = asked.phone AND m.round_id = :round AND m.key = asked.key
LEFT JOIN archived h ON h.phone = asked.phone AND h.round_id = :round AND h.key = asked.key
LEFT JOIN batches b ON b.batch_id = m.batch_id LEFT JOIN opt_outs o ON o.phone = asked.phone AND o.until IS NULL
"""


# ---- a run -----------------------------------------------------------------------------------------------------------


def start_run(conn: sqlite3.Connection, start: RunStart, now: float) -> RunRecord:
    """Note that a `send` begins in this process; what an earlier one left in flight is given up first.

    Raises
    ------
    InputError
        If the round tells messages to one number apart in another way than the plan.
    """
    release_stale(conn, beginning=True)
    campaign_id = lookups.campaign_id(conn, start.campaign)
    round_id = rounds.open_round(conn, campaign_id, start.round, start.key)
    before = progress.before_run(conn, round_id)
    moved_messages.withdraw(conn, round_id=round_id)
    account_id = lookups.account_id(conn, start.account)
    process = _this_thread()
    cursor = conn.execute(
        "INSERT INTO runs (campaign_id, account_id, plan_hash, process, started_at) VALUES (?, ?, ?, ?, ?)",
        [campaign_id, account_id, start.plan_hash, process, int(now)],
    )
    run_id = cursor.lastrowid or 0
    if start.held_out is not None:
        held_out.record(conn, round_id, start.held_out, now)
    if start.template is not None:
        template_texts.remember(conn, run_id, account_id, start.template, now)
    return RunRecord(run_id, campaign_id, round_id, account_id, start.add_serial, process, before, start.rules)


def end_run(conn: sqlite3.Connection, run: RunRecord, because: Text, now: float) -> None:
    """Note that a `send` ended, and why."""
    conn.execute(
        "UPDATE runs SET ended_at = ?, ended_because = ? WHERE run_id = ?", [int(now), keep_text(because), run.run_id]
    )


def register(
    conn: sqlite3.Connection, run: RunRecord, batches: Iterable[PlannedBatch], now: float, *, canary: bool = False
) -> dict[int, int]:
    """Write planned batches and their messages; return batch -> how many messages it has to send, none left out.

    A message that the round has sent, or may have sent, stays where it is and is not in the new batch. One that was
    planned, rejected or never sent before moves into the new batch, with the new text. `canary` says whether the batches
    are the round's canary.
    """
    registered = {}
    may_come_back = moved_messages.may_come_back(conn, run.round_id)
    for batch in batches:
        cursor = conn.execute(
            "INSERT INTO batches (campaign_id, account_id, run_id, round_id, canary, mode, state, content, template_id, params,"
            " add_serial, arm, messages, planned_at, outside_caps) VALUES (?, ?, ?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                run.campaign_id, run.account_id, run.run_id, run.round_id, canary, batch.mode, batch.content, batch.template_id,
                batch.params_text, run.add_serial if batch.add_serial is None else batch.add_serial, batch.arm,
                len(batch.phones), int(now), run.rules.outside_caps,
            ],
        )  # fmt: skip
        batch_id = cursor.lastrowid or 0
        if may_come_back:
            _ask(conn, run.round_id, batch.phones, batch.keys)
            moved_messages.note_moves(conn, run.round_id)
        _write_messages(conn, run, batch_id, batch)
        size = _count_messages(conn, batch_id)
        if not size:
            conn.execute("DELETE FROM batches WHERE batch_id = ?", [batch_id])
            continue
        if size != len(batch.phones):
            conn.execute("UPDATE batches SET messages = ? WHERE batch_id = ?", [size, batch_id])
        registered[batch_id] = size
    return registered


def drop_emptied(conn: sqlite3.Connection, run: RunRecord) -> None:
    """Correct the batches of earlier runs that never left, and whose messages have moved into batches of this run."""
    earlier = "campaign_id = ? AND round_id = ? AND run_id <> ? AND state IN ('planned', 'not_sent')"
    values = [run.campaign_id, run.round_id, run.run_id]
    conn.execute(
        "UPDATE batches SET messages = (SELECT count(*) FROM messages WHERE messages.batch_id = batches.batch_id)"
        f" WHERE {earlier}",
        values,
    )
    conn.execute(
        f"DELETE FROM batches WHERE {earlier} AND messages = 0 AND batch_id NOT IN (SELECT batch_id FROM moved)", values
    )


def _count_messages(conn: sqlite3.Connection, batch_id: int) -> int:
    count: int = conn.execute("SELECT count(*) FROM messages WHERE batch_id = ?", [batch_id]).fetchone()[0]
    return count


def _write_messages(conn: sqlite3.Connection, run: RunRecord, batch_id: int, batch: PlannedBatch) -> None:
    size = len(batch.phones)
    region_ids = lookups.region_ids(conn, {place for place in batch.regions if place != ("", "")})
    conn.executemany(
        "INSERT INTO messages (batch_id, campaign_id, account_id, phone, round_id, key, carrier_id, region_id,"
        f" segments, content, kept_id, status_id) VALUES ({batch_id}, {run.campaign_id}, {run.account_id}, ?, {run.round_id},"
        f" ?, ?, ?, ?, ?, ?, {int(Status.planned)}) ON CONFLICT (phone, round_id, key) DO UPDATE SET"
        " batch_id = excluded.batch_id, account_id = excluded.account_id, content = excluded.content,"
        " segments = excluded.segments, carrier_id = excluded.carrier_id, region_id = excluded.region_id,"
        f" kept_id = excluded.kept_id, status_id = excluded.status_id, submitted_at = NULL WHERE messages.status_id {RESENDABLE}",
        zip(
            forgetting.as_filed(conn, run.round_id, batch.phones, batch.keys),
            batch.keys,
            batch.carriers,
            [region_ids.get(place) for place in batch.regions],
            batch.segments,
            [None] * size if batch.contents is None else batch.contents,
            kept_columns.numbers_of(conn, batch.kept or [""] * size),
            strict=True,
        ),
    )


def claim(conn: sqlite3.Connection, run: RunRecord, batch_ids: Sequence[int], now: float) -> Claims:
    """Take batches for sending: from this commit on they count as possibly sent.

    Batches that another run has taken, messages of people who opted out meanwhile, are in a silent arm or have reached the cap, what a canary holds
    back, and the first batch that the budget does not hold with all that come after it, are left out. So is a batch that
    repeats what has just left, were it a moment ago, by another worker or program.
    """
    claimed: list[Claimed] = []
    later: dict[int, float] = {}
    is_held = rounds.is_held(conn, run.round_id)
    for batch_id in batch_ids:
        if is_held and not _is_canary_with_room(conn, run.round_id, batch_id):
            continue
        wait_s = claim_rules.seconds_to_repeat(conn, batch_id, now)
        if wait_s:
            later[batch_id] = wait_s
            continue
        is_ours = conn.execute(
            "UPDATE batches SET state = 'submitting', run_id = ?, process = ?, requested_at = ?, answered_at = NULL,"
            " claimed_at = NULL WHERE batch_id = ? AND state IN ('planned', 'not_sent')",
            [run.run_id, run.process, int(now), batch_id],
        ).rowcount
        if not is_ours:
            continue
        for taken in moved_messages.return_taken(conn, batch_id):
            reconciliation.adopt(conn, taken)
        _withdraw(conn, run, batch_id, now)
        claim_rules.hold_over_cap(conn, run.rules, batch_id, now)
        batch = _read_claimed(conn, batch_id)
        if not batch.phones:
            conn.execute("DELETE FROM batches WHERE batch_id = ?", [batch_id])
            continue
        conn.execute(
            "UPDATE messages SET status_id = ?, submitted_at = ? WHERE batch_id = ?",
            [int(Status.unknown), int(now), batch_id],
        )
        conn.execute(
            "UPDATE batches SET messages = ?, segments = (SELECT sum(coalesce(m.segments, 1)) FROM messages m WHERE"
            " m.batch_id = batches.batch_id) WHERE batch_id = ?",
            [len(batch.phones), batch_id],
        )
        short = claim_rules.hold_over_budget(conn, run.rules, run.account_id, batch_id, now)
        if short is not None:
            return Claims(claimed, short, list(later), max(later.values(), default=0.0))
        claimed.append(batch)
    return Claims(claimed, None, list(later), max(later.values(), default=0.0))


def _withdraw(conn: sqlite3.Connection, run: RunRecord, batch_id: int, now: float) -> None:
    """Take out of a batch who has opted out meanwhile, and who is in a silent arm."""
    moved_messages.withdraw(conn, batch_id=batch_id)
    silent = held_out.whose_sql(run.round_id, now, asks_others=not run.rules.outside_caps)
    moved_messages.withdraw(conn, batch_id=batch_id, whose=silent)


def _is_canary_with_room(conn: sqlite3.Connection, round_id: int, batch_id: int) -> bool:
    size = conn.execute("SELECT messages FROM batches WHERE batch_id = ? AND canary", [batch_id]).fetchone()
    return size is not None and size[0] <= rounds.canary_room(conn, round_id)


def _read_claimed(conn: sqlite3.Connection, batch_id: int) -> Claimed:
    mode, content, template_id, params, add_serial = conn.execute(
        "SELECT mode, content, template_id, params, add_serial FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    rows = conn.execute(
        "SELECT phone, content FROM messages WHERE batch_id = ? ORDER BY message_id", [batch_id]
    ).fetchall()
    phones, contents = [row[0] for row in rows], [row[1] or "" for row in rows]
    return Claimed(batch_id, mode, phones, contents, content, template_id, params, add_serial or "")


def record_answers(conn: sqlite3.Connection, answers: Sequence[tuple[int, SubmitResult]]) -> None:
    """Write what became of requests, by batch, onto their batches and messages, and let reports that came before find them.

    A message that a report has settled meanwhile keeps what the report said. Reports that waited under the msgGroup of an
    accepted batch move to its messages; a batch of unknown outcome is compared with the reports that belong to no batch.
    """
    for batch_id, result in answers:
        _record_answer(conn, batch_id, result)
    reconciliation.look_again(conn, [batch_id for batch_id, result in answers if result.outcome == "unknown"])


def _record_answer(conn: sqlite3.Connection, batch_id: int, result: SubmitResult) -> None:
    """Write one answer: a yes or a no of the platform, however late, beats what the user said and what reports showed."""
    row = conn.execute(
        "SELECT state, msg_group, inferred, settled_by_user FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    if row is None:
        return
    state, msg_group, inferred, settled_by_user = row
    is_word = result.outcome in ("accepted", "rejected")
    # Nobody can have known of a request under way that it was not sent: its sender says that it left.
    was_under_way = result.outcome == "unknown" and state == "not_sent" and settled_by_user
    if state not in ("submitting", "unknown") and not (
        result.outcome == "accepted" or was_under_way or (is_word and (inferred or settled_by_user))
    ):
        return
    if result.outcome == "accepted" or was_under_way:
        moved_messages.pull_back(conn, batch_id)
    if inferred and is_word and result.msg_group != msg_group:
        reconciliation.give_back(conn, batch_id)
    conn.execute(
        "UPDATE batches SET state = ?, msg_group = coalesce(nullif(?, ''), msg_group), rspcod = nullif(?, ''),"
        " notice = ?, answered_at = ?, inferred = 0, settled_by_user = 0 WHERE batch_id = ?",
        [
            result.outcome, result.msg_group, result.rspcod, keep_text(result.why), int(result.answered_at), batch_id,
        ],
    )  # fmt: skip
    conn.execute(
        "UPDATE messages SET status_id = ? WHERE batch_id = ? AND reports = 0",
        [int(STATUS_OF_STATE[result.outcome]), batch_id],
    )
    platform_clock.note_offset(conn, result.answered_at, result.server_time)
    behind_s = _correct_day(conn, batch_id, result)
    if result.outcome == "accepted":
        _note_platform_time(conn, batch_id, int(result.answered_at) + behind_s)
        reconciliation.adopt(conn, batch_id)


def _correct_day(conn: sqlite3.Connection, batch_id: int, result: SubmitResult) -> int:
    """Date a request by the platform's clock where ours is days off; return by how many seconds ours is behind, else 0."""
    behind_s = 0 if result.server_time is None else int(result.server_time - result.answered_at)
    if not platform_clock.correct_day(conn, batch_id, behind_s):
        return 0
    (account_id,) = conn.execute("SELECT account_id FROM batches WHERE batch_id = ?", [batch_id]).fetchone()
    holes.shift(conn, account_id, result.answered_at, result.answered_at + behind_s)
    if behind_s < 0:
        coverage.disbelieve(conn, result.answered_at + behind_s, account_id, by_platform=True)
    return behind_s


def _note_platform_time(conn: sqlite3.Connection, batch_id: int, answered_at: int) -> None:
    """Date the batch by the platform's clock; what ours wrote while it was ahead of that is not believed."""
    time = platform_clock.date_messages(conn, batch_id)
    if time is not None:
        account_id, requested_at = conn.execute(
            "SELECT account_id, requested_at FROM batches WHERE batch_id = ?", [batch_id]
        ).fetchone()
        answered_at = max(answered_at or requested_at, requested_at)
        holes.shift(conn, account_id, answered_at, time)
        if coverage.believed(requested_at, time) < requested_at:
            coverage.disbelieve(conn, time + answered_at - requested_at, account_id, by_platform=True)


def release_stale(conn: sqlite3.Connection, *, beginning: bool = False) -> Released:
    """Set batches in flight whose sender is not at work any more to ``unknown``, and compare them with reports that came before.

    A sender that lives on this machine is left alone, whatever the clocks say: its answer comes. One on another machine, or
    in another container, cannot be asked; its batches may be settled, and its answer, however late, still counts.

    Parameters
    ----------
    beginning : bool
        Whether this thread is about to begin a run: what it left in flight earlier (its disk was full when the answers
        came) is then over too.
    """
    rows = conn.execute("SELECT batch_id, process FROM batches WHERE state = 'submitting'").fetchall()
    notices: dict[str | None, Text | None] = {process: _why_over(process) for process in {row[1] for row in rows}}
    if beginning:
        notices[_this_thread()] = _PROCESS_ENDED
    stale = [(batch_id, notice) for batch_id, process in rows if (notice := notices[process]) is not None]
    conn.executemany(
        "UPDATE batches SET state = 'unknown', notice = ? WHERE batch_id = ?",
        [[keep_text(notice), batch_id] for batch_id, notice in stale],
    )
    stale_ids = [batch_id for batch_id, _ in stale]
    return Released(stale_ids, reconciliation.look_again(conn, stale_ids))


def _why_over(process: str | None) -> Text | None:
    """Return why a batch's sender is not waited for; None where it is at work."""
    name = (process or "").partition("#")[0]
    if name and is_elsewhere(name):
        return _ELSEWHERE
    thread = (process or "").partition("#")[2]
    if name == this_process() and thread not in {str(one.ident) for one in threading.enumerate()}:
        return _PROCESS_ENDED
    return None if is_alive(name) else _PROCESS_ENDED


def _this_thread() -> str:
    return f"{this_process()}#{threading.get_ident()}"
