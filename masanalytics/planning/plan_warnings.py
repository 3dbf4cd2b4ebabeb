"""What the owner of a plan should look at; none of it hinders sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.i18n import Text
from masanalytics.planning.number_ranges import WIDEST
from masanalytics.text import fold_name

if TYPE_CHECKING:
    from masanalytics.account import AccountKey, Budget, Period
    from masanalytics.planning.number_lists import SuppressionList
    from masanalytics.store import Store

__all__ = [
    "PlanWarning",
    "budget_periods",
    "budget_warnings",
    "lost_digits",
    "near_arms",
    "near_names",
    "nothing_planned",
    "other_template_text",
    "suppression_warnings",
    "unknown_signature",
]

_ROUND_TO: Final = 100_000
_ENOUGH: Final = 3
_TIMES_CHANCE: Final = 20
_MUCH: Final = 0.8


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something about a plan that its owner should look at; the plan can be sent all the same.

    Attributes
    ----------
    rows : int
        How many messages (or entries) it concerns.
    said : Text
        What it is; ``str(warning)`` says it in the language in use.
    """

    rows: int
    said: Text

    @property
    def code(self) -> str:
        """A short, stable name.

        ``too_long``, ``own_signature``, ``link``, ``phone_number``, ``contact``, ``outside_bmp``, ``no_opt_out``, ``unfilled``,
        ``printed_missing``, ``signature_unknown``, ``round_numbers``, ``unreadable_suppression``, ``hidden_suppression``,
        ``wide_suppression``, ``empty_suppression``, ``valueless_suppression``, ``suppression_sheet_not_read``, ``near_campaign``,
        ``near_round``, ``near_arm``, ``budget_used``, ``over_budget``, ``no_rows``, ``nobody_left``.
        """
        return self.said.code

    def text(self, language: str | None = None) -> str:
        """Return the warning in ``"en"`` or ``"zh"`` (by default in the user's language)."""
        return self.said.text(language)

    def __str__(self) -> str:
        return self.text()


def near_names(
    campaign: str, label: str, known: tuple[str | None, str | None], arms: npt.NDArray[np.object_] | None
) -> list[PlanWarning]:
    """Return the warnings of names nearly those of a known campaign, of a known round of this one, and of another arm."""
    return [_near_campaign(campaign, known[0]), _near_round(label, known[1]), *near_arms(arms)]


def _near_campaign(campaign: str, known: str | None) -> PlanWarning:
    """Return the warning of a new campaign whose name is nearly that of a known one, of no rows where there is none."""
    said = Text(
        "the campaign {campaign!r} is new, but {known!r} is known: people of that one will get this one as well. If it is"
        " meant to be the same, write its name the same",
        code="near_campaign",
        campaign=campaign,
        known=known,
    )
    return PlanWarning(0 if known is None else 1, said)


def _near_round(label: str, known: str | None) -> PlanWarning:
    """Return the warning of a new round whose name is nearly that of a known one, of no rows where there is none."""
    said = Text(
        "the round {round!r} is new, but {known!r} is known: people of that one will get this one as well. If it is meant to"
        " be the same, write its name the same",
        code="near_round",
        round=label,
        known=known,
    )
    return PlanWarning(0 if known is None else 1, said)


def near_arms(arms: npt.NDArray[np.object_] | None) -> list[PlanWarning]:
    """Return the warnings of arms whose names differ only in case, width, spaces or dashes: they are compared as two.

    Examples
    --------
    >>> print(*near_arms(np.array(["A-1", "a1", "B", None], dtype=object)))
    the arms 'A-1' and 'a1' are two, and their names are nearly the same: if they are meant to be one, write its name the same
    """
    if arms is None:
        return []
    codes, names = pd.factorize(arms)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    alike: dict[str, list[int]] = {}
    for place, name in enumerate(names.tolist()):
        alike.setdefault(fold_name(name), []).append(place)
    return [
        PlanWarning(
            int(counts[places].sum()),
            Text(
                "the arms {first!r} and {second!r} are two, and their names are nearly the same: if they are meant to be one, write"
                " its name the same",
                code="near_arm",
                first=names[places[0]],
                second=names[places[1]],
            ),
        )
        for places in alike.values()
        if len(places) > 1
    ]


def suppression_warnings(listed: SuppressionList | None) -> list[PlanWarning]:
    """Return the warnings of a do-not-send list: entries that are no mobile numbers, and sheets of its file that were not read."""
    if listed is None:
        return []
    receipt = listed.receipt or {}
    return [
        _no_number(listed.unreadable - listed.hidden),
        _hidden_digits(listed.hidden),
        _wide_range(listed.wide),
        _empty_list(listed),
        _valueless(receipt.get("valueless", 0)),
        *(_unread_sheet(one, receipt["file"]) for one in receipt.get("sheets_not_read", ())),
    ]


def _no_number(count: int) -> PlanWarning:
    said = Text(
        "{count:,} entry of the suppression list is no mobile number: it keeps nobody out",
        "{count:,} entries of the suppression list are no mobile numbers: they keep nobody out",
        code="unreadable_suppression",
        count=count,
    )
    return PlanWarning(count, said)


def _hidden_digits(count: int) -> PlanWarning:
    said = Text(
        "{count:,} entry of the suppression list has digits that are hidden or lost (138****0001, 1.38E+10): whom it means cannot be"
        " told, so it keeps nobody out. Get the list with whole numbers",
        "{count:,} entries of the suppression list have digits that are hidden or lost (138****0001, 1.38E+10): whom they mean cannot"
        " be told, so they keep nobody out. Get the list with whole numbers",
        code="hidden_suppression",
        count=count,
    )
    return PlanWarning(count, said)


def _wide_range(count: int) -> PlanWarning:
    said = Text(
        "{count:,} entry of the suppression list spans more than {widest:,} numbers, so it was taken for two numbers: nobody between"
        " them is kept out. If a range is meant, hand it in as shorter ones",
        "{count:,} entries of the suppression list span more than {widest:,} numbers each, so they were taken for two numbers: nobody"
        " between them is kept out. If ranges are meant, hand them in as shorter ones",
        code="wide_suppression",
        count=count,
        widest=WIDEST,
    )
    return PlanWarning(count, said)


def nothing_planned(messages: int, rows: int) -> PlanWarning:
    """Return the warning that sending this plan would send nothing."""
    said = Text("the table has no rows: there is nothing to send", code="no_rows")
    if rows:
        said = Text(
            "nothing is planned: its only row is left out",
            "nothing is planned: all {count:,} rows are left out",
            code="nobody_left",
            count=rows,
        )
    return PlanWarning(0 if messages else max(rows, 1), said)


def _empty_list(listed: SuppressionList) -> PlanWarning:
    """Return the warning of a file without a number, where it is not said by its entries; a list that is empty on purpose is none."""
    is_empty = listed.receipt is not None and not listed.entries
    said = Text(
        "the suppression list {file} holds no number: it keeps nobody out",
        code="empty_suppression",
        file=(listed.receipt or {}).get("file", ""),
    )
    return PlanWarning(int(is_empty), said)


def _valueless(count: int) -> PlanWarning:
    said = Text(
        "{count:,} cell of the suppression list holds an error or a formula that was not calculated: if it stands for a number, it keeps"
        " nobody out. Open the file in Excel and save it again",
        "{count:,} cells of the suppression list hold an error or a formula that was not calculated: where they stand for numbers, they"
        " keep nobody out. Open the file in Excel and save it again",
        code="valueless_suppression",
        count=count,
    )
    return PlanWarning(count, said)


def _unread_sheet(other: Mapping[str, Any], file: str) -> PlanWarning:
    said = Text(
        "{count:,} row of the sheet {sheet} of the suppression list {file} was not read and keeps nobody out: hand in the file"
        " itself, suppress='{file}', which is read with all its sheets",
        "{count:,} rows of the sheet {sheet} of the suppression list {file} were not read and keep nobody out: hand in the file"
        " itself, suppress='{file}', which is read with all its sheets",
        code="suppression_sheet_not_read",
        count=other["rows"],
        sheet=other["sheet"],
        file=file,
    )
    return PlanWarning(other["rows"], said)


def other_template_text(rows: int) -> PlanWarning:
    """Return the warning that the template's text is another than it was when it was last used."""
    return PlanWarning(
        rows,
        Text(
            "the template's text is not the one that the store remembers; both are kept, with when they were used",
            code="other_template_text",
        ),
    )


def unknown_signature(count: int) -> PlanWarning:
    """Return the warning of messages whose segments were counted without a signature."""
    said = Text(
        "{count:,} message is counted without a signature: give its text as signature= or in the account",
        "{count:,} messages are counted without a signature: give its text as signature= or in the account",
        code="signature_unknown",
        count=count,
    )
    return PlanWarning(count, said)


def lost_digits(numbers: npt.NDArray[np.int64], column: pd.Series[Any]) -> PlanWarning:
    """Return the warning of numbers that end in 00000, of no rows unless there are too many: by chance one in 100,000 does.

    All rows count, not those that are sent to: 1.38E+10 in every row is one number and its duplicates. A column of floats is
    what a table reader makes of scientific notation, so there one such number is enough.

    Examples
    --------
    >>> lost_digits(np.array([13800100000, 13900139000]), pd.Series([13800100000.0, 13900139000.0])).rows
    1
    """
    count = int((numbers[numbers > 0] % _ROUND_TO == 0).sum())
    enough = 1 if pd.api.types.is_float_dtype(column.dtype) else _ENOUGH
    count = count if count >= enough and count > _TIMES_CHANCE * len(numbers) / _ROUND_TO else 0
    said = Text(
        "{count:,} row has a number that ends in 00000: most likely it was saved as 1.38001E+10, its last digits are lost, and a"
        " stranger would get the message. Format the column as text where the sheet comes from and save it again; read it with"
        " mas.read_sheet(path) or pd.read_csv(path, dtype=str), which let such cells be left out",
        "{count:,} rows have a number that ends in 00000: most likely it was saved as 1.38001E+10, its last digits are lost, and a"
        " stranger would get the message. Format the column as text where the sheet comes from and save it again; read it with"
        " mas.read_sheet(path) or pd.read_csv(path, dtype=str), which let such cells be left out",
        code="round_numbers",
        count=count,
    )
    return PlanWarning(count, said)


def budget_periods(
    budget: tuple[Budget, AccountKey] | None, store: Store | None, segments: npt.NDArray[np.int32] | None
) -> tuple[Period, ...]:
    """Return what is left of the account's budget in the day and the month it is; nothing where no store tells.

    Raises
    ------
    InputError
        If it counts segments and those of a template are not known.
    """
    if budget is None:
        return ()
    rule, account = budget
    rule.check_known(segments)
    return () if store is None else tuple(store.sends.budget_periods(account, rule, store.clock.now()))


def budget_warnings(
    periods: Sequence[Period], messages: int, segments: npt.NDArray[np.int32] | None
) -> list[PlanWarning]:
    """Return the warning of a plan that the budget does not hold, or of which little is left after it."""
    if not periods or not messages:
        return []
    weight = messages if periods[0].unit == "messages" or segments is None else int(segments.sum())
    tightest = min(periods, key=lambda period: (period.left, -period.end))
    if weight > tightest.left:
        said = Text(
            "the account's budget does not hold it ({left}; it resets on {day}): nothing will be sent, or with over_budget='hold'"
            " what fits, and the rest is held",
            code="over_budget",
            left=tightest.words(),
            day=tightest.resets_on,
        )
        return [PlanWarning(messages, said)]
    fullest = max(periods, key=lambda period: (period.spent + weight) / period.limit)
    share = (fullest.spent + weight) / fullest.limit
    said = Text(
        "after it {share:.0f} % of the account's budget is used ({left} before it)",
        code="budget_used",
        share=int(share * 100),
        left=fullest.words(),
    )
    return [PlanWarning(messages, said)] if share >= _MUCH else []
