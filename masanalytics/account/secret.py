"""A text that does not show."""

from __future__ import annotations

from typing import Any, SupportsIndex

__all__ = ["Secret"]


class Secret(str):
    """A text that works as one, and shows as ``***``.

    Examples
    --------
    >>> secret = Secret("123qwe")
    >>> secret, f"{secret}", str(secret)
    (***, '***', '***')
    >>> secret == "123qwe" and "key=" + secret == "key=123qwe"
    True
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return (Secret, ("".join(self),))
