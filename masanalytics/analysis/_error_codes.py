"""Error codes: why messages failed, what it means, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Booleans, Columns, Filter, Length, Messages, Numbers
from masanalytics.analysis.dimensions import as_names, missing_in_messages
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import finished, refuse_taken_names
from masanalytics.analysis.sources import asks_once
from masanalytics.argument_kinds import WHOLE, check_kind
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text, ngettext, speaks
from masanalytics.near_names import named_arguments
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ERROR_COLUMNS", "OTHERS", "error_codes"]

ERROR_COLUMNS = (
    "error_code",
    "count",
    "share",
    "share_of_failed",
    "category",
    "meaning",
    "advice",
    "action",
    "retry_after",
)
OTHERS = ("other", "(other)")
"""What the row of all other codes is called, and what where a code itself is called so."""

_UNICOM = "China Unicom"


@named_arguments
@asks_once
@speaks
def error_codes(
    data: Messages,
    by: Columns | None = None,
    *,
    top: int | None = None,
    within: Length | None = None,
    language: str | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return the error codes of the failed messages, how often each came, what it means and what to do.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, error_code`` and the columns of `by`; ``carrier`` where there is one, because bare numbers are
        read for China Unicom only.
    by : str or sequence of str, optional
        As for `delivery_rates`.
    top : int, optional
        Keep each group's most frequent codes and add the others up in a row ``other`` (``(other)`` where a code itself is
        called so), which says how many they are.
    within : str, timedelta or number of seconds, optional
        Only messages observed that long; failures that came later do not count.
    language : {"en", "zh"}, optional
        Of ``meaning`` and ``advice``; by default the user's own.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a code within a group, the most frequent first. After `by`:

        - ``error_code`` (text; missing where the report had none)
        - ``count`` (int), ``share`` (of the group's accepted), ``share_of_failed`` (of its failed)
        - ``category, meaning, advice`` (text)
        - ``action`` (text): ``remove`` the number, ``retry_later``, ``change_text``, ``ask_carrier``, ``check_account``,
          ``respect_wish``; ``retry_after`` (Int64): seconds, where another try is worth it (see `masanalytics.retryable`)

    Raises
    ------
    InputError
        If a column is missing, naming it and the nearest names.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "status": ["delivered", "failed", "failed", "failed"],
    ...     "error_code": [None, "DB:0141", "DB:0141", "MN:0090"],
    ... })
    >>> error_codes(messages)[["error_code", "count", "share", "category"]].values.tolist()
    [['DB:0141', 2, 0.5, 'blacklist'], ['MN:0090', 1, 0.25, 'unreachable']]
    """
    names = as_names(by)
    if top is not None:
        check_kind("top", top, WHOLE)
    refuse_taken_names([name for name in names if name != "category"], ERROR_COLUMNS)
    age = None if within is None else to_seconds(within)
    filters = Filters.parse(where, waited_at_least=age)
    question = Question(names, ("error_code", "carrier"), filters, seconds="outcome" if age is not None else None)
    counts, source = count_messages(data, question)
    error = missing_in_messages(["error_code"], source.message_columns())
    if error is not None:
        raise error
    result = _table(counts, age, top)
    notes = [] if age is None else [Text("failed within {age}", code="within", age=duration_text(age))]
    result = finished(result, source, where=filters, notes=notes)
    result.attrs["within_s"] = age
    return result


def _table(counts: Counts, age: int | None, top: int | None) -> pd.DataFrame:
    import pandas as pd

    in_time = np.ones(len(counts.n), dtype=bool) if age is None else ~(counts.seconds > age)
    failed = (counts.status == Status.failed) & in_time
    rows = pd.DataFrame({"group": counts.group, "code": counts.keys["error_code"]})[failed].reset_index(drop=True)
    cell, cells = group_rows(rows)
    n = counts.n[failed]
    count = np.bincount(cell, weights=n, minlength=len(cells)).astype(np.int64)
    cells = cells.assign(count=count, carrier=_one_carrier(counts, failed, cell, len(cells)))
    cells = cells.sort_values(["group", "count", "code"], ascending=[True, False, True], ignore_index=True)
    cells = _described(cells)
    if top is not None:
        cells = _topped(cells, top)
    accepted, of_failed = counts.tally(counts.accepted()), counts.tally(failed)
    group = cells["group"].to_numpy(dtype=np.int64)
    shares = {"share": cells["count"] / accepted[group], "share_of_failed": cells["count"] / of_failed[group]}
    cells = cells.rename(columns={"code": "error_code"}).assign(**shares)
    columns = [name for name in ERROR_COLUMNS if name not in counts.by]
    dimensions = counts.groups.iloc[group].reset_index(drop=True)
    return pd.concat([dimensions, cells[columns].reset_index(drop=True)], axis=1)


def _one_carrier(counts: Counts, failed: Booleans, cell: Numbers, cells: int) -> pd.Series:
    """Return China Unicom for the cells all of whose messages went there: its bare numbers mean something."""
    import pandas as pd

    if "carrier" not in counts.keys.columns:
        return pd.Series([None] * cells, dtype="str")
    elsewhere = (counts.keys["carrier"][failed] != _UNICOM).to_numpy(dtype=bool, na_value=True)
    mixed = np.bincount(cell, weights=elsewhere, minlength=cells) > 0
    return pd.Series([None if other else _UNICOM for other in mixed], dtype="str")


def _described(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells with what is known of their codes, each distinct one looked up once."""
    import pandas as pd

    from masanalytics.codes import describe_code

    pair, pairs = group_rows(cells[["code", "carrier"]])
    descriptions = [
        describe_code(None if pd.isna(code) else code, carrier=None if pd.isna(carrier) else carrier)
        for code, carrier in pairs.itertuples(index=False)
    ]
    texts = {
        name: pd.Series([getattr(item, name) for item in descriptions], dtype="str").iloc[pair].to_numpy()
        for name in ("category", "meaning", "advice", "action")
    }
    seconds = pd.Series([item.retry_after for item in descriptions], dtype="Int64").iloc[pair]
    cells = cells.assign(**{name: pd.Series(values, dtype="str", index=cells.index) for name, values in texts.items()})
    return cells.assign(retry_after=seconds.set_axis(cells.index))


def _topped(cells: pd.DataFrame, top: int) -> pd.DataFrame:
    """Return each group's `top` codes and one row for all its others."""
    import pandas as pd

    rank = cells.groupby("group").cumcount()
    rest = cells[rank >= top]
    if rest.empty:
        return cells
    summed = rest.groupby("group", as_index=False).agg(count=("count", "sum"), codes=("count", "size"))
    texts = [ngettext("{count} other code", "{count} other codes", codes) for codes in summed.pop("codes")]
    plain, marked = OTHERS
    name = marked if (cells["code"] == plain).any() else plain
    others = summed.assign(code=name, meaning=pd.Series(texts, dtype="str"))
    joined = pd.concat([cells[rank < top], others], ignore_index=True)
    return joined.sort_values("group", kind="stable", ignore_index=True)
