"""What a campaign brought: what people did by the user's own systems, of everybody planned, told or not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Figures, Length, Table
from masanalytics.analysis.filters import to_seconds
from masanalytics.analysis.own_events import Deeds, EventColumns, Window, deeds_of
from masanalytics.analysis.pair_rates import PairRates
from masanalytics.analysis.planned_people import HoldsSilentArms, PlannedPeople, planned_people
from masanalytics.analysis.prices import amount_of
from masanalytics.analysis.results import finished
from masanalytics.errors import InputError
from masanalytics.formatting import duration, duration_text, percent, percents
from masanalytics.i18n import Text, _, speaks
from masanalytics.near_names import named_arguments
from masanalytics.stats.means import adjusted_mean_difference
from masanalytics.stats.proportions import holm, share_p_value, wilson
from masanalytics.text import plain_name

if TYPE_CHECKING:
    import pandas as pd

    from masanalytics.store import Store

__all__ = ["UPLIFT_COLUMNS", "uplift"]

UPLIFT_COLUMNS = (
    "arm", "silent", "people", "delivered", "converted", "rate", "low", "high", "difference", "diff_low", "diff_high", "p_value",
    "p_adjusted", "detectable", "relative", "per_delivered", "per_delivered_low", "per_delivered_high", "value_per_person",
    "value_difference", "value_low", "value_high", "value_p_value", "cost", "cost_per_extra", "sentence",
)  # fmt: skip
_SIGNIFICANT = 0.05
_RATIO_LEVEL = 0.001


@named_arguments
@speaks
def uplift(
    store: Store,
    events: Table,
    *,
    phone: Hashable,
    at: Hashable,
    campaign: str,
    round: str = "",  # noqa: A002
    value: Hashable | None = None,
    within: Length = "7d",
    before: Length | None = None,
    against: str | None = None,
    price: float | None = None,
    language: str | None = None,
) -> pd.DataFrame:
    """Return how much more people did because of a campaign, as orders or visits of your own system tell.

    Everybody the round was planned for counts, whether the message arrived or not (intention to treat): those it reached are
    better customers to begin with, and would seem to be its effect.

    Parameters
    ----------
    store : Store, or Archive
        Where the round is, with the arms of a `split`.
    events : DataFrame
        pandas or polars, one row an event, such as an order; of all people, silent arms too.
    phone, at : hashable
        Its columns of the number, in any form, and of the time (China time where no zone is given; days count from the day of
        sending).
    campaign, round : str
        The campaign, and the name of its round; ``""`` is the first.
    value : hashable, optional
        A column of amounts, which are added up person by person.
    within : str, timedelta or number of seconds
        How long after the message an event counts; of people without one, after the moment when they would have got it: the
        same times as the others have.
    before : str, timedelta or number of seconds, optional
        How long before the message the events of `value` say what people spend anyway, such as ``"28d"``: their differences in amounts are taken off
        (analysis of covariance, CUPED), which makes the intervals of amounts narrower where people go on as they did. `events` has to
        reach back as far.
    against : str, optional
        The arm to compare with; by default the silent one.
    price : float, optional
        Of a segment, for ``cost``.
    language : {"en", "zh"}, optional
        Of ``sentence``; by default the user's own.

    Returns
    -------
    DataFrame
        One row an arm, that of `against` last, whose columns of differences are missing:

        - ``arm``, ``silent`` (bool: got nothing), ``people``, ``delivered``: planned for; of these a message arrived
        - ``converted, rate, low, high``: people with an event in their window; of all people, with Wilson's 95 % interval
        - ``difference, diff_low, diff_high``: rate less that of `against`, with Newcombe's interval, which for several arms holds for
          all together (Bonferroni); ``p_value`` (pooled two-proportion z-test), ``p_adjusted`` (Holm); ``detectable``: the smallest
          difference that these numbers show four times in five, NaN where no event counts; ``relative``: difference ÷ rate of `against`
        - ``per_delivered, per_delivered_low, per_delivered_high``: the difference among those reached: difference ÷ share delivered
          (Bloom 1984), with the interval of the difference so divided; where people of `against` got nothing
        - ``value_per_person``, ``value_difference, value_low, value_high``, ``value_p_value`` (not corrected): amounts of all people, those without any
          as 0, with Student's interval; NaN without `value`. With `before`, the difference among people who had spent the same
        - ``cost`` (of the accepted segments; NaN without `price`), ``cost_per_extra``: for each person more who converted, NaN where
          no difference is shown
        - ``sentence``: the row in words

        A person counts once, however many events there are. ``.attrs["notes"]``: how many events were before the message, too late,
        of people not planned for, or there twice, and whether the arms have the sizes that `split` meant.
        ``.attrs["variance_left"]``, with `before`: by arm, the share of the amounts' variance that what was before does not explain.

    Raises
    ------
    InputError
        If none of the events can be used, there is no such round or arm, somebody is in two arms, a column is missing, or an amount is no number; if `before` comes without `value`.

    Examples
    --------
    >>> import masanalytics as mas
    >>> import pandas as pd
    >>> people = mas.split(
    ...     pd.DataFrame({"p": [f"138{n:08d}" for n in range(300)]}), {"A": 2, "hold": 1}, silent=["hold"], seed=1
    ... )
    >>> with mas.Simulator(https=False) as sim, mas.Store(":memory:", clock=sim.clock) as store:
    ...     _ = mas.send(people, sim.client(), store, phone="p", text="您好", campaign="春季", progress=False)
    ...     told = people.loc[people["arm"] == "A", "p"].head(40)
    ...     orders = pd.DataFrame({"p": told, "at": pd.Timestamp(sim.clock.now() + 60, unit="s", tz="Asia/Shanghai")})
    ...     found = mas.uplift(store, orders, phone="p", at="at", campaign="春季", language="en")
    >>> found[["arm", "people", "converted"]].values.tolist()
    [['A', 200, 40], ['hold', 100, 0]]
    """
    if not isinstance(store, HoldsSilentArms):
        raise InputError("uplift needs the Store: a frame of messages does not know who got nothing")
    if before is not None and value is None:
        raise InputError("before={before!r} sharpens amounts: say value=, the column that holds them", before=before)
    price = None if price is None else amount_of(price)
    window = Window(to_seconds(within), None if before is None else to_seconds(before))
    planned = planned_people(store, plain_name(campaign), plain_name(round))
    deeds = deeds_of(events, EventColumns(phone, at, value), planned.table, window, store.clock.now())
    arms = _arms(planned, deeds)
    base = _against(arms, against)
    others = [arm for arm in arms if arm is not base]
    told = _Told(window.after, deeds.uncounted is None)
    table, left = _table(others, base, price, is_valued=value is not None, told=told)
    notes = [*_sizes_note(planned, arms), *planned.notes, *_without_events(arms), *deeds.notes]
    notes += [] if deeds.uncounted is None else [deeds.uncounted]
    notes += _sharpened(left, window.before)
    found = finished(
        table,
        store.message_source,
        where=planned.where,
        denominator="people",
        notes=notes,
        counted=table["people"].tolist(),
    )
    found.attrs |= {"within_s": window.after, "against": base.name}
    found.attrs |= {} if window.before is None else {"before_s": window.before, "variance_left": left}
    return found


@dataclass(frozen=True, eq=False)
class _Arm:
    """The people of an arm and what they did."""

    name: str
    is_silent: bool
    delivered: int
    segments: int
    converted: Booleans
    value: Figures
    before: Figures
    seen: int

    @property
    def people(self) -> int:
        return len(self.converted)

    @property
    def count(self) -> int:
        return int(self.converted.sum())


@dataclass(frozen=True)
class _Told:
    """What the sentences are about: the window in seconds, and whether any event counts."""

    window: int
    is_any: bool


def _without_events(arms: list[_Arm]) -> list[Text]:
    """Return that silent people are in none of the events, at no time: a table made from the campaign's links has only the others."""
    without = [arm for arm in arms if arm.is_silent and not arm.seen]
    if not without or not any(arm.seen for arm in arms):
        return []
    return [
        Text(
            "there is no event of anybody in {arm} ({people:,} people), at any time: if the table has only people who were written to "
            "(orders by the campaign's link or tag), the difference is not the campaign's. Give the events of everybody",
            code="silent_without_events",
            arm=without[0].name,
            people=without[0].people,
        )
    ]


def _arms(planned: PlannedPeople, deeds: Deeds) -> list[_Arm]:
    arms = []
    for name, rows in planned.table.groupby("arm").indices.items():
        of_arm = planned.table.iloc[rows]
        delivered, segments = int(of_arm["delivered"].sum()), int(of_arm["segments"].sum())
        is_silent = bool(of_arm["silent"].all())
        did = deeds.converted[rows], deeds.value[rows], deeds.before[rows], int(deeds.seen[rows].sum())
        arms.append(_Arm(str(name), is_silent, delivered, segments, *did))
    return arms


def _against(arms: list[_Arm], asked: str | None) -> _Arm:
    """Return the arm to compare with.

    Raises
    ------
    InputError
        If there is none of this name; or none is named and not one alone is silent.
    """
    names = [arm.name for arm in arms]
    silent = [arm for arm in arms if arm.is_silent]
    if asked is None and len(silent) == 1 and len(arms) > 1:
        return silent[0]
    named = [arm for arm in arms if asked is not None and arm.name == plain_name(asked)]
    if not named or len(arms) < 2:
        raise InputError(
            "against={against!r}: say which arm to compare with, of {arms}; a silent one comes from split(..., silent=[…])",
            against=asked,
            arms=names,
        )
    return named[0]


def _table(
    arms: list[_Arm], base: _Arm, price: float | None, *, is_valued: bool, told: _Told
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the result, and by arm the share of the amounts' variance that is left."""
    import pandas as pd

    level = 1 - _SIGNIFICANT / max(len(arms), 1)
    pairs = [PairRates(base.count, base.people, arm.count, arm.people, None) for arm in arms]
    adjusted = holm(np.array([pair.p_value for pair in pairs], dtype=float))
    rows, left = [], {}
    for arm, pair, p_adjusted in zip(arms, pairs, adjusted.tolist(), strict=True):
        row = _own(arm, price, is_valued=is_valued) | _differences(
            arm, base, pair.columns(level, p_adjusted), p_adjusted
        )
        if is_valued:
            amounts, left[arm.name] = _amounts(arm, base, level)
            row |= amounts
        if p_adjusted < _SIGNIFICANT and row["difference"] > 0:
            row["cost_per_extra"] = row["cost"] / (row["difference"] * arm.people)
        if not told.is_any:
            row["detectable"] = nan
        rows.append({**row, "sentence": _sentence(row, base, told)})
    whole = dict.fromkeys(UPLIFT_COLUMNS, nan) | _own(base, price, is_valued=is_valued)
    table = pd.DataFrame(
        [*rows, {**whole, "sentence": _base_sentence(whole, told.window)}], columns=list(UPLIFT_COLUMNS)
    )
    return table.astype({"arm": "str", "sentence": "str"}), left


def _own(arm: _Arm, price: float | None, *, is_valued: bool) -> dict[str, Any]:
    """Return what is known of an arm by itself."""
    low, high = wilson(arm.count, arm.people)
    return {
        "arm": arm.name, "silent": arm.is_silent, "people": arm.people, "delivered": arm.delivered, "converted": arm.count,
        "rate": arm.count / arm.people, "low": float(low), "high": float(high),
        "value_per_person": float(arm.value.mean()) if is_valued else nan,
        "cost": nan if price is None else arm.segments * price,
    }  # fmt: skip


def _differences(arm: _Arm, base: _Arm, found: Mapping[str, Any], p_adjusted: float) -> dict[str, Any]:
    difference, low, high = (found[name] for name in ("difference", "low", "high"))
    reached = arm.delivered / arm.people if base.is_silent and arm.delivered else nan
    return {
        "difference": difference, "diff_low": low, "diff_high": high, "p_value": found["p_value"], "p_adjusted": p_adjusted,
        "detectable": found["detectable"], "relative": difference / found["rate_a"] if found["rate_a"] else nan,
        "per_delivered": difference / reached, "per_delivered_low": low / reached, "per_delivered_high": high / reached,
    }  # fmt: skip


def _amounts(arm: _Arm, base: _Arm, level: float) -> tuple[dict[str, Any], float]:
    found, left = adjusted_mean_difference((base.value, base.before), (arm.value, arm.before), level)
    return {
        "value_difference": found.difference, "value_low": found.low, "value_high": found.high,
        "value_p_value": found.p_value,
    }, left  # fmt: skip


def _sharpened(left: Mapping[str, float], before: int | None) -> list[Text]:
    """Return how much what people did before sharpens the differences in amounts."""
    if before is None or not left or min(left.values()) >= 1:
        return []
    most = max(left.values())
    return [
        Text(
            "what people spent in the {before} before explains {share} of how much they differ: amounts are compared as if there were "
            "{times:.1f} times as many people",
            code="sharpened",
            before=duration_text(before),
            share=percent(1 - most),
            times=1 / max(most, 0.01),
        )
    ]


def _sizes_note(planned: PlannedPeople, arms: list[_Arm]) -> list[Text]:
    """Return the note that arms do not have the sizes that they were meant to have, silent ones included."""
    shares, sizes = planned.shares, {arm.name: arm.people for arm in arms}
    if len(shares) < 2 or not sizes.keys() <= shares.keys():
        return []
    counts = [sizes.get(name, 0) for name in shares]
    if not share_p_value(counts, list(shares.values())) < _RATIO_LEVEL:
        return []
    total, whole = sum(counts), sum(shares.values())
    name = min(shares, key=lambda one: sizes.get(one, 0) - shares[one] / whole * total)
    return [
        Text(
            "{arm} has {count:,} of {total:,} people where {share} was meant: what was left out differs between the arms, and the"
            " comparison may be biased",
            code="sample_ratio",
            arm=name,
            count=sizes.get(name, 0),
            total=total,
            share=percent(shares[name] / whole),
        )
    ]


def _base_sentence(row: Mapping[str, Any], window: int) -> str:
    return _(
        "{rate} of {arm} within {window}, to compare with.",
        rate=percent(row["rate"]),
        arm=row["arm"],
        window=duration(window),
    )


def _sentence(row: Mapping[str, Any], base: _Arm, told: _Told) -> str:
    if not told.is_any:
        return _("Nothing can be said of {arm} against {base}: no event counts.", arm=row["arm"], base=base.name)
    low, high, size = (100 * row[name] for name in ("diff_low", "diff_high", "difference"))
    p_value = row["p_adjusted"]
    sure = "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.4f}" if p_value < 0.01 else f"p = {p_value:.2f}"
    rate, other = percents(row["rate"], base.count / base.people)
    values = {
        "arm": row["arm"], "base": base.name, "rate": rate, "other": other,
        "window": duration(told.window), "low": low, "high": high, "p": sure,
    }  # fmt: skip
    if not p_value < _SIGNIFICANT:
        if np.isnan(row["detectable"]):
            power = _("these numbers are too few to show any")
        else:
            power = _("these numbers would show {detectable:.1f} points or more", detectable=100 * row["detectable"])
        return _(
            "No effect of {arm} shown: {rate} within {window} against {other} of {base} ({low:+.2f} to {high:+.2f} points), {p};"
            " {power}.",
            **values,
            power=power,
        )
    low, high = sorted((abs(low), abs(high)))
    values |= {"low": low, "high": high, "size": abs(size)}
    if size > 0:
        return _(
            "{arm} brings {size:.2f} points more: {rate} within {window} against {other} of {base} ({low:.2f} to {high:.2f}), {p}.",
            **values,
        )
    return _(
        "{arm} brings {size:.2f} points less: {rate} within {window} against {other} of {base} ({low:.2f} to {high:.2f}), {p}.",
        **values,
    )
