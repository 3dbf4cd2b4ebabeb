"""The interface of Cloud MAS, one method a call: `Client` and what its methods answer."""

from __future__ import annotations

from masanalytics.client.client import Client
from masanalytics.client.outcomes import SubmitResult
from masanalytics.client.trust import known_hosts_path
from masanalytics.protocol import PollAnswer

__all__ = ["Client", "PollAnswer", "SubmitResult", "known_hosts_path"]
