"""Numbers of a column as places in one list of them, however each is spelled; and rates of messages, person by person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from masanalytics.aliases import Numbers
from masanalytics.analysis.sources.written_numbers import HASHED, several_styles
from masanalytics.errors import InputError
from masanalytics.stats.proportions import effective_wilson

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PersonSums", "number_places", "rate_of_people"]

_USUAL: Final = "1[3-9][0-9]{9}"


def number_places(column: pd.Series) -> tuple[Numbers, pd.Series]:
    """Return the place of each cell's number (-1: missing) in the list of the distinct ones, which is in ascending order.

    Raises
    ------
    InputError
        If they are masked: 138****0000 is many people; or hashed in part, so that one person is several.
    """
    import pandas as pd

    from masanalytics.phones import cell_text, parse_phones

    if column.dtype == "str" and column.str.fullmatch(_USUAL, na=False).all():
        # Each spelling is a number of its own, and the order of numbers is that of their texts.
        _, first, place = np.unique(column.astype("Int64").to_numpy("int64"), return_index=True, return_inverse=True)
        return place, column.take(first).reset_index(drop=True)
    cell, cells = pd.factorize(column)
    spelled = pd.Series(cells)
    numbers, _ = parse_phones(spelled)
    if (numbers > 0).any() and pd.Series(cells, dtype="str").str.contains(HASHED, na=False).any():
        raise several_styles("hashed + whole")
    others: dict[str, int] = {}
    for strange in np.flatnonzero(numbers == 0).tolist():
        text = (cell_text(cells[strange]) or "").strip()
        if "*" in text:
            raise InputError(
                "the phone numbers are masked (138****0000), so different people look alike: ask the Store itself, or "
                'export into another folder with phones="hashed" and a key, or phones="whole"'
            )
        if text:
            numbers[strange] = -1 - others.setdefault(text, len(others))
    known, place = np.unique(numbers, return_inverse=True)
    strangers = list(others)
    texts = [strangers[-1 - number] if number < 0 else str(number) for number in known.tolist()]
    order = np.array(sorted(np.flatnonzero(known).tolist(), key=texts.__getitem__), dtype=np.int64)
    rank = np.full(len(known) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[np.append(place, -1)[cell]], pd.Series([texts[one] for one in order], dtype="str")


class PersonSums(NamedTuple):
    """Sums over people: messages and hits, their product, and the squares of either."""

    n: float
    k: float
    both: float
    squares: float
    n_squares: float


def rate_of_people(people: int, sums: PersonSums) -> tuple[float, float, float, float]:
    """Return the share of messages that hit, its interval and its design effect, the messages of one person as one cluster.

    The effect is 1 at least; all is NaN of no messages.

    Examples
    --------
    >>> [round(one, 3) for one in rate_of_people(2, PersonSums(n=4, k=2, both=4, squares=4, n_squares=8))]
    [0.5, 0.055, 0.945, 4.0]
    """
    n = sums.n
    if not n:
        return (np.nan,) * 4
    share = sums.k / n
    excess = max(sums.squares - 2 * share * sums.both + share**2 * sums.n_squares, 0.0)
    clustered = people / max(people - 1, 1) * excess / n**2
    alone = share * (1 - share) / n
    low, high = effective_wilson(share, max(alone, clustered), people)
    return share, float(low), float(high), max(clustered / alone, 1.0) if alone > 0 else 1.0
