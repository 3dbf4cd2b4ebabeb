"""Whole numbers that are looked for where numbers are masked or hashed: nobody is found there, which is no answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from masanalytics.analysis.sources import MessageSource, RememberedMessages
from masanalytics.analysis.sources.written_numbers import TellsNumberStyle
from masanalytics.errors import InputError

__all__ = ["refuse_hidden_numbers"]


def refuse_hidden_numbers(source: MessageSource, phones: Iterable[Any]) -> None:
    """Raise if one of `phones` is a whole number, and those of the messages of `source` are masked or hashed.

    Raises
    ------
    InputError
        Saying where they can be found.

    Examples
    --------
    >>> import pandas as pd
    >>> from masanalytics.analysis.sources.pandas import PandasMessages
    >>> source = PandasMessages(pd.DataFrame({"status": ["delivered"], "phone": ["138****8000"]}))
    >>> refuse_hidden_numbers(source, ["138****8000"])
    >>> refuse_hidden_numbers(source, ["13800138000"])
    Traceback (most recent call last):
    masanalytics.errors.InputError: the numbers of these messages are masked (138****0000), so that a whole number cannot be found among them: ask the Store itself, or an export made with phones='whole'
    """
    if not _has_whole(phones):
        return
    plain = source.plain if isinstance(source, RememberedMessages) else source
    styles = str(getattr(plain, "phone_style", ""))
    if isinstance(plain, TellsNumberStyle):
        styles += plain.seen_number_style()
    if "masked" in styles:
        raise InputError(
            "the numbers of these messages are masked (138****0000), so that a whole number cannot be found among them: ask the Store"
            " itself, or an export made with phones='whole'",
            code="masked_numbers",
        )
    if "hashed" in styles:
        raise InputError(
            "the numbers of these messages are hashed (138~…), so that a whole number cannot be found among them: ask the Store itself or"
            " an export made with phones='whole', or give the hashes as they stand in the column 'phone'",
            code="hashed_numbers",
        )


def _has_whole(phones: Iterable[Any]) -> bool:
    import pandas as pd

    from masanalytics.phones import parse_phones

    numbers, _ = parse_phones(pd.Series(list(phones), dtype=object))
    return bool((numbers > 0).any())
