"""Whether people who got many messages lately answer less and opt out more: what a cap should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Figures, Filter, Length, Messages, Numbers
from masanalytics.analysis.dimensions import columns_behind
from masanalytics.analysis.filter_checks import narrowed
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import group_rows, messages_with
from masanalytics.analysis.number_places import PersonSums, number_places, rate_of_people
from masanalytics.analysis.received_before import ReceivedBefore, ReceivedTotals, totals_of_rows
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import MessageSource, RememberedMessages, as_source, asks_once
from masanalytics.analysis.sources.base import column_statuses
from masanalytics.analysis.sources.lent_rows import LendsRows, Loan
from masanalytics.analysis.sources.pandas import as_floats, epoch_seconds
from masanalytics.analysis.sources.rows_by_number import ASKED, each_part
from masanalytics.analysis.timely_replies import REPLY_WINDOW, timely_replies
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.stats.proportions import Z95
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FATIGUE_COLUMNS", "fatigue"]

FATIGUE_COLUMNS = (
    "received", "messages", "delivered", "delivery_rate", "low", "high", "answered_delivered", "response_rate", "opt_outs",
    "opt_out_rate", "opt_out_low", "opt_out_high", "opt_out_ratio", "ratio_low", "ratio_high",
)  # fmt: skip
_STAY = Text(
    "who has had many messages and is still written to is who did not opt out: the others have left", code="survivors"
)
_NO_STRATA = Text(
    "the messages have no campaign: a text that many opt out of cannot be told from fatigue", code="no_strata"
)


@named_arguments
@asks_once
def fatigue(
    data: Messages,
    window: Length = "30d",
    *,
    max: int = 8,  # noqa: A002 - the word of the question
    within: Length = REPLY_WINDOW,
    uplinks: pd.DataFrame | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return how people answered and opted out by how many messages they had had lately.

    The row at which ``opt_out_ratio`` is clearly above 1 says what ``plan(cap=(…, "30d"))`` should be.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``message_id, phone, status, submitted_at``; ``campaign``, ``round`` and ``waited_s`` where there are any.
    window : str, timedelta or number of seconds
        How far back messages count.
    max : int
        So many and more are one row.
    within : str, timedelta or number of seconds
        A reply later than this after the message is not counted as its answer.
    uplinks : DataFrame, optional
        The replies, where `data` is a frame: as for `replies`.
    **where
        As for `delivery_rates`; narrows the messages looked at, not those that are counted before them.

    Returns
    -------
    DataFrame
        One row for each number of messages before, none if there are no messages:

        - ``received`` (int): accepted messages to the same number in the window before this one, of all campaigns; the last
          row stands for `max` and more
        - ``messages, delivered`` (int); ``delivery_rate, low, high``
        - ``answered_delivered, opt_outs`` (int): of the delivered, how many were answered, and answered with an opt-out;
          ``response_rate``, ``opt_out_rate, opt_out_low, opt_out_high``: those / delivered
        - ``opt_out_ratio, ratio_low, ratio_high``: how many times as often as in the first row people opted out of the same
          round of the same campaign (Mantel and Haenszel); NaN where no round had people of both

        Intervals are Wilson's at the effective size, the messages of a number taken together.

    Raises
    ------
    InputError
        If a column is missing, phones are masked, a length cannot be read, `max` is no whole number from 1 up, or `data` is a
        frame and `uplinks` is not given.

    Notes
    -----
    Messages that are still open (pending for less than 72 h) are left out; a note counts them. The interval of the ratio is
    that of S. Greenland and J. M. Robins (1985), Biometrics 41:55-68, as much wider as messages of a number hang together.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "message_id": [1, 2, 3], "phone": ["13800000001", "13800000001", "13800000002"], "status": "delivered",
    ...     "submitted_at": pd.to_datetime(["2026-01-01", "2026-01-08", "2026-01-08"]), "campaign": ["a", "b", "b"],
    ... })
    >>> said = pd.DataFrame({
    ...     "message_id": [2], "phone": "13800000001", "content": "T", "opt_out": "opt_out",
    ...     "sent_at": pd.to_datetime(["2026-01-08 00:01"]),
    ... })
    >>> fatigue(messages, uplinks=said)[["received", "delivered", "opt_outs"]].values.tolist()
    [[0, 2, 0], [1, 1, 1]]
    """
    if isinstance(max, bool) or not isinstance(max, int) or max < 1:
        raise InputError("max={max!r}: a whole number from 1 up", max=max)
    filters, source = Filters.parse(where), as_source(data)
    said, _strangers = timely_replies(data, source, uplinks, to_seconds(within))
    ids, is_out = said["_message_id"].to_numpy(dtype=np.int64), (said["_opt_out"] == "opt_out").to_numpy(dtype=bool)
    strata = [name for name in ("campaign", "round") if name in source.message_columns()]
    found = _totals(
        source, filters, ReceivedBefore(to_seconds(window), max, np.unique(ids), np.unique(ids[is_out]), strata)
    )
    result = _table(found)
    notes = [_STAY] if len(result) > 1 else []
    if "campaign" not in source.message_columns() and len(result):
        notes.append(_NO_STRATA)
    counted = result["messages"].tolist()
    result = finished(
        result, source, where=filters, denominator="delivered", notes=[*notes, *_open(found.open_yet)], counted=counted
    )
    result.attrs["max"] = max
    return result


def _totals(source: MessageSource, filters: Filters, question: ReceivedBefore) -> ReceivedTotals:
    """Return what became of messages by how many came before: from where the data is, or from the messages where a source lends none."""
    plain = source.plain if isinstance(source, RememberedMessages) else source
    pushed, derived = narrowed(source, filters)
    if isinstance(plain, LendsRows) and not derived:
        asked = None if filters == Filters() else pushed
        found = plain.lend_rows(Loan(Filters(), ["message_id", *question.strata], asked=asked), question)
        if found is not None:
            return found
    columns = ["message_id", "phone", "status", "submitted_at", *question.strata]
    columns += sorted({"waited_s"} & set(source.message_columns()))
    columns = columns_behind([*columns, *derived], source.message_columns())
    asked = Filters() if filters == Filters() else pushed
    parts = each_part(source, columns, lambda rows: _of_messages(rows, derived, question), where=Filters(), asked=asked)
    return ReceivedTotals.added_up(parts)


def _of_messages(
    rows: pd.DataFrame, derived: Mapping[str, tuple[Any, ...]], question: ReceivedBefore
) -> ReceivedTotals:
    """Return the totals of the messages asked about, each with how many came before it."""
    import pandas as pd

    codes, distinct = pd.factorize(rows["status"], use_na_sentinel=False)
    status = np.array([*column_statuses(distinct), -1], dtype=np.int64)[codes]
    phone, _numbers = number_places(rows["phone"])
    sent = epoch_seconds(rows["submitted_at"])
    waited = as_floats(rows["waited_s"]) if "waited_s" in rows else np.full(len(rows), np.inf)
    is_open = (status == Status.pending) & ~(waited >= UNREPORTED_AFTER_S)
    usable = np.flatnonzero((status >= Status.pending) & (phone >= 0) & ~np.isnan(sent))
    order = usable[np.lexsort((sent[usable], phone[usable]))]
    received = np.zeros(len(rows), dtype=np.int64)
    received[order] = _received(phone[order], sent[order], question.window)
    ids, asked = rows["message_id"].to_numpy(), rows[ASKED].to_numpy(dtype=bool)
    if derived:
        asked = np.isin(ids, messages_with(rows[asked], derived)["message_id"])
    kept = order[(asked & ~is_open)[order]]
    table = rows[question.strata].take(kept).assign(
        phone=phone[kept], received=np.minimum(received[kept], question.most), arrived=status[kept] == Status.delivered,
        answered=np.isin(ids[kept], question.answered), stopped=np.isin(ids[kept], question.stopped),
    )  # fmt: skip
    return totals_of_rows(table, question.strata, int((asked & is_open)[usable].sum()))


def _received(phone: Numbers, sent: Figures, window: int) -> Numbers:
    """Return how many messages went to the same number in the `window` before each; they stand by number and time."""
    if not len(phone):
        return np.zeros(0, dtype=np.int64)
    moment = sent - sent.min()
    line = phone * (moment.max() + window + 1) + moment
    return np.asarray(np.searchsorted(line, line) - np.searchsorted(line, line - window), dtype=np.int64)


def _table(found: ReceivedTotals) -> pd.DataFrame:
    import pandas as pd

    levels = found.levels.sort_values("received").to_dict("records")
    outs = _Outs.of(found.strata)
    rows = []
    for of in levels:
        sums = PersonSums(of["messages"], of["delivered"], of["both"], of["squares"], of["sent_squares"])
        rate, low, high, _effect = rate_of_people(of["people"], sums)
        sums = PersonSums(of["delivered"], of["opt_outs"], of["out_both"], of["out_squares"], of["squares"])
        out, out_low, out_high, effect = rate_of_people(of["reached"], sums)
        first, level = levels[0]["received"], of["received"]
        ratio = (np.nan,) * 3 if level == first else outs.ratio(first, level, effect)
        answered = of["answered"] / of["delivered"] if of["delivered"] else np.nan
        rows.append(
            (
                level, of["messages"], of["delivered"], rate, low, high, of["answered"], answered, of["opt_outs"], out, out_low,
                out_high, *ratio,
            )
        )  # fmt: skip
    whole = dict.fromkeys(("received", "messages", "delivered", "answered_delivered", "opt_outs"), "int64")
    kinds = {name: whole.get(name, "float64") for name in FATIGUE_COLUMNS}
    return pd.DataFrame(rows, columns=list(FATIGUE_COLUMNS)).astype(kinds)


@dataclass(frozen=True)
class _Outs:
    """Delivered messages and opt-outs by how many came before, in each round of each campaign: level -> a number a round."""

    delivered: Mapping[int, Figures]
    opt_outs: Mapping[int, Figures]

    @classmethod
    def of(cls, strata: pd.DataFrame) -> _Outs:
        keys = [name for name in strata.columns if name not in ("received", "delivered", "opt_outs")]
        place, groups = group_rows(strata[keys]) if keys else (np.zeros(len(strata), dtype=np.int64), strata[:1])
        received = strata["received"].to_numpy(dtype=np.int64)

        def by_level(name: str) -> dict[int, Figures]:
            count = strata[name].to_numpy(dtype=float)
            return {
                level: np.bincount(place[received == level], count[received == level], minlength=len(groups)).astype(
                    float
                )
                for level in np.unique(received).tolist()
            }

        return cls(by_level("delivered"), by_level("opt_outs"))

    def ratio(self, first: int, level: int, effect: float) -> tuple[float, float, float]:
        """Return how many times as often people opted out at `level` as at `first`, round by round, with its interval."""
        if first not in self.delivered or level not in self.delivered:
            return (np.nan,) * 3
        both = (self.delivered[first] > 0) & (self.delivered[level] > 0)
        (n0, n1), (out0, out1) = ((of[first][both], of[level][both]) for of in (self.delivered, self.opt_outs))
        total = n0 + n1
        above, below = float((out1 * n0 / total).sum()), float((out0 * n1 / total).sum())
        if not above or not below:
            return (np.nan,) * 3
        variance = float(((n1 * n0 * (out0 + out1) - out0 * out1 * total) / total**2).sum()) / (above * below)
        half = Z95 * np.sqrt(variance * np.fmax(effect, 1.0))
        ratio = above / below
        return ratio, float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def _open(count: int) -> list[Text]:
    if not count:
        return []
    return [
        Text(
            "{count:,} message is still open and left out",
            "{count:,} messages are still open and left out",
            code="open",
            count=count,
        )
    ]
