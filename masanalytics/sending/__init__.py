"""Sending: from a plan to the platform, each number at most once."""

from masanalytics.sending._send import send
from masanalytics.sending.canary import Canary
from masanalytics.sending.send_result import SendResult

__all__ = ["Canary", "SendResult", "send"]
