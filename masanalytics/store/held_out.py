"""People of silent arms in the file: who gets nothing of a round, and is left out of other campaigns for a while."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.store import rounds
from masanalytics.store.frames import china_times
from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.text import plain_name

if TYPE_CHECKING:
    from masanalytics.planning.held_out import HeldOut

__all__ = ["Held", "listed", "make_table", "meant_shares", "names_to_forget", "read_held_out", "record", "whose_sql"]

_TABLE = (
    "CREATE TABLE held_out (held_out_id INTEGER PRIMARY KEY, round_id INTEGER NOT NULL REFERENCES rounds, phone TEXT NOT NULL,"
    " arm TEXT, held_at INTEGER NOT NULL, until INTEGER NOT NULL, UNIQUE (phone, round_id)) STRICT"
)


class Held(NamedTuple):
    """Who gets nothing, number by number: as in a silent arm of the round itself, or of another round meanwhile."""

    here: npt.NDArray[np.bool_]
    elsewhere: npt.NDArray[np.bool_]


def make_table(conn: sqlite3.Connection) -> None:
    """Make the table, and the column of rounds for the shares of their arms."""
    conn.execute(_TABLE)
    conn.execute("CREATE INDEX held_out_rounds ON held_out (round_id)")
    conn.execute("ALTER TABLE rounds ADD COLUMN shares TEXT")


def record(conn: sqlite3.Connection, round_id: int, people: HeldOut, now: float) -> None:
    """Note who is in a silent arm of a round, and the shares of its arms; whoever it was sent to already is not."""
    if people.shares:
        conn.execute(
            "UPDATE rounds SET shares = ? WHERE round_id = ?",
            [json.dumps(dict(people.shares), ensure_ascii=False), round_id],
        )
    conn.executemany(
        f"INSERT OR IGNORE INTO held_out (round_id, phone, arm, held_at, until) SELECT {round_id}, ?1, ?2, {int(now)},"
        f" {people.rule.end(now)} WHERE NOT EXISTS (SELECT 1 FROM messages WHERE phone = ?1 AND round_id = {round_id} AND"
        f" status_id {MAY_BE_OUT})",
        zip(map(str, people.numbers.tolist()), people.arms.tolist(), strict=True),
    )


def listed(conn: sqlite3.Connection, campaign: str, label: str, now: float) -> tuple[set[str], set[str]]:
    """Return the numbers in silent arms of this round, and in those of others that are not over."""
    round_id = rounds.find_round(conn, campaign, label)
    here = conn.execute("SELECT phone FROM held_out WHERE round_id = ?", [round_id])
    elsewhere = conn.execute("SELECT phone FROM held_out WHERE round_id IS NOT ? AND until > ?", [round_id, int(now)])
    return {row[0] for row in here}, {row[0] for row in elsewhere}


def whose_sql(round_id: int, now: float, *, asks_others: bool) -> str:
    """Return SQL for a message ``m`` to somebody in a silent arm of a round, or of another one where that is asked for."""
    others = f" OR until > {int(now)}" if asks_others else ""
    return f"m.phone IN (SELECT phone FROM held_out WHERE round_id = {int(round_id)}{others})"


def read_held_out(conn: sqlite3.Connection, campaign: str | None, label: str | None) -> pd.DataFrame:
    """Return the frame that ``Store.held_out`` describes."""
    rows = conn.execute(
        "SELECT c.campaign, r.round, h.arm, h.phone, h.held_at, h.until FROM held_out h JOIN rounds r USING (round_id)"
        " JOIN campaigns c USING (campaign_id) WHERE (?1 IS NULL OR c.campaign = ?1) AND (?2 IS NULL OR r.round = ?2)"
        " ORDER BY h.held_out_id",
        [None if campaign is None else plain_name(campaign), None if label is None else plain_name(label)],
    ).fetchall()
    names = ["campaign", "round", "arm", "phone", "held_at", "until"]
    frame = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[:4], "str"))
    for name in names[4:]:
        frame[name] = china_times(frame[name].to_numpy(dtype=np.int64))
    if campaign is not None and label is not None:
        round_id = rounds.find_round(conn, campaign, label)
        kept = conn.execute("SELECT shares FROM rounds WHERE round_id = ?", [round_id]).fetchone()
        frame.attrs["shares"] = json.loads(kept[0]) if kept and kept[0] else {}
    return frame


def meant_shares(conn: sqlite3.Connection, where: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """Return the shares that arms were meant to have in the rounds a question is about, where all of them meant the same.

    Parameters
    ----------
    where : mapping
        What the question is narrowed to: of ``campaign`` and ``round`` the names.
    """
    tests, values = ["b.arm IS NOT NULL"], []
    for name in {"campaign", "round"} & where.keys():
        tests.append(f"{name} IN (SELECT value FROM json_each(?))")
        values.append(json.dumps([None if one is None else plain_name(str(one)) for one in where[name]]))
    kept = conn.execute(
        "SELECT DISTINCT r.shares FROM batches b JOIN rounds r USING (round_id) JOIN campaigns c ON c.campaign_id = r.campaign_id"
        f" WHERE {' AND '.join(tests)}",
        values,
    ).fetchall()
    if len(kept) != 1 or kept[0][0] is None:
        return {}
    silent = {
        row[0]
        for row in conn.execute(
            "SELECT DISTINCT arm FROM held_out h JOIN rounds r USING (round_id) WHERE r.shares = ?", kept[0]
        )
    }
    return {arm: share for arm, share in json.loads(kept[0][0]).items() if arm not in silent}


def names_to_forget(
    conn: sqlite3.Connection, before: int | None, phones: Sequence[str], name: Callable[[str], str]
) -> None:
    """Put names in the place of numbers: of those held out for a reason that is over before an instant, or of these people."""
    rows = conn.execute(
        "SELECT held_out_id, phone FROM held_out WHERE phone NOT LIKE '%~%' AND ((held_at < ?1 AND until < ?1) OR phone IN"
        " (SELECT value FROM json_each(?2)))",
        [0 if before is None else before, json.dumps(list(phones))],
    ).fetchall()
    conn.executemany(
        "UPDATE held_out SET phone = ? WHERE held_out_id = ?", [(name(phone), number) for number, phone in rows]
    )
    conn.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", [(name(phone),) for _number, phone in rows])
