"""A bill beside what was sent: which rule it counts by, and what explains where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Filter, Messages, Numbers, Table
from masanalytics.analysis.bill import month_start, read_bill
from masanalytics.analysis.dimensions import DAY_S, as_days, as_names
from masanalytics.analysis.filters import Filters, to_instant
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.prices import parts_of
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import asks_once
from masanalytics.analysis.sources.base import MessageSource
from masanalytics.errors import InputError
from masanalytics.formatting import percent
from masanalytics.i18n import N_, Text
from masanalytics.near_names import named_arguments
from masanalytics.segments import ALONE, JOINED, utf16_units
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECONCILIATION_COLUMNS", "reconciliation"]

RECONCILIATION_COLUMNS = ("ours_messages", "ours_segments", "bill", "expected", "difference", "explained_by")

RULES: Final = {
    "accepted_segments": N_("the parts of every accepted message"),
    "delivered_segments": N_("the parts of delivered messages"),
    "accepted_messages": N_("every accepted message once"),
    "delivered_messages": N_("delivered messages once"),
    "accepted_segments_70": N_("parts of 70 characters of every accepted message"),
    "delivered_segments_70": N_("parts of 70 characters of delivered messages"),
}
"""What a bill may count, in words."""

_TOLERANCE = 0.005
_TELLS_APART = 0.01
_FITS = 0.05
_CLEARLY = 2.0
_LONGEST_SIGNATURE = 30


@named_arguments
@asks_once
def reconciliation(
    store: Messages,
    bill: Table,
    *,
    by: Columns = ("day", "carrier"),
    columns: Mapping[str, str] | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return a bill beside what was sent, with what explains the differences, and the rule by which the bill counts.

    Parameters
    ----------
    store : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``status, segments`` and the columns of `by`; ``mode`` and ``content`` where there are any.
    bill : DataFrame
        What was billed, pandas or polars: a row for each of `by` (several are added up) with a column of counts.
    by : str or sequence of str
        What both are told apart by: ``day`` or ``month`` (of submission, in China time), ``carrier`` and other columns of
        messages. Days are read as 2026-03-01, 20260301, 2026年3月1日; carriers as 移动, 中国移动, CMCC, China Mobile.
    columns : mapping of str to str, optional
        What the bill calls them, and its ``count``: ``{"count": "条数", "day": "日期"}``.
    **where
        As for `delivery_rates`, such as ``account=``. Only messages of the bill's days are looked at.

    Returns
    -------
    DataFrame
        One row for each of `by` that either side has. After `by`:

        - ``ours_messages, ours_segments`` (int): accepted messages that this store sent, and their parts as far as known
        - ``bill`` (float): what the bill has; NaN where it has nothing
        - ``expected`` (float): what it would have by the rule that fits best
        - ``difference``: bill - expected
        - ``explained_by`` (text): empty where they agree to half a percent; otherwise what accounts for it, with commas between:
          ``missing_in_bill``, ``missing_in_ours``; where the bill has more, ``unknown`` (batches of unknown outcome), ``foreign``
          (messages of other systems), ``unpriced`` (templates without a text); where it has less, ``failed``, ``pending`` (not
          billed); ``unexplained``

        ``.attrs["rule"]`` is the name of the rule that fits, None where none does, or several do as well; ``.attrs["rules"]`` what each
        leaves over as a share of the bill. A note says it in words.

    Raises
    ------
    InputError
        If a column is missing, a day, carrier or count of the bill cannot be read (naming its row), or no message was sent in
        its time.

    Notes
    -----
    Rules whose totals differ by less than one percent of the bill cannot be told apart, nor can those of which none leaves less than
    half of what another does. A rule that leaves more than 5 % of the bill does not fit it.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "submitted_at": pd.to_datetime(["2026-03-01 10:00", "2026-03-01 10:00", "2026-03-02 10:00"]),
    ...     "status": ["delivered", "failed", "delivered"], "segments": [3, 1, 1],
    ... })
    >>> bill = pd.DataFrame({"日期": ["2026-03-01", "2026-03-02"], "条数": [3, 1]})
    >>> found = reconciliation(messages, bill, by="day", columns={"day": "日期", "count": "条数"})
    >>> found[["ours_messages", "ours_segments", "bill", "expected", "difference"]].values.tolist()
    [[2.0, 4.0, 3.0, 3.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0]]
    >>> found.attrs["rule"]
    'delivered_segments'
    """
    names = as_names(by)
    if {"day", "month"} <= set(names):
        raise InputError("by= has both day and month: a bill has one of them")
    billed = read_bill(bill, names, dict(columns or {}))
    filters = _in_its_time(Filters.parse(where), billed)
    counts, source = _counted(store, names, filters)
    if not counts.n.sum():
        raise InputError("no message was sent in the time of the bill; is it of another account or another month?")
    ours = _ours(counts, _parts_of_70(store, names, filters, counts))
    result, rules, tied = _fitted(ours, billed, names)
    result = finished(result, source, where=filters, notes=_notes(rules, tied, result, names))
    result.attrs["rule"] = tied[0] if len(tied) == 1 and rules[tied[0]] <= _FITS else None
    result.attrs["rules"] = rules
    return result


def _in_its_time(filters: Filters, billed: pd.DataFrame) -> Filters:
    """Return the filters, narrowed to the days (or months) that the bill is about."""
    import pandas as pd

    name = next((name for name in ("day", "month") if name in billed), None)
    if name is None:
        return filters
    first = to_instant(str(billed[name].min()))
    last = billed[name].max()
    end = to_instant(str(last + pd.DateOffset(months=1))) if name == "month" else to_instant(str(last)) + DAY_S
    since = first if filters.since is None else max(first, filters.since)
    return replace(filters, since=since, until=end if filters.until is None else min(end, filters.until))


def _counted(store: Messages, names: list[str], filters: Filters) -> tuple[Counts, MessageSource]:
    """Return the messages that may be billed, by `names`, mode and segments."""
    asked = ["day" if name == "month" else name for name in names]
    counts, source = count_messages(store, Question(asked, ("mode", "segments"), filters, None))
    if "month" in names:
        counts.keys["month"] = month_start(as_days(counts.keys["day"]))
        counts = counts.regrouped(names)
    return counts.taken(
        np.isin(counts.status, [Status.unknown, Status.pending, Status.delivered, Status.failed])
    ), source


def _segments(counts: Counts) -> Figures:
    if "segments" not in counts.keys.columns:
        raise InputError("the messages have no column 'segments': without it nobody knows what would be billed")
    return parts_of(counts.keys["segments"])


def _foreign(counts: Counts) -> Booleans:
    if "mode" not in counts.keys.columns:
        return np.zeros(len(counts.n), dtype=bool)
    return (counts.keys["mode"] == "foreign").to_numpy(dtype=bool, na_value=False)


def _ours(counts: Counts, fewer: Mapping[int, tuple[float, float]]) -> pd.DataFrame:
    """Return what each group holds: messages, parts, and what each rule would bill; its columns are sums of counts."""
    import pandas as pd

    segments, foreign = _segments(counts), _foreign(counts)
    known, own = ~np.isnan(segments), ~foreign
    accepted, delivered = counts.accepted() & own, (counts.status == Status.delivered) & own
    parts = np.nan_to_num(segments)

    def total(chosen: Booleans, weight: Figures | None = None) -> Figures:
        rows = counts.n * (1.0 if weight is None else weight) * chosen
        return np.bincount(counts.group, weights=rows, minlength=len(counts.groups)).astype(float)

    columns = {
        "ours_messages": total(accepted),
        "accepted_segments": total(accepted, parts),
        "delivered_segments": total(delivered, parts),
        "accepted_messages": total(accepted),
        "delivered_messages": total(delivered),
        "unknown": total((counts.status == Status.unknown) & own, np.where(known, parts, 1.0)),
        "foreign": total(foreign & counts.accepted()),
        "unpriced": total(accepted & ~known),
        "failed": total((counts.status == Status.failed) & own, parts),
        "pending": total((counts.status == Status.pending) & own, parts),
    }
    if fewer:
        saved = np.array([fewer.get(group, (0.0, 0.0)) for group in range(len(counts.groups))])
        columns["accepted_segments_70"] = columns["accepted_segments"] - saved[:, 0]
        columns["delivered_segments_70"] = columns["delivered_segments"] - saved[:, 1]
    return pd.concat([counts.groups, pd.DataFrame(columns, index=counts.groups.index)], axis=1)


def _parts_of_70(store: Messages, names: list[str], filters: Filters, counts: Counts) -> dict[int, tuple[float, float]]:
    """Return by how many parts the accepted and the delivered messages of each group were fewer if a part held 70 characters.

    Only texts of several parts are asked for. The signature, which is not among the text, is as long as their parts say.
    """
    segments = _segments(counts)
    several = sorted({int(one) for one in segments[segments >= 2]})
    if not several or "segments" in filters.values:
        return {}
    narrowed = replace(filters, values={**filters.values, "segments": tuple(several)})
    asked = ["day" if name == "month" else name for name in names]
    long, _ = count_messages(store, Question(asked, ("content", "segments"), narrowed, None))
    if "content" not in long.keys.columns:
        return {}
    if "month" in names:
        long.keys["month"] = month_start(as_days(long.keys["day"]))
        long = long.regrouped(names)
    long = long.taken(long.accepted() & long.keys["content"].notna().to_numpy(dtype=bool))
    fewer = _segments(long) - _by_70(long)
    place = {key: number for number, key in enumerate(_keys(counts.groups))}
    saved: dict[int, tuple[float, float]] = {}
    for number, key in enumerate(_keys(long.groups)):
        here = long.n * fewer * (long.group == number)
        saved[place[key]] = (float(here.sum()), float(here[long.status == Status.delivered].sum()))
    return saved if any(both[0] for both in saved.values()) else {}


def _keys(groups: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return what tells each group apart; not by itertuples, since of a frame without columns pandas 3.0 gives no rows."""
    return [tuple(str(value) for value in row) for row in groups.astype(object).to_numpy()]


def _by_70(counts: Counts) -> Figures:
    """Return the parts of 70 characters of each row's text and the signature in front of it."""
    units = np.array([utf16_units(str(text)) for text in counts.keys["content"]], dtype=float)
    parts = _segments(counts)
    fitting = [
        signature
        for signature in range(_LONGEST_SIGNATURE + 1)
        if np.array_equal(np.where(units + signature <= ALONE, 1, np.ceil((units + signature) / JOINED)), parts)
    ]
    return np.ceil((units + fitting[0]) / ALONE) if fitting else parts


def _fitted(
    ours: pd.DataFrame, billed: pd.DataFrame, names: list[str]
) -> tuple[pd.DataFrame, dict[str, float], list[str]]:
    """Return the result, what each rule leaves over, and the rules that fit best and cannot be told apart."""
    import pandas as pd

    ours = ours.astype({name: "str" for name in names if name not in ("day", "month")})
    ours = ours.assign(day=as_days(ours["day"])) if "day" in names else ours
    if names:
        both = ours.merge(billed, on=names, how="outer", sort=True, indicator=True)
    else:
        both = pd.concat([ours, billed], axis=1).assign(_merge="both")
    shared = (both["_merge"] == "both").to_numpy()
    if not shared.any():
        raise InputError("the bill and the messages have no {names} in common", names=names)
    there = [rule for rule in RULES if rule in both]
    amount = both["bill"].to_numpy(dtype=float)
    whole = max(float(amount[shared].sum()), 1.0)
    left = {rule: float(np.abs(amount - both[rule])[shared].sum() / whole) for rule in there}
    rules = dict(sorted(left.items(), key=lambda item: item[1]))
    best = next(iter(rules))
    totals = {rule: float(both[rule][shared].sum()) for rule in there}
    tied = [rule for rule in rules if abs(totals[rule] - totals[best]) < _TELLS_APART * whole]
    tied = [rule for rule in tied if rules[rule] < rules[best] + _TELLS_APART]
    # With much left over, a rule that leaves little more may be the one as well.
    tied += [rule for rule in rules if rule not in tied and rules[rule] < _CLEARLY * rules[best]]
    expected = both[best].fillna(0.0).to_numpy(dtype=float)
    difference = np.where(np.isnan(amount), 0.0, amount) - expected
    reasons = [_reason(row, float(gap), best) for row, gap in zip(both.to_dict("records"), difference, strict=True)]
    return both[names].assign(
        ours_messages=_whole(both["ours_messages"]), ours_segments=_whole(both["accepted_segments"]), bill=amount,
        expected=expected, difference=difference, explained_by=pd.Series(reasons, dtype="str", index=both.index),
    ), rules, tied  # fmt: skip


def _whole(column: pd.Series) -> Numbers:
    whole: Numbers = np.rint(column.fillna(0.0).to_numpy(dtype=float)).astype(np.int64)
    return whole


def _reason(row: Mapping[Any, Any], gap: float, rule: str) -> str:
    """Return what accounts for a gap between the bill and what is expected: words of the glossary, with commas between."""
    if row["_merge"] == "left_only":
        return "missing_in_bill"
    if row["_merge"] == "right_only":
        return "missing_in_ours"
    near = max(1.0, _TOLERANCE * row["bill"])
    if abs(gap) <= near:
        return ""
    less = ("failed", "pending") if rule.startswith("accepted") else ()
    there = {name: row[name] for name in (("unknown", "foreign", "unpriced") if gap > 0 else less) if row[name] > 0}
    for several in range(1, len(there) + 1):
        for chosen in combinations(there, several):
            if abs(sum(there[name] for name in chosen) - abs(gap)) <= near:
                return ", ".join(chosen)
    # Messages of unknown length have one part at least, and may have many.
    lengthless = [name for name in there if name in ("foreign", "unpriced")]
    if lengthless and sum(there[name] for name in lengthless) <= abs(gap) + near:
        return ", ".join(there)
    return "unexplained"


def _said_of_rules(rules: Mapping[str, float], tied: list[str], result: pd.DataFrame) -> Text:
    """Return which rule the bill counts by, or that none fits, and by how much."""
    left = percent(rules[tied[0]])
    if rules[tied[0]] > _FITS:
        shared = result["bill"].notna() & ~result["explained_by"].isin(["missing_in_bill", "missing_in_ours"])
        bill, ours = (float(result.loc[shared, name].sum()) for name in ("bill", "expected"))
        return Text(
            "no rule fits the bill: {rule} comes nearest and gives {ours:,.0f} where the bill has {bill:,.0f}; row by row {left} of it is "
            "left over",
            code="no_rule",
            rule=Text(RULES[tied[0]]),
            ours=ours,
            bill=bill,
            left=left,
        )
    if len(tied) > 1:
        return Text(
            "cannot tell what the bill counts: {rules} fit about as well; at best {left} of it is left over",
            code="rule_unclear",
            rules=[Text(RULES[rule]) for rule in tied],
            left=left,
        )
    return Text(
        "the bill fits best if it counts {rule}; {left} of it is left over",
        code="rule",
        rule=Text(RULES[tied[0]]),
        left=left,
    )


def _notes(rules: Mapping[str, float], tied: list[str], result: pd.DataFrame, names: list[str]) -> list[Text]:
    said = _said_of_rules(rules, tied, result)
    absent = result[result["explained_by"] == "missing_in_bill"]
    if absent.empty or not names:
        return [said]
    first = [str(getattr(value, "date", lambda value=value: value)()) for value in absent.iloc[0][names]]
    return [
        said,
        Text(
            "{count:,} row is missing from the bill: {first}",
            "{count:,} rows are missing from the bill, the first: {first}",
            code="missing_in_bill",
            count=len(absent),
            first=first,
        ),
    ]
