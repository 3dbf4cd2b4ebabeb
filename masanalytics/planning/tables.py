"""A plan's frames, made anew each time they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.carriers import place_names
from masanalytics.i18n import Language, Text
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.phones import REASONS
from masanalytics.vocabulary import CARRIERS, EXCLUSIONS, MODES

if TYPE_CHECKING:
    from masanalytics.planning.planned import Plan
    from masanalytics.planning.texts import Texts

__all__ = ["batches_table", "excluded_table", "messages_table", "sample_table", "summary_table"]


def messages_table(plan: Plan) -> pd.DataFrame:
    """Return `Plan.messages`."""
    sent = plan.planned
    order = np.argsort(sent.rows, kind="stable")
    batch = np.repeat(np.arange(plan.requests), np.diff(sent.starts))[order]
    variants = np.zeros(len(plan), dtype=np.int64) if sent.variants is None else sent.variants[order]
    segments = [pd.NA] * len(plan) if sent.segments is None else sent.segments[order]
    return pd.DataFrame(
        {
            "row": _labels(sent.labels, order),
            "phone": _text(list(map(str, sent.numbers[order].tolist()))),
            "content": _texts(sent.contents, order),
            "params": _texts(sent.params, order),
            "segments": pd.array(segments, dtype="Int64"),
            "carrier": _named(CARRIERS, sent.carriers[order]),
            "province": _text(place_names(sent.places[order], sent.place_names, 0).tolist()),
            "city": _text(place_names(sent.places[order], sent.place_names, 1).tolist()),
            "arm": _named(sent.batch_arms, batch),
            "variant": variants,
            "batch": batch,
        }
    )


def excluded_table(plan: Plan, language: Language) -> pd.DataFrame:
    """Return `Plan.excluded`."""
    left = plan.left_out
    meanings = [Text(words).text(language) for words in EXCLUSIONS.values()]
    return pd.DataFrame(
        {
            "row": _labels(left.labels, np.arange(len(left.rows))),
            "position": left.rows.copy(),
            "phone": _text(left.phones),
            "reason": _named(REASONS, left.reasons),
            "meaning": _named(meanings, left.reasons),
        }
    )


def batches_table(plan: Plan) -> pd.DataFrame:
    """Return `Plan.batches`."""
    sent = plan.planned
    single = [MODES[mode] in ("one_to_one", "many_to_one") for mode in sent.modes.tolist()]
    contents = [sent.first_text(sent.contents, batch) if one else None for batch, one in enumerate(single)]
    if sent.segments is None:
        totals: Any = [pd.NA] * plan.requests
    else:
        totals = np.diff(np.append(0, np.cumsum(sent.segments, dtype=np.int64))[sent.starts])
    return pd.DataFrame(
        {
            "batch": np.arange(plan.requests),
            "mode": _named(MODES, sent.modes),
            "messages": np.diff(sent.starts),
            "segments": pd.array(totals, dtype="Int64"),
            "content": _text(contents),
            "template_id": _text([plan.template_id] * plan.requests),
            "params": _text([sent.first_text(sent.params, batch) for batch in range(plan.requests)]),
            "arm": _text(list(sent.batch_arms)),
        }
    )


def summary_table(plan: Plan, language: Language) -> pd.DataFrame:
    """Return `Plan.summary`."""
    left, column = plan.left_out, int(language == "zh")
    lines: list[tuple[str, str, int, int | None]] = [
        ("planned", ("will be sent", "将发送")[column], len(plan), plan.segments)
    ]
    counts = np.bincount(left.reasons, minlength=len(REASONS))
    for code in sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], code)):
        saved = None if left.segments is None else int(left.segments[left.reasons == code].sum())
        lines.append((REASONS[code], Text(EXCLUSIONS[REASONS[code]]).text(language), int(counts[code]), saved))
    what, meaning, rows, segments = (list(values) for values in zip(*lines, strict=True))
    costs = [plan.cost_of(line[3]) for line in lines]
    return pd.DataFrame(
        {
            "what": _text(what),
            "meaning": _text(meaning),
            "rows": np.array(rows, dtype=np.int64),
            "segments": pd.array([pd.NA if count is None else count for count in segments], dtype="Int64"),
            "cost": np.array([np.nan if cost is None else cost for cost in costs], dtype=np.float64),
        }
    )


def sample_table(plan: Plan, n: int, seed: int) -> pd.DataFrame:
    """Return `Plan.sample`."""
    sent = plan.planned
    drawn = np.random.default_rng(seed).permutation(len(plan))[:n]
    places = drawn[np.argsort(sent.rows[drawn], kind="stable")]
    segments = [pd.NA] * len(places) if sent.segments is None else sent.segments[places]
    return pd.DataFrame(
        {
            "row": _labels(sent.labels, places),
            "phone": _text([mask_phone(number) for number in sent.numbers[places].tolist()]),
            "shown": _text([mask_phones_in(plan.shown(place)) for place in places.tolist()]),
            "segments": pd.array(segments, dtype="Int64"),
        }
    )


def _labels(labels: pd.Index[Any], order: npt.NDArray[np.int64]) -> Any:
    taken = labels.take(order)
    return taken.to_flat_index() if isinstance(taken, pd.MultiIndex) else taken


def _text(values: Any) -> Any:
    return pd.array(values, dtype="str")


def _named(names: Any, codes: npt.NDArray[Any]) -> Any:
    table = np.empty(len(names), dtype=object)
    table[:] = list(names)
    return _text(table[codes])


def _texts(texts: Texts | None, order: npt.NDArray[np.int64]) -> Any:
    if texts is None:
        return _text([None] * len(order))
    return _text([text for _, part in texts.take(order).rendered() for text in part])
