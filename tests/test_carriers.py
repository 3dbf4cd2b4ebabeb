"""Carrier, province and city by number prefix."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import carrier

from masanalytics.carriers import carrier_codes, carriers_of, load_regions, place_names, region_codes
from masanalytics.errors import InputError
from masanalytics.vocabulary import CARRIERS
from tests.examples import examples


def test_one_number_of_each_carrier() -> None:
    """Each carrier's prefixes are known, and what has no number is unknown."""
    phones = pd.Series(
        ["13800138000", "+86 13000000000", "18900000000", 19200000000, "16400000000", None, "010-66668888"]
    )
    assert list(carriers_of(phones)) == [
        "China Mobile", "China Unicom", "China Telecom", "China Broadnet", "unknown", "unknown", "unknown",
    ]  # fmt: skip
    assert list(carriers_of([]).categories) == list(CARRIERS)


def test_prefixes_agree_with_libphonenumber() -> None:
    """Wherever libphonenumber knows the carrier of a four-digit prefix, the table says the same."""
    numbers = [prefix * 10**7 + 1_234_567 for prefix in range(1300, 2000)]
    names = [carrier.name_for_number(phonenumbers.parse(str(number), "CN"), "en") for number in numbers]
    known = ["China Broadnet" if name == "CBN" else name for name in names]  # as its data of 2025 calls it
    ours = [CARRIERS[code] for code in carrier_codes(np.array(numbers))]
    assert sum(map(bool, known)) >= 500
    assert [(number, own) for number, own, name in zip(numbers, ours, known, strict=True) if name and own != name] == []


def places(numbers: list[int], path: Path | None = None) -> list[tuple[str, str]]:
    """Return province and city of numbers; "-" where there is none."""
    regions = load_regions(path)
    codes = region_codes(np.array(numbers), regions)
    named = [pd.Series(place_names(codes, regions.places, part)).astype(object).fillna("-") for part in (0, 1)]
    return list(zip(*named, strict=True))


def test_region_of_known_blocks() -> None:
    """Province and city come from the installed data; a block it does not have, and no number, are missing."""
    found = places([13_800_138_000, 13_500_000_000, 15_400_000_000, 0])
    assert found == [("北京", "北京"), ("广东", "广州"), ("-", "-"), ("-", "-")]


def test_regions_are_missing_without_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra every region is missing, which is no error."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert places([13_800_138_000]) == [("-", "-")]


def test_a_newer_file_can_be_used(tmp_path: Path) -> None:
    """A data file given by the user is used instead of the installed one; what is no such file is refused."""
    record = "北京|北京|100000|010\0".encode()
    header = b"2602" + (8 + len(record)).to_bytes(4, "little")
    entry = (1541234).to_bytes(4, "little") + (8).to_bytes(4, "little") + b"\x01"
    path = tmp_path / "phone.dat"
    path.write_bytes(header + record + entry)
    assert places([15_412_345_678], path) == [("北京", "北京")]
    assert load_regions(path).version == "2602"
    (tmp_path / "not.dat").write_bytes(b"no")
    with pytest.raises(InputError, match="not a number-prefix data file"):
        load_regions(tmp_path / "not.dat")
    with pytest.raises(InputError):
        load_regions(tmp_path / "missing.dat")


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(st.lists(st.one_of(st.text(max_size=14), st.integers(13 * 10**9, 2 * 10**10 - 1), st.none())))
def test_every_number_has_a_carrier_of_the_list(phones: list[object]) -> None:
    """Whatever is asked, there is one answer for each, from the list of carriers."""
    answers = carriers_of(phones)
    assert len(answers) == len(phones)
    assert set(answers) <= set(CARRIERS)
