"""What a segment costs: one price, or one for each carrier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Booleans, Figures
from masanalytics.errors import InputError
from masanalytics.i18n import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["checked_price", "price_of_each"]


def checked_price(price: float | Mapping[str, float]) -> float | dict[str, float]:
    """Return the price of a segment, or of each carrier's, as numbers.

    Raises
    ------
    InputError
        If one is not a number from 0 up.

    Examples
    --------
    >>> checked_price("0.05"), checked_price({"China Mobile": 0.04})
    (0.05, {'China Mobile': 0.04})
    """
    if isinstance(price, Mapping):
        return {name: _amount(one, name) for name, one in price.items()}
    return _amount(price)


def _amount(price: float, carrier: str | None = None) -> float:
    try:
        number = float(price)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < float("inf"):
        of = "" if carrier is None else Text(" of {carrier}", carrier=carrier)
        raise InputError(
            "price {price!r}{of} is not an amount of money: give what a segment costs, a number from 0 up",
            price=price,
            of=of,
        )
    return number


def price_of_each(carriers: pd.Series, price: Mapping[str, float], needed: Booleans) -> Figures:
    """Return the price of a segment of each row's carrier; 0 where it has none and none is `needed`.

    Raises
    ------
    InputError
        If the carrier of a row that needs one has no price.
    """
    names = carriers.astype("str").fillna("unknown")
    missing = sorted(set(names[needed]) - set(price))
    if missing:
        raise InputError("no price for {carriers}: add it to price=", carriers=missing)
    return np.asarray(names.map(dict(price)).fillna(0.0), dtype=float)
