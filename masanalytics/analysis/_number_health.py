"""The health of each number: what its own history says about writing to it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Filter, Messages, Numbers
from masanalytics.analysis.dimensions import columns_behind
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import group_rows, messages_with
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import MessageSource, as_source, asks_once
from masanalytics.analysis.sources.base import status_numbers
from masanalytics.analysis.sources.pandas import epoch_seconds
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.vocabulary import Status, categories_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HEALTH_COLUMNS", "HealthRule", "number_health", "number_places"]


HEALTH_COLUMNS = (
    "phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code", "last_category", "last_sent_at",
    "last_seen_alive_at", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class HealthRule:
    """When a number counts as what; every part can be set.

    A run is the failures since the last delivery. Failures that are not the number's fault (content, signature, gateway,
    rate limits and all other categories) neither lengthen nor break a run.

    Attributes
    ----------
    blocked_by : tuple of str
        Error categories by which the number, or its carrier, refuses messages: one such failure last is ``blocked``.
    gone_by : tuple of str
        Categories that say the number does not exist or is out of service.
    away_by : tuple of str
        Categories that say it could not be reached just then.
    dead_after : int
        So many failures in a run, all of `gone_by`: ``dead``.
    dead_after_any : int
        So many failures in a run, of `gone_by` or `away_by`, over at least `dead_over_days`: ``dead``.
    dead_over_days : float
        How long a run must last before numbers that could not be reached are given up.
    """

    blocked_by: tuple[str, ...] = categories_of("blocked")
    gone_by: tuple[str, ...] = categories_of("gone")
    away_by: tuple[str, ...] = categories_of("away")
    dead_after: int = 3
    dead_after_any: int = 6
    dead_over_days: float = 14.0


@asks_once
def number_health(
    data: Messages, *, phones: Iterable[str] | None = None, rule: HealthRule | None = None, **where: Filter
) -> pd.DataFrame:
    """Return what is known of each number and whether to write to it again.

    Parameters
    ----------
    data : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``phone, status, submitted_at, error_code``; ``received_at`` and ``carrier`` where there are any. Numbers are
        read as `plan` reads them (``+86``, spaces, 13800000001.0); what is no mobile number stays as it is.
    phones : iterable of str, or Series, optional
        The numbers of a sheet: one row each, in its order, also for numbers never written to (``unseen``). They are read
        the same way; a note counts those that cannot be.
    rule : HealthRule, optional
        What the verdicts rest on.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a number, in ascending order (or that of `phones`):

        - ``phone`` (text; whole numbers: mask them before showing)
        - ``sent`` (accepted by the platform), ``delivered, failed`` (int)
        - ``failed_in_a_row`` (int): failures of the number's own since its last delivery
        - ``last_code, last_category`` (text): of its last report that was a failure; missing if there was none
        - ``last_sent_at, last_seen_alive_at`` (Asia/Shanghai): last submission; last delivery
        - ``verdict``: ``good``, ``doubtful`` (failed last), ``dead``, ``blocked`` (see `HealthRule`), ``unseen``

        ``.attrs["verdicts"]``: how many numbers of each. Feed it back as suppression:
        ``found.loc[found["verdict"].isin(["dead", "blocked"]), "phone"]``. It is advice: codes are vague.

    Raises
    ------
    InputError
        If a column is missing, naming it and the nearest names; if phones are masked.

    Notes
    -----
    Messages of the same second are taken in a fixed order: pending, failures in the order of their codes, deliveries (what
    arrived shows that somebody is there). Those without a time count as the earliest.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "phone": ["13800000001"] * 3 + ["13800000002"],
    ...     "status": ["failed", "failed", "failed", "delivered"],
    ...     "error_code": ["MK:0001"] * 3 + ["DELIVRD"],
    ...     "submitted_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-03"]),
    ... })
    >>> number_health(messages)[["phone", "failed_in_a_row", "verdict"]].values.tolist()
    [['13800000001', 3, 'dead'], ['13800000002', 0, 'good']]
    """
    rule = rule or HealthRule()
    filters = Filters.parse(where)
    source = as_source(data)
    messages, names = _messages(source, filters)
    result = _summary(messages, names, rule)
    unread = 0
    if phones is not None:
        asked, unread = _sheet(phones)
        result = _for_sheet(result, asked)
    result = finished(result, source, where=filters, denominator="sent", notes=_notes(result, unread))
    result.attrs["verdicts"] = {str(name): int(n) for name, n in result["verdict"].value_counts().items()}
    return result


def _notes(result: pd.DataFrame, unread: int) -> list[Text]:
    if result.empty:
        return []
    notes = [
        Text(
            "{count:,} of {total:,} numbers are better left out; carriers' codes are vague, so this is advice",
            code="advice",
            count=int(result["verdict"].isin(["dead", "blocked"]).sum()),
            total=len(result),
        )
    ]
    if unread:
        notes.append(
            Text(
                "{count:,} of {total:,} cells hold no mobile number: they are left as they are",
                code="unread_numbers",
                count=unread,
                total=len(result),
            )
        )
    return notes


def number_places(column: pd.Series) -> tuple[Numbers, list[str]]:
    """Return the place of each cell's number (-1: missing) in the list of the distinct ones, which is in ascending order.

    Raises
    ------
    InputError
        If they are masked: 138****0000 is many people.
    """
    import pandas as pd

    from masanalytics.phones import cell_text, parse_phones

    cell, cells = pd.factorize(column)
    numbers, _ = parse_phones(pd.Series(cells))
    others: dict[str, int] = {}
    for strange in np.flatnonzero(numbers == 0).tolist():
        text = (cell_text(cells[strange]) or "").strip()
        if "*" in text:
            raise InputError(
                "the phone numbers are masked (138****0000), so different people look alike: ask the Store itself, or "
                "export with store.export_parquet(folder, reveal=True)"
            )
        if text:
            numbers[strange] = -1 - others.setdefault(text, len(others))
    known, place = np.unique(numbers, return_inverse=True)
    strangers = list(others)
    texts = [strangers[-1 - number] if number < 0 else str(number) for number in known.tolist()]
    order = sorted(np.flatnonzero(known).tolist(), key=texts.__getitem__)
    rank = np.full(len(known) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[np.append(place, -1)[cell]], [texts[one] for one in order]


def _sheet(phones: Iterable[Any]) -> tuple[pd.Series, int]:
    """Return the numbers of a sheet, missing where a cell is empty, and how many cells hold none."""
    import pandas as pd

    from masanalytics.phones import mobiles_in, parse_phones

    if isinstance(phones, pd.DataFrame) and phones.shape[1] == 1:
        phones = phones.iloc[:, 0]
    if isinstance(phones, pd.Series):  # its dtype tells how the numbers were lost, if they were
        # A label that is a number is the first of a list without a header.
        labels = mobiles_in(str(phones.name))
        column = pd.Series([*labels, *phones.tolist()], dtype=object) if labels else phones.reset_index(drop=True)
    else:
        column = pd.Series([phones] if isinstance(phones, str) else list(phones), dtype=object)
    place, names = number_places(column)
    good = np.append(parse_phones(pd.Series(names, dtype="str"))[0] > 0, False)
    asked = pd.Series(np.array([*names, None], dtype=object)[place], dtype="str")
    return asked, int((~good[place]).sum())


def _messages(source: MessageSource, filters: Filters) -> tuple[pd.DataFrame, list[str]]:
    """Return the accepted messages with number, time, outcome and category, oldest first; and the numbers' texts."""
    import pandas as pd

    available = source.message_columns()
    optional = [name for name in ("carrier", "received_at") if name in available]
    pushed, derived = filters.divided(available)
    columns = columns_behind(["phone", "status", "submitted_at", "error_code", *optional, *derived], available)
    rows = source.message_rows(columns, where=pushed)
    phone, names = number_places(rows["phone"])
    if derived:
        rows = rows.assign(phone=pd.Series(np.array([*names, None], dtype=object)[phone], dtype="str"))
        rows = messages_with(rows, derived)
        phone, names = number_places(rows["phone"])
    codes, distinct = pd.factorize(rows["status"], use_na_sentinel=False)
    status = np.array([*status_numbers(distinct), -1], dtype=np.int64)[codes]
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


def _summary(messages: pd.DataFrame, names: list[str], rule: HealthRule) -> pd.DataFrame:
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
    return _shown(table.set_index(np.array(names, dtype=object)[table.index]).rename_axis("phone"))


def _verdicts(table: pd.DataFrame, last_of_run: pd.Series, rule: HealthRule) -> Any:
    import pandas as pd

    long_enough = (table["last"] - table["first"]) >= rule.dead_over_days * 86_400
    gone = (table["run"] >= rule.dead_after) & (table["gone"] == table["run"])
    given_up = (table["run"] >= rule.dead_after_any) & long_enough
    kinds = np.select(
        [last_of_run.isin(rule.blocked_by), gone | given_up, table["run"] > 0], ["blocked", "dead", "doubtful"], "good"
    )
    return pd.Series(kinds, index=table.index, dtype="str")


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    result = table.reset_index().rename(
        columns={"run": "failed_in_a_row", "code": "last_code", "category": "last_category"}
    )
    for name, epoch in (("last_sent_at", "sent_at"), ("last_seen_alive_at", "alive")):
        result[name] = pd.to_datetime(result[epoch], unit="s", utc=True).dt.tz_convert("Asia/Shanghai").dt.as_unit("s")
    texts = ("phone", "last_code", "last_category")
    return result[list(HEALTH_COLUMNS)].astype({"sent": "int64", **dict.fromkeys(texts, "str")})


def _for_sheet(result: pd.DataFrame, asked: pd.Series) -> pd.DataFrame:
    rows = result.set_index("phone").reindex(asked).reset_index(names="phone")
    counts = ["sent", "delivered", "failed", "failed_in_a_row"]
    rows[counts] = rows[counts].fillna(0).astype("int64")
    rows["verdict"] = rows["verdict"].fillna("unseen")
    return rows[list(HEALTH_COLUMNS)]
