"""Comparisons: how much more the second delivers than the first, as intervals around zero."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from masanalytics.aliases import Messages
from masanalytics.formatting import count, display_width, duration, group_label, percent, shorten
from masanalytics.i18n import Text, _, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, result_of
from masanalytics.plot.fonts import printable
from masanalytics.plot.layout import body, characters_across, figure_width, points
from masanalytics.plot.masked import as_shown
from masanalytics.plot.named_rows import beside_rows, row_height, rows_that_fit
from masanalytics.plot.theme import BLUE, GREY, INK, LINE
from masanalytics.vocabulary import outcome_words

__all__ = ["compare"]

_COLUMNS = ("a", "b", "rate_a", "rate_b", "difference", "low", "high", "p_value")
_SENTENCES = 3
_SIGNIFICANT = 0.05
_DASHED = (0, (2, 1))
_ROOM_FOR_SENTENCES = 7.0
_LABEL_WIDTH = 30
_ROOM_FOR_ENDS = 70
_LEAST_SHARED = 3
"""Letters: what two names share at one end is left out where it is longer."""
_TWO_LINES = 18
"""Points: a row this high has room for two lines of numbers."""


@speaks
@chart_arguments
def compare(
    data: Messages,
    by: str | None = None,
    a: object = None,
    b: object = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how much more the second of each pair delivers (or is answered) than the first, with its 95 % interval.

    A difference whose p-value (corrected where several pairs are compared) is not below 0.05 is grey and hollow: chance
    alone makes such. One without a p-value is drawn by its interval; where that leaves out how much batches or days differ, it is
    dashed, as whether there is a difference cannot be told. The intervals hold for all pairs together.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``compare``
        A result needs ``a, b, accepted_a, accepted_b, rate_a, rate_b, difference, low, high, p_value`` (of replies
        ``delivered_a, delivered_b``); ``p_adjusted``, ``design_effect``, ``within_s`` and ``sentence`` are shown where it has them.
    by, a, b, **keywords
        Handed to ``compare`` when `data` holds messages.
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
    >>> result = pd.DataFrame({"a": ["A"], "b": ["B"], "accepted_a": [200], "accepted_b": [200], "rate_a": [0.8],
    ...                        "rate_b": [0.92], "difference": [0.12], "low": [0.052], "high": [0.187],
    ...                        "p_value": [0.0005]})
    >>> ax = compare(result, language="en")
    >>> ax.get_yticklabels()[0].get_text()
    'B against A'
    """
    result = result_of(data, "compare", _COLUMNS, by=by, a=a, b=b, **keywords)
    pairs = result.head(rows_that_fit(ax))
    what = outcome_words(result.attrs.get("outcome", "delivered"))
    longest = 38 if ax is None else 28 if figure_width(ax) > _ROOM_FOR_SENTENCES else 16
    return Chart(
        result=result,
        title=_title(pairs, what),
        rows=[_pair(pair, by, longest) for pair in pairs.to_dict("records")],
        row_width=_LABEL_WIDTH,
        draw=lambda axes: _draw(axes, pairs, len(result), by, what),
        width=10,
        height=row_height(len(pairs), 2),
        nothing=_("Nothing to compare") if pairs.empty else "",
    ).on(ax)


def _title(pairs: pd.DataFrame, what: Text | None) -> str:
    ages: list[float] = list(pairs["within_s"].unique()) if "within_s" in pairs else []
    is_final = len(ages) != 1 or pd.isna(ages[0])  # pairs whose reports are all in are compared at no age
    if what is not None:
        if is_final:
            return _("Difference in {what}", what=what)
        return _("Difference in {what} within {age}", what=what, age=duration(ages[0]))
    if is_final:
        return _("Difference in delivery rate")
    return _("Difference in what was delivered within {age}", age=duration(ages[0]))


def _pair(pair: dict[Any, Any], by: str | None, longest: int) -> str:
    first, second = _names(pair, by, longest)
    return _("{second} against {first}", second=second, first=first)


def _names(pair: dict[Any, Any], by: str | None, longest: int) -> tuple[str, str]:
    """Return what the arms of a pair are called: names that are too long are told apart by what they do not share."""
    first, second = (as_shown(group_label([by or ""], [pair[side]])) for side in ("a", "b"))
    if max(display_width(first), display_width(second)) <= longest:
        return first, second
    start, end = _shared(first, second), _shared(first[::-1], second[::-1])
    if display_width(start) >= display_width(end) and len(start) > _LEAST_SHARED:
        first, second = (f"…{name[len(start) :]}" for name in (first, second))
    elif len(end) > _LEAST_SHARED:
        first, second = (f"{name[: len(name) - len(end)]}…" for name in (first, second))
    return shorten(first, longest), shorten(second, longest)


def _shared(first: str, second: str) -> str:
    """Return the letters with which both names begin."""
    return first[: len(list(takewhile(lambda two: two[0] == two[1], zip(first, second, strict=False))))]


def _draw(ax: Axes, pairs: pd.DataFrame, all_pairs: int, by: str | None, what: Text | None) -> Drawn:
    p_values = pairs["p_adjusted" if "p_adjusted" in pairs else "p_value"]
    is_open = _is_open(pairs, p_values)
    is_clear = ((p_values < _SIGNIFICANT) | (p_values.isna() & (pairs["low"] * pairs["high"] > 0) & ~is_open)).tolist()
    records = pairs.to_dict("records")
    for row, (pair, clear, unknown) in enumerate(zip(records, is_clear, is_open.tolist(), strict=True)):
        colour, style = BLUE if clear else GREY, _DASHED if unknown else "-"
        ax.plot([pair["low"], pair["high"]], [row, row], color=colour, lw=2.4, ls=style, solid_capstyle="butt")
        ax.plot(pair["difference"], row, "o", ms=8, color=colour, mfc=colour if clear else "white", mew=1.6)
    columns = _numbers(records, p_values)
    give_up: tuple[int, ...] = (2, 0, 1)
    if figure_width(ax) <= _ROOM_FOR_SENTENCES and body(ax) * 72 / max(len(pairs), 1.5) > _TWO_LINES:
        rates, sizes, p_texts = columns
        columns, give_up = (
            [[f"{rate}\n{size}".strip() for rate, size in zip(rates, sizes, strict=True)], p_texts],
            (1, 0),
        )
    beside_rows(ax, columns, muted=[not clear for clear in is_clear], give_up=give_up)
    _draw_axis(ax, pairs, by, what)
    return Drawn(legend=_legend(with_open=bool(is_open.any())), notes=_notes(ax, pairs, all_pairs))


def _is_open(pairs: pd.DataFrame, p_values: pd.Series) -> pd.Series:
    """Return where whether there is a difference cannot be told: no p-value, and clusters that are not in the interval."""
    effect = pairs["design_effect"] if "design_effect" in pairs else pd.Series(np.nan, index=pairs.index)
    return p_values.isna() & effect.isna() & pairs["low"].notna()


def _numbers(records: list[dict[Any, Any]], p_values: pd.Series) -> list[list[str]]:
    """Return what stands beside the pairs: both rates, both sizes, the p-value."""
    rates = [
        _("{second} against {first}", second=percent(row["rate_b"]), first=percent(row["rate_a"])) for row in records
    ]
    sizes = [_sizes(row, "accepted" if "accepted_a" in row else "delivered") for row in records]
    return [rates, sizes, [_p_text(p_value) for p_value in p_values]]


def _sizes(row: dict[Any, Any], denominator: str) -> str:
    if f"{denominator}_a" not in row:
        return ""
    return f"n={count(row[f'{denominator}_b'])}, {count(row[f'{denominator}_a'])}"


def _notes(ax: Axes, pairs: pd.DataFrame, all_pairs: int) -> list[str]:
    in_words = "sentence" in pairs and len(pairs) <= _SENTENCES and figure_width(ax) > _ROOM_FOR_SENTENCES
    notes = [str(sentence) for sentence in pairs["sentence"]] if in_words else []
    if all_pairs > len(pairs):
        notes.append(_("first {shown} of {all} pairs", shown=len(pairs), all=all_pairs))
    return notes


def _p_text(p_value: float) -> str:
    if pd.isna(p_value):
        return _("no p-value")
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.4f}" if p_value < 0.01 else f"p = {p_value:.2f}"


def _draw_axis(ax: Axes, pairs: pd.DataFrame, by: str | None, what: Text | None) -> None:
    differences = pairs[["low", "high", "difference"]].to_numpy(dtype=float)
    is_known = np.isfinite(differences).any()
    reach = max(1.12 * float(np.nanmax(np.abs(differences))), 0.005) if is_known else 0.05
    ax.set_xlim(-reach, reach)
    ax.axvline(0, color=INK, lw=1)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _tick: f"{round(100 * share, 2):+g}" if share else "0"))
    ax.grid(axis="x", color=LINE, lw=0.8)
    if len(pairs) == 1:
        ax.set_xlabel(_named_ends(ax, pairs.to_dict("records")[0], by, what))
    elif figure_width(ax) < _ROOM_FOR_SENTENCES:
        ax.set_xlabel(_("percentage points, first − second"))
    elif what is not None:
        ax.set_xlabel(_("percentage points; right of 0: the first named has more {what}", what=what))
    else:
        ax.set_xlabel(_("percentage points; right of 0: the first named delivers more"))


def _named_ends(ax: Axes, pair: dict[Any, Any], by: str | None, what: Text | None) -> str:
    """Return what the axis of one pair says: which arm has more on either side, in the order they were given."""
    room = characters_across(ax, points(ax, 11.5))
    longest = max(6, (room - (48 if room >= _ROOM_FOR_ENDS else 22)) // 2)
    first, second = _names(pair, by, longest)
    if room < _ROOM_FOR_ENDS:
        return printable(_("← {first} · points · {second} →", first=first, second=second))
    if what is not None:
        return printable(
            _("← more {what}: {first} · percentage points · {second} →", what=what, first=first, second=second)
        )
    return printable(
        _("← {first} delivers more · percentage points · {second} delivers more →", first=first, second=second)
    )


def _legend(*, with_open: bool) -> list[tuple[Artist, str]]:
    solid = Line2D([], [], marker="o", ms=8, lw=2.4, color=BLUE)
    hollow = Line2D([], [], marker="o", ms=8, lw=2.4, color=GREY, mfc="white", mew=1.6)
    entries: list[tuple[Artist, str]] = [(solid, _("difference, 95% interval")), (hollow, _("no difference shown"))]
    if with_open:
        dashed = Line2D([], [], marker="o", ms=8, lw=2.4, color=GREY, mfc="white", mew=1.6, ls=_DASHED)
        entries.append((dashed, _("cannot be told")))
    return entries
