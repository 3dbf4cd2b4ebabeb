"""A round with a silent arm as `uplift` asks for it, made of frames, without a file and without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.clock import ManualClock

AT = 1_767_225_600  # 2026-01-01 08:00 in China


class SilentStore:
    """People of told arms, and of one that got nothing.

    Parameters
    ----------
    told : mapping of str to int
        Arm -> how many people; their numbers run from 13800000000, those of the silent arm from 13900000000.
    silent : int
        How many got nothing, in the arm ``hold``.
    **columns
        Columns of the messages, in place of those that everybody delivered at once has.
    """

    def __init__(self, told: dict[str, int], silent: int, **columns: Any) -> None:
        count = sum(told.values())
        arms = np.repeat(np.array(list(told), dtype=object), list(told.values()))
        self.messages = pd.DataFrame(
            {
                "message_id": np.arange(1, count + 1), "campaign": "c", "round": "", "arm": pd.array(arms, dtype="str"),
                "phone": pd.array([f"138{n:08d}" for n in range(count)], dtype="str"), "status": "delivered", "segments": 1,
                "submitted_at": pd.to_datetime(AT, unit="s", utc=True).tz_convert("Asia/Shanghai"),
            }
            | columns
        )  # fmt: skip
        self.silent = pd.DataFrame(
            {"phone": pd.array([f"139{n:08d}" for n in range(silent)], dtype="str"), "arm": "hold"}
        ).astype({"arm": "str"})
        self.clock = ManualClock(start=AT + 30 * 86_400.0)
        self.message_source = PandasMessages(self.messages)

    def held_out(self, _campaign: str | None = None, _round: str | None = None) -> pd.DataFrame:
        """Return who got nothing."""
        return self.silent


def events(phones: Any, after_s: Any = 3600, **columns: Any) -> pd.DataFrame:
    """Return an event of each of these people, so many seconds after the message."""
    frame = pd.DataFrame({"phone": list(phones), **columns})
    times = pd.to_datetime(AT + np.broadcast_to(np.asarray(after_s), len(frame)), unit="s", utc=True)
    return frame.assign(at=times.tz_convert("Asia/Shanghai") if len(frame) else times)
