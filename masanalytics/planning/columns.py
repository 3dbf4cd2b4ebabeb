"""The user's frame, and finding in it the columns that were named."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

import pandas as pd

from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in

__all__ = ["as_frame", "find_column", "missing_columns", "nearest_column"]

_LISTED: Final = 40


def as_frame(df: Any) -> pd.DataFrame:
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
        kind = type(df).__name__
        raise InputError(
            f"a DataFrame is needed, this is a {kind}; a file is read with masanalytics.sheets.read_sheet(path)",
            zh=f"需要一个 DataFrame，得到的是 {kind}；文件请先用 masanalytics.sheets.read_sheet(path) 读取",
        ) from error
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    try:
        return eager.to_pandas()
    except ImportError:  # polars hands over through pyarrow, which is an extra
        return pd.DataFrame({name: pd.Series(eager[name].to_list(), dtype=object) for name in eager.columns})


def find_column(columns: pd.Index[Any], name: Hashable) -> Hashable | None:
    """Return the label in `columns` that `name` means: itself, or the one that is written so; None where there is none.

    Examples
    --------
    >>> find_column(pd.Index(["手机号", 0]), "0")
    0
    """
    labels = list(columns)
    if name in labels:
        return name
    return next((label for label in labels if str(label) == name), None)


def missing_columns(columns: pd.Index[Any], names: Iterable[Hashable]) -> InputError | None:
    """Return the error that names every column of `names` that is missing (or there twice), or None.

    Examples
    --------
    >>> print(missing_columns(pd.Index(["手机号码", "姓名"]), ["手机号", "姓名", "积分"]).text("en"))
    no column '手机号' (did you mean '手机号码'?) and no column '积分' in the sheet; its columns are: '手机号码', '姓名'
    """
    wanted = list(dict.fromkeys(names))
    missing = [name for name in wanted if find_column(columns, name) is None]
    if missing:
        return _no_columns(columns, missing)
    labels = list(columns)
    twice = [name for name in wanted if labels.count(find_column(columns, name)) > 1]
    if twice:
        listed = ", ".join(map(repr, twice))
        return InputError(
            f"more than one column is called {listed}: rename all but one",
            zh=f"有多列同名：{listed}，请只保留一列或改名",
        )
    return None


def _no_columns(columns: pd.Index[Any], missing: Sequence[Hashable]) -> InputError:
    names = [_shown(label) for label in columns]
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "") or "(none)"
    english, chinese = [], []
    for name in missing:
        near = nearest_column(columns, str(name))
        hint = "" if near is None else _shown(near)
        english.append(f"no column {_shown(name)}" + (f" (did you mean {hint}?)" if hint else ""))
        chinese.append(f"没有 {_shown(name)} 这一列" + (f"（是否指 {hint}？）" if hint else ""))
    return InputError(
        f"{' and '.join(english)} in the sheet; its columns are: {listed}",
        zh=f"表中{'、'.join(chinese)}；现有的列：{listed.replace(', ', '、')}",
    )


def nearest_column(columns: pd.Index[Any], name: str) -> Hashable | None:
    """Return the label most like `name`, or None where none is like it.

    Examples
    --------
    >>> nearest_column(pd.Index(["客户姓名", "到期日 "]), "到期日")
    '到期日 '
    """
    folded: dict[Hashable, str] = {label: _folded(str(label)) for label in columns}
    wanted = _folded(name)
    for label, text in folded.items():
        if text == wanted:
            return label
    close = difflib.get_close_matches(wanted, folded.values(), n=1, cutoff=0.5)
    if close:
        return next(label for label, text in folded.items() if text == close[0])
    inside = (label for label, text in folded.items() if wanted and text and (wanted in text or text in wanted))
    return next(inside, None)


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]", "", unicodedata.normalize("NFKC", name).casefold())


def _shown(name: Hashable) -> str:
    return mask_phones_in(repr(name))
