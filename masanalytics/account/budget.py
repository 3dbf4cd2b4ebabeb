"""How much an account may send in a day and in a month, and how much of that is left: days and months are China's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral
from typing import TYPE_CHECKING, Final, NamedTuple

from masanalytics.errors import ConfigError, InputError
from masanalytics.i18n import N_, Text
from masanalytics.masking import shown_value
from masanalytics.timezone import CHINA, format_instant

if TYPE_CHECKING:
    from masanalytics.account.account import Account

__all__ = ["BUDGET_UNITS", "Budget", "Period", "checked_budget", "checked_unit"]

BUDGET_UNITS: Final = ("segments", "messages")
PERIODS: Final = ("day", "month")
_WHOLE = re.compile(r"\d+|\d{1,3}(?:[,_]\d{3})+")
_LEFT: Final = {
    ("day", "segments"): N_("{left:,} of {limit:,} segments left today"),
    ("day", "messages"): N_("{left:,} of {limit:,} messages left today"),
    ("month", "segments"): N_("{left:,} of {limit:,} segments left this month"),
    ("month", "messages"): N_("{left:,} of {limit:,} messages left this month"),
}


class Period(NamedTuple):
    """A day or a month of a budget.

    Attributes
    ----------
    name : str
        ``day`` or ``month``.
    unit : str
        ``segments`` or ``messages``.
    limit : int
        How many may be sent in it.
    start, end : int
        When it began, and when the next one begins (epoch seconds).
    spent : int
        How many have been sent in it, or may have been.
    """

    name: str
    unit: str
    limit: int
    start: int
    end: int
    spent: int = 0

    @property
    def left(self) -> int:
        """How many may still be sent in it."""
        return max(0, self.limit - self.spent)

    @property
    def resets_on(self) -> str:
        """The day (China time) on which the next one begins."""
        return format_instant(self.end)[:10]

    def words(self) -> Text:
        """Return how much is left of how much."""
        return Text(_LEFT[self.name, self.unit], left=self.left, limit=self.limit)


@dataclass(frozen=True, slots=True)
class Budget:
    """What an account may send: so many a day, so many a month, in one unit.

    Examples
    --------
    >>> [day] = Budget({"day": 100}, "segments").periods(1767225600)
    >>> day.left, day.resets_on
    (100, '2026-01-02')
    """

    limits: Mapping[str, int]
    unit: str

    @classmethod
    def of(cls, account: Account) -> Budget | None:
        """Return the account's budget; None where it has none."""
        return None if account.budget is None else cls(account.budget, account.budget_unit)

    def periods(self, now: float) -> list[Period]:
        """Return the day and the month of this instant, those that have a limit, with nothing spent."""
        today = datetime.fromtimestamp(now, UTC).astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today.replace(day=1)
        bounds = {
            "day": (today.timestamp(), today.timestamp() + 86_400),
            "month": (first.timestamp(), _next_month(first).timestamp()),
        }
        return [
            Period(name, self.unit, self.limits[name], int(bounds[name][0]), int(bounds[name][1]))
            for name in PERIODS
            if name in self.limits
        ]

    def check_known(self, segments: object) -> None:
        """Raise InputError where the budget counts segments and the segments of what is to be sent are None."""
        if self.unit == "segments" and segments is None:
            raise InputError(
                "the account's budget is in segments, and how many a template's text makes is not known: say what the template says,"
                " template_text='…', or count the budget in messages, budget_unit='messages'. Nothing was sent"
            )


def _next_month(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def checked_budget(budget: object) -> dict[str, int] | None:
    """Return what may be sent in a day and in a month as whole numbers; None where nothing limits it.

    Raises
    ------
    ConfigError
        If it is no mapping of ``day`` and ``month`` to whole numbers from 1.

    Examples
    --------
    >>> checked_budget({"day": "50,000", "month": None})
    {'day': 50000}
    """
    if budget is None:
        return None
    if not isinstance(budget, Mapping):
        raise ConfigError("budget={value}: write it as {example}", value=shown_value(budget), example=_EXAMPLE)
    unknown = [name for name in budget if name not in PERIODS]
    if unknown:
        raise ConfigError(
            "budget has a day and a month, but no {name}: write it as {example}",
            name=repr(unknown[0]),
            example=_EXAMPLE,
        )
    return {name: _whole(name, budget[name]) for name in PERIODS if budget.get(name) not in (None, "")} or None


_EXAMPLE: Final = "{'day': 50_000, 'month': 500_000}"


def _whole(period: str, value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(re.sub("[,_]", "", value))
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        if period == "day":
            raise ConfigError(
                "the budget of a day is {value}: it must be a whole number from 1", value=shown_value(value)
            )
        raise ConfigError(
            "the budget of a month is {value}: it must be a whole number from 1", value=shown_value(value)
        )
    return int(value)


def checked_unit(unit: str) -> str:
    """Return what a budget counts, by default segments.

    Raises
    ------
    ConfigError
        If it is neither segments nor messages.
    """
    if unit and unit not in BUDGET_UNITS:
        raise ConfigError("budget_unit={value}: 'segments' or 'messages'", value=shown_value(unit))
    return unit or BUDGET_UNITS[0]
