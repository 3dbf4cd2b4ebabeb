"""What became of each row of the user's own table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from masanalytics.codes import describe_code
from masanalytics.errors import InputError
from masanalytics.i18n import Text, choose
from masanalytics.phones import normalise_phones
from masanalytics.planning.columns import as_frame
from masanalytics.vocabulary import EXCLUSIONS

if TYPE_CHECKING:
    from masanalytics.planning import Plan
    from masanalytics.store import Store

__all__ = ["outcomes"]

_ADDED = ("status", "error_code", "meaning", "received_at", "excluded_because")


def outcomes(
    df: Any,
    store: Store,
    *,
    phone: Hashable,
    campaign: str,
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
        The campaign asked about. Where a number got it several times, its latest message counts.
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
        - ``excluded_because``: why a row got no message of its own; a repeated number has its status as well.

    Raises
    ------
    InputError
        If the column is missing, or `df` has columns named like the added ones.

    Examples
    --------
    >>> import masanalytics as mas
    >>> people = pd.DataFrame({"手机号": ["138 0013 8000", "021-66668888"]})
    >>> with mas.Store(":memory:") as store:
    ...     mas.outcomes(people, store, phone="手机号", campaign="问候", language="en")["excluded_because"].tolist()
    ['nothing sent in this campaign yet', 'a landline']
    """
    df = as_frame(df)
    names = [prefix + name for name in _ADDED]
    _check(df, phone, names)
    found = normalise_phones(df[phone])
    keys = found["phone"].astype(object).where(found["phone"].notna(), None).to_numpy()
    messages = store.messages(campaign).drop_duplicates("phone", keep="last").set_index("phone")
    place = messages.index.get_indexer(pd.Index(keys, dtype=object))
    known = place >= 0
    told = messages[["status", "error_code", "received_at"]].iloc[np.where(known, place, 0)] if len(messages) else None
    added: dict[str, object] = {}
    for name in ("status", "error_code", "received_at"):
        column = None if told is None else told[name].reset_index(drop=True)
        added[name] = _nothing(name, len(df)) if column is None else column.where(known)
    added["error_code"] = pd.Series(added["error_code"]).where(pd.Series(added["status"]).eq("failed"))
    carriers = messages["carrier"].iloc[np.where(known, place, 0)].to_numpy() if len(messages) else [None] * len(df)
    added["meaning"] = _meanings(pd.Series(added["error_code"]), carriers, language)
    added["excluded_because"] = _reasons(found, keys, known, store, plan, language)
    beside = pd.DataFrame({prefix + name: pd.Series(added[name]).to_numpy() for name in _ADDED}, index=df.index)
    beside[prefix + "received_at"] = pd.DatetimeIndex(pd.Series(added["received_at"])).tz_convert("Asia/Shanghai")
    for name in ("status", "error_code", "meaning", "excluded_because"):
        beside[prefix + name] = beside[prefix + name].astype("str")
    rows: pd.DataFrame = pd.concat([df, beside], axis=1)
    return rows


def _check(df: pd.DataFrame, phone: Hashable, names: list[str]) -> None:
    if phone not in df.columns:
        listed = ", ".join(map(str, df.columns))
        raise InputError(
            f"there is no column {phone!r}; the columns are: {listed}", zh=f"没有“{phone}”这一列；现有的列：{listed}"
        )
    taken = [name for name in names if name in df.columns]
    if taken:
        raise InputError(
            f"the table has columns {', '.join(taken)} of its own: say prefix='sms_'",
            zh=f"表中已有列 {'、'.join(taken)}：请指定 prefix='sms_'",
        )


def _nothing(name: str, size: int) -> pd.Series:
    if name == "received_at":
        return pd.Series(pd.DatetimeIndex([pd.NaT] * size, tz="Asia/Shanghai"))
    return pd.Series([None] * size, dtype="str")


def _meanings(codes: pd.Series, carriers: object, language: str | None) -> pd.Series:
    pairs = pd.DataFrame({"code": codes.to_numpy(), "carrier": carriers})
    known = pairs.dropna(subset="code").drop_duplicates()
    meaning = {
        (row.code, row.carrier): describe_code(str(row.code), carrier=str(row.carrier), language=language).meaning
        for row in known.itertuples()
    }
    return pd.Series([meaning.get(key) for key in zip(pairs["code"], pairs["carrier"], strict=True)], dtype="str")


def _reasons(
    found: pd.DataFrame,
    keys: np.ndarray,
    known: np.ndarray,
    store: Store,
    plan: Plan | None,
    language: str | None,
) -> pd.Series:
    """Return why each row got no message of its own: the plan's word first, then what the number and the store tell."""
    reasons = found["reason"].astype(object).where(found["reason"].notna(), None).to_numpy(copy=True)
    phones = pd.Series(keys)
    reasons[(phones.duplicated() & phones.notna()).to_numpy()] = "duplicate"
    missing = np.array([reason is None for reason in reasons], dtype=bool) & ~known
    opted_out = store.opted_out([key or "" for key in keys])
    reasons[missing & opted_out] = "opted_out"
    reasons[missing & ~opted_out] = "not_planned"
    if plan is not None and plan.rows == len(keys):
        excluded = plan.excluded
        because = excluded["reason"].to_numpy(dtype=object)
        there = excluded["position"].to_numpy()
        sent_before = because == "already_sent"
        reasons[there[~sent_before]] = because[~sent_before]
    words = {reason: Text(words).text(language) for reason, words in EXCLUSIONS.items()}
    words["not_planned"] = choose("nothing sent in this campaign yet", "该活动尚未向此号码发送", language)
    return pd.Series([None if reason is None else words.get(reason, reason) for reason in reasons], dtype="str")
