"""What people answered: how many, how soon, how many want no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.analysis.counting import Question, count_messages, group_rows
from masanalytics.analysis.dimensions import as_names, missing_columns, time_part
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.intervals import wilson
from masanalytics.analysis.results import Note, finished, note, refuse_taken_names
from masanalytics.analysis.sources import MessageSource
from masanalytics.errors import InputError
from masanalytics.frames import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REPLY_COLUMNS", "replies"]

REPLY_COLUMNS = (
    "delivered", "replies", "people", "response_rate", "low", "high", "opt_outs", "opt_out_rate", "opt_out_low",
    "opt_out_high", "p50_s", "p90_s",
)  # fmt: skip
_UPLINK_COLUMNS = ("message_id", "phone", "content", "sent_at", "opt_out")


def replies(
    store: Any,
    by: str | Sequence[str] | None = "campaign",
    *,
    uplinks: pd.DataFrame | None = None,
    within: Any = "7d",
    keywords: Sequence[str] = (),
    **where: Any,
) -> pd.DataFrame:
    """Return how many people answered, how soon, and how many opted out.

    Parameters
    ----------
    store : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``message_id, phone, status, submitted_at`` and the columns of `by`.
    by : str or sequence of str, optional
        Dimensions of the message that was answered, as for `delivery_rates`.
    uplinks : DataFrame, optional
        The replies, where `store` is a frame: ``message_id, phone, content, sent_at, opt_out`` as ``Store.uplinks()``
        gives them.
    within : str, timedelta or number of seconds
        A reply later than this after the message is not counted as its answer.
    keywords : sequence of str, optional
        For each a column ``says_KEYWORD``: replies whose whole text it is, but for case, width and spaces.
    **where
        As for `delivery_rates`; narrows the messages.

    Returns
    -------
    DataFrame
        One row a group with accepted messages. After `by`:

        - ``delivered`` (int); ``replies`` (int); ``people`` (int): distinct messages answered
        - ``response_rate, low, high``: people / delivered with Wilson's 95 % interval; NaN if none was delivered
        - ``opt_outs`` (int): messages answered with an opt-out; ``opt_out_rate, opt_out_low, opt_out_high``: of delivered
        - ``p50_s, p90_s``: seconds from submission to the first reply
        - ``says_...`` (int): one column a keyword

        Replies to no known message are counted in ``.attrs["unmatched"]``.

    Raises
    ------
    InputError
        If a column is missing, or `store` is a frame and `uplinks` is not given.

    Examples
    --------
    >>> import pandas as pd
    >>> at = pd.to_datetime(["2026-01-31 09:00", "2026-01-31 09:00"])
    >>> messages = pd.DataFrame({
    ...     "message_id": [1, 2], "phone": ["13800000001", "13800000002"], "campaign": "spring",
    ...     "status": ["delivered", "delivered"], "submitted_at": at,
    ... })
    >>> said = pd.DataFrame({
    ...     "message_id": [2], "phone": ["13800000002"], "content": ["ＴＤ "], "opt_out": ["opt_out"],
    ...     "sent_at": pd.to_datetime(["2026-01-31 09:02"]),
    ... })
    >>> found = replies(messages, uplinks=said, keywords=["td"])
    >>> found[["delivered", "people", "response_rate", "opt_outs", "p50_s", "says_td"]].values.tolist()
    [[2.0, 1.0, 0.5, 1.0, 120.0, 1.0]]
    """
    import pandas as pd

    names = as_names(by)
    says = {keyword: f"says_{keyword}" for keyword in keywords}
    refuse_taken_names(names, [*REPLY_COLUMNS, *says.values()])
    filters = Filters.parse(where)
    counts, source = count_messages(store, Question(names, (), filters, None))
    counts = counts.taken(counts.accepted())
    groups, delivered = counts.groups, counts.tally(counts.status == Status.delivered)
    found, unmatched = _answers(store, source, uplinks, names, filters, to_seconds(within))
    found = found.assign(group=_places(groups, found[names]))
    columns = _columns(found[found["group"] >= 0], delivered, says)
    result = pd.concat([groups, pd.DataFrame(columns, index=groups.index)], axis=1)
    result = finished(
        result, source, where=filters, denominator="delivered", notes=_notes(unmatched), counted=delivered.tolist()
    )
    result.attrs["unmatched"] = unmatched
    return result


def _places(groups: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    """Return the group each row belongs to; -1 where it belongs to none."""
    import pandas as pd

    if not len(rows.columns):
        return [0] * len(rows) if len(groups) else [-1] * len(rows)
    number, _ = group_rows(pd.concat([groups, rows], ignore_index=True))
    place = dict(zip(number[: len(groups)].tolist(), range(len(groups)), strict=True))
    return [place.get(found, -1) for found in number[len(groups) :].tolist()]


def _answers(
    store: Any, source: MessageSource, uplinks: pd.DataFrame | None, names: list[str], filters: Filters, within: int
) -> tuple[pd.DataFrame, int]:
    """Return the replies to the messages asked about, with the dimensions of those messages; and how many had none."""
    said = _uplinks(store, uplinks)
    known = said["message_id"].notna()
    asked = said.loc[known, "message_id"].astype("int64")
    columns = ["message_id", "submitted_at", *_columns_for(names, source)]
    where = Filters(
        {**filters.values, "message_id": tuple(dict.fromkeys(asked.tolist()))}, filters.since, filters.until
    )
    messages = source.message_rows(list(dict.fromkeys(columns)), where=where)
    dimensions = _dimensions(messages, names)
    table = said[known].assign(message_id=asked).merge(dimensions, on="message_id", how="inner")
    table["after_s"] = _epoch(table["sent_at"]) - table.pop("message_at")
    unmatched = int((~known).sum())
    return table[~(table["after_s"] > within)].reset_index(drop=True), unmatched


def _uplinks(store: Any, uplinks: pd.DataFrame | None) -> pd.DataFrame:
    if uplinks is None:
        ask: Callable[[], pd.DataFrame] | None = getattr(store, "uplinks", None)
        if not callable(ask):
            raise InputError(
                "replies are not in a frame of messages: give them as uplinks=store.uplinks()",
                zh="消息表中没有上行回复：请用 uplinks=store.uplinks() 提供",
            )
        uplinks = ask()
    error = missing_columns(_UPLINK_COLUMNS, list(map(str, uplinks.columns)), "uplinks")
    if error is not None:
        raise error
    return uplinks[list(_UPLINK_COLUMNS)]


def _columns_for(names: list[str], source: MessageSource) -> list[str]:
    available = source.message_columns()
    needed = {"prefix": ["phone"], "category": ["error_code", *(["carrier"] if "carrier" in available else [])]}
    return [
        column
        for name in names
        for column in ([name] if name in available else [] if time_part(name) else needed.get(name, [name]))
    ]


def _dimensions(messages: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return message_id, the dimensions asked for and the time of submission, one row a message."""
    named = ["message_id", *names]
    # Counted by its own id, each message gets the dimensions as every other result shows them.
    table, _ = count_messages(messages.assign(status="delivered"), Question(named, (), Filters(), None))
    at = dict(zip(messages["message_id"].tolist(), _epoch(messages["submitted_at"]), strict=True))
    ids = table.keys["message_id"].astype("int64")
    return table.keys[named].assign(message_id=ids, message_at=[at[key] for key in ids.tolist()])


def _epoch(column: pd.Series) -> Any:
    from masanalytics.analysis.pandas_source import epoch_seconds

    return epoch_seconds(column)


def _columns(found: pd.DataFrame, delivered: Any, says: dict[str, str]) -> dict[str, Any]:
    from masanalytics.analysis.quantiles import counted_times

    groups = len(delivered)

    def tally(rows: pd.DataFrame) -> Any:
        return np.bincount(rows["group"].to_numpy(dtype=np.int64), minlength=groups).astype(np.int64)

    first = found.sort_values("after_s", kind="stable").drop_duplicates("message_id")
    out = found[found["opt_out"] == "opt_out"].drop_duplicates("message_id")
    group, after = first["group"].to_numpy(dtype=np.int64), first["after_s"].to_numpy(dtype=float)
    times = counted_times(group, groups, after, np.ones(len(first), dtype=np.int64))
    people, opt_outs = tally(first), tally(out)
    low, high = wilson(np.minimum(people, delivered), delivered)
    out_low, out_high = wilson(np.minimum(opt_outs, delivered), delivered)
    some = delivered > 0
    of = np.where(some, delivered, 1)
    text = found["content"].astype("str").map(_folded)
    return {
        "delivered": delivered, "replies": tally(found), "people": people,
        "response_rate": np.where(some, people / of, np.nan), "low": low, "high": high,
        "opt_outs": opt_outs, "opt_out_rate": np.where(some, opt_outs / of, np.nan), "opt_out_low": out_low,
        "opt_out_high": out_high, "p50_s": times.quantile(0.5), "p90_s": times.quantile(0.9),
        **{column: tally(found[text == _folded(keyword)]) for keyword, column in says.items()},
    }  # fmt: skip


def _folded(text: Any) -> str:
    import unicodedata

    return "".join(unicodedata.normalize("NFKC", str(text)).split()).casefold()


def _notes(unmatched: int) -> list[Note]:
    if not unmatched:
        return []
    return [note("unmatched", f"{unmatched} replies answer no known message", f"{unmatched} 条回复找不到对应的消息")]
