"""What every result carries in ``.attrs``: as of when, under which coverage, of what, and what to mind.

The attrs are plain texts, numbers, lists and dicts, so that a result can be written to Parquet with them.

=================  =====================================================================================
``as_of``          end of coverage as text in China time (``"-"`` where unknown)
``coverage``       ``end``: the end of coverage by account; ``gaps``: when nobody polled, though reports could come
``denominator``    what the rates are shares of
``filters``        which messages were asked about
``notes``          list of ``{"code", "en", "zh"}``: what to mind when reading the numbers
``small_groups``   index labels of the rows that rest on fewer than 30 messages
=================  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.naming import refuse_unknown_names
from masanalytics.analysis.sources import MessageSource
from masanalytics.errors import InputError
from masanalytics.i18n import resolve_language
from masanalytics.timezone import format_instant

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SMALL_GROUP", "Note", "finished", "note", "notes_of", "refuse_taken_names"]

SMALL_GROUP = 30
"""Rows on fewer messages than this are marked as small."""


class Note(TypedDict):
    """One thing to mind, in both languages."""

    code: str
    en: str
    zh: str


def note(code: str, en: str, zh: str) -> Note:
    """Return a note."""
    return {"code": code, "en": en, "zh": zh}


def notes_of(result: pd.DataFrame, language: str | None = None) -> list[str]:
    """Return what to mind when reading `result`, in the language asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame()
    >>> frame.attrs["notes"] = [note("small", "few messages", "消息很少")]
    >>> notes_of(frame, "zh")
    ['消息很少']
    """
    chosen = resolve_language(language)
    return [item[chosen] for item in result.attrs.get("notes", [])]


def finished(
    frame: pd.DataFrame,
    source: MessageSource,
    *,
    where: Filters,
    denominator: str = "accepted",
    notes: Iterable[Note] = (),
    counted: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return `frame` with its attrs set; `counted` is how many messages each row rests on.

    Raises
    ------
    InputError
        If it is empty because no message has a name it is narrowed to.
    """
    if frame.empty:
        refuse_unknown_names(source, where)
    coverage = dict(source.coverage_summary(where))
    frame.attrs["as_of"] = format_instant(coverage.get("as_of"))
    frame.attrs["coverage"] = {name: _plain(coverage.get(name)) for name in ("end", "gaps")}
    frame.attrs["denominator"] = denominator
    frame.attrs["filters"] = where.describe()
    found = list(notes)
    if counted is not None:
        small = [_plain(label) for label, n in zip(frame.index, counted, strict=True) if n < SMALL_GROUP]
        frame.attrs["small_groups"] = small
        if small:
            found.append(
                note(
                    "small_groups",
                    f"{len(small):,} of {len(frame):,} rows rest on fewer than {SMALL_GROUP} messages: read their intervals",
                    f"{len(frame):,} 行中有 {len(small):,} 行不足 {SMALL_GROUP} 条消息：请看区间",
                )
            )
    frame.attrs["notes"] = [dict(item) for item in found]
    return frame


def refuse_taken_names(by: Sequence[str], columns: Sequence[str]) -> None:
    """Raise if a dimension has the name of a column of the result."""
    taken = [name for name in by if name in columns]
    if taken:
        raise InputError(
            f"by={taken[0]!r} is also a column of the result: rename that column first",
            zh=f"by={taken[0]!r} 与结果的列同名：请先把该列改名",
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
