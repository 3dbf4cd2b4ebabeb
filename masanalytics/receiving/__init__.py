"""Receiving: what the platform pushes to HTTP accounts, taken into the same ledger as polls.

`receiver` is the face. `door` is the listening socket: who may connect, and for how long. `push_app` answers requests, `keeper`
makes them durable and reads them, `forwarder` passes them on, `service` runs it all for as long as a machine runs.
"""

from masanalytics.receiving.door import ReceiverLimits
from masanalytics.receiving.receiver import Receiver

__all__ = ["Receiver", "ReceiverLimits"]
