"""What a comparison compares: deliveries, replies, opt-outs, or a column that says yes or no; of which messages, at which age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from masanalytics.aliases import Length, Messages
from masanalytics.analysis.answered_messages import AnsweredMessages, MarkedMessages
from masanalytics.analysis.dimensions import missing_in_messages
from masanalytics.analysis.equal_age import (
    are_settled,
    common_age,
    equal_age_notes,
    observed_by_all,
    with_exact_ages,
)
from masanalytics.analysis.filters import to_seconds
from masanalytics.analysis.grouped_count import Counts, Question
from masanalytics.analysis.sources import as_source
from masanalytics.analysis.timely_replies import REPLY_WINDOW, first_answers, timely_replies
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.own_columns import is_taken
from masanalytics.vocabulary import OUTCOME_WORDS, outcome_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ComparedOutcome", "compared_outcome"]


@dataclass(frozen=True)
class ComparedOutcome:
    """What is compared.

    Attributes
    ----------
    name : str
        ``delivered``, ``replied``, ``opted_out``, or a column.
    messages : Store or frame, or a source of messages
        In which what succeeded is ``delivered``.
    window_s : float, optional
        The age at which replies end.
    """

    name: str
    messages: Messages
    window_s: float | None = None

    @property
    def is_delivery(self) -> bool:
        """Whether it is what was delivered."""
        return self.name == "delivered"

    @property
    def denominator(self) -> str:
        """Of which messages the rates are shares."""
        return "accepted" if self.window_s is None else "delivered"

    @property
    def words(self) -> Text | None:
        """What is counted, in words; None of deliveries."""
        return outcome_words(self.name)

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the result with its counts called by what they count."""
        if self.is_delivery:
            return table
        counted = self.name if self.window_s is not None else "yes"
        names = {f"accepted_{arm}": f"{self.denominator}_{arm}" for arm in "ab"}
        return table.rename(columns=names | {f"delivered_{arm}": f"{counted}_{arm}" for arm in "ab"})

    def common_age(self, *parts: Counts) -> float | None:
        """Return the age at which all `parts` (counted by waiting time) can be compared; None if settled, or without age."""
        if self.is_delivery:
            return common_age(*parts)
        return None if self.window_s is None else min(self.window_s, observed_by_all(*parts))

    def with_exact_ages(self, waited: Counts, question: Question, asked: float | None) -> Counts:
        """Return `waited` (by full hours) exactly where the age is read that its groups are compared at, `asked` or their own."""
        has_no_age = are_settled(waited) if self.is_delivery else self.window_s is None
        if asked is None and has_no_age:
            return waited
        at = self.window_s if asked is None else asked
        return with_exact_ages(self.messages, question, waited, at=at, has_youngest=asked is None)

    def age_notes(self, age: float | None, part: Counts, is_asked: bool) -> list[Text]:  # noqa: FBT001 - as AgeNotes says
        """Return what to know about the age at which `part` (counted by waiting time) was compared."""
        if self.is_delivery or age is not None:
            return equal_age_notes(age, part, asked=is_asked, reply_window=self.window_s)
        why = Text(
            "{column!r} has no age: compare arms that were sent at the same time", code="no_age", column=self.name
        )
        return [why]


def compared_outcome(data: Messages, name: str, uplinks: pd.DataFrame | None, within: Length | None) -> ComparedOutcome:
    """Return what ``compare(outcome=name)`` compares in `data`.

    Raises
    ------
    InputError
        If there is no such outcome, naming those that there are.
    """
    if name == "delivered":
        return ComparedOutcome(name, data)
    source = as_source(data)
    if name in OUTCOME_WORDS:
        window = to_seconds(REPLY_WINDOW if within is None else within)
        said, _ = timely_replies(data, source, uplinks, window)
        answered = AnsweredMessages(source, first_answers(said, only_opt_outs=name == "opted_out"))
        return ComparedOutcome(name, answered, float(window))
    if not isinstance(name, str) or is_taken(name):
        raise InputError(
            "outcome={name!r}: say 'delivered', 'replied', 'opted_out', or a column of your own that says yes or no",
            name=name,
        )
    missing = missing_in_messages([name], [*source.message_columns(), *OUTCOME_WORDS])
    if missing is not None:
        raise missing
    if within is not None:
        raise InputError("within={within!r}: outcome={name!r} is a column, and has no age", within=within, name=name)
    return ComparedOutcome(name, MarkedMessages(source, name))
