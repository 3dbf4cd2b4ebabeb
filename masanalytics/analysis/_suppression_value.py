"""What dropping numbers buys: money saved and deliveries lost, judged by what was known before each message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Filter, Messages, Numbers
from masanalytics.analysis._number_health import RULE, HealthRule
from masanalytics.analysis.dimensions import as_names, columns_behind
from masanalytics.analysis.filter_checks import narrowed
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import group_rows, messages_with
from masanalytics.analysis.judged_states import MONTH_S, MOST, JudgedStates, StateTotals
from masanalytics.analysis.number_places import PersonSums, number_places, rate_of_people
from masanalytics.analysis.prices import checked_price, parts_of, price_of_each
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import MessageSource, RememberedMessages, as_source, asks_once
from masanalytics.analysis.sources.base import column_statuses
from masanalytics.analysis.sources.lent_rows import DELIVERED, FAILED, UNREPORTED, LendsRows, Loan
from masanalytics.analysis.sources.pandas import as_floats, epoch_seconds
from masanalytics.analysis.sources.rows_by_number import each_part
from masanalytics.argument_kinds import takes
from masanalytics.errors import InputError
from masanalytics.formatting import group_label, percent
from masanalytics.i18n import Text, _, speaks
from masanalytics.near_names import named_arguments
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUPPRESSION_COLUMNS", "suppression_value"]

SUPPRESSION_COLUMNS = (
    "numbers", "sent", "delivered", "delivery_rate", "low", "high", "cost", "lost_deliveries_if_dropped",
    "saved_cost_if_dropped", "saved_per_lost", "sentence",
)  # fmt: skip
STATES: Final = ("verdict", "last_category", "failed_in_a_row", "months_since_alive")
"""What was known of a number before a message: what `by` can name."""

_LENT: Final = ("heard", "error_code", "carrier", "segments", "message_id")
_OPTIONAL: Final = ("heard", "carrier", "message_id")
_VERDICTS = np.array(["unseen", "good", "doubtful", "dead", "blocked"], dtype=object)


@named_arguments
@takes(rule=RULE)
@asks_once
@speaks
def suppression_value(
    data: Messages,
    price: float | Mapping[str, float],
    by: Columns = "verdict",
    *,
    rule: HealthRule | None = None,
    language: str | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return what leaving numbers out would have saved, and which deliveries it would have cost.

    Each message is judged as on the day it was sent: by the reports of its number that had come before, and by nothing later.
    Then it is counted what became of it.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``phone, status, submitted_at, error_code, segments``; ``received_at``, ``waited_s`` and ``carrier`` where there are
        any.
    price : float or mapping of str to float
        Of one segment, in your currency; or carrier -> price.
    by : str or sequence of str
        What was known of the number before: ``verdict`` (as `number_health` gives it), ``last_category`` (of its last failure),
        ``failed_in_a_row``, ``months_since_alive`` (whole months of 30 days since its last delivery; 12 stands for all above).
    rule : HealthRule, optional
        What the verdicts rest on.
    language : {"en", "zh"}, optional
        Of ``sentence``; by default the user's own.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row for each of `by` that a message was sent in. After `by`:

        - ``numbers, sent, delivered`` (int): numbers that were in this state; messages sent to them in it; how many arrived
        - ``delivery_rate, low, high``: with Wilson's 95 % interval at the effective size, messages of a number taken together
        - ``cost``: of those messages (those of unknown length are in no cost)
        - ``lost_deliveries_if_dropped`` (int), ``saved_cost_if_dropped``: of these and all later messages to the same numbers, had
          each number been left out for good when it first was in this state
        - ``saved_per_lost``: money saved for each delivery lost; NaN where none would have been lost
        - ``sentence``: the same in words

    Raises
    ------
    InputError
        If a column is missing, a price is none, `by` names what is no state, or phones are masked.

    Notes
    -----
    Messages that are still open (pending for less than 72 h) are left out; a note counts them.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "phone": ["13800000001"] * 5, "segments": 1, "submitted_at": pd.date_range("2026-01-01", periods=5),
    ...     "status": ["failed", "failed", "failed", "failed", "delivered"],
    ...     "error_code": ["MK:0001"] * 4 + ["DELIVRD"],
    ... })
    >>> found = suppression_value(messages, 0.05)
    >>> found[["verdict", "sent", "delivered", "lost_deliveries_if_dropped", "saved_cost_if_dropped"]].values.tolist()
    [['unseen', 1, 0, 1, 0.25], ['doubtful', 2, 0, 1, 0.2], ['dead', 2, 1, 1, 0.1]]
    """
    names = as_names(by)
    strange = [name for name in names if name not in STATES]
    if strange or not names:
        raise InputError("by={by!r}: what was known of a number is one of {names}", by=by, names=list(STATES))
    prices = checked_price(price)
    filters = Filters.parse(where)
    source = as_source(data)
    found = _totals(source, filters, JudgedStates(names, rule or HealthRule(), prices))
    result = _table(found, names)
    result = finished(
        result,
        source,
        where=filters,
        denominator="sent",
        notes=_notes(found.open_yet, found.unpriced),
        counted=result["sent"].tolist(),
    )
    result.attrs["price"] = prices
    return result


def _totals(source: MessageSource, filters: Filters, asked: JudgedStates) -> StateTotals:
    """Return what became of messages by what was known: from where the data is, or from the messages where a source lends none."""
    plain = source.plain if isinstance(source, RememberedMessages) else source
    pushed, derived = narrowed(source, filters)
    if isinstance(plain, LendsRows) and not derived:
        found = plain.lend_rows(Loan(pushed, _LENT, optional=_OPTIONAL), asked)
        if found is not None:
            return found
    columns = _columns(source.message_columns(), asked.price, derived)
    return StateTotals.added_up(
        each_part(
            source, columns, lambda rows: _of_rows(messages_with(rows, derived), asked), where=pushed, asked=pushed
        )
    )


def _columns(available: Sequence[str], price: float | Mapping[str, float], derived: Iterable[str]) -> list[str]:
    """Return the columns that tell what was known of numbers, and what messages cost."""
    optional = [name for name in ("received_at", "waited_s", "carrier") if name in available]
    needed = ["phone", "status", "submitted_at", "error_code", "segments"]
    needed += ["carrier"] if isinstance(price, Mapping) and "carrier" not in optional else []
    return columns_behind([*needed, *optional, *derived], available)


def _of_rows(rows: pd.DataFrame, asked: JudgedStates) -> StateTotals:
    messages, open_yet, unpriced = _messages(rows, asked.price)
    states = _states(messages, asked.rule)[list(asked.names)]
    return StateTotals(*_added_up(messages, states), open_yet, unpriced)


def _messages(rows: pd.DataFrame, price: float | Mapping[str, float]) -> tuple[pd.DataFrame, int, int]:
    """Return the messages whose end is known, in the order of number and time; how many are open; how many have no length."""
    import pandas as pd

    codes, distinct = pd.factorize(rows["status"], use_na_sentinel=False)
    status = np.array([*column_statuses(distinct), -1], dtype=np.int64)[codes]
    phone, _numbers = number_places(rows["phone"])
    sent = epoch_seconds(rows["submitted_at"])
    heard = epoch_seconds(rows["received_at"]) if "received_at" in rows else sent
    waited = as_floats(rows["waited_s"]) if "waited_s" in rows else np.full(len(rows), np.inf)
    segments = parts_of(rows["segments"])
    usable = (status >= Status.pending) & (phone >= 0) & ~np.isnan(sent)
    young = usable & (status == Status.pending) & ~(waited >= UNREPORTED_AFTER_S)
    cost = np.nan_to_num(segments) * (
        price_of_each(rows["carrier"], price, usable) if isinstance(price, Mapping) else price
    )
    table = pd.DataFrame(
        {
            "phone": phone, "sent_at": sent, "heard_at": np.where(np.isnan(heard), sent, heard), "status": status,
            "category": _categories(rows), "cost": cost,
        }
    )  # fmt: skip
    kept = usable & ~young
    # In the same second as the engines have them: failures before deliveries.
    table["outcome"] = np.where(
        status == Status.delivered, DELIVERED, np.where(status == Status.failed, FAILED, UNREPORTED)
    )
    table["rank"] = np.where(status == Status.failed, pd.factorize(table["category"], sort=True)[0], len(table))
    order = ["phone", "sent_at", "heard_at", "outcome", "rank", "cost"]
    table = table[kept].sort_values(order, kind="stable").reset_index(drop=True)
    return table, int(young.sum()), int(np.isnan(segments[kept]).sum())


def _categories(rows: pd.DataFrame) -> Any:
    import pandas as pd

    from masanalytics.codes import category_of

    pair, pairs = group_rows(rows[["error_code", *({"carrier"} & set(rows.columns))]])
    distinct = [category_of(*(None if pd.isna(one) else one for one in row)) for row in pairs.itertuples(index=False)]
    return np.array([*distinct, None], dtype=object)[pair]


@dataclass(frozen=True)
class _Line:
    """Messages (when they left) and reports (when they came) of all numbers, one line, by number and time."""

    phone: Numbers
    at: Figures
    message: Numbers  # the message's place; -1 of a report
    failed: Booleans
    delivered: Booleans
    category: Any

    def running(self, chosen: Booleans, start: Numbers) -> Numbers:
        """Return how many `chosen` there were up to each place, from `start` on."""
        total = np.concatenate([[0], np.cumsum(chosen)])
        return np.asarray(total[1:] - total[start], dtype=np.int64)

    def last(self, chosen: Booleans, start: Numbers) -> Numbers:
        """Return the place of the last `chosen` one up to each place, from `start` on; -1 where there is none."""
        place = np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1))
        return np.where(place >= start, place, -1)

    def first(self, chosen: Booleans, start: Numbers) -> Numbers:
        """Return the place of the first `chosen` one from `start` on, wherever it is."""
        place = np.where(chosen, np.arange(len(chosen)), len(chosen))
        return np.asarray(np.minimum.accumulate(place[::-1])[::-1][start], dtype=np.int64)


def _line(messages: pd.DataFrame) -> _Line:
    status = messages["status"].to_numpy()
    reported = status != Status.pending
    count = len(messages)
    phone = np.concatenate([messages["phone"], messages["phone"][reported]]).astype(np.int64)
    at = np.concatenate([messages["sent_at"], messages["heard_at"][reported]]).astype(float)
    message = np.concatenate([np.arange(count), np.full(int(reported.sum()), -1)])
    outcome = np.concatenate([np.full(count, -1), status[reported]])
    category = np.concatenate([np.full(count, None), messages["category"].to_numpy(dtype=object)[reported]])
    # In the same second a message left before anything was heard, and failures count before deliveries.
    order = np.lexsort((outcome == Status.delivered, message < 0, at, phone))
    outcome = outcome[order]
    failed, delivered = outcome == Status.failed, outcome == Status.delivered
    return _Line(phone[order], at[order], message[order], failed, delivered, category[order])


def _states(messages: pd.DataFrame, rule: HealthRule) -> pd.DataFrame:
    """Return what was known of each message's number when it left."""
    import pandas as pd

    line = _line(messages)
    place = np.arange(len(line.phone))
    new = np.append(True, line.phone[1:] != line.phone[:-1]) if len(place) else np.zeros(0, dtype=bool)
    born = np.maximum.accumulate(np.where(new, place, 0)) if len(place) else place
    run_start = np.maximum.accumulate(np.where(new | line.delivered, place, 0)) if len(place) else place
    own = line.failed & np.isin(line.category, [*rule.blocked_by, *rule.gone_by, *rule.away_by])
    run = line.running(own, run_start)
    gone = line.running(own & np.isin(line.category, rule.gone_by), run_start)
    last, first = line.last(own, run_start), np.minimum(line.first(own, run_start), max(len(place) - 1, 0))
    blocked = (last >= 0) & np.isin(line.category[last], rule.blocked_by)
    over = np.where(run > 0, line.at[last] - line.at[first], 0.0)
    dead = (run >= rule.dead_after) & (gone == run)
    dead |= (run >= rule.dead_after_any) & (over >= rule.dead_over_days * 86_400)
    seen = place > born
    verdict = np.select([~seen, blocked, dead, run > 0], [0, 4, 3, 2], 1)
    alive, fault = line.last(line.delivered, born), line.last(line.failed, born)
    months = np.where(alive >= 0, (line.at - line.at[alive]) // MONTH_S, np.nan)
    here = np.flatnonzero(line.message >= 0)
    here = here[np.argsort(line.message[here], kind="stable")]
    table = {
        "verdict": verdict[here],
        "last_category": pd.array(np.where(fault >= 0, line.category[fault], None)[here], dtype="str"),
        "failed_in_a_row": np.minimum(run[here], MOST),
        "months_since_alive": pd.array(np.minimum(months, MOST)[here]).astype("Int64"),
    }
    return pd.DataFrame(table)


def _added_up(messages: pd.DataFrame, states: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the states there are, and what became of the messages in each: as `StateTotals` has them."""
    import pandas as pd

    group, groups = group_rows(states)
    arrived = (messages["status"] == Status.delivered).to_numpy().astype(np.int64)
    backwards = messages.assign(arrived=arrived)[["phone", "arrived", "cost"]][::-1].groupby("phone").cumsum()[::-1]
    rows = pd.DataFrame(
        {
            "group": group, "phone": messages["phone"], "arrived": arrived, "cost": messages["cost"],
            "lost": backwards["arrived"], "saved": backwards["cost"],
        }
    )  # fmt: skip
    each = rows.groupby(["group", "phone"], as_index=False).agg(
        n=("arrived", "size"), k=("arrived", "sum"), cost=("cost", "sum"), lost=("lost", "max"), saved=("saved", "max")
    )
    each = each.assign(both=each["n"] * each["k"], squares=each["k"] ** 2, sent_squares=each["n"] ** 2)
    by = each.groupby("group")
    sums = by[["n", "k", "cost", "lost", "saved", "both", "squares", "sent_squares"]].sum()
    return groups, sums.rename(columns={"n": "sent", "k": "delivered"}).assign(numbers=by.size()).reset_index(drop=True)


def _table(found: StateTotals, names: list[str]) -> pd.DataFrame:
    import pandas as pd

    place, groups = group_rows(found.states)
    totals = found.totals.set_axis(place, axis=0).sort_index()
    if "verdict" in names:
        groups["verdict"] = pd.array(_VERDICTS[groups["verdict"].to_numpy()], dtype="str")
    rows = []
    for number, of in enumerate(totals.to_dict("records")):
        sums = PersonSums(of["sent"], of["delivered"], of["both"], of["squares"], of["sent_squares"])
        rate, low, high, _effect = rate_of_people(int(of["numbers"]), sums)
        lost, saved = int(of["lost"]), float(of["saved"])
        row = {
            "numbers": int(of["numbers"]), "sent": int(of["sent"]), "delivered": int(of["delivered"]), "delivery_rate": rate,
            "low": low, "high": high, "cost": float(of["cost"]), "lost_deliveries_if_dropped": lost,
            "saved_cost_if_dropped": saved, "saved_per_lost": saved / lost if lost else float("nan"),
        }  # fmt: skip
        rows.append(row | {"sentence": _sentence(row, group_label(names, groups.iloc[number].tolist()))})
    table = pd.DataFrame(rows, columns=list(SUPPRESSION_COLUMNS), index=groups.index).astype({"sentence": "str"})
    return pd.concat([groups, table], axis=1)


def _sentence(row: Mapping[str, Any], label: str) -> str:
    return _(
        "{label}: {rate} of what was sent arrived ({low} to {high}). Had they been dropped: {saved:,.2f} saved, deliveries lost: "
        "{lost:,}.",
        label=label,
        rate=percent(row["delivery_rate"]),
        low=percent(row["low"]),
        high=percent(row["high"]),
        saved=row["saved_cost_if_dropped"],
        lost=row["lost_deliveries_if_dropped"],
    )


def _notes(open_yet: int, unpriced: int) -> list[Text]:
    notes = []
    if open_yet:
        notes.append(
            Text(
                "{count:,} message is still open and left out",
                "{count:,} messages are still open and left out",
                code="open",
                count=open_yet,
            )
        )
    if unpriced:
        notes.append(
            Text(
                "{count:,} message has no known length (a template, or sent by another system) and is in no cost",
                "{count:,} messages have no known length (templates, or sent by another system) and are in no cost",
                code="no_segments",
                count=unpriced,
            )
        )
    return notes
