"""Sending: from a plan to the platform, each number at most once."""

from masanalytics.sending._send import send
from masanalytics.sending.canary import Canary
from masanalytics.sending.result import SendResult
from masanalytics.sending.settling import settle

__all__ = ["Canary", "SendResult", "send", "settle"]
