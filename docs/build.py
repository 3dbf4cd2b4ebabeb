"""Build the documentation, and keep its Chinese complete: ``python docs/build.py [html|update|check]``.

``html`` (the default) writes ``docs/_build/html/en`` and ``…/zh``; a warning is an error. ``html zh`` runs the notebooks of the Chinese site
alone. ``update`` collects the sentences of pages,
docstrings and notebooks into ``docs/locale``, where the empty ``msgstr`` are to be filled; ``check`` fails while one is empty. Sentences that
are gone are dropped. ``python docs/build.py notebooks`` writes the Chinese notebooks from the English ones and their catalogue.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

DOCS = Path(__file__).resolve().parent
NOTEBOOKS = DOCS.parent / "notebooks"
PO = DOCS / "locale" / "zh_CN" / "LC_MESSAGES"
ENGLISH_ONLY = {"changelog.pot"}  # long, and for people who read the code, which is English too
FRAME = "sphinx.po"  # the words around every page, by hand
SAME_IN_BOTH = re.compile(
    r"[^A-Za-z]*|\W*`[^`]*`\W*|:\w+:`[^`]*`|(?![A-Za-z]+$)[\w.]+\(?\)?|(?:Spark|Clock|Archived|hashable)|\*\*(\\\*|[^ *])+\*\*|\*\*(\w+, )+\**\w+\*\*|!\[.*"
)

IN_CODE = re.compile(r"`([^`]+)`")
WITH_UNDERSCORE = re.compile(r"[a-z]+(?:_[a-z]+)+")


def sphinx(builder: str, target: Path, language: str = "en", **environment: str) -> None:
    """Run Sphinx; warnings are errors."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", builder, str(DOCS), str(target)]
    subprocess.run(command, check=True, env=os.environ | {"DOCS_LANGUAGE": language} | environment)


def html(*run: str) -> None:
    """Build both languages and a page that leads to them; notebooks are run in the languages `run`, or in both."""
    languages = {"en": "en", "zh": "zh_CN"}

    def build(folder: str) -> None:
        shown = {"DOCS_NOTEBOOKS": "off"} if run and folder not in run else {}
        sphinx("html", DOCS / "_build" / "html" / folder, languages[folder], **shown)

    with ThreadPoolExecutor() as both:
        list(both.map(build, languages))
    for folder in languages:
        check_search(DOCS / "_build" / "html" / folder / "_static" / "language_data.js")
    start = '<!doctype html><meta charset="utf-8"><title>masanalytics</title><script>location.replace('
    start += '(navigator.language.startsWith("zh")?"zh":"en")+"/index.html")</script>'
    start += '<p><a href="en/index.html">English</a> · <a href="zh/index.html">中文</a></p>'
    (DOCS / "_build" / "html" / "index.html").write_text(start, encoding="utf-8")


def check_search(script: Path) -> None:
    """Fail where the search ends with an error at every question: its script uses a stemmer that it does not define."""
    text = script.read_text(encoding="utf-8")
    used = re.findall(r"window\.Stemmer = (\w+);", text)
    if not used or not all(f"{name}=function" in text or f"{name} = function" in text for name in used):
        raise SystemExit(f"{script}: the search has no stemmer {', '.join(used)}: see docs/chinese_search.py.")


def templates(folder: Path) -> dict[Path, Catalog]:
    """Return what the pages say now: for each catalogue its sentences without translation."""
    sphinx("gettext", folder, DOCS_NOTEBOOKS="off")
    found = {}
    for path in sorted(folder.rglob("*.pot")):
        if path.name not in ENGLISH_ONLY:
            found[path.relative_to(folder).with_suffix(".po")] = read_po(path.read_bytes().splitlines(keepends=True))
    return found


def translated(path: Path, template: Catalog) -> Catalog:
    """Return the kept catalogue with exactly the sentences of the template."""
    kept = read_po(path.read_bytes().splitlines(keepends=True), locale="zh_CN") if path.exists() else Catalog()
    catalogue = Catalog(locale="zh_CN", project="masanalytics", fuzzy=False, creation_date=kept.creation_date)
    for message in template:
        if message.id:
            old = kept.get(str(message.id))
            catalogue.add(str(message.id), str(old.string) if old is not None else "")
    return catalogue


def lacking(catalogue: Catalog) -> list[str]:
    """Return the sentences that lack their Chinese; names and code need none."""
    return [
        str(message.id)
        for message in catalogue
        if message.id and not message.string and not SAME_IN_BOTH.fullmatch(str(message.id))
    ]


def misplaced(catalogue: Catalog) -> list[str]:
    """Return the sentences whose Chinese lacks a name with an underscore that they have in code: it is another's, or of before."""
    found = []
    for message in catalogue:
        sentence, own = str(message.id), str(message.string)
        named = {name for code in IN_CODE.findall(sentence) for name in WITH_UNDERSCORE.findall(code)}
        if own and not sentence.startswith("**") and not named <= set(WITH_UNDERSCORE.findall(own)):
            found.append(sentence)
    return found


def update(*, write: bool = True) -> int:
    """Bring the catalogues up to date; return how many sentences lack their Chinese, or have another's."""
    missing = 0
    with tempfile.TemporaryDirectory() as folder:
        found = templates(Path(folder))
    for name, template in found.items():
        catalogue = translated(PO / name, template)
        for sentence in [*lacking(catalogue), *misplaced(catalogue)]:
            missing += 1
            print(f"{name}: {sentence}")
        if write:
            (PO / name).parent.mkdir(parents=True, exist_ok=True)
            with (PO / name).open("wb") as file:
                write_po(file, catalogue, width=0, omit_header=False, sort_output=False, no_location=True)
    if write:
        for path in set(PO.rglob("*.po")) - {PO / name for name in found} - {PO / FRAME}:
            path.unlink()
    return missing


def blocks(text: str) -> list[str]:
    """Return the parts of a Markdown cell: headings, paragraphs, list items, fenced code, blank lines between."""
    return re.split(r"(\n\s*\n|\n(?=[-*] )|(?s:```.*?```))", text)


def chinese(text: str, words: dict[str, str]) -> str:
    """Return a Markdown cell in Chinese, part by part."""
    out = []
    for block in blocks(text):
        marks, sentence = re.match(r"(\s*(?:#+ |[-*] )?)(.*)", block, re.DOTALL).groups()  # type: ignore[union-attr]
        key = " ".join(sentence.split())
        out.append(marks + words[key] if words.get(key) else block)
    return "".join(out)


def notebooks() -> None:
    """Write the Chinese notebooks: the same code, the words of the catalogue."""
    (NOTEBOOKS / "zh-CN").mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        catalogue = read_po((PO / "notebooks" / f"{path.stem}.po").read_bytes().splitlines(keepends=True))
        words = {" ".join(str(message.id).split()): str(message.string) for message in catalogue if message.id}
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = chinese("".join(cell["source"]), words).splitlines(keepends=True)
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (NOTEBOOKS / "zh-CN" / path.name).write_text(text, encoding="utf-8", newline="\n")


def check() -> None:
    """Fail while a sentence lacks its Chinese."""
    if missing := update(write=False):
        raise SystemExit(
            f"{missing} sentences lack their Chinese, or have another's: python docs/build.py update, and fill docs/locale."
        )


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "html"
    {"html": html, "update": update, "check": check, "notebooks": notebooks}[chosen](*sys.argv[2:])
