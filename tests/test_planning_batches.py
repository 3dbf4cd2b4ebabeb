"""The fewest requests that are correct."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics.errors import InputError
from masanalytics.planning.batching import Cut, Limits, cut_contents, cut_templates, interleave
from masanalytics.vocabulary import MODES
from tests.examples import examples


def cut(sizes: list[int], limits: Limits | None = None) -> list[tuple[str, int]]:
    """Return (mode, size) of each request for texts that go to so many different people."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    people = np.arange(len(groups))
    result = cut_contents(people, groups, people, limits or Limits())
    assert sorted(result.order.tolist()) == people.tolist()
    return [(MODES[mode], size) for mode, size in zip(result.modes, np.diff(result.starts).tolist(), strict=True)]


@pytest.mark.parametrize(
    ("sizes", "requests"),
    [
        ([1], [("one_to_one", 1)]),
        ([7], [("many_to_one", 7)]),
        ([4999], [("many_to_one", 4999)]),
        ([5000], [("many_to_one", 4999), ("one_to_one", 1)]),
        ([20_000], [("many_to_one", 4999)] * 4 + [("many_to_one", 4)]),
        ([3000, 3000, 3000], [("many_to_one", 3000)] * 3),
        ([1, 1], [("many_to_many", 2)]),
        ([1] * 999, [("many_to_many", 999)]),
        ([1] * 1000, [("many_to_many", 999), ("one_to_one", 1)]),
        ([500, 499], [("many_to_many", 999)]),
        ([500, 500], [("many_to_one", 500), ("many_to_one", 500)]),
        ([5399, 500], [("many_to_one", 4999), ("many_to_many", 900)]),
        ([4000, 1, 1, 1], [("many_to_one", 4000), ("many_to_many", 3)]),
        ([], []),
    ],
)
def test_requests_of_known_plans(sizes: list[int], requests: list[tuple[str, int]]) -> None:
    """Same text: up to 4,999 a request; different texts: up to 999; whichever needs fewer, and one number on its own."""
    assert cut(sizes) == requests


def test_twenty_thousand_different_texts_are_twenty_one_requests() -> None:
    """20,000 rows with a text each: 21 requests."""
    assert len(cut([1] * 20_000)) == 21


def fewest(sizes: list[int], limits: Limits) -> int:
    """Try every choice of texts that have requests of their own (full requests always do), and count."""
    full = sum(size // limits.many_to_one for size in sizes)
    rests = [size % limits.many_to_one for size in sizes if size % limits.many_to_one]
    best = []
    for count in range(len(rests) + 1):
        for own in combinations(range(len(rests)), count):
            pooled = sum(rest for index, rest in enumerate(rests) if index not in own)
            best.append(full + count + -(-pooled // limits.many_to_many))
    return min(best)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(1, 12), st.integers(1, 9))
def test_no_choice_needs_fewer_requests(sizes: list[int], many_to_one: int, many_to_many: int) -> None:
    """The number of requests is the smallest of all ways to divide texts, and no request is too large."""
    limits = Limits(many_to_one, many_to_many)
    requests = cut(sizes, limits)
    assert len(requests) == fewest(sizes, limits)
    assert all(size <= (many_to_many if mode == "many_to_many" else many_to_one) for mode, size in requests)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), unique=True, max_size=24), st.integers(1, 5))
def test_a_number_stands_in_a_request_once(pairs: list[tuple[int, int]], most: int) -> None:
    """However often a number gets a different text, no request holds it twice, and as few more requests as that needs are made."""
    numbers = np.array([number for number, _ in pairs], dtype=np.int64)
    texts = np.array([text for _, text in pairs], dtype=np.int64)
    result = cut_contents(
        np.arange(len(pairs)), np.unique(texts, return_inverse=True)[1], numbers, Limits(many_to_many=most)
    )
    assert sorted(result.order.tolist()) == list(range(len(pairs)))
    for request, mode in enumerate(result.modes):
        inside = result.order[result.starts[request] : result.starts[request + 1]]
        assert len(set(numbers[inside].tolist())) == len(inside) > 0
        if MODES[mode] != "many_to_many":
            assert len(set(texts[inside].tolist())) == 1
        else:
            assert len(inside) <= most


def test_requests_keep_the_order_of_the_rows() -> None:
    """Requests come in the order of the first row each holds."""
    result = cut_contents(
        np.arange(6), np.array([0, 1, 1, 1, 2, 1]), np.arange(6), Limits(many_to_one=4, many_to_many=2)
    )
    assert [result.order[start] for start in result.starts[:-1]] == [0, 1]
    assert result.order.tolist() == [0, 4, 1, 2, 3, 5]


def test_templates_are_grouped_and_cut_below_five_thousand() -> None:
    """Equal parameters share requests of fewer than 5,000 numbers."""
    result = cut_templates(np.arange(5002), np.repeat([0, 1], [5000, 2]), Limits())
    assert np.diff(result.starts).tolist() == [4999, 1, 2]
    assert {MODES[mode] for mode in result.modes} == {"template"}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_arms_alternate(counts: list[int]) -> None:
    """At any moment each arm has sent its share of requests, up to one."""
    cuts = [Cut(np.arange(count), np.arange(count + 1), np.zeros(count, dtype=np.int8)) for count in counts]
    result, arms = interleave(cuts)
    assert np.bincount(arms, minlength=len(counts)).tolist() == counts
    for sent in range(1, len(arms) + 1):
        for arm, count in enumerate(counts):
            so_far = int((arms[:sent] == arm).sum())
            assert abs(so_far - count * sent / len(arms)) <= max(1, len(counts) / 2)
    assert np.diff(result.starts).tolist() == [1] * sum(counts)


@pytest.mark.parametrize(
    "bad", [{"many_to_one": 0}, {"many_to_one": 5001}, {"many_to_many": 1001}, {"requests_per_second": 0}]
)
def test_limits_of_the_platform_hold(bad: dict[str, int]) -> None:
    """Requests cannot be made larger than the platform takes."""
    with pytest.raises(InputError):
        Limits(**bad)
