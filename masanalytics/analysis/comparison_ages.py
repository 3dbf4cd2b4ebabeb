"""What to know of the ages at which pairs were compared; where they were read at several, of how many pairs each holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from masanalytics.analysis.grouped_count import Counts
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text

__all__ = ["AgeNotes", "age_notes"]

AgeNotes = Callable[[float | None, Counts, bool], list[Text]]
"""From an age, the messages compared at it (counted by waiting time) and whether it was asked for, to what there is to know."""

_AGES_SAID: Final = 2


def age_notes(
    read_at: Mapping[float | None, list[Any]], of: Callable[[list[Any]], Counts], notes_at: AgeNotes, *, is_asked: bool
) -> list[Text]:
    """Return what to know about the ages.

    Parameters
    ----------
    read_at : mapping
        Age -> the values that were compared at it, two a pair.
    of : callable
        From values to their messages, counted by waiting time.
    notes_at : callable
        What is to know of one age.
    is_asked : bool
        Whether the age was asked for.
    """
    pairs = sum(len(values) for values in read_at.values()) // 2
    ages = [age for age in read_at if age is not None]
    notes: list[Text] = []
    for age, values in read_at.items():
        if age is not None and len(ages) > _AGES_SAID:
            continue
        about_age = notes_at(age, of(values), is_asked)
        if len(read_at) > 1:
            count = len(values) // 2
            about_age = [
                Text("{count:,} of {pairs:,} pairs: {note}", code=note.code, count=count, pairs=pairs, note=note)
                for note in about_age
            ]
        notes += about_age
    if len(ages) <= _AGES_SAID:
        return notes
    young = sum(
        len(read_at[age]) // 2
        for age in ages
        if any(note.code == "left_out" for note in notes_at(age, of(read_at[age]), False))
    )
    return [*notes, _many_ages(ages, sum(len(read_at[age]) for age in ages) // 2, pairs, young)]


def _many_ages(ages: list[float], count: int, pairs: int, young_pairs: int) -> Text:
    """Return what to know where the pairs were read at many ages: between which, and at whose cost."""
    compared = Text(
        "{count:,} of {pairs:,} pairs: compared at equal age, each pair at its own (within_s): delivered within {first} to "
        "{last}",
        code="equal_age",
        count=count,
        pairs=pairs,
        first=duration_text(min(ages)),
        last=duration_text(max(ages)),
    )
    if not young_pairs:
        return compared
    return Text(
        "{compared}; younger messages are left out of {count:,} of them",
        code="equal_age",
        compared=compared,
        count=young_pairs,
    )
