"""Plan a campaign: who gets what, in which requests, at what price; and who does not, and why. Nothing leaves the process."""

from __future__ import annotations

from masanalytics.planning.batches import Limits
from masanalytics.planning.ledger import Ledger, Sender
from masanalytics.planning.lint import PlanWarning
from masanalytics.planning.plan import plan
from masanalytics.planning.planned import Plan, PlannedBatch
from masanalytics.planning.splitting import split

__all__ = ["Ledger", "Limits", "Plan", "PlanWarning", "PlannedBatch", "Sender", "plan", "split"]
