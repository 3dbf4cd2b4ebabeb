"""What a report contains, before it is HTML or Excel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from masanalytics import analysis
from masanalytics.analysis.sources import as_source
from masanalytics.plot.words import column_name
from masanalytics.report import sections, tables
from masanalytics.report.sections import Request, Section, source_of
from masanalytics.report.words import headline

__all__ = ["Contents", "gather"]

_TOP_CODES = 14
_MOST_GAPS = 5
# The health of numbers needs every message in memory, which the rest of a report does not.
_MOST_FOR_HEALTH = 1_000_000


@dataclass(frozen=True)
class Contents:
    """Everything a report shows.

    Attributes
    ----------
    title, as_of : str
        What it is about, and up to when.
    headline : sequence of str
        The most important things in sentences.
    facts : sequence of (str, str)
        The most important figures, with their names.
    sections : sequence of Section
        Charts and tables.
    sources : sequence of (str, str)
        What it was computed from.
    """

    title: str
    as_of: str
    headline: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    sources: Sequence[tuple[str, str]]


def gather(data: Any, request: Request) -> Contents:
    """Ask the analysis for everything the report shows.

    Parameters
    ----------
    data : Store or DataFrame of messages
        As the analysis takes it.
    request : Request
        What is asked.
    """
    whole = analysis.delivery_rates(data, **request.where)
    codes = analysis.error_codes(data, top=_TOP_CODES, language=request.language, **request.where)
    times = analysis.latency(data, **request.where)
    sentences = headline(whole, codes, times, request.language)
    return Contents(
        title=request.clean(request.title or _title(request)),
        as_of=source_of(whole, request),
        headline=[request.clean(sentence) for sentence in sentences],
        facts=_facts(whole, request),
        sections=_sections(data, request, whole, codes),
        sources=_sources(data, whole, request),
    )


def _sections(data: Any, request: Request, whole: pd.DataFrame, codes: pd.DataFrame) -> list[Section]:
    accepted = int(whole["accepted"].sum())
    if not accepted:
        return []
    available = set(as_source(data).message_columns())
    return [
        *sections.breakdowns(data, request, available),
        *sections.course(data, request, available),
        sections.failures(codes, request),
        sections.speed(data, request, available),
        *sections.responses(data, request),
        *(sections.health(data, request, available) if accepted <= _MOST_FOR_HEALTH else []),
    ]


def _title(request: Request) -> str:
    campaign = request.where.get("campaign")
    name = campaign if isinstance(campaign, str) else request.say("SMS delivery", "短信送达")
    return request.say(f"{name}: report", f"{name}：分析报告")


def _facts(whole: pd.DataFrame, request: Request) -> list[tuple[str, str]]:
    if whole.empty:
        return []
    # Rates first: they are what is looked for.
    columns = sorted(tables.columns_of(whole, tables.RATES), key=lambda column: column.kind == "count")
    cells = tables.cells_of(whole, columns, request.language, request.clean)[0]
    return [(column.name(request.language), cell.text) for column, cell in zip(columns, cells, strict=True)]


def _sources(data: Any, whole: pd.DataFrame, request: Request) -> list[tuple[str, str]]:
    path = getattr(data, "path", None)
    coverage = whole.attrs.get("coverage") or {}
    rows = [
        (request.say("Data", "数据来源"), Path(str(path)).name if path else type(data).__name__),
        (request.say("As of (China time)", "数据截至（北京时间）"), str(whole.attrs.get("as_of", "-"))),
        (request.say("Nobody polled", "未采集回执的时段"), _spans(coverage.get("gaps") or [], request)),
    ]
    for name, values in (whole.attrs.get("filters") or {}).items():
        shown = ", ".join(map(str, values)) if isinstance(values, list) else str(values)
        rows.append((column_name(name, request.language), request.clean(shown)))
    return rows


def _spans(gaps: Sequence[Any], request: Request) -> str:
    """Return when nobody polled, the latest times first."""
    if not gaps:
        return request.say("no gaps", "无中断")
    texts = [" – ".join(gap[end] for end in ("from", "until")) for gap in reversed(gaps[-_MOST_GAPS:])]
    left = len(gaps) - len(texts)
    return "; ".join(texts) + (request.say(f"; {left} more", f"；另有 {left} 处") if left else "")
