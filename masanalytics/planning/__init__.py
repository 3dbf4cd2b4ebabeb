"""Plan a campaign: who gets what, in which requests, at what price; and who does not, and why. Nothing leaves the process."""

from __future__ import annotations

from masanalytics.planning._plan import plan
from masanalytics.planning._split import split
from masanalytics.planning.batching import Limits
from masanalytics.planning.plan_warnings import PlanWarning
from masanalytics.planning.planned import Plan
from masanalytics.planning.planned_messages import PlannedBatch

__all__ = ["Limits", "Plan", "PlanWarning", "PlannedBatch", "plan", "split"]
