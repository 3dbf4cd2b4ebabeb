"""Delivery rates as dots with their intervals, the bounds that pending messages leave, and the expected end."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from masanalytics.aliases import Columns, Length, Messages
from masanalytics.formatting import count, percent
from masanalytics.i18n import _, speaks
from masanalytics.plot.arguments import chart_arguments, sorted_groups
from masanalytics.plot.chart import (
    SMALL_N,
    Chart,
    Drawn,
    by_columns,
    group_labels,
    is_result,
    percent_axis,
    rate_title,
    result_of,
)
from masanalytics.plot.named_rows import beside_rows, largest
from masanalytics.plot.theme import BLUE, LINE, ORANGE

__all__ = ["delivery_rates"]

_COLUMNS = ("accepted", "delivered", "delivery_rate", "low", "high")
_UNSETTLED = ("pending", "most", "expected_rate", "expected_low", "expected_high")


@speaks
@chart_arguments
def delivery_rates(
    data: Messages,
    *,
    by: Columns | None = None,
    within: Length | None = None,
    sort: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the delivery rate of each group: a dot with its 95 % interval.

    The light band reaches from the rate if every pending message failed to the rate if every one arrived; the hollow
    diamond is where the rate is expected to end. Groups of fewer than 30 messages are hollow.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``delivery_rates``
        A result needs ``accepted, delivered, delivery_rate, low, high``; ``most, pending, expected_rate, expected_low,
        expected_high`` are drawn where it has them. Rates are shares, 0 to 1.
    by, within, **keywords
        Handed to ``delivery_rates`` when `data` holds messages.
    sort : {"size", "rate", "name"}, optional
        The order of the groups: the largest first (by default, unless they are days or hours), the best, or by name. A result has
        its own by default.
    ax : Axes, optional
        Where to draw; by default a new figure, as high as the groups need.
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
    >>> result = pd.DataFrame({"carrier": ["China Mobile"], "accepted": [200], "delivered": [190],
    ...                        "delivery_rate": [0.95], "low": [0.910], "high": [0.973]})
    >>> ax = delivery_rates(result, language="en")
    >>> ax.get_title()
    'Delivery rate by carrier'
    """
    result = result_of(data, "delivery_rates", _COLUMNS, by=by, within=within, **keywords)
    columns = by_columns(result, "accepted")
    # A result that was given has the order in which its owner left it.
    order = "name" if sort is None and is_result(data, _COLUMNS) else sort
    groups, left_out = largest(sorted_groups(result, columns, order, size="accepted", rate="delivery_rate"), ax)
    if result.attrs.get("within_s") is not None:
        # At equal age "pending" means later than that age: there is nothing to wait for, and no end to expect.
        groups = groups.drop(columns=[name for name in _UNSETTLED if name in groups])
    return Chart(
        result=result,
        title=rate_title(columns, result.attrs.get("within_s")),
        rows=group_labels(groups, columns),
        draw=lambda axes: _draw(axes, groups),
        nothing=_("No messages to show") if groups.empty else "",
        notes=[*left_out, *_small_groups(groups)],
        expected="expected_rate" in groups and bool(groups["expected_rate"].notna().any()),
    ).on(ax)


def _draw(ax: Axes, groups: pd.DataFrame) -> Drawn:
    records = groups.to_dict("records")
    for row, group in enumerate(records):
        _draw_group(ax, row, group)
    rates = [percent(group["delivery_rate"]) for group in records]
    sizes = [f"n={count(group['accepted'])}" for group in records]
    pending = [_pending_text(group.get("pending", 0)) for group in records]
    beside_rows(ax, [rates, sizes, pending], muted=[_is_small(group) for group in records], give_up=(2, 0))
    _draw_axis(ax, groups)
    return Drawn(legend=_legend(groups))


def _draw_group(ax: Axes, row: int, group: dict[Any, Any]) -> None:
    if group.get("most", 0) > group["delivery_rate"]:
        ax.barh(
            row, group["most"] - group["delivery_rate"], left=group["delivery_rate"], height=0.5, color=BLUE, alpha=0.15
        )
    ax.plot([group["low"], group["high"]], [row, row], color=BLUE, lw=2, solid_capstyle="butt")
    face = "white" if _is_small(group) else BLUE
    ax.plot(group["delivery_rate"], row, "o", ms=7, color=BLUE, mfc=face, mew=1.5)
    if pd.notna(group.get("expected_rate")) and group.get("pending", 0):
        if pd.notna(group.get("expected_low")) and pd.notna(group.get("expected_high")):
            ends = [group["expected_low"], group["expected_high"]]
            ax.plot(ends, [row + 0.2] * 2, color=ORANGE, lw=1.2, alpha=0.8)
        ax.plot(group["expected_rate"], row + 0.2, "D", ms=5, mfc="white", mec=ORANGE, mew=1.3)


def _is_small(group: dict[Any, Any]) -> bool:
    return bool(group["accepted"] < SMALL_N)


def _pending_text(pending: float) -> str:
    return _("{count:,} pending", count=int(pending)) if pending else ""


def _draw_axis(ax: Axes, groups: pd.DataFrame) -> None:
    shown = groups[[name for name in ("low", "high", "delivery_rate", "most", "expected_rate") if name in groups]]
    least, most = shown.min().min(), shown.max().max()
    if pd.isna(least):
        least, most = 0.0, 1.0
    margin = max(0.06 * (most - least), 0.005)
    ax.set_xlim(max(least - margin, -0.01), min(most + margin, 1.01))
    percent_axis(ax.xaxis)
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("delivered ÷ accepted"))


def _legend(groups: pd.DataFrame) -> list[tuple[Artist, str]]:
    dot = Line2D([], [], marker="o", ms=7, lw=2, color=BLUE)
    entries: list[tuple[Artist, str]] = [(dot, _("delivered so far, 95% interval"))]
    if "most" in groups and (groups["most"] > groups["delivery_rate"]).any():
        band = Patch(color=BLUE, alpha=0.15, lw=0)
        entries.append((band, _("if all pending fail … all arrive")))
    unsettled = {"expected_rate", "pending"} <= set(groups)
    if unsettled and (groups["expected_rate"].notna() & (groups["pending"] > 0)).any():
        diamond = Line2D([], [], marker="D", ms=5, mfc="white", mec=ORANGE, mew=1.3, color=ORANGE, lw=1.2)
        entries.append((diamond, _("expected in the end")))
    return entries


def _small_groups(groups: pd.DataFrame) -> list[str]:
    is_small = (groups["accepted"] < SMALL_N).any()
    return [_("hollow: fewer than {count} messages", count=SMALL_N)] if is_small else []
