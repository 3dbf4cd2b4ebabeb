"""Plan a campaign: who gets what, in which requests, at what price; and who does not, and why. Nothing leaves the process."""

from __future__ import annotations

from masanalytics.planning._plan import plan
from masanalytics.planning._split import split
from masanalytics.planning.batching import Limits
from masanalytics.planning.content_checks import PlanWarning
from masanalytics.planning.ledger import Ledger, Sender
from masanalytics.planning.planned import Plan, PlannedBatch

__all__ = ["Ledger", "Limits", "Plan", "PlanWarning", "PlannedBatch", "Sender", "plan", "split"]
