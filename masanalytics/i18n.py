"""The language of every text a person reads: gettext catalogues, English as the msgid, chosen once at the public boundary.

A public function with a ``language=`` parameter is decorated with `speaks`; everything below it says ``_("…", name=value)``
and knows nothing of languages. What is kept for later (an error, a note, a row of the database) is a `Text`: a sentence and its
parameters, which become words when they are shown.

The catalogue is ``locale/zh_CN/LC_MESSAGES/masanalytics.po``; ``python .ci/messages.py update`` collects new sentences.
"""

from __future__ import annotations

import gettext as _gettext
import inspect
import locale
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast

__all__ = [
    "N_",
    "Language",
    "Text",
    "_",
    "ngettext",
    "resolve_language",
    "speaks",
    "use_language",
]

Language = Literal["en", "zh"]
_P = ParamSpec("_P")
_R = TypeVar("_R")
_CATALOGUES: Final = {"en": "en", "zh": "zh_CN"}
_chosen: ContextVar[Language | None] = ContextVar("masanalytics_language", default=None)


def resolve_language(language: str | None = None) -> Language:
    """Return ``"en"`` or ``"zh"``.

    Parameters
    ----------
    language : {"en", "zh"}, optional
        Asked for by the caller. Otherwise what `use_language` chose, otherwise ``MAS_LANGUAGE``, otherwise the language of the
        user's system.

    Raises
    ------
    ValueError
        If `language` is neither ``"en"`` nor ``"zh"``.

    Examples
    --------
    >>> resolve_language("zh")
    'zh'
    """
    if language is not None:
        if not isinstance(language, str):
            raise ValueError(f"language= is of type {type(language).__name__}: use 'en' or 'zh'")
        if language not in ("en", "zh"):
            raise ValueError(f"language={language!r}: use 'en' or 'zh'")
        return cast("Language", language)
    if (chosen := _chosen.get()) is not None:
        return chosen
    names = [os.environ.get(key, "") for key in ("MAS_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    spoken = next((name for name in names if name), "") or (locale.getlocale()[0] or "")
    return "zh" if spoken.lower().startswith(("zh", "chinese")) else "en"


@contextmanager
def use_language(language: str | None) -> Iterator[Language]:
    """Say every text inside the block in `language`; None keeps the language in use.

    The choice belongs to the thread (or task) that makes it: a new thread starts with the user's own language, so what one
    thread hands to another is a `Text`, never words.

    Examples
    --------
    >>> with use_language("zh"):
    ...     _("delivered")
    '已送达'
    """
    token = _chosen.set(resolve_language(language))
    try:
        yield resolve_language()
    finally:
        _chosen.reset(token)


def speaks(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make the ``language=`` that a public function is given the language of all that it says."""
    names = list(inspect.signature(function).parameters)
    position = names.index("language")

    @wraps(function)
    def spoken(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        language = kwargs.get("language", args[position] if len(args) > position else None)
        with use_language(cast("str | None", language)):
            return function(*args, **kwargs)

    return spoken


def _(message: str, /, **values: object) -> str:
    """Return `message`, which is English, in the language in use, with `values` put into its ``{names}``.

    A list or tuple is said with the language's comma between its elements.

    Examples
    --------
    >>> with use_language("en"):
    ...     _("{count:,} of {total:,} rows", count=3, total=1200)
    '3 of 1,200 rows'
    >>> with use_language("zh"):
    ...     _("{names}", names=["1 月", "2 月"])
    '1 月、2 月'
    """
    return _translations(resolve_language()).gettext(message).format(**_said(values))


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """Return `one` or `many`, by `count` and the language in use; ``{count}`` stands for `count`.

    Examples
    --------
    >>> with use_language("en"):
    ...     ngettext("{count:,} poll", "{count:,} polls", 1), ngettext("{count:,} poll", "{count:,} polls", 2000)
    ('1 poll', '2,000 polls')
    """
    return _translations(resolve_language()).ngettext(one, many, count).format(count=count, **_said(values))


def _said(values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a sentence as they are said: lists with commas between."""
    return {
        name: _(", ").join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }


def N_(message: str, /) -> str:  # noqa: N802
    """Mark `message` as a sentence of the catalogue that is translated later, by ``_(…)``: for tables of words."""
    return message


class Text:
    """A sentence and its parameters, said when it is shown, in the language of whoever reads it.

    Parameters
    ----------
    message : str
        English, with ``{names}``.
    many : str, optional
        What is said where ``count`` is not one.
    code : str, optional
        A short, stable name for programs to branch on and to group by.
    **parameters
        Plain values, further texts, or lists of both. ``count`` decides between `message` and `many`.

    Examples
    --------
    >>> text = Text("{count:,} row has no number", "{count:,} rows have no number", code="empty_number", count=3)
    >>> with use_language("en"):
    ...     str(text)
    '3 rows have no number'
    """

    __slots__ = ("code", "many", "message", "parameters")

    def __init__(self, message: str, many: str = "", /, *, code: str = "", **parameters: Any) -> None:
        self.message = message
        self.many = many
        self.code = code
        self.parameters: Mapping[str, Any] = parameters

    def __str__(self) -> str:
        if self.many:
            others = {name: value for name, value in self.parameters.items() if name != "count"}
            return ngettext(self.message, self.many, self.parameters["count"], **others)
        return _(self.message, **self.parameters)

    def text(self, language: str | None = None) -> str:
        """Return the sentence in ``"en"`` or ``"zh"`` (by default in the language in use)."""
        with use_language(language):
            return str(self)

    def __repr__(self) -> str:
        return f"Text({self.text('en')!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Text):
            return NotImplemented
        return (self.message, self.many, self.code, self.parameters) == (
            other.message,
            other.many,
            other.code,
            other.parameters,
        )

    def __hash__(self) -> int:
        return hash((self.message, self.many, self.code))

    def as_json(self) -> dict[str, Any]:
        """Return the text as plain values, for a database or the attrs of a frame."""
        kept = {name: _as_plain(value) for name, value in self.parameters.items()}
        return {"code": self.code, "message": self.message, "many": self.many, "parameters": kept}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Text:
        """Return the text that `as_json` made plain.

        Examples
        --------
        >>> text = Text("{count:,} row of {file}", "{count:,} rows of {file}", count=2, file="a.csv")
        >>> Text.from_json(text.as_json()) == text
        True
        """
        parameters = {name: _from_plain(value) for name, value in kept["parameters"].items()}
        return cls(kept["message"], kept.get("many", ""), code=kept.get("code", ""), **parameters)


def _as_plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_plain(element) for element in value]
    return {"text": value.as_json()} if isinstance(value, Text) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_plain(element) for element in value]
    return Text.from_json(value["text"]) if isinstance(value, Mapping) and set(value) == {"text"} else value


@cache
def _translations(language: Language) -> _gettext.NullTranslations:
    folder = Path(__file__).with_name("locale")
    return _gettext.translation("masanalytics", folder, [_CATALOGUES[language]], fallback=True)
