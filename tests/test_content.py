"""Texts with placeholders: how they are read, and how values are written into them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.errors import InputError
from masanalytics.planning.columns import labels_by_name
from masanalytics.planning.encoded_column import MISSING, UNFIT, EncodedColumn, encode_column, encode_content
from masanalytics.planning.templates import parse_template


def _labels(names: list[Any]) -> dict[Hashable, Hashable]:
    return labels_by_name(pd.DataFrame(columns=names))


def written(values: list[Any] | pd.Series[Any], spec: str = "") -> list[str | int]:
    """Return each value as it is written, or the code of why it is not."""
    column = values if isinstance(values, pd.Series) else pd.Series(values, dtype=object)
    field = parse_template("{列:" + spec + "}" if spec else "{列}", _labels(["列"])).fields[0]
    encoded: EncodedColumn = encode_column(column, field)
    return [encoded.dictionary.texts[code] if code >= 0 else code for code in encoded.codes.tolist()]


@pytest.mark.parametrize(
    ("text", "literals", "fields"),
    [
        ("没有占位符", ("没有占位符",), []),
        ("{姓名}您好", ("", "您好"), [("姓名", "")]),
        ("您有{积分:,d}分", ("您有", "分"), [("积分", ",d")]),
        ("{到期日:%H:%M}", ("", ""), [("到期日", "%H:%M")]),
        ("{ 姓名 }", ("", ""), [("姓名", "")]),
        ("{first name}{a.b}{x:y}", ("", "", "", ""), [("first name", ""), ("a.b", ""), ("x:y", "")]),
        ("{x:y:>5}", ("", ""), [("x:y", ">5")]),
        ("{{姓名}} {姓名}", ("{姓名} ", ""), [("姓名", "")]),
        ("}}{{", ("}{",), []),
        ("{0}", ("", ""), [(0, "")]),
    ],
)
def test_a_text_is_cut_at_its_placeholders(text: str, literals: tuple[str, ...], fields: list[tuple[Any, str]]) -> None:
    """Columns with spaces, dots, colons and Chinese names are found; doubled braces are braces."""
    template = parse_template(text, _labels(["姓名", "积分", "到期日", "first name", "a.b", "x:y", 0]))
    assert template.literals == literals
    assert [(field.column, field.spec) for field in template.fields] == fields
    assert all(field.found for field in template.fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("尊敬的{姓名", "brace stands alone at character 4"),
        ("尊敬的姓名}", "brace stands alone at character 6"),
        ("{}", "brace stands alone"),
        ("{ }", "brace stands alone"),
        ("{{姓名}", "brace stands alone at character 5"),
        ("{a{姓名}}", "brace stands alone"),
        ("｛姓名｝", r"full-width braces: write \{姓名\}"),
        ("{积分：,d}", r"full-width: write \{积分:,d\}"),
    ],
)
def test_a_text_that_is_not_well_formed(text: str, said: str) -> None:
    """A brace alone, an empty placeholder and full-width braces or colons are errors that say what to write."""
    with pytest.raises(InputError) as caught:
        parse_template(text, _labels(["姓名", "积分"]))
    assert re.search(said, caught.value.text("en"))
    assert caught.value.zh


@pytest.mark.parametrize(
    ("values", "spec", "expected"),
    [
        (["张三", " 李四\n", "李四", "欧阳 娜", "007"], "", ["张三", "李四", "李四", "欧阳 娜", "007"]),
        ([1, 2**60, np.int8(3)], "", ["1", str(2**60), "3"]),
        ([1280.0, -3.0, 0.0, 1e15], "", ["1280", "-3", "0", "1000000000000000"]),
        ([Decimal("12"), Decimal("12.00"), Decimal("1E+3")], "", ["12", "12", "1000"]),
        ([1280.0, 1280, "1280", "1,280", "1280.0", Decimal(1280)], ",d", ["1,280"] * 6),
        ([1280.0, 12.5, "0.5"], ",", ["1,280", "12.5", "0.5"]),
        ([3, 2.5, "2.50", Decimal("2.505")], ".2f", ["3.00", "2.50", "2.50", "2.50"]),
        ([0.256, "0.256"], ".1%", ["25.6%", "25.6%"]),
        (["0012", 12], "04d", ["0012", "0012"]),
        ([12], ">5", ["   12"]),
        (["ab"], ".1", ["a"]),
        (
            [pd.Timestamp("2026-01-31"), dt.date(2026, 1, 31), pd.Timestamp("2026-01-31 09:00").to_pydatetime()],
            "%m月%d日",
            ["01月31日"] * 3,
        ),
        (["2026-01-31", "2026/1/31", "2026年1月31日", "20260131", "2026-01-31 08:00:00"], "%m月%d日", ["01月31日"] * 5),
        ([dt.time(9, 30)], "%H:%M", ["09:30"]),
        ([pd.Period("2026-01", "M")], "%Y年%m月", ["2026年01月"]),
        ([np.datetime64("2026-01-31")], "%Y", ["2026"]),
    ],
)
def test_values_are_written_by_strict_rules(values: list[Any], spec: str, expected: list[str]) -> None:
    """Text as it is, whole numbers without .0, numbers and dates by Python's formats, also where a sheet has them as text."""
    assert written(values, spec) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        pd.NA,
        pd.NaT,
        "",
        "  ",
        "nan",
        "NaN",
        "NaT",
        "<NA>",
        "None",
        "null",
        "#N/A",
        Decimal("NaN"),
        "N/A",
        "n/a",
        "#NUM!",
        "#VALUE!",
        "#REF!",
        "#ref!",
        "(null)",
        "Nan",
        "none",
        "NONE",
        "NA",
        "\u200b",
        "\ufeff",
        "\u202c",
        "\u00a0",
        "\u200b\u00a0\ufeff ",
        "\u202aN/A\u202c",
    ],
)
@pytest.mark.parametrize("spec", ["", ",d", "%m月", ">3"])
def test_missing_values_are_never_written(value: object, spec: str) -> None:
    """Blank cells in all their forms are missing, whatever the format."""
    good: Any = "2026-01-31" if spec == "%m月" else "1"
    assert written([value, good], spec)[0] == MISSING


def test_what_only_looks_like_a_missing_value_is_written() -> None:
    """Markers count where they are the whole cell, not inside a name."""
    values = ["Nana", "Noneman", "N/A级", "#1", "(空)", "NULL值", "李\u200b"]
    assert written(values, "") == values
    assert encode_content(pd.Series(["\u200b\ufeff", "好"])).codes.tolist() == [MISSING, 1]


@pytest.mark.parametrize(
    ("values", "spec", "codes"),
    [
        (["1280", "待定"], ",d", [UNFIT]),
        ([12, 12.5], "d", [UNFIT]),
        (["2026-01-31", "下月"], "%m月", [UNFIT]),
        (["2026-01-31", "2026-02-31"], "%m月", [UNFIT]),
        (["2026-01-31", 46053], "%m月", [UNFIT]),
        ([1, float("inf")], "", [UNFIT]),
        ([1, float("-inf")], ".2f", [UNFIT]),
        (["好", "坏\ud83d"], "", [UNFIT]),
        (["好", ["列"]], "", [UNFIT]),
        (["好", b"x"], "", [UNFIT]),
    ],
)
def test_a_value_that_does_not_fit_leaves_its_row_out(values: list[Any], spec: str, codes: list[int]) -> None:
    """One odd cell among good ones cannot be written, and stops nobody else."""
    assert [piece for piece in written(values, spec)[1:] if piece in (UNFIT, MISSING)] == codes


@pytest.mark.parametrize(
    ("column", "spec", "said"),
    [
        (pd.Series([1.0, 0.1]), "", "holds decimals (0.1): say how to write them, such as {列:.2f}"),
        (pd.Series([Decimal("0.10")]), "", "holds decimals (0.10)"),
        (pd.Series([pd.Timestamp("2026-01-31")]), "", "such as {列:%Y年%m月%d日}"),
        (pd.Series([dt.date(2026, 1, 31)]), "", "holds dates or times"),
        (pd.Series([dt.time(9)]), "", "such as {列:%H:%M}"),
        (pd.Series([pd.Timestamp("2026-01-31")]), "yyyy-MM-dd", "holds dates or times"),
        (
            pd.Series([pd.Timedelta("1D")]),
            "",
            "holds durations (1 days 00:00:00), for which there is no format: make them a",
        ),
        (pd.Series([True, False]), "", "make it a text such as 是 / 否"),
        (pd.Series(["张三"]), ",d", "the format in {列:,d} fits no value of the column '列'; the first is '张三'"),
        (pd.Series([1, 2]), "%m月", "fits no value"),
        (pd.Series(["2026-01-31"]), "yyyy-MM-dd", "fits no value"),
        (pd.Series([pd.Timedelta("1D")]), "%H", "fits no value"),
    ],
)
def test_what_needs_a_format_is_an_error_that_says_how(column: pd.Series[Any], spec: str, said: str) -> None:
    """A decimal, date or truth value without a format, or a format that fits nothing, stops the plan with advice."""
    with pytest.raises(InputError) as caught:
        written(column, spec)
    assert said in caught.value.text("en")
    assert caught.value.zh != ""


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([5, None, 7]),
        pd.Series([5, None, 7], dtype="Int64"),
        pd.Series([5, None, 7], dtype="Float64"),
        pd.Series([5, None, 7], dtype=object),
        pd.Series([5, None, 7], dtype="int64[pyarrow]"),
        pd.Series(["5", None, "7"]),
        pd.Series(["5", None, "7"], dtype=object),
        pd.Series(["5", None, "7"], dtype="category"),
        pd.Series([5, None, 7], dtype="category"),
        pd.Series(["5", None, "7"], dtype="string[pyarrow]"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_the_dtype_of_a_value_does_not_matter(column: pd.Series[Any]) -> None:
    """Whole numbers are written alike whatever dtype a blank cell gave their column."""
    assert written(column) == ["5", MISSING, "7"]
    assert written(column, "03d") == ["005", MISSING, "007"]


def test_equal_values_of_different_kinds_stay_apart() -> None:
    """1, 1.0, "1" and True are equal or look so; the truth value is still refused, whichever comes first."""
    assert written([1, 1.0, "1"]) == ["1", "1", "1"]
    with pytest.raises(InputError):
        written([1, True])


def test_pieces_are_kept_once() -> None:
    """Values that are written alike share one piece, so that equal texts are found."""
    days = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-31", "2026-02-01"]))
    encoded = encode_column(days, parse_template("{d:%m}", _labels(["d"])).fields[0])
    assert (encoded.codes.tolist(), encoded.dictionary.texts.tolist()) == ([0, 0, 1], ["01", "02"])


def test_whole_texts_are_taken_as_they_are() -> None:
    """A column of texts is taken as it is; blanks are missing, and what is no text cannot be written."""
    encoded = encode_content(
        pd.Series(["您好{姓名}", None, " ", 5, 0.5, pd.Timestamp("2026-01-31"), "您好{姓名}"], dtype=object)
    )
    assert encoded.codes.tolist() == [0, MISSING, MISSING, 1, UNFIT, UNFIT, 0]
    assert encoded.dictionary.texts.tolist() == ["您好{姓名}", "5"]


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(allow_nan=True, allow_infinity=False)))
)
def test_any_column_is_written_or_refused(values: list[Any]) -> None:
    """Every value is written as Python writes it, or its row or the whole column is refused; nothing else happens."""
    try:
        result = written(values)
    except InputError:
        assert any(isinstance(value, float) and value == value and not value.is_integer() for value in values)
        return
    for value, piece in zip(values, result, strict=True):
        if isinstance(piece, str):
            assert piece == (str(int(value)) if isinstance(value, float) else str(value).strip())
        else:
            assert not isinstance(value, int)
