"""The names of `masanalytics.formatting` for callers that still hand a language on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from masanalytics import formatting
from masanalytics.formatting import count, display_width, percent, shorten, wrap
from masanalytics.i18n import use_language

__all__ = [
    "by_phrase",
    "column_name",
    "count",
    "display_width",
    "duration",
    "group_label",
    "percent",
    "shorten",
    "wrap",
]


def duration(seconds: float, language: str | None = None) -> str:
    """See `masanalytics.formatting.duration`."""
    with use_language(language):
        return formatting.duration(seconds)


def column_name(column: str, language: str | None = None) -> str:
    """See `masanalytics.formatting.column_name`."""
    with use_language(language):
        return formatting.column_name(column)


def by_phrase(by: Sequence[str], language: str | None = None) -> str:
    """See `masanalytics.formatting.by_phrase`."""
    with use_language(language):
        return formatting.by_phrase(by)


def group_label(columns: Sequence[str], values: Sequence[Any], language: str | None = None) -> str:
    """See `masanalytics.formatting.group_label`."""
    with use_language(language):
        return formatting.group_label(columns, values)
