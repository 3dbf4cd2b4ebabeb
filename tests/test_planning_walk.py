"""How a row walks through the modules of the package while it is planned."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.planning import plan

PACKAGE = Path(mas.__file__).parent
WORDS = {"i18n", "errors", "text", "near_names"}


def rooms_of(**arguments: Any) -> list[str]:
    """Return the modules whose functions `plan` enters for two rows, in order; the store is one, sentences are left out."""
    frame = pd.DataFrame(
        {
            "手机号": ["13800138000", "13900139000"],
            "姓名": ["张三", "李四"],
            "积分": [1280.0, 50.0],
            "文案": ["您好", "再见"],
        }
    )
    plan(frame, phone="手机号", campaign="c", **arguments)
    rooms: list[str] = []

    def look(entered: FrameType, event: str, _argument: object) -> None:
        file = Path(entered.f_code.co_filename)
        function = not entered.f_code.co_name.startswith("<")  # a comprehension is none
        if event == "call" and function and file.is_relative_to(PACKAGE):
            room = file.relative_to(PACKAGE).with_suffix("").as_posix()
            room = "store" if room.startswith("store/") else room
            if room not in WORDS and room != (rooms[-1] if rooms else None):
                rooms.append(room)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        plan(frame, phone="手机号", campaign="c", **arguments)
    finally:
        sys.setprofile(before)
    return rooms


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "尊敬的{姓名}，您有{积分:,d}分"},
        {"content": "文案"},
        {"template_id": "t", "params": ["姓名"]},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_row_walks_straight_through_the_plan(arguments: dict[str, Any]) -> None:
    """A module that was left is entered again at most eight times, with a store that is asked twice."""
    with mas.Store(":memory:") as store:
        rooms = rooms_of(store=store, signature="示例", **arguments)
    assert rooms[0] == "planning/_plan"
    assert len(rooms) - len(set(rooms)) <= 8, " ".join(rooms)
