"""What the messages say: a column of texts, a text with ``{column}`` placeholders, or a template of the platform.

It is read once and checked against the columns before any row is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.text import plain_name

__all__ = [
    "ContentColumn",
    "Field",
    "PlatformTemplate",
    "Template",
    "TextTemplate",
    "Wording",
    "by_arm",
    "parse_param",
    "parse_template",
    "parse_wording",
]

_WIDEST: Final = 1000
_WIDE_BRACES = re.compile(r"｛([^｛｝{}]+)｝")
Labels: TypeAlias = Mapping[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class Field:
    """One placeholder.

    Attributes
    ----------
    column : hashable
        The column's label; the name that was written, where no column is called so.
    spec : str
        The format behind the colon, as in Python's format strings; empty where there is none.
    found : bool
        Whether there is such a column.
    """

    column: Hashable
    spec: str
    found: bool

    @property
    def source(self) -> str:
        """The placeholder as it is written."""
        return "{" + str(self.column) + (f":{self.spec}" if self.spec else "") + "}"


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its placeholders: ``literals`` has one more element than ``fields``."""

    literals: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class ContentColumn:
    """Wording: each row has its whole text in this column."""

    column: Hashable

    @property
    def columns(self) -> list[Hashable]:
        """Every column it needs, found or not."""
        return [self.column]


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """Wording: a text with placeholders for all, under None, or one for each arm."""

    by_arm: Mapping[str | None, Template]

    @property
    def columns(self) -> list[Hashable]:
        """Every column it needs, found or not."""
        return [field.column for template in self.by_arm.values() for field in template.fields]


@dataclass(frozen=True, slots=True)
class PlatformTemplate:
    """Wording: a template of the platform, the columns of its parameters, and its text as its owner knows it."""

    template_id: str
    params: tuple[Field, ...]
    text: Template | None = None

    @property
    def columns(self) -> list[Hashable]:
        """Every column it needs, found or not."""
        return [field.column for field in self.params]


Wording: TypeAlias = ContentColumn | TextTemplate | PlatformTemplate
"""What the messages of a plan say."""


def by_arm(argument: str, given: Mapping[Any, str]) -> dict[str, str]:
    """Return what was given for each arm, under the arm's name as it is kept.

    Raises
    ------
    InputError
        Where two of the names look alike.
    """
    named = {plain_name(str(arm)): one for arm, one in given.items()}
    if len(named) < len(given):
        raise InputError(
            "{argument}= is given by arm, and two of these are one name: {arms}",
            argument=argument,
            arms=", ".join(map(repr, given)),
        )
    return named


def parse_wording(
    labels: Labels,
    *,
    content: Hashable | None,
    text: str | Mapping[str, str] | None,
    template_id: str | None,
    params: Sequence[Hashable] | Hashable | None,
) -> Wording:
    """Read the wording from the arguments of `masanalytics.plan`.

    Parameters
    ----------
    labels : mapping
        The label of each column by name, as `masanalytics.planning.columns.labels_by_name` returns it.
    content, text, template_id, params
        As they were given to `masanalytics.plan`.

    Raises
    ------
    InputError
        Where not exactly one way of saying it was given, or a text is not well formed.
    """
    _check_ways({"content": content, "text": text, "template_id": template_id}, params)
    if text is not None:
        texts: Mapping[Any, str] = {None: text} if isinstance(text, str) else text
        if not texts or any(not isinstance(one, str) or not one.strip() for one in texts.values()):
            raise InputError("the text is empty")
        named: Mapping[Any, str] = texts if isinstance(text, str) else by_arm("text", texts)
        return TextTemplate({arm: parse_template(one, labels) for arm, one in named.items()})
    if template_id is None:
        return ContentColumn(content)
    if not plain_name(str(template_id)):
        raise InputError("template_id= is empty")
    names: list[Hashable] = [params] if isinstance(params, str) else list(params or ())  # type: ignore[call-overload]
    return PlatformTemplate(plain_name(str(template_id)), tuple(parse_param(name, labels) for name in names))


def _check_ways(ways: Mapping[str, object], params: object) -> None:
    given = [f"{name}=" for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise InputError(
            "say what to send with exactly one of content= (a column), text= (a text) and template_id=; this has {given}",
            given=_listed(given) if given else Text("none of them"),
        )
    if params is not None and ways["template_id"] is None:
        raise InputError("params= goes with template_id= only")


def _listed(names: Sequence[str]) -> Text | str:
    if len(names) == 1:
        return names[0]
    return Text("{first} and {second}", first=_listed(names[:-1]), second=names[-1])


def parse_template(text: str, labels: Labels) -> Template:
    """Cut a text at its placeholders.

    Parameters
    ----------
    text : str
        ``{column}`` or ``{column:format}``; ``{{`` and ``}}`` for braces. A column's name may hold spaces, dots and colons.
    labels : mapping
        The label of each column by name. Placeholders that name none of them come back with ``found`` False.

    Raises
    ------
    InputError
        If a brace stands alone or a placeholder is empty, or is written in full-width braces.

    Examples
    --------
    >>> template = parse_template("尊敬的{姓名}，您有{积分:,d}分{{}}", {"姓名": "姓名", "积分": "积分"})
    >>> template.literals, [field.source for field in template.fields]
    (('尊敬的', '，您有', '分{}'), ['{姓名}', '{积分:,d}'])
    """
    for name in _WIDE_BRACES.findall(text):
        if _field(name, labels).found:
            raise InputError(
                "the placeholder {wide} is written in full-width braces: write {right}",
                wide=f"｛{name}｝",
                right=f"{{{name}}}",
            )
    literals, fields = [""], []
    for kind, part in _literals_and_fields(text):
        if kind == "literal":
            literals[-1] += part
        else:
            fields.append(_field(part, labels))
            literals.append("")
    return Template(tuple(literals), tuple(fields))


def parse_param(name: Hashable, labels: Labels) -> Field:
    """Return the field a template parameter means: a column, or ``"column:format"``.

    Examples
    --------
    >>> parse_param("到期日:%m月%d日", {"到期日": "到期日"})
    Field(column='到期日', spec='%m月%d日', found=True)
    """
    if not isinstance(name, str):
        return Field(labels.get(name, name), "", found=name in labels)
    inside = name[1:-1] if name.startswith("{") and name.endswith("}") else name
    return _field(inside, labels)


def _literals_and_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("literal", …) and ("field", …) in order."""
    start = 0
    while start < len(text):
        mark = text[start]
        if mark not in "{}":
            end = next((index for index in range(start, len(text)) if text[index] in "{}"), len(text))
            yield "literal", text[start:end]
            start = end
        elif text[start : start + 2] in ("{{", "}}"):
            yield "literal", mark
            start += 2
        else:
            end = text.find("}", start)
            inside = text[start + 1 : end] if mark == "{" and end > start else ""
            if not inside.strip() or "{" in inside:
                raise InputError(
                    "a brace stands alone at character {position}, in “{around}”: a placeholder is {{column}}, a brace itself"
                    " {{{{ or }}}}",
                    position=start + 1,
                    around=text[max(0, start - 8) : start + 9],
                )
            yield "field", inside
            start = end + 1


def _refuse_huge(inside: str, spec: str) -> None:
    """Raise InputError for a width or precision that no text message has room for."""
    if any(int(digits) > _WIDEST for digits in re.findall(r"[0-9]+", spec)):
        raise InputError(
            "the placeholder {field} asks for more than {widest:,} characters: give a smaller width or precision",
            field=f"{{{inside}}}",
            widest=_WIDEST,
        )


def _field(inside: str, labels: Labels) -> Field:
    """Resolve what stands between two braces: the longest name that is a column, the rest its format."""
    for written in (inside, inside.strip()):
        if written in labels:
            return Field(labels[written], "", found=True)
    colons = [index for index, character in enumerate(inside) if character in ":："]
    for colon in reversed(colons):
        before, behind = inside[:colon], inside[colon + 1 :]
        name = before if before in labels else before.strip()
        if name not in labels:
            continue
        if inside[colon] == "：":
            raise InputError(
                "the colon in {wide} is full-width: write {right}",
                wide=f"{{{inside}}}",
                right=f"{{{before}:{behind}}}",
            )
        _refuse_huge(inside, behind)
        return Field(labels[name], behind, found=True)
    name, _, spec = inside.partition(":")
    return Field(name.strip(), spec, found=False)
