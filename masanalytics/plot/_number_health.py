"""How many numbers of a list are good, doubtful, dead or blocked."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from masanalytics.i18n import choose
from masanalytics.plot import chart
from masanalytics.plot.inputs import result_of
from masanalytics.plot.words import count, percent

__all__ = ["number_health"]

_COLUMNS = ("phone", "verdict")
_VERDICTS = {
    "good": ("good", "正常", chart.BLUE),
    "doubtful": ("doubtful", "存疑", chart.ORANGE),
    "dead": ("dead", "失效", chart.VERMILION),
    "blocked": ("blocked", "被拦截", chart.INK),
}


def number_health(data: Any, *, ax: Axes | None = None, language: str | None = None, **keywords: Any) -> Axes:
    """Draw how many numbers have which verdict. No number itself is shown.

    Parameters
    ----------
    data : Store, DataFrame of messages, or result of ``number_health``
        A result needs ``phone`` and ``verdict``.
    **keywords
        Handed to ``number_health`` when `data` holds messages.
    ax : Axes, optional
        Where to draw; by default a new figure.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import pandas as pd
    >>> ax = number_health(pd.DataFrame({"phone": ["13800138000"], "verdict": ["good"]}), language="en")
    >>> [float(bar.get_width()) for bar in ax.patches]
    [1.0, 0.0, 0.0, 0.0]
    """
    result = result_of(data, "number_health", _COLUMNS, **keywords)
    numbers = result.attrs.get("verdicts") or result["verdict"].value_counts().to_dict()
    others = [str(verdict) for verdict in numbers if verdict not in _VERDICTS]
    verdicts = [*_VERDICTS, *others]
    with chart.canvas(ax, height=chart.row_height(len(verdicts))) as axes:
        chart.title(axes, "State of the numbers", "号码健康状况", language)
        if result.empty:
            chart.say_nothing_to_show(axes, language, "No numbers to show", "没有可显示的号码")
        else:
            words = {name: choose(en, zh, language) for name, (en, zh, _) in _VERDICTS.items()}
            words["unseen"] = choose("never written to", "从未发送过", language)
            chart.name_rows(axes, [words.get(verdict, verdict) for verdict in verdicts])
            found = [int(numbers.get(verdict, 0)) for verdict in verdicts]
            colours = [_VERDICTS.get(verdict, ("", "", chart.GREY))[2] for verdict in verdicts]
            axes.barh(range(len(verdicts)), found, height=0.6, color=colours)
            shares = [percent(n / len(result)) for n in found]
            chart.beside_rows(axes, [[count(n) for n in found], shares], give_up=(1,))
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.set_xlim(0, max(numbers.values()) * 1.02)
            axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
            axes.grid(axis="x", color=chart.LINE, lw=0.8)
            axes.set_xlabel(choose(f"numbers (of {len(result):,})", f"号码数（共 {len(result):,} 个）", language))
        chart.source_line(axes, result.attrs, language)
    return axes
