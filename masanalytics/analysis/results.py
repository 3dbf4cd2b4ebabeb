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

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import MessageSource
from masanalytics.errors import InputError
from masanalytics.i18n import resolve_language
from masanalytics.masking import mask_phones_in
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import CARRIERS, CARRIERS_ZH, MODES, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SMALL_GROUP", "Note", "finished", "note", "notes_of", "refuse_taken_names", "refuse_unknown_names"]

SMALL_GROUP = 30
"""Rows on fewer messages than this are marked as small."""

_NAMES = ("campaign", "account", "arm", "province", "city", "template_id", "carrier", "status", "mode")
# Words of which a store may hold no message yet.
_KNOWN: dict[str, Collection[Any]] = {
    "carrier": {*CARRIERS, *CARRIERS_ZH.values()},
    "status": {*(status.name for status in Status), *Status},
    "mode": MODES,
}
_SHOWN = 5


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


def refuse_unknown_names(source: MessageSource, where: Filters) -> None:
    """Raise if `where` asks for a campaign, a carrier or another name that no message of `source` has.

    Meant for answers that came out empty: it asks the source again.

    Raises
    ------
    InputError
        Naming the value, and those that come near.
    """
    available = source.message_columns()
    for name in _NAMES:
        options = where.values.get(name, ())
        if name not in available or not options or any(option in _KNOWN.get(name, ()) for option in options):
            continue
        if source.grouped_count([], where=Filters({name: options}), seconds=None)[3].sum():
            continue
        there = source.grouped_count([name], where=Filters(), seconds=None)[0][name]
        if len(there):
            raise _unknown(name, options, sorted(set(there.dropna().astype(str))))


def _unknown(name: str, options: tuple[Any, ...], there: list[str]) -> InputError:
    asked = mask_phones_in(", ".join(repr(option) for option in options))
    near = [text for option in options for text in get_close_matches(str(option), there, 3, 0.3)]
    listed = [mask_phones_in(text) for text in list(dict.fromkeys(near)) or there[:_SHOWN]] or ["-"]
    more, more_zh = (", …", "……") if len(there) > len(listed) else ("", "")
    return InputError(
        f"no message has {name} {asked}; there is: {', '.join(listed)}{more}",
        zh=f"没有 {name} 为 {asked} 的消息；现有：{'、'.join(listed)}{more_zh}",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
