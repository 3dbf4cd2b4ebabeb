"""Fonts: Chinese shows on any machine, and what cannot be drawn never makes matplotlib warn."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest

from masanalytics.errors import InputError
from masanalytics.plot import fonts, use_chinese_font


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing chosen, nothing remembered, no Chinese font on the system."""
    monkeypatch.delenv("MAS_FONT", raising=False)
    monkeypatch.setattr(fonts, "_SYSTEM_FAMILIES", ())
    fonts._resolve.cache_clear()
    yield
    fonts._resolve.cache_clear()


def test_the_carried_font_is_used_where_the_system_has_none() -> None:
    """On a machine without Chinese fonts the font that zhplot carries is drawn with, DejaVu Sans after it."""
    assert fonts.font_chain() == ("Noto Sans SC", "DejaVu Sans")


def test_the_users_font_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAS_FONT, a family or a file, wins over everything."""
    monkeypatch.setenv("MAS_FONT", "DejaVu Serif")
    assert fonts.font_chain() == ("DejaVu Serif", "DejaVu Sans")


def test_matplotlibs_own_setting_is_kept_if_it_shows_chinese() -> None:
    """A font the user has set in matplotlib is drawn with where it has Chinese glyphs, and passed over where not."""
    family = fonts.font_chain()[0]
    with mpl.rc_context({"font.family": [family]}):
        assert fonts.font_chain()[0] == family
    with mpl.rc_context({"font.family": ["DejaVu Serif"]}):
        assert fonts.font_chain()[0] == "Noto Sans SC"


def test_a_system_family_comes_before_the_carried_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual family of the system is taken before the carried font; one registered only as thin is not."""
    carried = fonts.font_chain()[0]
    entry = next(one for one in mpl.font_manager.fontManager.ttflist if one.name == carried)
    thin = type(entry)(fname=entry.fname, name="Thin Sans", weight=100)
    usual = type(entry)(fname=entry.fname, name="System Sans", weight=400)
    monkeypatch.setattr(mpl.font_manager.fontManager, "ttflist", [thin, usual])
    monkeypatch.setattr(fonts, "_SYSTEM_FAMILIES", ("Thin Sans", "System Sans"))
    fonts._resolve.cache_clear()
    assert fonts.font_chain() == ("System Sans", "DejaVu Sans")


def test_without_any_font_there_is_one_warning_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing has Chinese glyphs, one warning names the remedy, once."""
    monkeypatch.setattr(fonts, "bundled_font", lambda: None)
    with pytest.warns(UserWarning, match="pip install zhplot"):
        assert fonts.font_chain() == ("DejaVu Sans",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fonts.font_chain() == ("DejaVu Sans",)
        assert fonts.printable("送达 ok", ("DejaVu Sans",)) == "□□ ok"


def test_use_chinese_font_sets_matplotlib_on_purpose() -> None:
    """use_chinese_font changes matplotlib's settings, and only the two it speaks of."""
    with mpl.rc_context():
        before = dict(mpl.rcParams)
        assert use_chinese_font() == "Noto Sans SC"
        changed = {key for key in before if before[key] != mpl.rcParams[key]}
        assert changed == {"font.family", "axes.unicode_minus"}
        assert use_chinese_font("DejaVu Serif") == "DejaVu Serif"


def test_an_unknown_font_is_refused() -> None:
    """A font that is neither a file nor a family is refused by name."""
    with pytest.raises(InputError, match="微软雅黑"):
        use_chinese_font("微软雅黑")


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    """A file that is no font is refused by name."""
    path = tmp_path / "font.ttf"
    path.write_text("not a font")
    with pytest.raises(InputError, match=r"font\.ttf"):
        use_chinese_font(str(path))


def test_what_no_font_has_becomes_a_box() -> None:
    """Glyphs that no font has are boxes, spaces and line breaks are one space, dollars are no formula."""
    assert fonts.printable("a\n b\t c") == "a b c"
    assert fonts.printable("$x$") == r"\$x\$"
    assert fonts.printable("\U0001f9ff") == "□"


@pytest.mark.slow
def test_the_package_with_the_font_is_never_imported() -> None:
    """The package zhplot is located, not imported: importing it changes matplotlib's settings and the environment."""
    script = (
        "import sys, os, matplotlib as mpl; mpl.use('Agg'); before = dict(mpl.rcParams), dict(os.environ)\n"
        "from masanalytics import plot; plot.fonts.font_chain()\n"
        "print('zhplot' in sys.modules, (dict(mpl.rcParams), dict(os.environ)) == before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
