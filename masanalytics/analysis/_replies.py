"""What people answered: how many, how soon, how many want no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Columns, Filter, Length, Messages, Numbers
from masanalytics.analysis.answered_messages import AnsweredMessages
from masanalytics.analysis.clusters import Cluster, cluster_columns, cluster_counts, clustered_note, few_clusters_note
from masanalytics.analysis.dimensions import as_names, columns_behind
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Question, count_messages, group_rows
from masanalytics.analysis.results import finished, refuse_taken_names
from masanalytics.analysis.sample_ratio import kept_shares, sample_ratio
from masanalytics.analysis.sources import asks_once
from masanalytics.analysis.sources.base import MessageSource
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.timely_replies import REPLY_WINDOW, first_answers, timely_replies
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REPLY_COLUMNS", "replies"]

REPLY_COLUMNS = (
    "delivered", "replies", "people", "answered_delivered", "response_rate", "low", "high", "opt_outs", "opt_outs_delivered",
    "opt_out_rate", "opt_out_low", "opt_out_high", "clusters", "design_effect", "p50_s", "p90_s",
)  # fmt: skip


@named_arguments
@asks_once
def replies(
    store: Messages,
    by: Columns | None = "campaign",
    *,
    uplinks: pd.DataFrame | None = None,
    within: Length = REPLY_WINDOW,
    keywords: Sequence[str] = (),
    cluster: Cluster = "auto",
    **where: Filter,
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
    cluster : "auto", str, sequence of str or None
        What may be answered together, as what fails together in `delivery_rates`: the intervals hold as if there were so many
        messages as they tell. None: each message by itself.
    **where
        As for `delivery_rates`; narrows the messages.

    Returns
    -------
    DataFrame
        One row a group with accepted messages. After `by`:

        - ``delivered`` (int); ``replies`` (int); ``people`` (int): distinct messages answered, whatever their report says
        - ``answered_delivered`` (int): the answered among the delivered; ``response_rate, low, high``: those / delivered, with
          Wilson's 95 % interval at the effective size; NaN if none was delivered. Who answers before the report is in counts
          here once it is
        - ``opt_outs`` (int): messages answered with an opt-out; ``opt_outs_delivered`` (int): those among the delivered;
          ``opt_out_rate, opt_out_low, opt_out_high``: these / delivered
        - ``clusters`` (int; 0 where nothing tells them), ``design_effect``: how many times as much the response rate varies as
          with independent messages (that of opt-outs has one of its own)
        - ``p50_s, p90_s``: seconds from submission to the first reply
        - ``says_...`` (int): one column a keyword

        Replies to no known message, or dated before it was submitted, are counted in ``.attrs["unmatched"]`` only. By ``"arm"``
        a note says where the arms of a split did not get their share, as in `compare`.

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
    pushed = filters.of_columns(source.message_columns())
    said, unmatched = timely_replies(store, source, uplinks, to_seconds(within), where=pushed)
    answers = _answers(said, source, names, filters)
    answers = answers.assign(_group=_places(groups, answers[names]))
    columns = _columns(answers[answers["_group"] >= 0], delivered, says)
    for replied in ("opt_out_", ""):  # the clusters shown are those of all replies
        answered = AnsweredMessages(source, first_answers(said, only_opt_outs=bool(replied)))
        clusters = cluster_counts(answered, Question(names, (), filters), cluster)
        count = columns["opt_outs_delivered" if replied else "answered_delivered"]
        found = cluster_columns(clusters, groups, {"delivered": count, "accepted": delivered})
        columns |= {f"{replied}low": found["low"], f"{replied}high": found["high"]}
    columns |= {"clusters": found["clusters"], "design_effect": found["design_effect"]}
    columns = {name: columns[name] for name in [*REPLY_COLUMNS, *says.values()]}
    arms = groups[names[0]].tolist() if names == ["arm"] else []
    ratio_notes, ratio = sample_ratio(counts, "arm", kept_shares(store, filters, "arm", arms) if arms else None)
    result = pd.concat([groups, pd.DataFrame(columns, index=groups.index)], axis=1)
    result = finished(
        result,
        source,
        where=filters,
        denominator="delivered",
        notes=[
            *ratio_notes,
            *_notes(result, unmatched),
            *clustered_note(columns["design_effect"]),
            *few_clusters_note(columns["clusters"], columns["design_effect"], delivered),
        ],
        counted=delivered.tolist(),
    )
    result.attrs |= {"unmatched": unmatched} | ({} if ratio is None else {"sample_ratio": ratio})
    return result


def _places(groups: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    """Return the group each row belongs to; -1 where it belongs to none."""
    import pandas as pd

    if not len(rows.columns):
        return [0] * len(rows) if len(groups) else [-1] * len(rows)
    number, _ = group_rows(pd.concat([groups, rows], ignore_index=True))
    place = dict(zip(number[: len(groups)].tolist(), range(len(groups)), strict=True))
    return [place.get(row_number, -1) for row_number in number[len(groups) :].tolist()]


def _answers(said: pd.DataFrame, source: MessageSource, names: list[str], filters: Filters) -> pd.DataFrame:
    """Return the replies to the messages asked about, with the dimensions of those messages."""
    available = source.message_columns()
    pushed, derived = filters.divided(available)
    columns = columns_behind(["message_id", "status", *names, *derived], available)
    messages = source.message_rows(columns, where=pushed.among(said["_message_id"].unique().tolist()))
    return said.merge(_dimensions(messages, names, derived), on="_message_id", how="inner").reset_index(drop=True)


def _dimensions(messages: pd.DataFrame, names: list[str], derived: Mapping[str, tuple[Any, ...]]) -> pd.DataFrame:
    """Return the dimensions asked for and the id of each message, and whether it was delivered."""
    # Counted by its own id, each message gets the dimensions as every other result shows them.
    table, _ = count_messages(
        PandasMessages(messages), Question(list(dict.fromkeys(["message_id", *names])), (), Filters(derived), None)
    )
    ids = table.keys["message_id"].astype("int64")
    return table.keys[names].assign(_message_id=ids, _delivered=table.status == Status.delivered)


def _columns(answers: pd.DataFrame, delivered: Numbers, says: dict[str, str]) -> dict[str, Any]:
    from masanalytics.stats.order_statistics import counted_times

    groups = len(delivered)

    def tally(rows: pd.DataFrame) -> Any:
        return np.bincount(rows["_group"].to_numpy(dtype=np.int64), minlength=groups).astype(np.int64)

    first = answers.sort_values("_after_s", kind="stable").drop_duplicates("_message_id")
    out = answers[answers["_opt_out"] == "opt_out"].drop_duplicates("_message_id")
    group, after = first["_group"].to_numpy(dtype=np.int64), first["_after_s"].to_numpy(dtype=float)
    times = counted_times(group, groups, after, np.ones(len(first), dtype=np.int64))
    answered, stopped = tally(first[first["_delivered"]]), tally(out[out["_delivered"]])
    some = delivered > 0
    of = np.where(some, delivered, 1)
    text = answers["_content"].astype("str").map(_folded)
    return {
        "delivered": delivered, "replies": tally(answers), "people": tally(first), "answered_delivered": answered,
        "response_rate": np.where(some, answered / of, np.nan),
        "opt_outs": tally(out), "opt_outs_delivered": stopped, "opt_out_rate": np.where(some, stopped / of, np.nan),
        "p50_s": times.quantile(0.5), "p90_s": times.quantile(0.9),
        **{column: tally(answers[text == _folded(keyword)]) for keyword, column in says.items()},
    }  # fmt: skip


def _folded(text: object) -> str:
    import unicodedata

    return "".join(unicodedata.normalize("NFKC", str(text)).split()).casefold()


def _notes(result: pd.DataFrame, unmatched: int) -> list[Text]:
    """Return how many answers are in a count and in no rate, and how many belong to no message."""
    notes = []
    if otherwise := int((result["people"] - result["answered_delivered"]).sum()):
        notes.append(
            Text(
                "{count:,} more answered whose message has no delivered report",
                "{count:,} more answered whose messages have no delivered report",
                code="answered_otherwise",
                count=otherwise,
            )
        )
    if unmatched:
        notes.append(
            Text(
                "{count:,} reply answers no known message (or is dated before it)",
                "{count:,} replies answer no known message (or are dated before it)",
                code="unmatched",
                count=unmatched,
            )
        )
    return notes
