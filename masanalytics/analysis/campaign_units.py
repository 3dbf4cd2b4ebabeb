"""The units of history and forecast: a campaign on a day, by day or by night, with what is known of it before sending.

=============  ===========================================================================================================
``kind``       the template, or else the campaign's name without its digits and words of dates: "offer 03-24" is an "offer"
``night``      whether it was submitted between 21:00 and 08:00, when messages may be held until the morning
``hours``      the three hours of the day in which most of it was submitted
``long``       whether most of its messages have more than one segment
=============  ===========================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from masanalytics.aliases import Figures, Numbers
from masanalytics.analysis.dimensions import FIRST_HOUR, LAST_HOUR, as_hours, time_part
from masanalytics.analysis.grouped_count import group_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Features", "features_of", "is_night", "kind_like", "kind_of", "unit_dimensions", "units_of"]

_HOURS = 3
_WORD: Final = re.compile(r"[^\W\d_]+")
_DATES: Final = frozenset(
    [
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "oct",
        "nov",
        "dec",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "am",
        "pm",
        "年",
        "月",
        "日",
        "号",
        "时",
        "点",
        "周",
        "第",
    ]
)
_NEAR = 0.5


class Features(NamedTuple):
    """What is known of a unit before it is sent; None where the messages do not say."""

    kind: str | None = None
    night: bool | None = None
    hours: int | None = None
    long: bool | None = None


def unit_dimensions(columns: Iterable[str]) -> list[str]:
    """Return the dimensions that tell units and their features, as far as messages with these columns have them.

    Examples
    --------
    >>> unit_dimensions(["campaign", "submitted_at", "status"]), unit_dimensions(["status"])
    (['campaign', 'day', 'hour'], [])
    """
    available = set(columns)
    wanted = ("campaign", "day", "hour", "template_id", "segments")
    return [
        name for name in wanted if name in available or (time_part(name) is not None and "submitted_at" in available)
    ]


def kind_of(name: str) -> str:
    """Return the words of a campaign's name that are no dates and no digits.

    Examples
    --------
    >>> kind_of("Offer 2026-03-24"), kind_of("3月24日 春节优惠 第2批"), kind_of("2026-03-24")
    ('offer', '春节优惠 批', '')
    """
    return " ".join(dict.fromkeys(word for word in _WORD.findall(name.lower()) if word not in _DATES))


def kind_like(kind: str | None, known: Iterable[str | None]) -> str | None:
    """Return which of the `known` kinds has at least half of its words and those of `kind` in common, the nearest first.

    Examples
    --------
    >>> kind_like("otp today", ["offer", "otp"]), kind_like("news", ["offer", "otp"])
    ('otp', 'news')
    """
    words = set((kind or "").split())
    there = sorted({other for other in known if other is not None})
    if not words or kind in there:
        return kind
    likeness = [len(words & set(other.split())) / len(words | set(other.split())) for other in there]
    best = int(np.argmax(likeness)) if likeness else -1
    return there[best] if likeness and likeness[best] >= _NEAR else kind


def is_night(hour: Any) -> Any:
    """Return whether messages submitted in this hour (a number or an array) may be held until the morning."""
    return (hour < FIRST_HOUR) | (hour >= LAST_HOUR)


def units_of(keys: pd.DataFrame, n: Numbers, least: int) -> Numbers:
    """Return the unit of each counted row: its campaign, day, and day or night; those of fewer than `least` messages together.

    They are taken together with the small ones of their kind on that day, then with all small ones of the day, then with all.
    """
    import pandas as pd

    parts = pd.DataFrame({name: keys[name] for name in ("campaign", "day") if name in keys}, index=keys.index)
    if "hour" in keys:
        parts["night"] = is_night(as_hours(keys["hour"]))
    unit = _numbered(parts, list(parts.columns))
    if "campaign" in parts:
        parts["kind"] = _kinds(keys)
    for coarser in (["kind", "day", "night"], ["day", "night"], ["day"], []):
        small = np.bincount(unit, weights=n)[unit] < least
        if not small.any():
            break
        together = _numbered(parts, [name for name in coarser if name in parts])
        unit = np.unique(np.where(small, unit.max() + 1 + together, unit), return_inverse=True)[1]
    return unit


def features_of(keys: pd.DataFrame, n: Numbers, unit: Numbers) -> list[Features]:
    """Return the features of each unit: of each what most of its messages have."""
    units = int(unit.max(initial=-1)) + 1
    hour = as_hours(keys["hour"]).to_numpy(dtype=float, na_value=np.nan) if "hour" in keys else None
    found: list[Sequence[Any]] = [
        _most(_kinds(keys), n, unit, units) if "campaign" in keys or "template_id" in keys else [None] * units,
        [None] * units if hour is None else _most(is_night(hour), n, unit, units),
        [None] * units if hour is None else _most(hour // _HOURS, n, unit, units),
        _most(_is_long(keys), n, unit, units) if "segments" in keys else [None] * units,
    ]
    return [Features(*each) for each in zip(*found, strict=True)]


def _numbered(parts: pd.DataFrame, names: list[str]) -> Numbers:
    return group_rows(parts[names])[0] if names else np.zeros(len(parts), dtype=np.int64)


def _kinds(keys: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Return the kind of each counted row: its template, else that of its campaign's name; None where there is neither."""
    import pandas as pd

    kinds = np.full(len(keys), None, dtype=object)
    if "campaign" in keys:
        numbers, names = pd.factorize(keys["campaign"])
        words = np.array([*(kind_of(str(name)) for name in names), None], dtype=object)
        kinds = words[numbers]
    if "template_id" in keys:
        is_template = keys["template_id"].notna().to_numpy(dtype=bool)
        kinds[is_template] = [f"template:{each}" for each in keys["template_id"][is_template]]
    return kinds


def _is_long(keys: pd.DataFrame) -> Figures:
    segments = keys["segments"].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(segments), np.nan, segments > 1)


def _most(values: Any, n: Numbers, unit: Numbers, units: int) -> list[Any]:
    """Return the value that most messages of each unit have; None where that is missing."""
    import pandas as pd

    codes, distinct = pd.factorize(pd.Series(values), sort=True)
    width = len(distinct) + 1
    counted = np.bincount(unit * width + codes + 1, weights=n, minlength=units * width).reshape(units, width)
    best = counted.argmax(axis=1)
    shown = [None, *(value.item() if hasattr(value, "item") else value for value in distinct)]
    return [shown[place] for place in best]
