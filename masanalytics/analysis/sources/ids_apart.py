"""Ids of several stores in one frame: each store counts its batches and messages from 1, so they are told apart by account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd

    from masanalytics.analysis.sources.ledger_parts import LedgerPart

__all__ = ["APART", "IDS", "TellsIdsApart", "are_told_apart", "id_places", "shifts_by_account", "told_apart"]

APART: Final = 10**12
"""So far apart are the ids of two sources of a list."""
IDS: Final = ("batch_id", "message_id")
"""What each store counts from 1."""
_WITHIN: Final = 10**10
"""So far apart are the ids of two accounts of one frame: a hundred of them have room between two sources."""


def id_places(known: Sequence[LedgerPart | None]) -> list[int]:
    """Return for each part how many times `APART` is added to its ids: nothing to the first, and to parts of one store the same."""
    owners: list[object] = [number if one is None else one.ledger for number, one in enumerate(known)]
    distinct = list(dict.fromkeys(owners))
    return [distinct.index(owner) for owner in owners]


@runtime_checkable
class TellsIdsApart(Protocol):
    """A source whose ids may be others than those of the stores that its messages come from."""

    def shifts_of_accounts(self) -> Mapping[str, int]:
        """Return account -> what its ids have added; nothing where all are as they were."""
        ...


def are_told_apart(ids: pd.Series) -> bool:
    """Return whether ids are those of a source that tells several stores apart: no store has counted so far.

    Examples
    --------
    >>> import pandas as pd
    >>> are_told_apart(pd.Series([1, 2])), are_told_apart(pd.Series([1, None, 10**12 + 1]))
    (False, True)
    """
    return bool((ids.dropna().astype("int64") >= _WITHIN).any())


def shifts_by_account(frame: Any, collect: Callable[[Any], pd.DataFrame]) -> Mapping[str, int]:
    """Return account -> what its ids have to have added; nothing where no id is that of two accounts.

    A batch is of one account, and so is a message: a number that two of them have is two.

    Parameters
    ----------
    frame : narwhals frame
        Messages.
    collect : callable
        Runs a query and brings what comes of it.

    Examples
    --------
    >>> import pandas as pd, narwhals as nw
    >>> frame = nw.from_native(pd.DataFrame({"account": ["a", "b", "b"], "batch_id": [1, 1, 2]}))
    >>> shifts_by_account(frame, nw.to_native), shifts_by_account(frame.filter(nw.col("batch_id") == 1).head(1), nw.to_native)
    ({'a': 0, 'b': 10000000000}, {})
    """
    import narwhals as nw

    schema = frame.collect_schema()
    numbers = [name for name in IDS if name in schema and schema[name].is_numeric()]
    if not numbers or "account" not in schema:
        return {}
    number = numbers[0]
    known = frame.select("account", number).filter(~nw.col("account").is_null() & ~nw.col(number).is_null()).unique()
    accounts = sorted(collect(known.select("account").unique())["account"].astype("str"))
    if len(accounts) < 2:
        return {}
    counted = collect(known.select(pairs=nw.len(), ids=nw.col(number).n_unique()))
    if int(counted["pairs"].iloc[0]) == int(counted["ids"].iloc[0]):
        return {}
    return {account: place * _WITHIN for place, account in enumerate(accounts)}


def told_apart(frame: Any, shifts: Mapping[str, int]) -> Any:
    """Return the frame with its ids told apart.

    Examples
    --------
    >>> import pandas as pd, narwhals as nw
    >>> frame = nw.from_native(pd.DataFrame({"account": ["a", "b"], "batch_id": [1, 1]}))
    >>> nw.to_native(told_apart(frame, {"a": 0, "b": 10}))["batch_id"].tolist()
    [1, 11]
    """
    import narwhals as nw

    shift: Any = nw.lit(0)
    for account, added in shifts.items():
        if added:
            shift = nw.when(nw.col("account") == account).then(nw.lit(added)).otherwise(shift)
    schema = frame.collect_schema()
    ids = {name: nw.col(name) + shift for name in IDS if name in schema and schema[name].is_numeric()}
    return frame.with_columns(**ids) if any(shifts.values()) else frame
