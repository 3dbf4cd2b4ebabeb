"""The health of each number: what its own history says about writing to it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.results import finished, note
from masanalytics.analysis.sources import MessageSource, as_source, status_numbers
from masanalytics.frames import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HEALTH_COLUMNS", "HealthRule", "number_health"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

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

    blocked_by: tuple[str, ...] = ("blacklist", "unsubscribed")
    gone_by: tuple[str, ...] = ("number_state", "invalid_number", "suspended")
    away_by: tuple[str, ...] = ("unreachable", "expired", "memory_full", "handset_fault", "service_barred", "unknown")
    dead_after: int = 3
    dead_after_any: int = 6
    dead_over_days: float = 14.0


def number_health(
    data: Any, *, phones: Iterable[str] | None = None, rule: HealthRule | None = None, **where: Any
) -> pd.DataFrame:
    """Return what is known of each number and whether to write to it again.

    Parameters
    ----------
    data : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``phone, status, submitted_at, error_code``; ``received_at`` and ``carrier`` where there are any.
    phones : iterable of str, optional
        The numbers of a sheet: one row each, in its order, also for numbers never written to (``unseen``).
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
        If a column is missing, naming it and the nearest names.

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
    messages = _messages(source, filters)
    result = _summary(messages, rule)
    if phones is not None:
        result = _for_sheet(result, phones)
    dead = result["verdict"].isin(["dead", "blocked"]).sum()
    advice = note(
        "advice",
        f"{dead} of {len(result)} numbers are better left out; carriers' codes are vague, so this is advice",
        f"{len(result)} 个号码中建议剔除 {dead} 个；运营商代码含义并不精确，仅供参考",
    )
    result = finished(result, source, where=filters, denominator="sent", notes=[advice])
    result.attrs["verdicts"] = {str(name): int(n) for name, n in result["verdict"].value_counts().items()}
    return result


def _messages(source: MessageSource, filters: Filters) -> pd.DataFrame:
    """Return the accepted messages with number, time, outcome and category, sorted by number and time."""
    import pandas as pd

    from masanalytics.analysis.counting import group_rows
    from masanalytics.analysis.pandas_source import epoch_seconds
    from masanalytics.codes import category_of

    optional = [name for name in ("carrier", "received_at") if name in source.message_columns()]
    rows = source.message_rows(["phone", "status", "submitted_at", "error_code", *optional], where=filters)
    codes, distinct = pd.factorize(rows["status"], use_na_sentinel=False)
    status = np.array(status_numbers(distinct), dtype=np.int64)[codes] if len(rows) else np.zeros(0, dtype=np.int64)
    pair, pairs = group_rows(rows[["error_code", *(name for name in ("carrier",) if name in optional)]])
    found = [_category(category_of, *values) for values in pairs.itertuples(index=False)]
    sent = epoch_seconds(rows["submitted_at"])
    received = epoch_seconds(rows["received_at"]) if "received_at" in optional else sent
    table = pd.DataFrame(
        {
            "phone": rows["phone"].astype("str"),
            "sent_at": sent,
            "heard_at": np.where(np.isnan(received), sent, received),
            "status": status,
            "code": rows["error_code"].astype("str"),
            "category": pd.Series(found, dtype="str").reindex(pair).to_numpy() if len(rows) else pd.Series(dtype="str"),
        }
    )
    table = table[(status >= Status.pending) & table["phone"].notna()]
    return table.sort_values(["phone", "sent_at", "heard_at"], kind="stable", ignore_index=True)


def _category(category_of: Any, code: Any, carrier: Any = None) -> str:
    import pandas as pd

    return str(category_of(None if pd.isna(code) else code, None if pd.isna(carrier) else carrier))


def _summary(messages: pd.DataFrame, rule: HealthRule) -> pd.DataFrame:
    import pandas as pd

    delivered, failed = messages["status"] == Status.delivered, messages["status"] == Status.failed
    own = failed & messages["category"].isin([*rule.blocked_by, *rule.gone_by, *rule.away_by])
    # Deliveries still to come in the same number: a message belongs to the run if there are none after it.
    ahead = delivered[::-1].groupby(messages["phone"][::-1], sort=False).cumsum()[::-1].sort_index()
    run = own & (ahead == 0)
    parts = pd.DataFrame(
        {
            "phone": messages["phone"],
            "delivered": delivered,
            "failed": failed,
            "run": run,
            "gone": run & messages["category"].isin(rule.gone_by),
            "run_from": messages["sent_at"].where(run),
            "run_to": messages["sent_at"].where(run),
            "sent_at": messages["sent_at"],
            "alive": messages["heard_at"].where(delivered),
        }
    )
    by = parts.groupby("phone", sort=True)
    summed = by[["delivered", "failed", "run", "gone"]].sum().astype("int64")
    table = summed.assign(
        sent=by.size(),
        first=by["run_from"].min(),
        last=by["run_to"].max(),
        sent_at=by["sent_at"].max(),
        alive=by["alive"].max(),
    )
    last = messages[failed].groupby("phone", sort=True)[["code", "category"]].last()
    table = table.join(last)
    last_of_run = messages[run].groupby("phone", sort=True)["category"].last()
    table["verdict"] = _verdicts(table, last_of_run.reindex(table.index), rule)
    return _shown(table)


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
    return result[list(HEALTH_COLUMNS)].astype({"sent": "int64", "phone": "str"})


def _for_sheet(result: pd.DataFrame, phones: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    asked = pd.Series(list(phones), dtype="str")
    found = result.set_index("phone").reindex(asked).reset_index(names="phone")
    counts = ["sent", "delivered", "failed", "failed_in_a_row"]
    found[counts] = found[counts].fillna(0).astype("int64")
    found["verdict"] = found["verdict"].fillna("unseen")
    return found[list(HEALTH_COLUMNS)]
