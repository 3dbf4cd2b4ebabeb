"""What a plan shows, laid out: HTML in a notebook, plain text elsewhere, the same facts in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from masanalytics.i18n import _

__all__ = ["PlanView"]


@dataclass(frozen=True, slots=True)
class PlanView:
    """The words that a plan shows, phones masked already.

    Attributes
    ----------
    title : str
        What will be sent, in a line.
    facts : list of (name, value)
        Rows, segments, requests, time and the like.
    excluded : list of (rows, why, saved)
        A line for each reason that rows were left out for.
    examples : list of (which, phone, text)
        Messages as a phone will show them.
    warnings : list of str
        What should be looked at.
    """

    title: str
    facts: list[tuple[str, str]]
    excluded: list[tuple[str, str, str]]
    examples: list[tuple[str, str, str]]
    warnings: list[str]

    def text(self) -> str:
        """Return the view as plain text."""
        lines = [self.title, *(f"  {name}: {value}" for name, value in self.facts)]
        if self.excluded:
            lines += ["", _excluded_title()]
            lines += [f"  {rows:>9}  {why}" + (f"  ({saved})" if saved else "") for rows, why, saved in self.excluded]
        if self.examples:
            lines += ["", _examples_title()]
            lines += [f"  {which} ({phone}): {_one_line(text)}" for which, phone, text in self.examples]
        if self.warnings:
            lines += ["", _warnings_title(), *(f"  ! {warning}" for warning in self.warnings)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the view as HTML, every value escaped."""
        from jinja2 import Environment

        titles = {
            "excluded_title": _excluded_title(),
            "examples_title": _examples_title(),
            "warnings_title": _warnings_title(),
        }
        return Environment(autoescape=True).from_string(_TEMPLATE).render(view=self, **titles)


def _excluded_title() -> str:
    return _("Rows left out (and what that saves)")


def _examples_title() -> str:
    return _("As the phone will show it")


def _warnings_title() -> str:
    return _("Please look at")


def _one_line(text: str) -> str:
    return text.replace("\r\n", "⏎").replace("\n", "⏎")


_TEMPLATE: Final = """
<div style="max-width:56em;font-size:90%;line-height:1.45">
<p style="font-size:110%;font-weight:600;margin:0 0 .5em">{{ view.title }}</p>
<table style="border-collapse:collapse;margin-bottom:.8em">
{%- for name, value in view.facts %}
<tr><td style="text-align:left;color:#666;padding:1px 1.5em 1px 0">{{ name }}</td><td style="text-align:left">{{ value }}</td></tr>
{%- endfor %}
</table>
{%- if view.excluded %}
<p style="font-weight:600;margin:0 0 .2em">{{ excluded_title }}</p>
<table style="border-collapse:collapse;margin-bottom:.8em">
{%- for rows, why, saved in view.excluded %}
<tr><td style="text-align:right;padding:1px 1em 1px 0">{{ rows }}</td><td style="text-align:left;padding-right:1.5em">{{ why }}</td>
<td style="text-align:left;color:#666">{{ saved }}</td></tr>
{%- endfor %}
</table>
{%- endif %}
{%- if view.examples %}
<p style="font-weight:600;margin:0 0 .2em">{{ examples_title }}</p>
{%- for which, phone, text in view.examples %}
<div style="margin:.25em 0 .5em"><span style="color:#666">{{ which }} · {{ phone }}</span>
<div style="background:#f1f3f5;color:#111;border-radius:.8em;padding:.4em .9em;display:table;max-width:34em;white-space:pre-wrap">
{{- text }}</div></div>
{%- endfor %}
{%- endif %}
{%- if view.warnings %}
<p style="font-weight:600;margin:.6em 0 .2em">{{ warnings_title }}</p>
<ul style="margin:0 0 .5em 1.2em;padding:0">
{%- for warning in view.warnings %}
<li style="color:#a04000">{{ warning }}</li>
{%- endfor %}
</ul>
{%- endif %}
</div>
"""
