"""How many people a comparison needs, and how many days that takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, comb
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Filter, Messages
from masanalytics.analysis.dimensions import as_days
from masanalytics.analysis.equal_age import waited_counts
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, group_rows
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources.base import MessageSource
from masanalytics.argument_kinds import checked_number
from masanalytics.errors import InputError
from masanalytics.formatting import percent
from masanalytics.i18n import Text, _, ngettext, speaks
from masanalytics.near_names import named_arguments
from masanalytics.stats.power import LEVEL, POWER, needed_size
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SAMPLE_SIZE_COLUMNS", "sample_size"]

SAMPLE_SIZE_COLUMNS = (
    "rate", "change", "power", "arms", "design_effect", "per_arm", "total", "per_day", "days", "sentence",
)  # fmt: skip
_DAYS = 28
_LEAST_BATCHES = 10


@named_arguments
@speaks
def sample_size(
    rate: float,
    change: float | Sequence[float],
    *,
    power: float = POWER,
    arms: int = 2,
    design_effect: float | None = None,
    data: Messages | None = None,
    language: str | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return how many people each arm of a comparison needs, and how many days that takes.

    Parameters
    ----------
    rate : float
        The rate you expect without the change, between 0 and 1: of delivery, of replies, of what you count.
    change : float or sequence of float
        The difference that must not be missed: ``0.01`` for a point more, ``-0.01`` for a point less. Several give a row each.
    power : float
        The chance that such a difference is found.
    arms : int
        How many arms are compared, each with each. With more than two, 5 % are divided among all pairs.
    design_effect : float, optional
        How many times as much the arms' rates vary as they would if every message failed on its own: 1 and more. Without it, it
        is estimated from `data`; without that it is 1.
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these, optional
        What you have sent so far: for the design effect (needs ``batch_id, waited_s``) and the messages a day
        (``submitted_at, waited_s``).
    language : {"en", "zh"}, optional
        Of ``sentence``; by default the user's own.
    **where
        Which messages of `data`, as for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a change:

        - ``rate, change, power, arms, design_effect``: what it was computed from
        - ``per_arm, total`` (int): people needed in an arm, and in all
        - ``per_day`` (messages): accepted a day in the last 28 days of `data`; NaN without it
        - ``days``: `total` divided by it
        - ``sentence``: the same in words

    Raises
    ------
    InputError
        If `rate`, or the rate after `change`, is not between 0 and 1, a change is 0, or `power`, `arms` or `design_effect`
        cannot be.

    Notes
    -----
    Fleiss, Levin & Paik 2003, section 4.2, without continuity correction, times the design effect. That is Rao and Scott's (1992)
    of the matured messages' delivery, batch by batch within campaigns: messages of a batch fail together. Fewer than ten batches
    do not show it. It holds for requests as large as those of `data`.

    Examples
    --------
    >>> found = sample_size(0.95, [-0.02, 0.01], language="en")
    >>> found[["change", "per_arm", "total"]].values.tolist()
    [[-0.02, 2213.0, 4426.0], [0.01, 6745.0, 13490.0]]
    >>> print(found["sentence"][0])
    To find a fall from 95.0% to 93.0% in 80% of cases, each of 2 arms needs 2,213 people: 4,426 in all.
    """
    import pandas as pd

    several = isinstance(change, Iterable) and not isinstance(change, str)
    changes = [checked_number("change", one) for one in (change if several else [change])]  # type: ignore[union-attr]
    numbers = {"rate": rate, "power": power, "arms": arms}
    for name, value in (numbers if design_effect is None else numbers | {"design_effect": design_effect}).items():
        checked_number(name, value)
    _refuse(rate, changes, power, arms, design_effect)
    arms = int(arms)
    known = _Known(1.0 if design_effect is None else float(design_effect))
    source: MessageSource | None = None
    notes: list[Text] = []
    filters = Filters.parse(where)
    if data is not None:
        known, source, notes = _from(data, filters, design_effect)
    rows = [_row(rate, one, power, arms, known) for one in changes]
    result = pd.DataFrame(rows, columns=list(SAMPLE_SIZE_COLUMNS)).astype({"sentence": "str"})
    if source is not None:
        return finished(result, source, where=filters, notes=notes, is_empty=not known.messages)
    result.attrs["notes"] = []
    return result


@dataclass(frozen=True)
class _Known:
    """What the user's messages say: how much more batches vary than chance, and messages a day."""

    design_effect: float
    per_day: float = float("nan")
    messages: int = 0


def _refuse(rate: float, changes: Sequence[float], power: float, arms: int, design_effect: float | None) -> None:
    if not 0 < rate < 1:
        raise InputError("rate={rate!r} is not between 0 and 1", rate=rate)
    for change in changes:
        if not change or not 0 < rate + change < 1:
            raise InputError(
                "change={change!r}: from {rate} it leads to {other}; it must not be 0 and the rate must stay between 0 and 1 "
                "(0.01 is one point)",
                change=change,
                rate=percent(rate),
                other=percent(rate + change),
            )
    if not LEVEL < power < 1:
        raise InputError("power={power!r} is not between {least} and 1", power=power, least=LEVEL)
    if arms != int(arms) or arms < 2:
        raise InputError("arms={arms!r}: a comparison has two arms or more", arms=arms)
    if design_effect is not None and not 1 <= design_effect < float("inf"):
        raise InputError(
            "design_effect={value!r}: it is 1 (every message fails on its own) or more", value=design_effect
        )


def _row(rate: float, change: float, power: float, arms: int, known: _Known) -> dict[str, Any]:
    each = needed_size(rate, rate + change, power=power, level=LEVEL / comb(arms, 2))
    per_arm = ceil(each * known.design_effect - 1e-9)
    total = per_arm * arms
    row = {
        "rate": rate, "change": change, "power": power, "arms": arms, "design_effect": known.design_effect,
        "per_arm": per_arm, "total": total, "per_day": known.per_day,
        "days": total / known.per_day if known.per_day > 0 else float("nan"),
    }  # fmt: skip
    return row | {"sentence": _sentence(row)}


def _sentence(row: dict[str, Any]) -> str:
    digits = next((digits for digits in (1, 2, 3) if abs(row["change"]) >= 10.0 ** -(digits + 2)), 4)
    values = {
        "before": percent(row["rate"], digits), "after": percent(row["rate"] + row["change"], digits),
        "power": percent(row["power"], 0), "arms": row["arms"], "per_arm": row["per_arm"], "total": row["total"],
    }  # fmt: skip
    if row["change"] < 0:
        said = _(
            "To find a fall from {before} to {after} in {power} of cases, each of {arms} arms needs {per_arm:,} people: "
            "{total:,} in all",
            **values,
        )
    else:
        said = _(
            "To find a rise from {before} to {after} in {power} of cases, each of {arms} arms needs {per_arm:,} people: "
            "{total:,} in all",
            **values,
        )
    if row["days"] != row["days"]:
        return _("{said}.", said=said)
    took = ngettext("{count:,} day", "{count:,} days", max(1, ceil(row["days"])))
    return _("{said}, about {days} at your {per_day:,.0f} a day.", said=said, days=took, per_day=row["per_day"])


def _from(data: Messages, filters: Filters, given: float | None) -> tuple[_Known, MessageSource, list[Text]]:
    """Return what `data` says of the design effect and of messages a day."""
    question = Question(["day"], ("campaign", "batch_id"), filters)
    counts, source = waited_counts(data, question)  # how long is only asked of 72 hours
    per_day, total = _per_day(counts), int(counts.n.sum())
    if given is not None:
        return _Known(float(given), per_day, total), source, []
    effect, batches = _design_effect(counts.taken(counts.seconds >= UNREPORTED_AFTER_S))
    if batches < _LEAST_BATCHES:
        few = Text(
            "the data has {count:,} batches of matured messages beside others of their campaign: too few to say how much messages "
            "of a batch fail together, so each is taken to fail on its own",
            code="few_batches",
            count=batches,
        )
        return _Known(1.0, per_day, total), source, [few]
    estimated = Text(
        "messages of a batch fail together: the arms need {effect:.1f} times as many people as chance alone asks for "
        "({count:,} batches)",
        code="design_effect",
        effect=effect,
        count=batches,
    )
    return _Known(effect, per_day, total), source, [estimated] if effect > 1 else []


def _per_day(counts: Counts) -> float:
    """Return the messages a day of the last 28 days with any, from the first of them to the last."""
    days = as_days(counts.keys["day"])
    if not days.notna().any():
        return float("nan")
    age = (days.max() - days).dt.days.to_numpy(dtype=float, na_value=np.inf)
    recent = age < _DAYS
    return float(counts.n[recent].sum() / (age[recent].max() + 1))


def _design_effect(counts: Counts) -> tuple[float, int]:
    """Return Rao and Scott's design effect of batches within campaigns, and the number of batches it rests on.

    Each campaign of m batches has the variance m/(m - 1) Σ (k - p n)² of its delivered where chance has p (1 - p) Σ n; the
    effect is the ratio of the sums over campaigns.
    """
    if "batch_id" not in counts.keys.columns or not len(counts.n):
        return 1.0, 0
    of_campaign = [name for name in ("campaign",) if name in counts.keys.columns]
    batch, batches = group_rows(counts.keys[[*of_campaign, "batch_id"]])
    campaign = group_rows(batches[of_campaign])[0] if of_campaign else np.zeros(len(batches), dtype=np.int64)
    n = np.bincount(batch, weights=counts.n)
    k = np.bincount(batch, weights=counts.n * (counts.status == Status.delivered))
    total, delivered, several = (np.bincount(campaign, weights=weight) for weight in (n, k, np.ones(len(n))))
    p = (delivered / total)[campaign]
    squares = np.bincount(campaign, weights=(k - p * n) ** 2)
    usable = several >= 2
    expected = float((total * (delivered / total) * (1 - delivered / total))[usable].sum())
    found = float((squares * several / np.maximum(several - 1, 1))[usable].sum())
    return (max(1.0, found / expected) if expected > 0 else 1.0), int(several[usable].sum())
