"""Numbers as they come in sheets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics import phones
from masanalytics.phones import REASONS, normalise_phones, parse_phones
from tests.examples import examples

NUMBERS = st.from_regex(r"\A1[3-9][0-9]{9}\Z")


def outcome(cell: object) -> str:
    """Return the number of one cell, or the reason why it has none."""
    row = normalise_phones(pd.Series([cell], dtype=object)).iloc[0]
    assert pd.isna(row["phone"]) != pd.isna(row["reason"])
    return str(row["reason"] if pd.isna(row["phone"]) else row["phone"])


@pytest.mark.parametrize(
    "cell",
    [
        "13800138000",
        13800138000,
        13800138000.0,
        np.int64(13800138000),
        np.float64(13800138000),
        Decimal("13800138000"),
        Decimal("13800138000.00"),
        b"13800138000",
        "13800138000.0",
        "13800138000.",
        " 13800138000 ",
        "\t13800138000\r\n",
        "+8613800138000",
        "+86 138 0013 8000",
        "+86-138-0013-8000",
        "(+86)13800138000",
        "+86 (138) 0013-8000",
        "8613800138000",
        "86 13800138000",
        "008613800138000",
        "0086 138 0013 8000",
        "138-0013-8000",
        "138 0013 8000",
        "138.0013.8000",
        "1380013 8000",
        "1 3 8 0 0 1 3 8 0 0 0",
        "138—0013—8000",
        "１３８００１３８０００",
        "＋８６　１３８００１３８０００",
        "'13800138000",
        "‘13800138000’",
        '="13800138000"',
        "\u202d13800138000\u202c",
        "\u202a+86 138 0013 8000\u202c",
        "\ufeff13800138000",
        "138\u200b0013\u200b8000",
        "138\u00a00013\u00a08000",
        "13,800,138,000",
        "13,800,138,000.00",
        "13800138000,",
        "013800138000",
        "1795113800138000",
        "1.3800138000E+10",
        "1.3800138000e10",
        "8.613800138000E+12",
        "手机：13800138000",
        "联系电话 13800138000",
        "Tel: 13800138000",
    ],
)
def test_one_number_in_many_forms(cell: object) -> None:
    """Every way in which an office writes one number gives that number."""
    assert outcome(cell) == "13800138000"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "empty_number"),
        (float("nan"), "empty_number"),
        (pd.NA, "empty_number"),
        (pd.NaT, "empty_number"),
        ("", "empty_number"),
        (" \u3000", "empty_number"),
        ("-", "empty_number"),
        ("无", "empty_number"),
        ("nan", "empty_number"),
        ("#N/A", "empty_number"),
        ("1.38001E+10", "lossy_scientific"),
        ("1.38E+10", "lossy_scientific"),
        ("1.3800138E+10", "lossy_scientific"),
        ("１.38001Ｅ+10", "lossy_scientific"),
        ("8.61380E+12", "lossy_scientific"),
        (Decimal("1.38001E+10"), "lossy_scientific"),
        (np.float32(13800138000), "lossy_scientific"),
        ("13800138000/13900139000", "two_numbers"),
        ("13800138000 13900139000", "two_numbers"),
        ("13800138000、13900139000", "two_numbers"),
        ("13800138000\n13900139000", "two_numbers"),
        ("13800138000或13900139000", "two_numbers"),
        ("1380013800013900139000", "two_numbers"),
        ("13800138000;010-66668888", "two_numbers"),
        ("+86 138 0013 8000, +86 139 0013 9000", "two_numbers"),
        ("010-66668888", "landline"),
        ("01066668888", "landline"),
        ("(010) 66668888", "landline"),
        ("+86 10 6666 8888", "landline"),
        ("057188888888", "landline"),
        ("0571-88888888-8001", "landline"),
        ("010-66668888转8001", "landline"),
        ("66668888", "landline"),
        (1066668888, "landline"),
        (57188888888.0, "landline"),
        ("400-800-1234", "landline"),
        ("8008101234", "landline"),
        ("+85291234567", "foreign"),
        ("0085291234567", "foreign"),
        (85291234567, "foreign"),
        ("+1 415 555 2671", "foreign"),
        ("1-415-555-2671", "foreign"),
        ("1 415 555 2671", "foreign"),
        ("+44 20 7946 0958", "foreign"),
        ("+886 912 345 678", "foreign"),
        ("1380013800", "invalid_number"),
        ("138001380000", "invalid_number"),
        ("+861380013800", "invalid_number"),
        ("12800138000", "invalid_number"),
        ("23800138000", "invalid_number"),
        ("1380013800O", "invalid_number"),
        ("138****8000", "invalid_number"),
        ("-13800138000", "invalid_number"),
        (-13800138000, "invalid_number"),
        ("1380013800.0", "invalid_number"),
        (13800138000.5, "invalid_number"),
        ("13800138000.5", "invalid_number"),
        (float("inf"), "invalid_number"),
        ("1.3800138000E-10", "invalid_number"),
        ("95588", "invalid_number"),
        ("10086", "invalid_number"),
        ("张三", "invalid_number"),
        ("张三13800138000", "invalid_number"),
        ("13800138000勿扰", "invalid_number"),
        ("2026-01-31", "invalid_number"),
        (pd.Timestamp("2026-01-31"), "invalid_number"),
        (True, "invalid_number"),
    ],
)
def test_what_is_refused(cell: object, reason: str) -> None:
    """What is not one mainland mobile number for certain is refused, with its reason."""
    assert outcome(cell) == reason


WHOLE = [13800138000, 18612345678, 8613912345678, 1066668888, 10086, 1380013800, 138001380000, 0, -13800138000, 10**15]
WANTED = [
    "13800138000", "18612345678", "13912345678", "landline", "invalid_number", "invalid_number", "invalid_number",
    "invalid_number", "invalid_number", "invalid_number",
]  # fmt: skip


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(WHOLE, dtype="int64"),
        pd.Series(WHOLE, dtype="Int64"),
        pd.Series(WHOLE, dtype="float64"),
        pd.Series(WHOLE, dtype="Float64"),
        pd.Series(WHOLE, dtype=object),
        pd.Series(list(map(float, WHOLE)), dtype=object),
        pd.Series(list(map(str, WHOLE)), dtype="str"),
        pd.Series([f"{number}.0" for number in WHOLE], dtype="str"),
        pd.Series(list(map(str, WHOLE)), dtype="string[python]"),
        pd.Series(list(map(str, WHOLE)), dtype=object),
        pd.Series(list(map(str, WHOLE)), dtype="category"),
        pd.Series(WHOLE, dtype="category"),
        pd.Series(WHOLE, dtype="int64[pyarrow]"),
        pd.Series(WHOLE, dtype="double[pyarrow]"),
        pd.Series(list(map(str, WHOLE)), dtype="string[pyarrow]"),
        pd.Series([str(number) if i % 2 else number for i, number in enumerate(WHOLE)], dtype=object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_the_dtype_does_not_matter(column: pd.Series[Any]) -> None:
    """A column gives the same result whatever dtype pandas chose for it, with and without a blank cell."""
    result = normalise_phones(column)
    assert result["phone"].fillna(result["reason"]).tolist() == WANTED
    blank = normalise_phones(column.reindex([0, 1, 99]))
    assert blank["phone"].fillna(blank["reason"]).tolist() == ["13800138000", "18612345678", "empty_number"]


@pytest.mark.parametrize(
    ("column", "reasons"),
    [
        (pd.Series([pd.Timestamp("2026-01-31"), pd.NaT]), ["invalid_number", "empty_number"]),
        (pd.Series([True, False]), ["invalid_number", "invalid_number"]),
        (pd.Series([1j]), ["invalid_number"]),
        (pd.Series([13800138000], dtype="float32"), ["lossy_scientific"]),
        (pd.Series([2**64 - 1], dtype="uint64"), ["invalid_number"]),
        (pd.Series([None, None], dtype=object), ["empty_number", "empty_number"]),
        (pd.Series([np.nan]), ["empty_number"]),
        (pd.Series([], dtype=object), []),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_columns_that_hold_no_numbers(column: pd.Series[Any], reasons: list[str]) -> None:
    """A column of dates, truth values or nothing is refused cell by cell, not with a crash."""
    result = normalise_phones(column)
    assert result["reason"].tolist() == reasons
    assert result["phone"].isna().all()


def test_the_result_keeps_the_index_and_leaves_the_column_alone() -> None:
    """The frame has the column's own labels, and the column is as it was."""
    column = pd.Series(["13800138000", "x"], index=pd.Index(["a", "a"], name="row"))
    before = column.copy(deep=True)
    expected = pd.DataFrame(
        {"phone": ["13800138000", None], "reason": [None, "invalid_number"]}, index=column.index, dtype="str"
    )
    pd.testing.assert_frame_equal(normalise_phones(column), expected)
    pd.testing.assert_series_equal(column, before)


def test_level_valid_leaves_out_data_cards() -> None:
    """At level "valid" a number of a data card is refused, at level "sendable" it is not."""
    column = pd.Series(["14600000000", "13800138000"])
    assert normalise_phones(column, "valid")["reason"].fillna("").tolist() == ["invalid_number", ""]
    assert normalise_phones(column)["reason"].isna().all()
    with pytest.raises(ValueError, match="level="):
        normalise_phones(column, "strict")  # type: ignore[arg-type]


def valid(number: str) -> bool:
    """Ask libphonenumber; what it cannot read (17900… is a dialling prefix) is not valid."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, "CN"))
    except phonenumbers.NumberParseException:
        return False


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(NUMBERS)
def test_valid_means_what_libphonenumber_means(number: str) -> None:
    """At level "valid" a plain number is taken exactly where libphonenumber calls it valid."""
    assert (parse_phones(pd.Series([number]), "valid")[0][0] > 0) == valid(number)


@settings(max_examples=examples(200))
@given(
    NUMBERS.filter(valid),
    st.sampled_from(["", "+86", "86", "0086", "+86 ", "86-", "0086 "]),
    st.sampled_from(["", " ", "-"]),
    st.sampled_from(["", "\u202a", "'", " "]),
    st.booleans(),
)
def test_decorated_numbers_are_read_as_libphonenumber_reads_them(
    number: str, code: str, mark: str, front: str, wide: bool
) -> None:
    """A number with country code, separators, invisible characters and full-width digits is the one libphonenumber finds."""
    text = f"{front}{code}{number[:3]}{mark}{number[3:7]}{mark}{number[7:]}"
    if wide:
        text = text.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)})
    parsed = phonenumbers.parse(text.replace("'", ""), "CN")
    assert outcome(text) == str(parsed.national_number) == number


CELLS = st.one_of(
    st.none(),
    st.text(alphabet="0123456789+- ./,Ee'\n\u202c８１３", max_size=26),
    st.from_regex(r"\A[ '+]{0,2}(?:86|0086|0)?[- ]?1[0-9 -]{8,16}(?:\.0)?\Z"),
    st.text(max_size=12),
    st.floats(),
    st.integers(),
    NUMBERS,
)


@settings(max_examples=examples(400))
@given(st.lists(CELLS, max_size=12))
def test_every_cell_ends_one_way_or_the_other(cells: list[object]) -> None:
    """Whatever a cell holds, it is one eleven-digit number or has one known reason, alone as among others."""
    numbers, reasons = parse_phones(pd.Series(cells, dtype=object))
    for number, reason, cell in zip(numbers.tolist(), reasons.tolist(), cells, strict=True):
        assert (number == 0) == (reason >= 0)
        assert number == 0 or 13_000_000_000 <= number < 20_000_000_000
        assert reason == -1 or REASONS[reason] in REASONS[:6]
        alone = parse_phones(pd.Series([cell], dtype=object))
        assert (alone[0][0], alone[1][0]) == (number, reason)
        # The quick road for many cells at once and the slow one for each say the same.
        slow, why = phones._read(phones.cell_text(cell) or "")
        assert (int(slow or 0), why) == (number, REASONS[reason] if reason >= 0 else "")


@settings(max_examples=examples(300))
@given(st.text(alphabet="0123456789+- ()", max_size=20))
def test_no_digit_is_ever_dropped_or_made_up(text: str) -> None:
    """A number that is read is the end of the digits in the cell; before it stands a country code, a 0 or a dial-in code."""
    number, _ = parse_phones(pd.Series([text]))
    if number[0]:
        digits = "".join(filter(str.isdigit, text))
        assert digits[-11:] == str(number[0])
        assert digits[:-11] in {"", "0", "86", "0086", "860", "00860", "17951", "17911", "17909", "12593"} | {
            f"{code}{dial}" for code in ("86", "0086") for dial in ("17951", "17911", "17909", "12593")
        }
