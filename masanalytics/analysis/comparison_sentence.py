"""What a comparison of two says in words: the difference, how sure it is, and whether the mix explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from masanalytics.analysis.clustered_pairs import PairClusters
from masanalytics.formatting import duration
from masanalytics.i18n import Text, _
from masanalytics.stats.clusters import student_quantiles
from masanalytics.stats.enough_clusters import LEAST_CLUSTERS

__all__ = ["always_sentence", "sentence"]

_SIGNIFICANT = 0.05
_MOSTLY = 0.5


def sentence(
    row: Mapping[str, Any],
    strata: Sequence[str] = (),
    clusters: PairClusters | None = None,
    what: Text | None = None,
) -> str:
    """Return what one row of `compare` says.

    Parameters
    ----------
    row : mapping
        The row.
    strata : sequence of str
        What it was adjusted for.
    clusters : PairClusters, optional
        What fails together.
    what : Text, optional
        What is counted, where it is not what was delivered: "replies".

    Examples
    --------
    >>> row = dict(a="A", b="B", within_s=600.0, accepted_a=5000, accepted_b=5000, difference=0.018, low=0.009, high=0.027,
    ...            p_value_naive=0.0001, p_adjusted=0.0001, detectable=0.013)
    >>> sentence(row)
    'B delivers 1.8 points more than A within 10 min (0.9 to 2.7), p = 0.0001.'
    """
    names = {"a": row["a"], "b": row["b"]} | ({} if what is None else {"what": what})
    if not row["accepted_a"] or not row["accepted_b"]:
        return _("{a} and {b} cannot be compared: one has no messages observed that long.", **names)
    age = "" if np.isnan(row["within_s"]) else _(" within {age}", age=duration(row["within_s"]))
    sure = _p(row["p_adjusted"]) if clusters is None or not np.isnan(row["p_adjusted"]) else _no_p(row, clusters)
    is_told = clusters is None or not clusters.is_left_out
    is_different = is_told and _is_different(row)
    say = (_difference if is_different else _no_difference) if is_told else _not_told
    said = say(row, names, age, sure)
    mix = _mix(row, strata, is_different=is_different) if strata else ""
    return _("{difference}{mix}.", difference=said + _carried(row, clusters), mix=mix)


def always_sentence(row: Mapping[str, Any], said: str) -> str:
    """Return what a row says, with the reading that holds at any time.

    Examples
    --------
    >>> always_sentence(dict(always_low=0.006, always_high=0.034, always_p_value=0.0003), "B delivers more.")
    'B delivers more. However often it is read: +0.6 to +3.4 points, p = 0.0003.'
    """
    if np.isnan(row["always_low"]):
        return _("{said} It cannot be read at any time: too few clusters.", said=said)
    return _(
        "{said} However often it is read: {low:+.1f} to {high:+.1f} points, {p}.",
        said=said,
        low=100 * row["always_low"],
        high=100 * row["always_high"],
        p=_p(row["always_p_value"]),
    )


def _is_different(row: Mapping[str, Any]) -> bool:
    """Return whether a difference is shown: by the corrected p-value, without one by the interval."""
    if np.isnan(row["p_adjusted"]):
        return bool(row["low"] * row["high"] > 0)
    return bool(row["p_adjusted"] < _SIGNIFICANT)


def _difference(row: Mapping[str, Any], names: dict[str, Any], age: str, sure: str) -> str:
    low, high, difference = (100 * row[name] for name in ("low", "high", "difference"))
    if low * high > 0:
        low, high = sorted((abs(low), abs(high)))
    values = {**names, "age": age, "size": abs(difference), "low": low, "high": high, "p": sure}
    if "what" in names and difference > 0:
        return _("{b} has {size:.2f} points more {what} than {a}{age} ({low:.2f} to {high:.2f}), {p}", **values)
    if "what" in names:
        return _("{b} has {size:.2f} points fewer {what} than {a}{age} ({low:.2f} to {high:.2f}), {p}", **values)
    if difference > 0:
        return _("{b} delivers {size:.1f} points more than {a}{age} ({low:.1f} to {high:.1f}), {p}", **values)
    return _("{b} delivers {size:.1f} points less than {a}{age} ({low:.1f} to {high:.1f}), {p}", **values)


def _not_told(row: Mapping[str, Any], names: dict[str, Any], age: str, sure: str) -> str:
    """Say the difference without a verdict: how much clusters differ is not in its interval."""
    values = {**names, "age": age, **{name: 100 * row[name] for name in ("difference", "low", "high")}, "p": sure}
    if "what" in names:
        return _(
            "Whether {a} and {b} differ in {what}{age} cannot be told: {difference:+.2f} points ({low:+.2f} to {high:+.2f} if every message "
            "stood for itself), {p}",
            **values,
        )
    return _(
        "Whether {a} and {b} differ{age} cannot be told: {difference:+.1f} points ({low:+.1f} to {high:+.1f} if every message failed by "
        "itself), {p}",
        **values,
    )


def _no_difference(row: Mapping[str, Any], names: dict[str, Any], age: str, sure: str) -> str:
    detectable = 100 * row["detectable"]
    values = {**names, "age": age, "low": 100 * row["low"], "high": 100 * row["high"], "p": sure}
    if np.isnan(row["p_adjusted"]) and "what" in names:
        return _(
            "No difference in {what} shown between {a} and {b}{age} ({low:+.2f} to {high:+.2f} points), {p}", **values
        )
    if np.isnan(row["p_adjusted"]):
        return _("No difference shown between {a} and {b}{age} ({low:+.1f} to {high:+.1f} points), {p}", **values)
    power = _("these numbers would show {detectable:.1f} points or more", detectable=detectable)
    if np.isnan(detectable):
        power = _("these numbers are too few to show any")
    if "what" in names:
        return _(
            "No difference in {what} shown between {a} and {b}{age} ({low:+.2f} to {high:+.2f} points), {p}; {power}",
            **values,
            power=power,
        )
    return _(
        "No difference shown between {a} and {b}{age} ({low:+.1f} to {high:+.1f} points), {p}; {power}",
        **values,
        power=power,
    )


def _p(p: float) -> str:
    if np.isnan(p):
        return _("p unknown")
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"


def _no_p(row: Mapping[str, Any], clusters: PairClusters) -> str:
    """Say why there is no p-value."""
    if clusters.others is not None:
        variance, freedom = clusters.others
        reach = 100 * sqrt(variance) * float(student_quantiles(0.975, np.array([freedom]))[0])
        values = {"reach": reach}
        if clusters.level == "batch":
            return _(
                "no p-value, but an interval: batches of other campaigns differ by ±{reach:.1f} points without a cause, which it holds",
                **values,
            )
        return _(
            "no p-value, but an interval: days of other campaigns differ by ±{reach:.1f} points without a cause, which it holds",
            **values,
        )
    if min(clusters.found.clusters_a, clusters.found.clusters_b) >= LEAST_CLUSTERS:
        return _uneven(row, clusters)
    if clusters.level == "batch":
        return _("no p-value: fewer than five batches on a side do not tell how much batches differ")
    if clusters.level == "day":
        return _("no p-value: fewer than five days of campaigns on a side do not tell how much days differ")
    return _("no p-value: fewer than five clusters on a side do not tell how much they differ")


def _uneven(row: Mapping[str, Any], clusters: PairClusters) -> str:
    """Say that there are five clusters, but such that one outweighs the others."""
    found = clusters.found
    arm, count, effective = min(
        ("a", found.clusters_a, found.effective_a), ("b", found.clusters_b, found.effective_b), key=lambda side: side[2]
    )
    values = {"arm": row[arm], "count": count, "effective": effective}
    if clusters.level == "batch":
        return _(
            "no p-value: the {count} batches of {arm} are so unequal that they count as {effective:.1f} of one size, and fewer than five "
            "do not tell how much batches differ",
            **values,
        )
    if clusters.level == "day":
        return _(
            "no p-value: the {count} days of {arm} are so unequal that they count as {effective:.1f} of one size, and fewer than five do "
            "not tell how much days differ",
            **values,
        )
    return _(
        "no p-value: the {count} clusters of {arm} are so unequal that they count as {effective:.1f} of one size, and fewer than five do "
        "not tell how much they differ",
        **values,
    )


def _carried(row: Mapping[str, Any], clusters: PairClusters | None) -> str:
    """Say where a single cluster makes what would else be called a difference."""
    if clusters is None or clusters.carrying is None or not row["p_value_naive"] < _SIGNIFICANT <= row["p_adjusted"]:
        return ""
    arm = clusters.carrying
    values = {"arm": row[arm], "count": clusters.found.clusters_a if arm == "a" else clusters.found.clusters_b}
    if clusters.level == "batch":
        return _("; one of the {count} batches of {arm} carries the difference", **values)
    if clusters.level == "day":
        return _("; one of the {count} days of {arm} carries the difference", **values)
    return _("; one of the {count} clusters of {arm} carries the difference", **values)


def _mix(row: Mapping[str, Any], strata: Sequence[str], *, is_different: bool) -> str:
    """Say whether the mix of the strata explains the difference: only where what is left tells it apart."""
    difference, low, high = (100 * row[f"adjusted_{part}"] for part in ("difference", "low", "high"))
    values = {"names": list(strata), "difference": difference, "low": low, "high": high}
    if np.isnan(difference):
        return _("; the two share no {names}", names=list(strata))
    arm = "a" if row["compared_a"] < row["compared_b"] else "b"
    if row[f"compared_{arm}"] < _MOSTLY:
        return _(
            "; whether {names} mix explains it cannot be told: only {part:,} of the {all:,} messages of {arm} are in those "
            "that both have",
            names=list(strata),
            part=round(row[f"compared_{arm}"] * row[f"accepted_{arm}"]),
            all=row[f"accepted_{arm}"],
            arm=row[arm],
        )
    if not is_different:
        return _("; with equal {names} mix {difference:+.1f} ({low:+.1f} to {high:+.1f})", **values)
    is_moved = not low <= 100 * row["difference"] <= high
    is_left = low * high > 0 and difference * row["difference"] > 0
    if is_moved and is_left:
        return _(
            "; in part explained by {names} mix: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal", **values
        )
    if is_moved:
        return _("; explained by {names} mix: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal", **values)
    if is_left:
        return _(
            "; not explained by {names} mix: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal", **values
        )
    return _(
        "; whether {names} mix explains it cannot be told: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal",
        **values,
    )
