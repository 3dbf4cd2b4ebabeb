"""The documentation site: Sphinx reads these pages, the docstrings and the notebooks; two languages come from one source.

`python docs/build.py` builds both. English is written here; `locale/zh_CN` holds the Chinese, as the package's catalogue does.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from numpydoc import xref
from sphinx.application import Sphinx

import masanalytics as mas

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))

project = "masanalytics"
author = "The masanalytics developers"
version = release = mas.__version__
root_doc = "index"
exclude_patterns = ["_build", "locale"]
templates_path = ["_templates"]
extensions = ["sphinx.ext.autodoc", "myst_nb", "numpydoc", "sphinx_copybutton"]

# The language: pages, docstrings, and what the notebooks print and draw.
language = os.environ.get("DOCS_LANGUAGE", "en")
os.environ["MAS_LANGUAGE"] = language[:2]
locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False
figure_language_filename = "{root}.{language}{ext}"

# The docstrings: types are links, members stand where the code has them.
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
xref.DEFAULT_LINKS.clear()  # pages of Python's own documentation, which a build without a network could not find
numpydoc_xref_aliases = {name: f"masanalytics.{name}" for name in mas.__all__ if name[0].isupper()}
numpydoc_xref_ignore = "all"
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"

# The pages and the notebooks.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = os.environ.get("DOCS_NOTEBOOKS", "cache")
nb_execution_cache_path = str(DOCS / "_build" / f"notebooks-{language}")
nb_execution_in_temp = True  # both languages run at once
nb_execution_timeout = 300
nb_execution_raise_on_error = True
spark_runs_here = find_spec("pyspark") and (shutil.which("java") or "JAVA_HOME" in os.environ)
nb_execution_excludepatterns = [] if spark_runs_here else ["notebooks/*-on-spark.ipynb"]
nb_merge_streams = True
suppress_warnings = [
    "misc.highlighting_failure",  # lines for the shell, where notebooks are not run
    "i18n.inconsistent_references",  # a sentence may name a thing less often in Chinese
]

html_theme = "furo"
html_title = "masanalytics"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_sidebars = {
    "**": [
        "sidebar/brand.html", "sidebar/search.html", "sidebar/language.html", "sidebar/scroll-start.html",
        "sidebar/navigation.html", "sidebar/scroll-end.html",
    ]
}  # fmt: skip


def copy_notebooks(_app: Sphinx) -> None:
    """Bring the repository's notebooks below this folder, where Sphinx looks for pages; what runs are these copies."""
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = notebook.read_text(encoding="utf-8").replace("](../docs/", "](../")
        copy = DOCS / "notebooks" / notebook.name
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            written = copy.with_suffix(f".{os.getpid()}")  # the other language may be reading it
            written.write_text(text, encoding="utf-8")
            written.replace(copy)


def describe_columns(app: Sphinx) -> None:
    """Let the columns of frames be written below what returns them; they are no sentences, and need no translation."""
    from frame_columns import add_columns, all_columns

    if app.builder.format == "html":
        # After numpydoc, which sorts the sections of a docstring.
        app.connect("autodoc-process-docstring", add_columns(all_columns()), priority=900)


def number_headings(app: Sphinx) -> None:
    """Let the translation of "1. The sheet" be a heading: read as Markdown it would be a list, and the page kept its English."""
    for path in (DOCS / "locale").glob(f"{app.config.language}/LC_MESSAGES/notebooks/*.po"):
        catalogue = read_po(path.read_bytes().splitlines(keepends=True))
        for message in catalogue:
            message.string = re.sub(r"^(\d+)\. ", r"\1\\. ", str(message.string))
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)


def setup(app: Sphinx) -> None:
    """Connect what this site needs beyond its extensions."""
    from chinese_search import ChineseSearch

    app.add_search_language(ChineseSearch)
    app.connect("builder-inited", number_headings)
    app.connect("builder-inited", copy_notebooks)
    app.connect("builder-inited", describe_columns)
