"""Texts that are not written out until somebody needs them.

A plan of a million messages keeps one copy of each distinct value and four bytes a row and placeholder. Lengths, segments and
equal texts are found from those; the text itself is put together batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers
from masanalytics.errors import InputError
from masanalytics.phones import REASONS
from masanalytics.planning.encoded_column import (
    DIGITS_LOST,
    MISSING,
    UNFIT,
    EncodedColumn,
    encode_column,
    encode_content,
    encode_param,
)
from masanalytics.planning.templates import ContentColumn, Field, PlatformTemplate, Template, Wording
from masanalytics.protocol import is_pairs
from masanalytics.segments import ALONE, count_segments, segments_of_units, utf16_units

__all__ = ["Arms", "EncodedText", "RowTexts", "write_rows"]

_CHUNK: Final = 50_000
_MOST_KEYS: Final = 2**62
Arms: TypeAlias = "npt.NDArray[np.object_] | None"
ColumnsByName: TypeAlias = "Mapping[Any, pd.Series[Any]]"


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One text a row: fixed parts with values between them.

    Attributes
    ----------
    literals : tuple of str
        The fixed parts, one more than there are columns.
    columns : tuple of EncodedColumn
        The values, row by row.
    size : int
        How many rows.
    """

    literals: tuple[str, ...]
    columns: tuple[EncodedColumn, ...]
    size: int

    def problems(self) -> npt.NDArray[np.int32]:
        """Return for each row its worst code: 0 where the text is whole, else `MISSING` or `UNFIT`."""
        worst = np.zeros(self.size, dtype=np.int32)
        for column in self.columns:
            np.minimum(worst, column.codes, out=worst)
        return worst

    def take(self, rows: Numbers) -> EncodedText:
        """Return the texts of `rows`, in that order."""
        columns = tuple(replace(column, codes=column.codes[rows]) for column in self.columns)
        return EncodedText(self.literals, columns, len(rows))

    def render(self, start: int, stop: int) -> list[str]:
        """Write out the rows from `start` to `stop`; each must be whole."""
        if not self.columns:
            return [self.literals[0]] * (min(stop, self.size) - start)
        parts: list[Iterable[str]] = []
        for literal, column in zip(self.literals, (*self.columns, None), strict=True):
            parts += [repeat(literal)] if literal else []
            parts += [] if column is None else [column.dictionary.take(column.codes[start:stop])]
        # Twice as fast as str.format, row by row.
        return list(map("".join, zip(*parts, strict=False)))

    def rendered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (first row, texts) for stretches of rows."""
        for start in range(0, self.size, _CHUNK):
            yield start, self.render(start, min(start + _CHUNK, self.size))

    def measure(self, signature: str = "") -> tuple[Numbers, npt.NDArray[np.int32]]:
        """Return each row's UTF-16 units and segments, with `signature` in front as phones show it; rows must be whole."""
        fixed = (signature, *self.literals)
        fixed_units = sum(map(utf16_units, fixed))
        units = np.full(self.size, fixed_units, dtype=np.int64)
        has_pairs = np.full(self.size, fixed_units != sum(map(len, fixed)))
        for column in self.columns:
            units += column.dictionary.units[column.codes]
            if column.dictionary.pairs.any():
                has_pairs |= column.dictionary.pairs[column.codes]
        segments = segments_of_units(units)
        # Only a long text with a character of two units can lose a unit at a cut: those few are counted one by one.
        for row in np.flatnonzero((units > ALONE) & has_pairs).tolist():
            segments[row] = count_segments(self.render(row, row + 1)[0], signature)
        return units, segments

    def groups(self) -> Numbers:
        """Return a number for each row that equal texts share: 0, 1, 2 … in the order of first appearance."""
        if any(column.all_differ for column in self.columns):
            return np.arange(self.size)
        key, kinds = np.zeros(self.size, dtype=np.int64), 1
        for column in self.columns:
            distinct = len(column.dictionary.texts)
            if kinds * distinct >= _MOST_KEYS:
                key, kinds = pd.factorize(key)[0], self.size
            key = key * distinct + column.codes
            kinds *= distinct
        return pd.factorize(key)[0] if self.columns else key


@dataclass(frozen=True, slots=True)
class RowTexts:
    """What every row of the frame says.

    Attributes
    ----------
    texts : EncodedText
        The text of each row, or the parameters of the platform's template as compact JSON.
    template_id : str or None
        The platform's template.
    problems : ndarray of int8
        Why a row cannot be written, as a position in `masanalytics.phones.REASONS`; -1 where it can.
    units : ndarray of int64
        UTF-16 units of each text with the signature; 0 where there is none, and for a template.
    segments : ndarray of int32 or None
        Segments each text is billed as; None for a template whose text only the platform knows.
    groups : ndarray of int64
        A number from 0 for each row that rows of equal text share.
    shown : EncodedText, optional
        The text of each row of a platform's template, where its owner has said what the template says.
    """

    texts: EncodedText
    template_id: str | None
    problems: npt.NDArray[np.int8]
    units: Numbers
    segments: npt.NDArray[np.int32] | None
    groups: Numbers
    shown: EncodedText | None = None


def write_rows(wording: Wording, columns: ColumnsByName, arms: Arms, size: int, signature: str) -> RowTexts:
    """Write the text of every row, each distinct value once, and measure it.

    Parameters
    ----------
    wording : ContentColumn, TextTemplate or PlatformTemplate
        What the messages say.
    columns : mapping
        Every column of `wording` by its name. Not changed.
    arms : ndarray of object, optional
        The arm of each row, where texts differ by arm.
    size : int
        How many rows.
    signature : str
        What phones show in front of each text, in its brackets.
    """
    units = np.zeros(size, dtype=np.int64)
    if isinstance(wording, PlatformTemplate):
        params = _params(wording.params, columns, size)
        problems = _problems(params.problems(), "missing_value")
        if wording.text is None:
            return RowTexts(params, wording.template_id, problems, units, None, params.groups())
        shown = _filled(wording.text, columns, size)
        units, segments = _measured(shown, problems, signature)
        return RowTexts(params, wording.template_id, problems, units, segments, params.groups(), shown)
    if isinstance(wording, ContentColumn):
        encoded = encode_content(columns[wording.column])
        texts, problems = EncodedText(("", ""), (encoded,), size), _problems(encoded.codes, "empty_content")
    elif None in wording.by_arm:
        texts = _filled(wording.by_arm[None], columns, size)
        problems = _problems(texts.problems(), "missing_value")
        problems[_reading_as_pairs(texts, problems)] = REASONS.index("invalid_content")
    else:
        texts, problems = _filled_by_arm(wording.by_arm, columns, arms, size)
    groups = texts.groups()
    units, segments = _measured(texts, problems, signature)
    return RowTexts(texts, None, problems, units, segments, groups)


def _reading_as_pairs(texts: EncodedText, problems: npt.NDArray[np.int8]) -> Numbers:
    """Return the rows whose text reads as numbers with a text each: the platform may send to these numbers instead."""
    literal, first = texts.literals[0].lstrip(), next(iter(texts.columns), None)
    if first is None and is_pairs(literal):
        raise InputError(
            "text= is itself a list of numbers and texts ({{mobile: content}}): the platform may send to the numbers in it "
            "instead; for a text each, give a column of texts as content=.",
            code="content_is_pairs",
        )
    if first is None:
        return np.zeros(0, dtype=np.int64)
    if not literal.startswith("{"):
        if literal:
            return np.zeros(0, dtype=np.int64)
        chunks = first.dictionary.chunks()
        opening = [start + index for start, chunk in chunks for index, text in enumerate(chunk) if "{" in text[:2]]
        if not opening:
            return np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(problems < 0)
    rows = rows if literal else rows[np.isin(first.codes[rows], opening)]
    whole = texts.take(rows)
    read = [start + place for start, chunk in whole.rendered() for place, text in enumerate(chunk) if is_pairs(text)]
    return rows[np.array(read, dtype=np.int64)]


def _measured(
    texts: EncodedText, problems: npt.NDArray[np.int8], signature: str
) -> tuple[Numbers, npt.NDArray[np.int32]]:
    """Return the UTF-16 units and the segments of each text that can be written; 0 of others."""
    size = len(problems)
    units, segments = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int32)
    whole = np.flatnonzero(problems < 0)
    whole_texts = texts if len(whole) == size else texts.take(whole)
    units[whole], segments[whole] = whole_texts.measure(signature)
    return units, segments


def _filled(template: Template, columns: ColumnsByName, size: int) -> EncodedText:
    encoded = tuple([encode_column(columns[field.column], field) for field in template.fields])
    return EncodedText(template.literals, encoded, size)


def _params(fields: Sequence[Field], columns: ColumnsByName, size: int) -> EncodedText:
    """Return the parameters of each row as a compact JSON list."""
    if not fields:
        return EncodedText(("[]",), (), size)
    encoded = tuple([encode_param(columns[field.column], field) for field in fields])
    return EncodedText(('["', *['","'] * (len(fields) - 1), '"]'), encoded, size)


def _filled_by_arm(
    by_arm: Mapping[str | None, Template], columns: ColumnsByName, arms: Arms, size: int
) -> tuple[EncodedText, npt.NDArray[np.int8]]:
    """Write out the text of each row's own arm; return the texts and the problem of each row."""
    without_text = set() if arms is None else set(arms.tolist()) - set(by_arm)
    if arms is None:
        raise InputError("text= has a text for each arm, but there is no arm column: name it with arm=")
    if without_text:
        raise InputError(
            "text= has a text for each arm, but not for {arms}; give arm= and a text for each of its values",
            arms=", ".join(sorted(map(repr, without_text))),
        )
    contents = np.full(size, None, dtype=object)
    codes = np.zeros(size, dtype=np.int32)
    for arm, template in by_arm.items():
        rows = np.flatnonzero(arms == arm)
        own = {field.column: columns[field.column].iloc[rows] for field in template.fields}
        texts = _filled(template, own, len(rows))
        codes[rows] = texts.problems()
        whole = np.flatnonzero(codes[rows] == 0)
        contents[rows[whole]] = texts.take(whole).render(0, len(whole))
    encoded = encode_content(pd.Series(contents, dtype=object))
    return EncodedText(("", ""), (encoded,), size), _problems(codes, "missing_value")


def _problems(codes: npt.NDArray[np.int32], when_missing: str) -> npt.NDArray[np.int8]:
    problems = np.full(len(codes), -1, dtype=np.int8)
    problems[codes == MISSING] = REASONS.index(when_missing)
    problems[codes == UNFIT] = REASONS.index("invalid_content")
    problems[codes == DIGITS_LOST] = REASONS.index("lossy_scientific")
    return problems
