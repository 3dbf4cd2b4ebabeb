"""A font that can show 送达率, on any machine.

Asked in this order: what the user chose (``MAS_FONT``, or the font matplotlib is set to, if it has Chinese glyphs), the
usual families of the system, the openly licensed font that the package ``zhplot`` carries. Where there is none, one
warning says what to do.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from masanalytics.errors import InputError
from masanalytics.i18n import _
from masanalytics.plot.masked import as_shown

__all__ = ["bundled_font", "font_chain", "printable", "printable_lines", "use_chinese_font"]

FALLBACK = "DejaVu Sans"
_PROBE = "送达率喆￥"
_SYSTEM_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Heiti SC",
    "SimHei",
    "Arial Unicode MS",
)
_MISSING_MARK = "□"


def use_chinese_font(font: str | None = None) -> str:
    """Set matplotlib's font for the whole session to one that shows Chinese, and return its family.

    The charts of this package need no such call. It is for charts of your own: this is the one function of the package
    that changes matplotlib's settings, and it does so because you ask.

    Parameters
    ----------
    font : str, optional
        A font family that matplotlib knows, or the path of a font file. By default the first that is found.

    Returns
    -------
    str
        The family now in use.

    Raises
    ------
    InputError
        If `font` is neither a known family nor a font file.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with mpl.rc_context():  # only here, so that this example changes nothing
    ...     family = use_chinese_font()
    ...     mpl.rcParams["font.family"][0] == family
    True
    """
    chain = (_register(font), FALLBACK) if font else font_chain()
    mpl.rcParams["font.family"] = list(chain)
    mpl.rcParams["axes.unicode_minus"] = False
    return chain[0]


def font_chain() -> tuple[str, ...]:
    """Return the font families to draw with, best first; each glyph is taken from the first that has it."""
    return _resolve(os.environ.get("MAS_FONT", ""), tuple(mpl.rcParams["font.family"]), _generic_families())


def bundled_font() -> Path | None:
    """Return the font file that the package zhplot carries, or None where it is not installed.

    The package is only located, never imported: importing it changes matplotlib's settings.
    """
    spec = importlib.util.find_spec("zhplot")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("fonts") / "NotoSansSC-Regular.ttf"
    return path if path.is_file() else None


def printable(text: str, chain: tuple[str, ...] | None = None) -> str:
    r"""Return `text` with what no font in `chain` can draw replaced by □, on one line, and no ``$`` read as mathematics.

    Names and texts come from people: a glyph that is missing would make matplotlib warn once a character.

    Examples
    --------
    >>> printable("春节\n活动 $5")
    '春节 活动 \\$5'
    """
    known = _glyphs(font_chain() if chain is None else chain)
    joined = " ".join(as_shown(text).split())
    return "".join(char if ord(char) in known else _MISSING_MARK for char in joined).replace("$", r"\$")


def printable_lines(text: str) -> str:
    """Make each line of `text` drawable."""
    return "\n".join(printable(line) for line in text.split("\n"))


@cache
def _resolve(asked: str, configured: tuple[str, ...], generic: tuple[str, ...]) -> tuple[str, ...]:
    if asked:
        return (_register(asked), FALLBACK)
    first = configured[0] if configured else ""
    candidates = (*generic, *_SYSTEM_FAMILIES) if first in ("sans-serif", "sans") else (first, *_SYSTEM_FAMILIES)
    for family in candidates:
        if _shows_chinese(family):
            return (family, FALLBACK)
    path = bundled_font()
    if path is not None:
        return (_add_file(path), FALLBACK)
    warnings.warn(
        _(
            "No font with Chinese glyphs was found: Chinese text in charts shows as boxes. "
            "Run: pip install zhplot, or set MAS_FONT to a font file."
        ),
        UserWarning,
        stacklevel=3,
    )
    return (FALLBACK,)


def _generic_families() -> tuple[str, ...]:
    # Only the first two: the sans-serif list of matplotlib ends in names that resolve to nothing.
    return tuple(mpl.rcParams["font.sans-serif"])[:2]


def _register(font: str) -> str:
    path = Path(font).expanduser()
    if path.is_file():
        return _add_file(path)
    if any(entry.name == font for entry in font_manager.fontManager.ttflist):
        return font
    raise InputError("font {font!r} is neither a font file nor a family matplotlib knows", font=font)


def _add_file(path: Path) -> str:
    try:
        family = FT2Font(str(path)).family_name
        font_manager.fontManager.addfont(str(path))
    except (RuntimeError, OSError) as error:
        raise InputError("{file} cannot be read as a font file", file=path.name) from error
    return family


def _shows_chinese(family: str) -> bool:
    entries = [entry for entry in font_manager.fontManager.ttflist if entry.name == family]
    # A variable font registers at its thinnest weight and would be drawn nearly unreadable.
    regular = [entry for entry in entries if entry.weight in (400, "normal", "regular", "book", 350, 500, "medium")]
    return bool(regular) and all(ord(char) in _charmap(regular[0].fname) for char in _PROBE)


@cache
def _glyphs(chain: tuple[str, ...]) -> frozenset[int]:
    paths = (font_manager.findfont(font_manager.FontProperties(family=family)) for family in chain)
    return frozenset().union(*(_charmap(path) for path in paths))


@cache
def _charmap(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()
