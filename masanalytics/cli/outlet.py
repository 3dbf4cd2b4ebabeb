"""What a command writes reaches any terminal and any file: what its encoding does not have is written as something like it.

On Windows a redirected output is in the system's encoding, cp936 in China: it has no ¥, no – and no ✓. In a service's log it may
be ASCII. Python ends a program at the first such character.
"""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Final

__all__ = ["never_end_the_work", "never_refuse"]

_LIKE: Final = {"¥": "￥Y", "￥": "¥Y", "–": "-", "—": "-", "…": "...", "·": ".", "÷": "/", "×": "x", "≥": ">=", "≤": "<=", "→": ">",
                "✓": "v", "✗": "x", "“": '"', "”": '"', "‘": "'", "’": "'", "█": "#", "░": "."}  # fmt: skip
_HANDLER: Final = "masanalytics.like"


def never_refuse(stream: Any) -> None:
    """Let a text stream write something like what its encoding lacks, or ``?``, instead of raising an error.

    Examples
    --------
    >>> stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    >>> never_refuse(stream)
    >>> print("10–12 ✓ 短信", file=stream, flush=True)
    >>> stream.buffer.getvalue().decode().strip()
    '10-12 v ??'
    """
    codecs.register_error(_HANDLER, _something_like)
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape", "backslashreplace"):
        with suppress(ValueError, OSError):  # closed, or given away
            stream.reconfigure(errors=_HANDLER)


def never_end_the_work(stream: Any) -> None:
    """Let what cannot be written go: a full disk under a log, or a pipe that nobody reads, is not what a command failed at.

    For lines beside the work, and for what is printed once the work is done and its exit code stands.

    Examples
    --------
    >>> stream = io.TextIOWrapper(io.FileIO("/dev/null"), "ascii")  # opened for reading
    >>> never_end_the_work(stream)
    >>> print("a line", file=stream, flush=True)
    >>> stream.detach().close()
    """
    if stream is None or getattr(stream, "goes_on", False):  # None: closed from the start, or without a console
        return
    with suppress(AttributeError):  # a stream that a notebook or a test put there, and that cannot fail
        stream.write, stream.flush = _tried(stream.write), _tried(stream.flush)
        stream.goes_on = True


def _tried(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def tried(*given: Any) -> Any:
        try:
            return work(*given)
        except OSError:
            return len(given[0]) if given else None

    return tried


def _something_like(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = [_stand_in(character, error.encoding) for character in error.object[error.start : error.end]]
    return "".join(written), error.end


def _stand_in(character: str, encoding: str) -> str:
    like = _LIKE.get(character) or unicodedata.normalize("NFKD", character)
    choices = like if character in "¥￥" else [like]
    for choice in choices:
        with suppress(UnicodeEncodeError):
            choice.encode(encoding)
            return choice
    return "?"
