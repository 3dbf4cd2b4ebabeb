"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Return as soon as something has become true; fail where it does not."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {within_s:g} seconds"
        time.sleep(0.01)
