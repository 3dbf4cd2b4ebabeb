"""Charts: each takes what the analysis function of its name takes, or its result, and returns the Axes.

>>> import masanalytics as mas
>>> sorted(name for name in dir(mas.plot) if not name.startswith("_") and name in mas.plot.__all__)[:3]
['compare', 'delivery_rates', 'error_codes']

Every chart takes ``ax=`` (where to draw) and ``language=`` (``"en"`` or ``"zh"``), changes no setting of matplotlib, and
shows Chinese also where no Chinese font is installed. For charts of your own there is `use_chinese_font`.
"""

from masanalytics.plot.arms import compare
from masanalytics.plot.arrival import latency
from masanalytics.plot.course import timeline
from masanalytics.plot.fonts import use_chinese_font
from masanalytics.plot.health import number_health
from masanalytics.plot.panels import overview
from masanalytics.plot.pareto import error_codes
from masanalytics.plot.rates import delivery_rates
from masanalytics.plot.steps import funnel
from masanalytics.plot.waterfall import explain_change
from masanalytics.plot.week import heatmap

__all__ = [
    "compare",
    "delivery_rates",
    "error_codes",
    "explain_change",
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
