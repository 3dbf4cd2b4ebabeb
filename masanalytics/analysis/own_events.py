"""What people did by the user's own systems: events of phone and time, matched with the people of a round."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Table
from masanalytics.analysis.dimensions import DAY_S
from masanalytics.analysis.sources.pandas import epoch_seconds
from masanalytics.errors import InputError, missing_columns
from masanalytics.formatting import duration_text, percent
from masanalytics.i18n import Text
from masanalytics.phones import normalise_phones
from masanalytics.timezone import CHINA_OFFSET_S, format_instant

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Deeds", "EventColumns", "Window", "deeds_of"]

_AMOUNT: Final = "_value"
_FEW_LOST: Final = 0.01


@dataclass(frozen=True)
class EventColumns:
    """How the columns of the events are called: the number, the time, and the amount, where there is one."""

    phone: Hashable
    at: Hashable
    value: Hashable | None = None


@dataclass(frozen=True)
class Window:
    """For how many seconds after the message events count, and for how many before it they say what people do anyway."""

    after: int
    before: int | None = None


@dataclass(frozen=True)
class Deeds:
    """What the people of a round did in their window.

    Attributes
    ----------
    converted : array of bool
        Person by person, whether there was an event.
    value : array of float
        The sum of their amounts.
    before : array of float
        The sum of their amounts before the message; none where nothing was asked for.
    seen : array of bool
        Person by person, whether there was an event at any time.
    notes : list of Text
        What was not counted, and what to mind.
    uncounted : Text, optional
        Why none of the events counts, where none does.
    """

    converted: Booleans
    value: Figures
    before: Figures
    seen: Booleans
    notes: list[Text]
    uncounted: Text | None = None


def deeds_of(events: Table, columns: EventColumns, people: pd.DataFrame, window: Window, now: float) -> Deeds:
    """Count the events within a window after each person's ``at``.

    Parameters
    ----------
    events : DataFrame
        One row an event.
    columns : EventColumns
        How its columns are called.
    people : DataFrame
        ``phone, at``, one row a person.
    window : Window
        How long after, and how long before.
    now : float
        What time it is: a window may still be open.

    Raises
    ------
    InputError
        If a column is missing, an amount is no number, or none of the events has a number that can be read and a time.
    """
    rows, notes = _read(_as_pandas(events), columns)
    begins = people["at"].to_numpy(dtype=float)
    if len(rows) and (((rows["at"] + CHINA_OFFSET_S) % DAY_S) == 0).all():
        begins = (begins + CHINA_OFFSET_S) // DAY_S * DAY_S - CHINA_OFFSET_S
        notes.append(Text("the events have days only: those of the day of sending count", code="days_only"))
    place = {phone: number for number, phone in enumerate(people["phone"].tolist())}
    person = np.array([place.get(phone, -1) for phone in rows["phone"].tolist()], dtype=np.int64)
    after = rows["at"].to_numpy(dtype=float) - np.where(person >= 0, begins[person], np.nan)
    counts, earlier = (after >= 0) & (after <= window.after), (after < 0) & (after >= -(window.before or 0))
    early, late = int(((after < 0) & ~earlier).sum()), int((after > window.after).sum())
    events_of = np.bincount(person[counts], minlength=len(people))
    amounts = rows[_AMOUNT].to_numpy(dtype=float)
    value, before = (
        np.bincount(person[chosen], weights=amounts[chosen], minlength=len(people)).astype(float)
        for chosen in (counts, earlier)
    )
    left_out = _left_out(int((person < 0).sum()), early, late, duration_text(window.after))
    notes += left_out
    if window.before is not None and not earlier.any():
        notes.append(
            Text(
                "no event lies in the {before} before the message: there is nothing to sharpen by",
                code="nothing_before",
                before=duration_text(window.before),
            )
        )
    notes += _repeated(rows, int((events_of > 1).sum()))
    end = float(begins.max(initial=0.0)) + window.after
    if now < end:
        notes.append(
            Text("the window is open until {time}: more may come", code="open_window", time=format_instant(int(end)))
        )
    seen = np.bincount(person[person >= 0], minlength=len(people)) > 0
    return Deeds(events_of > 0, value, before, seen, notes, None if counts.any() else _uncounted(len(rows), left_out))


def _as_pandas(events: Table) -> pd.DataFrame:
    import pandas as pd

    if isinstance(events, pd.DataFrame):
        return events
    import narwhals as nw

    frame: Any = nw.from_native(events, pass_through=True)
    if not isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        raise InputError("events is a {type}: give a frame with a row for each event", type=type(events).__name__)
    table: pd.DataFrame = (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_pandas()
    return table


def _read(events: pd.DataFrame, columns: EventColumns) -> tuple[pd.DataFrame, list[Text]]:
    """Return ``phone, at, _value`` of the events that have a number and a time, and how many have none."""
    import pandas as pd

    wanted = [name for name in (columns.phone, columns.at, columns.value) if name is not None]
    error = missing_columns(wanted, events.columns, frame=Text("the events"))
    if error is not None:
        raise error
    phones = normalise_phones(events[columns.phone])["phone"]
    at = epoch_seconds(events[columns.at])
    table = pd.DataFrame({"phone": phones.to_numpy(), "at": at, _AMOUNT: _amounts(events, columns.value)})
    whole = table["phone"].notna() & table["at"].notna()
    masked = table["phone"].isna() & events[columns.phone].astype("str").str.contains("*", regex=False).to_numpy()
    reasons = _reasons(
        masked=int(masked.sum()),
        numberless=int((table["phone"].isna() & ~masked).sum()),
        timeless=int((table["phone"].notna() & table["at"].isna()).sum()),
    )
    if reasons and not whole.any():
        raise InputError(
            "no event of the {total:,} in the table can be used: {reasons}", total=len(table), reasons=reasons
        )
    return table[whole].reset_index(drop=True), _unusable(int((~whole).sum()), len(table), reasons)


def _reasons(*, masked: int, numberless: int, timeless: int) -> list[Text]:
    """Return why events cannot be used, each with how many."""
    reasons = [
        (masked, Text("{count:,} with a masked number (138****0000), which is many people's", count=masked)),
        (numberless, Text("{count:,} without a mobile number", count=numberless)),
        (timeless, Text("{count:,} without a time", count=timeless)),
    ]
    return [said for count, said in reasons if count]


def _unusable(lost: int, total: int, reasons: list[Text]) -> list[Text]:
    """Return how many events are not counted and why; where they are more than a few, what that does to the rates."""
    if not lost:
        return []
    note = Text(
        "{count:,} of {total:,} events cannot be used: {reasons}",
        code="unreadable_events",
        count=lost,
        total=total,
        reasons=reasons,
    )
    if lost <= _FEW_LOST * total:
        return [note]
    return [
        Text(
            "{share} of the events cannot be used, so that all rates are too low, and differences too small: {reasons}",
            code="many_unreadable_events",
            share=percent(lost / total),
            reasons=reasons,
        )
    ]


def _uncounted(total: int, left_out: list[Text]) -> Text:
    """Return why none of the events counts."""
    if not total:
        return Text("the table of events is empty: nobody did anything, or it is not the right one", code="no_events")
    return Text(
        "no event of the {total:,} in the table counts: {reasons}. Times without a zone are read as China time: those in UTC need one",
        code="no_event_counts",
        total=total,
        reasons=left_out,
    )


def _amounts(events: pd.DataFrame, column: Hashable | None) -> Figures:
    import pandas as pd

    if column is None:
        return np.ones(len(events))
    values = pd.to_numeric(events[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise InputError(
            "row {row}: {column!r} holds {value!r}, which is no amount: write a number in each row",
            row=str(events.index[row]),
            column=str(column),
            value=str(events[column].iloc[row]),
        )
    return values


def _left_out(strangers: int, early: int, late: int, window: Text | str) -> list[Text]:
    notes = []
    if early:
        notes.append(
            Text(
                "{count:,} event was before the message, and is not counted",
                "{count:,} events were before the message, and are not counted",
                code="early_events",
                count=early,
            )
        )
    if late:
        notes.append(
            Text(
                "{count:,} event came later than {window} after the message, and is not counted",
                "{count:,} events came later than {window} after the message, and are not counted",
                code="late_events",
                count=late,
                window=window,
            )
        )
    if strangers:
        notes.append(
            Text(
                "{count:,} event is of somebody who was not planned for, and is not counted",
                "{count:,} events are of people who were not planned for, and are not counted",
                code="strangers",
                count=strangers,
            )
        )
    return notes


def _repeated(rows: pd.DataFrame, several: int) -> list[Text]:
    """Return what to know of people with several events, and of rows that are there twice."""
    twice = int(rows.duplicated().sum())
    notes = []
    if several:
        notes.append(
            Text(
                "{count:,} person has several events: converted once, amounts added",
                "{count:,} people have several events: converted once, amounts added",
                code="several_events",
                count=several,
            )
        )
    if twice:
        notes.append(
            Text(
                "{count:,} event repeats another of the same person, time and amount: amounts count twice if the export doubled it",
                "{count:,} events repeat others of the same person, time and amount: amounts count twice if the export doubled them",
                code="repeated_events",
                count=twice,
            )
        )
    return notes
