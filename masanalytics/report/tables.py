"""The tables of a report: which columns of a result are shown, under what name, as what kind of number, and what they mean.

One description serves both outputs, so that the HTML page and the Excel file can never show different figures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from masanalytics.analysis._error_codes import OTHERS
from masanalytics.formatting import column_name, count, duration, group_label, money, percent
from masanalytics.i18n import Text, _
from masanalytics.vocabulary import category_name

__all__ = [
    "ANOMALIES",
    "CHANGE",
    "CODES",
    "COSTS",
    "COURSE",
    "HEALTH",
    "LATENCY",
    "PERIODS",
    "RATES",
    "REPLIES",
    "Cell",
    "Column",
    "cells_of",
    "columns_of",
    "definitions",
    "plain",
]

Kind = Literal["group", "text", "category", "count", "share", "points", "seconds", "money"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    key : str
        The column of the result.
    heading : Text or str
        What it is called; a plain text is the name of a column of somebody's own.
    kind : {"group", "text", "category", "count", "share", "points", "seconds", "money"}
        How it is written.
    interval : tuple of str, optional
        The columns that hold the ends of its 95 % interval.
    brief : bool
        Whether a narrow screen shows it at once; the others are behind a switch there.
    """

    key: str
    heading: Text | str
    kind: Kind
    interval: tuple[str, str] | None = None
    brief: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is set right, and sorted as a number."""
        return self.kind in ("count", "share", "points", "seconds", "money")


@dataclass(frozen=True)
class Cell:
    """One cell as people read it, with the value it is sorted by: nothing where it is missing, to stay last.

    What stands in brackets behind a number is apart, for it may stand in the next line, and is not to be broken.
    """

    text: str
    order: float | str
    interval: str = ""

    @property
    def whole(self) -> str:
        """The number with what stands behind it."""
        return f"{self.text} {self.interval}".strip()


# Every rate stands right behind its own numerator.
RATES = (
    Column("accepted", Text("Accepted"), "count", brief=True),
    Column("delivered", Text("Delivered"), "count", brief=True),
    Column("delivery_rate", Text("Delivery rate"), "share", ("low", "high"), brief=True),
    Column("failed", Text("Failed"), "count"),
    Column("unreported", Text("Unreported"), "count"),
    Column("pending", Text("Pending"), "count"),
    Column("most", Text("At most"), "share"),
    Column("expected_rate", Text("Expected end"), "share", ("expected_low", "expected_high")),
)
CODES = (
    Column("error_code", Text("Code"), "text", brief=True),
    Column("meaning", Text("Meaning"), "text", brief=True),
    Column("category", Text("Category"), "category"),
    Column("count", Text("Failed"), "count", brief=True),
    Column("share", Text("Of accepted"), "share", brief=True),
    Column("share_of_failed", Text("Of failed"), "share"),
    Column("advice", Text("What to do"), "text"),
)
LATENCY = (
    Column("delivered", Text("Delivered"), "count", brief=True),
    Column("p50_s", Text("Median"), "seconds", brief=True),
    Column("p90_s", "90%", "seconds", brief=True),
    Column("p95_s", "95%", "seconds"),
    Column("p99_s", "99%", "seconds"),
    Column("max_s", Text("Longest"), "seconds"),
    Column("reached_50_s", Text("Half of accepted"), "seconds"),
    Column("reached_90_s", Text("Nine in ten"), "seconds"),
)
COURSE = (
    Column("time", Text("Submitted"), "group", brief=True),
    *RATES[:6],
    Column("p50_s", Text("Median"), "seconds"),
    Column("p90_s", "90%", "seconds"),
)
REPLIES = (
    Column("delivered", Text("Delivered"), "count"),
    Column("answered_delivered", Text("Replied"), "count", brief=True),
    Column("response_rate", Text("Response rate"), "share", ("low", "high"), brief=True),
    Column("opt_outs_delivered", Text("Opted out"), "count", brief=True),
    Column("opt_out_rate", Text("Opt-out rate"), "share", ("opt_out_low", "opt_out_high"), brief=True),
    Column("p50_s", Text("Half replied within"), "seconds"),
)
COSTS = (
    Column("segments", Text("Segments"), "count", brief=True),
    Column("cost", Text("Cost"), "money", brief=True),
    Column("delivered", Text("Delivered"), "count"),
    Column("cost_per_delivered", Text("Per delivered"), "money", brief=True),
    Column("cost_not_delivered", Text("For nothing"), "money"),
    Column("cost_dead_numbers", Text("To dead numbers"), "money"),
    Column("unpriced", Text("Of unknown length"), "count"),
)
PERIODS = (
    Column("period", Text("Submitted"), "text", brief=True),
    *RATES[:3],
    Column("answered_delivered", Text("Replied"), "count"),
    Column("response_rate", Text("Response rate"), "share", ("response_low", "response_high")),
    Column("opt_outs_delivered", Text("Opted out"), "count"),
    Column("opt_out_rate", Text("Opt-out rate"), "share", ("opt_out_low", "opt_out_high")),
)
CHANGE = (
    Column("share_before", Text("Share before"), "share"),
    Column("share_after", Text("Share now"), "share"),
    Column("rate_before", Text("Rate before"), "share", brief=True),
    Column("rate_after", Text("Rate now"), "share", brief=True),
    Column("mix_effect", Text("By its share"), "points"),
    Column("rate_effect", Text("By its rate"), "points"),
    Column("contribution", Text("Change, points"), "points", ("low", "high"), brief=True),
)
ANOMALIES = (
    Column("sentence", Text("What is unusual"), "text", brief=True),
    Column("messages", Text("Messages"), "count"),
    Column("observed", Text("Seen"), "share"),
    Column("usual", Text("Usual"), "share", ("usual_low", "usual_high")),
    Column("advice", Text("What to do"), "text"),
)
HEALTH = (
    Column("verdict", Text("Verdict"), "text", brief=True),
    Column("numbers", Text("Numbers"), "count", brief=True),
    Column("meaning", Text("Meaning"), "text", brief=True),
)
# Where everything is settled they say the rate once more.
_WHILE_PENDING = ("most", "expected_rate")
_KEPT_WHEN_EMPTY = ("accepted", "delivered", "failed", "pending", "delivery_rate")


def columns_of(result: pd.DataFrame, known: Sequence[Column]) -> list[Column]:
    """Return the columns to show: the groups of `result`, then those of `known` that hold anything."""
    first = next(iter(column.key for column in known if column.key in result.columns))
    names = [str(name) for name in result.columns[: list(result.columns).index(first)]]
    groups = [Column(name, _capitalised(column_name(name)), "group", brief=True) for name in names]
    return groups + [column for column in known if column.key in result.columns and _holds(result, column)]


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _holds(result: pd.DataFrame, column: Column) -> bool:
    if column.key in _KEPT_WHEN_EMPTY or result.empty:
        return True
    values = result[column.key]
    if column.key in _WHILE_PENDING and "pending" in result.columns:
        return bool(((result["pending"] > 0) & values.notna()).any())
    return bool((values > 0).any()) if column.kind == "count" else bool(values.notna().any())


def cells_of(result: pd.DataFrame, columns: Sequence[Column], clean: Callable[[str], str]) -> list[list[Cell]]:
    """Return the table row by row; every text that comes from data goes through `clean`."""
    return [[_cell(row, column, clean) for column in columns] for row in result.to_dict("records")]


def _cell(row: dict[Any, Any], column: Column, clean: Callable[[str], str]) -> Cell:
    value = row[column.key]
    if column.is_number:
        text, interval = _number(value, column.kind), ""
        if column.interval and pd.notna(value):
            low, high = (_number(row[end], column.kind) for end in column.interval)
            interval = f"({low.removesuffix('%')}–{high})"
        # Six digits behind the point sort a share; more could read like a phone number.
        return Cell(text, "" if pd.isna(value) else round(float(value), 6), interval)
    text = clean(plain(value, column))
    order: float | str = text
    if column.kind == "group" and isinstance(value, int | float) and pd.notna(value):
        order = float(value)
    return Cell(text, order)


def _number(value: float, kind: Kind) -> str:
    if kind == "seconds":
        return duration(value)
    if kind == "money":
        return money(value) if pd.notna(value) else "–"
    if kind == "points":
        return f"{100 * value:+.2f}" if pd.notna(value) else "–"
    return percent(value) if kind == "share" else count(value)


def plain(value: Any, column: Column) -> str:
    """Return a text cell as it is written."""
    if column.kind == "group":
        return group_label([column.key], [value])
    if pd.isna(value):
        return _("no code") if column.key == "error_code" else "–"
    if column.kind == "category":
        return category_name(str(value))
    return _("others") if column.key == "error_code" and value in OTHERS else str(value)


_DEFINITIONS = (
    (
        ("accepted",),
        Text("Accepted"),
        Text(
            "Messages the platform took: the denominator of every rate. Messages it rejected, or that were "
            "never sent, are not in it."
        ),
    ),
    (("delivered",), Text("Delivered"), Text("A state report DELIVRD came: the message reached the handset.")),
    (("failed", "count"), Text("Failed"), Text("A state report with any other final code came.")),
    (
        ("pending",),
        Text("Pending"),
        Text(
            "No report yet. Carriers report for up to 72 hours, so a pending message is neither delivered nor failed."
        ),
    ),
    (("unreported",), Text("Unreported"), Text("No report although every report of 72 hours was fetched.")),
    (
        ("delivery_rate",),
        Text("Delivery rate"),
        Text(
            "Delivered ÷ accepted. In brackets the 95% interval (Wilson): how far chance alone could move a "
            "rate on so many messages."
        ),
    ),
    (
        ("most",),
        Text("At most"),
        Text("The rate if every pending message arrived. The rate shown is the one if none did."),
    ),
    (
        ("expected_rate",),
        Text("Expected end"),
        Text(
            "An estimate of the rate once all reports are in (Aalen–Johansen; beyond what was observed, the "
            "account's own history), with its 95% interval."
        ),
    ),
    (
        ("share",),
        Text("Of accepted, of failed"),
        Text("How many messages failed with a code, as a share of all accepted and of all failed messages."),
    ),
    (
        ("p50_s", "p90_s"),
        Text("Median, 90%, 95%, 99%, longest"),
        Text("Time from submission to delivery, of the delivered messages: half, 90% … were at least this fast."),
    ),
    (
        ("reached_50_s", "reached_90_s"),
        Text("Half of accepted, nine in ten"),
        Text("When half, and nine in ten, of all accepted messages had arrived; a dash where that has not happened."),
    ),
    (
        ("answered_delivered",),
        Text("Replied, response rate"),
        Text("Delivered messages that were answered, and their share of all delivered ones, with its 95% interval."),
    ),
    (
        ("opt_outs_delivered",),
        Text("Opted out, opt-out rate"),
        Text(
            "Delivered messages whose reply asks for no more, and their share of all delivered ones, with its 95% interval."
        ),
    ),
    (
        ("cost_per_delivered",),
        Text("Cost, for nothing, to dead numbers"),
        Text(
            "Segments times the price given; of it, what went to messages without a delivered report; of that, what went to numbers that do not exist or are out of service."
        ),
    ),
    (
        ("contribution",),
        Text("By its share, by its rate, change"),
        Text(
            "How many points of the change of the whole rate a group accounts for: because its share of the messages changed, because its own rate did, and both together with the 95% interval (Kitagawa)."
        ),
    ),
    (
        ("sentence",),
        Text("What is unusual"),
        Text(
            "Messages of a day that fared worse than others of their kind do on their days: farther out than chance and the usual "
            "differences between days explain. In brackets beside Usual: where 19 of 20 days lie."
        ),
    ),
    (
        ("verdict",),
        Text("State of the numbers"),
        Text(
            "What the latest reports say of each number: whether writing to it again makes sense. Advice, not a fact."
        ),
    ),
)


def definitions(shown: Collection[str]) -> list[tuple[str, str]]:
    """Return what the figures of these columns mean: (term, meaning); nothing of what is not shown.

    Examples
    --------
    >>> [term for term, _meaning in definitions(["accepted", "p90_s"])]
    ['Accepted', 'Median, 90%, 95%, 99%, longest']
    """
    return [(str(term), str(meaning)) for keys, term, meaning in _DEFINITIONS if any(key in shown for key in keys)]
