"""Analysis: a bare noun computes; messages in, DataFrame out.

Every function takes a Store or a frame of messages (pandas, polars, DuckDB, Spark), asks it for one grouped count, and
is exact arithmetic on that small table. What each result rests on stands in its ``.attrs`` (see `notes_of`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from masanalytics.analysis._anomalies import anomalies
from masanalytics.analysis._arrivals import arrivals
from masanalytics.analysis._backtest import backtest
from masanalytics.analysis._compare import compare
from masanalytics.analysis._costs import costs
from masanalytics.analysis._delivery_rates import delivery_rates
from masanalytics.analysis._error_codes import error_codes
from masanalytics.analysis._explain_change import explain_change
from masanalytics.analysis._fatigue import fatigue
from masanalytics.analysis._funnel import funnel
from masanalytics.analysis._latency import latency
from masanalytics.analysis._number_health import HealthRule, number_health
from masanalytics.analysis._reconciliation import reconciliation
from masanalytics.analysis._replies import replies
from masanalytics.analysis._sample_size import sample_size
from masanalytics.analysis._suppression_value import suppression_value
from masanalytics.analysis._timeline import timeline
from masanalytics.analysis._uplift import uplift
from masanalytics.analysis.results import notes_of
from masanalytics.near_names import no_name

__all__ = [
    "HealthRule",
    "anomalies",
    "arrivals",
    "backtest",
    "compare",
    "costs",
    "delivery_rates",
    "error_codes",
    "explain_change",
    "fatigue",
    "funnel",
    "latency",
    "notes_of",
    "number_health",
    "reconciliation",
    "replies",
    "sample_size",
    "suppression_value",
    "timeline",
    "uplift",
]

steps = funnel  # its name until the next release


def __dir__() -> list[str]:
    """Offer what is meant for use, not the modules it is made in."""
    return list(__all__)


if not TYPE_CHECKING:  # a type checker shall not take any name for one

    def __getattr__(name: str) -> NoReturn:
        """Say which name was meant."""
        raise no_name("masanalytics.analysis", name, __all__)
