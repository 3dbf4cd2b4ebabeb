"""A Store is read some numbers at a time: the same as of all its messages at once, and never many of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import as_source
from masanalytics.store import number_parts, sql_count
from tests.random_messages import fill, random_messages

NUMBERS, SIZE, AT_ONCE = 60, 600, 50

pytestmark = pytest.mark.slow  # every function that is asked in parts, on stores and lists of them

ASKED: dict[str, Callable[[Any, pd.DataFrame], pd.DataFrame]] = {
    "fatigue": lambda data, said: mas.fatigue(data, "5d", max=4, uplinks=said),
    "fatigue of a campaign": lambda data, said: mas.fatigue(data, "5d", uplinks=said, campaign="c"),
    "fatigue of some hours": lambda data, said: mas.fatigue(
        data, "5d", uplinks=said, hour=[3, 4, 5], carrier="China Mobile"
    ),
    "suppression": lambda data, _: mas.suppression_value(data, 0.05),
    "suppression by all": lambda data, _: mas.suppression_value(
        data, 0.05, ["verdict", "last_category", "failed_in_a_row", "months_since_alive"]
    ),
    "suppression of some hours": lambda data, _: mas.suppression_value(data, 0.05, hour=[3, 4, 5, 6]),
    "suppression since": lambda data, _: mas.suppression_value(data, 0.05, since="2025-12-20"),
}


def to_few(size: int, seed: int) -> pd.DataFrame:
    """Return messages to sixty numbers in turn, one of them the name of somebody forgotten."""
    row = np.arange(size)
    phone = pd.Series([f"138{one:08d}" for one in row % NUMBERS], dtype="str").replace("13800000007", "138~kqz")
    return random_messages(size, seed=seed).assign(arm=[f"arm {one}" for one in row // NUMBERS], phone=phone)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[mas.Store, pd.DataFrame]]:
    """A store of ten messages to each of sixty numbers, one of them the name of somebody forgotten; and replies to some."""
    row = np.arange(SIZE)
    messages = random_messages(SIZE, seed=4).assign(arm=[f"arm {one}" for one in row // NUMBERS])
    messages["phone"] = pd.Series([f"138{one:08d}" for one in row % NUMBERS], dtype="str").replace(
        "13800000007", "138~kqz"
    )
    path: Path = tmp_path_factory.mktemp("parts") / "messages.db"
    with mas.Store(path) as store:
        fill(store, messages)
        kept = store.messages()
        heard = kept[kept["status"] == "delivered"].iloc[::6]
        said = pd.DataFrame(
            {
                "message_id": heard["message_id"], "phone": heard["phone"], "content": "T",
                "sent_at": heard["submitted_at"] + pd.Timedelta("1h"),
                "opt_out": [None if number % 3 == 0 else "opt_out" for number in range(len(heard))],
            }
        )  # fmt: skip
        yield store, said


@pytest.mark.parametrize("question", ASKED)
def test_parts_add_up_to_all(
    filled: tuple[mas.Store, pd.DataFrame], question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve parts of the numbers, the messages of none of which are there with those of another."""
    store, said = filled
    read: list[int] = []
    rows = sql_count._rows

    def spied(*args: Any, **options: Any) -> pd.DataFrame:
        found = rows(*args, **options)
        read.append(len(found))
        return found

    wanted = ASKED[question](store.messages(), said)
    monkeypatch.setattr(number_parts, "_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(sql_count, "_rows", spied)
    found = ASKED[question](store, said)

    pd.testing.assert_frame_equal(found, wanted)
    assert len(found) > 1
    assert mas.notes_of(found) == mas.notes_of(wanted)
    assert max(read) <= len(said) + AT_ONCE  # the answered messages are read at once


def test_a_number_with_more_messages_than_a_part_is_whole(
    filled: tuple[mas.Store, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three messages are a part, ten are a number's: each number is a part of its own."""
    store, said = filled
    wanted = ASKED["fatigue"](store, said)
    monkeypatch.setattr(number_parts, "_AT_ONCE", 3)

    pd.testing.assert_frame_equal(ASKED["fatigue"](store, said), wanted)


@pytest.mark.parametrize(
    "question", ["fatigue", "fatigue of a campaign", "suppression by all", "suppression of some hours"]
)
def test_several_stores_are_cut_at_the_same_numbers(
    tmp_path: Path, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stores that write to the same people: what both sent to one of them is looked at together."""
    with mas.Store(tmp_path / "0.db") as first, mas.Store(tmp_path / "1.db") as second:
        for number, store in enumerate((first, second)):
            fill(store, to_few(300 + 120 * number, seed=number))
        kept: Any = as_source([first, second])
        every = kept.message_rows(kept.message_columns(), where=Filters())
        heard = every[every["status"] == "delivered"].iloc[::6]
        said = heard[["message_id", "phone"]].assign(
            content="T", opt_out="opt_out", sent_at=heard["submitted_at"] + pd.Timedelta("1h")
        )
        wanted = ASKED[question](every, said)
        monkeypatch.setattr(number_parts, "_AT_ONCE", AT_ONCE)
        assert len(kept.number_bounds(Filters())) > 5

        pd.testing.assert_frame_equal(ASKED[question]([first, second], said), wanted, check_dtype=False)


def test_an_empty_store_is_one_part(store: mas.Store) -> None:
    assert len(mas.fatigue(store)) == 0
    assert len(mas.suppression_value(store, 1)) == 0
