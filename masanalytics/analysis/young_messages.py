"""The messages whose 72 hours are not over, counted by what tells their campaigns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from masanalytics.aliases import Messages
from masanalytics.analysis.campaign_units import unit_dimensions
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.sources import as_source
from masanalytics.vocabulary import UNREPORTED_AFTER_S

__all__ = ["aligned", "young_messages"]


def young_messages(data: Messages, question: Question, counts: Counts) -> Callable[[], Counts]:
    """Return what counts the young messages of `counts` when they are needed, by campaign, day, hour, template and segments.

    Only the time in which they were submitted is looked at, where the source knows it.
    """

    @cache
    def find() -> Counts:
        source = as_source(data)
        columns = source.message_columns()
        dimensions = unit_dimensions(set(columns))
        alone = counts.taken(~counts.matured()).grouped_as(counts.group[~counts.matured()], counts.groups)
        if not dimensions:
            return alone
        asked = replace(question, also=(*question.also, *dimensions))
        where = question.where.of_columns(columns)
        since = _first_young(source.coverage_summary(where)) if "submitted_at" in columns else None
        expected = int(counts.n[~counts.matured()].sum())
        if since is not None:
            recent = max(since, question.where.since or since)
            found, _ = count_messages(source, replace(asked, where=replace(question.where, since=recent)))
            found = found.taken(~found.matured())
            if int(found.n.sum()) == expected:
                return found
        found, _ = count_messages(source, asked)
        found = found.taken(~found.matured())
        # Reports that came meanwhile are of another state than `counts`, and nothing is said of two states at once.
        return found if int(found.n.sum()) == expected else alone

    return find


def aligned(detail: Counts, counts: Counts) -> Counts:
    """Return `detail` with the groups of `counts`, of which it is a part."""
    import pandas as pd

    keys = [name for name in counts.by if name in detail.keys]
    if keys:
        together = pd.concat([counts.keys[keys], detail.keys[keys]], ignore_index=True)
        group = group_rows(together)[0][len(counts.keys) :]
    else:
        group = np.zeros(len(detail.keys), dtype=np.int64)
    return detail.grouped_as(group, counts.groups)


def _first_young(coverage: Mapping[str, Any]) -> int | None:
    """Return the earliest instant at which a message can have been submitted whose 72 hours are not over; None if unknown."""
    ends = [end for end in (coverage.get("end") or {}).values() if isinstance(end, (int, float, np.integer))]
    as_of = coverage.get("as_of")
    if as_of is not None:
        ends.append(as_of)
    return int(min(ends)) - UNREPORTED_AFTER_S if ends else None
