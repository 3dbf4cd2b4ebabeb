"""What a report is about and what it is made of: what was asked, its sections, and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from masanalytics.aliases import Messages
from masanalytics.analysis.results import note_texts
from masanalytics.formatting import count
from masanalytics.i18n import _
from masanalytics.plot.chart import source_parts, without_expectation
from masanalytics.report import tables
from masanalytics.report.period import Period
from masanalytics.report.pictures import Picture
from masanalytics.report.sanitise import sanitised

__all__ = ["LONGEST_SENTENCE", "Contents", "Request", "Section", "Subject"]

LONGEST_SENTENCE = 1000


@dataclass(frozen=True)
class Request:
    """What is asked of a report.

    Attributes
    ----------
    title : str, optional
        By default the campaign's name.
    reveal : bool
        Whether phone numbers in names are shown whole.
    by : sequence of str, optional
        The breakdowns; by default campaign, carrier and province, where there are several of them.
    where : mapping
        Which messages: handed to the analysis.
    price : float or mapping of str to float, optional
        Of one segment, or carrier -> price.
    period : Period, optional
        What is set against the period before it; `where` holds its ends.
    """

    title: str | None = None
    reveal: bool = False
    by: Sequence[str] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    price: float | Mapping[str, float] | None = None
    period: Period | None = None

    def clean(self, text: str, longest: int = 300) -> str:
        """Return `text` as it may be shown: harmless, phone numbers masked unless asked for, cut where it is endless."""
        return sanitised(text, longest, reveal=self.reveal)


@dataclass(frozen=True)
class Section:
    """A chart, a table, and where both come from.

    Attributes
    ----------
    name, title : str
        Its id on the page, and its heading.
    table, columns : DataFrame, sequence of Column
        What it shows, and which columns of it.
    source : str
        What it is computed from, whole: a sheet of the workbook may be handed on alone.
    notes : str
        The part of it that the head of the page does not say already.
    picture : Picture, optional
        The chart of the page.
    """

    name: str
    title: str
    table: pd.DataFrame
    columns: Sequence[tables.Column]
    source: str
    notes: str
    picture: Picture | None = None


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
        Those of its columns that are shown, each rate behind its numerator.
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

    @property
    def definitions(self) -> list[tuple[str, str]]:
        """What each figure means that is shown somewhere: (term, meaning)."""
        shown = [self.figures, *(section.columns for section in self.sections)]
        return tables.definitions({column.key for columns in shown for column in columns})


@dataclass(frozen=True)
class Subject:
    """What every section is about.

    Attributes
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        As the analysis takes it.
    request : Request
        What is asked.
    available : set of str
        The columns there are.
    whole : DataFrame
        The delivery rate of all messages together: the denominator of everything.
    has_replies : bool
        Whether the data knows what people answered.
    """

    data: Messages
    request: Request
    available: set[str]
    whole: pd.DataFrame
    has_replies: bool

    @property
    def accepted(self) -> int:
        """How many messages the platform took."""
        return int(self.whole["accepted"].sum())

    def source(self, result: pd.DataFrame, *notes: str) -> str:
        """Return where a result comes from, in one line."""
        return self._line(result.attrs, notes)

    def _line(self, attrs: Mapping[Any, Any], notes: Sequence[str]) -> str:
        # What can be expected is said in a sentence of the headline.
        line = " · ".join(part for part in source_parts(without_expectation(attrs), notes) if part)
        return self.request.clean(line, LONGEST_SENTENCE)

    def section(
        self,
        name: str,
        title: str,
        result: pd.DataFrame,
        columns: Sequence[tables.Column],
        picture: Picture | None = None,
    ) -> Section:
        """Return a section whose last line says of how many accepted messages it speaks."""
        notes = [_("of {count} accepted", count=count(self.accepted)), picture.note if picture else ""]
        source = self.source(result, *notes)
        said = {note.code for note in note_texts(self.whole.attrs)}
        left = [note.as_json() for note in note_texts(result.attrs) if note.code not in said]
        own = {"notes": left, "expected_reason": result.attrs.get("expected_reason")}
        return Section(name, self.request.clean(title), result, columns, source, self._line(own, notes), picture)
