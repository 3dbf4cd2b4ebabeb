"""Texts with ``{column}`` placeholders: read once, checked against the columns before anything else."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from masanalytics.errors import InputError
from masanalytics.planning.columns import find_column

__all__ = ["Field", "Template", "parse_param", "parse_template"]

_WIDE_BRACES = re.compile(r"｛([^｛｝{}]+)｝")


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


def parse_template(text: str, columns: pd.Index[Any]) -> Template:
    """Cut a text at its placeholders.

    Parameters
    ----------
    text : str
        ``{column}`` or ``{column:format}``; ``{{`` and ``}}`` for braces. A column's name may hold spaces, dots and colons.
    columns : Index
        The frame's columns. Placeholders that name none of them come back with ``found`` False.

    Raises
    ------
    InputError
        If a brace stands alone or a placeholder is empty, or is written in full-width braces.

    Examples
    --------
    >>> template = parse_template("尊敬的{姓名}，您有{积分:,d}分{{}}", pd.Index(["姓名", "积分"]))
    >>> template.literals, [field.source for field in template.fields]
    (('尊敬的', '，您有', '分{}'), ['{姓名}', '{积分:,d}'])
    """
    for inside in _WIDE_BRACES.findall(text):
        if _field(inside, columns).found:
            raise InputError(
                f"the placeholder ｛{inside}｝ is written in full-width braces: write {{{inside}}}",
                zh=f"占位符 ｛{inside}｝ 用了全角括号，请改为半角：{{{inside}}}",
            )
    literals, fields = [""], []
    for kind, part in _pieces(text):
        if kind == "text":
            literals[-1] += part
        else:
            fields.append(_field(part, columns))
            literals.append("")
    return Template(tuple(literals), tuple(fields))


def parse_param(name: Hashable, columns: pd.Index[Any]) -> Field:
    """Return the field a template parameter means: a column, or ``"column:format"``.

    Examples
    --------
    >>> parse_param("到期日:%m月%d日", pd.Index(["到期日"]))
    Field(column='到期日', spec='%m月%d日', found=True)
    """
    if not isinstance(name, str):
        label = find_column(columns, name)
        return Field(name if label is None else label, "", found=label is not None)
    inside = name[1:-1] if name.startswith("{") and name.endswith("}") else name
    return _field(inside, columns)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("text", …) and ("field", …) in order."""
    place = 0
    while place < len(text):
        mark = text[place]
        if mark not in "{}":
            end = next((index for index in range(place, len(text)) if text[index] in "{}"), len(text))
            yield "text", text[place:end]
            place = end
        elif text[place : place + 2] in ("{{", "}}"):
            yield "text", mark
            place += 2
        else:
            end = text.find("}", place)
            inside = text[place + 1 : end] if mark == "{" and end > place else ""
            if not inside.strip() or "{" in inside:
                raise _bad_brace(text, place)
            yield "field", inside
            place = end + 1


def _bad_brace(text: str, place: int) -> InputError:
    around = text[max(0, place - 8) : place + 9]
    return InputError(
        f"a brace stands alone at character {place + 1}, in “{around}”: a placeholder is {{column}}, a brace itself {{{{ or }}}}",
        zh=f"第 {place + 1} 个字符处的括号不成对（“{around}”）：占位符写作 {{列名}}，括号本身写作 {{{{ 或 }}}}",
    )


def _field(inside: str, columns: pd.Index[Any]) -> Field:
    """Resolve what stands between two braces: the longest name that is a column, the rest its format."""
    for written in (inside, inside.strip()):
        label = find_column(columns, written)
        if label is not None:
            return Field(label, "", found=True)
    cuts = [index for index, character in enumerate(inside) if character in ":："]
    for cut in reversed(cuts):
        label = find_column(columns, inside[:cut])
        if label is None:
            label = find_column(columns, inside[:cut].strip())
        if label is None:
            continue
        if inside[cut] == "：":
            right = f"{{{inside[:cut]}:{inside[cut + 1 :]}}}"
            raise InputError(
                f"the colon in {{{inside}}} is full-width: write {right}",
                zh=f"{{{inside}}} 用了全角冒号，请改为半角：{right}",
            )
        return Field(label, inside[cut + 1 :], found=True)
    name, _, spec = inside.partition(":")
    return Field(name.strip(), spec, found=False)
