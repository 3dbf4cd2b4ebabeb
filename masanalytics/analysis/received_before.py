"""How many messages each number had had lately when a message left, and what came of it: added up where the data is, or of rows.

Where the data is, each message is three places on the line of its number: as it is asked about (at its own time), as it begins to count
(just after), and as it ceases to count (just after the window has passed). A running sum along the line is how many count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Numbers
from masanalytics.analysis.grouped_count import group_rows
from masanalytics.analysis.sources.lent_rows import DELIVERED, OPEN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReceivedBefore", "ReceivedTotals", "totals_of_rows"]

_SUMS: Final = (
    "people", "messages", "delivered", "both", "squares", "sent_squares", "reached", "answered", "opt_outs", "out_both", "out_squares",
)  # fmt: skip
_STILL_OPEN, _NOT_ASKED = -1, -2


@dataclass(frozen=True)
class ReceivedTotals:
    """What became of messages, by how many their numbers had had before; parts of the numbers can be added up.

    Attributes
    ----------
    levels : DataFrame
        Of each number of messages before (``received``): ``people`` (numbers written to), ``messages, delivered`` and, over people, the
        sums of their product and squares (``both, squares, sent_squares``: of delivered, of messages); ``reached`` (people with a
        delivered one), ``answered, opt_outs`` of the delivered, and the sums over people of opt-outs times delivered and of
        opt-outs squared (``out_both, out_squares``).
    strata : DataFrame
        ``received``, the columns that tell rounds, and of the delivered messages of these ``delivered, opt_outs``; it may be empty
        where nobody opted out.
    open_yet : int
        Messages that are still open: they are in nothing else.
    """

    levels: pd.DataFrame
    strata: pd.DataFrame
    open_yet: int

    @classmethod
    def added_up(cls, parts: Sequence[ReceivedTotals]) -> ReceivedTotals:
        """Return the totals of several parts, none of which shares a number with another."""
        if len(parts) == 1:
            return parts[0]
        levels, strata = (_joined([getattr(part, name) for part in parts]) for name in ("levels", "strata"))
        keys = [name for name in strata.columns if name not in ("delivered", "opt_outs")]
        return cls(_summed(levels, ["received"]), _summed(strata, keys), sum(part.open_yet for part in parts))


@dataclass(frozen=True)
class ReceivedBefore:
    """The question, as a source that lends its rows is asked it.

    Attributes
    ----------
    window : int
        So many seconds back messages count.
    most : int
        So many and more are one.
    answered, stopped : array of int
        The message_ids that were answered, and answered with an opt-out.
    strata : sequence of str
        The columns that tell rounds.
    """

    window: int
    most: int
    answered: Numbers
    stopped: Numbers
    strata: Sequence[str]

    def __call__(self, rows: Any, collect: Callable[[Any], pd.DataFrame]) -> ReceivedTotals | None:
        """Ask; None where numbers are spelled in several ways, so that they have to be read one by one."""
        import narwhals as nw

        counted = self._counted(rows)
        found = collect(_by_level(counted)).fillna(0).astype("int64")
        if found["odd"].any():
            return None
        open_yet = int(found.loc[found["received"] == _STILL_OPEN, "messages"].sum())
        levels = found[found["received"] >= 0].reset_index(drop=True)
        strata = counted.filter((nw.col("received") >= 0) & (nw.col("arrived") == 1)).group_by("received", *self.strata)
        totals = strata.agg(delivered=nw.len(), opt_outs=nw.col("stopped").sum())
        if not levels["opt_outs"].any():  # then no round tells anything
            return ReceivedTotals(levels[["received", *_SUMS]], _no_strata(self.strata), open_yet)
        sums = {name: nw.col(name).cast(nw.Int64) for name in ("received", "delivered", "opt_outs")}
        return ReceivedTotals(levels[["received", *_SUMS]], collect(totals.with_columns(**sums)), open_yet)

    def _counted(self, rows: Any) -> Any:
        """Return the messages with how many were ``received`` before (below 0 of those that are not to be counted), 0 and 1 otherwise."""
        import narwhals as nw

        # Told before the window, as columns of their own: within a case DuckDB goes through the list row by row.
        rows = rows.with_columns(answered=self._among(self.answered), stopped=self._among(self.stopped))
        messages = _in_duckdb(rows, self.window) if rows.implementation.name == "DUCKDB" else self._on_the_line(rows)
        received, arrived = nw.col("received"), nw.col("outcome") == DELIVERED
        level = nw.when(received > self.most).then(nw.lit(self.most)).otherwise(received)
        level = nw.when(nw.col("outcome") == OPEN).then(nw.lit(_STILL_OPEN)).otherwise(level)
        level = nw.when(nw.col("asked") == 0).then(nw.lit(_NOT_ASKED)).otherwise(level)
        return messages.with_columns(
            received=level.cast(nw.Int64),
            arrived=_flag(arrived),
            answered=_flag(arrived & nw.col("answered")),
            stopped=_flag(arrived & nw.col("stopped")),
        )

    @staticmethod
    def _among(message_ids: Numbers) -> Any:
        """Return the test that a message is one of these."""
        import narwhals as nw

        return nw.col("message_id").is_in(message_ids.tolist()) if len(message_ids) else nw.lit(1) == nw.lit(0)

    def _on_the_line(self, rows: Any) -> Any:
        """Return the messages with how many were ``received`` in the window before each."""
        import narwhals as nw

        kept = ["phone", "outcome", "asked", "odd", "answered", "stopped", *self.strata]
        sent, ended = nw.col("sent"), nw.col("sent") + self.window
        began = rows.select(*kept, at=sent, step=nw.lit(1), turn=nw.lit(0))
        line = nw.concat([began, rows.select(*kept, at=ended, step=nw.lit(-1), turn=nw.lit(1))], how="vertical")
        line = line.with_columns(upto=nw.col("step").cum_sum().over("phone", order_by=["at", "turn"]))
        # Of the same second the first counts those before all of them, and itself.
        return line.filter(nw.col("turn") == 0).with_columns(received=nw.col("upto").min().over("phone", "at") - 1)


def _in_duckdb(rows: Any, window: int) -> Any:
    """Return the same by a window over a stretch of time, for which narwhals has no words."""
    import narwhals as nw

    before = f'count(*) OVER (PARTITION BY "phone" ORDER BY "sent" RANGE BETWEEN {window} PRECEDING AND 1 PRECEDING)'
    return nw.from_native(rows.to_native().project(f"*, {before if window else 0} AS received"))


def _flag(test: Any) -> Any:
    import narwhals as nw

    return nw.when(test).then(nw.lit(1)).otherwise(nw.lit(0))


def _by_level(messages: Any) -> Any:
    """Return the sums of each level, not yet collected, and whether any number is spelled oddly."""
    import narwhals as nw

    sums = {name: nw.col(name).sum() for name in ("arrived", "answered", "stopped")}
    each = messages.group_by("received", "phone").agg(n=nw.len(), odd=nw.col("odd").max(), **sums)
    n, k, out = (nw.col(name).cast(nw.Int64) for name in ("n", "arrived", "stopped"))
    each = each.with_columns(
        n=n, arrived=k, stopped=out, both=n * k, squares=k * k, sent_squares=n * n, out_both=k * out, out_squares=out * out,
        is_reached=_flag(k > 0),
    )  # fmt: skip
    of = {
        "messages": "n", "delivered": "arrived", "reached": "is_reached", "opt_outs": "stopped",
        **{name: name for name in ("answered", "both", "squares", "sent_squares", "out_both", "out_squares")},
    }  # fmt: skip
    totals = {name: nw.col(column).sum() for name, column in of.items()}
    return each.group_by("received").agg(people=nw.len(), odd=nw.col("odd").max(), **totals)


def totals_of_rows(rows: pd.DataFrame, strata: Sequence[str], open_yet: int) -> ReceivedTotals:
    """Return the totals of messages in memory.

    Parameters
    ----------
    rows : DataFrame
        A row a message that is counted: ``phone`` (a number each person), ``received``, ``arrived, answered, stopped`` (of any message)
        and the columns that tell rounds.
    strata : sequence of str
        The columns that tell rounds.
    open_yet : int
        Messages that are still open, which are not among the rows.
    """
    import pandas as pd

    reached = rows["arrived"].to_numpy(dtype=np.int64)
    marks = {name: rows[name].to_numpy(dtype=np.int64) * reached for name in ("answered", "stopped")}
    each = rows[["received", "phone"]].assign(n=1, arrived=reached, **marks).groupby(["received", "phone"]).sum()
    n, k, out = (each[name] for name in ("n", "arrived", "stopped"))
    sums = {
        "people": 1, "messages": n, "delivered": k, "both": n * k, "squares": k * k, "sent_squares": n * n,
        "reached": (k > 0).astype("int64"), "answered": each["answered"], "opt_outs": out, "out_both": k * out, "out_squares": out * out,
    }  # fmt: skip
    levels = pd.DataFrame(sums, index=each.index).groupby("received").sum().reset_index()
    chosen = reached > 0
    counted = rows.loc[chosen, ["received", *strata]].assign(delivered=1, opt_outs=marks["stopped"][chosen])
    return ReceivedTotals(levels, _summed(counted, ["received", *strata]), open_yet)


def _no_strata(strata: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["received", *strata, "delivered", "opt_outs"])


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def _summed(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the sums of the other columns, whole numbers, for each combination of `keys`, missing ones included."""
    number, groups = group_rows(table[list(keys)])
    sums = {
        name: np.rint(np.bincount(number, weights=table[name].to_numpy(dtype=float), minlength=len(groups))).astype(
            np.int64
        )
        for name in table.columns
        if name not in keys
    }
    return groups.assign(**sums)
