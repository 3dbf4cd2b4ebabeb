"""The Chinese letters a page uses, as a font inside the page: it reads the same where no Chinese font is installed."""

from __future__ import annotations

import base64
import io

from masanalytics.plot.fonts import bundled_font

__all__ = ["FAMILY", "font_face"]

FAMILY = "masanalytics-report"
# Chinese only: quotation marks and dashes of the Latin text stay in the reader's own font.
_RANGES = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))


def font_face(text: str) -> str:
    """Return a CSS ``@font-face`` rule with the Chinese letters of `text`; nothing where there are none.

    The font is the openly licensed (OFL) Noto Sans SC that zhplot carries, cut down to these letters.
    """
    letters = sorted({char for char in text if any(first <= ord(char) <= last for first, last in _RANGES)})
    path = bundled_font()
    if not letters or path is None:
        return ""
    from fontTools import subset  # type: ignore[import-untyped]

    options = subset.Options(
        flavor="woff", layout_features=[], name_IDs=[0, 1, 2, 13, 14], hinting=False, notdef_outline=True
    )
    buffer = io.BytesIO()
    with subset.load_font(str(path), options) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text="".join(letters))
        cutter.subset(font)
        subset.save_font(font, buffer, options)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    spans = ",".join(f"U+{first:X}-{last:X}" for first, last in _RANGES)
    return f"@font-face{{font-family:'{FAMILY}';src:url(data:font/woff;base64,{data}) format('woff');unicode-range:{spans}}}"
