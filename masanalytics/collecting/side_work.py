"""What is done beside collecting, and must never end it: lines to somebody, files for monitoring, notes to neighbours."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

__all__ = ["do_quietly", "log_quietly"]

_LOG = logging.getLogger(__name__)


def do_quietly(work: Callable[[], object], what: str) -> bool:
    """Do side work and return whether it succeeded; where it fails, log that and go on.

    A line that cannot be written (a full disk under the log, a terminal that is gone) is worth less than the answer whose storing
    it would interrupt.

    Examples
    --------
    >>> do_quietly(lambda: None, "a line")
    True
    >>> do_quietly(lambda: 1 / 0, "a line")
    False
    """
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, collecting goes on
        failure = f"{type(error).__name__}: {error}"
        log_quietly(_LOG, "%s could not be written: %s", what, failure)
        return False
    return True


def log_quietly(log: logging.Logger, message: str, *values: object, trace: bool = False) -> None:
    """Log a warning; a handler that fails is none of collecting's concern."""
    with contextlib.suppress(Exception):  # there is nowhere left to say it
        log.warning(message, *values, exc_info=trace)
