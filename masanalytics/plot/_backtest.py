"""How right the forecast would have been: each past campaign's expected less its final rate, by age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from masanalytics.aliases import Length, Messages
from masanalytics.formatting import duration
from masanalytics.i18n import _, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, result_of
from masanalytics.plot.named_rows import beside_rows
from masanalytics.plot.theme import BLUE, GREY, INK, LINE, ORANGE

__all__ = ["backtest"]

_COLUMNS = ("age_s", "expected_rate", "expected_low", "expected_high", "final_rate", "covered")
_SPREAD = 0.36


@speaks
@chart_arguments
def backtest(
    data: Messages,
    *,
    ages: Sequence[Length] | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how right the forecast would have been: a row an age, and in it a past campaign beside the other.

    A dot is the expected less the final rate, its line the interval; orange where the interval did not hold the final rate,
    grey lines without a dot where only bounds could be said.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``backtest``
        A result needs ``age_s, expected_rate, expected_low, expected_high, final_rate, covered``.
    ages, **keywords
        Handed to ``backtest`` when `data` holds messages.
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
    >>> result = pd.DataFrame({"age_s": [600, 600], "expected_rate": [0.95, 0.94], "expected_low": [0.93, 0.92],
    ...                        "expected_high": [0.97, 0.96], "final_rate": [0.951, 0.91], "covered": [True, False]})
    >>> ax = backtest(result, language="en")
    >>> ax.get_title()
    'Expected less final rate of past campaigns'
    """
    result = result_of(data, "backtest", _COLUMNS, ages=ages, **keywords)
    parts = [part for _age, part in result.groupby("age_s", sort=True)]
    return Chart(
        result=result,
        title=_("Expected less final rate of past campaigns"),
        rows=[_("after {age}", age=duration(float(part["age_s"].iloc[0]))) for part in parts],
        draw=lambda axes: _draw(axes, parts),
        height=1.6 + 1.1 * max(len(parts), 1),
        nothing="" if parts else _("No past campaigns to show"),
        expected=True,
    ).on(ax)


def _draw(ax: Axes, parts: list[pd.DataFrame]) -> Drawn:
    held, widths = [], []
    for row, part in enumerate(parts):
        _draw_age(ax, row, part)
        covered, width = int(part["covered"].sum()), 100 * float((part["expected_high"] - part["expected_low"]).mean())
        held.append(_("{held:,} of {count:,} held", held=covered, count=len(part)))
        widths.append(_("{width:.1f} points wide", width=width))
    beside_rows(ax, [held, widths], give_up=(1,))
    ax.axvline(0, color=INK, lw=0.8)
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("percentage points, expected − final"))
    return Drawn(legend=_legend(parts))


def _draw_age(ax: Axes, row: int, part: pd.DataFrame) -> None:
    places = row + (np.linspace(-_SPREAD, _SPREAD, len(part)) if len(part) > 1 else np.zeros(1))
    final = part["final_rate"].to_numpy(dtype=float)
    low, high, middle = (
        100 * (part[name].to_numpy(dtype=float) - final) for name in ("expected_low", "expected_high", "expected_rate")
    )
    colours = np.where(~part["covered"].to_numpy(dtype=bool), ORANGE, np.where(np.isnan(middle), GREY, BLUE))
    ax.hlines(places, low, high, colors=colours.tolist(), lw=1.2, alpha=0.7)
    told = ~np.isnan(middle)
    ax.scatter(middle[told], places[told], s=14, c=colours[told].tolist(), zorder=3)


def _legend(parts: list[pd.DataFrame]) -> list[tuple[Artist, str]]:
    dot = Line2D([], [], marker="o", ms=4, lw=1.2, color=BLUE)
    entries: list[tuple[Artist, str]] = [(dot, _("a campaign, forecast from the others"))]
    if any(not part["covered"].all() for part in parts):
        missed = Line2D([], [], marker="o", ms=4, lw=1.2, color=ORANGE)
        entries.append((missed, _("the final rate was outside")))
    if any(part["expected_rate"].isna().any() for part in parts):
        entries.append((Line2D([], [], lw=1.2, color=GREY), _("bounds only")))
    return entries
