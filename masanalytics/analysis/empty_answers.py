"""Why an answer is empty: which of the filters leaves nothing, and what the messages have in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.analysis.dimensions import as_days
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.sources.base import MessageSource
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import STATUS_WORDS, Status, carrier_of_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_MESSAGES", "why_empty"]

NO_MESSAGES: Final = Text("there are no messages", code="no_messages")
_UNLISTED: Final = ("phone", "message_id", "batch_id", "key", "content", "request_id")
_LISTED: Final = 5


def why_empty(source: MessageSource, where: Filters) -> Text:
    """Return why there is nothing to say of the messages of `source` that pass `where`.

    The filters are taken one by one, each on what those before it leave: the first that leaves nothing is the reason.

    Examples
    --------
    >>> import pandas as pd
    >>> from masanalytics.analysis.sources.pandas import PandasMessages
    >>> source = PandasMessages(pd.DataFrame({"status": ["delivered"] * 2, "waited_s": [60, 7200]}))
    >>> print(why_empty(source, Filters(values={"waited_s": (5,)})))
    no message asked about has waited_s = 5; there is from 60 to 7200
    >>> print(why_empty(source, Filters(waited_at_least=86_400)))
    no message asked about has been observed for 24 h: the longest is 2 h
    """
    left = Filters(keeps_proofs_out=where.is_without_proofs)
    counts = _counted(source, left)
    if not counts.n.sum():
        return NO_MESSAGES
    for name, options in where.values.items():
        wider, left = left, replace(left, values={**left.values, name: options})
        if not _counted(source, left).n.sum():
            return _no_value(source, wider, name, options)
    wider, left = left, replace(left, since=where.since, until=where.until)
    if wider != left and not _counted(source, left).n.sum():
        return _outside(source, wider, where)
    wider, left = left, replace(left, waited_at_least=where.waited_at_least)
    if wider != left and not _counted(source, left).n.sum():
        return _not_observed(source, wider, where.waited_at_least or 0)
    return _of_other_kinds(_counted(source, left))


def _counted(source: MessageSource, where: Filters, by: Sequence[str] = ()) -> Counts:
    return count_messages(source, Question(by, (), where, None))[0]


def _no_value(source: MessageSource, where: Filters, name: str, options: tuple[Any, ...]) -> Text:
    """Return that no message has one of the values, and what they have."""
    spoken = [one for one in options if carrier_of_name(one) == one or carrier_of_name(one) not in options]
    value = mask_phones_in(" / ".join("-" if one is None else str(one) for one in spoken))
    known = None if name in _UNLISTED else _known(_counted(source, where, [name]).keys[name])
    if known is None:
        return Text("no message asked about has {column} = {value}", code="empty_value", column=name, value=value)
    return Text(
        "no message asked about has {column} = {value}; there is {known}",
        code="empty_value",
        column=name,
        value=value,
        known=known,
    )


def _known(values: pd.Series) -> Text | list[str]:
    """Return the values of a column: of numbers and times from where to where."""
    import pandas as pd

    there = values.dropna()
    if not len(there):
        return ["-"]
    is_time = pd.api.types.is_datetime64_any_dtype(there)
    if (is_time or pd.api.types.is_numeric_dtype(there)) and not pd.api.types.is_bool_dtype(there):
        ends = (there.min(), there.max())
        first, last = (str(one).removesuffix(" 00:00:00") if is_time else f"{one:.15g}" for one in ends)
        return [first] if first == last else Text("from {first} to {last}", first=first, last=last)
    texts = sorted({mask_phones_in(str(one)) for one in there})
    return [*texts[:_LISTED], *["…"] * (len(texts) > _LISTED)]


def _outside(source: MessageSource, where: Filters, asked: Filters) -> Text:
    """Return that no message lies between `since` and `until`, and when there are any."""
    since, until = format_instant(asked.since), format_instant(asked.until)
    window = Text("from {since} until {until}", since=since, until=until)
    if asked.since is None:
        window = Text("before {until}", until=until)
    elif asked.until is None:
        window = Text("since {since}", since=since)
    days = as_days(_counted(source, where, ["day"]).keys["day"]).dropna()
    if not len(days):
        return Text("no message asked about has a time of submission", code="empty_window")
    return Text(
        "no message asked about was submitted {window}: they are of {first} to {last}",
        code="empty_window",
        window=window,
        first=str(days.min().date()),
        last=str(days.max().date()),
    )


def _not_observed(source: MessageSource, where: Filters, age: int) -> Text:
    """Return that no message has been observed for so long, and how long they have been."""
    seconds = count_messages(source, Question((), (), where, "waited"))[0].seconds
    known = seconds[~np.isnan(seconds)]
    if not len(known):
        return Text("nothing says how long the messages have been observed (waited_s is missing)", code="empty_age")
    return Text(
        "no message asked about has been observed for {age}: the longest is {longest}",
        code="empty_age",
        age=duration_text(age),
        longest=duration_text(float(known.max())),
    )


def _of_other_kinds(counts: Counts) -> Text:
    """Return of what status the messages are, where there are some but none that the answer is about."""
    total = int(counts.n.sum())
    sums = {name: int(counts.n[counts.status == Status[name]].sum()) for name in Status.__members__}
    statuses = [Text("{count:,} {status}", count=n, status=Text(STATUS_WORDS[name])) for name, n in sums.items() if n]
    return Text(
        "of the {total:,} messages asked about ({statuses}) none is among those that this answer is about",
        code="empty_kind",
        total=total,
        statuses=statuses or ["-"],
    )
