"""What a report says in sentences: its headline, and what each figure means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import pandas as pd

from masanalytics.i18n import Language, choose, counted, resolve_language
from masanalytics.plot.words import column_name, count, duration, group_label, percent

__all__ = ["behind", "definitions", "headline"]

_LEAST_GROUP, _LEAST_GAP, _MOST_NAMED = 30, 0.02, 3
_CHI_SQUARED = 3.84  # 5 % of one degree of freedom

_DEFINITIONS = (
    (
        "Accepted",
        "受理",
        (
            "Messages the platform took: the denominator of every rate. Messages it refused, or that were never sent, are not "
            "in it."
        ),
        "平台已受理的短信，是所有比率的分母；被平台拒绝或未发出的短信不计入。",
    ),
    (
        "Delivered",
        "送达",
        "A state report DELIVRD came: the message reached the handset.",
        "收到回执 DELIVRD，即短信已到达手机。",
    ),
    ("Failed", "失败", "A state report with any other final code came.", "收到其他最终状态的报告。"),
    (
        "Pending",
        "待回执",
        "No report yet. Carriers report for up to 72 hours, so a pending message is neither delivered nor failed.",
        "尚未收到回执。运营商最长 72 小时内返回，因此待回执的短信既不算送达也不算失败。",
    ),
    (
        "Unreported",
        "无回执",
        "No report although every report of 72 hours was fetched.",
        "72 小时内的回执均已采集，但仍没有该短信的回执。",
    ),
    (
        "Delivery rate",
        "送达率",
        (
            "Delivered ÷ accepted. In brackets the 95% interval (Wilson): how far chance alone could move a rate on so many "
            "messages."
        ),
        "送达数 ÷ 受理数。括号内为 95% 区间（Wilson 法），即在这一数量下仅凭偶然可能偏离的范围。",
    ),
    (
        "At most",
        "最高可达",
        "The rate if every pending message arrived. The rate shown is the one if none did.",
        "假设待回执的短信全部送达时的送达率；表中的送达率对应全部未送达的情形。",
    ),
    (
        "Expected end",
        "预计最终",
        (
            "An estimate of the rate once all reports are in (Aalen–Johansen; beyond what was observed, the account's own "
            "history), with its 95% interval."
        ),
        "对全部回执到齐后送达率的估计（Aalen–Johansen 法；超出已观测范围的部分由账号自身历史推算）及其 95% 区间。",
    ),
    (
        "Of accepted, of failed",
        "占受理、占失败",
        "How many messages failed with a code, as a share of all accepted and of all failed messages.",
        "以该错误码失败的短信数，分别占全部受理数和全部失败数的比例。",
    ),
    (
        "Median, 90%, 95%, 99%, longest",
        "中位数、90%、95%、99%、最长",
        "Time from submission to delivery, of the delivered messages: half, 90% … were at least this fast.",
        "已送达短信从提交到送达的时间：有一半、90%……的短信不超过该时间。",
    ),
    (
        "Half of accepted, nine in ten",
        "受理数过半、受理数九成",
        "When half, and nine in ten, of all accepted messages had arrived; a dash where that has not happened.",
        "全部受理短信中有一半、九成送达所用的时间；尚未达到时以横线表示。",
    ),
    (
        "Answered, response rate",
        "回复人数、回复率",
        "People who wrote back, and their share of the delivered messages, with its 95% interval.",
        "回复短信的人数，及其占送达数的比例与 95% 区间。",
    ),
    (
        "Opted out, opt-out rate",
        "退订、退订率",
        "People whose answer asks for no more messages, and their share of the delivered messages, with its 95% interval.",
        "回复要求退订的人数，及其占送达数的比例与 95% 区间。",
    ),
    (
        "State of the numbers",
        "号码健康状况",
        "What the latest reports say of each number: whether writing to it again makes sense. Advice, not a fact.",
        "根据最近的回执判断各号码是否值得继续发送；仅为建议，并非定论。",
    ),
)


def definitions(language: str | None) -> list[tuple[str, str]]:
    """Return what each figure of a report means: (term, meaning)."""
    zh = resolve_language(language) == "zh"
    return [(row[1], row[3]) if zh else (row[0], row[2]) for row in _DEFINITIONS]


def headline(rates: pd.DataFrame, codes: pd.DataFrame, times: pd.DataFrame, language: str | None) -> list[str]:
    """Return the report's first sentences, the most important first.

    Parameters
    ----------
    rates, codes, times : DataFrame
        Results of ``delivery_rates``, ``error_codes`` and ``latency`` without groups.

    Examples
    --------
    >>> rates = pd.DataFrame({"accepted": [1000], "delivered": [940], "failed": [60], "pending": [0],
    ...                       "delivery_rate": [0.94], "low": [0.923], "high": [0.953]})
    >>> headline(rates, pd.DataFrame(), pd.DataFrame(), "en")[0]
    'Of 1,000 accepted messages, 940 were delivered: 94.0% (95% interval 92.3% to 95.3%).'
    """
    if rates.empty or not rates["accepted"].iloc[0]:
        return [choose("There are no accepted messages to report on.", "没有可报告的已受理短信。", language)]
    whole: dict[Any, Any] = rates.iloc[0].to_dict()
    sentences = [
        _rate(whole, language),
        _open(whole, language),
        _silent(whole, language),
        _why(whole, codes, language),
        _speed(times, language),
    ]
    return [sentence for sentence in sentences if sentence]


def behind(
    whole: pd.DataFrame,
    groups: Sequence[tuple[str, pd.DataFrame]],
    language: str | None,
    clean: Callable[[str], str] = str,
) -> str:
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
    >>> behind(whole, [("carrier", rates)], "en")
    'Clearly lower than the whole: carrier b 75.0% (of 1,000).'
    """
    if whole.empty:
        return ""
    rate, looks = float(whole["delivery_rate"].iloc[0]), sum(len(rates) for _, rates in groups)
    found = [(column, row) for column, rates in groups for row in _low(rates, rate, looks)]
    found.sort(key=lambda each: each[1]["accepted"] * (each[1]["delivery_rate"] - rate))
    if not found:
        return ""
    parts = [
        (
            clean(group_label([column], [row[column]], language)),
            column_name(column, language),
            percent(row["delivery_rate"]),
            count(row["accepted"]),
        )
        for column, row in found[:_MOST_NAMED]
    ]
    return choose(
        f"Clearly lower than the whole: {', '.join(f'{kind} {name} {rate} (of {n})' for name, kind, rate, n in parts)}.",
        f"明显低于整体：{'、'.join(f'{kind}“{name}”{rate}（受理 {n} 条）' for name, kind, rate, n in parts)}。",
        language,
    )


def _low(rates: pd.DataFrame, whole: float, looks: int) -> list[dict[Any, Any]]:
    """Return the groups that lie below `whole` by more than the largest of so many looks would by chance."""
    steps = NormalDist().inv_cdf(1 - 0.05 / looks)
    by_chance = steps * (whole * (1 - whole) / rates["accepted"]) ** 0.5
    is_low = whole - rates["most"] >= by_chance.clip(lower=_LEAST_GAP)
    rows: list[dict[Any, Any]] = rates[is_low & (rates["accepted"] >= _LEAST_GROUP)].to_dict("records")
    return rows


def _rate(whole: dict[Any, Any], language: str | None) -> str:
    accepted, delivered = count(whole["accepted"]), count(whole["delivered"])
    rate, low, high = (percent(whole[name]) for name in ("delivery_rate", "low", "high"))
    were, have = ("was", "has") if whole["delivered"] == 1 else ("were", "have")
    so_far = (f"{have} been delivered so far", "目前已送达") if whole["pending"] else (f"{were} delivered", "送达")
    return choose(
        f"Of {counted(int(whole['accepted']), 'accepted message')}, {delivered} {so_far[0]}: {rate} (95% interval {low} to {high}).",
        f"已受理 {accepted} 条短信，{so_far[1]} {delivered} 条，送达率 {rate}（95% 区间 {low} 至 {high}）。",
        language,
    )


def _open(whole: dict[Any, Any], language: str | None) -> str:
    if not whole["pending"]:
        return ""
    pending, least, most = count(whole["pending"]), percent(whole["least"]), percent(whole["most"])
    en = f"{pending} are still pending: the rate will end between {least} and {most}"
    zh = f"还有 {pending} 条待回执：最终送达率在 {least} 与 {most} 之间"
    if pd.notna(whole.get("expected_rate")):
        rate, low, high = (percent(whole[name]) for name in ("expected_rate", "expected_low", "expected_high"))
        en += f", and is expected at {rate} ({low} to {high})"
        zh += f"，预计为 {rate}（{low} 至 {high}）"
    return choose(f"{en}.", f"{zh}。", language)


def _silent(whole: dict[Any, Any], language: str | None) -> str:
    if not whole.get("unreported"):
        return ""
    unreported = count(whole["unreported"])
    return choose(
        f"{unreported} got no report within 72 hours and count as not delivered.",
        f"有 {unreported} 条在 72 小时内没有回执，按未送达计。",
        language,
    )


def _why(whole: dict[Any, Any], codes: pd.DataFrame, language: str | None) -> str:
    if codes.empty:
        return ""
    failed, top = count(whole["failed"]), codes.iloc[0].to_dict()
    often, share = count(top["count"]), percent(top["share_of_failed"])
    if len(codes) == 1:
        return choose(
            f"{failed} failed, all with {_cause(top, 'en')}.",
            f"失败 {failed} 条，原因均为 {_cause(top, 'zh')}。",
            language,
        )
    second = codes.iloc[1].to_dict()
    # One code leads where chance would seldom put it so far ahead of another that is as frequent (McNemar's test).
    if (top["count"] - second["count"]) ** 2 > _CHI_SQUARED * (top["count"] + second["count"]):
        return choose(
            f"{failed} failed, most often with {_cause(top, 'en')}: {often}, {share} of the failed.",
            f"失败 {failed} 条，最多的原因是 {_cause(top, 'zh')}：{often} 条，占失败的 {share}。",
            language,
        )
    return choose(
        f"{failed} failed; no single code leads: {_cause(top, 'en')} {often}, {_cause(second, 'en')} {count(second['count'])}.",
        f"失败 {failed} 条，没有明显居首的原因：{_cause(top, 'zh')}{often} 条，{_cause(second, 'zh')}{count(second['count'])} 条。",
        language,
    )


def _cause(row: dict[Any, Any], language: Language) -> str:
    if pd.isna(row["error_code"]):
        return choose("no code", "无代码", language)
    return choose(f"{row['error_code']} ({row['meaning']})", f"{row['error_code']}（{row['meaning']}）", language)


def _speed(times: pd.DataFrame, language: str | None) -> str:
    if times.empty or pd.isna(times["reached_50_s"].iloc[0]):
        return ""
    half, most = times["reached_50_s"].iloc[0], times["reached_90_s"].iloc[0]
    halves = duration(half, "en"), duration(half, "zh")
    if pd.isna(most):
        return choose(
            f"Half of the accepted messages had arrived after {halves[0]}.",
            f"受理短信中有一半在 {halves[1]}内送达。",
            language,
        )
    return choose(
        f"Half of the accepted messages had arrived after {halves[0]}, nine in ten after {duration(most, 'en')}.",
        f"受理短信中有一半在 {halves[1]}内送达，九成在 {duration(most, 'zh')}内送达。",
        language,
    )
