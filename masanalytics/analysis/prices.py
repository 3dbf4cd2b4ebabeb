"""What a segment costs: one price, or one for each carrier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Booleans, Figures
from masanalytics.analysis.sources.pandas import as_floats
from masanalytics.argument_kinds import is_number
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.text import nearest
from masanalytics.vocabulary import CARRIERS, carrier_of_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["amount_of", "checked_price", "parts_of", "price_of_each"]


def checked_price(price: float | Mapping[str, float]) -> float | dict[str, float]:
    """Return the price of a segment, or of each carrier's, as numbers.

    Raises
    ------
    InputError
        If one is not a number from 0 up, or a carrier has two prices, each in its own language.

    Examples
    --------
    >>> checked_price("0.05"), checked_price({"中国移动": 0.04})
    (0.05, {'China Mobile': 0.04})
    """
    if not isinstance(price, Mapping):
        return amount_of(price)
    prices: dict[str, float] = {}
    for name, one in price.items():
        carrier = str(carrier_of_name(name))
        amount = amount_of(one, carrier)
        if prices.setdefault(carrier, amount) != amount:
            raise InputError("price= has two prices for {carrier}: leave one", carrier=carrier)
    return prices


def amount_of(price: float, carrier: str | None = None) -> float:
    """Return a price, of a carrier or of all, as a number.

    Raises
    ------
    InputError
        If it is not a number from 0 up.
    """
    try:
        number = float(price) if isinstance(price, str) or is_number(price) else float("nan")
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        of = "" if carrier is None else Text(" of {carrier}", carrier=carrier)
        raise InputError(
            "price {price!r}{of} is not an amount of money: give what a segment costs, a number from 0 up",
            price=price,
            of=of,
        )
    return number


def parts_of(segments: pd.Series) -> Figures:
    """Return how many parts each message has, NaN where that is not known.

    Raises
    ------
    InputError
        If there are fewer than none.
    """
    parts = as_floats(segments)
    wrong = parts[parts < 0]
    if len(wrong):
        raise InputError(
            "the column 'segments' holds {value:g}: a message has as many parts as are billed, or none where that is not known",
            value=float(wrong[0]),
        )
    return parts


def price_of_each(carriers: pd.Series, price: Mapping[str, float], needed: Booleans) -> Figures:
    """Return the price of a segment of each row's carrier; 0 where it has none and none is `needed`.

    Raises
    ------
    InputError
        If the carrier of a row that needs one has no price, or a price is of what is no carrier.
    """
    names = carriers.astype("str").fillna("unknown")
    names = names.map({name: str(carrier_of_name(name)) for name in names.unique()})
    there = dict.fromkeys([*CARRIERS, *names.unique()])
    strange = [name for name in price if name not in there]
    if strange and len(names):
        raise InputError(
            "price= has {name!r}, which is no carrier of these messages: {known}",
            name=strange[0],
            known=nearest(strange[0], there, cutoff=0.3) or list(there),
        )
    missing = sorted(set(names[needed]) - set(price))
    if missing:
        raise InputError("no price for {carriers}: add it to price=", carriers=missing)
    return np.asarray(names.map(dict(price)).fillna(0.0), dtype=float)
