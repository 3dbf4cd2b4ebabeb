"""Making a failing history short, and printing it as a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from tests.histories.actions import Action, Collect, During, Send
from tests.histories.world import Violation, replay

__all__ = ["script", "shrink"]

_TRIES = 250
_PLAIN_PEOPLE = (6, 10, 20)


def shrink(actions: Sequence[Action], violation: Violation) -> list[Action]:
    """Return the shortest history found that shows the same violation: actions dropped, and each made plainer."""
    best = list(actions)
    tries = 0
    smaller = True
    while smaller and tries < _TRIES:
        smaller = False
        for candidate in _plainer(best):
            tries += 1
            found = replay(candidate)
            if found and found[0].name == violation.name:
                best, smaller = candidate, True
                break
            if tries >= _TRIES:
                break
    return best


def _plainer(actions: list[Action]) -> Iterator[list[Action]]:
    for position in range(len(actions) - 1, -1, -1):
        yield actions[:position] + actions[position + 1 :]
    for position, action in enumerate(actions):
        for plain in _plainer_action(action):
            yield [*actions[:position], plain, *actions[position + 1 :]]


def _plainer_action(action: Action) -> Iterator[Action]:
    if not isinstance(action, (Send, Collect)):
        return
    for one in fields(action):
        value: Any = getattr(action, one.name)
        if value == one.default:
            continue
        plainer: dict[str, Any] = {one.name: one.default}
        yield replace(action, **plainer)
        if one.name == "faults" and len(value) > 1:
            for position in range(len(value)):
                yield replace(action, faults=value[:position] + value[position + 1 :])
        if isinstance(value, During):
            for fewer in _plainer(list(value.actions)):
                if fewer:
                    yield replace(action, during=replace(value, actions=tuple(fewer)))


def script(actions: Sequence[Action], found: Sequence[Violation], seed: int | None = None) -> str:
    """Return a history as Python that plays it again."""
    lines = [f"    {action!r}," for action in actions]
    said = "".join(f"\n# {one.name}: {one.detail}" for one in found)
    origin = "" if seed is None else f"\n# seed {seed}"
    return (
        "from tests.histories.actions import *\nfrom tests.histories.world import replay\n\nprint(replay([\n"
        + "\n".join(lines)
        + "\n]))"
        + origin
        + said
    )
