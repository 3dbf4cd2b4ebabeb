"""Collecting: from the platform's two queues into the store, losing nothing."""

from masanalytics.collecting.collector import Collector
from masanalytics.collecting.result import Collected

__all__ = ["Collected", "Collector"]
