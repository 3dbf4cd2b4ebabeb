"""How many parts a text is billed as."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics.segments import bracketed, count_segments, segments_of, segments_of_units, split_segments, utf16_units
from tests.examples import examples


@pytest.mark.parametrize(
    ("text", "signature", "parts"),
    [
        ("", "", 0),
        ("", "示例", 1),
        ("a", "", 1),
        ("一" * 70, "", 1),
        ("一" * 71, "", 2),
        ("一" * 134, "", 2),
        ("一" * 135, "", 3),
        ("a" * 160, "", 3),
        ("😀" * 35, "", 1),
        ("😀" * 36, "", 2),
        ("一" * 66 + "😀" * 34, "", 3),
        ("一" * 64, "示例公司", 1),
        ("一" * 65, "示例公司", 2),
        ("一" * 65, "【示例公司】", 2),
        ("\n" * 71, "", 2),
        ("1" * 150, "", 3),
    ],
)
def test_parts_of_known_texts(text: str, signature: str, parts: int) -> None:
    """70 units alone, 67 in each of several; the signature counts; a character of two units is never cut."""
    assert count_segments(text, signature) == parts
    assert segments_of([text], signature).tolist() == [parts]


def test_a_pair_moves_to_the_next_part_whole() -> None:
    """66 units and a pair: the pair opens the second part."""
    parts = split_segments("一" * 66 + "😀" + "二" * 10)
    assert parts == ["一" * 66, "😀" + "二" * 10]


@settings(max_examples=examples(500))
@given(st.text(alphabet=st.sampled_from("一二ab \n😀𠮷"), max_size=300))
def test_parts_hold_the_text_and_no_part_is_too_long(text: str) -> None:
    """The parts joined are the text; each is as full as it can be, and their number is what is counted."""
    parts = split_segments(text)
    assert "".join(parts) == text
    assert len(parts) == count_segments(text)
    units = [len(part.encode("utf-16-le")) // 2 for part in parts]
    assert all(size <= (70 if len(parts) == 1 else 67) for size in units)
    for size, following in zip(units, parts[1:], strict=False):
        assert size + len(following[0].encode("utf-16-le")) // 2 > 67


@settings(max_examples=examples(200))
@given(st.lists(st.text(max_size=150), max_size=20), st.sampled_from(["", "示例", "😀"]))
def test_many_at_once_as_one_by_one(texts: list[str], signature: str) -> None:
    """Counting many texts at once is counting each."""
    assert segments_of(texts, signature).tolist() == [count_segments(text, signature) for text in texts]


def test_half_a_pair_counts_as_one_unit() -> None:
    """A broken character is counted, not a crash."""
    assert utf16_units("\ud83d") == 1
    assert segments_of_units(np.array([1])).tolist() == [1]


def test_brackets_are_added_once() -> None:
    """A signature gets its brackets unless it has them."""
    assert [bracketed(text) for text in ("示例", "【示例】", " 示例 ", " ")] == ["【示例】", "【示例】", "【示例】", ""]
