"""A view that redraws itself while reports come in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import escape

from masanalytics import analysis, plot
from masanalytics.clock import Clock, SystemClock
from masanalytics.i18n import choose, speaks, use_language
from masanalytics.masking import mask_phones_in
from masanalytics.plot.chart import as_of_text
from masanalytics.plot.words import count, percent
from masanalytics.report.pictures import as_svg

__all__ = ["Glance", "glance", "watch"]


@dataclass(frozen=True)
class Glance:
    """How a campaign stands at one moment; shows itself as HTML in a notebook and as one line elsewhere.

    Attributes
    ----------
    rates : DataFrame
        The result of ``delivery_rates`` for all messages together.
    title : str
        What is looked at.
    curve : str
        The curve of arrivals as SVG; empty where nothing was accepted.
    language : str, optional
        Of the texts.
    """

    rates: pd.DataFrame
    title: str
    curve: str
    language: str | None = None

    @property
    def accepted(self) -> int:
        """How many messages the platform took."""
        return 0 if self.rates.empty else int(self.rates["accepted"].iloc[0])

    @property
    def settled(self) -> bool:
        """Whether no accepted message is waiting for its report any more."""
        return self.accepted > 0 and not self.rates["pending"].iloc[0]

    def _figures(self) -> list[tuple[str, str]]:
        if not self.accepted:
            return [(choose("accepted", "受理", self.language), "0")]
        row: dict[Any, Any] = self.rates.iloc[0].to_dict()
        words = {"accepted": "受理", "delivered": "送达", "failed": "失败", "pending": "待回执"}
        figures = [(choose(name, zh, self.language), count(row[name])) for name, zh in words.items()]
        rate, low, high = (percent(row[name]) for name in ("delivery_rate", "low", "high"))
        figures.append((choose("delivery rate", "送达率", self.language), f"{rate} ({low}–{high})"))
        if pd.notna(row.get("expected_rate")) and row["pending"]:
            figures.append((choose("expected", "预计最终", self.language), percent(row["expected_rate"])))
        return figures

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value}" for name, value in self._figures())
        with use_language(self.language):
            return f"{self.title}: {figures}. {as_of_text(self.rates.attrs)}".rstrip()

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<div style="border:1px solid #d8dee4;border-radius:6px;padding:6px 12px">'
            f'<div style="color:#59636e;font-size:85%">{escape(name)}</div><div>{escape(value)}</div></div>'
            for name, value in self._figures()
        )
        with use_language(self.language):
            as_of = as_of_text(self.rates.attrs)
        return (
            f'<div><div style="font-size:115%">{escape(self.title)}</div>'
            f'<div style="color:#59636e;font-size:85%">{escape(as_of)}</div>'
            f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin:8px 0">{cells}</div>'
            f'<div style="max-width:720px">{self.curve}</div></div>'
        )


@speaks
def glance(data: Any, campaign: str | None = None, *, language: str | None = None, **where: Any) -> Glance:
    """Return how a campaign stands now: counts, rate with interval, and the curve of arrivals.

    Parameters
    ----------
    data : Store, or DataFrame of messages
        As the analysis takes it.
    campaign : str, optional
        Only this campaign.
    language : {"en", "zh"}, optional
        By default the user's own.
    **where
        Further filters, as for ``delivery_rates``.

    Examples
    --------
    >>> messages = pd.DataFrame({"status": ["delivered", "pending"], "latency_s": [3, None], "waited_s": [60, 60]})
    >>> glance(messages, language="en")
    all messages: accepted 2, delivered 1, failed 0, pending 1, delivery rate 50.0% (9.5%–90.5%).
    """
    given = {**where, **({} if campaign is None else {"campaign": campaign})}
    rates = analysis.delivery_rates(data, **given)
    title = mask_phones_in(campaign) if campaign else choose("all messages", "全部短信", language)
    curve = ""
    if not rates.empty and rates["accepted"].iloc[0]:
        name = choose("How fast messages arrive", "送达速度", language)
        curve = as_svg(
            lambda ax: plot.latency(data, ax=ax, language=language, **given), name="live", label=name, height=3.6
        )
    return Glance(rates, title, curve, language)


@speaks
def watch(
    data: Any,
    campaign: str | None = None,
    *,
    every: float = 5.0,
    timeout: float | None = None,
    language: str | None = None,
    clock: Clock | None = None,
    show: Callable[[Glance], object] | None = None,
    **where: Any,
) -> Glance:
    """Redraw how a campaign stands, until every report is in, time is up, or you interrupt it.

    It only looks: reports are fetched by a collector that runs in the background (``collector.start()``).

    Parameters
    ----------
    data : Store
        Where the collector writes.
    campaign : str, optional
        Only this campaign.
    every : float
        Seconds between two looks.
    timeout : float, optional
        Stop after so many seconds, settled or not.
    language : {"en", "zh"}, optional
        By default the user's own.
    clock : Clock, optional
        What time is read from and waited on.
    show : function, optional
        Is given each view instead of the notebook's output, or the terminal's.
    **where
        Further filters, as for ``delivery_rates``.

    Returns
    -------
    Glance
        The last view. Interrupting is no error: it returns what was seen last.
    """
    time = clock or SystemClock()
    put = show or _output()
    end = None if timeout is None else time.monotonic() + timeout
    seen = glance(data, campaign, language=language, **where)
    try:
        put(seen)
        while not seen.settled and (end is None or time.monotonic() < end):
            time.sleep(every)
            now = glance(data, campaign, language=language, **where)
            if repr(now) != repr(seen):
                put(now)
            seen = now
    except KeyboardInterrupt:
        pass
    return _returned(seen) if show is None else seen


@dataclass(frozen=True)
class _Shown(Glance):
    """A view that is on display already in the cell it is returned from: as that cell's result it is not shown again."""

    cell: int = -1

    def _ipython_display_(self) -> None:
        shell = _shell()
        if shell is None or shell.execution_count != self.cell:
            raise NotImplementedError  # IPython's way to go on as usual


def _returned(seen: Glance) -> Glance:
    shell = _shell()
    if shell is None:
        return seen
    return _Shown(seen.rates, seen.title, seen.curve, seen.language, cell=shell.execution_count)


def _shell() -> Any:
    """Return the running IPython, None outside of one."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def _output() -> Callable[[Glance], object]:
    """Return what shows a view: one output of the notebook that is replaced, or a line of the terminal."""
    if _shell() is None:
        return lambda seen: sys.stdout.write(f"{seen!r}\n")
    from IPython.display import DisplayHandle

    handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    ways = iter([handle.display])

    def replace(seen: Glance) -> None:
        next(ways, handle.update)(seen)

    return replace
