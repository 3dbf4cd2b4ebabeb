"""The stretch of time a report is about, the one before it, and how far the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import pandas as pd

from masanalytics import analysis
from masanalytics.aliases import Instant, Length, Messages
from masanalytics.analysis.filters import to_instant
from masanalytics.analysis.sources import uplinks_of
from masanalytics.clock import Clock
from masanalytics.errors import InputError
from masanalytics.formatting import duration, percent
from masanalytics.i18n import _
from masanalytics.lengths import to_seconds
from masanalytics.timezone import format_instant

__all__ = ["Period", "PeriodChange", "change_between", "period_of"]

# Messages of both periods are set against each other at an age that nearly all of the younger ones have reached.
_AGES_S = (72 * 3600, 24 * 3600, 6 * 3600, 3600, 900, 60)
_NEARLY_ALL = 0.9
_ANSWER_S = 7 * 86_400
_MEASURES = ("accepted", "delivered", "delivery_rate", "low", "high")
_ANSWERS = (
    "answered_delivered", "response_rate", "response_low", "response_high", "opt_outs_delivered", "opt_out_rate",
    "opt_out_low", "opt_out_high",
)  # fmt: skip


@dataclass(frozen=True)
class Period:
    """A stretch of time of submission, and the equally long one before it where it is asked for.

    Attributes
    ----------
    start, end : int
        Epoch seconds; `end` is not in it.
    is_compared : bool
        Whether it is set against the one before.
    """

    start: int
    end: int
    is_compared: bool = False

    @property
    def before(self) -> Period:
        """The equally long stretch that ends where this one begins."""
        return Period(2 * self.start - self.end, self.start)

    def __str__(self) -> str:
        return _("{start} to {end}", start=_to_the_minute(self.start), end=_to_the_minute(self.end))


@dataclass(frozen=True)
class PeriodChange:
    """How a period differs from the one before it.

    Attributes
    ----------
    sentences : sequence of str
        In words, the periods first.
    table : DataFrame
        A row for each of the two; no rows where one of them holds nothing.
    cells : DataFrame
        What `analysis.explain_change` says of the two; no rows likewise.
    """

    sentences: Sequence[str]
    table: pd.DataFrame
    cells: pd.DataFrame


def period_of(
    data: Messages, since: Instant | Length | None, until: Instant | None, against: str | None
) -> Period | None:
    """Return the period that is asked for; None where there is no beginning.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        Which tells what is now.
    since : str, date, datetime, timedelta or number of epoch seconds, optional
        A time, or a length such as ``"7d"``: so long before `until`, or before now.
    until : str, date, datetime or number of epoch seconds, optional
        By default now.
    against : {"previous"}, optional
        Whether it is set against the equally long period before it.

    Raises
    ------
    InputError
        If `against` is something else, there is no `since`, or the period has no length.
    """
    if against not in (None, "previous"):
        raise InputError("against={against!r}: say 'previous', the equally long period before", against=against)
    if since is None:
        if against is None:
            return None
        raise InputError("against='previous' needs a period: say since='7d', or since= and until=")
    is_length = _is_length(since)
    if not is_length and against is None:
        return None
    end = to_instant(until) if until is not None else _now(data)
    start = end - to_seconds(since) if is_length else to_instant(since)  # type: ignore[arg-type]
    if start >= end:
        raise InputError(
            "the period from {start} to {end} has no length", start=format_instant(start), end=format_instant(end)
        )
    return Period(start, end, against is not None)


def _is_length(since: object) -> bool:
    if isinstance(since, str):
        try:
            to_seconds(since)
        except InputError:
            return False
        return True
    return isinstance(since, pd.Timedelta) or type(since).__name__ == "timedelta"


def _now(data: Messages) -> int:
    """Return the time by a store's clock; of a frame, when its latest message was submitted, that one included."""
    clock: Clock | None = getattr(data, "clock", None)
    if clock is not None:
        return int(clock.now())
    days = analysis.timeline(data, "h")
    if days.empty:
        raise InputError("these messages do not tell what is now: say until=")
    return int(days["time"].iloc[-1].timestamp()) + 3600


def _to_the_minute(time: int) -> str:
    return format_instant(time)[:16].removesuffix(" 00:00")


def change_between(data: Messages, period: Period, by: Sequence[str], where: Mapping[str, Any]) -> PeriodChange:
    """Return how `period` differs from the one before it, at equal age.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        As the analysis takes it.
    period : Period
        The later one.
    by : sequence of str
        The dimensions of the cells that explain the change.
    where : mapping
        Which messages, besides the period.
    """
    periods = (period, period.before)
    first = _("{period}, against {before}.", period=period, before=period.before)
    filters = [{**where, "since": one.start, "until": one.end} for one in periods]
    accepted = [int(analysis.delivery_rates(data, history=None, **one)["accepted"].sum()) for one in filters]
    if not all(accepted):
        empty = [one for one, number in zip(periods, accepted, strict=True) if not number]
        nothing = [
            _("No message was accepted from {period}: there is nothing to compare.", period=one) for one in empty
        ]
        return PeriodChange([first, *nothing], pd.DataFrame(), pd.DataFrame())
    age = _common_age(data, filters[0], accepted[0])
    rows = [_measured(data, one, age) for one in filters]
    table = pd.DataFrame([{"period": str(one), **row} for one, row in zip(periods, rows, strict=True)])
    around = {**where, "since": period.before.start, "until": period.end}
    cells = analysis.explain_change(data, by=list(by), at=period.start, within=age, **around)
    table.attrs = cells.attrs
    return PeriodChange([first, _delivered(cells.attrs["change"], age), *_answered(rows)], table, cells)


def _common_age(data: Messages, where: Mapping[str, Any], accepted: int) -> int:
    """Return the longest age that nearly all messages of the later period have reached."""
    for age in _AGES_S[:-1]:
        old_enough = analysis.delivery_rates(data, within=age, history=None, **where)["accepted"].sum()
        if old_enough >= _NEARLY_ALL * accepted:
            return age
    return _AGES_S[-1]


def _measured(data: Messages, where: Mapping[str, Any], age: int) -> dict[str, Any]:
    rates = analysis.delivery_rates(data, within=age, history=None, **where)
    row: dict[str, Any] = {name: rates[name].iloc[0] if len(rates) else 0 for name in _MEASURES}
    if uplinks_of(data) is not None:
        answers = analysis.replies(data, by=None, within=min(age, _ANSWER_S), **where)
        answers = answers.rename(columns={"low": "response_low", "high": "response_high"})
        if len(answers):
            row |= {name: answers[name].iloc[0] for name in _ANSWERS}
    return row


def _delivered(change: Mapping[str, float], age: int) -> str:
    return _(
        "Delivered within {age}: {now}, after {before} in the period before: {change} points ({low} to {high}).",
        age=duration(age),
        now=percent(change["rate_after"]),
        before=percent(change["rate_before"]),
        **{name: _points(change[name]) for name in ("change", "low", "high")},
    )


def _answered(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    now, before = rows
    if "response_rate" not in now or "response_rate" not in before:
        return []
    kinds = ((_("Response rate"), "response"), (_("Opt-out rate"), "opt_out"))
    sentences = []
    for name, key in kinds:
        values = [[float(row[f"{key}_{end}"]) for end in ("rate", "low", "high")] for row in (now, before)]
        difference, low, high = _difference(*values)
        sentences.append(
            _(
                "{name} {now}, after {before}: {change} points ({low} to {high}).",
                name=name,
                now=percent(values[0][0]),
                before=percent(values[1][0]),
                change=_points(difference),
                low=_points(low),
                high=_points(high),
            )
        )
    return sentences


def _difference(now: Sequence[float], before: Sequence[float]) -> tuple[float, float, float]:
    """Return the difference of two rates with its interval, from rate, low and high of each (Newcombe's method 10).

    R. G. Newcombe (1998), Statistics in Medicine 17:873-890: with the bounds of intervals that are wider because messages
    fail together it is as much wider.
    """
    (p1, low1, high1), (p2, low2, high2) = now, before
    difference = p1 - p2
    below = sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    above = sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return difference, difference - below, difference + above


def _points(change: float) -> str:
    return f"{100 * change:+.1f}"
