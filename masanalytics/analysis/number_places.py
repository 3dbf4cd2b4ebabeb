"""Numbers of a column, however each is spelled, as places in one list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Numbers
from masanalytics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["number_places"]


def number_places(column: pd.Series) -> tuple[Numbers, list[str]]:
    """Return the place of each cell's number (-1: missing) in the list of the distinct ones, which is in ascending order.

    Raises
    ------
    InputError
        If they are masked: 138****0000 is many people.
    """
    import pandas as pd

    from masanalytics.phones import cell_text, parse_phones

    cell, cells = pd.factorize(column)
    numbers, _ = parse_phones(pd.Series(cells))
    others: dict[str, int] = {}
    for strange in np.flatnonzero(numbers == 0).tolist():
        text = (cell_text(cells[strange]) or "").strip()
        if "*" in text:
            raise InputError(
                "the phone numbers are masked (138****0000), so different people look alike: ask the Store itself, or "
                "export with store.export_parquet(folder, reveal=True)"
            )
        if text:
            numbers[strange] = -1 - others.setdefault(text, len(others))
    known, place = np.unique(numbers, return_inverse=True)
    strangers = list(others)
    texts = [strangers[-1 - number] if number < 0 else str(number) for number in known.tolist()]
    order = sorted(np.flatnonzero(known).tolist(), key=texts.__getitem__)
    rank = np.full(len(known) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[np.append(place, -1)[cell]], [texts[one] for one in order]
