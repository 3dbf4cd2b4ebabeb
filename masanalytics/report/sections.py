"""The sections of a report: each a question to the analysis, with its chart and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from masanalytics import analysis, plot
from masanalytics.language import choose
from masanalytics.masking import mask_phones_in
from masanalytics.plot.style import row_height, source_parts
from masanalytics.plot.words import column_name
from masanalytics.report import tables

__all__ = ["Request", "Section", "breakdowns", "course", "failures", "health", "responses", "source_of", "speed"]

_BREAKDOWNS = ("campaign", "carrier", "province")
_DERIVED_FROM = {"day": "submitted_at", "hour": "submitted_at", "weekday": "submitted_at", "prefix": "phone"}
_MOST_IN_CHART = 40
_MOST_GROUPS = 500
_HOURLY_FOR_DAYS = 3
_LONGEST_TEXT = 300
_VERDICTS = {
    "good": ("good", "正常", "The last report was a delivery.", "最近一次回执为送达。"),
    "doubtful": (
        "doubtful",
        "存疑",
        "The last message failed for a reason of the number.",
        "最近一次因号码自身原因失败。",
    ),
    "dead": ("dead", "失效", "Several failures in a row: better left out.", "连续多次失败，建议剔除。"),
    "blocked": ("blocked", "被拦截", "The person or the carrier refuses messages.", "用户或运营商拒收。"),
    "unseen": ("never written to", "从未发送过", "No message was sent to it yet.", "尚未向其发送过短信。"),
}


@dataclass(frozen=True)
class Request:
    """What is asked of a report.

    Attributes
    ----------
    language : str, optional
        ``"en"`` or ``"zh"``; by default the user's own.
    title : str, optional
        By default the campaign's name.
    reveal : bool
        Whether phone numbers in names are shown whole.
    by : sequence of str, optional
        The breakdowns; by default campaign, carrier and province, where there are several of them.
    where : mapping
        Which messages: handed to the analysis.
    """

    language: str | None = None
    title: str | None = None
    reveal: bool = False
    by: Sequence[str] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def clean(self, text: str) -> str:
        """Return `text` with phone numbers masked, unless they may be shown, and cut where it is endless."""
        shown = text if self.reveal else mask_phones_in(text)
        return shown if len(shown) <= _LONGEST_TEXT else shown[: _LONGEST_TEXT - 1] + "…"

    def say(self, en: str, zh: str) -> str:
        """Return the text in the report's language."""
        return choose(en, zh, self.language)


@dataclass(frozen=True)
class Section:
    """A chart, a table, and where both come from."""

    name: str
    title: str
    table: pd.DataFrame
    columns: Sequence[tables.Column]
    source: str
    height: float = 0.0
    draw: Callable[[Axes], Axes] | None = None


def breakdowns(data: Any, request: Request, available: set[str]) -> list[Section]:
    """Return the delivery rates by each dimension; by default those that divide the messages."""
    sections = []
    for name in request.by if request.by is not None else _BREAKDOWNS:
        if request.by is None and _DERIVED_FROM.get(name, name) not in available:
            continue
        rates = analysis.delivery_rates(data, by=name, **request.where)
        if request.by is None and not 2 <= len(rates) <= _MOST_GROUPS:
            continue
        sections.append(_rates(rates, name, request))
    return sections or [_rates(analysis.delivery_rates(data, **request.where), "", request)]


def _rates(rates: pd.DataFrame, name: str, request: Request) -> Section:
    by = (f" by {column_name(name, 'en')}", f"（按{column_name(name, 'zh')}）") if name else ("", "")
    ordered = name in ("day", "hour", "weekday")
    shown = rates if ordered else rates.sort_values("accepted", ascending=False, kind="stable", ignore_index=True)
    top = _masked(shown.head(_MOST_IN_CHART), name, request)
    return Section(
        name=f"rates-{name or 'all'}",
        title=request.say(f"Delivery rate{by[0]}", f"送达率{by[1]}"),
        table=shown,
        columns=tables.columns_of(shown, tables.RATES),
        source=source_of(rates, request),
        height=row_height(len(top)) + 0.4,
        draw=lambda ax: plot.delivery_rates(top, ax=ax, language=request.language),
    )


def _masked(frame: pd.DataFrame, name: str, request: Request) -> pd.DataFrame:
    """Return `frame` with phone numbers in the names of its groups masked, for the chart."""
    if request.reveal or not name:
        return frame
    return frame.assign(**{name: [mask_phones_in(value) if isinstance(value, str) else value for value in frame[name]]})


def failures(codes: pd.DataFrame, request: Request) -> Section:
    """Return the error codes, their meaning and what to do about each."""
    return Section(
        name="codes",
        title=request.say("Why messages failed", "失败原因"),
        table=codes,
        columns=tables.columns_of(codes, tables.CODES),
        source=source_of(codes, request),
        height=row_height(len(codes), 2) + 0.2,
        draw=lambda ax: plot.error_codes(codes, ax=ax, language=request.language),
    )


def speed(data: Any, request: Request, available: set[str]) -> Section:
    """Return how long delivery took, by carrier where it is known."""
    by = "carrier" if "carrier" in available else None
    times = analysis.latency(data, by=by, **request.where)
    return Section(
        name="latency",
        title=request.say("How fast messages arrive", "送达速度"),
        table=times,
        columns=tables.columns_of(times, tables.LATENCY),
        source=source_of(times, request),
        height=4.8,
        draw=lambda ax: plot.latency(data, by=by, ax=ax, language=request.language, **request.where),
    )


def course(data: Any, request: Request, available: set[str]) -> list[Section]:
    """Return the course over time, by hour for up to three days, else by day; nothing where times are unknown."""
    if "submitted_at" not in available:
        return []
    days = analysis.timeline(data, "D", **request.where)
    hourly = len(days) <= _HOURLY_FOR_DAYS
    over_time = analysis.timeline(data, "h", **request.where) if hourly else days
    if len(over_time) < 2:
        return []
    return [
        Section(
            name="course",
            title=request.say("Course over time", "随时间的变化"),
            table=over_time,
            columns=tables.columns_of(over_time, tables.COURSE),
            source=source_of(over_time, request),
            height=5.4,
            draw=lambda ax: plot.timeline(over_time, ax=ax, language=request.language),
        )
    ]


def responses(data: Any, request: Request) -> list[Section]:
    """Return how many people answered and opted out: counts alone, never what they wrote. Only a Store knows."""
    if not hasattr(data, "uplinks"):
        return []
    found = analysis.replies(data, by="campaign", **request.where)
    if found.empty:
        return []
    return [
        Section(
            name="replies",
            title=request.say("Replies and opt-outs", "回复与退订"),
            table=found,
            columns=tables.columns_of(found, tables.REPLIES),
            source=source_of(found, request),
        )
    ]


def health(data: Any, request: Request, available: set[str]) -> list[Section]:
    """Return how many numbers are good, doubtful, dead or blocked; no number itself."""
    if not {"phone", "submitted_at", "error_code"} <= available:
        return []
    found = analysis.number_health(data, **request.where)
    verdicts = found.attrs["verdicts"]
    if not verdicts:
        return []
    words = {name: (request.say(row[0], row[1]), request.say(row[2], row[3])) for name, row in _VERDICTS.items()}
    rows = [(*words.get(name, (name, "")), verdicts[name]) for name in [*_VERDICTS, *verdicts] if name in verdicts]
    table = pd.DataFrame(rows, columns=["verdict", "meaning", "numbers"]).drop_duplicates("verdict", ignore_index=True)
    return [
        Section(
            name="health",
            title=request.say("State of the numbers", "号码健康状况"),
            table=table,
            columns=tables.HEALTH,
            source=source_of(found, request),
            height=row_height(4),
            draw=lambda ax: plot.number_health(found, ax=ax, language=request.language),
        )
    ]


def source_of(result: pd.DataFrame, request: Request) -> str:
    """Return where a result comes from, in one line."""
    return request.clean(" · ".join(part for part in source_parts(result.attrs, request.language) if part))
