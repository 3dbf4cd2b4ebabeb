"""Keep the catalogue of translations: ``update`` collects sentences, ``check`` fails where one lacks its Chinese.

Usage: ``python .ci/messages.py update`` after changing a sentence in the code; fill the empty ``msgstr`` in the .po file and run
it again, which compiles it. Entries that no code says any more are dropped. ``check`` writes nothing.
"""

from __future__ import annotations

import ast
import io
import string
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent / "masanalytics"
PO = PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES" / "masanalytics.po"
# click looks for its own sentences under the name that gettext gives to a program's: what a user can meet is in these modules.
CLICK_PO = PO.with_name("messages.po")
CLICK_MODULES = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")
# Each takes an English sentence and, where a count decides, its plural: the calls that masanalytics.i18n and .errors define.
ERRORS = {
    "InputError",
    "BudgetError",
    "ConfigError",
    "NetworkError",
    "CertificateError",
    "RefusedError",
    "AnswerError",
    "StoreError",
}
SPEAKERS = {"_", "N_", "ngettext", "Text", *ERRORS}


def sentences(tree: ast.AST) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the sentence (with its plural, if there is one) of every call that says something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(map(_makes_command, node.decorator_list)):
            yield node.lineno, (ast.get_docstring(node) or "",)
        elif isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield node.value.lineno, (str(node.value.value),)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS and node.args:
            if any(keyword.arg == "zh" for keyword in node.keywords):
                continue
            said = []
            for argument in node.args[:2]:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    break
                said.append(argument.value)
            if said:
                yield node.lineno, tuple(said)


def _makes_command(decorator: ast.expr) -> bool:
    """Return whether a function becomes a command of the command line, which says its docstring as help."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("command", "group")


def written_together(tree: ast.AST) -> Iterator[int]:
    """Yield the lines where an f-string, a sum or a choice stands in place of a sentence: nothing can collect it."""
    for node in ast.walk(tree):
        speaks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS
        if speaks and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp | ast.IfExp):
            yield node.lineno


def said() -> tuple[Catalog, list[str]]:
    """Return every sentence of the code with the files that say it, and what cannot be translated as it is written."""
    catalogue, faults = Catalog(domain="masanalytics", locale="zh_CN", charset="utf-8", fuzzy=False), []
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        name = file.relative_to(PACKAGE).as_posix()
        for _, sentence in sentences(tree):
            catalogue.add(sentence if len(sentence) == 2 else sentence[0], locations=[(name, 0)])
        faults += [
            f"{name}:{line}: a sentence that is put together cannot be translated: write each out, give its values by name"
            for line in written_together(tree)
        ]
    return catalogue, faults


def merged() -> tuple[Catalog, list[str]]:
    """Return the sentences of the code with the translations there are, and what is wrong with them."""
    old = Catalog(locale="zh_CN")
    if PO.exists():
        with PO.open("rb") as file:
            old = read_po(file, locale="zh_CN", domain="masanalytics")
    known = {_source(message.id): message for message in old if message.id}
    new, faults = said()
    for message in new:
        source = _source(message.id)
        if source in known:
            chinese = known[source].string
            chinese = chinese if isinstance(chinese, str) else (chinese or ("",))[0]
            message.string = (chinese,) if message.pluralizable else chinese
            if known[source].fuzzy:
                message.flags.add("fuzzy")
            faults += _wrong(message, chinese)
        elif source:
            faults.append(f"no Chinese for {source!r}")
    return new, faults


def _source(identity: str | tuple[str, ...]) -> str:
    return identity if isinstance(identity, str) else identity[0]


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def _wrong(message: object, chinese: str) -> list[str]:
    identity = message.id  # type: ignore[attr-defined]
    source = _source(identity)
    if not chinese:
        return [f"no Chinese for {source!r}"]
    if message.fuzzy:  # type: ignore[attr-defined]
        return [f"fuzzy: {source!r}"]
    extra = _names(chinese) - set().union(*map(_names, [identity] if isinstance(identity, str) else identity))
    return [f"{source!r}: its Chinese names {sorted(extra)}, which the sentence has not"] if extra else []


def of_click() -> tuple[Catalog, list[str]]:
    """Return the Chinese of click's own sentences, and which of the installed click's lack it."""
    with CLICK_PO.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", domain="messages")
    known = {_source(message.id) for message in catalogue if message.id and message.string}
    said: set[str] = set()
    for name in CLICK_MODULES:
        for node in ast.walk(ast.parse((Path(click.__file__).parent / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                said |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
    return catalogue, [f"no Chinese for click's {sentence!r}" for sentence in sorted(said - known)]


def as_po(catalogue: Catalog) -> bytes:
    """Return the text of the catalogue in the order of its sentences, without dates, so that two branches seldom meet."""
    file = io.BytesIO()
    for message in catalogue:
        message.flags.discard("python-format")
        message.flags.discard("python-brace-format")
    write_po(file, catalogue, width=0, sort_output=True, omit_header=True, include_lineno=False)
    return HEADER + file.getvalue()


HEADER = b"""# The Chinese of every sentence that masanalytics says. Kept by .ci/messages.py.
msgid ""
msgstr ""
"Language: zh_CN\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def main(command: str) -> int:
    """Carry out `command`; return the exit code."""
    catalogue, faults = merged()
    clicks, more = of_click()
    # A date of the day would make the same sentences another file every minute.
    catalogue.creation_date = clicks.creation_date = datetime(2026, 1, 1, tzinfo=UTC)
    text, compiled = as_po(catalogue), io.BytesIO()
    write_mo(compiled, catalogue)
    compiled_click = io.BytesIO()
    write_mo(compiled_click, clicks)
    faults += more
    made = {
        PO: text,
        PO.with_suffix(".mo"): compiled.getvalue(),
        CLICK_PO.with_suffix(".mo"): compiled_click.getvalue(),
    }
    for path, content in made.items():
        if command == "update":
            path.write_bytes(content)
        elif not path.exists() or path.read_bytes() != content:
            faults.append(f"{path.name} is not what the code says: run python .ci/messages.py update")
    print("\n".join(faults) or f"{len(catalogue):,} sentences, all in Chinese")
    return 1 if faults and command == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else "check"))
