"""What a report contains, before it is HTML or Excel: its sentences, and its sections of a chart and a table each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from masanalytics import analysis, plot
from masanalytics.aliases import Messages
from masanalytics.analysis._delivery_rates import console_notes
from masanalytics.analysis.dimensions import WINDOW
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, count_messages
from masanalytics.analysis.known_holes import holes_text
from masanalytics.analysis.sources import as_source, uplinks_of
from masanalytics.errors import InputError
from masanalytics.formatting import column_name
from masanalytics.i18n import N_, _
from masanalytics.plot.chart import titled
from masanalytics.plot.named_rows import row_height
from masanalytics.plot.theme import SERIES
from masanalytics.report import tables
from masanalytics.report.contents import LONGEST_SENTENCE, Contents, Request, Section, Subject
from masanalytics.report.headline import behind, headline
from masanalytics.report.money import money_sections, money_sentences
from masanalytics.report.period import PeriodChange, change_between
from masanalytics.report.pictures import Picture

__all__ = ["gather"]

_BREAKDOWNS = ("campaign", "carrier", "province")
_DERIVED_FROM = {"day": "submitted_at", "hour": "submitted_at", "weekday": "submitted_at", "prefix": "phone"}
_IN_ORDER = ("day", "hour", "weekday")
# As many as a table shows before the rest is folded.
_MOST_IN_CHART = 10
_CODES_IN_CHART, _CODES_IN_TABLE = 8, 20
_MOST_GROUPS = 500
# The health of numbers needs every message in memory, which the rest of a report does not.
_MOST_FOR_HEALTH = 1_000_000
_HOURLY_FOR_DAYS = 3
_MOST_GAPS = 5
_MOST_NAMED = 5
_LONGEST_TITLE, _LONGEST_NAME = 120, 40
_VERDICTS = {
    "good": (N_("good"), N_("No failure of its own since the last delivery.")),
    "doubtful": (N_("doubtful"), N_("The last message failed for a reason of the number.")),
    "dead": (N_("dead"), N_("Several failures in a row: better left out.")),
    "blocked": (N_("blocked"), N_("The person or the carrier blocks messages.")),
    "unseen": (N_("never written to"), N_("No message was sent to it yet.")),
}


def gather(data: Messages, request: Request) -> Contents:
    """Ask the analysis for everything the report shows.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        As the analysis takes it.
    request : Request
        What is asked.
    """
    _ask_together(data, request)
    whole = analysis.delivery_rates(data, **request.where)
    has_replies = uplinks_of(data) is not None
    subject = Subject(data, request, set(as_source(data).message_columns()), whole, has_replies)
    rates = _all_rates(subject)
    change = _change(subject, rates)
    numbers = _numbers(subject)
    return Contents(
        title=request.clean(request.title or _title(request), _LONGEST_TITLE),
        as_of=subject.source(whole),
        headline=_headline(subject, rates, change),
        whole=whole,
        figures=tables.columns_of(whole, tables.RATES),
        sections=[*_changes(subject, change), *_sections(subject, rates, numbers)],
        sources=_sources(subject, numbers),
    )


def _ask_together(data: Messages, request: Request) -> None:
    """Ask first what several sections need: their counts are this one, added up, as long as the answer is remembered."""
    where = Filters.parse(request.where)
    available = set(as_source(data).message_columns())
    together = [name for name in ("campaign", "carrier") if name in available and request.by is None]
    count_messages(data, Question(together, ("carrier", WINDOW, "account"), where))
    if {"batch_id", "submitted_at"} <= available:
        count_messages(data, Question([], ("campaign", "day", "batch_id", "carrier"), where, None))


def _title(request: Request) -> str:
    campaign = request.where.get("campaign")
    name = campaign if isinstance(campaign, str) else _("SMS delivery")
    return _("{name}: report", name=name)


def _change(subject: Subject, rates: Sequence[tuple[str, pd.DataFrame]]) -> PeriodChange | None:
    """Return how the period differs from the one before it, where that is asked; by carrier, else by the first breakdown."""
    request = subject.request
    if request.period is None or not request.period.is_compared:
        return None
    by = ["carrier"] if request.by is None and "carrier" in subject.available else [name for name, _table in rates[:1]]
    where = {name: value for name, value in request.where.items() if name not in ("since", "until")}
    return change_between(subject.data, request.period, by, where)


def _changes(subject: Subject, change: PeriodChange | None) -> list[Section]:
    """Return both periods side by side, and which groups account for the change."""
    if change is None or change.table.empty:
        return []
    both = tables.columns_of(change.table, tables.PERIODS)
    sections = [subject.section("periods", _("Against the period before"), change.table, both)]
    cells = change.cells
    if len(cells) > 1:
        columns = tables.columns_of(cells, tables.CHANGE)
        picture = Picture(
            row_height(min(len(cells), _MOST_IN_CHART) + 2) + 1,
            lambda ax: plot.explain_change(cells, ax=ax, reveal=subject.request.reveal),
        )
        sections.append(subject.section("change", _("What changed the delivery rate"), cells, columns, picture))
    return sections


def _headline(subject: Subject, rates: Sequence[tuple[str, pd.DataFrame]], change: PeriodChange | None) -> list[str]:
    clean = subject.request.clean
    codes = analysis.error_codes(subject.data, top=2, **subject.request.where)
    times = analysis.latency(subject.data, **subject.request.where)
    first, *others = headline(subject.whole, codes, times)
    lowest = behind(subject.whole, rates, lambda name: clean(name, _LONGEST_NAME))
    periods = list(change.sentences) if change else []
    sentences = (*periods[:1], first, *periods[1:], *others, lowest, *money_sentences(subject))
    return [clean(sentence, LONGEST_SENTENCE) for sentence in sentences if sentence]


def _named(data: object) -> str:
    """Return what messages come from, by the names of the files."""
    if isinstance(data, (list, tuple)):
        names = [_named(one) for one in data]
        return _("; ").join([*names[:_MOST_NAMED], *["…"] * (len(names) > _MOST_NAMED)])
    path = data if isinstance(data, (str, PathLike)) else getattr(data, "path", getattr(data, "folder", None))
    return Path(str(path)).name if path else _("a table of messages")


def _sources(subject: Subject, numbers: pd.DataFrame | str) -> list[tuple[str, str]]:
    whole, request = subject.whole, subject.request
    coverage = whole.attrs.get("coverage") or {}
    rows = [
        (_("Data"), request.clean(_named(subject.data), LONGEST_SENTENCE)),
        (_("As of (China time)"), str(whole.attrs.get("as_of", "-"))),
    ]
    if coverage.get("end"):  # a table of messages alone knows of none
        rows.append((_("Gaps in coverage: nobody fetched reports"), _spans(coverage.get("gaps") or [])))
    missing = holes_text(coverage.get("holes") or ())
    if missing is not None:
        rows.append((_("Answers of the platform lost or not read"), str(missing)))
    for name, values in (whole.attrs.get("filters") or {}).items():
        shown = ", ".join(map(str, values)) if isinstance(values, list) else str(values)
        heading = {"since": _("Submitted from"), "until": _("Submitted before")}.get(name) or column_name(name)
        rows.append((request.clean(heading), request.clean(shown)))
    rows += [(_("The platform's own page"), str(note)) for note in console_notes(whole)]
    left_out = [numbers] if isinstance(numbers, str) else []
    if not subject.has_replies:
        left_out.append(_("replies and opt-outs: the data has no replies (an export has them with uplinks=True)"))
    rows += [(_("Not in this report"), request.clean(words, LONGEST_SENTENCE)) for words in left_out if words]
    return rows


def _spans(gaps: Sequence[Mapping[str, str]]) -> str:
    """Return when nobody polled, the latest times first."""
    if not gaps:
        return _("no gaps")
    spans = _("; ").join(" – ".join(gap[end] for end in ("from", "until")) for gap in reversed(gaps[-_MOST_GAPS:]))
    left = len(gaps) - _MOST_GAPS
    return _("{spans}; {count} more", spans=spans, count=left) if left > 0 else spans


def _sections(
    subject: Subject, rates: Sequence[tuple[str, pd.DataFrame]], numbers: pd.DataFrame | str
) -> list[Section]:
    if not subject.accepted:
        return []
    breakdowns = [_rates(subject, place, name, result) for place, (name, result) in enumerate(rates)]
    return [
        *(breakdowns or [_rates(subject, 0, "", subject.whole)]),
        *_course(subject),
        *_anomalies(subject),
        _failures(subject),
        _speed(subject),
        *_replies(subject),
        *money_sections(subject, rates[0][0] if rates else None),
        *_health(subject, numbers),
    ]


def _all_rates(subject: Subject) -> list[tuple[str, pd.DataFrame]]:
    """Return the delivery rates by each dimension; by default those that divide the messages."""
    chosen = subject.request.by
    rates = []
    for name in chosen if chosen is not None else _BREAKDOWNS:
        if chosen is None and _DERIVED_FROM.get(name, name) not in subject.available:
            continue
        result = analysis.delivery_rates(subject.data, by=name, **subject.request.where)
        if chosen is not None or 2 <= len(result) <= _MOST_GROUPS:
            rates.append((name, result))
    return rates


def _rates(subject: Subject, place: int, name: str, rates: pd.DataFrame) -> Section:
    """Return the delivery rates by one dimension, the largest groups first; of all messages where `name` is empty."""
    largest = rates.sort_values("accepted", ascending=False, kind="stable", ignore_index=True)
    shown = rates if name in _IN_ORDER else largest
    top = _cleaned(shown.head(_MOST_IN_CHART), name, subject.request)
    note = ""
    if len(shown) > len(top):
        note = _("the chart shows {shown} of {all}", shown=len(top), all=len(shown))
    picture = Picture(
        row_height(len(top)) + 0.4, lambda ax: plot.delivery_rates(top, ax=ax, reveal=subject.request.reveal), note
    )
    # A name of somebody's own column may hold anything: it is no id.
    section_name = f"rates-{name if name in _BREAKDOWNS else place}"
    title = titled(_("Delivery rate"), [name] if name else [])
    return subject.section(section_name, title, shown, tables.columns_of(shown, tables.RATES), picture)


def _cleaned(frame: pd.DataFrame, name: str, request: Request) -> pd.DataFrame:
    """Return `frame` with the texts of the column `name` as they may be shown, for the chart."""
    if not name:
        return frame
    return frame.assign(**{name: [request.clean(value) if isinstance(value, str) else value for value in frame[name]]})


def _failures(subject: Subject) -> Section:
    """Return the error codes, their meaning and what to do about each."""
    few, many = (
        analysis.error_codes(subject.data, top=top, **subject.request.where)
        for top in (_CODES_IN_CHART, _CODES_IN_TABLE)
    )
    drawn = _cleaned(few, "error_code", subject.request)
    picture = Picture(
        row_height(len(few), 2) + 0.2, lambda ax: plot.error_codes(drawn, ax=ax, reveal=subject.request.reveal)
    )
    return subject.section("codes", _("Why messages failed"), many, tables.columns_of(many, tables.CODES), picture)


def _speed(subject: Subject) -> Section:
    """Return how long delivery took, by carrier where it is known."""
    by = "carrier" if "carrier" in subject.available else None
    where = subject.request.where
    times = analysis.latency(subject.data, by=by, **where)
    curve = analysis.arrivals(subject.data, by, most_groups=len(SERIES), **where)

    def draw(ax: Axes) -> Axes:
        if curve is not None:
            return plot.latency(curve, ax=ax, reveal=subject.request.reveal)
        return plot.latency(subject.data, by=by, ax=ax, reveal=subject.request.reveal, **where)

    picture = Picture(4.8, draw)
    columns = tables.columns_of(times, tables.LATENCY)
    return subject.section("latency", _("How fast messages arrive"), times, columns, picture)


def _course(subject: Subject) -> list[Section]:
    """Return the course over time, by hour for up to three days, else by day; nothing where times are unknown."""
    if "submitted_at" not in subject.available:
        return []
    days = analysis.timeline(subject.data, "D", **subject.request.where)
    hourly = len(days) <= _HOURLY_FOR_DAYS
    times = analysis.timeline(subject.data, "h", **subject.request.where) if hourly else days
    if len(times) < 2:
        return []
    columns = tables.columns_of(times, tables.COURSE)
    picture = Picture(5.4, lambda ax: plot.timeline(times, ax=ax, reveal=subject.request.reveal))
    return [subject.section("course", _("Course over time"), times, columns, picture)]


def _anomalies(subject: Subject) -> list[Section]:
    """Return what was unusual, day by day; nothing where there is too little to judge by, or nothing was."""
    if not {"submitted_at", "waited_s"} <= subject.available or "until" in subject.request.where:
        return []
    by = [name for name in ("carrier", "province") if name in subject.available]
    found = analysis.anomalies(subject.data, by=by, **subject.request.where)
    if found.empty:
        return []
    table = found.assign(sentence=[subject.request.clean(text, LONGEST_SENTENCE) for text in found["sentence"]])
    picture = Picture(
        row_height(min(len(found), _MOST_IN_CHART), 2),
        lambda ax: plot.anomalies(found, ax=ax, reveal=subject.request.reveal),
    )
    columns = [column for column in tables.ANOMALIES if column.key != "advice" or (found["advice"] != "").any()]
    return [subject.section("anomalies", _("What is unusual"), table, columns, picture)]


def _replies(subject: Subject) -> list[Section]:
    """Return how many people replied and opted out: counts alone, never what they wrote. Only a Store knows."""
    if not subject.has_replies:
        return []
    replies = analysis.replies(subject.data, by="campaign", **subject.request.where)
    if replies.empty:
        return []
    columns = tables.columns_of(replies, tables.REPLIES)
    return [subject.section("replies", _("Replies and opt-outs"), replies, columns)]


def _numbers(subject: Subject) -> pd.DataFrame | str:
    """Return the health of each number; or why the report says nothing of it, in words."""
    if not subject.accepted or not {"phone", "submitted_at", "error_code"} <= subject.available:
        return ""
    if subject.accepted > _MOST_FOR_HEALTH:
        return _(
            "the state of the numbers: of more than {most:,} messages number_health(data) says it",
            most=_MOST_FOR_HEALTH,
        )
    try:
        return analysis.number_health(subject.data, **subject.request.where)
    except InputError as error:  # different people look alike: the rest of the report stands
        return _("the state of the numbers: {why}", why=error)


def _health(subject: Subject, numbers: pd.DataFrame | str) -> list[Section]:
    """Return how many numbers are good, doubtful, dead or blocked; no number itself."""
    counts = {} if isinstance(numbers, str) else numbers.attrs["verdicts"]
    if isinstance(numbers, str) or not counts:
        return []
    words = {verdict: (_(word), _(meaning)) for verdict, (word, meaning) in _VERDICTS.items()}
    verdicts = dict.fromkeys(verdict for verdict in [*_VERDICTS, *counts] if verdict in counts)
    rows = [(*words.get(verdict, (verdict, "")), counts[verdict]) for verdict in verdicts]
    table = pd.DataFrame(rows, columns=["verdict", "meaning", "numbers"])
    table.attrs = numbers.attrs
    picture = Picture(row_height(4), lambda ax: plot.number_health(numbers, ax=ax, reveal=subject.request.reveal))
    return [subject.section("health", _("State of the numbers"), table, tables.HEALTH, picture)]
