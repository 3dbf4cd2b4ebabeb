"""What is unusual: each anomaly's share beside the range that is usual for it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from masanalytics.aliases import Columns, Messages
from masanalytics.analysis._anomalies import MEASURES
from masanalytics.formatting import count, duration, percent
from masanalytics.i18n import _, ngettext, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, percent_axis, result_of
from masanalytics.plot.named_rows import beside_rows, row_height, rows_that_fit
from masanalytics.plot.theme import BLUE, GREY, LINE, VERMILION

__all__ = ["anomalies"]

_COLUMNS = ("time", "until", "subject", "measure", "observed", "usual_low", "usual_high", "messages")
_MOST = 15
_ROW_WIDTH = 34


@speaks
@chart_arguments
def anomalies(
    data: Messages,
    *,
    by: Columns | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw what is unusual, the latest first: a dot for what was seen, a grey bar for what is usual.

    Fifteen are shown. Beside each stand when it was, the share seen and the number of messages.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``anomalies``
        A result needs ``time, until, subject, measure, observed, usual_low, usual_high, messages``.
    by, **keywords
        Handed to ``anomalies`` when `data` holds messages.
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
    >>> times = pd.to_datetime(["2026-03-18", "2026-03-19"]).tz_localize("Asia/Shanghai")
    >>> result = pd.DataFrame({"time": times[:1], "until": times[1:], "subject": ["China Unicom"], "measure": ["delivered"],
    ...                        "observed": [0.77], "usual_low": [0.88], "usual_high": [0.9], "messages": [5000]})
    >>> ax = anomalies(result, language="en")
    >>> ax.get_title(), [label.get_text() for label in ax.get_yticklabels()]
    ('What is unusual', ['China Unicom: delivered'])
    """
    result = result_of(data, "anomalies", _COLUMNS, by=by, **keywords)
    shown = result.head(rows_that_fit(ax, _MOST))
    left = len(result) - len(shown)
    rows = [
        _("{subject}: {measure}", subject=row["subject"], measure=_measure(row)) for row in shown.to_dict("records")
    ]
    return Chart(
        result=result,
        title=_("What is unusual"),
        rows=rows,
        row_width=_ROW_WIDTH,
        draw=lambda axes: _draw(axes, shown),
        width=10,
        height=row_height(len(rows), 2),
        nothing=_("Nothing unusual to show") if result.empty else "",
        notes=[*_age(result), *([ngettext("{count} older one", "{count} older ones", left)] if left > 0 else [])],
    ).on(ax)


def _measure(row: Any) -> str:
    words = {
        "delivered": _("delivered"),
        "reported": _("reported on"),
        "slow": _("slow deliveries"),
        "code": _("failed with {code}", code=row.get("error_code")),
    }
    return words.get(row["measure"], str(row["measure"]))


def _age(result: pd.DataFrame) -> list[str]:
    age = result.attrs.get("within_s")
    return [_(MEASURES["delivered"], age=duration(age), slow="", code="")] if age else []


def _draw(ax: Axes, shown: pd.DataFrame) -> Drawn:
    for row, one in enumerate(shown.to_dict("records")):
        ax.barh(row, one["usual_high"] - one["usual_low"], left=one["usual_low"], height=0.5, color=GREY, alpha=0.6)
        worse = one["observed"] < one["usual_low"]
        ax.plot(
            one["observed"], row, "o", ms=8, color=VERMILION if worse or one["measure"] in ("slow", "code") else BLUE
        )
    ends = shown[["observed", "usual_low", "usual_high"]].to_numpy(dtype=float)
    margin = max(0.06 * (ends.max() - ends.min()), 0.005)
    ax.set_xlim(max(-margin / 2, ends.min() - margin), min(1 + margin / 2, ends.max() + margin))
    percent_axis(ax.xaxis)
    ax.grid(axis="x", color=LINE, lw=0.8)
    when = [_span(one) for one in shown.to_dict("records")]
    seen = [f"{percent(one['observed'])}  n={count(one['messages'])}" for one in shown.to_dict("records")]
    beside_rows(ax, [seen, when], give_up=(1, 0))
    return Drawn(legend=_legend())


def _span(one: Any) -> str:
    first, end = one["time"], one["until"]
    in_days = all(at == at.normalize() for at in (first, end))
    shape = "%m-%d" if in_days else "%m-%d %H:%M"
    last = end - pd.Timedelta(days=1) if in_days else end
    start = first.strftime(shape)
    if one.get("going_on"):
        return _("since {start}", start=start)
    return start if last == first else f"{start} – {last.strftime(shape)}"


def _legend() -> list[tuple[Artist, str]]:
    return [
        (Line2D([], [], marker="o", ms=8, lw=0, color=VERMILION), _("seen")),
        (Patch(color=GREY, alpha=0.6), _("usual (19 of 20 cases)")),
    ]
