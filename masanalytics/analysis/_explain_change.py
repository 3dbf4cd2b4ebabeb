"""Why a rate changed: which cells account for it, by their share (mix) and by their own rate.

Source: E. M. Kitagawa (1955), JASA 50:1168-1194. A cell's mix effect is its change in share times its mean rate's distance
from the overall mean rate, so that a cell that merely became smaller is blamed only if it was better than the others;
summed over the cells this is Kitagawa's composition effect. The contributions add up to the change exactly.

Their intervals are by the delta method, taken with one delivered and one failed message more in the cell on each side, as
A. Agresti and B. Caffo (2000), The American Statistician 54:280-288, do for the difference of two rates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from masanalytics.aliases import Columns, Figures, Instant, Length, Messages, Numbers
from masanalytics.analysis.dimensions import as_names
from masanalytics.analysis.equal_age import common_age, equal_age_notes, waited_counts
from masanalytics.analysis.filters import Filters, to_instant, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import finished, refuse_taken_names
from masanalytics.analysis.sources import as_source
from masanalytics.errors import InputError
from masanalytics.stats.proportions import Z95, newcombe
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHANGE_COLUMNS", "explain_change"]


CHANGE_COLUMNS = (
    "share_before", "share_after", "rate_before", "rate_after", "mix_effect", "rate_effect", "contribution", "low", "high",
    "leading_codes",
)  # fmt: skip
_OUTCOME_COLUMNS = ("category", "error_code", "report_status")
_WORST_CELLS = 5
_LEADING_CODES = 3


def explain_change(
    before: Messages,
    after: Messages | None = None,
    by: Columns = "carrier",
    *,
    at: Instant | None = None,
    within: Length | None = None,
    **where: Any,
) -> pd.DataFrame:
    """Return which cells account for the change of the delivery rate, most harmful first.

    Parameters
    ----------
    before, after : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Need ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s`` and the columns of `by`;
        ``error_code`` where there is one. Without `after`, `before` is cut in two at `at`.
    by : str or sequence of str
        The dimensions of the cells, as for `delivery_rates`: ``["carrier", "province"]``, also ``"category"``.
    at : str, datetime or epoch seconds, optional
        The time of submission at which `before` is cut, China time: ``explain_change(store, at="2026-01-05")``.
    within : str, timedelta or number of seconds, optional
        The age to compare at; by default the shortest observed age of both sides (see `compare`).
    **where
        As for `delivery_rates`; applies to both sides.

    Returns
    -------
    DataFrame
        One row a cell, the largest loss first. After `by`:

        - ``share_before, share_after``: of all accepted; ``rate_before, rate_after``: delivered / accepted (NaN where the
          cell has no messages)
        - ``mix_effect``: by the change of its share; ``rate_effect``: by the change of its own rate
        - ``contribution`` = both; ``low, high``: its 95 % interval (delta method, for few messages as Agresti and Caffo have
          it). The contributions add up to the change
        - ``leading_codes`` (text): of the five worst cells, the error codes whose share grew most, in points

        ``.attrs["change"]``: ``rate_before, rate_after, change, low, high`` (Newcombe) and ``mix_effect, rate_effect``.

    Raises
    ------
    InputError
        If a column is missing, or there is nothing to compare with.

    Examples
    --------
    >>> import pandas as pd
    >>> def week(mobile, unicom):
    ...     parts = [("China Mobile", *mobile), ("China Unicom", *unicom)]
    ...     rows = [(c, s) for c, n, k in parts for s in ["delivered"] * k + ["failed"] * (n - k)]
    ...     return pd.DataFrame(rows, columns=["carrier", "status"]).assign(latency_s=5, waited_s=300_000)
    >>> found = explain_change(week((80, 76), (20, 18)), week((60, 57), (40, 28)))
    >>> found[["carrier", "mix_effect", "rate_effect", "contribution"]].round(3).values.tolist()
    [['China Unicom', -0.019, -0.06, -0.079], ['China Mobile', -0.011, 0.0, -0.011]]
    >>> round(found.attrs["change"]["change"], 3)
    -0.09
    """
    names = as_names(by)
    refuse_taken_names(names, CHANGE_COLUMNS)
    sides = _sides(before, after, at, Filters.parse(where))
    waited = [waited_counts(data, Question((), (), filters))[0] for data, filters in sides]
    age = common_age(*waited) if within is None else float(to_seconds(within))
    counts = [_at_age(data, names, filters, age) for data, filters in sides]
    cells, tables = _cells(counts, names)
    result, change = _decomposed(cells, *tables)
    order = np.argsort(result["contribution"].to_numpy(), kind="stable")
    codes = _leading_codes(counts, names, cells, order[:_WORST_CELLS], result["contribution"].to_numpy())
    result = result.assign(leading_codes=codes).iloc[order].reset_index(drop=True)
    source = as_source(sides[1][0])
    notes = equal_age_notes(age, *waited, asked=within is not None)
    result = finished(result, source, where=sides[1][1], notes=notes)
    result.attrs["change"] = change
    result.attrs["within_s"] = age
    return result


def _sides(
    before: Messages, after: Messages | None, at: Instant | None, where: Filters
) -> list[tuple[Messages, Filters]]:
    if after is not None and at is None:
        return [(before, where), (after, where)]
    if after is None and at is not None:
        cut = to_instant(at)
        return [(before, replace(where, until=cut)), (before, replace(where, since=cut))]
    raise InputError(
        "say what to compare with: explain_change(before, after), or explain_change(data, at='2026-01-05')"
    )


def _at_age(data: Messages, names: list[str], filters: Filters, age: float | None) -> Counts:
    where = replace(filters, waited_at_least=None if age is None else int(age))
    counts, _ = count_messages(data, Question(names, ("error_code",), where))
    counts = counts.taken(counts.accepted())
    if age is None:
        return counts
    # What is only known later than the age compared at is not known in either side.
    late = (counts.seconds > age) & (counts.status != Status.pending)
    outcome = [name for name in counts.keys.columns if name in _OUTCOME_COLUMNS]
    keys = counts.keys.assign(**{name: counts.keys[name].mask(late) for name in outcome})
    return Counts(keys, np.where(late, int(Status.pending), counts.status), counts.seconds, counts.n, counts.by)


def _cells(counts: list[Counts], names: list[str]) -> tuple[pd.DataFrame, list[tuple[Figures, Figures]]]:
    """Return the cells of both sides, and each side's accepted and delivered by cell."""
    import pandas as pd

    both = pd.concat([part.keys[names] for part in counts], ignore_index=True)
    cell, cells = group_rows(both)
    places = np.split(cell, [len(counts[0].n)])
    tables = []
    for part, place in zip(counts, places, strict=True):
        arrived = part.status == Status.delivered
        accepted = np.bincount(place, weights=part.n, minlength=len(cells)).astype(float)
        delivered = np.bincount(place[arrived], weights=part.n[arrived], minlength=len(cells)).astype(float)
        tables.append((accepted, delivered))
    return cells, tables


def _decomposed(
    cells: pd.DataFrame, before: tuple[Figures, Figures], after: tuple[Figures, Figures]
) -> tuple[pd.DataFrame, dict[str, float]]:
    import pandas as pd

    share0, share1 = (_ratio(n, np.full(len(n), n.sum())) for n, _ in (before, after))
    rate0, rate1 = (_ratio(k, n) for n, k in (before, after))
    whole0, whole1 = (float(k.sum() / n.sum()) if n.sum() else np.nan for n, k in (before, after))
    middle = (whole0 + whole1) / 2
    # A cell that is new (or gone) has one rate only: all of its contribution is mix.
    there0, there1 = np.where(np.isnan(rate0), rate1, rate0), np.where(np.isnan(rate1), rate0, rate1)
    mix = (share1 - share0) * ((there0 + there1) / 2 - middle)
    own = (there1 - there0) * (share0 + share1) / 2
    lowest, highest = _interval(before, after)
    columns = {
        "share_before": share0, "share_after": share1, "rate_before": rate0, "rate_after": rate1, "mix_effect": mix,
        "rate_effect": own, "contribution": mix + own, "low": np.minimum(lowest, mix + own), "high": np.maximum(highest, mix + own),
    }  # fmt: skip
    low, high = newcombe(after[1].sum(), after[0].sum(), before[1].sum(), before[0].sum())
    change = {
        "rate_before": whole0, "rate_after": whole1, "change": whole1 - whole0, "low": float(low), "high": float(high),
        "mix_effect": float(np.sum(mix)), "rate_effect": float(np.sum(own)),
    }  # fmt: skip
    return pd.concat([cells, pd.DataFrame(columns, index=cells.index)], axis=1), change


def _ratio(part: Figures, whole: Figures) -> Figures:
    some = whole > 0
    return np.where(some, part / np.where(some, whole, 1), np.nan)


def _interval(before: tuple[Figures, Figures], after: tuple[Figures, Figures]) -> tuple[Figures, Figures]:
    """Return the bounds of each cell's contribution, with one delivered and one failed message more in it on each side.

    20 of 20 are no proof of 100 %: the delta method by itself would call them one, and the interval a point.
    """
    if not before[0].sum() or not after[0].sum():
        unknown = np.full(len(before[0]), np.nan)
        return unknown, unknown
    sides = [_Side(n + 2, k + 1, n.sum() + 2, k.sum() + 1) for n, k in (before, after)]
    middle = sum(side.all_delivered / side.total for side in sides) / 2
    moved = sides[1].accepted / sides[1].total - sides[0].accepted / sides[0].total
    there = [(side.delivered - middle * side.accepted) / side.total for side in sides]
    half = Z95 * np.sqrt(_variance(moved, middle, sides[0], sign=-1) + _variance(moved, middle, sides[1], sign=1))
    contribution = there[1] - there[0]
    return np.maximum(contribution - half, -1.0), np.minimum(contribution + half, 1.0)


class _Side(NamedTuple):
    """One side as each cell sees it: its own messages, and all."""

    accepted: Figures
    delivered: Figures
    total: float
    all_delivered: float


def _variance(moved: Figures, middle: float, side: _Side, *, sign: int) -> Figures:
    """Return the variance of the contributions from one side's sampling: its messages are drawn with cell and outcome.

    A message of the cell counts ``sign * (outcome - middle)``; every delivered one also moves the middle.
    """
    arrived, missed = side.delivered / side.total, (side.accepted - side.delivered) / side.total
    elsewhere = (side.all_delivered - side.delivered) / side.total
    worth = sign * (1 - middle) - moved / 2
    mean = arrived * worth - sign * middle * missed - moved / 2 * elsewhere
    square = arrived * worth**2 + middle**2 * missed + (moved / 2) ** 2 * elsewhere
    variance: Figures = np.maximum(square - mean**2, 0) / side.total
    return variance


def _leading_codes(
    counts: list[Counts], names: list[str], cells: pd.DataFrame, worst: Numbers, contribution: Figures
) -> pd.Series:
    """Return, for the worst cells, the error codes whose share of the cell grew most."""
    import pandas as pd

    texts: list[str | None] = [None] * len(cells)
    if any("error_code" not in part.keys.columns for part in counts):
        return pd.Series(texts, dtype="str")
    wanted = [int(cell) for cell in worst if contribution[cell] < 0]
    shares = [_code_shares(part, names, cells) for part in counts]
    for cell in wanted:
        grown = {
            code: share - shares[0].get((cell, code), 0.0) for (at, code), share in shares[1].items() if at == cell
        }
        top = sorted(grown.items(), key=lambda item: (-item[1], item[0]))[:_LEADING_CODES]
        texts[cell] = ", ".join(f"{code} {100 * share:+.1f}" for code, share in top if share > 0) or None
    return pd.Series(texts, dtype="str")


def _code_shares(part: Counts, names: list[str], cells: pd.DataFrame) -> dict[tuple[int, str], float]:
    """Return (cell, error code) -> share of the cell's accepted messages that failed with it."""
    import pandas as pd

    numbers, _ = group_rows(pd.concat([cells[names], part.keys[names]], ignore_index=True))
    place = dict(zip(numbers[: len(cells)].tolist(), range(len(cells)), strict=True))
    cell = np.array([place[number] for number in numbers[len(cells) :].tolist()], dtype=np.int64)
    accepted = np.bincount(cell, weights=part.n, minlength=len(cells))
    failed = part.status == Status.failed
    codes = part.keys["error_code"].astype("str")[failed].fillna("-")
    shares: dict[tuple[int, str], float] = {}
    for at, code, n in zip(cell[failed].tolist(), codes.tolist(), part.n[failed].tolist(), strict=True):
        shares[at, code] = shares.get((at, code), 0.0) + n / accepted[at]
    return shares
