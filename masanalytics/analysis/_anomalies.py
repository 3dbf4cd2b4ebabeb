"""What is unusual, in words: cells and stretches of time that fare worse than they do otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from masanalytics.aliases import Columns, Filter, Instant, Length, Messages
from masanalytics.analysis.anomaly_cells import Cells, Finding, Rules, findings
from masanalytics.analysis.dimensions import as_names
from masanalytics.analysis.filter_checks import OUTCOME_COLUMNS
from masanalytics.analysis.filters import Filters, to_instant, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.results import NO_RHYTHM, finished, refuse_taken_names
from masanalytics.analysis.sources import as_source, asks_once
from masanalytics.argument_kinds import checked_number
from masanalytics.errors import InputError
from masanalytics.formatting import duration, duration_text, group_label, percent, percents
from masanalytics.i18n import N_, Text, _, speaks
from masanalytics.near_names import named_arguments
from masanalytics.stats.alarms import threshold, usual_range
from masanalytics.stats.power import POWER
from masanalytics.timezone import format_instant

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANOMALY_COLUMNS", "MEASURES", "anomalies"]

ANOMALY_COLUMNS = (
    "time", "until", "going_on", "subject", "measure", "error_code", "messages", "observed", "usual", "usual_low",
    "usual_high", "points_of_total", "severity", "p_adjusted", "sentence", "advice",
)  # fmt: skip
MEASURES: Final = {
    "delivered": N_("delivered within {age}"),
    "reported": N_("reported on within {age}"),
    "slow": N_("of the delivered took longer than {slow}"),
    "code": N_("failed with {code}"),
}
"""What is judged, in words."""

_USUAL_ERRORS = 2.0
_LEADING = 2
_LEAST_RISE = 0.005
_SILENT = ""
_NAMED = 5


@named_arguments
@asks_once
@speaks
def anomalies(
    data: Messages,
    *,
    by: Columns = ("carrier",),
    freq: str = "D",
    within: Length = "1h",
    at: Instant | None = None,
    history: Length = "28d",
    min_n: int = 200,
    runs: int = 2,
    level: float = 0.05,
    language: str | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return what is unusual for the worse, in words: which messages, since when, how much, and why.

    All messages together, every value of `by` and every pair of values are judged by their own past, stretch by stretch, at equal
    age: the share delivered, the share reported on (stalls), the share that was slow, and the share of each frequent error code.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``submitted_at, status, latency_s`` (or ``received_at``), ``waited_s`` and the columns of `by`; ``error_code`` where
        there is one.
    by : str or sequence of str
        What an anomaly can be narrowed to, such as ``["carrier", "province"]``; at most three.
    freq : str
        The width of a stretch: ``"h"``, ``"6h"``, ``"D"``. Stretches of less than a day are compared with those of their part of
        the day (a quarter of it), where there are sixteen of them. Where hours or days of the week differ steadily a stretch is
        compared with what is usual for its own: Saturdays with Saturdays (from three weeks on; before, a note says so), nine
        o'clock with nine o'clock (from four days on).
    within : str, timedelta or number of seconds
        The age at which messages are read. A stretch is judged once all of its messages are so old.
    at : str, date, datetime or number, optional
        As if it were then; by default the end of coverage.
    history : str, timedelta or number of seconds
        How far back stretches are judged and what is usual is learned.
    min_n : int
        Stretches of a cell with fewer messages are not judged.
    runs : int
        So many stretches in a row are also judged together.
    level : float
        The probability of any alarm in all that is judged where nothing is unusual.
    language : {"en", "zh"}, optional
        Of ``sentence`` and ``advice``; by default the user's own.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row an anomaly, the latest first; none where nothing is unusual (a note says what would have been seen):

        - the columns of `by`: the values it is narrowed to, missing where it is not
        - ``time, until`` (Asia/Shanghai): the start of its first stretch, the end of its last; ``going_on`` (bool): whether that is
          the latest that the cell has. An anomaly lasts until a stretch is within two standard errors
        - ``subject``: the same in words; ``measure``: ``delivered``, ``reported``, ``slow`` or ``code`` (then ``error_code``)
        - ``messages`` (int), ``observed``: in those stretches; ``usual, usual_low, usual_high``: the usual share, and where stretches
          like these lie in 19 of 20 cases
        - ``points_of_total``: what it takes from (or adds to) the share of all messages of its time
        - ``severity``: the farthest stretch, in standard errors; ``p_adjusted``: how likely as much is by chance in all that was
          judged
        - ``sentence``, ``advice``: the same in words, and what to do about its leading code

        ``.attrs["tests"]`` is how many points were judged, ``.attrs["detectable"]`` the smallest fall of the delivered share that
        the latest stretch of each cell would have shown four times in five.

    Raises
    ------
    InputError
        If a column is missing, `freq` or a length cannot be read, or a number is out of range.

    Notes
    -----
    Scores count chance and how much stretches of the cell differ anyway, the latter from the middle of the data (Huber 1981), so
    that bad days do not hide themselves; Student's t, with days as units; Bonferroni over everything judged. A day that is bad for all is no
    fall of one cell: as far as a cell has gone with all other messages from day to day, what is usual for it moves with theirs. Of cells that share
    messages the one farthest out is kept, and others only if they are unusual without its messages.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> days = pd.date_range("2026-03-01 10:00", periods=14, tz="Asia/Shanghai").repeat(1000)
    >>> failed = np.tile(np.arange(1000) < 50, 14)
    >>> failed[9_000:10_000] = np.arange(1000) < 200
    >>> messages = pd.DataFrame({
    ...     "submitted_at": days, "status": np.where(failed, "failed", "delivered"), "latency_s": 5, "waited_s": 300_000,
    ...     "carrier": np.tile(["China Mobile", "China Unicom"], 7_000),
    ... })
    >>> print(anomalies(messages, language="en")["sentence"][0])
    all: 80.0% delivered within 1 h where 93.5% to 96.4% is usual, from 2026-03-10 00:00 to 2026-03-11 00:00 (1,000 messages).
    """
    names = as_names(by)
    refuse_taken_names(names, ANOMALY_COLUMNS)
    rules = _rules(names, freq, within, min_n, runs, level)
    source = as_source(data)
    filters, end = _period(Filters.parse(where, waited_at_least=rules.age), source, rules, at, to_seconds(history))
    question = Question([*names, f"time/{rules.width}"], ("error_code",), filters)
    counts, source = count_messages(data, question)
    cells = _cells(counts, rules, end)
    found, latest, tests = findings(cells, names) if len(cells.counts.n) else ([], [], 0)
    result = _table(cells, found, names, tests)
    detectable = {_name(cell): _detectable(row, tests, rules.level) for cell, *row in latest}
    notes = [_summary(result, latest, detectable, cells), *_unjudged(cells, names, latest)]
    notes += [NO_RHYTHM] if latest and not cells.knows_weeks() else []
    result = finished(result, source, where=filters, notes=notes, is_empty=not counts.n.sum())
    result.attrs |= {"tests": tests, "detectable": detectable, "within_s": rules.age, "freq": freq}
    return result


def _rules(names: Sequence[str], freq: str, within: Length, min_n: int, runs: int, level: float) -> Rules:
    if len(names) > 3:
        raise InputError(
            "by= has {count} columns: three at most, or there are more cells than messages", count=len(names)
        )
    outcomes = [name for name in names if name in OUTCOME_COLUMNS]
    if outcomes:
        raise InputError(
            "by={by!r} is part of the outcome: judge by what was known before sending, such as 'carrier'",
            by=outcomes[0],
        )
    try:
        width = to_seconds(f"1{freq}" if str(freq)[:1].isalpha() else freq)
    except InputError as error:
        raise InputError("freq={freq!r}: write it as 'h', '6h' or 'D'", freq=freq) from error
    if not 60 <= width <= 7 * 86_400:
        raise InputError("freq={freq!r}: a stretch is between a minute and a week wide", freq=freq)
    for name, value in (("min_n", min_n), ("runs", runs), ("level", level)):
        checked_number(name, value)
    if min_n < 1 or runs < 1 or not 0 < level < 1:
        raise InputError(
            "min_n={min_n!r}, runs={runs!r}, level={level!r}: min_n and runs are 1 and more, level between 0 and 1",
            min_n=min_n,
            runs=runs,
            level=level,
        )
    return Rules(to_seconds(within), width, int(min_n), int(runs), level)


def _period(filters: Filters, source: Any, rules: Rules, at: Instant | None, history: int) -> tuple[Filters, float]:
    """Return the filters, narrowed to what can be judged by `at`, and when the last message of it was submitted."""
    as_of = source.coverage_summary(filters.of_columns(source.message_columns())).get("as_of")
    now = float("inf") if as_of is None else float(as_of)
    if at is not None:
        now = min(now, float(to_instant(at)))
    if now == float("inf"):
        return filters, now
    last = now - rules.age
    since = int(last) - history
    return replace(
        filters,
        since=since if filters.since is None else max(since, filters.since),
        until=int(last) + 1 if filters.until is None else min(int(last) + 1, filters.until),
    ), last


def _cells(counts: Counts, rules: Rules, end: float) -> Cells:
    """Return the accepted messages by whole stretches: those that had ended by `end`."""
    import pandas as pd

    stamps = counts.keys[f"time/{rules.width}"]
    epoch = pd.DatetimeIndex(stamps).as_unit("s").asi8
    timed = counts.accepted() & stamps.notna().to_numpy() & (epoch + rules.width <= end + 1)
    counts, epoch = counts.taken(timed), epoch[timed]
    first = int(epoch.min()) if len(epoch) else 0
    return Cells(counts, (epoch - first) // rules.width, first, rules)


def _table(cells: Cells, found: Sequence[Finding], names: list[str], tests: int) -> pd.DataFrame:
    import pandas as pd

    rows = [_row(cells, finding, names, tests) for finding in sorted(found, key=lambda one: (-one.last, -one.score))]
    table = pd.DataFrame(rows, columns=[*names, *ANOMALY_COLUMNS])
    for name in ("time", "until"):
        table[name] = pd.to_datetime(table[name], unit="s", utc=True).dt.tz_convert("Asia/Shanghai").dt.as_unit("s")
    texts = dict.fromkeys(("subject", "measure", "error_code", "sentence", "advice"), "str")
    return table.astype({"going_on": bool, "messages": "int64", **texts})


def _name(cell: Sequence[tuple[str, Any]]) -> str:
    return group_label([name for name, _value in cell], [value for _name, value in cell])


def _row(cells: Cells, finding: Finding, names: list[str], tests: int) -> dict[str, Any]:
    start = cells.start + finding.first * cells.rules.width
    until = cells.start + (finding.last + 1) * cells.rules.width
    observed = finding.count / finding.total
    usual = usual_range(finding.centre, finding.spread, finding.total / finding.points, _USUAL_ERRORS)
    inside = (cells.bucket >= finding.first) & (cells.bucket <= finding.last)
    leading = _leading(cells, finding, inside) if finding.measure.name == "delivered" else []
    where = cells.mostly_in(finding, inside, names) if finding.measure.name == "code" else None
    code = finding.measure.code or next((name for name, _rise in leading if name != _SILENT), None)
    row: dict[str, Any] = dict.fromkeys(names) | dict(finding.cell)
    return row | {
        "time": start, "until": until, "going_on": finding.going_on, "subject": _name(finding.cell),
        "measure": finding.measure.name, "error_code": finding.measure.code, "messages": round(finding.total),
        "observed": observed, "usual": finding.centre, "usual_low": usual[0], "usual_high": usual[1],
        "points_of_total": 100 * (observed - finding.centre) * finding.total / float(cells.counts.n[inside].sum()),
        "severity": finding.score, "p_adjusted": min(1.0, finding.p_value * tests),
        "sentence": _sentence(cells, finding, (start, until), usual, _why(leading, where)),
        "advice": _advice(code, dict(finding.cell).get("carrier")),
    }  # fmt: skip


def _leading(cells: Cells, finding: Finding, inside: Any) -> list[tuple[str, float]]:
    """Return the error codes (or silence) whose share rose most in the cell against its other stretches, with the rise."""
    rows = cells.rows_of(finding.cell)
    rises: dict[str, float] = {}
    sizes = [max(1.0, float(cells.counts.n[rows & part].sum())) for part in (inside, ~inside)]
    codes = cells.codes[rows & inside].dropna().unique() if "error_code" in cells.counts.keys.columns else []
    for code in codes:
        failed = (cells.codes == code).to_numpy(dtype=bool, na_value=False) & rows
        now, before = (
            float(cells.counts.n[failed & part].sum()) / size
            for part, size in zip((inside, ~inside), sizes, strict=True)
        )
        rises[str(code)] = now - before
    silent = ~cells.reported & rows
    now, before = (
        float(cells.counts.n[silent & part].sum()) / size for part, size in zip((inside, ~inside), sizes, strict=True)
    )
    rises[_SILENT] = now - before
    most = sorted(rises.items(), key=lambda pair: -pair[1])[:_LEADING]
    return [(code, rise) for code, rise in most if rise >= _LEAST_RISE]


def _why(leading: Sequence[tuple[str, float]], where: tuple[Sequence[tuple[str, Any]], float] | None) -> list[str]:
    """Return what rose most, or where most of it is."""
    codes = [_("{code} ({rise:+.1f} points)", code=code, rise=100 * rise) for code, rise in leading if code != _SILENT]
    silent = [
        _("{rise:+.1f} points without a report by then", rise=100 * rise) for code, rise in leading if code == _SILENT
    ]
    place = (
        [] if where is None else [_("{share} of them at {subject}", share=percent(where[1]), subject=_name(where[0]))]
    )
    return [*([_("more of {codes}", codes=codes)] if codes else []), *silent, *place]


def _sentence(
    cells: Cells,
    finding: Finding,
    times: tuple[int, int],
    usual: tuple[float, float],
    why: Sequence[str],
) -> str:
    start, until = (format_instant(time)[:16] for time in times)
    when = (
        _("since {start}", start=start) if finding.going_on else _("from {start} to {until}", start=start, until=until)
    )
    what = _(
        MEASURES[finding.measure.name],
        age=duration(cells.rules.age),
        slow=duration(finding.threshold_s),
        code=finding.measure.code,
    )
    share, low, high = percents(finding.count / finding.total, *usual)
    return _(
        "{subject}: {share} {what} where {low} to {high} is usual, {when} ({count:,} messages){why}.",
        subject=_name(finding.cell),
        share=share,
        what=what,
        low=low,
        high=high,
        when=when,
        count=round(finding.total),
        why=_(": {reasons}", reasons=why) if why else "",
    )


def _advice(code: str | None, carrier: Any) -> str:
    from masanalytics.codes import describe_code

    return describe_code(code, carrier=carrier if isinstance(carrier, str) else None).advice if code else ""


def _detectable(row: Sequence[Any], tests: int, level: float) -> float:
    """Return the smallest fall that the latest stretch of a cell would have shown four times in five."""
    _place, centre, spread, total, degrees = row
    errors = threshold(float(degrees), tests, level) + NormalDist().inv_cdf(POWER)
    variance = centre * (1 - centre)
    return float(centre - usual_range(centre, spread, total, errors)[0]) if variance > 0 else 1 / sqrt(total)


def _summary(result: pd.DataFrame, latest: Sequence[Any], detectable: dict[str, float], cells: Cells) -> Text:
    """Return the sentence on the whole: how much is unusual, or what would have been seen."""
    if not latest:
        return Text(
            "nothing can be judged yet: no cell has eight stretches of {least:,} messages that ended {age} ago or earlier",
            code="too_little",
            least=cells.rules.least,
            age=duration_text(cells.rules.age),
        )
    judged = len(detectable)
    if len(result):
        return Text(
            "{count:,} anomaly among {judged:,} groups of messages",
            "{count:,} anomalies among {judged:,} groups of messages",
            code="anomalies",
            count=len(result),
            judged=judged,
        )
    single = {_name(cell): detectable[_name(cell)] for cell, *_rest in latest if len(cell) == 1}
    worst = max((single or detectable).items(), key=lambda pair: pair[1])
    until = format_instant(cells.start + (max(place for _cell, place, *_rest in latest) + 1) * cells.rules.width)[:16]
    values = {"until": until, "fall": 100 * worst[1], "power": f"{POWER:.0%}"}
    if judged == 1:
        return Text(
            "nothing unusual up to {until}; a fall of {fall:.1f} points would have shown in {power} of cases",
            code="nothing",
            **values,
        )
    return Text(
        "nothing unusual up to {until}, in {judged:,} groups of messages; a fall of {fall:.1f} points at {worst}, and less at all "
        "others, would have shown in {power} of cases",
        code="nothing",
        judged=judged,
        worst=worst[0],
        **values,
    )


def _unjudged(cells: Cells, names: Sequence[str], latest: Sequence[Any]) -> list[Text]:
    """Return which values have too few messages to be judged, where others have not."""
    judged = {cell[0] for cell, *_rest in latest if len(cell) == 1}
    there = [(name, value) for name in names for value in sorted(cells.counts.keys[name].dropna().unique(), key=str)]
    left = [_name([one]) for one in there if one not in judged]
    if not left or not latest:
        return []
    return [
        Text(
            "{count:,} value has too few messages to be judged (eight stretches of {least:,} at least): {names}",
            "{count:,} values have too few messages to be judged (eight stretches of {least:,} at least): {names}",
            code="not_judged",
            count=len(left),
            least=cells.rules.least,
            names=[*left[:_NAMED], *["…"] * (len(left) > _NAMED)],
        )
    ]
