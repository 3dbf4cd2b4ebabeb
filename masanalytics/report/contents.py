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
from masanalytics.report.request import Request
from masanalytics.report.sections import Asked, Section, source_of
from masanalytics.report.words import behind, headline

__all__ = ["Contents", "gather"]

_MOST_GAPS = 5
_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_SENTENCE = 120, 40, 1000


@dataclass(frozen=True)
class Contents:
    """Everything a report shows.

    Attributes
    ----------
    title, as_of : str
        What it is about, and up to when.
    headline : sequence of str
        The most important things in sentences.
    whole : DataFrame
        The delivery rate of all messages together: no row, or one.
    figures : sequence of Column
        Those of its columns that are shown, rates first.
    sections : sequence of Section
        Charts and tables.
    sources : sequence of (str, str)
        What it was computed from.
    """

    title: str
    as_of: str
    headline: Sequence[str]
    whole: pd.DataFrame
    figures: Sequence[tables.Column]
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
    asked = Asked(data, request, set(as_source(data).message_columns()), whole)
    rates = sections.all_rates(asked)
    return Contents(
        title=request.clean(request.title or _title(request), _LONGEST_TITLE),
        as_of=source_of(whole, request),
        headline=_headline(asked, rates),
        whole=whole,
        figures=sorted(tables.columns_of(whole, tables.RATES), key=lambda column: column.kind == "count"),
        sections=_sections(asked, rates),
        sources=_sources(data, whole, request),
    )


def _headline(asked: Asked, rates: Sequence[tuple[str, pd.DataFrame]]) -> list[str]:
    request = asked.request
    codes = analysis.error_codes(asked.data, top=2, language=request.language, **request.where)
    times = analysis.latency(asked.data, **request.where)
    first, *others = headline(asked.whole, codes, times, request.language)
    worst = behind(asked.whole, rates, request.language, lambda name: request.clean(name, _LONGEST_NAME))
    return [request.clean(sentence, _LONGEST_SENTENCE) for sentence in (first, *others, worst) if sentence]


def _sections(asked: Asked, rates: Sequence[tuple[str, pd.DataFrame]]) -> list[Section]:
    if not asked.accepted:
        return []
    return [
        *sections.breakdowns(asked, rates),
        *sections.course(asked),
        sections.failures(asked),
        sections.speed(asked),
        *sections.responses(asked),
        *sections.health(asked),
    ]


def _title(request: Request) -> str:
    campaign = request.where.get("campaign")
    name = campaign if isinstance(campaign, str) else request.say("SMS delivery", "短信送达")
    return request.say(f"{name}: report", f"{name}：分析报告")


def _sources(data: Any, whole: pd.DataFrame, request: Request) -> list[tuple[str, str]]:
    path = getattr(data, "path", None)
    origin = request.clean(Path(str(path)).name) if path else request.say("a table of messages", "一张短信表")
    coverage = whole.attrs.get("coverage") or {}
    rows = [
        (request.say("Data", "数据来源"), origin),
        (request.say("As of (China time)", "数据截至（北京时间）"), str(whole.attrs.get("as_of", "-"))),
        (
            request.say("Gaps in coverage: nobody fetched reports", "采集中断：无人采集回执的时段"),
            _spans(coverage.get("gaps") or [], request),
        ),
    ]
    for name, values in (whole.attrs.get("filters") or {}).items():
        shown = ", ".join(map(str, values)) if isinstance(values, list) else str(values)
        rows.append((request.clean(column_name(name, request.language)), request.clean(shown)))
    return rows


def _spans(gaps: Sequence[Any], request: Request) -> str:
    """Return when nobody polled, the latest times first."""
    if not gaps:
        return request.say("no gaps", "无中断")
    texts = [" – ".join(gap[end] for end in ("from", "until")) for gap in reversed(gaps[-_MOST_GAPS:])]
    left = len(gaps) - len(texts)
    return "; ".join(texts) + (request.say(f"; {left} more", f"；另有 {left} 处") if left else "")
