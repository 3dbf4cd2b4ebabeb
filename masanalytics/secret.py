"""A password that no frame, dict or file can show."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, SupportsIndex

__all__ = ["Secret"]

_SHOWN = "***"


class Secret:
    """A password that shows as ``***`` and is no text.

    What prints, writes or copies objects reads a text by its characters, whatever the text says of itself: pandas, json, csv
    and Arrow do. This object has no characters. It is compared with a text, copied and pickled like one.

    Parameters
    ----------
    text : str or Secret
        The password.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> secret = Secret("123qwe")
    >>> secret, f"{secret}", str(secret)
    (***, '***', '***')
    >>> secret == "123qwe", secret.reveal() == "123qwe", bool(secret)
    (True, True, True)
    """

    __slots__ = ("_reveal",)

    def __init__(self, text: str | Secret) -> None:
        plain = text.reveal() if isinstance(text, Secret) else text
        if not isinstance(plain, str):
            raise TypeError(f"a secret is text, not {type(plain).__name__}")
        # In a function, since what shows an object's attributes shows their values.
        self._reveal: Callable[[], str] = lambda: plain

    def reveal(self) -> str:
        """Return the password as text: keep it out of every variable."""
        return self._reveal()

    def strip(self) -> Secret:
        """Return it without white space and byte-order marks around it."""
        return Secret(self.reveal().strip().strip("\ufeff"))

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str | Secret):
            return NotImplemented
        return hmac.compare_digest(*(Secret(each).reveal().encode("utf-8", "replace") for each in (self, other)))

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return Secret, (self.reveal(),)
