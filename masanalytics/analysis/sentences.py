"""A comparison in words, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from masanalytics.i18n import choose, duration

__all__ = ["sentence"]

_SIGNIFICANT = 0.05


def sentence(row: Mapping[str, Any], strata: Sequence[str] = (), language: str | None = None) -> str:
    """Return what one row of `compare` says.

    Examples
    --------
    >>> row = dict(a="A", b="B", within_s=600.0, accepted_a=5000, accepted_b=5000, difference=0.018, low=0.009, high=0.027,
    ...            p_adjusted=0.0001, detectable=0.013)
    >>> sentence(row, language="en")
    'B delivers 1.8 points more than A within 10 min (0.9 to 2.7), p = 0.0001.'
    >>> sentence(row, language="zh")
    '10 分钟内，B 的送达率比 A 高 1.8 个百分点（0.9 到 2.7），p = 0.0001。'
    """
    a, b, p = row["a"], row["b"], row["p_adjusted"]
    if not row["accepted_a"] or not row["accepted_b"]:
        return choose(
            f"{a} and {b} cannot be compared: one has no messages observed that long.",
            f"无法比较 {a} 与 {b}：其中一方没有观察到这么久的消息。",
            language,
        )
    en_age, zh_age = _age(row["within_s"])
    low, high, difference = (100 * row[name] for name in ("low", "high", "difference"))
    if p < _SIGNIFICANT:
        more, more_zh = ("more", "高") if difference > 0 else ("less", "低")
        size, bounds = abs(difference), sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
        en = f"{b} delivers {size:.1f} points {more} than {a}{en_age} ({bounds[0]:.1f} to {bounds[1]:.1f}), {_p(p)}"
        zh = f"{zh_age}{b} 的送达率比 {a} {more_zh} {size:.1f} 个百分点（{bounds[0]:.1f} 到 {bounds[1]:.1f}），{_p(p)}"
    else:
        en_power, zh_power = _power(100 * row["detectable"])
        en = f"No difference shown between {a} and {b}{en_age} ({low:+.1f} to {high:+.1f} points), {_p(p)}; {en_power}"
        zh = f"{zh_age}未见 {a} 与 {b} 有差异（{low:+.1f} 到 {high:+.1f} 个百分点），{_p(p)}；{zh_power}"
    mix, mix_zh = _mix(row, strata) if strata else ("", "")
    return choose(f"{en}{mix}.", f"{zh}{mix_zh}。", language)


def _power(detectable: float) -> tuple[str, str]:
    if np.isnan(detectable):
        return "these numbers are too few to show any", "以目前的数量，任何差异都难以发现"
    return (
        f"these numbers would show {detectable:.1f} points or more",
        f"以目前的数量，能发现 {detectable:.1f} 个百分点以上的差异",
    )


def _age(seconds: float) -> tuple[str, str]:
    if np.isnan(seconds):
        return "", ""
    return f" within {duration(seconds, 'en')}", f"{duration(seconds, 'zh')}内，"


def _p(p: float) -> str:
    if np.isnan(p):
        return "p unknown"
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"


def _mix(row: Mapping[str, Any], strata: Sequence[str]) -> tuple[str, str]:
    """Say whether the mix of the strata explains the difference."""
    names = ", ".join(strata)
    difference, low, high = (100 * row[f"adjusted_{part}"] for part in ("difference", "low", "high"))
    if np.isnan(difference):
        return f"; the two share no {names}", f"；两者没有共同的{names}"
    found = f"{difference:+.1f} ({low:+.1f} to {high:+.1f})"
    found_zh = f"{difference:+.1f}（{low:+.1f} 到 {high:+.1f}）"
    if not row["p_adjusted"] < _SIGNIFICANT:
        return f"; with equal {names} mix {found}", f"；{names}构成相同时为 {found_zh}"
    if row["adjusted_p_value"] < _SIGNIFICANT and difference * row["difference"] > 0:
        return (
            f"; not explained by {names} mix: {found} with it equal",
            f"；不能由{names}构成解释：构成相同时为 {found_zh}",
        )
    return f"; explained by {names} mix: {found} with it equal", f"；可由{names}构成解释：构成相同时为 {found_zh}"
