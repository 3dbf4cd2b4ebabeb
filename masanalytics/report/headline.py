"""The sentences at the head of a report, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import pandas as pd

from masanalytics.formatting import column_name, count, duration, group_label, percent
from masanalytics.i18n import _, ngettext

__all__ = ["behind", "headline"]

_LEAST_GROUP, _LEAST_GAP, _MOST_NAMED = 30, 0.02, 3
_CHI_SQUARED = 3.84  # 5 % of one degree of freedom


def headline(rates: pd.DataFrame, codes: pd.DataFrame, times: pd.DataFrame) -> list[str]:
    """Return the report's first sentences, the most important first.

    Parameters
    ----------
    rates, codes, times : DataFrame
        Results of ``delivery_rates``, ``error_codes`` and ``latency`` without groups.

    Examples
    --------
    >>> rates = pd.DataFrame({"accepted": [1000], "delivered": [940], "failed": [60], "pending": [0],
    ...                       "delivery_rate": [0.94], "low": [0.923], "high": [0.953]})
    >>> headline(rates, pd.DataFrame(), pd.DataFrame())[0]
    'Of 1,000 accepted messages, 940 were delivered: 94.0% (95% interval 92.3% to 95.3%).'
    """
    if rates.empty or not rates["accepted"].iloc[0]:
        return [_("There are no accepted messages to report on.")]
    whole: dict[Any, Any] = rates.iloc[0].to_dict()
    why_unknown = (rates.attrs.get("expected_reason") or {}).get("0")
    sentences = [
        _rate(whole),
        _pending(whole),
        _unpredictable(whole, why_unknown),
        _unreported(whole),
        _reasons(whole, codes),
        _speed(times),
    ]
    return [sentence for sentence in sentences if sentence]


def behind(whole: pd.DataFrame, groups: Sequence[tuple[str, pd.DataFrame]], clean: Callable[[str], str] = str) -> str:
    """Return which groups lie clearly below the whole, the most costly ones first; nothing where none does.

    A group is named when it has 30 messages or more, and two points or more would be missing even if all its pending ones
    arrived, and so many that chance alone would do it to any of the groups looked at in one report of twenty (Bonferroni).

    Parameters
    ----------
    whole : DataFrame
        ``delivery_rates`` without groups.
    groups : sequence of (str, DataFrame)
        A column, and ``delivery_rates`` by it.
    clean : function
        Makes a group's name fit to be shown.

    Examples
    --------
    >>> whole = pd.DataFrame({"accepted": [2000], "delivery_rate": [0.85]})
    >>> rates = pd.DataFrame({"carrier": ["a", "b"], "accepted": [1000, 1000], "delivery_rate": [0.95, 0.75],
    ...                       "most": [0.95, 0.75]})
    >>> behind(whole, [("carrier", rates)])
    'Clearly lower than the whole: carrier b 75.0% (of 1,000).'
    """
    if whole.empty:
        return ""
    rate, comparisons = float(whole["delivery_rate"].iloc[0]), sum(len(rates) for _column, rates in groups)
    low_groups = [(column, row) for column, rates in groups for row in _low(rates, rate, comparisons)]
    low_groups.sort(key=lambda pair: pair[1]["accepted"] * (pair[1]["delivery_rate"] - rate))
    if not low_groups:
        return ""
    named = [
        _(
            "{column} {group} {rate} (of {count})",
            column=column_name(column),
            group=clean(group_label([column], [row[column]])),
            rate=percent(row["delivery_rate"]),
            count=count(row["accepted"]),
        )
        for column, row in low_groups[:_MOST_NAMED]
    ]
    return _("Clearly lower than the whole: {groups}.", groups=_(", ").join(named))


def _low(rates: pd.DataFrame, whole: float, comparisons: int) -> list[dict[Any, Any]]:
    """Return the groups that lie below `whole` by more than the largest of so many comparisons would by chance."""
    steps = NormalDist().inv_cdf(1 - 0.05 / comparisons)
    by_chance = steps * (whole * (1 - whole) / rates["accepted"]) ** 0.5
    is_low = whole - rates["most"] >= by_chance.clip(lower=_LEAST_GAP)
    rows: list[dict[Any, Any]] = rates[is_low & (rates["accepted"] >= _LEAST_GROUP)].to_dict("records")
    return rows


def _rate(whole: dict[Any, Any]) -> str:
    rate, low, high = (percent(whole[name]) for name in ("delivery_rate", "low", "high"))
    accepted = ngettext("Of {count:,} accepted message", "Of {count:,} accepted messages", int(whole["accepted"]))
    values = {"of_accepted": accepted, "rate": rate, "low": low, "high": high}
    delivered = int(whole["delivered"])
    if whole["pending"]:
        return ngettext(
            "{of_accepted}, {count:,} has been delivered so far: {rate} (95% interval {low} to {high}).",
            "{of_accepted}, {count:,} have been delivered so far: {rate} (95% interval {low} to {high}).",
            delivered,
            **values,
        )
    return ngettext(
        "{of_accepted}, {count:,} was delivered: {rate} (95% interval {low} to {high}).",
        "{of_accepted}, {count:,} were delivered: {rate} (95% interval {low} to {high}).",
        delivered,
        **values,
    )


def _pending(whole: dict[Any, Any]) -> str:
    if not (pending := int(whole["pending"])):
        return ""
    values = {"lowest": percent(whole["delivery_rate"]), "most": percent(whole["most"])}
    if values["lowest"] == values["most"]:
        return ngettext(
            "{count:,} is still pending, too few to move the rate.",
            "{count:,} are still pending, too few to move the rate.",
            pending,
        )
    if pd.isna(whole.get("expected_rate")):
        return ngettext(
            "{count:,} is still pending: the rate will end between {lowest} and {most}.",
            "{count:,} are still pending: the rate will end between {lowest} and {most}.",
            pending,
            **values,
        )
    rate, low, high = (percent(whole[name]) for name in ("expected_rate", "expected_low", "expected_high"))
    return ngettext(
        "{count:,} is still pending: the rate will end between {lowest} and {most}; messages like these end at {rate} (95% interval"
        " {low} to {high}).",
        "{count:,} are still pending: the rate will end between {lowest} and {most}; messages like these end at {rate} (95% interval"
        " {low} to {high}).",
        pending,
        **values,
        rate=rate,
        low=low,
        high=high,
    )


def _unpredictable(whole: dict[Any, Any], reason: str | None) -> str:
    """Return why no final rate is named, where messages are open and none is."""
    if not int(whole["pending"]) or pd.notna(whole.get("expected_rate", 0.0)):
        return ""
    if reason in ("no_history", "thin_history"):
        return _("Final rate: not predictable yet, needs three days of reports.")
    if reason == "too_early":
        return _("Final rate: not predictable yet, most messages left less than half a minute ago.")
    return _("Final rate: not predictable, for past campaigns do not tell how this one will end.")


def _unreported(whole: dict[Any, Any]) -> str:
    if not whole.get("unreported"):
        return ""
    return ngettext(
        "{count:,} got no report within 72 hours and counts as not delivered.",
        "{count:,} got no report within 72 hours and count as not delivered.",
        int(whole["unreported"]),
    )


def _reasons(whole: dict[Any, Any], codes: pd.DataFrame) -> str:
    if codes.empty:
        return ""
    failed, first = count(whole["failed"]), codes.iloc[0].to_dict()
    if len(codes) == 1:
        return _("{failed} failed, all with {reason}.", failed=failed, reason=_reason(first))
    second = codes.iloc[1].to_dict()
    # One code leads where chance would seldom put it so far ahead of another that is as frequent (McNemar's test).
    if (first["count"] - second["count"]) ** 2 > _CHI_SQUARED * (first["count"] + second["count"]):
        return _(
            "{failed} failed, most often with {reason}: {count}, {share} of the failed.",
            failed=failed,
            reason=_reason(first),
            count=count(first["count"]),
            share=percent(first["share_of_failed"]),
        )
    return _(
        "{failed} failed; no single code leads: {first} {first_count}, {second} {second_count}.",
        failed=failed,
        first=_reason(first),
        first_count=count(first["count"]),
        second=_reason(second),
        second_count=count(second["count"]),
    )


def _reason(code: dict[Any, Any]) -> str:
    if pd.isna(code["error_code"]):
        return _("no code")
    return _("{code} ({meaning})", code=code["error_code"], meaning=code["meaning"])


def _speed(times: pd.DataFrame) -> str:
    if times.empty or pd.isna(times["reached_50_s"].iloc[0]):
        return ""
    half_s, nine_in_ten_s = times["reached_50_s"].iloc[0], times["reached_90_s"].iloc[0]
    if pd.isna(nine_in_ten_s):
        return _("Half of the accepted messages had arrived after {half}.", half=duration(half_s))
    return _(
        "Half of the accepted messages had arrived after {half}, nine in ten after {nine_in_ten}.",
        half=duration(half_s),
        nine_in_ten=duration(nine_in_ten_s),
    )
