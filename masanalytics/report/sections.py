"""The sections of a report: each a question to the analysis, with its chart and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from masanalytics import analysis, plot
from masanalytics.errors import InputError
from masanalytics.plot.chart import source_parts
from masanalytics.plot.named_rows import row_height
from masanalytics.plot.words import column_name, count
from masanalytics.report import tables
from masanalytics.report.request import Request

__all__ = ["Asked", "Chart", "Section", "all_rates", "breakdowns", "course", "failures", "health", "responses",
           "source_of", "speed"]  # fmt: skip

_BREAKDOWNS = ("campaign", "carrier", "province")
_DERIVED_FROM = {"day": "submitted_at", "hour": "submitted_at", "weekday": "submitted_at", "prefix": "phone"}
_IN_ORDER = ("day", "hour", "weekday")
# What fits on a page of A4 in type that can be read.
_MOST_IN_CHART = 25
_CODES_IN_CHART, _CODES_IN_TABLE = 8, 20
_MOST_GROUPS = 500
# The health of numbers needs every message in memory, which the rest of a report does not.
_MOST_FOR_HEALTH = 1_000_000
_HOURLY_FOR_DAYS = 3
_VERDICTS = {
    "good": (
        "good",
        "正常",
        "No failure of its own since the last delivery.",
        "最近一次送达以来没有因号码自身原因失败。",
    ),
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
class Asked:
    """What every section is about.

    Attributes
    ----------
    data : Store or DataFrame of messages
        As the analysis takes it.
    request : Request
        What is asked.
    available : set of str
        The columns there are.
    whole : DataFrame
        The delivery rate of all messages together: the denominator of everything.
    """

    data: Any
    request: Request
    available: set[str]
    whole: pd.DataFrame

    @property
    def accepted(self) -> int:
        """How many messages the platform took."""
        return int(self.whole["accepted"].sum())


@dataclass(frozen=True)
class Chart:
    """A chart that can be drawn, its height in inches, and what its table's readers should know of it."""

    height: float
    draw: Callable[[Axes], Axes]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A chart, a table, and where both come from."""

    name: str
    title: str
    table: pd.DataFrame
    columns: Sequence[tables.Column]
    source: str
    chart: Chart | None = None


def _section(
    asked: Asked,
    name: str,
    title: tuple[str, str],
    result: pd.DataFrame,
    columns: Sequence[tables.Column],
    chart: Chart | None = None,
) -> Section:
    request = asked.request
    counted = request.say(f"of {count(asked.accepted)} accepted", f"共受理 {count(asked.accepted)} 条")
    return Section(
        name=name,
        title=request.clean(request.say(*title)),
        table=result,
        columns=columns,
        source=source_of(result, request, counted, chart.note if chart else ""),
        chart=chart,
    )


def source_of(result: pd.DataFrame, request: Request, *notes: str) -> str:
    """Return where a result comes from, in one line."""
    return request.clean(" · ".join(part for part in source_parts(result.attrs, notes) if part), 1000)


def all_rates(asked: Asked) -> list[tuple[str, pd.DataFrame]]:
    """Return the delivery rates by each dimension; by default those that divide the messages."""
    found = []
    chosen = asked.request.by is not None
    for name in asked.request.by if asked.request.by is not None else _BREAKDOWNS:
        if not chosen and _DERIVED_FROM.get(name, name) not in asked.available:
            continue
        rates = analysis.delivery_rates(asked.data, by=name, **asked.request.where)
        if chosen or 2 <= len(rates) <= _MOST_GROUPS:
            found.append((name, rates))
    return found


def breakdowns(asked: Asked, found: Sequence[tuple[str, pd.DataFrame]]) -> list[Section]:
    """Return the delivery rates as sections, the largest groups first; of all messages where nothing divides them."""
    sections = [_rates(asked, place, name, rates) for place, (name, rates) in enumerate(found)]
    return sections or [_rates(asked, 0, "", asked.whole)]


def _rates(asked: Asked, place: int, name: str, rates: pd.DataFrame) -> Section:
    request = asked.request
    by = (f" by {column_name(name, 'en')}", f"（按{column_name(name, 'zh')}）") if name else ("", "")
    largest = rates.sort_values("accepted", ascending=False, kind="stable", ignore_index=True)
    shown = rates if name in _IN_ORDER else largest
    top = _cleaned(shown.head(_MOST_IN_CHART), name, request)
    note = ""
    if len(shown) > len(top):
        note = request.say(f"the chart shows {len(top)} of {len(shown)}", f"图中为 {len(shown)} 组中的 {len(top)} 组")
    return _section(
        asked,
        # A name of somebody's own column may hold anything: it is no id.
        f"rates-{name if name in _BREAKDOWNS else place}",
        (f"Delivery rate{by[0]}", f"送达率{by[1]}"),
        shown,
        tables.columns_of(shown, tables.RATES),
        Chart(row_height(len(top)) + 0.4, lambda ax: plot.delivery_rates(top, ax=ax, language=request.language), note),
    )


def _cleaned(frame: pd.DataFrame, name: str, request: Request) -> pd.DataFrame:
    """Return `frame` with the names of its groups as they may be shown, for the chart."""
    if not name:
        return frame
    return frame.assign(**{name: [request.clean(value) if isinstance(value, str) else value for value in frame[name]]})


def failures(asked: Asked) -> Section:
    """Return the error codes, their meaning and what to do about each."""
    language = asked.request.language
    few, many = (
        analysis.error_codes(asked.data, top=top, language=language, **asked.request.where)
        for top in (_CODES_IN_CHART, _CODES_IN_TABLE)
    )
    drawn = few.assign(
        error_code=[asked.request.clean(code) if isinstance(code, str) else code for code in few["error_code"]]
    )
    chart = Chart(row_height(len(few), 2) + 0.2, lambda ax: plot.error_codes(drawn, ax=ax, language=language))
    columns = tables.columns_of(many, tables.CODES)
    return _section(asked, "codes", ("Why messages failed", "失败原因"), many, columns, chart)


def speed(asked: Asked) -> Section:
    """Return how long delivery took, by carrier where it is known."""
    by = "carrier" if "carrier" in asked.available else None
    language, where = asked.request.language, asked.request.where
    times = analysis.latency(asked.data, by=by, **where)
    chart = Chart(4.8, lambda ax: plot.latency(asked.data, by=by, ax=ax, language=language, **where))
    columns = tables.columns_of(times, tables.LATENCY)
    return _section(asked, "latency", ("How fast messages arrive", "送达速度"), times, columns, chart)


def course(asked: Asked) -> list[Section]:
    """Return the course over time, by hour for up to three days, else by day; nothing where times are unknown."""
    if "submitted_at" not in asked.available:
        return []
    days = analysis.timeline(asked.data, "D", **asked.request.where)
    hourly = len(days) <= _HOURLY_FOR_DAYS
    times = analysis.timeline(asked.data, "h", **asked.request.where) if hourly else days
    if len(times) < 2:
        return []
    chart = Chart(5.4, lambda ax: plot.timeline(times, ax=ax, language=asked.request.language))
    columns = tables.columns_of(times, tables.COURSE)
    return [_section(asked, "course", ("Course over time", "随时间的变化"), times, columns, chart)]


def responses(asked: Asked) -> list[Section]:
    """Return how many people answered and opted out: counts alone, never what they wrote. Only a Store knows."""
    if not hasattr(asked.data, "uplinks"):
        return []
    found = analysis.replies(asked.data, by="campaign", **asked.request.where)
    if found.empty:
        return []
    columns = tables.columns_of(found, tables.REPLIES)
    return [_section(asked, "replies", ("Replies and opt-outs", "回复与退订"), found, columns)]


def health(asked: Asked) -> list[Section]:
    """Return how many numbers are good, doubtful, dead or blocked; no number itself."""
    if asked.accepted > _MOST_FOR_HEALTH or not {"phone", "submitted_at", "error_code"} <= asked.available:
        return []
    try:
        found = analysis.number_health(asked.data, **asked.request.where)
    except InputError:  # the numbers are masked: different people look alike, the rest of the report stands
        return []
    verdicts = found.attrs["verdicts"]
    if not verdicts:
        return []
    say = asked.request.say
    words = {name: (say(row[0], row[1]), say(row[2], row[3])) for name, row in _VERDICTS.items()}
    rows = [(*words.get(name, (name, "")), verdicts[name]) for name in [*_VERDICTS, *verdicts] if name in verdicts]
    table = pd.DataFrame(rows, columns=["verdict", "meaning", "numbers"]).drop_duplicates("verdict", ignore_index=True)
    table.attrs = found.attrs
    chart = Chart(row_height(4), lambda ax: plot.number_health(found, ax=ax, language=asked.request.language))
    return [_section(asked, "health", ("State of the numbers", "号码健康状况"), table, tables.HEALTH, chart)]
