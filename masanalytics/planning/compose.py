"""From the columns that were named to one text, or one set of template parameters, a row."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.phones import REASONS
from masanalytics.planning.columns import find_column, missing_columns
from masanalytics.planning.factors import MISSING, UNFIT, Factor, factorise, factorise_content
from masanalytics.planning.pieces import Pieces
from masanalytics.planning.templates import Field, Template, parse_param, parse_template
from masanalytics.planning.texts import Texts

__all__ = ["Composed", "Wording", "compose", "wording_of"]


@dataclass(frozen=True, slots=True)
class Wording:
    """What the messages say, read and checked against the columns, before any row is looked at.

    Exactly one of `content`, `templates` and `template_id` is set. `templates` has one text for all under None, or one for each arm.
    """

    content: Hashable | None
    templates: Mapping[str | None, Template] | None
    template_id: str | None
    params: tuple[Field, ...]

    @property
    def columns(self) -> list[Hashable]:
        """Every column it needs, found or not."""
        fields = [field for template in (self.templates or {}).values() for field in template.fields]
        named = [] if self.content is None else [self.content]
        return [*named, *(field.column for field in (*fields, *self.params))]


@dataclass(frozen=True, slots=True)
class Composed:
    """The messages of all rows: texts or parameters, and for each row the position of its problem in ``REASONS`` or -1."""

    contents: Texts | None
    params: Texts | None
    problems: npt.NDArray[np.int8]


def wording_of(
    columns: pd.Index[Any],
    *,
    content: Hashable | None,
    text: str | Mapping[str, str] | None,
    template_id: str | None,
    params: Sequence[Hashable] | Hashable | None,
) -> Wording:
    """Read the wording; raise where not exactly one way of saying it was given, or a text is not well formed."""
    given = [
        name
        for name, value in (("content", content), ("text", text), ("template_id", template_id))
        if value is not None
    ]
    if len(given) != 1:
        got = " and ".join(f"{name}=" for name in given) or "none of them"
        got_zh = "、".join(f"{name}=" for name in given) or "一个也没有"
        raise InputError(
            f"say what to send with exactly one of content= (a column), text= (a text) and template_id=; this has {got}",
            zh=f"content=（列）、text=（文本）、template_id=（模板）三者必须且只能给出一个；现在是：{got_zh}",
        )
    if params is not None and template_id is None:
        raise InputError("params= goes with template_id= only", zh="params= 只能与 template_id= 一起使用")
    if template_id is not None and not str(template_id).strip():
        raise InputError("template_id= is empty", zh="template_id= 为空")
    templates = None
    if text is not None:
        texts = {None: text} if isinstance(text, str) else dict(text)
        if not texts or any(not isinstance(one, str) or not one.strip() for one in texts.values()):
            raise InputError("the text is empty", zh="短信内容为空")
        templates = {arm: parse_template(one, columns) for arm, one in texts.items()}
    names: list[Hashable] = [params] if isinstance(params, str) else list(params or ())  # type: ignore[call-overload]
    fields = tuple(parse_param(name, columns) for name in names)
    return Wording(content, templates, None if template_id is None else str(template_id).strip(), fields)


def compose(frame: pd.DataFrame, wording: Wording, arms: npt.NDArray[np.object_] | None) -> Composed:
    """Put the messages together, each distinct value written once.

    Parameters
    ----------
    frame : DataFrame
        Holding every column of `wording`. Not changed.
    wording : Wording
        What the messages say.
    arms : ndarray of object, optional
        The arm of each row, where texts differ by arm.
    """
    if wording.content is not None:
        factor = factorise_content(frame[find_column(frame.columns, wording.content)])
        return Composed(Texts(("", ""), (factor,), len(frame)), None, _problems(factor.codes, "empty_content"))
    if wording.templates is None:
        params = _params(frame, wording.params)
        return Composed(None, params, _problems(params.problems(), "missing_value"))
    if None in wording.templates:
        texts = _filled(frame, wording.templates[None])
        return Composed(texts, None, _problems(texts.problems(), "missing_value"))
    return _by_arm(frame, wording.templates, arms)


def _filled(frame: pd.DataFrame, template: Template) -> Texts:
    factors = tuple(factorise(frame[field.column], field) for field in template.fields)
    return Texts(template.literals, factors, len(frame))


def _params(frame: pd.DataFrame, fields: Sequence[Field]) -> Texts:
    """Return the parameters of each row as a compact JSON list."""
    if not fields:
        return Texts(("[]",), (), len(frame))
    factors = []
    for field in fields:
        plain = factorise(frame[field.column], field)
        quoted = [json.dumps(piece, ensure_ascii=False)[1:-1] for _, part in plain.pieces.parts() for piece in part]
        factors.append(Factor(plain.codes, Pieces.of(quoted)))
    return Texts(('["', *['","'] * (len(fields) - 1), '"]'), tuple(factors), len(frame))


def _by_arm(
    frame: pd.DataFrame, templates: Mapping[str | None, Template], arms: npt.NDArray[np.object_] | None
) -> Composed:
    """Write out the text of each row's own arm."""
    present = set() if arms is None else set(arms.tolist())
    if present - set(templates) or arms is None:
        listed = ", ".join(sorted(map(repr, present - set(templates)))) or "no arm column"
        raise InputError(
            f"text= has a text for each arm, but not for {listed}; give arm= and a text for each of its values",
            zh=f"text= 按组给出，但缺少：{listed}；请用 arm= 指明分组列，并为每个组给出文本",
        )
    contents = np.full(len(frame), None, dtype=object)
    problems = np.zeros(len(frame), dtype=np.int32)
    for arm, template in templates.items():
        rows = np.flatnonzero(arms == arm)
        texts = _filled(frame.iloc[rows], template)
        problems[rows] = texts.problems()
        whole = np.flatnonzero(problems[rows] == 0)
        written = texts.take(whole)
        contents[rows[whole]] = written.render(0, len(whole))
    factor = factorise_content(pd.Series(contents, dtype=object))
    return Composed(Texts(("", ""), (factor,), len(frame)), None, _problems(problems, "missing_value"))


def _problems(codes: npt.NDArray[np.int32], when_missing: str) -> npt.NDArray[np.int8]:
    problems = np.full(len(codes), -1, dtype=np.int8)
    problems[codes == MISSING] = REASONS.index(when_missing)
    problems[codes == UNFIT] = REASONS.index("invalid_content")
    return problems


def check_columns(columns: pd.Index[Any], wording: Wording, others: Sequence[Hashable]) -> None:
    """Raise one error that names every column that is missing."""
    error = missing_columns(columns, [*others, *wording.columns])
    if error is not None:
        raise error
