"""A plan as people see it: HTML in a notebook, plain text elsewhere, the same facts in both. Phones are masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from masanalytics.i18n import Language, counted, duration
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.planning.planned import Plan
from masanalytics.planning.tables import summary_table
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import MODES

__all__ = ["as_html", "as_text"]

_MODES_ZH: Final = {
    "one_to_one": "单发",
    "many_to_one": "相同内容群发",
    "many_to_many": "逐人内容群发",
    "template": "模板",
    "foreign": "外部",
}


@dataclass(frozen=True, slots=True)
class _View:
    """What is shown, in words of one language."""

    title: str
    facts: list[tuple[str, str]]
    excluded_title: str
    excluded: list[tuple[str, str, str]]
    examples_title: str
    examples: list[tuple[str, str, str]]
    warnings_title: str
    warnings: list[str]


def _view(plan: Plan, language: Language, now: float | None) -> _View:
    zh = language == "zh"
    count, requests, time = len(plan), plan.requests, duration(plan.seconds, language)
    title = f"Plan “{plan.campaign}”: {counted(count, 'message')}, {counted(requests, 'request')}, about {time}"
    if zh:
        title = f"计划“{plan.campaign}”：{count:,} 条短信，{requests:,} 次请求，约 {time}"
    if plan.occasion:
        title += f"（第 {plan.occasion + 1} 轮）" if zh else f" (round {plan.occasion + 1})"
    return _View(
        title=title,
        facts=_facts(plan, now, zh=zh),
        excluded_title="未计划发送的行（已节省）" if zh else "Rows left out (and what that saves)",
        excluded=_excluded(plan, language),
        examples_title="手机上显示的样子" if zh else "As the phone will show it",
        examples=_examples(plan, zh=zh),
        warnings_title="请留意" if zh else "Please look at",
        warnings=[warning.text(language) for warning in plan.warnings],
    )


def _facts(plan: Plan, now: float | None, *, zh: bool) -> list[tuple[str, str]]:
    left = plan.rows - len(plan)
    facts = [
        (
            "行数" if zh else "rows",
            f"{plan.rows:,} = 计划 {len(plan):,} + 排除 {left:,}"
            if zh
            else f"{plan.rows:,} = {len(plan):,} planned + {left:,} left out",
        ),
        ("计费条数" if zh else "segments", _segments(plan, zh=zh)),
        ("请求" if zh else "requests", _requests(plan, zh=zh)),
        ("用时" if zh else "time", _time(plan, zh=zh)),
    ]
    if now is not None and len(plan):
        end = format_instant(now + plan.seconds)[5:16]
        facts.append(
            ("预计结束", f"{end}（北京时间，如现在开始）")
            if zh
            else ("ends", f"about {end} China time, if it starts now")
        )
    cost = plan.cost
    if cost is not None:
        facts.insert(2, ("费用" if zh else "cost", f"¥{cost:,.2f}" + ("" if zh else f" at ¥{plan.price:g} a segment")))
    if plan.template_id is not None:
        facts.append(("模板" if zh else "template", plan.template_id))
        shared = -(-len(plan) // plan.limits.many_to_many)
        if plan.requests > shared:
            time = duration(shared / plan.limits.requests_per_second, "zh" if zh else "en")
            facts.append(
                ("若改为普通短信", f"{shared:,} 次请求，约 {time}（模板中每组不同的变量要单独请求）")
                if zh
                else (
                    "as plain texts",
                    f"{counted(shared, 'request')}, about {time} (a template needs a request for each set of parameters)",
                )
            )
    facts.append(("校验" if zh else "hash", plan.hash[:12]))
    return facts


def _segments(plan: Plan, *, zh: bool) -> str:
    counts = plan.planned.segments
    if counts is None:
        return "未知（模板内容只有平台知道）" if zh else "not known (only the platform has the template's text)"
    if not len(counts):
        return "0"
    sizes = np.bincount(counts)
    parts = [f"{sizes[parts]:,} × {parts}" for parts in np.flatnonzero(sizes).tolist()]
    listed = "，".join(parts) if zh else ", ".join(parts)
    return f"{plan.segments:,}（{listed}）" if zh else f"{plan.segments:,} ({listed})"


def _requests(plan: Plan, *, zh: bool) -> str:
    sizes = np.bincount(plan.planned.modes, minlength=len(MODES))
    parts = [
        f"{sizes[mode]:,} {_MODES_ZH[MODES[mode]] if zh else MODES[mode]}" for mode in np.flatnonzero(sizes).tolist()
    ]
    listed = "，".join(parts) if zh else ", ".join(parts)
    return f"{plan.requests:,}" + ((f"（{listed}）" if zh else f" ({listed})") if parts else "")


def _time(plan: Plan, *, zh: bool) -> str:
    """Say how long it takes, and what that rests on."""
    requests = plan.limits.requests_per_second
    bound = plan.rate is not None and plan.seconds > plan.requests / requests
    about = duration(plan.seconds, "zh" if zh else "en")
    if zh:
        return f"约 {about}（{f'每秒 {plan.rate:g} 条' if bound else f'假定每秒 {requests:g} 次请求'}）"
    return f"about {about}, at {f'{plan.rate:g} messages a second' if bound else f'an assumed {requests:g} requests a second'}"


def _excluded(plan: Plan, language: Language) -> list[tuple[str, str, str]]:
    table = summary_table(plan, language).iloc[1:]
    lines = []
    for rows, meaning, segments in zip(table["rows"], table["meaning"], table["segments"], strict=True):
        saved = 0 if plan.segments is None else int(segments)
        cost = plan.cost_of(saved)
        words = f"{saved:,} 条" if language == "zh" else counted(saved, "segment")
        money = "" if cost is None else f", ¥{cost:,.2f}"
        lines.append((f"{rows:,}", str(meaning), f"{words}{money}" if saved else ""))
    return lines


def _examples(plan: Plan, *, zh: bool) -> list[tuple[str, str, str]]:
    names = ("第一条", "最短", "最长") if zh else ("first", "shortest", "longest")
    lines: list[tuple[str, str, str]] = []
    for name, place in zip(names, plan.planned.examples, strict=False):
        phone = mask_phone(int(plan.planned.numbers[place]))
        shown = mask_phones_in(plan.shown(place))
        if not any(phone == other and shown == text for _, other, text in lines):
            lines.append((name, phone, shown))
    return lines


def as_text(plan: Plan, language: Language, now: float | None = None) -> str:
    """Return the plan as plain text; with `now` (epoch seconds) also when sending would end."""
    view = _view(plan, language, now)
    lines = [view.title, *(f"  {name}: {value}" for name, value in view.facts)]
    if view.excluded:
        lines += ["", view.excluded_title]
        lines += [
            f"  {rows:>9}  {meaning}" + (f"  ({saved})" if saved else "") for rows, meaning, saved in view.excluded
        ]
    if view.examples:
        lines += ["", view.examples_title]
        lines += [f"  {name} ({phone}): {_one_line(text)}" for name, phone, text in view.examples]
    if view.warnings:
        lines += ["", view.warnings_title, *(f"  ! {warning}" for warning in view.warnings)]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return text.replace("\r\n", "⏎").replace("\n", "⏎")


def as_html(plan: Plan, language: Language, now: float | None = None) -> str:
    """Return the plan as HTML, every value escaped; with `now` (epoch seconds) also when sending would end."""
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(_TEMPLATE).render(view=_view(plan, language, now))


_TEMPLATE: Final = """
<div style="max-width:56em;font-size:90%;line-height:1.45">
<p style="font-size:110%;font-weight:600;margin:0 0 .5em">{{ view.title }}</p>
<table style="border-collapse:collapse;margin-bottom:.8em">
{%- for name, value in view.facts %}
<tr><td style="text-align:left;color:#666;padding:1px 1.5em 1px 0">{{ name }}</td><td style="text-align:left">{{ value }}</td></tr>
{%- endfor %}
</table>
{%- if view.excluded %}
<p style="font-weight:600;margin:0 0 .2em">{{ view.excluded_title }}</p>
<table style="border-collapse:collapse;margin-bottom:.8em">
{%- for rows, meaning, saved in view.excluded %}
<tr><td style="text-align:right;padding:1px 1em 1px 0">{{ rows }}</td><td style="text-align:left;padding-right:1.5em">{{ meaning }}</td>
<td style="text-align:left;color:#666">{{ saved }}</td></tr>
{%- endfor %}
</table>
{%- endif %}
{%- if view.examples %}
<p style="font-weight:600;margin:0 0 .2em">{{ view.examples_title }}</p>
{%- for name, phone, text in view.examples %}
<div style="margin:.25em 0 .5em"><span style="color:#666">{{ name }} · {{ phone }}</span>
<div style="background:#f1f3f5;color:#111;border-radius:.8em;padding:.4em .9em;display:table;max-width:34em;white-space:pre-wrap">
{{- text }}</div></div>
{%- endfor %}
{%- endif %}
{%- if view.warnings %}
<p style="font-weight:600;margin:.6em 0 .2em">{{ view.warnings_title }}</p>
<ul style="margin:0 0 .5em 1.2em;padding:0">
{%- for warning in view.warnings %}
<li style="color:#a04000">{{ warning }}</li>
{%- endfor %}
</ul>
{%- endif %}
</div>
"""
