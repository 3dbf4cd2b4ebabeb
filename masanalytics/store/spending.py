"""How much of an account's budget is spent: what this file has sent with it, or may have sent, in a day and a month of China.

A batch counts from the moment it is claimed, at the time of this machine's clock, and stops counting where it surely was not
taken. Where that clock turned out to be days off, it counts on the platform's day too: whichever the clock says next, no day has more. What other stores and other systems send with the account nobody can know here.

A month may have half a million batches, so a run adds up once what lies more than a day back, and anew only what may still grow.
"""

from __future__ import annotations

import sqlite3
from typing import Final, TypeAlias

from masanalytics.account import AccountKey, Budget, Period
from masanalytics.store.lookups import find_account
from masanalytics.timezone import CHINA_OFFSET_S

__all__ = ["account_periods", "exceeded", "periods"]

Earlier: TypeAlias = dict[tuple[int, int], int]
"""What was spent from one instant until another, both long past."""

_DAY_S: Final = 86_400
_WEIGHTS: Final = {"messages": "messages", "segments": "coalesce(segments, messages)"}
_SUM: Final = "SELECT coalesce(sum({weight}), 0) FROM batches INDEXED BY {index} WHERE account_id = ?1 AND state IN ('submitting', 'accepted', 'unknown')"


def periods(
    conn: sqlite3.Connection, account_id: int, budget: Budget, now: float, earlier: Earlier | None = None
) -> list[Period]:
    """Return the day and the month of `now`, those that have a limit, with what is spent of each.

    Parameters
    ----------
    earlier : dict, optional
        What a run has added up before, filled on.
    """
    known: Earlier = {} if earlier is None else earlier
    found = []
    for period in budget.periods(now):
        border = max(period.start, int(now - (now + CHINA_OFFSET_S) % _DAY_S) - _DAY_S)
        if (period.start, border) not in known:
            known[period.start, border] = _spent(conn, account_id, period.start, border, budget.unit)
        spent = known[period.start, border] + _spent(conn, account_id, border, period.end, budget.unit)
        spent += _spent_on_two_days(conn, account_id, period)
        found.append(period._replace(spent=spent))
    return found


def account_periods(conn: sqlite3.Connection, account: AccountKey, budget: Budget, now: float) -> list[Period]:
    """Return the same for an account by its key, of which the file may know nothing."""
    account_id = find_account(conn, account)
    return budget.periods(now) if account_id is None else periods(conn, account_id, budget, now)


def exceeded(conn: sqlite3.Connection, account_id: int, budget: Budget, now: float, earlier: Earlier) -> Period | None:
    """Return the period whose limit what is claimed goes beyond, the one that lasts longest; None where it all fits."""
    found = reversed(periods(conn, account_id, budget, now, earlier))
    return next((one for one in found if one.spent > one.limit), None)


def _spent(conn: sqlite3.Connection, account_id: int, start: int, end: int, unit: str) -> int:
    total: int = conn.execute(
        f"{_SUM.format(weight=_WEIGHTS[unit], index='batches_spent')} AND requested_at >= ?2 AND requested_at < ?3 AND claimed_at IS NULL",
        [account_id, start, end],
    ).fetchone()[0]
    return total


def _spent_on_two_days(conn: sqlite3.Connection, account_id: int, period: Period) -> int:
    """Return what was claimed while our clock was days off, and belongs to the period by either clock."""
    total: int = conn.execute(
        f"{_SUM.format(weight=_WEIGHTS[period.unit], index='batches_claimed')} AND claimed_at IS NOT NULL AND"
        " (requested_at >= ?2 AND requested_at < ?3 OR claimed_at >= ?2 AND claimed_at < ?3)",
        [account_id, period.start, period.end],
    ).fetchone()[0]
    return total
