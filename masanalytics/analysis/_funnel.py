"""From planned to replied: how many messages are left after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from masanalytics.aliases import Filter, Messages
from masanalytics.analysis._replies import replies
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, count_messages
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import as_source, asks_once, uplinks_of, without_uplinks
from masanalytics.vocabulary import ACCEPTED, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["funnel"]


@asks_once
def funnel(data: Messages, **where: Filter) -> pd.DataFrame:
    """Return how many messages were planned, accepted by the platform, delivered, and replied to.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status``; with ``waited_s``, messages silent for more than 72 h are not pending any more.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a step: ``step`` (``planned``, ``accepted``, ``delivered``, and ``replied``: of the delivered), ``count`` (int),
        ``pending`` (int): how many may still come to be delivered. Replies are known of a Store and of an export with
        ``uplinks=True``; where that step is not there, a note says why, but for frames alone.

    Examples
    --------
    >>> import pandas as pd
    >>> funnel(pd.DataFrame({"status": ["delivered", "failed", "pending", "not_sent"]})).values.tolist()
    [['planned', 4, 0], ['accepted', 3, 0], ['delivered', 1, 1]]
    """
    import pandas as pd

    filters = Filters.parse(where)
    waited = "waited_s" in as_source(data).message_columns()
    counts, source = count_messages(data, Question((), (), filters, seconds="waited_hours" if waited else None))
    of_status = {status: int(counts.n[counts.status == status].sum()) for status in Status}
    rows = [
        ("planned", sum(of_status.values()), 0),
        ("accepted", sum(of_status[Status[name]] for name in ACCEPTED), 0),
        (
            "delivered",
            of_status[Status.delivered],
            of_status[Status.pending] - int(counts.n[counts.unreported()].sum()),
        ),
    ]
    notes = []
    if uplinks_of(data) is None:
        notes = [why for why in [without_uplinks(data)] if why is not None]
    else:
        answers = replies(data, by=None, cluster=None, **where)
        # A step holds part of the one before: who answered a message that is not known to be delivered is left out.
        rows.append(("replied", int(answers["answered_delivered"].sum()), 0))
    steps = pd.DataFrame(rows, columns=["step", "count", "pending"])
    return finished(steps, source, where=filters, notes=notes, is_empty=not len(counts.n))
