"""What a chart is given: a result of the analysis function of its name, or messages to ask that function about."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from masanalytics.errors import InputError

__all__ = ["by_columns", "is_result", "result_of"]


def result_of(data: Any, name: str, columns: Collection[str], **keywords: Any) -> pd.DataFrame:
    """Return `data` if it is a result of ``analysis.<name>`` already, otherwise that function's answer.

    Parameters
    ----------
    data : Store, DataFrame, or anything the analysis takes
        Messages, or a result.
    name : str
        The analysis function.
    columns : collection of str
        The columns by which its result is known.
    **keywords
        Handed to the function (``by=``, ``within=`` …); None is left out.

    Raises
    ------
    InputError
        If keywords are given for a result, which is computed already.
    """
    given = {key: value for key, value in keywords.items() if value is not None}
    if not is_result(data, columns):
        # Drawing a result needs no analysis: what counts messages is loaded only where messages are given.
        from masanalytics import analysis

        compute: Callable[..., pd.DataFrame] = getattr(analysis, name)
        return compute(data, **given)
    given.pop("language", None)
    if given:
        names = ", ".join(f"{key}=" for key in given)
        raise InputError(
            f"this frame is a result of {name} already, so {names} can no longer be applied: "
            f"give {name}({names}…) the messages and draw its result",
            zh=f"这已经是 {name} 的结果，不能再应用 {names}：请用短信明细调用 {name}({names}…)，再画它的结果",
        )
    return data  # type: ignore[no-any-return]


def is_result(data: Any, columns: Collection[str]) -> bool:
    """Say whether `data` is a result with these columns, and not a frame of messages."""
    return isinstance(data, pd.DataFrame) and set(columns) <= set(data.columns) and "message_id" not in data.columns


def by_columns(result: pd.DataFrame, first: str) -> list[str]:
    """Return the columns a result is grouped by: those before `first`, the first one every result has."""
    return [str(column) for column in result.columns[: list(result.columns).index(first)]]
