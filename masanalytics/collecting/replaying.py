"""Reading every kept answer again, after an upgrade or a doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from masanalytics.store import poll_ingestion

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["replay"]


def replay(store: Store) -> int:
    """Rebuild reports, uplinks and message outcomes from the raw answers alone.

    Doing it twice gives the same tables as doing it once. Answers whose raw text was pruned keep what they brought.

    Parameters
    ----------
    store : Store
        Whose answers are read again.

    Returns
    -------
    int
        How many answers were read.
    """
    with store.writing(durable=True) as conn:
        return poll_ingestion.replay(conn, store.opt_out_words)
