"""The plan: what will be sent, in which requests, and what was left out. Frozen: what it shows is what is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.clock import SystemClock
from masanalytics.i18n import counted, resolve_language
from masanalytics.planning.batching import Limits
from masanalytics.planning.content_checks import PlanWarning
from masanalytics.planning.texts import Texts
from masanalytics.segments import bracketed
from masanalytics.sheets import write_sheet
from masanalytics.vocabulary import MODES

__all__ = ["Excluded", "Plan", "PlannedBatch", "PlannedMessages"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """One request, as it will be sent.

    Attributes
    ----------
    index : int
        Its place in the plan, from 0.
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
        Parts of each message; None in ``template``, since the platform alone knows the text.
    carriers : list of int
        Positions in `masanalytics.vocabulary.CARRIERS`.
    regions : list of (province, city)
        Empty texts where they are not known.
    variants : list of int
        0, or what tells several texts to one number apart.
    arm : str or None
        The arm of a comparison.
    add_serial : str or None
        The extension of the service code; None for the account's own.
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
    variants: list[int]
    arm: str | None
    add_serial: str | None

    def __len__(self) -> int:
        return len(self.phones)

    def __repr__(self) -> str:
        return f"PlannedBatch({self.index}, {self.mode!r}, {counted(len(self), 'number')})"


@dataclass(frozen=True, slots=True, repr=False)
class PlannedMessages:
    """The messages in the order they are sent in; `starts` says where each request begins, and where the last ends."""

    rows: Ints
    numbers: Ints
    segments: npt.NDArray[np.int32] | None
    carriers: npt.NDArray[np.int8]
    places: npt.NDArray[np.int16]
    place_names: tuple[tuple[str, str], ...]
    variants: Ints | None
    contents: Texts | None
    params: Texts | None
    starts: Ints
    modes: npt.NDArray[np.int8]
    batch_arms: tuple[str | None, ...]
    examples: tuple[int, ...]
    labels: pd.Index[Any]

    def __repr__(self) -> str:
        return f"PlannedMessages({counted(len(self.numbers), 'number')}, {counted(len(self.starts) - 1, 'request')})"

    def first_text(self, texts: Texts | None, batch: int) -> str | None:
        """Return the first of `texts` in a request: the only one, where the request has one for all."""
        start = int(self.starts[batch])
        return None if texts is None else texts.render(start, start + 1)[0]


@dataclass(frozen=True, slots=True, repr=False)
class Excluded:
    """The rows left out: where they stood, the number as it was found, why, and the parts that this saves."""

    rows: Ints
    phones: npt.NDArray[np.object_]
    reasons: npt.NDArray[np.int8]
    segments: npt.NDArray[np.int32] | None
    labels: pd.Index[Any]

    def __repr__(self) -> str:
        return f"Excluded({counted(len(self.rows), 'row')})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan:
    """What a campaign will send, made by `masanalytics.plan`.

    Show it as the last line of a cell. Nothing about it can change: every property that is a frame is a copy.

    Attributes
    ----------
    campaign : str
        Under this name a number gets a message at most once.
    occasion : int
        Which round of the campaign this is: 0 unless it is repeated on purpose.
    rows : int
        Rows of the frame it was made from: planned and excluded together.
    template_id : str or None
        The platform's template, where one is used.
    signature : str
        What phones show in front of the text, in 【】; empty where it is not known.
    add_serial : str, mapping from arm to str, or None
        The extension of the service code; None for the account's own.
    price : float or None
        Price of a segment.
    rate : float or None
        Messages a second it will be sent at, where that was said.
    seconds : float
        An estimate of how long sending takes: the longer of what `rate` and `Limits.requests_per_second` make of it.
    limits : Limits
        The sizes of requests.
    warnings : tuple of PlanWarning
        What should be looked at; none of it hinders sending.
    """

    campaign: str
    occasion: int
    rows: int
    template_id: str | None
    signature: str
    add_serial: str | Mapping[str, str] | None
    price: float | None
    rate: float | None
    seconds: float
    limits: Limits
    warnings: tuple[PlanWarning, ...]
    _sent: PlannedMessages
    _left: Excluded
    _memo: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many messages will be sent."""
        return len(self._sent.rows)

    @property
    def planned(self) -> PlannedMessages:
        """The messages as arrays, read-only; `messages` has them as a frame."""
        return self._sent

    @property
    def left_out(self) -> Excluded:
        """The rows left out as arrays, read-only; `excluded` has them as a frame."""
        return self._left

    @property
    def requests(self) -> int:
        """How many requests carry the messages."""
        return len(self._sent.modes)

    @property
    def segments(self) -> int | None:
        """How many parts are billed; None for a template, whose text only the platform knows."""
        counts = self._sent.segments
        return None if counts is None else int(counts.sum())

    @property
    def cost(self) -> float | None:
        """`segments` × `price`; None where either is not known."""
        return self.cost_of(self.segments)

    def cost_of(self, segments: int | None) -> float | None:
        """Return what so many segments cost; None where that is not known."""
        if segments is None or self.price is None:
            return None
        return float(Decimal(str(self.price)) * segments)

    @property
    def messages(self) -> pd.DataFrame:
        """The planned messages, in the order of the rows: one row a message.

        Columns: ``row`` (index label), ``phone``, ``content`` (missing for a template), ``params`` (JSON list, missing without a
        template), ``segments`` (Int64), ``carrier``, ``province``, ``city``, ``arm``, ``variant`` (int64), ``batch`` (int64).
        """
        from masanalytics.planning import tables

        return tables.messages_table(self)

    @property
    def excluded(self) -> pd.DataFrame:
        """The rows left out, in their order; with `messages` they are all rows.

        Columns: ``row`` (index label), ``position`` (int64, from 0), ``phone`` (as it was found, missing where the cell was blank),
        ``reason`` (a key of `masanalytics.vocabulary.EXCLUSIONS`), ``meaning`` (the same in words, in the user's language).
        """
        from masanalytics.planning import tables

        return tables.excluded_table(self, resolve_language())

    @property
    def batches(self) -> pd.DataFrame:
        """The requests, in the order they are sent in.

        Columns: ``batch`` (int64), ``mode``, ``messages`` (int64), ``segments`` (Int64), ``content`` (the one text of the whole
        request, else missing), ``template_id``, ``params`` (JSON list), ``arm``.
        """
        from masanalytics.planning import tables

        return tables.batches_table(self)

    @property
    def summary(self) -> pd.DataFrame:
        """How the rows come out: ``planned``, then every reason that occurs, most frequent first.

        Columns: ``what``, ``meaning``, ``rows`` (int64), ``segments`` (Int64; of excluded rows: saved), ``cost`` (float). The rows add
        up to `rows`.
        """
        from masanalytics.planning import tables

        return tables.summary_table(self, resolve_language())

    @property
    def hash(self) -> str:
        """SHA-256 over everything that is sent, and in which requests. Equal plans have equal hashes."""
        if "hash" not in self._memo:
            digest = hashlib.sha256(_line([self.campaign, self.occasion, self.template_id]))
            for batch in self.iter_batches():
                body = batch.params_text if batch.mode == "template" else batch.content or batch.contents
                digest.update(_line([batch.mode, batch.arm, batch.add_serial, body, batch.phones]))
            self._memo["hash"] = digest.hexdigest()
        return self._memo["hash"]

    def iter_batches(self) -> Iterator[PlannedBatch]:
        """Yield the requests in order, each written out when it is asked for."""
        return map(self.batch, range(self.requests))

    def batch(self, index: int) -> PlannedBatch:
        """Return request number `index`, from 0."""
        if not 0 <= index < self.requests:
            raise IndexError(f"the plan has no batch {index}: it has {self.requests}")
        sent = self._sent
        part = slice(int(sent.starts[index]), int(sent.starts[index + 1]))
        size = part.stop - part.start
        mode, arm = MODES[sent.modes[index]], sent.batch_arms[index]
        shared = mode == "many_to_many"
        params_text = sent.first_text(sent.params, index)
        serial = self.add_serial if self.add_serial is None or isinstance(self.add_serial, str) else None
        if isinstance(self.add_serial, Mapping):
            serial = self.add_serial.get(arm or "")
        return PlannedBatch(
            index=index,
            mode=mode,
            phones=list(map(str, sent.numbers[part].tolist())),
            contents=sent.contents.render(part.start, part.stop) if shared and sent.contents is not None else None,
            content=None if shared else sent.first_text(sent.contents, index),
            template_id=self.template_id,
            params=None if params_text is None else tuple(json.loads(params_text)),
            params_text=params_text,
            segments=[None] * size if sent.segments is None else sent.segments[part].tolist(),
            carriers=sent.carriers[part].tolist(),
            regions=[sent.place_names[code] for code in sent.places[part].tolist()],
            variants=[0] * size if sent.variants is None else sent.variants[part].tolist(),
            arm=arm,
            add_serial=serial,
        )

    def shown(self, place: int) -> str:
        """Return message number `place`, in sending order, as the phone will show it; of a template, its parameters."""
        sent = self._sent
        if sent.contents is not None:
            return bracketed(self.signature) + sent.contents.render(place, place + 1)[0]
        params = "" if sent.params is None else sent.params.render(place, place + 1)[0]
        return f"{self.template_id} {params}"

    def sample(self, n: int = 5, *, seed: int = 0) -> pd.DataFrame:
        """Return some messages as phones will show them, drawn at random and again the same for the same `seed`.

        Returns
        -------
        DataFrame
            ``row`` (index label), ``phone`` (masked), ``shown`` (with the signature; a template's parameters), ``segments``.
        """
        from masanalytics.planning import tables

        return tables.sample_table(self, n, seed)

    def excluded_to_excel(self, path: str | Path, *, language: str | None = None) -> Path:
        """Write the rows left out to ``.xlsx`` (or ``.csv``), to be given back to whoever owns the sheet; return the path."""
        from masanalytics.planning import tables

        spoken = resolve_language(language)
        frame = tables.excluded_table(self, spoken)
        if spoken == "zh":
            frame.columns = pd.Index(["行", "位置", "号码", "原因代码", "原因"])
        return write_sheet(frame, path, sheet="excluded")

    def text(self, language: str | None = None, *, now: float | None = None) -> str:
        """Return the plan as plain text, phones masked; with `now` (epoch seconds) also when sending would end."""
        from masanalytics.planning.show import as_text

        return as_text(self, resolve_language(language), now)

    def html(self, language: str | None = None, *, now: float | None = None) -> str:
        """Return the plan as HTML, phones masked; with `now` (epoch seconds) also when sending would end."""
        from masanalytics.planning.show import as_html

        return as_html(self, resolve_language(language), now)

    def __repr__(self) -> str:
        return self.text(now=SystemClock().now())

    def _repr_html_(self) -> str:
        return self.html(now=SystemClock().now())


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
