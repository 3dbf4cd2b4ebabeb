"""Random histories of collecting, judged by what the platform knows (see `tests.histories.collecting`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from tests.histories.collecting import play

# The whole measure is MAS_COLLECTING_HISTORIES=1000; MAS_COLLECTING_HISTORIES_FIRST begins with another seed.
HISTORIES = int(os.environ.get("MAS_COLLECTING_HISTORIES", "12"))
QUICK = 1
FIRST = int(os.environ.get("MAS_COLLECTING_HISTORIES_FIRST", "0"))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Histories go wrong on purpose: what is logged about it would fill the screen."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(FIRST + number, marks=[pytest.mark.slow] if number >= QUICK else []) for number in range(HISTORIES)],
)
def test_nothing_handed_out_is_gone_and_no_number_excludes_the_truth(seed: int) -> None:
    """Answers cut and lost, clocks hours off, two stores, full disks, killed processes: in a store, or in a known hole."""
    assert play(seed) == []


def test_a_fault_put_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that finds nothing proves nothing: here a store that forgets what is missing."""
    monkeypatch.setattr("masanalytics.store.holes.note", lambda *_, **__: None)
    found = next((one for one in map(play, range(8)) if one), [])

    assert {line.partition(":")[0] for line in found[:-1]} & {"gone", "silent"}
