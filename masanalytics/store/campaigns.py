"""All campaigns in one table, a row each or a row a month: when, what, how many, how it went, what it cost, who answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from masanalytics import analysis
from masanalytics.analysis._delivery_rates import rate_columns
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import MessageSource, asks_once
from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.store.frames import MISSING, china_times

if TYPE_CHECKING:
    from masanalytics.analysis.sources.base import HoldsUplinks

__all__ = ["campaign_table"]

_RATES: Final = ("accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high")
_DAY: Final = ["campaign", "round", "day"]
_ROUND: Final = ["campaign", "round"]
_SENT = """
SELECT c.campaign, r.round, min(b.requested_at), max(b.requested_at), coalesce(f.content, m.content), f.template_id, f.batch_id
FROM batches b JOIN rounds r USING (round_id) JOIN campaigns c ON c.campaign_id = r.campaign_id
JOIN (SELECT round_id, min(batch_id) AS batch_id FROM batches GROUP BY round_id) first USING (round_id)
JOIN batches f ON f.batch_id = first.batch_id
LEFT JOIN messages m ON m.message_id = (SELECT min(message_id) FROM messages WHERE batch_id = f.batch_id)
GROUP BY r.round_id
"""


@asks_once
def campaign_table(
    store: HoldsUplinks,
    reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
    by: Literal["campaign", "month"],
    price: float | Mapping[str, float] | None,
    where: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the table that `Store.campaigns` describes.

    Raises
    ------
    InputError
        If `by` is neither, or a filter names what there is not.
    """
    if by not in ("campaign", "month"):
        raise InputError("by={by!r}: say 'campaign' (a row for each round) or 'month'", by=by)
    filters = Filters.parse(where)
    counts, source = count_messages(store, Question(_DAY, ("segments",), filters))
    counts = counts.taken(counts.keys["campaign"].notna().to_numpy(dtype=bool))
    rows = _counted(counts) if by == "campaign" else _by_month(counts)
    rows = _with_intervals(rows, store, {**where, "campaign": sorted(set(counts.keys["campaign"]))}, filters)
    rows = _with_money_and_answers(rows, by, store, price, where)
    if by == "campaign":
        with reading() as conn:
            rows = _with_times_and_texts(conn, rows, source)
    return finished(rows, source, where=filters, counted=rows["accepted"].tolist())


def _counted(counts: Counts) -> pd.DataFrame:
    """Return a row for each round: its messages, sent or not."""
    found = counts.regrouped(_ROUND)
    return _table(found)


def _by_month(counts: Counts) -> pd.DataFrame:
    """Return a row for each month in which something was accepted, with how many rounds that was."""
    counts = counts.taken(counts.accepted())
    month = pd.to_datetime(counts.keys["day"]).dt.strftime("%Y-%m").astype("str")
    keyed = Counts(counts.keys.assign(month=month), counts.status, counts.seconds, counts.n, ["month"], counts.room)
    table = _table(keyed)
    rounds = keyed.keys[["month", *_ROUND]].drop_duplicates()["month"].value_counts()
    table.insert(1, "campaigns", table["month"].map(rounds).to_numpy(dtype=np.int64))
    return table


def _table(counts: Counts) -> pd.DataFrame:
    rates = rate_columns(counts)
    segments = np.nan_to_num(counts.keys["segments"].to_numpy(dtype=float, na_value=np.nan))
    billed = np.where(counts.accepted(), segments, 0.0) * counts.n
    columns = {
        "messages": counts.tally(np.ones(len(counts.n), dtype=bool)),
        "segments": np.rint(np.bincount(counts.group, weights=billed, minlength=len(counts.groups))).astype(np.int64),
        **{name: rates[name] for name in _RATES},
    }
    return pd.concat([counts.groups, pd.DataFrame(columns, index=counts.groups.index)], axis=1)


def _with_intervals(
    rows: pd.DataFrame, store: HoldsUplinks, where: Mapping[str, Any], filters: Filters
) -> pd.DataFrame:
    """Return the rows with intervals as `analysis.delivery_rates` has them: messages of a batch fail together."""
    bounds = ["low", "high"]
    if "month" not in rows and len(rows):
        found = analysis.delivery_rates(store, by=_ROUND, history=None, **where)
        return rows.drop(columns=bounds).merge(found[[*_ROUND, *bounds]], on=_ROUND, how="left")[rows.columns]
    for row, month in enumerate(rows["month"] if len(rows) else ()):
        start = pd.Timestamp(f"{month}-01", tz="Asia/Shanghai")
        since, until = int(start.timestamp()), int((start + pd.offsets.MonthBegin()).timestamp())
        since = since if filters.since is None else max(since, filters.since)
        until = until if filters.until is None else min(until, filters.until)
        whole = analysis.delivery_rates(store, history=None, **{**where, "since": since, "until": until})
        rows.loc[row, bounds] = whole[bounds].iloc[0]
    return rows


def _with_money_and_answers(
    rows: pd.DataFrame,
    by: Literal["campaign", "month"],
    store: HoldsUplinks,
    price: float | Mapping[str, float] | None,
    where: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the rows with what they cost, and how many people answered and opted out."""
    found = analysis.replies(store, by=_DAY, **where)[[*_DAY, "people", "opt_outs"]]
    found = found.rename(columns={"people": "replies"})
    if price is not None:
        spent = analysis.costs(store, price, by=_DAY, **where)[[*_DAY, "cost", "unpriced", "accepted"]]
        spent["cost"] = spent["cost"].where(spent["unpriced"] < spent["accepted"], 0.0)
        found = found.merge(spent[[*_DAY, "cost"]], on=_DAY, how="outer")
    keys = _ROUND if by == "campaign" else ["month"]
    found["month"] = pd.to_datetime(found["day"]).dt.strftime("%Y-%m").astype("str")
    summed = found.groupby(keys, as_index=False)[
        [name for name in ("cost", "replies", "opt_outs") if name in found]
    ].sum()
    joined = rows.merge(summed, on=keys, how="left")
    joined = joined.assign(**{name: joined[name].fillna(0).astype(np.int64) for name in ("replies", "opt_outs")})
    cost = joined.pop("cost").fillna(0.0) if price is not None else pd.Series(np.nan, index=joined.index)
    joined.insert(joined.columns.get_loc("replies"), "cost", cost.to_numpy(dtype=float))  # type: ignore[arg-type]
    return joined


def _first_texts(source: MessageSource, batches: Sequence[int]) -> dict[int, str]:
    """Return the text of the first message of each batch whose messages the file no longer has, as far as `source` has them."""
    if not batches:
        return {}
    where = Filters({"batch_id": tuple(batches)})
    found = source.message_rows(["batch_id", "message_id", "content"], where=where).dropna(subset=["content"])
    first = found.sort_values("message_id").drop_duplicates("batch_id")
    return dict(zip(first["batch_id"].tolist(), first["content"].tolist(), strict=True))


def _with_times_and_texts(conn: sqlite3.Connection, rows: pd.DataFrame, source: MessageSource) -> pd.DataFrame:
    """Return the rows, oldest first, with when each round was sent and the text of its first message."""
    sent = {row[:2]: row[2:] for row in conn.execute(_SENT)}
    rounds = [sent.get((campaign, label), (None,) * 5) for campaign, label in rows[_ROUND].itertuples(index=False)]
    elsewhere = _first_texts(
        source, [one[4] for one in rounds if one[4] is not None and one[2] is None and one[3] is None]
    )
    known = [(*one[:2], one[2] or elsewhere.get(one[4]) or one[3]) for one in rounds]
    times = np.array([[MISSING if at is None else at for at in one[:2]] for one in known], dtype=np.int64).reshape(
        -1, 2
    )
    rows.insert(2, "first_sent_at", china_times(times[:, 0]))
    rows.insert(3, "last_sent_at", china_times(times[:, 1]))
    texts = [None if one[2] is None else mask_phones_in(one[2]) for one in known]
    rows.insert(4, "text", pd.Series(texts, index=rows.index, dtype="str"))
    return rows.sort_values(["first_sent_at", "campaign", "round"], ignore_index=True)
