"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from masanalytics._version import __version__
from masanalytics.i18n import resolve_language
from masanalytics.report import tables
from masanalytics.report.contents import Contents
from masanalytics.report.pictures import as_svg
from masanalytics.report.request import Request
from masanalytics.report.sections import Section
from masanalytics.report.webfont import font_face
from masanalytics.report.words import definitions

__all__ = ["page"]


_LOOKS = {"advice": "long", "error_code": "code"}


def page(contents: Contents, request: Request) -> str:
    """Return the whole page. Whatever comes from data is escaped by the template; scripts other than ours cannot run."""
    folder = resources.files("masanalytics.report")
    script = folder.joinpath("page.js").read_text(encoding="utf-8").strip()
    template = _environment().get_template("page.html.j2")
    shown: dict[str, Any] = {
        "language": {"en": "en", "zh": "zh-CN"}[resolve_language(request.language)],
        "contents": contents,
        "facts": _facts(contents, request),
        "sections": [_section(section, request) for section in contents.sections],
        "definitions": definitions(request.language),
        "say": request.say,
        "version": __version__,
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": Markup(folder.joinpath("page.css").read_text(encoding="utf-8").strip()),  # noqa: S704 - our own file
    }
    words = template.render(**shown, font=Markup(""))
    # The letters are known only once everything is written: what is not markup decides which the font must have.
    return template.render(**shown, font=Markup(font_face(_visible(words))))  # noqa: S704 - base64


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("masanalytics.report", package_path="."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(text: str) -> str:
    return re.sub(r"<svg.*?</svg>|<style.*?</style>|<script.*?</script>|<[^>]*>", "", text, flags=re.DOTALL)


def _facts(contents: Contents, request: Request) -> list[tuple[str, str]]:
    names = [column.name(request.language) for column in contents.figures]
    rows = tables.cells_of(contents.whole, contents.figures, request.language, request.clean)
    return [(name, cell.text) for row in rows for name, cell in zip(names, row, strict=True)]


def _section(section: Section, request: Request) -> dict[str, Any]:
    svg = ""
    if section.chart is not None:
        chart = section.chart
        svg = as_svg(chart.draw, name=section.name, label=str(escape(section.title)), height=chart.height)
    return {
        "section": section,
        "svg": Markup(svg),  # noqa: S704 - drawn by matplotlib, texts are outlines
        "columns": [
            {
                "name": request.clean(column.name(request.language)),
                "number": column.is_number,
                "look": _LOOKS.get(column.key, "text"),
            }
            for column in section.columns
        ],
        "rows": tables.cells_of(section.table, section.columns, request.language, request.clean),
    }
