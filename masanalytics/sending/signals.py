"""Ctrl-C during a run: finish what is under way, then stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["deferred_interrupt"]


@contextmanager
def deferred_interrupt(on_first: Callable[[], None]) -> Iterator[None]:
    """Call `on_first` at the first Ctrl-C (or interrupted kernel) and raise KeyboardInterrupt only at the end.

    An exception raised in the middle of a run could fall between a claim and its request. A second Ctrl-C interrupts at
    once all the same. Outside the main thread, where Python delivers no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.getsignal(signal.SIGINT)
    interrupted = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        on_first()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
