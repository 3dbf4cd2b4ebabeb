"""Charts: each takes what the analysis function of its name takes, or its result, and returns the Axes.

>>> import masanalytics as mas
>>> sorted(name for name in dir(mas.plot) if not name.startswith("_") and name in mas.plot.__all__)[:3]
['anomalies', 'backtest', 'compare']

Every chart takes ``ax=`` (where to draw) and ``language=`` (``"en"`` or ``"zh"``), changes no setting of matplotlib, and
shows Chinese also where no Chinese font is installed. For charts of your own there is `use_chinese_font`.
"""

from typing import TYPE_CHECKING, NoReturn

from masanalytics.near_names import no_name
from masanalytics.plot._anomalies import anomalies
from masanalytics.plot._backtest import backtest
from masanalytics.plot._compare import compare
from masanalytics.plot._delivery_rates import delivery_rates
from masanalytics.plot._error_codes import error_codes
from masanalytics.plot._explain_change import explain_change
from masanalytics.plot._fatigue import fatigue
from masanalytics.plot._funnel import funnel
from masanalytics.plot._heatmap import heatmap
from masanalytics.plot._latency import latency
from masanalytics.plot._number_health import number_health
from masanalytics.plot._overview import overview
from masanalytics.plot._timeline import timeline
from masanalytics.plot.fonts import use_chinese_font

__all__ = [
    "anomalies",
    "backtest",
    "compare",
    "delivery_rates",
    "error_codes",
    "explain_change",
    "fatigue",
    "funnel",
    "heatmap",
    "latency",
    "number_health",
    "overview",
    "timeline",
    "use_chinese_font",
]


def __dir__() -> list[str]:
    """Offer what is meant for use, not the modules it is made in."""
    return list(__all__)


if not TYPE_CHECKING:  # a type checker shall not take any name for one

    def __getattr__(name: str) -> NoReturn:
        """Say which name was meant."""
        raise no_name("masanalytics.plot", name, __all__)
