"""The only module that names what the package's functions are called, so that histories outlive them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.collecting import Collector
from masanalytics.collecting.spool import spooled_answers
from masanalytics.planning import Limits
from masanalytics.sending import Canary, SendResult
from masanalytics.store import Store
from tests.histories.ledger import text_of

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.client.transport import Transport
    from masanalytics.clock import Clock
    from tests.histories.actions import Send
    from tests.histories.wire import Wire

__all__ = ["ProductClient", "User", "frame_of", "is_confident", "phone_of", "send", "sum_of", "waiting_answers"]

_BUSY_S = 0.05
CAP_DAYS = 30
_CANARY_TIMEOUT_S = 15.0
_COUNTS = (
    "accepted", "rejected", "unknown", "not_sent", "already_sent", "opted_out", "left_to_another_run", "held",
)  # fmt: skip
_CONFIDENT = "almost surely not accepted"


class ProductClient(Client):
    """A client whose requests go over the histories' wire."""

    def __init__(self, account: Account, clock: Clock, wire: Wire) -> None:
        super().__init__(account, clock=clock)
        self._wire: Any = wire

    def _ready(self) -> Transport:
        return self._wire


class User:
    """What a user has in a process: a store, a client and a collector."""

    def __init__(self, path: Any, account: Account, clock: Clock, wire: Wire) -> None:
        self.store = Store(path, clock=clock, busy_s=_BUSY_S)
        self.client = ProductClient(account, clock, wire)
        self._made = (account, clock, wire)
        self.collector = None if account.is_pushed else Collector(self.client, self.store, say=str, margin_s=0.0)

    def client_for(self, action: Send) -> ProductClient:
        """Return a client whose account has the action's budget."""
        if not action.budget:
            return self.client
        account, clock, wire = self._made
        limited = replace(account, budget={"day": action.budget}, budget_unit="messages")
        return ProductClient(limited, clock, wire)


def phone_of(person: int) -> str:
    """Return somebody's number."""
    return str(13800000000 + person)


def frame_of(action: Send) -> pd.DataFrame:
    """Return the user's table; with `key` every third person has two orders."""
    rows = [
        (phone_of(person), f"{order}{person}" if action.key else "", f"hello {person}" if action.own else "")
        for person in range(action.first, action.first + action.people)
        for order in ("a", "b")[: 2 if action.key and person % 3 == 0 else 1]
    ]
    return pd.DataFrame(rows, columns=["phone", "key", "own"], dtype=object)


def send(user: User, action: Send, kept: dict[str, Any]) -> SendResult:
    """Run `mas.send` as the action says."""
    options: dict[str, Any] = {"workers": action.workers, "limit": action.limit, "progress": False}
    if action.go_on:
        options["canary"] = "go on"
    elif action.canary is not None:
        options |= {"canary": Canary(action.canary, timeout_s=_CANARY_TIMEOUT_S), "collector": user.collector}
    elif action.collecting and user.collector is not None:
        options["collector"] = user.collector
    if action.hold:
        options["over_budget"] = "hold"
    planning, client = _planning(action), user.client_for(action)
    if action.via == "frame":
        return mas.send(frame_of(action), client, user.store, **options, **planning)
    if action.via == "bare":
        return mas.send(mas.plan(frame_of(action), **planning), client, user.store, **options)
    same = repr((planning, action.first, action.people))
    if action.via == "plan" or same not in kept:
        kept[same] = mas.plan(frame_of(action), store=user.store, account=client.account, **planning)
    return mas.send(kept[same], client, user.store, **options)


def _planning(action: Send) -> dict[str, Any]:
    text = text_of(action.campaign.strip("\u200b"), action.round, action.version)
    if not action.key:
        text = text.replace("{key}", "")
    if not action.own:
        text = text.replace("{own}", "")
    planning: dict[str, Any] = {
        "round": action.round, "phone": "phone", "text": text, "campaign": action.campaign,
        "limits": Limits(many_to_one=action.batch, many_to_many=action.batch),
    }  # fmt: skip
    if action.key:
        planning["key"] = "key"
    if action.cap:
        planning["cap"] = (action.cap, f"{CAP_DAYS}d")
    return planning


def is_confident(verdict: object) -> bool:
    """Whether a verdict is one that a user may follow: the batch was not accepted."""
    return verdict == _CONFIDENT


def sum_of(result: SendResult) -> int:
    """Return how many messages a result accounts for."""
    return sum(getattr(result, name) for name in _COUNTS)


def waiting_answers(path: Path) -> int:
    """Return how many answers wait in files beside the store."""
    return len(list(spooled_answers(path)))
