"""Histories that once showed a fault, by name: each was found by the machine and shrunk. None may show one again."""

from __future__ import annotations

from typing import Final

from tests.histories.actions import (
    Action,
    Clock,
    Collect,
    Disk,
    During,
    Fate,
    Foreign,
    Http,
    Send,
    Settle,
    SettleWrongly,
    Wait,
)

__all__ = ["KNOWN"]

_TAKEN_BY_OTHERS: Final = During(1, True, (Wait(3), Collect(process="q")))

KNOWN: Final[dict[str, list[Action]]] = {
    "an interrupted repeat goes out again": [
        Fate("silent"), Send(), Send(round="2", faults=((1, "drop_after"), (2, "drop_after"))), Send(round="2"),
    ],
    "two runs share a budget": [
        Send(people=12, batch=5, budget=15,
             during=During(1, True, (Send(campaign="B", people=12, batch=5, budget=15, hold=True, process="q"),))),
        Wait(90_000.0), Send(people=12, budget=15, hold=True), Send(campaign="B", people=12, budget=15, hold=True),
    ],
    "two campaigns planned before either is sent": [
        Send(via="kept", cap=1, limit=1), Send(campaign="B", cap=1), Send(via="kept", cap=1), Wait(30 * 86_400.0),
        Send(via="kept", cap=1),
    ],
    "a cap while the clock is weeks ahead": [
        Send(campaign="A"), Clock(40 * 86_400.0), Collect(), Send(campaign="B", cap=1),
    ],
    "a cap where the clock has been ahead all along": [
        Clock(40 * 86_400.0), Send(campaign="A"), Send(campaign="B", cap=1), Wait(2 * 86_400.0), Send(campaign="C", cap=1),
    ],
    "a cap where the clock was set while a request was under way": [
        Send(campaign="A", during=During(actions=(Clock(40 * 86_400.0),))), Send(campaign="B", cap=1),
    ],
    "a repeat in parts begins anew with each part": [
        Fate("silent"), Send(), Send(round="2", limit=10), Send(round="2", limit=10), Send(round="2", limit=10),
    ],
    "a killed repeat goes out again": [
        Fate("silent"), Send(), Send(round="2", batch=20, kill=45), Send(round="2", batch=20),
    ],
    "a batch in flight is no rival": [
        Send(batch=20, faults=((1, "drop_before"),)), Send(campaign="B", batch=20, during=_TAKEN_BY_OTHERS),
    ],
    "one report of another system settles a batch": [
        Send(batch=20, faults=((1, "drop_before"),)), Wait(2), Foreign(7, 1), Wait(2), Collect(),
    ],
    "many reports of another system settle a batch": [
        Send(people=12, batch=20, faults=((1, "drop_before"),)), Wait(840), Foreign(0, 12), Wait(2), Collect(),
    ],
    "a clock that is fast makes a verdict": [
        Clock(180), Send(people=40, faults=((1, "drop_after"),)), Wait(2), Collect(), Settle(), Send(people=40),
    ],
    "a late request makes a verdict": [
        Fate("late_first"), Send(people=60, faults=((1, "drop_after"),)), Wait(3), Collect(), Settle(), Send(people=60),
    ],
    "a batch is as silent as the one before it": [
        Fate("silent"), Send(people=60, kill=143), Wait(300_000.0), Fate(),
    ],
    "batches are as silent as those after them": [
        Fate("silent"), Send(people=60, batch=20, workers=2, collecting=True, faults=((3, "busy"),), kill=143), Wait(300_000.0),
        Send(campaign="B", people=60, batch=20, workers=2), Fate(), Wait(3),
    ],
    "a late request beside one that was rejected": [
        Send(campaign="B", workers=2, faults=((1, "late"),), kill=146), Send(faults=((2, "not_white_ip"),)),
    ],
    "the answer comes after the user's word": [
        Fate("silent"),
        Send(people=10, during=During(1, True, (Send(people=10, process="far"), SettleWrongly("far")))),
        Send(people=10),
    ],
    "the reports come after the user's word": [
        Send(people=10, faults=((1, "drop_after"),)), SettleWrongly(), Wait(5), Collect(), Send(people=10),
    ],
    "the user says of a request under way that it was not sent": [
        Send(
            people=10,
            faults=((1, "drop_after"),),
            during=During(1, False, (Collect(process="far"), Send(people=10, process="far"), SettleWrongly("far"))),
        ),
        Send(people=10),
    ],
    "a run calls itself done about another's messages": [
        Fate("silent"),
        Send(people=40, during=During(1, True, (Send(people=40, process="q", faults=((2, "not_white_ip"),)),))),
    ],
    "a run in parts calls itself done": [Send(limit=10)],
    "the canary's answer is lost": [Fate("silent"), Send(people=40, canary=5, faults=((1, "drop_after"),))],
    "the canary is refused": [Fate("silent"), Send(people=40, canary=5, faults=((1, "refused"),))],
    "the canary is silent, and the same plan is sent again": [
        Fate("silent"), Send(people=40, canary=5, via="kept"), Send(people=40, canary=5, via="kept"),
    ],
    "the canary failed, and the same frame is sent again": [
        Fate("failed"), Send(people=40, canary=5), Send(people=40, canary=5), Send(people=40),
    ],
    "a key where there was none": [Fate("silent"), Send(people=6), Send(people=6, key=True)],
    "no key where there was one": [Fate("silent"), Send(people=6, key=True), Send(people=6)],
    "a letter of a text with a key is corrected": [
        Fate("silent"), Send(people=6, key=True), Send(people=6, key=True, version=2),
    ],
    "a plan made without the store": [
        Fate("silent"), Send(people=10), Send(people=10, round="2"), Send(via="bare", round="2"), Send(via="plan", round="2"),
    ],
    "a name that looks the same": [Fate("silent"), Send(people=10), Send(people=10, campaign="A\u200b")],
    "a page is lost on the wire": [
        Send(batch=20), Wait(5), Collect(faults=((1, "drop_after"),)), Wait(300_000), Collect(),
    ],
    "a page cannot be read": [
        Send(batch=20), Wait(5), Collect(faults=((1, "garbage"),)), Wait(300_000), Collect(),
    ],
    "a clock that was eight hours ahead": [
        Fate("slow"), Clock(8 * 3600), Collect(), Clock(-8 * 3600), Send(), Wait(30), Collect(),
    ],
    "a clock that is forty days ahead": [Clock(40 * 86400), Send(collecting=True), Wait(5), Collect()],
    "the disk is full when the answer comes": [
        Fate("silent"), Send(during=During(1, True, (Disk("all"),))), Disk(""), Send(),
    ],
    "a clock that was behind while sending": [Fate("silent"), Clock(-28_800), Send()],
    "the user settles what a run has left alone": [
        Fate("silent"), Send(faults=((1, "drop_before"),)), Send(people=40, during=During(1, True, (SettleWrongly("q"),))),
    ],
    "a plan kept from before the user's word": [
        Fate("silent"),
        Send(faults=((1, "drop_before"),)),
        Send(people=40, via="kept", faults=((1, "not_white_ip"),)),
        SettleWrongly(),
        Send(people=40, via="kept"),
    ],
    "the answer comes after another run has taken the messages over": [
        Fate("silent"),
        Send(
            people=10,
            during=During(1, True, (Send(people=10, process="far"), SettleWrongly("far"), Send(people=10, process="far", kill=60))),
        ),
        Send(people=10),
    ],
    "a night without reports makes a verdict": [
        Fate("silent"), Send(people=60, kill=143), Wait(300_000.0), Fate("quick"),
    ],
    "a receiver that was not there makes a verdict": [
        Http(), Collect(), Send(people=60), Wait(5), Collect(drain=False),
        Send(campaign="B", people=60, faults=((1, "drop_after"),)), Send(campaign="B", people=60, first=60),
        Wait(300_000.0), Collect(), Wait(300_000.0), Collect(),
    ],
    "a receiver whose clock is ahead": [Http(), Collect(), Clock(28_800), Send(), Wait(5), Collect()],
    "the clock is set in the middle of a receiver's day": [Http(), Collect(), Send(during=During(actions=(Clock(3_456_000.0),))), Collect()],
    "the clock is set between two requests that were claimed together": [
        Send(workers=3, during=During(actions=(Clock(3_456_000.0),))), Send(people=40, budget=15, hold=True),
    ],
    "a batch is as silent as another among those that are heard of": [
        Send(people=30), Fate("silent"), Send(first=30, people=30, faults=((2, "drop_after"), (3, "drop_after"))), Fate(),
        Send(first=60), Wait(2), Collect(), Wait(300_000.0),
    ],
    "a cap has room again by the user's word": [
        Send(people=3, faults=((1, "garbage"),)), Send(campaign="B", cap=1, during=During(actions=(SettleWrongly("q"),))),
    ],
    "a budget is counted on another day than the clock's": [
        Clock(3_456_000.0), Send(), Send(campaign="B", budget=4, hold=True),
    ],
    "the clock is set while a request is under way": [
        Fate("slow"), Send(during=During(request=2, actions=(Clock(3_456_000.0),))),
    ],
    "killed before any step": [Send(kill=30), Send(kill=50), Send(kill=70), Send()],
}  # fmt: skip
