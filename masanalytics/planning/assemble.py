"""The steps of planning, from checked arguments to a plan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.carriers import carrier_codes, load_regions, region_codes
from masanalytics.errors import InputError
from masanalytics.i18n import counted
from masanalytics.phones import cell_text, parse_phones
from masanalytics.planning.batching import Cut, Limits, cut_contents, cut_templates, interleave
from masanalytics.planning.columns import find_column
from masanalytics.planning.compose import Composed, Wording, compose
from masanalytics.planning.content_checks import PlanWarning, lint
from masanalytics.planning.exclusions import Exclusion, listed_numbers, variants_of
from masanalytics.planning.ledger import Ledger
from masanalytics.planning.planned import Excluded, Plan, PlannedMessages

__all__ = ["Terms", "assemble"]

Ints = npt.NDArray[np.int64]
_Parts = TypeVar("_Parts")
_ROUND: Final = 100_000
_ENOUGH_ROUND: Final = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked for besides the frame and the wording, checked."""

    phone: Hashable
    campaign: str
    store: Ledger | None
    signature: str
    price: float | None
    rate: float | None
    suppress: Any
    allow_only: Any
    each: bool
    again: bool
    arm: Hashable | None
    add_serial: str | Mapping[str, str] | None
    limits: Limits
    marketing: bool | None
    regions: Any


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is known of every row of the frame, sent or not."""

    index: pd.Index[Any]
    exclusion: Exclusion
    composed: Composed
    arms: npt.NDArray[np.object_] | None
    variants: Ints | None
    units: Ints
    segments: npt.NDArray[np.int32] | None


def assemble(frame: pd.DataFrame, wording: Wording, terms: Terms) -> Plan:
    """Plan the rows of `frame`, which holds every column that `wording` and `terms` name."""
    column = frame[find_column(frame.columns, terms.phone)]
    arms = _arms(frame, terms)
    composed = compose(frame, wording, arms)
    exclusion = Exclusion(*parse_phones(column))
    occasion = 0 if terms.store is None else int(terms.store.open_round(terms.campaign, terms.again))
    variants, notes = _exclude(exclusion, composed, wording.template_id, terms, occasion)
    units, segments = _measure(composed, terms.signature)
    rows = _Rows(frame.index, exclusion, composed, arms, variants, units, segments)
    sent = _arrange(rows, terms)
    notes += [_round_numbers(exclusion.numbers, column)]
    if sent.contents is not None:
        notes = [*lint(sent.contents, units[sent.rows], marketing=terms.marketing), *notes]
        notes += [] if terms.signature else [_no_signature(len(sent.rows))]
    by_requests = len(sent.modes) / terms.limits.requests_per_second
    return Plan(
        campaign=terms.campaign,
        occasion=occasion,
        rows=len(frame),
        template_id=wording.template_id,
        signature=terms.signature,
        add_serial=terms.add_serial,
        price=terms.price,
        rate=terms.rate,
        seconds=max(by_requests, len(sent.rows) / terms.rate if terms.rate else 0.0),
        limits=terms.limits,
        warnings=tuple(note for note in notes if note.rows),
        _sent=_frozen(sent),
        _left=_frozen(_left_out(rows, column)),
    )


def _arms(frame: pd.DataFrame, terms: Terms) -> npt.NDArray[np.object_] | None:
    """Return the arm of each row as text, None where it has none; check that each has its extension."""
    arms = None
    if terms.arm is not None:
        codes, values = pd.factorize(frame[find_column(frame.columns, terms.arm)].astype(object))
        table = np.empty(len(values) + 1, dtype=object)
        table[: len(values)] = [cell_text(value) for value in values]
        arms = table[codes]
    if isinstance(terms.add_serial, Mapping):
        without = {None} if arms is None else set(arms.tolist()) - set(terms.add_serial)
        if without:
            listed = ", ".join(sorted(map(repr, without)))
            raise InputError(
                f"add_serial= is given by arm, but not for {listed}", zh=f"add_serial= 按组给出，但缺少：{listed}"
            )
    return arms


def _exclude(
    exclusion: Exclusion, composed: Composed, template_id: str | None, terms: Terms, occasion: int
) -> tuple[Ints | None, list[PlanWarning]]:
    """Leave rows out, in the order that `masanalytics.planning.exclusions` states; return variants and warnings."""
    unread = 0
    if terms.store is not None:
        exclusion.opted_out(terms.store)
    if terms.suppress is not None:
        numbers, unread = listed_numbers(terms.suppress, terms.phone)
        exclusion.listed(numbers, "suppressed", inside=True)
    if terms.allow_only is not None:
        exclusion.listed(listed_numbers(terms.allow_only, terms.phone)[0], "not_allowed", inside=False)
    exclusion.unwritable(composed)
    variants = None
    texts = composed.contents if composed.contents is not None else composed.params
    if terms.each and texts is not None:
        variants = variants_of(texts, exclusion.left(), template_id)
    exclusion.duplicates(variants)
    if terms.store is not None:
        exclusion.already_sent(terms.store, terms.campaign, occasion, variants)
    return variants, [_unreadable(unread)]


def _measure(composed: Composed, signature: str) -> tuple[Ints, npt.NDArray[np.int32] | None]:
    """Return UTF-16 units and parts of each row's text (0 where it has none); no parts for a template."""
    units = np.zeros(len(composed.problems), dtype=np.int64)
    if composed.contents is None:
        return units, None
    whole = np.flatnonzero(composed.problems < 0)
    texts = composed.contents if len(whole) == len(units) else composed.contents.take(whole)
    segments = np.zeros(len(units), dtype=np.int32)
    units[whole] = texts.units(signature)
    segments[whole] = texts.segments(units[whole], signature)
    return units, segments


def _arrange(rows: _Rows, terms: Terms) -> PlannedMessages:
    """Bring the rows that are left into requests."""
    left = rows.exclusion.left()
    numbers = rows.exclusion.numbers[left]
    texts = rows.composed.contents if rows.composed.contents is not None else rows.composed.params
    groups = np.zeros(0, dtype=np.int64) if texts is None else texts.take(left).groups()
    cut, batch_arms = _cut(groups, numbers, None if rows.arms is None else rows.arms[left], rows.composed, terms.limits)
    order = left[cut.order]
    numbers = numbers[cut.order]
    regions = load_regions(terms.regions)
    units = rows.units[order]
    examples = [int(np.argmin(order)), int(np.argmin(units)), int(np.argmax(units))] if len(order) else []
    return PlannedMessages(
        rows=order,
        numbers=numbers,
        segments=None if rows.segments is None else rows.segments[order],
        carriers=carrier_codes(numbers),
        places=region_codes(numbers, regions),
        place_names=regions.places,
        variants=None if rows.variants is None else rows.variants[order],
        contents=None if rows.composed.contents is None else rows.composed.contents.take(order),
        params=None if rows.composed.params is None else rows.composed.params.take(order),
        starts=cut.starts,
        modes=cut.modes,
        batch_arms=batch_arms,
        examples=tuple(examples),
        labels=rows.index.take(order),
    )


def _cut(
    groups: Ints, numbers: Ints, arms: npt.NDArray[np.object_] | None, composed: Composed, limits: Limits
) -> tuple[Cut, tuple[str | None, ...]]:
    """Cut each arm's messages into requests, and let the arms alternate."""
    names: list[str | None] = [None]
    members = [np.arange(len(groups))] if len(groups) else []
    if arms is not None:
        codes, found = pd.factorize(arms, use_na_sentinel=False)
        names = [None if name is None or name != name else str(name) for name in found]
        members = [np.flatnonzero(codes == code) for code in range(len(names))]
    cuts = []
    for rows in members:
        own = groups if len(members) == 1 else pd.factorize(groups[rows])[0]
        one = (
            cut_templates(rows, own, limits)
            if composed.contents is None
            else cut_contents(rows, own, numbers[rows], limits)
        )
        cuts.append(one)
    cut, arm_of_batch = interleave(cuts)
    return cut, tuple(names[arm] for arm in arm_of_batch.tolist())


def _left_out(rows: _Rows, column: pd.Series[Any]) -> Excluded:
    reasons = rows.exclusion.reasons
    out = np.flatnonzero(reasons >= 0)
    phones = np.empty(len(out), dtype=object)
    phones[:] = list(map(cell_text, column.iloc[out].astype(object).tolist()))
    segments = None if rows.segments is None else rows.segments[out]
    return Excluded(out, phones, reasons[out], segments, rows.index.take(out))


def _frozen(parts: _Parts) -> _Parts:
    """Make every array in `parts` read-only."""
    if is_dataclass(parts):
        for one in fields(parts):
            value = getattr(parts, one.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            elif isinstance(value, tuple) or (is_dataclass(value) and not isinstance(value, type)):
                for inner in value if isinstance(value, tuple) else (value,):
                    _frozen(inner)
    return parts


def _unreadable(count: int) -> PlanWarning:
    return PlanWarning(
        "unreadable_suppression",
        count,
        counted(
            count,
            "entry of the suppression list is no mobile number: it keeps nobody out",
            "entries of the suppression list are no mobile numbers: they keep nobody out",
        ),
        f"屏蔽名单中有 {count:,} 条不是手机号，不起作用",
    )


def _no_signature(count: int) -> PlanWarning:
    return PlanWarning(
        "signature_unknown",
        count,
        counted(count, "message is", "messages are")
        + " counted without a signature: give its text as signature= or in the account",
        f"{count:,} 条短信未计入签名：请用 signature= 或在账号中给出签名文字",
    )


def _round_numbers(numbers: Ints, column: pd.Series[Any]) -> PlanWarning:
    """Warn of too many numbers that end in 00000: of a hundred thousand, one does by chance.

    All rows count, not those that are sent to: 1.38E+10 in every row is one number and its duplicates. A column of floats is
    what a table reader makes of scientific notation, so there one such number is enough.
    """
    count = int((numbers[numbers > 0] % _ROUND == 0).sum())
    enough = 1 if pd.api.types.is_float_dtype(column.dtype) else _ENOUGH_ROUND
    count = count if count >= enough and count > 20 * len(numbers) / _ROUND else 0
    return PlanWarning(
        "round_numbers",
        count,
        f"{counted(count, 'row has', 'rows have')} a number that ends in 00000: most likely it was saved as 1.38001E+10, its last digits are lost, and"
        " a stranger would get the message. Format the column as text where the sheet comes from and save it again; read it with"
        " masanalytics.sheets.read_sheet(path) or pd.read_csv(path, dtype=str), which let such cells be left out",
        f"{count:,} 行的号码以 00000 结尾：很可能曾被存成 1.38001E+10 这样的科学计数法，末尾数字已丢失，会误发给陌生人。"
        "请在源表中把该列设为文本后重新保存，并用 masanalytics.sheets.read_sheet(path) 或 pd.read_csv(path, dtype=str) 读取，"
        "这样的单元格会被排除",
    )
