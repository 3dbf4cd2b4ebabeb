"""The messages of each number, added up by SQLite: what `number_health` needs of a store, without its messages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.analysis.sources.number_totals import GAP_S, LATEST_S, NumberTotals
from masanalytics.store.frames import MISSING, column_parts
from masanalytics.store.lookups import ACCEPTED
from masanalytics.store.message_columns import Condition, find_column
from masanalytics.vocabulary import Status

__all__ = ["number_totals"]

_DELIVERED, _FAILED = int(Status.delivered), int(Status.failed)
_HEARD: Final = "ifnull(m.received_at, m.submitted_at)"
_GAP: Final = f"({_HEARD} - m.submitted_at)"
_ODD: Final = f"(m.submitted_at IS NULL OR m.submitted_at < 0 OR m.submitted_at >= {LATEST_S} OR {_GAP} < -{GAP_S} OR {_GAP} >= {GAP_S})"
_PLACE: Final = f"iif({_ODD}, {GAP_S}, m.submitted_at * {2 * GAP_S} + {_GAP} + {GAP_S})"

# Not by the index that begins with the number (+m.phone): from number to number a page would be read for each message.
_NUMBERS: Final = (
    f"SELECT m.phone, count(*) AS sent, sum(m.status_id = {_DELIVERED}) AS delivered, sum(m.status_id = {_FAILED}) AS failed,"
    f" max(m.submitted_at) AS sent_at, max(iif(m.status_id = {_DELIVERED}, {_HEARD}, NULL)) AS alive_at, max({_ODD}) AS odd,"
    f" max(iif(m.status_id = {_DELIVERED}, {_PLACE}, NULL)) AS last FROM messages m WHERE m.status_id {ACCEPTED} AND {{among}}"
    " GROUP BY +m.phone"
)
_FAILURES: Final = (
    f"SELECT +m.phone AS phone, m.error_code_id, m.carrier_id, m.submitted_at, {_PLACE} AS place, count(*) AS n FROM messages m"
    f" WHERE m.status_id = {_FAILED} AND {{among}} GROUP BY 1, 2, 3, 4, 5"
)


def number_totals(conn: sqlite3.Connection, among: Condition, phones: Sequence[str] | None) -> NumberTotals:
    """Return the totals of accepted messages, which SQLite sorts by number.

    Parameters
    ----------
    conn : sqlite3.Connection
        The store's.
    among : Condition
        Which messages.
    phones : sequence of str, optional
        Of these numbers only.
    """
    if phones is not None:
        named = f"({among.sql}) AND m.phone IN (SELECT value FROM json_each(?))"
        among = among._replace(sql=named, values=[*among.values, json.dumps(list(phones))])

    def asked(sql: str, integers: Sequence[str]) -> pd.DataFrame:
        cursor = conn.execute(sql.format(among=among.sql), list(among.values))
        parts = [pd.DataFrame(part).astype({"phone": "str"}) for part in column_parts(cursor, integers)]
        return pd.concat(parts, ignore_index=True)

    numbers = asked(_NUMBERS, ("sent", "delivered", "failed", "sent_at", "alive_at", "odd", "last"))
    failures = asked(_FAILURES, ("error_code_id", "carrier_id", "submitted_at", "place", "n"))
    last = numbers.pop("last").to_numpy()
    place = pd.Index(numbers["phone"]).get_indexer(failures["phone"])
    after = failures["place"].to_numpy() > np.where(place < 0, MISSING, last[place])
    for name in ("sent_at", "alive_at"):
        numbers[name] = numbers[name].astype("float64").mask(numbers[name] == MISSING)
    return NumberTotals(numbers, _by_code(conn, failures, after))


def _by_code(conn: sqlite3.Connection, failures: pd.DataFrame, after: Any) -> pd.DataFrame:
    """Return a row a number, code and carrier; `after` says which failures came after the last delivery."""
    shown = failures.assign(
        after=np.where(after, failures["n"], 0),
        first_at=failures["submitted_at"].astype("float64").where(after & (failures["submitted_at"] != MISSING)),
        place_after=np.where(after, failures["place"], -1),
    )
    shown["last_at"] = shown["first_at"]
    found = shown.groupby(["phone", "error_code_id", "carrier_id"], as_index=False, sort=False).agg(
        after=("after", "sum"), first_at=("first_at", "min"), last_at=("last_at", "max"), place=("place", "max"),
        place_after=("place_after", "max"),
    )  # fmt: skip
    for name in ("error_code", "carrier"):
        raw = found.pop(f"{name}_id").to_numpy()
        missing = raw == MISSING
        found[name] = find_column(conn, name).show(np.where(missing, 0, raw), missing).to_numpy()
    return found.astype({"error_code": "str", "carrier": "str"})
