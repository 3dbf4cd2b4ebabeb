"""How mobile numbers stand in what leaves the file: hidden in the middle, whole, or as keyed hashes."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np

from masanalytics.errors import InputError
from masanalytics.masking import hashed_phone, mask_phone, mask_phones_in
from masanalytics.secret import Secret
from masanalytics.store.packed_rows import as_texts

__all__ = ["PhoneStyle", "Phones"]

Phones = Literal["masked", "whole", "hashed"]

_STYLES: Final = ("masked", "whole", "hashed")
_SHORTEST_KEY: Final = 16
_PHONE: Final = 11
_HIDDEN: Final = slice(3, 7)
_LETTERS: Final = 32
_CHECKED: Final = b"masanalytics"


@dataclass(frozen=True)
class PhoneStyle:
    """How numbers are shown, and the key of their hashes."""

    phones: Phones = "masked"
    key: Secret | None = None

    @classmethod
    def asked(cls, phones: str | None, *, reveal: bool, key: str | bytes | None) -> PhoneStyle:
        """Return the style that arguments ask for.

        Raises
        ------
        InputError
            If there is no such style, two are asked for, or a key is missing, too short or of no use.
        """
        style = phones or ("whole" if reveal else "masked")
        if style not in _STYLES:
            raise InputError("phones={phones!r}: one of {styles}", phones=phones, styles=", ".join(_STYLES))
        if reveal and style != "whole":
            raise InputError("reveal=True means phones='whole': give one of the two")
        if (style == "hashed") != (key is not None):
            raise InputError("phones='hashed' needs key=, the secret of the hashes, and nothing else does")
        if key is None:
            return cls(style)  # type: ignore[arg-type]
        if not isinstance(key, (str, bytes)):
            raise InputError("key= is a text or bytes, not {kind}", kind=type(key).__name__)
        text = key.decode("latin-1") if isinstance(key, bytes) else key
        if len(text) < _SHORTEST_KEY:
            raise InputError(
                "the key of the hashes has {count} characters: give {least} or more, drawn by chance, since all numbers can be tried"
                " against a short one",
                count=len(text),
                least=_SHORTEST_KEY,
            )
        return cls("hashed", Secret(text))

    @property
    def settings(self) -> dict[str, str]:
        """By what another style, or another key, is told from this one."""
        return {
            "phones": self.phones,
            "key": hmac.digest(self._bytes, _CHECKED, "sha256").hex()[:8] if self.key else "",
        }

    @property
    def _bytes(self) -> bytes:
        return self.key.reveal().encode("utf-8", "surrogatepass") if self.key else b""

    def numbers(self, phones: Any) -> Any:
        """Return numbers (`masanalytics.store.packed_rows.Rows.phones`) as they are shown."""
        if self.phones == "whole":
            return phones
        if self.phones == "masked" and isinstance(phones, np.ndarray):
            hidden = phones.copy()
            hidden[:, _HIDDEN] = ord("*")
            return hidden
        if self.phones == "masked":
            return [_hide_middle(phone) for phone in phones]
        key = self._bytes
        # A name of somebody who was forgotten is a hash already.
        return [phone if "~" in phone else hashed_phone(phone, key, letters=_LETTERS) for phone in as_texts(phones)]

    def text(self, text: str | None) -> str | None:
        """Return a text with the numbers in it hidden, unless numbers are shown whole."""
        return text if text is None or self.phones == "whole" else _masked(text)


def _hide_middle(phone: str) -> str:
    plain = len(phone) == _PHONE and phone.isascii() and phone.isdigit()
    return f"{phone[:3]}****{phone[7:]}" if plain else mask_phone(phone)


@lru_cache(maxsize=50_000)
def _masked(text: str) -> str:
    return mask_phones_in(text)
