"""Values that a question is narrowed to but no message has: a mistyped name is an error, not an empty answer."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import MessageSource
from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.vocabulary import CARRIERS, CARRIERS_ZH, MODES, Status

__all__ = ["refuse_unknown_names"]

_NAMES = ("campaign", "account", "arm", "province", "city", "template_id", "carrier", "status", "mode")
# Words of which a store may hold no message yet.
_KNOWN: dict[str, Collection[Any]] = {
    "carrier": {*CARRIERS, *CARRIERS_ZH.values()},
    "status": {*(status.name for status in Status), *Status},
    "mode": MODES,
}
_SHOWN = 5


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
