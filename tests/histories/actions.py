"""What can happen in a history. The repr of an action is Python: a printed history can be played again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

__all__ = [
    "Action",
    "Clock",
    "Collect",
    "Disk",
    "During",
    "Fate",
    "Foreign",
    "ForeignPoll",
    "Http",
    "OptOut",
    "Reopen",
    "Reply",
    "Send",
    "Settle",
    "SettleWrongly",
    "Wait",
]


class _Shown:
    """Shows only what differs from the defaults."""

    def __repr__(self) -> str:
        said = [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
            if getattr(self, one.name) != one.default
        ]
        return f"{type(self).__name__}({', '.join(said)})"


@dataclass(frozen=True, repr=False)
class Send(_Shown):
    """A user runs `mas.send`: people `first` to `first + people`, in requests of `batch`.

    ``faults`` are pairs (which request of this call, what happens to it), ``kill`` is the step (statement, request) before which
    the process dies, ``during`` what others do while a request is under way. ``via`` is a frame, a plan made with the store, a
    bare plan (made without it), or the plan kept from an equal call. ``own`` gives everybody a text of their own, ``version`` is
    the wording, ``key`` lets every third person have two orders. ``budget`` is what the account may send a day, in messages, and
    ``hold`` lets what does not fit wait; ``cap`` is how many messages somebody may get in thirty days.
    """

    campaign: str = "A"
    round: str = ""
    people: int = 20
    first: int = 0
    batch: int = 10
    limit: int | None = None
    canary: int | None = None
    go_on: bool = False
    key: bool = False
    budget: int = 0
    hold: bool = False
    cap: int = 0
    own: bool = False
    version: int = 1
    via: str = "frame"
    workers: int = 1
    collecting: bool = False
    faults: tuple[tuple[int, str], ...] = ()
    during: During | None = None
    process: str = "p"
    kill: int = 0


@dataclass(frozen=True, repr=False)
class During(_Shown):
    """What others do while request number `request` is under way: before or after the platform takes it."""

    request: int = 1
    taken: bool = True
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, repr=False)
class Http(_Shown):
    """At the beginning: the account is of the HTTP flavour, whose reports and replies are pushed."""


@dataclass(frozen=True, repr=False)
class Collect(_Shown):
    """A user collects: once, or until the queues are empty. ``faults`` strike the n-th poll of this call.

    In the HTTP flavour a receiver listens from then on (``drain=False``: until then), and the faults strike its next pushes.
    """

    drain: bool = True
    faults: tuple[tuple[int, str], ...] = ()
    during: During | None = None
    process: str = "p"
    kill: int = 0


@dataclass(frozen=True, repr=False)
class Settle(_Shown):
    """A user follows the verdicts that are confident."""

    process: str = "p"


@dataclass(frozen=True, repr=False)
class SettleWrongly(_Shown):
    """A user says of the first batch in doubt that it was not sent, whatever the truth."""

    process: str = "p"


@dataclass(frozen=True, repr=False)
class OptOut(_Shown):
    """Somebody asks not to be written to, and is put on the list."""

    person: int = 0
    process: str = "p"


@dataclass(frozen=True, repr=False)
class Reply(_Shown):
    """Somebody answers with a word that means no more."""

    person: int = 0


@dataclass(frozen=True, repr=False)
class Foreign(_Shown):
    """Another system sends to some of the same people with the same account."""

    first: int = 0
    people: int = 1


@dataclass(frozen=True, repr=False)
class ForeignPoll(_Shown):
    """Another system takes a page of reports away."""


@dataclass(frozen=True, repr=False)
class Fate(_Shown):
    """What becomes of messages taken from now on: quick, silent, failed, slow, mixed, or the first ten late."""

    kind: str = "quick"


@dataclass(frozen=True, repr=False)
class Wait(_Shown):
    """Time passes."""

    seconds: float = 60.0


@dataclass(frozen=True, repr=False)
class Clock(_Shown):
    """The wall clock of the user's machine jumps."""

    seconds: float = 180.0


@dataclass(frozen=True, repr=False)
class Disk(_Shown):
    """The disk is full (for the store alone, or everywhere), or there is room again."""

    full: str = "store"


@dataclass(frozen=True, repr=False)
class Reopen(_Shown):
    """The process ends and a new one opens the store."""

    process: str = "p"


Action: TypeAlias = (
    Send
    | Collect
    | Settle
    | SettleWrongly
    | OptOut
    | Reply
    | Foreign
    | ForeignPoll
    | Fate
    | Wait
    | Clock
    | Disk
    | Reopen
    | Http
)
