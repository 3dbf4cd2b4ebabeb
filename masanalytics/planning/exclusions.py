"""Which rows are left out, and why: one reason a row, in a fixed order.

1. the number: ``empty_number``, ``invalid_number``, ``lossy_scientific``, ``two_numbers``, ``landline``, ``foreign``
2. the person: ``opted_out``, then ``suppressed``, then ``not_allowed``
3. the text: ``missing_value`` or ``empty_content``, ``invalid_content``
4. ``duplicate``: of the rows of one number that are left by then the first is kept, so that nobody is lost because an earlier
   row of theirs could not be written
5. ``already_sent``: this round of the campaign has gone, or may have gone, to the number
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.phones import REASONS, parse_phones
from masanalytics.planning.compose import Composed
from masanalytics.planning.ledger import Ledger
from masanalytics.planning.texts import Texts

__all__ = ["Exclusion", "listed_numbers", "variants_of"]

Ints = npt.NDArray[np.int64]
_CHUNK: Final = 100_000


class Exclusion:
    """The reasons of all rows while they are being found: the first reason given to a row stays.

    Parameters
    ----------
    numbers : ndarray of int64
        The number of each row, 0 where it has none.
    reasons : ndarray of int8
        Positions in ``REASONS``, -1 where the row is still in.
    """

    def __init__(self, numbers: Ints, reasons: npt.NDArray[np.int8]) -> None:
        self.numbers = numbers
        self.reasons = reasons

    def left(self) -> Ints:
        """Return the rows that are still in."""
        return np.flatnonzero(self.reasons < 0)

    def leave_out(self, rows: npt.NDArray[Any], reason: str) -> None:
        """Give `reason` to `rows`, each of which is still in."""
        self.reasons[rows] = REASONS.index(reason)

    def opted_out(self, store: Ledger) -> None:
        """Leave out the people who want no more messages."""
        for rows in _chunks(self.left()):
            said = np.asarray(store.opted_out(_texts_of(self.numbers[rows])), dtype=bool)
            self.leave_out(rows[said], "opted_out")

    def listed(self, numbers: Ints, reason: str, *, inside: bool) -> None:
        """Leave out the numbers that are (or, with `inside` False, are not) on a list."""
        rows = self.left()
        self.leave_out(rows[np.isin(self.numbers[rows], numbers) == inside], reason)

    def unwritable(self, composed: Composed) -> None:
        """Leave out rows whose text cannot be written."""
        rows = self.left()
        rows = rows[composed.problems[rows] >= 0]
        self.reasons[rows] = composed.problems[rows]

    def duplicates(self, variants: Ints | None) -> None:
        """Leave out all but the first row of each number; with `variants`, of each number and variant."""
        rows = self.left()
        if variants is None:
            again = pd.Series(self.numbers[rows]).duplicated().to_numpy()
        else:
            again = pd.DataFrame({"number": self.numbers[rows], "variant": variants[rows]}).duplicated().to_numpy()
        self.leave_out(rows[again], "duplicate")

    def already_sent(self, store: Ledger, campaign: str, occasion: int, variants: Ints | None) -> None:
        """Leave out the numbers that this round of the campaign has reached, or may have reached."""
        for rows in _chunks(self.left()):
            which = np.zeros(len(rows), dtype=np.int64) if variants is None else variants[rows]
            sent = store.already_sent(campaign, occasion, _texts_of(self.numbers[rows]), which)
            self.leave_out(rows[np.asarray(sent, dtype=bool)], "already_sent")


def _chunks(rows: Ints) -> Iterable[Ints]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _texts_of(numbers: Ints) -> list[str]:
    return list(map(str, numbers.tolist()))


def listed_numbers(numbers: Any, phone: Any) -> tuple[Ints, int]:
    """Return the numbers of a list that was given by the user, and how many entries of it are no numbers.

    Parameters
    ----------
    numbers : DataFrame, Series, or iterable
        A frame has them in the column `phone`, or ``phone``, or its only one.
    phone : hashable
        What the plan's own phone column is called.

    Examples
    --------
    >>> numbers, unread = listed_numbers(["+86 138 0013 8000", "10086"], "手机号")
    >>> numbers.tolist(), unread
    ([13800138000], 1)
    """
    if isinstance(numbers, (str, bytes)):
        raise InputError("a list of numbers is needed, not one text", zh="需要号码列表，而不是一段文字")
    if not isinstance(numbers, Iterable):
        kind = type(numbers).__name__
        raise InputError(
            f"a list of numbers is needed (a DataFrame, a Series or a list), this is one {kind}",
            zh=f"需要号码列表（DataFrame、Series 或 list），得到的是单个 {kind}",
        )
    if hasattr(numbers, "to_pandas"):  # polars
        numbers = numbers.to_pandas()
    if isinstance(numbers, pd.DataFrame):
        names = [name for name in (phone, "phone") if name in numbers.columns]
        if not names and numbers.shape[1] == 1:
            names = [numbers.columns[0]]
        if not names:
            listed = ", ".join(map(repr, numbers.columns))
            raise InputError(
                f"which column of the list has the numbers? Name it {phone!r} or 'phone'; its columns are: {listed}",
                zh=f"名单中哪一列是号码？请命名为 {phone!r} 或 'phone'；现有的列：{listed}",
            )
        numbers = numbers[names[0]]
    column = numbers if isinstance(numbers, pd.Series) else pd.Series(list(numbers), dtype=object)
    found, reasons = parse_phones(column)
    blank = REASONS.index("empty_number")
    return np.unique(found[found > 0]), int(((reasons >= 0) & (reasons != blank)).sum())


def variants_of(texts: Texts, rows: Ints, template_id: str | None) -> Ints:
    """Return a stable 63-bit number for the text of each of `rows` (0 for all other rows): equal texts, equal numbers.

    Parameters
    ----------
    texts : Texts
        The text, or the parameters, of every row.
    rows : ndarray of int64
        Those whose text is whole.
    template_id : str, optional
        The template that the parameters are for.
    """
    variants = np.zeros(texts.size, dtype=np.int64)
    front = "" if template_id is None else f"{template_id}\n"
    for start, part in texts.take(rows).rendered():
        hashes = [hashlib.blake2b(f"{front}{text}".encode(), digest_size=8).digest() for text in part]
        values = np.frombuffer(b"".join(hashes), dtype=">u8") >> np.uint64(1)
        # 0 is what a number has that gets one message only.
        variants[rows[start : start + len(part)]] = np.maximum(values.astype(np.int64), 1)
    return variants
