"""How the numbers of a column are written: whole or hidden, and which are spelled otherwise than as eleven digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from masanalytics.analysis.filter_values import as_kept
from masanalytics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FORGOTTEN",
    "HASHED",
    "MASKED",
    "SOME",
    "WHOLE",
    "TellsNumberStyle",
    "is_no_plain_number",
    "joined_styles",
    "other_spellings",
    "refuse_joined",
    "refuse_several_styles",
    "seen_style",
    "several_styles",
    "spelled_oddly",
    "style_of",
]

SOME: Final = 1000
"""So many numbers show how all are written."""
MASKED, HASHED, WHOLE = "[*]", "~[a-z]{32}$", "^[^*~]*$"
"""How numbers look; the names of people who were forgotten, in whole numbers too, are shorter than hashes of an export."""
FORGOTTEN: Final = "1[0-9]{2}~[a-p]{24}"
"""Such a name, from its first letter to its last."""
_PLAIN: Final = "^1[0-9]{10}$"
_ONE_A_PERSON: Final = "^1[0-9]{2}([0-9]{8}|~[a-z]+)$"
_DIGITS: Final = 11
_AND: Final = " + "
_WIDE_DIGIT: Final = "[０-９]"


@runtime_checkable
class TellsNumberStyle(Protocol):
    """A source that can tell by some of its numbers, without reading all, how they are written."""

    def seen_number_style(self) -> str:
        """Return ``masked`` or ``hashed`` where numbers are, and none of those looked at is whole; else nothing."""
        ...


def style_of(masked: int, hashed: int, whole: int) -> str:
    """Return how numbers are written of which so many are masked, hashed by an export, and whole.

    Examples
    --------
    >>> style_of(2, 0, 0), style_of(0, 2, 0), style_of(0, 0, 0), style_of(0, 2, 1)
    ('masked', 'hashed', '', '')
    """
    return "" if whole else "masked" if masked else "hashed" if hashed else ""


def seen_style(frame: Any, collected: Callable[[Any], pd.DataFrame]) -> str:
    """Return how some numbers of a frame of narwhals are hidden, where they are: one row is brought."""
    import narwhals as nw

    if not isinstance(frame.collect_schema().get("phone"), nw.String):
        return ""
    some = frame.select("phone").filter(~nw.col("phone").is_null()).head(SOME)
    looks = [nw.when(nw.col("phone").str.contains(look)).then(1).otherwise(0).sum() for look in (MASKED, HASHED, WHOLE)]
    found = collected(some.select(masked=looks[0], hashed=looks[1], whole=looks[2])).iloc[0].fillna(0)
    return style_of(*found.astype(int).tolist())


def several_styles(styles: str) -> InputError:
    """Return the error that says in which ways numbers are written of which each person should have one."""
    return InputError(
        "phone numbers are written in several ways ({styles}), so one person would be counted as several: export all stores with"
        " the same phones= and key=",
        styles=styles,
        code="several_phone_styles",
    )


def joined_styles(styles: Iterable[str]) -> str:
    """Return the ways in which numbers are written as one text: ``whole``; of several the names of all.

    Examples
    --------
    >>> joined_styles(["hashed 0a1b2c3d", "hashed 99887766", "hashed 0a1b2c3d"]), joined_styles([])
    ('hashed 0a1b2c3d + hashed 99887766', 'whole')
    """
    return _AND.join(sorted(set(styles))) or "whole"


def refuse_joined(style: str) -> None:
    """Raise if `joined_styles` names several.

    Raises
    ------
    InputError
        If it does.
    """
    if _AND in style:
        raise several_styles(style)


def refuse_several_styles(phones: Any, collect: Callable[[Any], pd.DataFrame]) -> None:
    """Raise if some numbers of the column ``phone`` are hashed by an export and others whole: one row is brought.

    Raises
    ------
    InputError
        If they are.
    """
    import narwhals as nw

    phone = nw.col("phone")
    looks = {
        name: phone.str.contains(look).cast(nw.Int64).max() for name, look in (("hashed", HASHED), ("whole", _PLAIN))
    }
    if (collect(phones.select(**looks)).iloc[0].fillna(0) > 0).all():
        raise several_styles("hashed + whole")


def is_no_plain_number(phone: Any) -> Any:
    """Return the test that a text is no mobile number as it is usually written."""
    return ~phone.str.contains(_PLAIN)


def spelled_oddly(phone: Any) -> Any:
    """Return the test that a text is neither a number as it is usually written nor the hash of one.

    It may be several people's, or one of several spellings of a number.
    """
    return ~phone.str.contains(_ONE_A_PERSON)


def other_spellings(phones: Any, options: Iterable[Any], collect: Callable[[Any], pd.DataFrame]) -> list[str]:
    """Return the texts of a column that are no plain number, and are one of `options` however both are spelled.

    What may be one is found where the data is, by its last eleven digits; only that comes here, to be read by the one rule.

    Parameters
    ----------
    phones : narwhals frame
        Its column ``phone`` holds texts.
    options : iterable
        Numbers in any form; what is none is nobody's other spelling.
    collect : callable
        Runs a query and brings what comes of it.

    Examples
    --------
    >>> import pandas as pd, narwhals as nw
    >>> frame = nw.from_native(pd.DataFrame({"phone": ["13800138000", "+86 138 0013 8000", "13900139000.0", None]}))
    >>> other_spellings(frame, ["138-0013-8000"], nw.to_native)
    ['+86 138 0013 8000']
    """
    import narwhals as nw

    wanted = [number for number in as_kept("phone", options) if len(str(number)) == _DIGITS]
    if not wanted:
        return []
    phone = nw.col("phone")
    digits = phone.str.replace_all(r"\.0*$", "").str.replace_all("[^0-9]", "").str.tail(_DIGITS)
    may_be = digits.is_in(wanted) | phone.str.contains(_WIDE_DIGIT)
    found = collect(phones.filter(is_no_plain_number(phone) & may_be).select("phone").unique())
    texts = found["phone"].tolist()
    return sorted(text for text, number in zip(texts, as_kept("phone", texts), strict=True) if number in wanted)
