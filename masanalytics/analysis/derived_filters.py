"""Narrowing messages that are read one by one: to columns at the source, to what is derived from them afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from masanalytics.analysis.dimensions import time_part
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, count_messages
from masanalytics.analysis.sources import MessageSource
from masanalytics.vocabulary import DERIVED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Options", "columns_behind", "divided", "passing"]

Options = Mapping[str, tuple[Any, ...]]
_ROW = "#row"


def divided(where: Filters, source: MessageSource) -> tuple[Filters, Options]:
    """Return what the source can be narrowed to itself, and the derived names (``hour``, ``prefix``) left for later."""
    available = source.message_columns()
    late = {
        name: options
        for name, options in where.values.items()
        if name not in available and (name in DERIVED or time_part(name) is not None)
    }
    return replace(where, values={name: where.values[name] for name in where.values if name not in late}), late


def columns_behind(names: Iterable[str], source: MessageSource) -> list[str]:
    """Return the columns that `names` are, or are derived from; each once."""
    available = source.message_columns()
    needed = {"prefix": ["phone"], "category": ["status", "error_code", *({"carrier"} & set(available))]}
    parts = (
        [name] if name in available else ["submitted_at"] if time_part(name) else needed.get(name, [name])
        for name in names
    )
    return list(dict.fromkeys(column for part in parts for column in part))


def passing(messages: pd.DataFrame, late: Options) -> pd.DataFrame:
    """Return the messages (with ``status`` and the columns behind `late`) that have these derived values.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({"phone": ["13800000001", "13900000001"], "status": "delivered"})
    >>> passing(messages, {"prefix": ("139",)})["phone"].tolist()
    ['13900000001']
    """
    if not late:
        return messages
    # Counted by its own number, each message gets the derived values that every other result shows.
    counts, _ = count_messages(
        messages.assign(**{_ROW: range(len(messages))}), Question([_ROW], (), Filters(late), None)
    )
    return messages.iloc[sorted(counts.keys[_ROW].tolist())].reset_index(drop=True)
