"""The table behind `number_health`: a row a number, from totals made where the data is, or from its messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Numbers
from masanalytics.analysis.dimensions import columns_behind, missing_in_messages
from masanalytics.analysis.filter_checks import narrowed
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import group_rows, messages_with
from masanalytics.analysis.number_places import number_places
from masanalytics.analysis.sources import MessageSource, RememberedMessages
from masanalytics.analysis.sources.base import column_statuses
from masanalytics.analysis.sources.number_totals import KeepsPlainNumbers, NumberTotals, TotalsNumbers
from masanalytics.analysis.sources.pandas import epoch_seconds
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

    from masanalytics.analysis._number_health import HealthRule

__all__ = ["HEALTH_COLUMNS", "health_table"]

HEALTH_COLUMNS = (
    "phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code", "last_category", "last_sent_at",
    "last_seen_alive_at", "verdict",
)  # fmt: skip
_NEEDED: Final = ("phone", "status", "submitted_at", "error_code")
_MOST_NAMED: Final = 10_000
_VERDICTS: Final = ("good", "blocked", "dead", "doubtful")


def health_table(source: MessageSource, filters: Filters, rule: HealthRule, asked: pd.Series | None) -> pd.DataFrame:
    """Return a row a number: from totals made where the data is, or from the messages where a source makes none."""
    import pandas as pd

    error = missing_in_messages(_NEEDED, source.message_columns())
    if error is not None:
        raise error
    pushed, derived = narrowed(source, filters)
    among = None if asked is None else asked.dropna().unique().tolist()
    if among is not None and len(among) > _MOST_NAMED:
        among = None
    plain = source.plain if isinstance(source, RememberedMessages) else source
    rows = None
    if isinstance(plain, TotalsNumbers) and not derived:
        rows = _of_totals(plain.number_totals(pushed, among), rule)
    if rows is None:
        if among is not None and isinstance(plain, KeepsPlainNumbers):
            pushed = pushed.written_to(among)
        return _summary(*_messages(source, pushed, derived), rule)
    found, unclear = rows
    if len(unclear) > _MOST_NAMED:
        return _summary(*_messages(source, pushed, {}), rule)
    if unclear:
        exact = _summary(*_messages(source, pushed.written_to(unclear), {}), rule)
        found = pd.concat([found, exact]).sort_values("phone", ignore_index=True)
    return found


def _of_totals(totals: NumberTotals | None, rule: HealthRule) -> tuple[pd.DataFrame, list[str]] | None:
    """Return the table of numbers, and the spellings of those whose messages have to be looked at.

    These are numbers spelled in several ways, each with totals of its own, and those with a time that is missing or absurd.
    """
    if totals is None:
        return None
    table, unclear = added_up(totals, rule)
    del totals  # of very many numbers: it need not be there beside what is shown
    return _shown(table), unclear


def added_up(totals: NumberTotals, rule: HealthRule) -> tuple[pd.DataFrame, list[str]]:
    """Return a row a number, not yet as it is shown, and the spellings of the numbers that it leaves out."""
    import pandas as pd

    numbers, failures = totals
    place, names = number_places(pd.concat([numbers["phone"], failures["phone"]], ignore_index=True))
    of_number, of_failure = place[: len(numbers)], place[len(numbers) :]
    known = of_number >= 0
    unclear = np.bincount(of_number[known], minlength=len(names)) > 1
    unclear[of_number[known & (numbers["odd"].to_numpy() > 0)]] = True
    unclear = np.append(unclear, True)  # of a cell without a number
    at = np.full(len(names), -1, dtype=np.int64)
    plain = ~unclear[of_number]
    at[of_number[plain]] = np.flatnonzero(plain)
    number = np.flatnonzero(at >= 0)
    table = (
        numbers.drop(columns=["phone", "odd"])
        .take(at[number])
        .set_axis(number, axis=0)
        .rename(columns={"alive_at": "alive"})
    )
    clear = ~unclear[of_failure]
    runs = _runs(failures[clear].reset_index(drop=True), of_failure[clear], rule)
    # Most numbers never failed: only the others' runs are looked at.
    table = table.join(runs)
    table["run"] = table["run"].fillna(0).astype("int64")
    table["verdict"] = table["verdict"].fillna(_VERDICTS[0])
    spellings = numbers["phone"][known & unclear[of_number]].tolist()
    return table.set_axis(pd.Index(names.take(number), name="phone"), axis=0), spellings


def _runs(failures: pd.DataFrame, number: Numbers, rule: HealthRule) -> pd.DataFrame:
    """Return what `_summary` says of failures, of every number that has one: the run since its last delivery, its last failure."""
    import pandas as pd

    pair, code, category = _categories(failures)
    failing, row = np.unique(number, return_inverse=True)
    own = np.asarray(category.isin([*rule.blocked_by, *rule.gone_by, *rule.away_by]), dtype=bool)
    after = failures["after"].to_numpy(dtype=np.int64)
    first, last = np.full(len(failing), np.inf), np.full(len(failing), -np.inf)
    run = own & (after > 0)
    np.minimum.at(first, row[run], failures["first_at"].to_numpy(dtype=float)[run])
    np.maximum.at(last, row[run], failures["last_at"].to_numpy(dtype=float)[run])

    def summed(chosen: Booleans) -> Numbers:
        return np.rint(np.bincount(row[chosen], weights=after[chosen], minlength=len(failing))).astype(np.int64)

    def latest(values: Any, at: str, chosen: Booleans) -> Any:
        rows = np.flatnonzero(chosen)
        rows = rows[np.lexsort((pair[rows], failures[at].to_numpy(dtype=np.int64)[rows], row[rows]))]
        found = np.full(len(failing), -1, dtype=np.int64)
        found[row[rows]] = rows  # of several the last one stays
        return values.take(found, allow_fill=True)

    every = np.ones(len(failures), dtype=bool)
    runs = pd.DataFrame(
        {
            "run": summed(run), "gone": summed(run & np.asarray(category.isin(rule.gone_by), dtype=bool)),
            "first": np.where(np.isfinite(first), first, np.nan), "last": np.where(np.isfinite(last), last, np.nan),
            "code": latest(code, "place", every), "category": latest(category, "place", every),
        },
        index=failing,
    )  # fmt: skip
    runs["verdict"] = _verdicts(runs, pd.Series(latest(category, "place_after", run), index=failing), rule)
    return runs[["run", "code", "category", "verdict"]]


def _messages(
    source: MessageSource, pushed: Filters, derived: Mapping[str, tuple[Any, ...]]
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the accepted messages with number, time, outcome and category, oldest first; and the numbers' texts."""
    import pandas as pd

    available = source.message_columns()
    optional = [name for name in ("carrier", "received_at") if name in available]
    columns = columns_behind(["phone", "status", "submitted_at", "error_code", *optional, *derived], available)
    rows = source.message_rows(columns, where=pushed)
    phone, names = number_places(rows["phone"])
    if derived:
        rows = rows.assign(phone=pd.Series(np.array([*names, None], dtype=object)[phone], dtype="str"))
        rows = messages_with(rows, derived)
        phone, names = number_places(rows["phone"])
    codes, distinct = pd.factorize(rows["status"], use_na_sentinel=False)
    status = np.array([*column_statuses(distinct), -1], dtype=np.int64)[codes]
    pair, code, category = _categories(rows)
    sent = epoch_seconds(rows["submitted_at"])
    received = epoch_seconds(rows["received_at"]) if "received_at" in optional else sent
    heard = np.where(np.isnan(received), sent, received)
    # Of the same second: pending, failures by their codes, deliveries; without a time: first.
    rank = np.select([status == Status.failed, status == Status.delivered], [pair + 1, pair.max(initial=0) + 2], 0)
    times = [np.where(np.isnan(at), -np.inf, at) for at in (heard, sent)]
    order = np.lexsort((rank, *times, phone))
    order = order[(status[order] >= Status.pending) & (phone[order] >= 0)]
    table: dict[str, Any] = {
        "phone": phone,
        "sent_at": sent,
        "heard_at": heard,
        "status": status,
        "code": code,
        "category": category,
    }
    return pd.DataFrame({name: values[order] for name, values in table.items()}), names


def _categories(rows: pd.DataFrame) -> tuple[Numbers, Any, Any]:
    """Return each row's pair of code and carrier (numbered in the order of the codes), its code and its category."""
    import pandas as pd

    from masanalytics.codes import category_of

    pair, pairs = group_rows(rows[["error_code", *({"carrier"} & set(rows.columns))]])
    code_and_carrier = [
        [None if pd.isna(value) else value for value in values] for values in pairs.itertuples(index=False)
    ]
    codes = pd.Categorical([None if values[0] is None else str(values[0]) for values in code_and_carrier])
    return pair, codes.take(pair), pd.Categorical([category_of(*values) for values in code_and_carrier]).take(pair)


def _summary(messages: pd.DataFrame, names: pd.Series, rule: HealthRule) -> pd.DataFrame:
    import pandas as pd

    delivered, failed = messages["status"] == Status.delivered, messages["status"] == Status.failed
    own = failed & messages["category"].isin([*rule.blocked_by, *rule.gone_by, *rule.away_by])
    # A message belongs to the run if no delivery of the same number comes after it.
    place = np.arange(len(messages))
    last_delivery = np.full(len(names), -1)
    last_delivery[messages["phone"][delivered]] = place[delivered]
    run = own & (place > last_delivery[messages["phone"]])
    parts = messages[["phone", "sent_at"]].assign(
        delivered=delivered,
        failed=failed,
        run=run,
        gone=run & messages["category"].isin(rule.gone_by),
        run_at=messages["sent_at"].where(run),
        alive=messages["heard_at"].where(delivered),
    )
    by = parts.groupby("phone", sort=True)
    table = by[["delivered", "failed", "run", "gone"]].sum().astype("int64")
    table = table.assign(
        sent=by.size(),
        first=by["run_at"].min(),
        last=by["run_at"].max(),
        sent_at=by["sent_at"].max(),
        alive=by["alive"].max(),
    )
    ends = [messages[chosen].drop_duplicates("phone", keep="last").set_index("phone") for chosen in (failed, run)]
    table = table.join(ends[0][["code", "category"]])
    table["verdict"] = _verdicts(table, ends[1]["category"].reindex(table.index), rule)
    return _shown(table.set_axis(pd.Index(names.take(table.index.to_numpy()), name="phone"), axis=0))


def _verdicts(table: pd.DataFrame, last_of_run: pd.Series, rule: HealthRule) -> Any:
    import pandas as pd

    long_enough = (table["last"] - table["first"]) >= rule.dead_over_days * 86_400
    gone = (table["run"] >= rule.dead_after) & (table["gone"] == table["run"])
    given_up = (table["run"] >= rule.dead_after_any) & long_enough
    kinds = np.select([last_of_run.isin(rule.blocked_by), gone | given_up, table["run"] > 0], [1, 2, 3], 0)
    return pd.Series(pd.Categorical(_VERDICTS, _VERDICTS).take(kinds), index=table.index)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    result = table.reset_index().rename(
        columns={"run": "failed_in_a_row", "code": "last_code", "category": "last_category"}
    )
    for name, epoch in (("last_sent_at", "sent_at"), ("last_seen_alive_at", "alive")):
        result[name] = pd.to_datetime(result[epoch], unit="s", utc=True).dt.tz_convert("Asia/Shanghai").dt.as_unit("s")
    texts = ("phone", "last_code", "last_category", "verdict")
    counts = ("sent", "delivered", "failed")
    kinds = {**dict.fromkeys(counts, "int64"), **dict.fromkeys(texts, "str")}
    return result[list(HEALTH_COLUMNS)].astype(kinds)
