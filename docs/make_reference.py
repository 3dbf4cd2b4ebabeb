"""Write ``docs/reference.md`` from the docstrings: ``python docs/make_reference.py``."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import masanalytics as mas

HEAD = """# Reference

Made from the docstrings by `python docs/make_reference.py`. In a notebook, `mas.plan?` shows the same. Everything is
imported as `import masanalytics as mas`; names that live elsewhere say so. The words are explained in the
[glossary](glossary.md), the statistics in [how we count](how-we-count.md).
"""

GROUPS = {
    "Account and platform": ["Account", "Client"],
    "Plan and send": ["plan", "Plan", "split", "send", "SendResult", "Canary", "outcomes"],
    "Collect": ["Collector", "replay"],
    "The store": ["Store"],
    "Analyse": [
        "delivery_rates", "error_codes", "latency", "timeline", "compare", "explain_change", "replies", "number_health",
        "costs", "analysis.arrivals", "analysis.steps", "analysis.notes_of",
    ],
    "Draw": [f"plot.{name}" for name in mas.plot.__all__],
    "Hand on": ["write_report", "watch"],
    "Codes": ["describe_code", "code_catalogue"],
    "Sheets and samples": ["sheets.read_sheet", "sheets.write_sheet", "samples.sample_path"],
    "Simulate": [
        "Simulator", "simulator.serve", "simulator.Fault", "simulator.Population", "simulator.Incident",
        "simulator.Scripted", "simulator.PlatformAccount", "simulator.Rules", "simulator.Style", "clock.FastClock",
    ],
    "Errors": [
        "MasError", "InputError", "ConfigError", "MissingExtraError", "NetworkError", "CertificateError", "RefusedError",
        "AnswerError", "StoreError",
    ],
}  # fmt: skip
SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
LISTS = {"Parameters", "Attributes", "Returns", "Raises", "Yields"}


def find(name: str) -> Any:
    """Return what a name of `GROUPS` stands for."""
    home, _, rest = name.rpartition(".")
    return getattr(importlib.import_module(f"masanalytics.{home}") if home else mas, rest)


def groups() -> dict[str, list[str]]:
    """Return `GROUPS` without what is not there, and with what no group has."""
    public = set(mas.__all__) - {"__version__", "plot"}
    found = {title: [name for name in names if "." in name or name in public] for title, names in GROUPS.items()}
    rest = sorted(public - {name for names in GROUPS.values() for name in names})
    return {**found, "More": rest} if rest else found


def reference() -> str:
    """Return the whole reference as Markdown."""
    parts = [HEAD]
    for title, names in groups().items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += entry(name, find(name))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def entry(name: str, thing: Any) -> Iterator[str]:
    """Yield the lines of one name, and of a class its properties and methods."""
    yield f"### {name}\n"
    yield f"```text\n{signature(name.rpartition('.')[2], thing)}\n```\n"
    yield markdown(inspect.getdoc(thing) or "")
    if not inspect.isclass(thing):
        return
    members = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
    properties = [(key, value) for key, value in members.items() if isinstance(value, property)]
    if properties:
        yield f"\n**Properties of {name}**\n"
        yield from (f"- `{key}`: {first_line(value)}" for key, value in properties)
    for key, value in members.items():
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if inspect.isfunction(function):
            yield f"\n#### {name}.{key}\n"
            yield f"```text\n{signature(key, getattr(thing, key))}\n```\n"
            yield markdown(inspect.getdoc(function) or "")


def signature(name: str, thing: Any) -> str:
    """Return how a thing is called, without its annotations: the docstring has the types."""
    if inspect.isclass(thing) and issubclass(thing, tuple) and not hasattr(thing, "_fields"):
        return name
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty, default=plain(parameter.default))
        for key, parameter in found.parameters.items()
        if key != "self" and not key.startswith("_")
    ]
    text = str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return wrapped(name + text)


def plain(default: Any) -> Any:
    """Return a default that reads the same on every machine and in every run."""
    if default is inspect.Parameter.empty or default is None or isinstance(default, (bool, int, float, str, tuple)):
        return default
    return typing.cast("Any", _Shown())


class _Shown:
    def __repr__(self) -> str:
        return "..."


def wrapped(text: str, width: int = 116) -> str:
    """Break a long signature after its commas."""
    lines = [""]
    for word in re.split(r"(?<=, )", text):
        if len(lines[-1]) + len(word) > width:
            lines.append("    ")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def first_line(thing: Any) -> str:
    """Return the first sentence of a docstring."""
    return ticked((inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " "))


def ticked(text: str) -> str:
    """Turn double backticks into single ones."""
    return text.replace("``", "`")


def markdown(doc: str) -> str:
    """Return a numpydoc docstring as Markdown."""
    pieces = SECTION.split(doc)
    lines = [ticked(pieces[0].strip()), ""]
    for title, text in zip(pieces[1::2], pieces[2::2], strict=True):
        body = text.strip("\n")
        lines.append(f"**{title}**\n")
        if title == "Examples":
            lines.append(f"```pycon\n{body.strip()}\n```\n")
        elif title in LISTS:
            lines += [*items(body), ""]
        else:
            lines += [ticked(body), ""]
    return "\n".join(lines)


def items(body: str) -> Iterator[str]:
    """Yield a list item for each entry of a section: its name and type, then its text, indented."""
    for line in body.splitlines():
        if not line.strip():
            yield ""
        elif not line.startswith(" "):
            name, colon, kind = line.partition(" : ")
            yield f"- `{name.strip('`')}`" + (f" ({ticked(kind)}):" if colon else ":")
        else:
            yield "  " + ticked(line.removeprefix("    "))


if __name__ == "__main__":
    (Path(__file__).resolve().parent / "reference.md").write_text(reference(), encoding="utf-8", newline="\n")
