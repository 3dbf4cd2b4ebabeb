"""What the platform took and handed out: the judge of every history."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["CanaryState", "Identity", "Ledger", "Page", "text_of"]

FOREIGN = "somebody else's"


class Identity(NamedTuple):
    """Whom a message is for, and why: nobody may get the same twice."""

    campaign: str
    round: str
    key: str
    phone: str


def text_of(campaign: str, round_label: str, version: int) -> str:
    """Return the text of a campaign's messages, from which the platform's ledger can be read: ``{key}`` and ``{own}`` are columns."""
    return f"{campaign}|{round_label}|{{key}}|{version}|{{own}}"


def identity_of(phone: str, text: str) -> Identity | None:
    """Read the identity of a message off its text; None for another system's."""
    if text == FOREIGN:
        return None
    campaign, round_label, key, _version, _own = text.split("|")
    return Identity(campaign, round_label, key, phone)


@dataclass
class Taken:
    """A request that the platform took."""

    group: str
    phones: tuple[str, ...]
    texts: tuple[str, ...]
    process: str
    asked_at: float
    taken_at: float
    """When it was asked for, by the clock of the user's machine, and taken, by the platform's."""
    arrived: bool = False


@dataclass
class Page:
    """A page that the platform handed out, and whether it arrived whole.

    Rows are (number, msgGroup, code) of reports and (number, text, "") of replies.
    """

    kind: str
    rows: list[tuple[str, str, str]]
    process: str
    arrived: bool = False
    is_doubtful: bool = False
    """Whether it arrived in a process that was killed then: only the store can tell whether it was kept."""


@dataclass
class CanaryState:
    """The canary of a round: how many may go, beside what had gone before, until their reports look normal or the
    user lets the rest go.
    """

    size: int
    before: int
    opened: int
    """After how many requests, of all processes, it began: what had left by then was not to be held."""
    is_released: bool = False
    members: set[tuple[str, str]] = field(default_factory=set)
    """Those (number, msgGroup) that were taken as part of it."""


@dataclass
class Ledger:
    """What the platform knows of a history."""

    taken: list[Taken] = field(default_factory=list)
    by_identity: dict[Identity, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    by_text: Counter[tuple[str, str]] = field(default_factory=Counter)
    of_round: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: dict[tuple[str, str], set[bool]] = field(default_factory=lambda: defaultdict(set))
    canaries: dict[tuple[str, str], CanaryState] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    rows_gone: set[str] = field(default_factory=set)
    """msgGroups of which another system took reports away."""

    def reports_of(self, groups: set[str]) -> list[tuple[str, str, str]]:
        """Return the reports (phone, msgGroup, code) about some groups that arrived."""
        return [
            row
            for page in self.pages
            if page.kind == "report" and page.arrived
            for row in page.rows
            if row[1] in groups
        ]

    def groups_of(self, campaign: str, round_label: str) -> set[str]:
        """Return the msgGroups of a round."""
        return {
            taken.group
            for identity, requests in self.by_identity.items()
            if (identity.campaign, identity.round) == (campaign, round_label)
            for taken in requests
        }
