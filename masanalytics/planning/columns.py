"""The user's frame: its columns found by name, once, and handed on as Series."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Table
from masanalytics.errors import InputError, missing_columns
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.phones import cell_text
from masanalytics.planning.value_formats import has_lost_digits
from masanalytics.sheets.receipt import receipt_of

__all__ = ["as_frame", "cell_texts", "check_names", "labels_by_name", "take_columns", "whole_texts"]


_OTHER_SEPARATORS: Final = (",", "\t", ";", "|", "，", "；", "、", "｜", ":", "：", "^", "#", "~", " ")
_MORE_THAN_WHOLE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]00:00:00|(\d+)\.0")
"""A day with a midnight, and a whole number as pandas writes it as text where the column has a blank."""
_EXACT_BELOW: Final = 2**53  # beyond, neighbouring whole numbers are the same float


def as_frame(df: Table) -> pd.DataFrame:
    """Return a pandas DataFrame for whatever frame was handed in; a pandas one as it is, never changed.

    Parameters
    ----------
    df : DataFrame
        A pandas or polars DataFrame, a polars LazyFrame, or any other eager frame that narwhals knows.

    Raises
    ------
    InputError
        If it is no frame.
    """
    if isinstance(df, pd.DataFrame):
        return df
    import narwhals as nw

    try:
        frame = nw.from_native(df)
    except TypeError as error:
        raise InputError(
            "a DataFrame is needed, this is a {kind}; a file is read with mas.read_sheet(path)", kind=type(df).__name__
        ) from error
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    try:
        return eager.to_pandas()
    except ImportError:  # polars hands over through pyarrow, which is an extra
        return pd.DataFrame({name: pd.Series(eager[name].to_list(), dtype=object) for name in eager.columns})


def check_names(**names: object) -> None:
    """Raise where an argument that names a column is something else, such as the column itself.

    Parameters
    ----------
    **names
        What was given, by the argument's name; None for what was not.

    Examples
    --------
    >>> try:
    ...     check_names(phone=pd.Series(["13800138000"]))
    ... except InputError as error:
    ...     print(error.text("en"))
    phone= is a Series of 1 row: it must name the column that holds the numbers, such as phone='手机号'
    """
    for argument, name in names.items():
        if isinstance(name, Hashable) and not (name is pd.NA or name is pd.NaT):
            continue
        what = Text("the column that holds the numbers") if argument == "phone" else Text("a column")
        if not isinstance(name, Sized):
            raise InputError(
                "{argument}={value!r}: it must name {what}, such as {argument}='手机号'",
                argument=argument,
                value=name,
                what=what,
            )
        raise InputError(
            "{argument}= is a {kind} of {count:,} row: it must name {what}, such as {argument}='手机号'",
            "{argument}= is a {kind} of {count:,} rows: it must name {what}, such as {argument}='手机号'",
            argument=argument,
            kind=type(name).__name__,
            count=len(name),
            what=what,
        )


def labels_by_name(frame: pd.DataFrame) -> dict[Hashable, Hashable]:
    """Return the label of each column under every name it goes by: the label itself, and the label written as text.

    Examples
    --------
    >>> labels_by_name(pd.DataFrame(columns=["手机号", 0]))
    {'0': 0, '手机号': '手机号', 0: 0}
    """
    labels = list(frame.columns)
    return {**{str(label): label for label in reversed(labels)}, **{label: label for label in labels}}


def take_columns(
    frame: pd.DataFrame, labels: Mapping[Hashable, Hashable], names: Iterable[Hashable]
) -> dict[Hashable, pd.Series[Any]]:
    """Return the columns that `names` mean, each under its name.

    Parameters
    ----------
    frame : DataFrame
        The user's frame.
    labels : mapping
        What `labels_by_name` returned for it.
    names : iterable of hashable
        Labels, or labels written as text.

    Raises
    ------
    InputError
        Naming every column that is missing, or there twice.

    Examples
    --------
    >>> sheet = pd.DataFrame(columns=["手机号码", "姓名"])
    >>> try:
    ...     take_columns(sheet, labels_by_name(sheet), ["手机号", "姓名", "积分"])
    ... except InputError as error:
    ...     print(error.text("en"))
    no column '手机号' (did you mean '手机号码'?) and no column '积分' in the sheet; its columns are: '手机号码', '姓名'
    """
    wanted = list(dict.fromkeys(names))
    missing = missing_columns([name for name in wanted if name not in labels], frame.columns, frame=Text("the sheet"))
    receipt = receipt_of(frame)
    if missing is not None:
        absent = [name for name in wanted if name not in labels]
        hint = None if receipt is None else _where_it_may_be(absent, receipt, list(frame.columns))
        raise missing if hint is None else InputError("{missing}. {hint}", missing=missing.said, hint=hint)
    every_label: list[Hashable] = list(frame.columns)
    doubled = [] if receipt is None else [name for name in receipt.get("doubled_names", ()) if f"{name}.1" in labels]
    twice = [name for name in wanted if every_label.count(labels[name]) > 1 or labels[name] in doubled]
    if twice:
        raise InputError(
            "more than one column is called {names}: rename all but one, or drop those that are not meant",
            names=", ".join(map(repr, twice)),
        )
    return {name: frame[labels[name]] for name in wanted}


def _separator_in(columns: Sequence[Hashable]) -> str | None:
    """Return what may separate the cells of a header that was read as one cell."""
    return next((mark for mark in _OTHER_SEPARATORS if mark in str(columns[0]).strip(mark + " ")), None)


def _where_it_may_be(
    missing: Sequence[Hashable], receipt: Mapping[str, Any], columns: Sequence[Hashable]
) -> Text | None:
    """Say which sheet that was not read has a missing column, which separator it may be, or which line was taken for the header."""
    for other in receipt.get("sheets_not_read", ()):
        found = [name for name in missing if name in other["columns"]]
        if found:
            return Text(
                "The sheet {sheet} of {file}, which was not read, has {column}: say sheet={sheet_name}",
                sheet=other["sheet"],
                file=receipt["file"],
                column=mask_phones_in(repr(found[0])),
                sheet_name=repr(other["sheet"]),
            )
    inside = (
        _separator_in(columns) if len(columns) == 1 and receipt.get("header_line") and "separator" in receipt else None
    )
    if inside is not None:
        return Text(
            "The header of {file} is one cell with {separator!r} in it: if that is what separates its cells, say sep={separator!r}",
            file=receipt["file"],
            separator=inside,
        )
    line = receipt.get("header_line", 0)
    if line is None and receipt.get("header_given"):
        return Text(
            "header=0 says that {file} has no header, so its columns are called by their places", file=receipt["file"]
        )
    if line is None:
        return Text(
            "The first line of {file} holds a mobile number, so it was taken for a list without a header: if it has one, say header="
            " with the number of its line",
            file=receipt["file"],
        )
    if isinstance(line, int) and line:
        return Text(
            "The header was taken from line {line} of {file}: if it stands in another, say header=",
            line=line,
            file=receipt["file"],
        )
    return None


def cell_texts(column: pd.Series[Any]) -> npt.NDArray[np.object_]:
    """Return each cell as the text it stands for, None where it is missing; each distinct value is looked at once.

    Examples
    --------
    >>> cell_texts(pd.Series(["甲", 2.0, None], dtype=object)).tolist()
    ['甲', '2', None]
    """
    codes, values = pd.factorize(column.astype(object))
    table = np.empty(len(values) + 1, dtype=object)
    table[: len(values)] = [cell_text(value) for value in values]
    return np.asarray(table[codes])


def whole_texts(column: pd.Series[Any]) -> npt.NDArray[np.object_]:
    """Return the cells of a column that tells things apart; raise where digits of some are lost: two orders would be one.

    The same order is the same text, whatever type its sheet has made of it: a day is one with and without a midnight, a number
    with and without its zeros, as pandas writes whole numbers of a column with a blank.

    Examples
    --------
    >>> from decimal import Decimal
    >>> whole_texts(pd.Series([Decimal("5.00"), pd.Timestamp("2026-01-01"), "5.0", "1.05"], dtype=object)).tolist()
    ['5', '2026-01-01', '5', '1.05']
    """
    plain = pd.Series(list(map(_plain_cell, column.tolist())), dtype=object) if column.dtype == object else column
    texts = cell_texts(plain)
    whole = {
        text: found[1] or found[2] for text in pd.unique(texts) if text and (found := _MORE_THAN_WHOLE.fullmatch(text))
    }
    if whole:
        texts = np.array([whole.get(text, text) for text in texts], dtype=object)
    broken = {cell for cell in pd.unique(column.astype(object)) if _lost_digits(cell)}
    if broken:
        lost = np.flatnonzero([cell in broken for cell in column.tolist()])
        raise InputError(
            "{count:,} cell of {name!r} has lost its last digits (row {row}: {shown}), so that two of them may be one: read the column"
            " as text, such as with mas.read_sheet(path), from a file that has all digits",
            "{count:,} cells of {name!r} have lost their last digits (row {row}: {shown}), so that two of them may be one: read the"
            " column as text, such as with mas.read_sheet(path), from a file that has all digits",
            count=len(lost),
            name=str(column.name),
            row=column.index[lost[0]],
            shown=format(float(column.iloc[lost[0]]), ".3g"),
        )
    return texts


def _plain_cell(cell: object) -> object:
    if isinstance(cell, Decimal) and cell.is_finite():
        return int(cell) if cell == cell.to_integral_value() else format(cell.normalize(), "f")
    return cell


def _lost_digits(cell: object) -> bool:
    if isinstance(cell, (float, np.floating)):
        return abs(float(cell)) >= _EXACT_BELOW
    # 5E10 may be a code of its own, 2.31E+17 is none.
    return isinstance(cell, str) and ("." in cell or "+" in cell) and has_lost_digits(cell.strip())
