"""The health of each number: what its own history says about writing to it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Filter, Messages
from masanalytics.analysis.filter_checks import unknown_category
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.health_table import HEALTH_COLUMNS, health_table
from masanalytics.analysis.hidden_numbers import refuse_hidden_numbers
from masanalytics.analysis.number_places import number_places
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import as_source, asks_once
from masanalytics.analysis.sources.written_numbers import FORGOTTEN
from masanalytics.argument_kinds import LENGTH, WHOLE, WORDS, Kind, check_kind, takes
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments, suggests_names
from masanalytics.vocabulary import categories, categories_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HEALTH_COLUMNS", "RULE", "HealthRule", "number_health"]


@suggests_names
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

    Raises
    ------
    InputError
        If a part is no list of categories, no whole number from 1, or no number of days.
    """

    blocked_by: tuple[str, ...] = categories_of("blocked")
    gone_by: tuple[str, ...] = categories_of("gone")
    away_by: tuple[str, ...] = categories_of("away")
    dead_after: int = 3
    dead_after_any: int = 6
    dead_over_days: float = 14.0

    def __post_init__(self) -> None:
        for name in ("blocked_by", "gone_by", "away_by"):
            listed = getattr(self, name)
            check_kind(name, listed, WORDS)
            object.__setattr__(self, name, tuple(listed))
            for category in getattr(self, name):
                if category not in categories():
                    raise unknown_category(category, sorted(categories()))
        for name, most in (("dead_after", self.dead_after), ("dead_after_any", self.dead_after_any)):
            if not WHOLE.is_right(most) or most < 1:
                raise InputError("{name}={value!r}: a whole number from {least}", name=name, value=most, least=1)
        check_kind("dead_over_days", self.dead_over_days, LENGTH)


RULE: Final = Kind(lambda value: isinstance(value, HealthRule), Text("a rule, such as mas.HealthRule(dead_after=3)"))


@named_arguments
@takes(rule=RULE)
@asks_once
def number_health(
    data: Messages, *, phones: Iterable[str] | None = None, rule: HealthRule | None = None, **where: Filter
) -> pd.DataFrame:
    """Return what is known of each number and whether to write to it again.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
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
        If a column is missing, naming it and the nearest names; if phones are masked, or hashed and whole ones are asked for.

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
    asked, unread = (None, 0) if phones is None else _sheet(phones)
    if asked is not None:
        refuse_hidden_numbers(source, asked)
    result = health_table(source, filters, rule, asked)
    if asked is not None:
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
    forgotten = int(result["phone"].str.fullmatch(FORGOTTEN, na=False).sum())
    if forgotten:
        notes.append(
            Text(
                "{count:,} of {total:,} numbers are names of people who were forgotten: what was sent to them since counts as another"
                " number's",
                code="forgotten_numbers",
                count=forgotten,
                total=len(result),
            )
        )
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


def _for_sheet(result: pd.DataFrame, asked: pd.Series) -> pd.DataFrame:
    rows = result.set_index("phone").reindex(asked).reset_index(names="phone")
    counts = ["sent", "delivered", "failed", "failed_in_a_row"]
    rows[counts] = rows[counts].fillna(0).astype("int64")
    rows["verdict"] = rows["verdict"].fillna("unseen")
    return rows[list(HEALTH_COLUMNS)]
