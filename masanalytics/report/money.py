"""What the messages cost, in sentences and in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from masanalytics import analysis
from masanalytics.formatting import count, money
from masanalytics.i18n import _, ngettext
from masanalytics.plot.chart import titled
from masanalytics.report import tables
from masanalytics.report.contents import Section, Subject

__all__ = ["money_sections", "money_sentences", "spent_in_words"]


def money_sections(subject: Subject, by: str | None) -> list[Section]:
    """Return what was spent by a column, the dearest groups first; nothing where no price is given."""
    price = subject.request.price
    if price is None:
        return []
    spent = analysis.costs(subject.data, price, by=by, **subject.request.where)
    spent = spent.drop(columns="accepted").sort_values("cost", ascending=False, kind="stable", ignore_index=True)
    title = titled(_("What it cost"), [by] if by else [])
    return [subject.section("money", title, spent, tables.columns_of(spent, tables.COSTS))]


def money_sentences(subject: Subject) -> list[str]:
    """Return what was spent in all; nothing where no price is given."""
    price = subject.request.price
    if price is None:
        return []
    return spent_in_words(analysis.costs(subject.data, price, **subject.request.where), price)


def spent_in_words(spent: pd.DataFrame, price: float | Mapping[str, float]) -> list[str]:
    """Return what was spent, and what of it bought nothing.

    Parameters
    ----------
    spent : DataFrame
        A result of ``costs`` without groups.
    price : float or mapping of str to float
        Of one segment, or carrier -> price.

    Examples
    --------
    >>> spent = pd.DataFrame({"segments": [1000], "cost": [50.0], "cost_per_delivered": [0.0556],
    ...                       "cost_not_delivered": [5.0], "cost_dead_numbers": [2.0], "unpriced": [0]})
    >>> spent_in_words(spent, 0.05)[0]
    '1,000 segments cost ¥50.00 (¥0.05 each), ¥0.056 for each delivered message.'
    """
    if spent.empty or pd.isna(spent["cost"].iloc[0]):
        return []
    row: dict[Any, Any] = spent.iloc[0].to_dict()
    segments = ngettext("{count:,} segment", "{count:,} segments", int(row["segments"]))
    if pd.isna(row["cost_per_delivered"]):
        sentences = [_("{segments} cost {cost}; nothing was delivered.", segments=segments, cost=money(row["cost"]))]
    else:
        each = "" if isinstance(price, Mapping) else _(" ({price} each)", price=money(price))
        sentences = [
            _(
                "{segments} cost {cost}{each}, {delivered} for each delivered message.",
                segments=segments,
                cost=money(row["cost"]),
                each=each,
                delivered=money(round(row["cost_per_delivered"], 3)),
            )
        ]
    if row["cost_not_delivered"]:
        sentences.append(
            _(
                "{wasted} of it went to messages without a report of delivery so far, {dead} to numbers that do not exist.",
                wasted=money(row["cost_not_delivered"]),
                dead=money(row["cost_dead_numbers"]),
            )
        )
    if row["unpriced"]:
        sentences.append(_("{count} messages of unknown length are in no cost.", count=count(row["unpriced"])))
    return sentences
