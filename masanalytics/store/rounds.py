"""The rounds of campaigns: their names, the rule by which a number gets one message or several, and their canaries.

A round is what the user calls it, and nothing else: the same name is the same round for ever, whatever became of it. So is
its canary a state of the round and not of a call: until it was judged normal, or the user has said so, nothing else of the
round is claimed, whoever asks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.store.kept_texts import keep_text, kept_text
from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.text import fold_name, plain_name

__all__ = [
    "CanaryState",
    "begin_canary",
    "canary_room",
    "canary_state",
    "check_rule",
    "find_round",
    "is_held",
    "judge_canary",
    "near_names",
    "open_round",
    "release",
]

HOLDING: Final = ("waiting", "stopped")
"""The states of a canary in which nothing else of its round may go."""
_EACH: Final = ""
"""The rule of a round of an older file, in which a number got each different text."""


@dataclass(frozen=True, slots=True)
class CanaryState:
    """How the canary of a round stands.

    Attributes
    ----------
    state : str
        Empty where the round has none; ``waiting`` (not judged yet), ``normal``, ``stopped`` (its reports do not look
        normal), ``released`` (the user has let the rest go).
    room : int
        How many messages may still go as part of it.
    rules : mapping
        How it is judged, as the run that began it said.
    notice : Text or None
        Why it was stopped.
    batch_ids : tuple of int
        Its batches.
    """

    state: str
    room: int
    rules: Mapping[str, Any]
    notice: Text | None
    batch_ids: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing but the canary itself may go."""
        return self.state in HOLDING


# ---- names -----------------------------------------------------------------------------------------------------------


def find_round(conn: sqlite3.Connection, campaign: str, label: str) -> int | None:
    """Return the number of a campaign's round, None where the store does not know it."""
    row = conn.execute(
        "SELECT round_id FROM rounds JOIN campaigns USING (campaign_id) WHERE campaign = ? AND round = ?",
        [plain_name(campaign), plain_name(label)],
    ).fetchone()
    return row[0] if row else None


def open_round(conn: sqlite3.Connection, campaign_id: int, label: str, key_column: str | None) -> int:
    """Return the number of a campaign's round, giving it one, and its rule, where it is new.

    Raises
    ------
    InputError
        If the round tells messages to one number apart in another way.
    """
    name = plain_name(label)
    conn.execute(
        "INSERT OR IGNORE INTO rounds (campaign_id, round, key_column) VALUES (?, ?, ?)",
        [campaign_id, name, key_column],
    )
    round_id, rule = conn.execute(
        "SELECT round_id, key_column FROM rounds WHERE campaign_id = ? AND round = ?", [campaign_id, name]
    ).fetchone()
    _check_rule(name, rule, key_column)
    return int(round_id)


def check_rule(conn: sqlite3.Connection, campaign: str, label: str, key_column: str | None) -> None:
    """Raise InputError if the round is known and tells messages to one number apart in another way."""
    round_id = find_round(conn, campaign, label)
    if round_id is not None:
        rule = conn.execute("SELECT key_column FROM rounds WHERE round_id = ?", [round_id]).fetchone()[0]
        _check_rule(plain_name(label), rule, key_column)


def _check_rule(label: str, rule: str | None, key_column: str | None) -> None:
    if rule == key_column:
        return
    if rule == _EACH:
        raise InputError(
            "round={round!r} was begun by an earlier version, where a number got each different text: it cannot be gone on"
            " with. Give the next round a name, and a column as key= if numbers get several messages. Nothing was sent",
            round=label,
        )
    if rule is None:
        raise InputError(
            "round={round!r} sends each number one message, so key={key!r} does not fit it: leave key= out, or give another"
            " round a name. Nothing was sent",
            round=label,
            key=key_column,
        )
    raise InputError(
        "round={round!r} tells messages to one number apart by key={rule!r}: plan it with the same key=, or give another"
        " round a name. Nothing was sent",
        round=label,
        rule=rule,
    )


def near_names(conn: sqlite3.Connection, campaign: str, label: str) -> tuple[str | None, str | None]:
    """Return a known campaign, and a round of this one, whose name differs only in case, width, spaces or dashes."""
    name, title = plain_name(campaign), plain_name(label)
    campaigns = [row[0] for row in conn.execute("SELECT campaign FROM campaigns ORDER BY campaign_id DESC")]
    twin = None if name in campaigns else _alike(name, campaigns)
    rounds = [
        row[0]
        for row in conn.execute(
            "SELECT round FROM rounds JOIN campaigns USING (campaign_id) WHERE campaign = ? ORDER BY round_id DESC",
            [name],
        )
    ]
    return twin, None if not title or title in rounds else _alike(title, rounds)


def _alike(name: str, known: list[str]) -> str | None:
    folded = fold_name(name)
    return next((other for other in known if other != name and folded and fold_name(other) == folded), None)


# ---- the canary ------------------------------------------------------------------------------------------------------


def begin_canary(conn: sqlite3.Connection, round_id: int, rules: Mapping[str, Any]) -> None:
    """Let a round wait for a canary, unless it has one already."""
    conn.execute(
        "UPDATE rounds SET canary_state = 'waiting', canary_size = ?, canary = ? WHERE round_id = ? AND canary_state IS NULL",
        [int(rules["size"]), json.dumps(dict(rules)), round_id],
    )


def canary_state(conn: sqlite3.Connection, round_id: int) -> CanaryState:
    """Return how the canary of a round stands."""
    state, rules, notice = conn.execute(
        "SELECT canary_state, canary, canary_notice FROM rounds WHERE round_id = ?", [round_id]
    ).fetchone()
    batch_ids = conn.execute(
        "SELECT batch_id FROM batches WHERE round_id = ? AND canary ORDER BY batch_id", [round_id]
    ).fetchall()
    return CanaryState(
        state or "",
        canary_room(conn, round_id),
        json.loads(rules or "{}"),
        kept_text(notice),
        tuple(batch_id for (batch_id,) in batch_ids),
    )


def canary_room(conn: sqlite3.Connection, round_id: int) -> int:
    """Return how many messages may still go as part of the canary: those that surely never went have left their place."""
    room: int = conn.execute(
        "SELECT max(0, ifnull(canary_size, 0) - (SELECT count(*) FROM batches b CROSS JOIN messages m USING (batch_id)"
        f" WHERE b.round_id = rounds.round_id AND b.canary AND m.status_id {MAY_BE_OUT})) FROM rounds WHERE round_id = ?",
        [round_id],
    ).fetchone()[0]
    return room


def is_held(conn: sqlite3.Connection, round_id: int) -> bool:
    """Whether nothing of the round but its canary may go."""
    state = conn.execute("SELECT canary_state FROM rounds WHERE round_id = ?", [round_id]).fetchone()[0]
    return state in HOLDING


def judge_canary(conn: sqlite3.Connection, round_id: int, because: Text | None, now: float) -> bool:
    """Note what the reports of the canary say: normal, or stopped `because`; return whether the rest may go.

    The user's word stands.
    """
    conn.execute(
        "UPDATE rounds SET canary_state = ?, canary_notice = ?, canary_at = ? WHERE round_id = ? AND canary_state IN"
        " ('waiting', 'stopped')",
        ["normal" if because is None else "stopped", keep_text(because), int(now), round_id],
    )
    return not is_held(conn, round_id)


def release(conn: sqlite3.Connection, campaign: str, label: str, now: float) -> bool:
    """Let the rest of a round go by the user's word; return whether a canary had held it back.

    Raises
    ------
    InputError
        If there is no such round.
    """
    round_id = find_round(conn, campaign, label)
    if round_id is None:
        raise InputError("no round {round!r} of a campaign {campaign!r}", round=label, campaign=campaign)
    released = conn.execute(
        "UPDATE rounds SET canary_state = 'released', canary_at = ? WHERE round_id = ? AND canary_state IN"
        " ('waiting', 'stopped')",
        [int(now), round_id],
    ).rowcount
    return bool(released)
