"""The age at which messages are compared: counted by the hour, and to the second only where an age is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics.analysis.dimensions import late_dimension
from masanalytics.analysis.equal_age import common_age, equal_age_notes, waited_counts, with_exact_ages
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.sources import as_source
from masanalytics.analysis.sources.base import RawCounts, Seconds
from masanalytics.store import Store
from tests.random_messages import END, as_arrow, as_duckdb, as_lazy_polars, fill, random_messages

KINDS: list[Callable[[pd.DataFrame], Any]] = [pd.DataFrame, as_lazy_polars, as_duckdb, as_arrow]
WAITED = [0, 59, 60, 3_599, 3_600, 7_300, 259_199, 259_200, -1, -3_601, None]
LATENCY = [None, -2, 0, 5, 6, 60, 61, 5, 6, 7, 8]


def observed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "status": "delivered",
            "waited_s": pd.array(WAITED, dtype="Int64"),
            "latency_s": pd.array(LATENCY, dtype="Int64"),
        }
    )


def rows(counts: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a raw count, in order, what is missing as None."""
    raw = RawCounts(*counts)
    columns = [raw.keys[name].astype("object") for name in raw.keys]
    found = zip(*columns, raw.seconds, raw.n, strict=True)
    return sorted((tuple(None if pd.isna(one) else int(one) for one in row) for row in found), key=str)


@pytest.mark.parametrize("make", KINDS)
def test_waiting_times_are_counted_by_full_hours(make: Callable[[pd.DataFrame], Any]) -> None:
    """Those below 0 by hours below 0, those that are not known as unknown."""
    found = as_source(make(observed())).grouped_count([], where=Filters(), seconds="waited_hours")

    assert rows(found) == sorted(
        [(0, 4), (3_600, 1), (7_200, 1), (255_600, 1), (259_200, 1), (-3_600, 1), (-7_200, 1), (None, 1)], key=str
    )


@pytest.mark.parametrize("make", KINDS)
def test_messages_are_narrowed_to_waiting_times(make: Callable[[pd.DataFrame], Any]) -> None:
    """From the first number on, shorter than the second."""
    where = Filters(waited_in=((0, 60), (3_600, 7_300)))

    found = as_source(make(observed())).grouped_count([], where=where, seconds="waited")

    assert rows(found) == [(0, 1), (3_600, 1), (59, 1)]


@pytest.mark.parametrize("make", KINDS)
def test_reports_are_counted_by_how_many_ages_they_are_later_than(make: Callable[[pd.DataFrame], Any]) -> None:
    """An unknown latency is later than none."""
    found = as_source(make(observed())).grouped_count([late_dimension(60, -1, 5)], where=Filters(), seconds=None)

    assert rows(found) == [(0, None, 2), (1, None, 3), (2, None, 5), (3, None, 1)]


def test_a_store_counts_hours_and_ages_as_its_frame_does(tmp_path: Path) -> None:
    """Whatever is asked: the hours, the seconds of some of them, the ages that reports came later than."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(500, seed=5))
        where = Filters(waited_in=((0, 7_200), (259_200, 400_000)))
        asked: list[tuple[list[str], Filters, Seconds | None]] = [
            ([], Filters(), "waited_hours"),
            ([], where, "waited"),
            ([late_dimension(-1, 3, 20, 90)], Filters(), None),
        ]
        for by, narrowed, seconds in asked:
            found, expected = (
                rows(as_source(data).grouped_count(by, where=narrowed, seconds=seconds))
                for data in (store, store.messages())
            )
            assert found == expected
            assert len(found) > 1


def by_the_second(data: pd.DataFrame, question: Question) -> Counts:
    counts, _ = count_messages(data, Question(question.by, (), question.where, "waited"))
    return counts.taken(counts.accepted())


def told(age: float | None, parts: list[Counts]) -> list[Any]:
    return [age, *(note.as_json() for note in equal_age_notes(age, *parts, asked=False))]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by", [[], ["arm"], ["campaign"]])
def test_an_age_is_the_same_as_of_messages_counted_by_the_second(seed: int, by: list[str]) -> None:
    """Of each group, of two together, and of all: the shortest, or where it is short what nine in ten have reached."""
    messages = random_messages(400, seed=seed)
    rng = np.random.default_rng(seed)
    youngest = END - int(rng.integers(0, 200_000))
    messages = messages[
        (messages["submitted_at"].astype("int64") < youngest) | (messages["waited_s"].isna() & bool(seed % 3))
    ]
    question = Question(by, (), Filters())
    exact = by_the_second(messages, question)

    waited = with_exact_ages(messages, question, waited_counts(messages, question)[0])

    assert waited.groups.equals(exact.groups)
    alone = [[number] for number in range(len(exact.groups))]
    for chosen in [*alone, [0, 1], list(range(len(exact.groups)))]:
        expected, found = ([part.taken(part.group == one) for one in chosen] for part in (exact, waited))
        assert told(common_age(*found), found) == told(common_age(*expected), expected)


@pytest.mark.parametrize("age", [45, 3_600, 5_000, 90_000, 259_200, 700_001])
def test_who_is_younger_than_an_age_asked_for_is_known_to_the_second(age: int) -> None:
    """The hour of that age is counted exactly."""
    messages, question = random_messages(3_000, seed=9), Question()
    expected = by_the_second(messages, question)

    found = with_exact_ages(messages, question, waited_counts(messages, question)[0], at=float(age), has_youngest=False)

    assert told(age, [found]) == told(age, [expected])
    assert len(found.n) < 0.6 * len(expected.n)
