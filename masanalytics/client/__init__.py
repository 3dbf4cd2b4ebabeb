"""The interface of Cloud MAS, one method a call: `Client` and what its methods answer."""

from __future__ import annotations

from masanalytics.client.client import Client
from masanalytics.client.outcomes import PollAnswer, SubmitResult
from masanalytics.client.trust import known_hosts_path

__all__ = ["Client", "PollAnswer", "SubmitResult", "known_hosts_path"]
