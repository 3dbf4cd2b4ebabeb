"""The rows of a plan, planned and left out: as arrays, as requests and as frames, which are made anew when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers
from masanalytics.carriers import carriers_of, place_names
from masanalytics.i18n import _, ngettext
from masanalytics.phones import REASONS, cell_text
from masanalytics.planning.contact_caps import CappedRows
from masanalytics.planning.encoded_text import EncodedText
from masanalytics.planning.kept_columns import KeptColumns
from masanalytics.vocabulary import CARRIERS, EXCLUSIONS, MODES

__all__ = [
    "Excluded",
    "PlannedBatch",
    "PlannedMessages",
    "batches_frame",
    "excluded_frame",
    "in_parts",
    "messages_frame",
]


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """One request, as it will be sent.

    Attributes
    ----------
    index : int
        Its position in the plan, from 0.
    mode : str
        ``one_to_one``, ``many_to_one``, ``many_to_many`` or ``template``.
    phones : list of str
        Eleven digits each, none twice.
    contents : list of str or None
        The text of each number, in ``many_to_many``.
    content : str or None
        The one text of all, in ``one_to_one`` and ``many_to_one``.
    template_id, params : str or None, tuple of str or None
        The template and its parameters, in ``template``.
    params_text : str or None
        `params` as compact JSON.
    segments : list of (int or None)
        Segments of each message; None in ``template``, since the platform alone knows the text.
    carriers : list of int
        Positions in `masanalytics.vocabulary.CARRIERS`.
    regions : list of (province, city)
        Empty texts where they are not known.
    keys : list of str
        What tells several messages to one number apart; empty where a number gets one.
    arm : str or None
        The arm of a comparison.
    add_serial : str or None
        The extension of the service code; None for the account's own.
    kept : list of str
        What each number has in the user's own columns, as a JSON object; empty where nothing is kept.
    """

    index: int
    mode: str
    phones: list[str]
    contents: list[str] | None
    content: str | None
    template_id: str | None
    params: tuple[str, ...] | None
    params_text: str | None
    segments: list[int | None]
    carriers: list[int]
    regions: list[tuple[str, str]]
    keys: list[str]
    arm: str | None
    add_serial: str | None
    kept: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.phones)

    def __repr__(self) -> str:
        numbers = ngettext("{count:,} number", "{count:,} numbers", len(self))
        return f"PlannedBatch({self.index}, {self.mode!r}, {numbers})"

    def only(self, places: Sequence[int]) -> PlannedBatch:
        """Return the same request with the messages at these places alone."""
        return replace(
            self,
            phones=[self.phones[place] for place in places],
            contents=None if self.contents is None else [self.contents[place] for place in places],
            segments=[self.segments[place] for place in places],
            carriers=[self.carriers[place] for place in places],
            regions=[self.regions[place] for place in places],
            keys=[self.keys[place] for place in places],
            kept=[self.kept[place] for place in places] if self.kept else [],
        )

    def first_to(self, phones: list[str], key: str) -> PlannedBatch:
        """Return a request that brings the first message of this one to other numbers, under a key of its own."""
        text = self.contents[0] if self.content is None and self.contents else self.content
        return replace(
            self,
            mode="template" if self.template_id is not None else "one_to_one" if len(phones) == 1 else "many_to_one",
            phones=phones,
            contents=None,
            content=text,
            segments=self.segments[:1] * len(phones),
            carriers=carriers_of(phones).codes.tolist(),
            regions=[("", "")] * len(phones),
            keys=[key] * len(phones),
            kept=[],
        )


@dataclass(frozen=True, slots=True, repr=False)
class PlannedMessages:
    """The messages in the order they are sent in; `starts` says where each request begins, and where the last ends."""

    rows: Numbers
    numbers: Numbers
    segments: npt.NDArray[np.int32] | None
    carriers: npt.NDArray[np.int8]
    places: npt.NDArray[np.int16]
    place_names: tuple[tuple[str, str], ...]
    keys: npt.NDArray[np.object_] | None
    kept: KeptColumns | None
    contents: EncodedText | None
    params: EncodedText | None
    starts: Numbers
    modes: npt.NDArray[np.int8]
    batch_arms: tuple[str | None, ...]
    examples: tuple[int, ...]
    labels: pd.Index[Any]
    shown: EncodedText | None = None
    template_text: str | None = None

    def __post_init__(self) -> None:
        _make_read_only(self)

    def __repr__(self) -> str:
        numbers = ngettext("{count:,} number", "{count:,} numbers", len(self.numbers))
        requests = ngettext("{count:,} request", "{count:,} requests", len(self.starts) - 1)
        return f"PlannedMessages({numbers}, {requests})"

    @property
    def texts(self) -> EncodedText:
        """The text of each message, or the parameters of the platform's template."""
        texts = self.params if self.contents is None else self.contents
        assert texts is not None  # noqa: S101 - a plan has the one or the other
        return texts

    def arms_of_messages(self) -> npt.NDArray[np.object_] | None:
        """Return the arm of each message, in the order of `rows`; None where there are no arms."""
        if not any(arm is not None for arm in self.batch_arms):
            return None
        names = np.array([arm or "" for arm in self.batch_arms], dtype=object)
        return names[np.repeat(np.arange(len(self.modes)), np.diff(self.starts))]

    def first_text(self, texts: EncodedText | None, batch: int) -> str | None:
        """Return the first of `texts` in a request: the only one, where the request has one for all."""
        start = int(self.starts[batch])
        return None if texts is None else texts.render(start, start + 1)[0]

    def batch(
        self, index: int, *, template_id: str | None = None, add_serial: str | Mapping[str, str] | None = None
    ) -> PlannedBatch:
        """Return request number `index`, from 0, written out; `add_serial` is one for all, or for each arm its own."""
        part = slice(int(self.starts[index]), int(self.starts[index + 1]))
        size = part.stop - part.start
        mode, arm = MODES[self.modes[index]], self.batch_arms[index]
        shared = mode == "many_to_many"
        params_text = self.first_text(self.params, index)
        return PlannedBatch(
            index=index,
            mode=mode,
            phones=list(map(str, self.numbers[part].tolist())),
            contents=self.contents.render(part.start, part.stop) if shared and self.contents is not None else None,
            content=None if shared else self.first_text(self.contents, index),
            template_id=template_id,
            params=None if params_text is None else tuple(json.loads(params_text)),
            params_text=params_text,
            segments=[None] * size if self.segments is None else self.segments[part].tolist(),
            carriers=self.carriers[part].tolist(),
            regions=[self.place_names[code] for code in self.places[part].tolist()],
            keys=[""] * size if self.keys is None else self.keys[part].tolist(),
            arm=arm,
            add_serial=add_serial.get(arm or "") if isinstance(add_serial, Mapping) else add_serial,
            kept=[] if self.kept is None else self.kept.between(part),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Excluded:
    """The rows left out: where they stood, the cell as it was found, why, and the segments that this saves.

    `sent_numbers` and `sent_keys` are those of the rows left out as sent already, `capped_numbers` and `capped_keys` those of the rows
    over the cap: both may turn out to be otherwise.
    """

    rows: Numbers
    cells: npt.NDArray[np.object_]
    reasons: npt.NDArray[np.int8]
    segments: npt.NDArray[np.int32] | None
    labels: pd.Index[Any]
    sent_numbers: Numbers
    sent_keys: npt.NDArray[np.object_] | None
    capped_numbers: Numbers
    capped_keys: npt.NDArray[np.object_] | None
    last_campaigns: npt.NDArray[np.object_] | None = None
    last_times: npt.NDArray[np.object_] | None = None

    @classmethod
    def of(
        cls,
        cells: pd.Series[Any],
        reasons: npt.NDArray[np.int8],
        segments: npt.NDArray[np.int32] | None,
        labels: pd.Index[Any],
        numbers: Numbers,
        keys: npt.NDArray[np.object_] | None,
    ) -> Excluded:
        """Return the rows of a sheet that have a reason, from what is known of every row."""
        rows = np.flatnonzero(reasons >= 0)
        sent, capped = (np.flatnonzero(reasons == REASONS.index(why)) for why in ("already_sent", "over_cap"))
        return cls(
            rows=rows,
            cells=cells.iloc[rows].astype(object).to_numpy(),
            reasons=reasons[rows],
            segments=None if segments is None else segments[rows],
            labels=labels.take(rows),
            sent_numbers=numbers[sent],
            sent_keys=None if keys is None else keys[sent],
            capped_numbers=numbers[capped],
            capped_keys=None if keys is None else keys[capped],
        )

    def already_sent(self) -> Iterator[tuple[list[str], list[str] | None]]:
        """Yield the numbers left out as sent already, and their keys where there are any, some at a time."""
        return in_parts(self.sent_numbers, self.sent_keys)

    def over_cap(self) -> Iterator[tuple[list[str], list[str] | None]]:
        """Yield the numbers left out as over the cap, and their keys where there are any, some at a time."""
        return in_parts(self.capped_numbers, self.capped_keys)

    def counts(self) -> dict[str, int]:
        """Return reason -> how many rows, the commonest first, of what nothing else tells: sent already, and silent arms, aside."""
        counts = np.bincount(self.reasons, minlength=len(REASONS))
        found = [(reason, int(count)) for reason, count in zip(REASONS, counts, strict=True) if count]
        told = ("already_sent", "held_out")
        return {reason: count for reason, count in sorted(found, key=lambda one: -one[1]) if reason not in told}

    def with_last(self, capped: CappedRows) -> Excluded:
        """Return the same with what people over the cap got last, and when."""
        at = np.searchsorted(self.rows, capped.rows)
        campaigns, times = np.full((2, len(self.rows)), None, dtype=object)
        campaigns[at], times[at] = capped.last_campaigns, capped.last_times
        return replace(self, last_campaigns=campaigns, last_times=times)

    def __post_init__(self) -> None:
        _make_read_only(self)

    def __repr__(self) -> str:
        return f"Excluded({ngettext('{count:,} row', '{count:,} rows', len(self.rows))})"


def in_parts(
    numbers: Numbers, keys: npt.NDArray[np.object_] | None, at_once: int = 100_000
) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield numbers as text, and their keys where there are any, so many at once."""
    for start in range(0, len(numbers), at_once):
        part = slice(start, start + at_once)
        yield list(map(str, numbers[part].tolist())), None if keys is None else keys[part].tolist()


def _make_read_only(parts: object) -> None:
    """Make every array in a dataclass, and in the dataclasses it holds, read-only."""
    if not is_dataclass(parts):
        return
    for one in fields(parts):
        value = getattr(parts, one.name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        elif isinstance(value, tuple) or is_dataclass(value):
            for inner in value if isinstance(value, tuple) else (value,):
                _make_read_only(inner)


def messages_frame(planned: PlannedMessages) -> pd.DataFrame:
    """Return the frame that `Plan.messages` describes."""
    order = np.argsort(planned.rows, kind="stable")
    batch = np.repeat(np.arange(len(planned.modes)), np.diff(planned.starts))[order]
    keys = [None] * len(order) if planned.keys is None else planned.keys[order].tolist()
    segments = [pd.NA] * len(order) if planned.segments is None else planned.segments[order]
    places = planned.places[order]
    return pd.DataFrame(
        {
            "row": row_labels(planned.labels, order),
            "phone": as_str(list(map(str, planned.numbers[order].tolist()))),
            "content": _written_out(planned.contents or planned.shown, order),
            "params": _written_out(planned.params, order),
            "segments": pd.array(segments, dtype="Int64"),
            "carrier": _named(CARRIERS, planned.carriers[order]),
            "province": as_str(place_names(places, planned.place_names, 0).tolist()),
            "city": as_str(place_names(places, planned.place_names, 1).tolist()),
            "arm": _named(planned.batch_arms, batch),
            "key": as_str(keys),
            "batch": batch,
        }
    )


def excluded_frame(excluded: Excluded) -> pd.DataFrame:
    """Return the frame that `Plan.excluded` describes."""
    nothing = np.full(len(excluded.rows), None, dtype=object)
    campaigns = nothing if excluded.last_campaigns is None else excluded.last_campaigns
    times = pd.Series(nothing if excluded.last_times is None else excluded.last_times, dtype="Int64")
    return pd.DataFrame(
        {
            "row": row_labels(excluded.labels, np.arange(len(excluded.rows))),
            "position": excluded.rows.copy(),
            "phone": as_str(list(map(cell_text, excluded.cells.tolist()))),
            "reason": _named(REASONS, excluded.reasons),
            "meaning": _named([_(words) for words in EXCLUSIONS.values()], excluded.reasons),
            "last_campaign": as_str(campaigns.tolist()),
            "last_sent_at": pd.to_datetime(times, unit="s", utc=True).dt.tz_convert("Asia/Shanghai").dt.as_unit("s"),
        }
    )


def batches_frame(planned: PlannedMessages, template_id: str | None) -> pd.DataFrame:
    """Return the frame that `Plan.batches` describes."""
    count = len(planned.modes)
    one_text = [MODES[mode] in ("one_to_one", "many_to_one") for mode in planned.modes.tolist()]
    contents = [planned.first_text(planned.contents, batch) if one else None for batch, one in enumerate(one_text)]
    if planned.segments is None:
        totals: Any = [pd.NA] * count
    else:
        totals = np.diff(np.append(0, np.cumsum(planned.segments, dtype=np.int64))[planned.starts])
    return pd.DataFrame(
        {
            "batch": np.arange(count),
            "mode": _named(MODES, planned.modes),
            "messages": np.diff(planned.starts),
            "segments": pd.array(totals, dtype="Int64"),
            "content": as_str(contents),
            "template_id": as_str([template_id] * count),
            "params": as_str([planned.first_text(planned.params, batch) for batch in range(count)]),
            "arm": as_str(list(planned.batch_arms)),
        }
    )


def row_labels(labels: pd.Index[Any], order: Numbers) -> Any:
    """Return the index labels at these positions as the values of one column."""
    taken = labels.take(order)
    return taken.to_flat_index() if isinstance(taken, pd.MultiIndex) else taken


def as_str(values: Any) -> Any:
    """Return texts as a frame keeps them, None as missing."""
    return pd.array(values, dtype="str")


def _named(names: Sequence[str | None], codes: npt.NDArray[Any]) -> Any:
    table = np.empty(len(names), dtype=object)
    table[:] = list(names)
    return as_str(table[codes])


def _written_out(texts: EncodedText | None, order: Numbers) -> Any:
    if texts is None:
        return as_str([None] * len(order))
    return as_str([text for _start, chunk in texts.take(order).rendered() for text in chunk])
