"""The user's word on a batch whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["settle"]


def settle(store: Store, batch_id: int, outcome: Literal["accepted", "not_sent"]) -> None:
    """Say what became of a batch whose outcome is unknown, where reports and silence do not tell.

    Parameters
    ----------
    store : Store
        Where the batch is recorded.
    batch_id : int
        From ``store.batches(state="unknown")``, whose ``verdict`` says what the silence means.
    outcome : {"accepted", "not_sent"}
        ``not_sent`` lets the next `send` of the campaign send it: be sure. ``accepted`` waits for its reports.

    Raises
    ------
    InputError
        If there is no such batch of unknown outcome.
    """
    store.settle(batch_id, outcome)
