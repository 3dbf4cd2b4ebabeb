"""Error codes: a Pareto chart with what each code means, or a table of shades where there are groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from masanalytics.analysis._error_codes import OTHERS
from masanalytics.i18n import choose
from masanalytics.plot import chart, shaded_table
from masanalytics.plot.inputs import by_columns, is_result, result_of
from masanalytics.plot.words import by_phrase, count, group_label, percent

__all__ = ["error_codes"]

_COLUMNS = ("error_code", "count", "share", "share_of_failed")
_MOST_CODES = 15
_MOST_GROUPS = 60
_UPRIGHT_FROM = 12


def error_codes(
    data: Any,
    *,
    by: str | Sequence[str] | None = None,
    top: int | None = None,
    ax: Axes | None = None,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw which codes the failures carry, most frequent first, with what each means.

    A bar is the code's share of all failed messages; the line adds them up from the top. With `by` (or a result that
    has groups) every cell shows the code's share of the group's accepted messages, and how many they are.

    Parameters
    ----------
    data : Store, DataFrame of messages, or result of ``error_codes``
        A result needs ``error_code, count, share, share_of_failed``; ``meaning`` is shown where it has it.
    by, top, **keywords
        Handed to ``error_codes`` when `data` holds messages; without groups the 14 most frequent codes are
        asked for, and one bar for all others.
    ax : Axes, optional
        Where to draw; by default a new figure.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Examples
    --------
    >>> result = pd.DataFrame({"error_code": ["MK:0001"], "count": [12], "share": [0.06], "share_of_failed": [1.0],
    ...                        "meaning": ["Empty number"]})
    >>> ax = error_codes(result, language="en")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['MK:0001 Empty number']
    """
    most = chart.rows_that_fit(ax, _MOST_CODES)
    asked = top or (None if by or is_result(data, _COLUMNS) else most - 1)
    result = result_of(data, "error_codes", _COLUMNS, by=by, top=asked, language=language, **keywords)
    columns = by_columns(result, "error_code")
    if columns and not result.empty:
        return _by_group(result, columns, ax, language)
    frame = result.head(most)
    lines = 2 if "meaning" in frame else 1
    with chart.canvas(ax, width=10, height=chart.row_height(len(frame), lines)) as axes:
        chart.title(axes, "Why messages failed", "失败原因（错误码）", language)
        if frame.empty:
            chart.say_nothing_to_show(axes, language, "No message has failed", "没有失败的短信")
        else:
            chart.name_rows(axes, _labels(frame, language), width=36)
            _draw_bars(axes, frame, language)
        notes = [*chart.within_note(result.attrs, language), *_left_out(len(result), len(frame), language)]
        chart.source_line(axes, result.attrs, language, notes=notes)
    return axes


def _labels(frame: pd.DataFrame, language: str | None) -> list[str]:
    codes = [choose("no code", "无代码", language) if pd.isna(code) else str(code) for code in frame["error_code"]]
    if "meaning" not in frame:
        return codes
    meanings = frame["meaning"].fillna("").astype(str)
    return [
        meaning if code in OTHERS else f"{code} {meaning}".strip()
        for code, meaning in zip(codes, meanings, strict=True)
    ]


def _draw_bars(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    rows = np.arange(len(frame))
    bars = ax.barh(rows, frame["share_of_failed"], height=0.6, color=chart.VERMILION, alpha=0.85)
    for bar, code in zip(bars, frame["error_code"], strict=True):
        if code in OTHERS:
            bar.set_facecolor(chart.GREY)
    handles: list[Artist] = [bars[0]]
    labels = [choose("share of all failed", "占失败总数", language)]
    if len(frame) > 1:
        added = frame["share_of_failed"].cumsum()
        (line,) = ax.plot(added, rows, "o-", ms=4, lw=1.2, color=chart.MUTED)
        handles.append(line)
        labels.append(choose("added up from the top", "自上而下累计", language))
    shares = [percent(share) for share in frame["share"]]
    of_accepted = [choose(f"{share} of accepted", f"占受理 {share}", language) for share in shares]
    numbers = [count(number) for number in frame["count"]]
    chart.beside_rows(ax, [numbers, of_accepted], give_up=(1, 0))
    ax.set_xlim(0, 1.02)
    chart.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
    ax.set_xlabel(choose("share of failed messages", "占失败短信的比例", language))
    chart.legend_below(ax, handles, labels)


def _by_group(result: pd.DataFrame, columns: list[str], ax: Axes | None, language: str | None) -> Axes:
    all_groups = result[columns].drop_duplicates()
    groups = all_groups.head(_MOST_GROUPS)
    column = result.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
    code, codes = pd.factorize(result["error_code"], use_na_sentinel=False)
    order = np.argsort(-np.bincount(code, weights=result["count"].astype(float)), kind="stable")
    frequent = order[: chart.rows_that_fit(ax, _MOST_CODES)]
    row = np.full(len(codes), -1)
    row[frequent] = np.arange(len(frequent))
    table = np.full((len(frequent), len(groups)), np.nan)
    counted = np.zeros(table.shape)
    inside = (row[code] >= 0) & (column < len(groups))
    table[row[code][inside], column[inside]] = result["share"].to_numpy(dtype=float)[inside]
    counted[row[code][inside], column[inside]] = result["count"].to_numpy(dtype=float)[inside]
    names = result.iloc[[int(np.argmax(code == number)) for number in frequent]]
    labels = [group_label(columns, list(group), language) for group in groups.itertuples(index=False)]
    size = (5.0 + 0.42 * max(len(groups), 12), chart.row_height(len(frequent), 2) + 0.6)
    if len(groups) > _UPRIGHT_FROM:
        size = (size[0], max(size[1], chart.row_height(0) + shaded_table.height_for_names(labels)))
    with chart.canvas(ax, width=size[0], height=size[1]) as axes:
        phrases = by_phrase(columns, "en"), by_phrase(columns, "zh")
        chart.title(axes, f"Why messages failed,{phrases[0]}", f"失败原因{phrases[1]}", language)
        chart.name_rows(axes, _labels(names, language), width=36)
        written = _fill(axes, table, counted)
        shaded_table.name_columns(axes, labels)
        notes = [*chart.within_note(result.attrs, language), _explained(language, written=written)]
        if len(all_groups) > len(groups):
            shown = (
                f"first {len(groups)} of {len(all_groups):,} groups",
                f"仅显示前 {len(groups)} 组，共 {len(all_groups):,} 组",
            )
            notes.append(choose(*shown, language))
        chart.source_line(axes, result.attrs, language, notes=notes + _left_out(len(codes), len(frequent), language))
    return axes


def _explained(language: str | None, *, written: bool) -> str:
    if not written:
        return choose("shade: share of the group's accepted messages", "颜色：占该组受理数的比例", language)
    return choose(
        "cells: share of the group's accepted messages, number below",
        "单元格：占该组受理数的比例，下方为条数",
        language,
    )


def _fill(ax: Axes, table: npt.NDArray[np.float64], counted: npt.NDArray[np.float64]) -> bool:
    """Shade the cells; return whether they had room for their numbers, which a scale of shades stands in for."""
    image = shaded_table.shade_cells(ax, table, least=0.0, most=float(np.nanmax(table)))
    texts = {
        (int(row), int(column)): f"{percent(table[row, column])}\n{count(counted[row, column])}"
        for row, column in np.argwhere(table > 0)
    }
    size = shaded_table.type_size(ax, table.shape, texts.values())
    for place, text in texts.items() if size else ():
        shaded_table.write_cell(ax, image, place, text, size=size)
    if not size:
        shaded_table.scale_beside(ax, image)
    return size > 0


def _left_out(all_codes: int, shown: int, language: str | None) -> list[str]:
    if all_codes == shown:
        return []
    return [choose(f"top {shown} of {all_codes} codes", f"仅显示前 {shown} 个代码，共 {all_codes} 个", language)]
