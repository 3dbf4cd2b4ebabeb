"""The account's matured messages, from which the end of those still pending is forecast (see `stats.chain_ladder`).

A unit of the chain ladder is one campaign on one day; campaigns of fewer than 20 messages are taken together by day. Carriers
are its strata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from masanalytics.aliases import Messages, Numbers
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.sources import MessageSource, as_source
from masanalytics.i18n import Text
from masanalytics.stats.chain_ladder import UNIT_MESSAGES, ChainLadder
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

    from masanalytics.aliases import Messages

__all__ = ["History", "matured_history"]


_LOOK_BACK_S = 31 * 86_400
_ENOUGH_MESSAGES = 400_000


@dataclass(frozen=True)
class History:
    """Matured messages, by unit and carrier.

    Attributes
    ----------
    carriers : DataFrame
        The strata of the ladder (one column ``carrier``, or none for a single stratum). One more stands for what the history
        has not seen.
    ladder : ChainLadder
        The arithmetic on them.
    """

    carriers: pd.DataFrame
    ladder: ChainLadder

    def strata_of(self, keys: pd.DataFrame) -> Numbers:
        """Return the stratum of each of today's rows."""
        if not len(self.carriers.columns):
            return np.zeros(len(keys), dtype=np.int64)
        known = {None if missing else value: number for number, (value, missing) in enumerate(_values(self.carriers))}
        strata = [known.get(None if missing else value, len(known)) for value, missing in _values(keys)]
        return np.array(strata, dtype=np.int64)

    def stratum_text(self, stratum: int) -> Text | str:
        """Return how a note names a stratum."""
        if not len(self.carriers.columns):
            return ""
        if stratum >= len(self.carriers):
            return Text(" for carriers it has not seen")
        return Text(" for {carrier}", carrier=Text(self.carriers["carrier"].iloc[stratum]))


def matured_history(
    history: Messages | Literal["auto"] | None,
    data: Messages,
    *,
    by_carrier: bool,
    account: tuple[Any, ...] | None = None,
) -> History | None:
    """Return the matured messages that `history` names, or None where there are none.

    Of very many, a part of a few hundred thousand is read.

    Parameters
    ----------
    history : "auto", Store, DataFrame or None
        ``"auto"`` stands for `data` itself, whatever it is narrowed to.
    by_carrier : bool
        Whether to keep carriers apart.
    account : tuple of str, optional
        Only of these accounts, where the messages say whose they are.
    """
    if history is None:
        return None
    source = as_source(data if isinstance(history, str) else history)
    columns = set(source.message_columns())
    if "waited_s" not in columns:
        return None
    unit = [name for name in ("campaign", "day") if name in columns or (name == "day" and "submitted_at" in columns)]
    question = Question(unit, ("carrier",) if by_carrier else (), _last_month(source, columns, account))
    counts, _ = count_messages(source, question)
    usable = counts.accepted() & ~(np.isnan(counts.seconds) & (counts.status != Status.pending))
    if "campaign" in columns and counts.keys["campaign"].notna().any():
        # Messages of no campaign are known through their reports only: they never stay pending.
        usable &= counts.keys["campaign"].notna().to_numpy(dtype=bool)
    return _history(counts.taken(usable)) if usable.any() else None


def _last_month(source: MessageSource, columns: set[str], account: tuple[Any, ...] | None) -> Filters:
    """Return which messages count as history: matured, of the last month, and of very many a part."""
    as_of = source.coverage_summary(Filters()).get("as_of")
    where = Filters(
        values={"account": account} if account and "account" in columns else {},
        since=as_of - _LOOK_BACK_S if "submitted_at" in columns and as_of is not None else None,
        waited_at_least=UNREPORTED_AFTER_S,
    )
    return replace(where, every=max(1, source.estimated_count(where) // _ENOUGH_MESSAGES))


def _history(counts: Counts) -> History:
    stratum, carriers = group_rows(counts.keys[[name for name in ("carrier",) if name in counts.keys.columns]])
    unit, strata = _units(counts), len(carriers) + 1
    units = int(unit.max()) + 1
    cell = unit * strata + stratum
    return History(carriers, ChainLadder(cell, counts.status, counts.seconds, counts.n, units, strata))


def _units(counts: Counts) -> Numbers:
    """Return the unit of each row: its campaign and day, or all small campaigns of its day together, or all the rest."""
    unit = counts.group.copy()
    for coarser in ([name for name in ("day",) if name in counts.by], []):
        small = np.bincount(unit, weights=counts.n)[unit] < UNIT_MESSAGES
        together, _ = group_rows(counts.keys[coarser]) if coarser else (np.zeros(len(unit), dtype=np.int64), None)
        unit = np.unique(np.where(small, unit.max() + 1 + together, unit), return_inverse=True)[1]
    return unit


def _values(keys: pd.DataFrame) -> Iterator[tuple[Any, bool]]:
    return zip(keys["carrier"].tolist(), keys["carrier"].isna().tolist(), strict=True)
