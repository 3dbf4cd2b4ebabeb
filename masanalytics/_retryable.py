"""Which failed messages of a campaign are worth another try, and from when on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from masanalytics.argument_kinds import NAME, STORE, takes
from masanalytics.codes import describe_code
from masanalytics.errors import unknown_name
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.store import Archive, Store
from masanalytics.text import plain_name
from masanalytics.vocabulary import ACCEPTED, MESSAGE_COLUMNS, NOT_KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from masanalytics.aliases import Booleans

__all__ = ["retryable"]

_TRIES: Final = 3
_OUT: Final = (*ACCEPTED, "unknown")


@named_arguments
@takes(store=STORE, campaign=NAME, round=NAME)
def retryable(store: Store | Archive, campaign: str, round: str = "") -> pd.DataFrame:  # noqa: A002
    """Return the failed messages of a round that are worth sending again, to be planned as another round.

    Parameters
    ----------
    store : Store
        Where the campaign is recorded.
    campaign : str
        The campaign.
    round : str, optional
        The name of the round whose failures are looked at; empty for the first.

    Returns
    -------
    DataFrame
        One row a message: ``phone``, the columns that the campaign's plan kept (and ``arm`` and ``key`` where it had them),
        ``error_code, action`` (always ``retry_later``), ``tries`` (int: how often the campaign was sent to the number
        already), ``not_before`` (Asia/Shanghai: its report's time and the code's ``retry_after``). Not in it is who was
        reached since by any campaign, was sent this one again since (that round's failures are asked for by its name),
        opted out, or was tried three times. Nor are messages of unknown outcome: they may have arrived. Empty where nothing is worth it; ``.attrs["notes"]`` says so.

    Raises
    ------
    InputError
        If there is no such campaign or round.

    Examples
    --------
    >>> import masanalytics as mas
    >>> people = pd.DataFrame({"phone": ["13800138000", "13900139000"], "门店": ["甲", "乙"]})
    >>> with mas.Simulator(https=False, behaviour={}) as sim, mas.Store(":memory:") as store:
    ...     _ = mas.send(people, sim.client(), store, phone="phone", text="hi", campaign="c", keep="门店", progress=False)
    ...     again = mas.retryable(store, "c")
    >>> list(again), mas.notes_of(again, "en")
    (['phone', '门店', 'error_code', 'action', 'tries', 'not_before'], ['no failed message of this round is worth another try'])
    """
    store.sends.check_campaign(campaign)
    if not isinstance(store, Archive):
        store.sends.refuse_archived(campaign)
    every = store.messages(campaign)
    rounds = sorted(set(every["round"].dropna()))
    if plain_name(round) not in rounds:
        raise unknown_name(Text("round"), round, rounds)
    failed = every[every["round"].eq(plain_name(round)) & every["status"].eq("failed")]
    worth = _worth_it(failed)
    worth = worth.assign(tries=_tries(every, worth))
    worth = worth[(worth["tries"] < _TRIES) & ~_tried_since(every, worth) & ~_reached_since(store, worth)]
    worth = worth[~store.sends.opted_out(worth["phone"].tolist())]
    own = [name for name in every if name not in MESSAGE_COLUMNS and not every[name].eq(NOT_KEPT).all()]
    also = [name for name in ("arm", "key") if every[name].notna().any()]
    table = worth.reset_index(drop=True)[["phone", *own, *also, "error_code", "action", "tries", "not_before"]]
    note = Text("no failed message of this round is worth another try", code="nothing_to_retry")
    table.attrs["notes"] = [] if len(table) else [note.as_json()]
    return table


def _worth_it(failed: pd.DataFrame) -> pd.DataFrame:
    """Return the failures whose code says that another try may pass, with when; the latest of each message's."""
    pairs = failed[["error_code", "carrier"]].drop_duplicates()
    known = [
        describe_code(None if pd.isna(code) else code, carrier=carrier)
        for code, carrier in pairs.itertuples(index=False)
    ]
    pairs = pairs.assign(
        action=pd.array([one.action for one in known], dtype="str"),
        retry_after=pd.array([one.retry_after for one in known], dtype="Int64"),
    )
    joined = failed.merge(pairs, on=["error_code", "carrier"], how="left")
    joined = joined[joined["action"].eq("retry_later")]
    at = joined["received_at"].fillna(joined["submitted_at"])
    after = pd.to_timedelta(joined["retry_after"].astype("float64"), unit="s")
    return joined.assign(not_before=(at + after).dt.as_unit("s"))


def _identity(messages: pd.DataFrame) -> pd.MultiIndex:
    """Return what tells the messages of a round apart: number and key."""
    return pd.MultiIndex.from_arrays([messages["phone"], messages["key"].fillna("")])


def _tries(every: pd.DataFrame, worth: pd.DataFrame) -> NDArray[np.int64]:
    """Return how often the campaign was sent to each: what the platform took, in whatever round."""
    counts = _identity(every[every["status"].isin(ACCEPTED)]).value_counts()
    return np.asarray(counts.reindex(_identity(worth)).fillna(0), dtype=np.int64)


def _tried_since(every: pd.DataFrame, worth: pd.DataFrame) -> Booleans:
    """Return for which the campaign has a later message that is out, or may be."""
    return _is_later(every[every["status"].isin(_OUT)], _identity, worth)


def _reached_since(store: Store | Archive, worth: pd.DataFrame) -> Booleans:
    """Return which numbers got a message of another campaign since."""
    numbers = list(dict.fromkeys(worth["phone"]))
    others = store.messages(phone=numbers, status="delivered") if numbers else worth
    campaigns = set(worth["campaign"])
    return _is_later(others[~others["campaign"].isin(campaigns)], lambda rows: pd.Index(rows["phone"]), worth)


def _is_later(others: pd.DataFrame, identity: Callable[[pd.DataFrame], pd.Index[Any]], worth: pd.DataFrame) -> Booleans:
    """Return for which of `worth` one of `others` was submitted later."""
    latest = others["submitted_at"].groupby(identity(others)).max().reindex(identity(worth))
    return np.asarray(latest.to_numpy() > worth["submitted_at"].to_numpy(), dtype=bool)
