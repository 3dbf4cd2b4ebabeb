"""Write sheets that are safe to open: text stays text, so that no reply of a stranger ever runs as a formula."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.aliases import PathName
from masanalytics.errors import InputError, MissingExtraError
from masanalytics.formatting import column_name, display_width, group_label
from masanalytics.i18n import Text, speaks
from masanalytics.near_names import named_arguments
from masanalytics.paths import full_path, path_in_folder, private_file
from masanalytics.phones import holds_mobile
from masanalytics.sheets.number_formats import GENERAL
from masanalytics.sheets.values_as_read import formats_as_read
from masanalytics.vocabulary import COLUMN_WORDS

__all__ = ["in_words", "write_sheet"]

_ROWS_OF_A_SHEET: Final = 1_048_576
_LONGEST_CELL: Final = 32_767
_RATES: Final = frozenset({
    "low", "high", "most", "expected_low", "expected_high", "share", "share_of_failed", "limit_low", "limit_high", "opt_out_low",
    "opt_out_high", "difference",
})  # fmt: skip
_PLAIN_NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d*)?(?:[eE][+-]?\d+)?")


@named_arguments
@speaks
def write_sheet(df: pd.DataFrame, path: PathName, *, sheet: str = "Sheet1", language: str | None = None) -> Path:
    """Write a frame to ``.xlsx``, ``.csv`` or ``.parquet`` so that it is safe to open.

    The way out for replies (`Store.uplinks`) and for what `outcomes` returns: text of strangers never runs as a formula. ``df.to_excel``
    runs it, writes phones that are integers as 1.38E+10, and fails on times that have a zone.

    Parameters
    ----------
    df : DataFrame
        Its columns are written, its index is not; it is not changed. What is written as what:

        - text as text: phones and orders keep their digits, and a cell such as ``=HYPERLINK(...)`` is shown, not run (in ``.csv`` it
          gets an apostrophe in front);
        - numbers as numbers; rates and shares of this package (``delivery_rate``, ``low``, ``high``) as percentages; a column that
          `read_sheet` read, and that still holds what was read, in the number format it had;
        - times with a zone as Asia/Shanghai wall time, dates without a time as dates; truth values as such; missing values as blank
          cells.
    path : str or Path
        Where to. ``.csv`` is UTF-8 with a byte-order mark, so that Excel shows Chinese. A file with whole mobile numbers can be
        read by its owner only, where the system knows such rights.
    sheet : str
        The sheet's name, in a workbook.
    language : {"en", "zh"}, optional
        In this language the columns, statuses, carriers, weekdays and categories of this package are written, for a reader
        (``delivery_rate`` as 送达率); columns and values of your own stay as they are. By default names are written as in the frame,
        so that `read_sheet` gives the same frame again.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If the name of the file is not one of these, its folder is missing, or a sheet cannot hold so many rows.
    MissingExtraError
        If a library is needed that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from masanalytics.sheets import read_sheet
    >>> replies = pd.DataFrame({"phone": ["13800138000"], "content": ["=1+1"], "delivery_rate": [0.925]})
    >>> again = read_sheet(write_sheet(replies, Path(tempfile.mkdtemp(), "replies.xlsx")))
    >>> again.values.tolist(), again.attrs["read"]["formats"]
    ([['13800138000', '=1+1', 0.925]], {'delivery_rate': ['0.0%']})
    """
    file = full_path(path)
    kind = file.suffix.lower()
    if kind not in (".xlsx", ".csv", ".parquet"):
        raise InputError("{file}: name the file .xlsx, .csv or .parquet", file=file.name)
    path_in_folder(file)
    frame = df if language is None else in_words(df)
    if _holds_numbers(df):
        private_file(file)
    if kind == ".xlsx":
        _write_workbook(frame, [_number_format(df, name) for name in df.columns], file, sheet)
    elif kind == ".csv":
        columns = [pd.Series([_defused(value) for value in _values(frame.iloc[:, i])]) for i in range(frame.shape[1])]
        written = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=frame.index)
        written.columns = [str(_defused(str(name))) for name in frame.columns]
        written.to_csv(file, index=False, encoding="utf-8-sig")
    else:
        try:
            frame.to_parquet(file, index=False)
        except ImportError as error:
            raise MissingExtraError.of("parquet", "pyarrow", Text("writing {kind}", kind=".parquet")) from error
    return file


def _holds_numbers(frame: pd.DataFrame) -> bool:
    """Whether a whole mobile number stands anywhere in a frame, as text or as a number."""
    texts = (str(value) for name in frame.columns for value in frame[[name]].iloc[:, 0].unique() if value is not None)
    return any(holds_mobile(text) for text in texts)


def in_words(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the names and values of this package in the language in use; the user's own stay as they are."""
    frame = df.copy()
    for place, name in enumerate(df.columns):
        if name in ("status", "carrier", "weekday", "category"):
            column = df.iloc[:, place]
            words = {value: group_label([name], [value]) for value in column.dropna().unique()}
            frame.isetitem(place, column.map(words).array)
    frame.columns = [column_name(name) if name in COLUMN_WORDS else name for name in map(str, df.columns)]
    return frame


def _number_format(df: pd.DataFrame, name: Any) -> str | None:
    """Return the number format of a column: what a sheet had, a percentage for a rate, a date without a time."""
    column = df[name] if list(df.columns).count(name) == 1 else pd.Series(dtype=object)
    known = formats_as_read(column)
    if len(known) == 1 and known[0] != GENERAL:
        return known[0]
    if pd.api.types.is_float_dtype(column.dtype) and _is_rate(str(name)):
        return "0.0%"
    if pd.api.types.is_datetime64_any_dtype(column.dtype) and column.notna().any():
        times = column.dropna()
        local = times.dt.tz_convert("Asia/Shanghai") if times.dt.tz is not None else times
        return "yyyy-mm-dd" if (local == local.dt.normalize()).all() else "yyyy-mm-dd hh:mm:ss"
    return None


def _is_rate(name: str) -> bool:
    return name in _RATES or name.endswith(("_rate", "_share")) or name.startswith(("share_", "rate_"))


def _write_workbook(df: pd.DataFrame, formats: Sequence[str | None], file: Path, sheet: str) -> None:
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError.of("excel", "xlsxwriter", Text("writing {kind}", kind=".xlsx")) from error
    if len(df) + 1 > _ROWS_OF_A_SHEET:
        raise InputError(
            "a sheet holds {most:,} rows, these are {rows:,}: write a .csv or .parquet",
            most=_ROWS_OF_A_SHEET - 1,
            rows=len(df),
        )
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with xlsxwriter.Workbook(str(file), options) as book:
        page = book.add_worksheet(sheet)
        head = book.add_format({"bold": True, "bottom": 1})
        for place, name in enumerate(df.columns):
            values = _values(df.iloc[:, place])
            shape = None if formats[place] is None else book.add_format({"num_format": formats[place]})
            page.write_string(0, place, str(name), head)
            for line, value in enumerate(values, start=1):
                _write_cell(page, line, place, value, shape)
            shown = [str(name), *map(str, values[:200])]
            page.set_column(place, place, min(60, 2 + max(map(display_width, shown))))
        page.freeze_panes(1, 0)
        if df.shape[1]:
            page.autofilter(0, 0, len(df), df.shape[1] - 1)


def _values(column: pd.Series[Any]) -> list[Any]:
    """Return a column as Python values: missing ones None, zoned timestamps as China wall time."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("Asia/Shanghai").dt.tz_localize(None)
    values = column.astype(object)
    return values.where(values.notna(), None).tolist()


def _write_cell(page: Any, line: int, place: int, value: Any, shape: Any) -> None:
    if value is None:
        return
    if isinstance(value, (bool, np.bool_)):
        page.write_boolean(line, place, bool(value))
    elif isinstance(value, (int, float, np.integer, np.floating)) and np.isfinite(value):
        page.write_number(line, place, value, shape)
    elif isinstance(value, (datetime, date, time, timedelta)):
        page.write_datetime(line, place, _naive(value), shape)
    else:
        page.write_string(line, place, str(value)[:_LONGEST_CELL])


def _naive(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        value = value.tz_convert("Asia/Shanghai").tz_localize(None) if value.tzinfo else value
        return value.to_pydatetime(warn=False)
    return value.to_pytimedelta() if isinstance(value, pd.Timedelta) else value


def _defused(value: Any) -> Any:
    """Return text that a spreadsheet would run as a formula with an apostrophe in front.

    Examples
    --------
    >>> _defused("=1+1"), _defused("-5"), _defused("+8613800138000"), _defused("你好")
    ("'=1+1", '-5', '+8613800138000', '你好')
    """
    if not isinstance(value, str) or not value.lstrip() or _PLAIN_NUMBER.fullmatch(value):
        return value
    return f"'{value}" if value.lstrip()[0] in "=+-@＝＋－＠" or value[0] in "\t\r\n" else value
