"""Filters that cannot mean what they say: values of the wrong type, impossible ones, and outcomes as filters."""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from masanalytics.analysis.filter_values import no_filter
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import ColumnKind, MessageSource
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.text import nearest
from masanalytics.vocabulary import categories

__all__ = ["OUTCOME_COLUMNS", "narrowed", "outcome_notes", "unknown_category"]

OUTCOME_COLUMNS: Final = (
    "status",
    "category",
    "error_code",
    "report_status",
    "received_at",
    "latency_s",
    "reports",
    "parts_missing",
)
"""What is only known of a message once it has been reported."""

_WHOLE = {"hour": 24, "weekday": 7}
_NO_FILTERS: Final = ("submitted_at", "received_at", "latency_s")


def narrowed(source: MessageSource, where: Filters) -> tuple[Filters, dict[str, tuple[Any, ...]]]:
    """Return what `source` is narrowed to itself, and the values of derived dimensions: see `Filters.divided`.

    Raises
    ------
    InputError
        If a keyword argument is no column, or a value none that its column or dimension can have.
    """
    pushed, derived = where.divided(source.message_columns())
    _refuse_impossible(derived)
    _refuse_wrong_kinds(source, pushed)
    return pushed, derived


def _refuse_impossible(derived: Mapping[str, Sequence[Any]]) -> None:
    """Raise if a value of a derived dimension is none it can have.

    Raises
    ------
    InputError
        Saying how it is written.
    """
    for name, options in derived.items():
        for option in (option for option in options if option is not None):
            if name in _WHOLE and not _is_whole(option, _WHOLE[name]):
                raise InputError(
                    "{name}={value!r}: write it as a whole number from 0 to {last}",
                    name=name,
                    value=option,
                    last=_WHOLE[name] - 1,
                )
            if name == "prefix" and not (isinstance(option, str) and re.fullmatch(r"\d{3}", option)):
                raise InputError("prefix={value!r}: write it as text of three digits, '138'", value=_shown(option))
            if name == "category" and option not in _known_categories():
                raise unknown_category(option, _known_categories())
            if name == "day":
                _refuse_no_day(option)


def unknown_category(value: object, known: Sequence[str]) -> InputError:
    """Return the error that says of a value that it is no category of error codes, and which are near."""
    return InputError(
        "category={value!r} is not one of {known}", value=value, known=nearest(str(value), known, cutoff=0.3) or known
    )


def _known_categories() -> list[str]:
    return ["delivered", *categories()]


def _is_whole(value: Any, end: int) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and float(value) == int(value) and 0 <= value < end


def _refuse_no_day(value: Any) -> None:
    import pandas as pd

    try:
        day = pd.Timestamp(value) if not isinstance(value, numbers.Real) else None
    except (ValueError, TypeError):
        day = None
    if day is None or pd.isna(day) or day != day.normalize():
        raise InputError("day={value!r}: write it as '2026-01-31'", value=value)


def _refuse_wrong_kinds(source: MessageSource, where: Filters) -> None:
    """Raise if a column is narrowed to values of a kind it does not hold: they would find nothing, or on some engines fail.

    Raises
    ------
    InputError
        Naming the column, the value and what the column holds.
    """
    for name, options in where.values.items():
        if name in _NO_FILTERS:
            raise no_filter(name)
        kind = source.column_kind(name)
        wrong = [option for option in options if option is not None and not _fits(name, option, kind)]
        if not wrong:
            continue
        values = {"name": name, "value": _shown(wrong[0])}
        if kind == "text":
            raise InputError(
                "{name}={value!r}: the column holds text, so write it in quotes: {name}='{value}'", **values
            )
        if kind == "number":
            raise InputError("{name}={value!r}: the column holds numbers, so write it without quotes", **values)
        raise InputError("{name}={value!r}: the column holds True and False", **values)


def _fits(name: str, option: Any, kind: ColumnKind | None) -> bool:
    if kind is None:
        return True
    is_bool = isinstance(option, bool) or type(option).__name__ in ("bool", "bool_")
    if name == "status":  # which may be its number: see `status_numbers`
        return isinstance(option, str) or (isinstance(option, numbers.Number) and not is_bool)
    if kind == "boolean":
        return is_bool
    if kind == "number":
        return isinstance(option, numbers.Number) and not is_bool
    return isinstance(option, str)


def _shown(value: Any) -> Any:
    hidden = mask_phones_in(str(value))
    return value if hidden == str(value) else hidden


def outcome_notes(where: Filters, names: Sequence[str]) -> list[Text]:
    """Return what to know of rates of messages that were chosen, or grouped by the dimensions `names`, by what became of them."""
    chosen = [name for name in where.values if name in OUTCOME_COLUMNS]
    if chosen:
        return [
            Text(
                "narrowed by {column!r}, which is part of the outcome: the rates are of the messages so chosen, not of what was sent",
                code="outcome_filter",
                column=chosen[0],
            )
        ]
    grouped = [name for name in names if name in OUTCOME_COLUMNS]
    if grouped:
        return [
            Text(
                "grouped by {column!r}, which is part of the outcome: what a message became decides in which row it is, so the"
                " rates of the rows say nothing of what was sent",
                code="outcome_groups",
                column=grouped[0],
            )
        ]
    return []
