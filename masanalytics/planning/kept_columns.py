"""The user's own columns that a plan keeps with each message, as numbers into a table of the combinations there are."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from masanalytics.aliases import Numbers
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.own_columns import MANY_VALUES, is_taken, own_text
from masanalytics.planning.columns import check_names
from masanalytics.planning.plan_warnings import PlanWarning

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["KeptColumns", "check_spelling", "keep_columns", "names_to_keep"]


@dataclass(frozen=True, slots=True, repr=False)
class KeptColumns:
    """What some rows have in the user's own columns.

    Attributes
    ----------
    names : tuple of str
        The columns.
    distinct : tuple of int
        How many different values each has.
    rows : tuple of str
        The combinations of values there are, each a JSON object: column -> text, or null where it is missing.
    codes : array of int
        Of each row: which of the combinations it has.
    """

    names: tuple[str, ...]
    distinct: tuple[int, ...]
    rows: tuple[str, ...]
    codes: Numbers

    def __repr__(self) -> str:
        return f"KeptColumns({list(self.names)})"

    def take(self, order: Numbers) -> KeptColumns:
        """Return the same of some rows."""
        return KeptColumns(self.names, self.distinct, self.rows, self.codes[order])

    def between(self, part: slice) -> list[str]:
        """Return the combinations of some rows, row by row."""
        return [self.rows[code] for code in self.codes[part].tolist()]

    def warnings(self) -> list[PlanWarning]:
        """Return the warnings of columns with so many different values that they make no groups."""
        return [
            PlanWarning(
                count,
                Text(
                    "keep: column {column} has {count:,} different values: as groups they are nearly as many as the messages, and the"
                    " store grows by each",
                    code="many_values",
                    column=mask_phones_in(repr(name)),
                    count=count,
                ),
            )
            for name, count in zip(self.names, self.distinct, strict=True)
            if count > MANY_VALUES
        ]


def names_to_keep(keep: Sequence[Hashable] | Hashable) -> list[Hashable]:
    """Return the columns that ``keep=`` names, each once.

    Raises
    ------
    InputError
        If one has a name that messages use themselves, or two differ in capitals only.

    Examples
    --------
    >>> names_to_keep("门店"), names_to_keep(["门店", "会员等级", "门店"])
    (['门店'], ['门店', '会员等级'])
    """
    names = list(keep) if isinstance(keep, (list, tuple)) else [keep]
    for name in names:
        check_names(keep=name)
    names = list(dict.fromkeys(names))
    folded: dict[str, Hashable] = {}
    for name in names:
        text = str(name)
        if not text.strip() or is_taken(text):
            raise InputError(
                "keep={name!r}: messages have something of this name themselves, and analysis would not know which is meant: rename"
                " the column in the sheet",
                name=text,
            )
        other = folded.setdefault(text.casefold(), name)
        if other is not name and str(other) != text:
            raise InputError(
                "keep: {name!r} and {other!r} differ in capitals only, which SQL does not tell apart: rename one of them",
                name=text,
                other=str(other),
            )
    return names


def check_spelling(names: Sequence[Hashable], store: Store) -> None:
    """Raise if the store keeps a column that differs from one of `names` in capitals only.

    Raises
    ------
    InputError
        Naming both.
    """
    known = list(store.message_source.message_columns())
    folded = {name.casefold(): name for name in known}
    for name in map(str, names):
        other = folded.get(name.casefold(), name)
        if name not in known and other != name:
            raise InputError(
                "keep={name!r}: messages of this store keep {other!r}, and SQL does not tell capitals apart: rename the column in the"
                " sheet",
                name=name,
                other=other,
            )


def keep_columns(columns: Mapping[Hashable, pd.Series[Any]], names: Sequence[Hashable]) -> KeptColumns:
    """Return what each row has in the columns `names`.

    Raises
    ------
    InputError
        If a cell holds a list or another thing that is no single value, naming the row.

    Examples
    --------
    >>> sheet = {"门店": pd.Series(["甲", "乙", "甲"]), "等级": pd.Series([1, None, 1])}
    >>> kept = keep_columns(sheet, ["门店", "等级"])
    >>> kept.rows, kept.codes.tolist(), kept.distinct
    (('{"门店":"甲","等级":"1"}', '{"门店":"乙","等级":null}'), [0, 1, 0], (2, 1))
    """
    coded = [_coded(str(name), columns[name]) for name in names]
    codes = np.zeros(len(columns[names[0]]), dtype=np.int64)
    for column, values in coded:
        codes = codes * (len(values) + 1) + column + 1
        codes = pd.factorize(codes)[0].astype(np.int64)
    first = pd.Series(codes).drop_duplicates().index
    texts = [str(name) for name in names]
    rows = tuple(
        json.dumps(
            {
                text: values[column[row]] if column[row] >= 0 else None
                for text, (column, values) in zip(texts, coded, strict=True)
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for row in first.tolist()
    )
    return KeptColumns(tuple(texts), tuple(len(values) for _column, values in coded), rows, codes)


def _coded(name: str, column: pd.Series[Any]) -> tuple[Numbers, list[str]]:
    """Return a column as numbers into its different texts, -1 where it is missing."""
    cells = column.astype(object)
    try:
        found, distinct = pd.factorize(cells)
    except TypeError:
        _refuse_unhashable(name, cells)
        raise
    texts = [own_text(value) for value in distinct]
    numbers, values = pd.factorize(pd.Series([*texts, None], dtype=object))
    return numbers[found].astype(np.int64), [str(value) for value in values]


def _refuse_unhashable(name: str, cells: pd.Series[Any]) -> None:
    for label, value in cells.items():
        try:
            hash(value)
        except TypeError as error:
            raise InputError(
                "keep: row {row} of column {column} holds a {kind}: keep texts, numbers or dates",
                row=str(label),
                column=mask_phones_in(repr(name)),
                kind=type(value).__name__,
            ) from error
