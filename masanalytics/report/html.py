"""The report as one HTML page that needs nothing else: its script, its pictures and its Chinese letters are inside."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from masanalytics._version import __version__
from masanalytics.i18n import _, resolve_language
from masanalytics.plot.fonts import bundled_font
from masanalytics.report import tables
from masanalytics.report.contents import Contents, Section

__all__ = ["page"]

# On the screen of a phone these open when they are asked for.
_LATER = ("change", "course", "latency", "health")
_BREAKDOWNS_AT_ONCE = 2
_LOOKS = {"advice": "long", "error_code": "code"}
_FONT_FAMILY = "masanalytics-report"
# Chinese only: quotation marks and dashes of the Latin text stay in the reader's own font.
_CHINESE = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))


def page(contents: Contents, clean: Callable[[str], str]) -> str:
    """Return the whole page. Whatever comes from data is escaped by the template; scripts other than ours cannot run."""
    folder = resources.files("masanalytics.report")
    script = folder.joinpath("page.js").read_text(encoding="utf-8").strip()
    template = _environment().get_template("page.html.j2")
    shown: dict[str, Any] = {
        "language": {"en": "en", "zh": "zh-CN"}[resolve_language()],
        "contents": contents,
        "facts": _facts(contents, clean),
        "sections": [_section(section, clean) for section in contents.sections],
        "later": _later(contents.sections),
        "definitions": contents.definitions,
        "words": {
            "definitions": _("What each figure means"),
            "sources": _("What this was computed from"),
            "aggregates": _("aggregates only; times are China time"),
            "fewer": _("Show less"),
            "columns": _("All columns"),
        },
        "version": __version__,
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": Markup(folder.joinpath("page.css").read_text(encoding="utf-8").strip()),  # noqa: S704 - our own file
    }
    # The letters are known only once everything is written: what is not markup decides which the font must have.
    place = f"/*{secrets.token_hex(16)}*/"
    before, after = template.render(**shown, font=Markup(place)).split(place)  # noqa: S704 - our own
    return before + _font_face(_visible(before + after)) + after


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


def _facts(contents: Contents, clean: Callable[[str], str]) -> list[tuple[str, str]]:
    headings = [str(column.heading) for column in contents.figures]
    rows = tables.cells_of(contents.whole, contents.figures, clean)
    return [(heading, cell.whole) for row in rows for heading, cell in zip(headings, row, strict=True)]


def _later(sections: Sequence[Section]) -> list[str]:
    """Return the names of the sections that are folded on the screen of a phone."""
    breakdowns = [section.name for section in sections if section.name.startswith("rates-")]
    return [*_LATER, *breakdowns[_BREAKDOWNS_AT_ONCE:]]


def _section(section: Section, clean: Callable[[str], str]) -> dict[str, Any]:
    picture = section.picture
    svg = "" if picture is None else picture.as_svg(name=section.name, label=str(escape(section.title)))
    return {
        "section": section,
        "svg": Markup(svg),  # noqa: S704 - drawn by matplotlib, texts are outlines
        "has_more": any(not column.brief for column in section.columns),
        "columns": [
            {
                "name": clean(str(column.heading)),
                "number": column.is_number,
                "look": _LOOKS.get(column.key, "text"),
                "brief": column.brief,
            }
            for column in section.columns
        ],
        "rows": tables.cells_of(section.table, section.columns, clean),
        "all": _("All {count:,} rows", count=len(section.table)),
    }


def _font_face(text: str) -> str:
    """Return a CSS ``@font-face`` rule with the Chinese letters of `text`; nothing where there are none.

    The font is the openly licensed (OFL) Noto Sans SC that zhplot carries, cut down to these letters.
    """
    letters = {char for char in set(text) if any(first <= ord(char) <= last for first, last in _CHINESE)}
    return _font_with("".join(sorted(letters)), bundled_font()) if letters else ""


@lru_cache(maxsize=8)
def _font_with(letters: str, path: Path | None) -> str:
    if path is None:
        return ""
    from fontTools import subset  # type: ignore[import-untyped]

    options = subset.Options(
        flavor="woff", layout_features=[], name_IDs=[0, 1, 2, 13, 14], hinting=False, notdef_outline=True
    )
    # What sets type in other ways, or downwards, is not even read.
    options.drop_tables += ["GSUB", "GPOS", "BASE", "STAT", "vhea", "vmtx"]
    buffer = io.BytesIO()
    with subset.load_font(str(path), options) as font:
        # Without names of its own each glyph would be given one that tells its letter, which nobody reads.
        font.setGlyphOrder([f"glyph{number:05d}" for number in range(font["maxp"].numGlyphs)])
        cutter = subset.Subsetter(options)
        cutter.populate(text=letters)
        cutter.subset(font)
        subset.save_font(font, buffer, options)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    spans = ",".join(f"U+{first:X}-{last:X}" for first, last in _CHINESE)
    return f"@font-face{{font-family:'{_FONT_FAMILY}';src:url(data:font/woff;base64,{data}) format('woff');unicode-range:{spans}}}"
