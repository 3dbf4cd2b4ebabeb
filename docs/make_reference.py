"""Write ``docs/reference.md`` and its Chinese twin from the docstrings: ``python docs/make_reference.py``."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import masanalytics as mas

FOLDER = Path(__file__).resolve().parent
HEADS = {
    "en": """# Reference

Made from the docstrings by `python docs/make_reference.py`. In a notebook, `mas.plan?` shows the same. Everything is
imported as `import masanalytics as mas`; names that live elsewhere say so. The words are explained in the
[glossary](glossary.md), the statistics in [how we count](how-we-count.md). [中文](reference.zh-CN.md)
""",
    "zh": """# 接口参考

由 `python docs/make_reference.py` 从代码的文档字符串和 `reference.zh-CN.toml` 生成。一律以 `import masanalytics as mas` 导入；
位于别处的名称会写明。词语的含义见[术语表](glossary.zh-CN.md)，统计方法见[统计口径](how-we-count.zh-CN.md)。[English](reference.md)
""",
}

GROUPS = {
    "Account and platform": ["Account", "Client"],
    "Plan and send": ["plan", "Plan", "Limits", "split", "send", "SendResult", "Canary", "settle", "outcomes"],
    "Collect": ["Collector", "Receiver", "replay"],
    "The store": ["Store"],
    "Analyse": [
        "delivery_rates", "error_codes", "latency", "timeline", "compare", "explain_change", "replies", "number_health",
        "HealthRule", "costs", "analysis.arrivals", "analysis.funnel", "notes_of",
    ],
    "Draw": [f"plot.{name}" for name in mas.plot.__all__],
    "Hand on": ["write_report", "watch"],
    "Codes": ["describe_code", "code_catalogue"],
    "Sheets and samples": ["read_sheet", "write_sheet", "normalise_phones", "sample_path", "mask_phone"],
    "Simulate": [
        "Simulator", "simulator.serve", "Fault", "simulator.Population", "simulator.Incident",
        "simulator.Scripted", "simulator.PlatformAccount", "simulator.Rules", "simulator.Style", "FastClock",
    ],
    "Errors": [
        "MasError", "InputError", "ConfigError", "MissingExtraError", "NetworkError", "CertificateError", "RefusedError",
        "AnswerError", "StoreError",
    ],
}  # fmt: skip
SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
LISTS = {"Parameters", "Attributes", "Returns", "Raises", "Yields"}
CHINESE = {
    "Account and platform": "账号与平台", "Plan and send": "计划与发送", "Collect": "采集", "The store": "Store",
    "Analyse": "分析", "Draw": "图表", "Hand on": "转交与跟踪", "Codes": "错误码", "Sheets and samples": "表格与样例",
    "Simulate": "模拟平台", "Errors": "错误", "More": "其他", "Parameters": "参数", "Attributes": "属性", "Returns": "返回",
    "Raises": "抛出", "Yields": "逐个给出", "Notes": "说明", "See Also": "另见", "Examples": "示例", "optional": "可选",
}  # fmt: skip


class Doc(NamedTuple):
    """A numpydoc docstring: its first paragraphs, and its sections."""

    text: str
    sections: dict[str, str]

    @classmethod
    def of(cls, text: str) -> Doc:
        """Divide a docstring."""
        pieces = SECTION.split(text)
        return cls(pieces[0].strip(), dict(zip(pieces[1::2], (body.strip("\n") for body in pieces[2::2]), strict=True)))

    def kinds(self, title: str) -> dict[str, str]:
        """Return the types of what a section describes: of the parameters or attributes, by name."""
        heads = entries(self.sections.get(title, ""))
        return {name: kind for name, _, kind in (head.partition(" : ") for head in heads)}


class Words:
    """What the reference says in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        path = FOLDER / "reference.zh-CN.toml"
        self.translated = tomllib.loads(path.read_text(encoding="utf-8")) if language == "zh" else {}

    def title(self, title: str) -> str:
        """Return a heading."""
        return CHINESE[title] if self.language == "zh" else title

    def doc(self, name: str, thing: Any) -> Doc:
        """Return what is said of `name`: types and examples are the docstring's own in either language."""
        own = Doc.of(inspect.getdoc(thing) or "")
        if self.language == "en" or not own.text:
            return own
        said = Doc.of(self.translated[name].strip("\n"))
        typed = {title: _typed(body, own.kinds(title)) for title, body in said.sections.items()}
        return Doc(
            said.text,
            {title: typed.get(title, body) for title, body in own.sections.items() if title in {*typed, "Examples"}},
        )

    def properties_of(self, name: str) -> str:
        """Return the line above a class's properties."""
        return f"{name} 的属性" if self.language == "zh" else f"Properties of {name}"


def entries(body: str) -> list[str]:
    """Return the head lines of a section's entries."""
    return [line for line in body.splitlines() if line.strip() and not line.startswith(" ")]


def _typed(body: str, kinds: dict[str, str]) -> str:
    """Return a section with the types behind its names."""
    return "\n".join(f"{line} : {kinds[line]}" if kinds.get(line) else line for line in body.splitlines())


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


def reference(language: str = "en") -> str:
    """Return the whole reference as Markdown."""
    words = Words(language)
    parts = [HEADS[language]]
    for title, names in groups().items():
        parts.append(f"## {words.title(title)}\n")
        for name in names:
            parts += entry(name, find(name), words)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def entry(name: str, thing: Any, words: Words) -> Iterator[str]:
    """Yield the lines of one name, and of a class its properties and methods."""
    yield f"### {name}\n"
    yield f"```text\n{signature(name.rpartition('.')[2], thing)}\n```\n"
    yield markdown(words.doc(name, thing), words)
    properties = [(key, value) for key, value in members(thing) if isinstance(value, property)]
    if properties:
        yield f"\n**{words.properties_of(name)}**\n"
        yield from (f"- `{key}`: {first_line(words.doc(f'{name}.{key}', value))}" for key, value in properties)
    for key, value in members(thing):
        if not isinstance(value, property):
            yield f"\n#### {name}.{key}\n"
            yield f"```text\n{signature(key, getattr(thing, key))}\n```\n"
            yield markdown(words.doc(f"{name}.{key}", value), words)


def members(thing: Any) -> list[tuple[str, Any]]:
    """Return the public properties and methods of a class; nothing of anything else."""
    if not inspect.isclass(thing):
        return []
    plain = {
        key: value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        for key, value in vars(thing).items()
        if not key.startswith("_")
    }
    return [(key, value) for key, value in plain.items() if isinstance(value, property) or inspect.isfunction(value)]


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


def first_line(doc: Doc) -> str:
    """Return the first sentence of a docstring."""
    return ticked(doc.text.split("\n\n")[0].replace("\n", " "))


def ticked(text: str) -> str:
    """Turn double backticks into single ones."""
    return text.replace("``", "`")


def markdown(doc: Doc, words: Words) -> str:
    """Return a docstring as Markdown."""
    lines = [ticked(doc.text), ""]
    for title, body in doc.sections.items():
        lines.append(f"**{words.title(title)}**\n")
        if title == "Examples":
            lines.append(f"```pycon\n{body.strip()}\n```\n")
        elif title in LISTS:
            lines += [*items(body, words), ""]
        else:
            lines += [ticked(body), ""]
    return "\n".join(lines)


def items(body: str, words: Words) -> Iterator[str]:
    """Yield a list item for each entry of a section: its name and type, then its text, indented."""
    for line in body.splitlines():
        if not line.strip():
            yield ""
        elif not line.startswith(" "):
            name, colon, kind = line.partition(" : ")
            shown = (
                re.sub(r"\boptional\b", words.title("optional"), ticked(kind))
                if words.language == "zh"
                else ticked(kind)
            )
            yield f"- `{name.strip('`')}`" + (f" ({shown}):" if colon else ":")
        else:
            yield "  " + ticked(line.removeprefix("    "))


if __name__ == "__main__":
    for language, file in (("en", "reference.md"), ("zh", "reference.zh-CN.md")):
        (FOLDER / file).write_text(reference(language), encoding="utf-8", newline="\n")
