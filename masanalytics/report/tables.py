"""The tables of a report: which columns of a result are shown, under what name, and as what kind of number.

One description serves both outputs, so that the HTML page and the Excel file can never show different figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from masanalytics.analysis._error_codes import OTHERS
from masanalytics.i18n import choose, use_language
from masanalytics.plot.words import column_name, count, duration, group_label, percent
from masanalytics.vocabulary import category_name

__all__ = [
    "CODES",
    "COURSE",
    "HEALTH",
    "LATENCY",
    "RATES",
    "REPLIES",
    "Cell",
    "Column",
    "cells_of",
    "columns_of",
    "plain",
]

Kind = Literal["group", "text", "category", "count", "share", "seconds"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    key : str
        The column of the result.
    names : tuple of str
        What it is called, in English and Chinese.
    kind : {"group", "text", "category", "count", "share", "seconds"}
        How it is written.
    interval : tuple of str, optional
        The columns that hold the ends of its 95 % interval.
    """

    key: str
    names: tuple[str, str]
    kind: Kind
    interval: tuple[str, str] | None = None

    def name(self, language: str | None) -> str:
        """Return its name in one language."""
        return choose(*self.names, language)

    @property
    def is_number(self) -> bool:
        """Whether it is set right, and sorted as a number."""
        return self.kind in ("count", "share", "seconds")


@dataclass(frozen=True)
class Cell:
    """One cell as people read it, with the value it is sorted by: nothing where it is missing, to stay last."""

    text: str
    order: float | str


RATES = (
    Column("accepted", ("Accepted", "受理"), "count"),
    Column("delivered", ("Delivered", "送达"), "count"),
    Column("failed", ("Failed", "失败"), "count"),
    Column("pending", ("Pending", "待回执"), "count"),
    Column("unreported", ("Unreported", "无回执"), "count"),
    Column("delivery_rate", ("Delivery rate", "送达率"), "share", ("low", "high")),
    Column("most", ("At most", "最高可达"), "share"),
    Column("expected_rate", ("Expected end", "预计最终"), "share", ("expected_low", "expected_high")),
)
CODES = (
    Column("error_code", ("Code", "错误码"), "text"),
    Column("meaning", ("Meaning", "含义"), "text"),
    Column("category", ("Category", "类别"), "category"),
    Column("count", ("Failed", "失败数"), "count"),
    Column("share", ("Of accepted", "占受理"), "share"),
    Column("share_of_failed", ("Of failed", "占失败"), "share"),
    Column("advice", ("What to do", "建议"), "text"),
)
LATENCY = (
    Column("delivered", ("Delivered", "送达"), "count"),
    Column("p50_s", ("Median", "中位数"), "seconds"),
    Column("p90_s", ("90%", "90%"), "seconds"),
    Column("p95_s", ("95%", "95%"), "seconds"),
    Column("p99_s", ("99%", "99%"), "seconds"),
    Column("max_s", ("Longest", "最长"), "seconds"),
    Column("reached_50_s", ("Half of accepted", "受理数过半"), "seconds"),
    Column("reached_90_s", ("Nine in ten", "受理数九成"), "seconds"),
)
COURSE = (
    Column("time", ("Submitted", "提交时间"), "group"),
    *RATES[:4],
    Column("delivery_rate", ("Delivery rate", "送达率"), "share", ("low", "high")),
    Column("p50_s", ("Median", "中位数"), "seconds"),
    Column("p90_s", ("90%", "90%"), "seconds"),
)
REPLIES = (
    Column("delivered", ("Delivered", "送达"), "count"),
    Column("people", ("Answered", "回复人数"), "count"),
    Column("response_rate", ("Response rate", "回复率"), "share", ("low", "high")),
    Column("opt_outs", ("Opted out", "退订"), "count"),
    Column("opt_out_rate", ("Opt-out rate", "退订率"), "share", ("opt_out_low", "opt_out_high")),
    Column("p50_s", ("Half answered within", "半数回复用时"), "seconds"),
)
HEALTH = (
    Column("verdict", ("Verdict", "判断"), "text"),
    Column("numbers", ("Numbers", "号码数"), "count"),
    Column("meaning", ("Meaning", "含义"), "text"),
)
# Where everything is settled they say the rate once more.
_WHILE_PENDING = ("most", "expected_rate")
_KEPT_WHEN_EMPTY = ("accepted", "delivered", "failed", "pending", "delivery_rate")


def columns_of(result: pd.DataFrame, known: Sequence[Column]) -> list[Column]:
    """Return the columns to show: the groups of `result`, then those of `known` that hold anything."""
    first = next(iter(column.key for column in known if column.key in result.columns))
    groups = [
        Column(str(name), (column_name(str(name), "en").capitalize(), column_name(str(name), "zh")), "group")
        for name in result.columns[: list(result.columns).index(first)]
    ]
    return groups + [column for column in known if column.key in result.columns and _holds(result, column)]


def _holds(result: pd.DataFrame, column: Column) -> bool:
    if column.key in _KEPT_WHEN_EMPTY or result.empty:
        return True
    values = result[column.key]
    if column.key in _WHILE_PENDING and "pending" in result.columns:
        return bool(((result["pending"] > 0) & values.notna()).any())
    return bool((values > 0).any()) if column.kind == "count" else bool(values.notna().any())


def cells_of(
    result: pd.DataFrame, columns: Sequence[Column], language: str | None, clean: Callable[[str], str]
) -> list[list[Cell]]:
    """Return the table row by row; every text that comes from data goes through `clean`."""
    return [[_cell(row, column, language, clean) for column in columns] for row in result.to_dict("records")]


def _cell(row: dict[Any, Any], column: Column, language: str | None, clean: Callable[[str], str]) -> Cell:
    value = row[column.key]
    if column.is_number:
        text = _number(value, column.kind, language)
        if column.interval and pd.notna(value):
            low, high = (percent(row[end]) for end in column.interval)
            text = f"{text} ({low.removesuffix('%')}–{high})"
        # Six digits behind the point sort a share; more could read like a phone number.
        return Cell(text, "" if pd.isna(value) else round(float(value), 6))
    text = clean(plain(value, column, language))
    order: float | str = text
    if column.kind == "group" and isinstance(value, int | float) and pd.notna(value):
        order = float(value)
    return Cell(text, order)


def _number(value: float, kind: Kind, language: str | None) -> str:
    if kind == "seconds":
        return duration(value, language)
    return percent(value) if kind == "share" else count(value)


def plain(value: Any, column: Column, language: str | None) -> str:
    """Return a text cell as it is written."""
    if column.kind == "group":
        return group_label([column.key], [value], language)
    if pd.isna(value):
        return choose("no code", "无代码", language) if column.key == "error_code" else "–"
    if column.kind == "category":
        with use_language(language):
            return category_name(str(value))
    return choose("others", "其他", language) if column.key == "error_code" and value in OTHERS else str(value)
