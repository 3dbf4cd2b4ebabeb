"""Error codes: a Pareto chart with what each code means, or a table of shades where there are groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from masanalytics.aliases import Columns, Messages
from masanalytics.analysis._error_codes import OTHERS
from masanalytics.errors import InputError
from masanalytics.formatting import count, percent
from masanalytics.i18n import _, speaks
from masanalytics.plot import shaded_table
from masanalytics.plot.arguments import chart_arguments, regrouped
from masanalytics.plot.chart import (
    Chart,
    Drawn,
    by_columns,
    group_labels,
    is_result,
    percent_axis,
    result_of,
    titled,
    within_note,
)
from masanalytics.plot.named_rows import beside_rows, row_height, rows_that_fit
from masanalytics.plot.theme import GREY, LINE, MUTED, VERMILION

__all__ = ["error_codes"]

_COLUMNS = ("error_code", "count", "share", "share_of_failed")
_MOST_CODES = 15
_MOST_GROUPS = 60
_UPRIGHT_FROM = 12
_LABEL_WIDTH = 48


@speaks
@chart_arguments
def error_codes(
    data: Messages,
    *,
    by: Columns | None = None,
    top: int | None = None,
    sort: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw which codes the failures carry, most frequent first, with what each means.

    A bar is the code's share of all failed messages; the line adds them up from the top. With `by` (or a result that
    has groups) every cell shows the code's share of the group's accepted messages, and how many they are.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``error_codes``
        A result needs ``error_code, count, share, share_of_failed``; ``meaning`` is shown where it has it.
    by, top, **keywords
        Handed to ``error_codes`` when `data` holds messages; without groups the 14 most frequent codes are
        asked for, and one bar for all others.
    sort : {"size", "rate", "name"}, optional
        The order of the groups: the largest first, the one that fails least first, or by name. By default as they come; codes
        are in the order of their frequency.
    ax : Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        In place of the chart's own; what it is narrowed to stands below in any case.
    figsize : (float, float), optional
        Width and height in inches, of a figure of the chart's own.
    reveal : bool, optional
        Whether phone numbers in names and titles are shown whole; by default their middle is hidden.
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
    most = rows_that_fit(ax, _MOST_CODES)
    asked = top or (None if by or is_result(data, _COLUMNS) else most - 1)
    result = result_of(data, "error_codes", _COLUMNS, by=by, top=asked, **keywords)
    columns = by_columns(result, "error_code")
    if columns and not result.empty:
        return _by_group(regrouped(result, columns, sort, _worth), columns, most).on(ax)
    if sort is not None:
        raise InputError("sort= is the order of groups: codes without groups are in the order of their frequency")
    codes = result.head(most)
    return Chart(
        result=result,
        title=_("Why messages failed"),
        rows=_labels(codes),
        row_width=_LABEL_WIDTH,
        draw=lambda axes: _draw_bars(axes, codes),
        width=10,
        height=row_height(len(codes), 2 if "meaning" in codes else 1),
        nothing=_("No message has failed") if codes.empty else "",
        notes=[*within_note(result.attrs), *_left_out(len(result), len(codes))],
    ).on(ax)


def _worth(group: pd.DataFrame) -> tuple[float, float]:
    """Return how many messages of a group were accepted, and what share of them did not fail."""
    failing = float(group["share"].sum())
    return (float(group["count"].sum()) / failing if failing else 0.0), -failing


def _labels(codes: pd.DataFrame) -> list[str]:
    names = [_("no code") if pd.isna(code) else str(code) for code in codes["error_code"]]
    if "meaning" not in codes:
        return names
    meanings = codes["meaning"].fillna("").astype(str)
    return [
        meaning if name in OTHERS else f"{name} {meaning}".strip()
        for name, meaning in zip(names, meanings, strict=True)
    ]


def _draw_bars(ax: Axes, codes: pd.DataFrame) -> Drawn:
    rows = np.arange(len(codes))
    bars = ax.barh(rows, codes["share_of_failed"], height=0.6, color=VERMILION, alpha=0.85)
    for bar, code in zip(bars, codes["error_code"], strict=True):
        if code in OTHERS:
            bar.set_facecolor(GREY)
    legend: list[tuple[Artist, str]] = [(bars[0], _("share of all failed"))]
    if len(codes) > 1:
        (line,) = ax.plot(codes["share_of_failed"].cumsum(), rows, "o-", ms=4, lw=1.2, color=MUTED)
        legend.append((line, _("added up from the top")))
    numbers = [count(number) for number in codes["count"]]
    of_accepted = [_("{share} of accepted", share=percent(share)) for share in codes["share"]]
    beside_rows(ax, [numbers, of_accepted], give_up=(1, 0))
    ax.set_xlim(0, 1.02)
    percent_axis(ax.xaxis)
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("share of failed messages"))
    return Drawn(legend=legend)


def _by_group(result: pd.DataFrame, columns: list[str], most: int) -> Chart:
    """Return the table of shades: a row for each code, the most frequent first, a column for each group."""
    all_groups = result[columns].drop_duplicates()
    groups = all_groups.head(_MOST_GROUPS)
    names = group_labels(groups, columns)
    rows, shares, counts, codes = _tables(result, columns, len(groups), most)
    width, height = 5.0 + 0.42 * max(len(groups), 12), row_height(len(rows), 2) + 0.6
    if len(groups) > _UPRIGHT_FROM:
        height = max(height, row_height(0) + shaded_table.height_for_names(names))

    def draw(ax: Axes) -> Drawn:
        has_numbers = _fill(ax, shares, counts)
        shaded_table.name_columns(ax, names)
        notes = [_explained(has_numbers=has_numbers)]
        if len(all_groups) > len(groups):
            notes.append(_("first {shown} of {all:,} groups", shown=len(groups), all=len(all_groups)))
        return Drawn(notes=[*notes, *_left_out(codes, len(rows))])

    return Chart(
        result=result,
        title=titled(_("Why messages failed"), columns, comma=True),
        rows=_labels(rows),
        row_width=_LABEL_WIDTH,
        draw=draw,
        width=width,
        height=height,
        notes=within_note(result.attrs),
    )


def _tables(
    result: pd.DataFrame, columns: list[str], groups: int, most: int
) -> tuple[pd.DataFrame, npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Return a row of `result` for each code shown, the tables of shares and of counts, and how many codes there are."""
    group_of = result.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
    code_of, codes = pd.factorize(result["error_code"], use_na_sentinel=False)
    frequent = np.argsort(-np.bincount(code_of, weights=result["count"].astype(float)), kind="stable")[:most]
    row_of_code = np.full(len(codes), -1)
    row_of_code[frequent] = np.arange(len(frequent))
    is_shown = (row_of_code[code_of] >= 0) & (group_of < groups)
    cells = row_of_code[code_of][is_shown], group_of[is_shown]
    shares = np.full((len(frequent), groups), np.nan)
    counts = np.zeros(shares.shape)
    shares[cells] = result["share"].to_numpy(dtype=float)[is_shown]
    counts[cells] = result["count"].to_numpy(dtype=float)[is_shown]
    rows = result.iloc[[int(np.argmax(code_of == code)) for code in frequent]]
    return rows, shares, counts, len(codes)


def _fill(ax: Axes, shares: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> bool:
    """Shade the cells; return whether they had room for their numbers, which a scale of shades stands in for."""
    image = shaded_table.shade_cells(ax, shares, least=0.0, most=float(np.nanmax(shares)))
    texts = {
        (int(row), int(column)): f"{percent(shares[row, column])}\n{count(counts[row, column])}"
        for row, column in np.argwhere(shares > 0)
    }
    size = shaded_table.type_size(ax, shares.shape, texts.values())
    for cell, text in texts.items() if size else ():
        shaded_table.write_cell(ax, image, cell, text, size=size)
    if not size:
        shaded_table.scale_beside(ax, image)
    return size > 0


def _explained(*, has_numbers: bool) -> str:
    if has_numbers:
        return _("cells: share of the group's accepted messages, number below")
    return _("shade: share of the group's accepted messages")


def _left_out(codes: int, shown: int) -> list[str]:
    return [] if codes == shown else [_("top {shown} of {all} codes", shown=shown, all=codes)]
