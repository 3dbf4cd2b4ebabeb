"""A view that redraws itself while reports come in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import escape

from masanalytics import analysis, plot
from masanalytics.aliases import Filter, Messages
from masanalytics.analysis.sources import as_source
from masanalytics.clock import Clock, SystemClock
from masanalytics.formatting import count, percent
from masanalytics.i18n import _, speaks
from masanalytics.masking import mask_phones_in
from masanalytics.near_names import named_arguments
from masanalytics.plot.chart import as_of_text
from masanalytics.report.pictures import Picture
from masanalytics.report.tables import RATES

__all__ = ["Glance", "glance", "watch"]

_LEAST_ARMS, _MOST_ARMS = 2, 4


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
    figures : sequence of (str, str)
        Name and value of each figure, in the language that was asked for.
    as_of : str
        What it was computed from, and up to when.
    arms : str
        How the arms of a split campaign compare, as it may be read at any time; empty where there are no arms.
    """

    rates: pd.DataFrame
    title: str
    curve: str
    figures: Sequence[tuple[str, str]]
    as_of: str
    arms: str = ""

    @property
    def accepted(self) -> int:
        """How many messages the platform took."""
        return 0 if self.rates.empty else int(self.rates["accepted"].iloc[0])

    @property
    def settled(self) -> bool:
        """Whether no accepted message is waiting for its report any more."""
        return self.accepted > 0 and not self.rates["pending"].iloc[0]

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value}" for name, value in self.figures)
        return " ".join(part for part in (f"{self.title}: {figures}.", self.as_of, self.arms) if part)

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<div style="border:1px solid #d8dee4;border-radius:6px;padding:6px 12px">'
            f'<div style="color:#59636e;font-size:85%">{escape(name)}</div><div>{escape(value)}</div></div>'
            for name, value in self.figures
        )
        return (
            f'<div><div style="font-size:115%">{escape(self.title)}</div>'
            f'<div style="color:#59636e;font-size:85%">{escape(self.as_of)}</div>'
            f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin:8px 0">{cells}</div>'
            f"<div>{escape(self.arms)}</div>"
            f'<div style="max-width:720px">{self.curve}</div></div>'
        )


@speaks
def glance(data: Messages, campaign: str | None = None, *, language: str | None = None, **where: Filter) -> Glance:
    """Return how a campaign stands now: counts, rate with interval, and the curve of arrivals.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
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
    filters = {**where, **({} if campaign is None else {"campaign": campaign})}
    rates = analysis.delivery_rates(data, **filters)
    title = mask_phones_in(campaign) if campaign else _("all messages")
    curve = ""
    if not rates.empty and rates["accepted"].iloc[0]:
        picture = Picture(3.6, lambda ax: plot.latency(data, ax=ax, **filters))
        curve = picture.as_svg(name="live", label=_("How fast messages arrive"))
    arms = _arms(data, filters)
    return Glance(rates, title, curve, _figures(rates), as_of_text(rates.attrs), arms)


def _arms(data: Messages, filters: dict[str, Any]) -> str:
    """Return how the arms compare, as it may be read as often as `watch` looks; nothing where there are no two, or too many."""
    if "arm" not in as_source(data).message_columns():
        return ""
    arms = analysis.delivery_rates(data, by="arm", history=None, **filters)
    if not _LEAST_ARMS <= int(arms["arm"].notna().sum()) <= _MOST_ARMS:
        return ""
    return " ".join(analysis.compare(data, "arm", always_valid=True, **filters)["sentence"])


def _figures(rates: pd.DataFrame) -> list[tuple[str, str]]:
    names = {column.key: str(column.heading).lower() for column in RATES}
    if rates.empty or not rates["accepted"].iloc[0]:
        return [(names["accepted"], "0")]
    row: dict[Any, Any] = rates.iloc[0].to_dict()
    figures = [(names[key], count(row[key])) for key in ("accepted", "delivered", "failed", "pending")]
    rate, low, high = (percent(row[key]) for key in ("delivery_rate", "low", "high"))
    figures.append((names["delivery_rate"], f"{rate} ({low}–{high})"))
    if pd.notna(row.get("expected_rate")) and row["pending"]:
        figures.append((names["expected_rate"], percent(row["expected_rate"])))
    return figures


@named_arguments
@speaks
def watch(
    data: Messages,
    campaign: str | None = None,
    *,
    every: float = 5.0,
    timeout: float | None = None,
    language: str | None = None,
    clock: Clock | None = None,
    show: Callable[[Glance], object] | None = None,
    **where: Filter,
) -> Glance:
    """Redraw how a campaign stands, until every report is in, time is up, or you interrupt it.

    It only looks: reports are fetched by a collector that runs in the background (``collector.start()``). Arms of a split campaign
    are compared with an interval that holds however often it is read (`compare`, ``always_valid=True``).

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
    seen = glance(data, campaign, **where)
    try:
        put(seen)
        while not seen.settled and (end is None or time.monotonic() < end):
            time.sleep(every)
            now = glance(data, campaign, **where)
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
    return _Shown(**vars(seen), cell=shell.execution_count)


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
