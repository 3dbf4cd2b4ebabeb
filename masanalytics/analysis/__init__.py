"""Analysis: a bare noun computes; messages in, DataFrame out.

Every function takes a Store or a frame of messages (pandas, polars, DuckDB, Spark), asks it for one grouped count, and
is exact arithmetic on that small table. What each result rests on stands in its ``.attrs`` (see `notes_of`).
"""

from __future__ import annotations

from masanalytics.analysis.arrivals import arrivals
from masanalytics.analysis.changes import explain_change
from masanalytics.analysis.comparing import compare
from masanalytics.analysis.error_table import error_codes
from masanalytics.analysis.hygiene import HealthRule, number_health
from masanalytics.analysis.latencies import latency
from masanalytics.analysis.money import costs
from masanalytics.analysis.rates import delivery_rates
from masanalytics.analysis.results import notes_of
from masanalytics.analysis.steps import steps
from masanalytics.analysis.timelines import timeline
from masanalytics.analysis.uplinks import replies

__all__ = [
    "HealthRule",
    "arrivals",
    "compare",
    "costs",
    "delivery_rates",
    "error_codes",
    "explain_change",
    "latency",
    "notes_of",
    "number_health",
    "replies",
    "steps",
    "timeline",
]


def __dir__() -> list[str]:
    """Offer what is meant for use, not the modules it is made in."""
    return list(__all__)
