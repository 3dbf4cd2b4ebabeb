"""What it cost: billed segments, what a delivered message costs, and what was spent on numbers that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Filter, Messages
from masanalytics.analysis._number_health import HealthRule
from masanalytics.analysis.dimensions import as_names
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.prices import checked_price, parts_of, price_of_each
from masanalytics.analysis.results import finished, refuse_taken_names
from masanalytics.analysis.sources import asks_once
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COST_COLUMNS", "costs"]


COST_COLUMNS = (
    "accepted", "segments", "cost", "delivered", "cost_per_delivered", "cost_not_delivered", "cost_dead_numbers",
    "unpriced",
)  # fmt: skip
_BILLED = {"accepted": (4, 5, 6), "delivered": (5,)}


@named_arguments
@asks_once
def costs(
    data: Messages,
    price: float | Mapping[str, float],
    by: Columns | None = None,
    *,
    billed: str = "accepted",
    **where: Filter,
) -> pd.DataFrame:
    """Return what the messages cost, and how much of it bought nothing.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, segments, error_code`` and the columns of `by`; ``carrier`` if `price` is by carrier.
    price : float or mapping of str to float
        Of one segment, in your currency; or carrier -> price.
    by : str or sequence of str, optional
        As for `delivery_rates`.
    billed : {"accepted", "delivered"}
        What your contract bills: every message the platform accepted, or the delivered ones only.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a group; no rows if there are no messages. After `by`:

        - ``accepted, segments`` (int): messages accepted, and billed segments
        - ``cost`` (float), ``delivered`` (int), ``cost_per_delivered`` (NaN if none of known length was)
        - ``cost_not_delivered``: spent on messages without a delivery report so far
        - ``cost_dead_numbers``: of that, on failures whose code says the number does not exist or is out of service
        - ``unpriced`` (int): of the accepted, those whose length is not known (``segments`` missing: templates, and what
          another system sent). They are in no amount and, for ``cost_per_delivered``, not among the delivered either;
          where there are no others, the amounts are NaN. A note counts them

    Raises
    ------
    InputError
        If a column, or the price of a carrier, is missing, or a price is not a number from 0 up.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "status": ["delivered", "delivered", "failed"], "segments": [1, 2, 1], "error_code": [None, None, "MK:0001"],
    ... })
    >>> costs(messages, 0.05).round(4).values.tolist()
    [[3.0, 4.0, 0.2, 2.0, 0.1, 0.05, 0.05, 0.0]]
    """
    names = as_names(by)
    refuse_taken_names([name for name in names if name != "segments"], COST_COLUMNS)
    if billed not in _BILLED:
        raise InputError("billed={billed!r}: say 'accepted' or 'delivered'", billed=billed)
    price = checked_price(price)
    filters = Filters.parse(where)
    # The carrier is asked for by name where the price needs it, so that a missing column is named.
    also = ["segments", "category", *(["carrier"] if isinstance(price, Mapping) else [])]
    asked = count_messages(data, Question([*names, *also], (), filters, None))
    counts, source = asked[0].regrouped(names), asked[1]
    segments = parts_of(counts.keys["segments"])
    bill: Figures = np.where(np.isin(counts.status, _BILLED[billed]), np.nan_to_num(segments), 0.0) * counts.n
    result = _table(counts, np.isnan(segments), bill, np.broadcast_to(_prices(counts, price), bill.shape))
    notes = _notes(int(counts.n[counts.accepted() & np.isnan(segments)].sum()))
    return finished(result, source, where=filters, notes=notes, counted=result["accepted"].tolist())


def _table(counts: Counts, unknown: Booleans, bill: Figures, prices: Figures) -> pd.DataFrame:
    import pandas as pd

    arrived = counts.status == Status.delivered
    gone = counts.keys["category"].isin(HealthRule().gone_by).to_numpy(dtype=bool) & (counts.status == Status.failed)
    accepted, unpriced = counts.tally(counts.accepted()), counts.tally(counts.accepted() & unknown)
    nothing_known = (unpriced > 0) & (unpriced == accepted)
    priced_arrivals = counts.tally(arrived & ~unknown)
    cost = np.where(nothing_known, np.nan, _money(counts, bill, prices))
    columns = {
        "accepted": accepted,
        "segments": np.rint(_sum(counts, bill)).astype(np.int64),
        "cost": cost,
        "delivered": counts.tally(arrived),
        "cost_per_delivered": np.where(priced_arrivals > 0, cost / np.maximum(priced_arrivals, 1), np.nan),
        "cost_not_delivered": np.where(nothing_known, np.nan, _money(counts, np.where(arrived, 0.0, bill), prices)),
        "cost_dead_numbers": np.where(nothing_known, np.nan, _money(counts, np.where(gone, bill, 0.0), prices)),
        "unpriced": unpriced,
    }
    columns = {name: values for name, values in columns.items() if name not in counts.by}
    return pd.concat([counts.groups, pd.DataFrame(columns, index=counts.groups.index)], axis=1)


def _sum(counts: Counts, values: Figures) -> Figures:
    return np.bincount(counts.group, weights=values, minlength=len(counts.groups)).astype(float)


def _money(counts: Counts, bill: Figures, prices: Figures) -> Figures:
    """Return what the segments of each group cost: whole segments are added up, so that the order of rows is in no digit."""
    of_each = [price * _sum(counts, np.where(prices == price, bill, 0.0)) for price in np.unique(prices)]
    if len(of_each) < 2:
        return of_each[0] if of_each else np.zeros(len(counts.groups))
    return np.array([fsum(parts) for parts in zip(*of_each, strict=True)], dtype=float)


def _prices(counts: Counts, price: float | Mapping[str, float]) -> Any:
    return price_of_each(counts.keys["carrier"], price, counts.accepted()) if isinstance(price, Mapping) else price


def _notes(unknown: int) -> list[Text]:
    if not unknown:
        return []
    return [
        Text(
            "{count:,} message has no known length (a template, or sent by another system) and is in no cost",
            "{count:,} messages have no known length (templates, or sent by another system) and are in no cost",
            code="no_segments",
            count=unknown,
        )
    ]
