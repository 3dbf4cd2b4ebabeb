"""What became of each row of the user's own table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from masanalytics.argument_kinds import NAME, STORE, TEXT, takes
from masanalytics.codes import describe_code
from masanalytics.errors import InputError, missing_columns, unknown_name
from masanalytics.i18n import Text, _, speaks
from masanalytics.near_names import named_arguments
from masanalytics.phones import normalise_phones
from masanalytics.planning.columns import as_frame, check_names
from masanalytics.store import Archive, Store
from masanalytics.text import plain_name
from masanalytics.vocabulary import EXCLUSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from masanalytics.aliases import Booleans, Numbers, Table
    from masanalytics.planning import Plan

__all__ = ["outcomes"]

_ADDED = ("status", "error_code", "meaning", "received_at", "excluded_because")
_FOR_ANALYSIS = ("submitted_at", "latency_s", "waited_s", "segments", "arm", "round", "message_id")
_OF_THE_PLAN = ("arm", "round")


@named_arguments
@takes(store=STORE, campaign=NAME, round=NAME, prefix=TEXT)
@speaks
def outcomes(
    df: Table,
    store: Store | Archive,
    *,
    phone: Hashable,
    campaign: str,
    round: str | None = None,  # noqa: A002
    plan: Plan | None = None,
    prefix: str = "",
    language: str | None = None,
) -> pd.DataFrame:
    """Return the user's own rows and columns, with what became of each beside them.

    Parameters
    ----------
    df : DataFrame
        pandas or polars; the table the campaign was planned from (or any other with a column of numbers). It is not changed.
    store : Store
        Where the campaign is recorded.
    phone : hashable
        The column of numbers, in any form.
    campaign : str
        The campaign asked about, which must have been sent. Where a number got it several times, its latest message counts.
    round : str, optional
        Only this round of it; ``""`` is the first. By default all rounds.
    plan : Plan, optional
        The plan made from this very table: it knows why rows were left out for their text.
    prefix : str, optional
        Put before the names of the added columns, for tables that have such columns already.
    language : {"en", "zh"}, optional
        The language of ``meaning`` and ``excluded_because``.

    Returns
    -------
    DataFrame
        All rows of `df` in their order, and

        - ``status``: as in a messages frame; missing for a row that got no message,
        - ``error_code``, ``meaning``: of failed messages,
        - ``received_at``: when the final report says it arrived or failed (Asia/Shanghai),
        - ``excluded_because``: why a row got no message of its own; a repeated number has its status as well,
        - ``submitted_at, latency_s, waited_s, segments, arm, round, message_id``: what the analysis functions need besides, so
          that the rows can be handed to them and asked by any column of the sheet; ``arm`` and ``round`` are the table's own
          where it has them. A message that several rows show is counted once.

    Raises
    ------
    InputError
        If the column is missing, `df` has columns named like the added ones, or nothing was ever sent under this name.

    Examples
    --------
    >>> import masanalytics as mas
    >>> people = pd.DataFrame({"手机号": ["138 0013 8000", "021-66668888", "13900139000"], "门店": ["甲", "甲", "乙"]})
    >>> with mas.Simulator(https=False) as sim, mas.Store(":memory:") as store:
    ...     _ = mas.send(people[:2], sim.client(), store, phone="手机号", text="您好", campaign="问候", progress=False)
    ...     rows = mas.outcomes(people, store, phone="手机号", campaign="问候", language="en")
    >>> rows["excluded_because"].tolist()
    [nan, 'a landline', 'nothing sent to it in this campaign']
    >>> mas.delivery_rates(rows, by="门店")[["门店", "accepted"]].values.tolist()
    [['甲', 1]]
    """
    df = as_frame(df)
    check_names(phone=phone)
    added = [*_ADDED, *(name for name in _FOR_ANALYSIS if name not in _OF_THE_PLAN or prefix + name not in df.columns)]
    names = [prefix + name for name in added]
    _check(df, phone, names)
    store.sends.check_campaign(campaign)
    if not isinstance(store, Archive):
        store.sends.refuse_archived(campaign)
    numbers = normalise_phones(df[phone])
    phones = numbers["phone"].astype(object).where(numbers["phone"].notna(), None).to_numpy()
    messages = _latest(store, campaign, round)
    positions = messages.index.get_indexer(pd.Index(phones, dtype=object))
    matched = positions >= 0
    beside = _latest_messages(messages, positions)
    beside["excluded_because"] = _reasons(
        numbers,
        phones,
        matched,
        pd.Series(phones).isin(store.held_out(campaign, round)["phone"]).to_numpy(),
        store,
        plan,
    )
    beside = beside[added].set_axis(names, axis=1).set_axis(df.index)
    rows: pd.DataFrame = pd.concat([df, beside], axis=1)
    return rows


def _check(df: pd.DataFrame, phone: Hashable, names: list[str]) -> None:
    missing = missing_columns([phone], df.columns, frame=Text("the sheet"))
    if missing is not None:
        raise missing
    taken = [name for name in names if name in df.columns]
    if taken:
        raise InputError("the table has columns {taken} of its own: say prefix='sms_'", taken=taken)


def _latest(store: Store | Archive, campaign: str, label: str | None) -> pd.DataFrame:
    """Return the latest message of each number; its index are the numbers."""
    messages = store.messages(campaign, round=label)
    if label is not None and messages.empty:
        there = store.batches(campaign)["round"]
        if plain_name(label) not in set(there):
            raise unknown_name(Text("round"), label, sorted(set(there.dropna())))
    return messages.drop_duplicates("phone", keep="last").set_index("phone")


def _latest_messages(messages: pd.DataFrame, positions: Numbers) -> pd.DataFrame:
    """Return what the message at each position tells (-1: there is none), one row a position."""
    wanted = ["status", "error_code", "carrier", "received_at", *_FOR_ANALYSIS]
    rows = messages[wanted].astype({"message_id": "Int64"}).reset_index(drop=True).reindex(positions)
    rows = rows.reset_index(drop=True)
    rows["error_code"] = rows["error_code"].where(rows["status"].eq("failed"))
    pairs = rows[["error_code", "carrier"]].dropna(subset="error_code").drop_duplicates()
    meanings = {
        (code, carrier): describe_code(str(code), carrier=str(carrier)).meaning
        for code, carrier in zip(pairs["error_code"], pairs["carrier"], strict=True)
    }
    of_rows = zip(rows["error_code"], rows["carrier"], strict=True)
    rows["meaning"] = pd.Series([meanings.get(pair) for pair in of_rows], dtype="str")
    for name in ("received_at", "submitted_at"):
        rows[name] = pd.DatetimeIndex(rows[name]).tz_convert("Asia/Shanghai")
    return rows.astype(dict.fromkeys(["status", "error_code", "meaning", *_OF_THE_PLAN], "str"))


def _reasons(
    numbers: pd.DataFrame,
    phones: NDArray[np.object_],
    matched: Booleans,
    silent: Booleans,
    store: Store | Archive,
    plan: Plan | None,
) -> pd.Series[Any]:
    """Return why each row got no message of its own: the plan's word first, then what the number and the store tell."""
    reasons = numbers["reason"].astype(object).where(numbers["reason"].notna(), None).to_numpy(copy=True)
    filled = pd.Series(phones)
    reasons[(filled.duplicated() & filled.notna()).to_numpy()] = "duplicate"
    unsent = np.array([reason is None for reason in reasons], dtype=bool) & ~matched
    opted_out = store.sends.opted_out([number or "" for number in phones])
    reasons[unsent] = "not_planned"
    reasons[unsent & silent] = "held_out"
    reasons[unsent & opted_out] = "opted_out"
    if plan is not None and plan.rows == len(phones):
        excluded = plan.excluded
        because = excluded["reason"].to_numpy(dtype=object)
        positions = excluded["position"].to_numpy()
        sent_before = because == "already_sent"
        reasons[positions[~sent_before]] = because[~sent_before]
    words = {reason: _(sentence) for reason, sentence in EXCLUSIONS.items()}
    words["not_planned"] = _("nothing sent to it in this campaign")
    return pd.Series([None if reason is None else words.get(reason, reason) for reason in reasons], dtype="str")
