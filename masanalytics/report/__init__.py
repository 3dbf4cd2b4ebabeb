"""A report to hand to someone who has no Python: one HTML page, or one Excel file; and a view that follows a campaign."""

from __future__ import annotations

from masanalytics.report._watch import watch
from masanalytics.report._write_report import write_report

__all__ = ["watch", "write_report"]
