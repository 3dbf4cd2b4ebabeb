"""Cutting a plan's batches into what goes first and what follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import chain

from masanalytics.planning import PlannedBatch

__all__ = ["portions"]


def portions(
    batches: Iterable[PlannedBatch], *, first: int | None, most: int | None
) -> Iterator[Iterable[PlannedBatch]]:
    """Yield the batches in one portion, or in two.

    Parameters
    ----------
    first : int, optional
        How many messages make a portion of their own, sent before the others.
    most : int, optional
        Leave out what comes after so many messages.

    Yields
    ------
    iterable of PlannedBatch
        A batch that lies on a border is cut. The second portion comes only where there is something in it.
    """
    stream = iter(batches) if most is None else iter(_take(iter(batches), most)[0])
    if first is None:
        yield stream
        return
    head, left = _take(stream, first)
    yield head
    following = next(stream, None) if left is None else left
    if following is not None:
        yield chain([following], stream)


def _take(stream: Iterator[PlannedBatch], size: int) -> tuple[list[PlannedBatch], PlannedBatch | None]:
    """Take `size` messages off the stream; return their batches, and the rest of the one on the border."""
    head: list[PlannedBatch] = []
    while size > 0:
        batch = next(stream, None)
        if batch is None:
            break
        if len(batch.phones) > size:
            return [*head, _part(batch, 0, size)], _part(batch, size, None)
        head.append(batch)
        size -= len(batch.phones)
    return head, None


def _part(batch: PlannedBatch, start: int, end: int | None) -> PlannedBatch:
    return dataclasses.replace(
        batch,
        phones=batch.phones[start:end],
        contents=None if batch.contents is None else batch.contents[start:end],
        segments=batch.segments[start:end],
        carriers=batch.carriers[start:end],
        regions=batch.regions[start:end],
        variants=batch.variants[start:end],
    )
