"""The text of a platform's template as its owner knows it: its placeholders, and which parameter stands in each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from masanalytics.errors import InputError
from masanalytics.planning.templates import Field, PlatformTemplate, Template, Wording

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.store import Store

__all__ = ["TemplateText", "filled_template", "placeholders", "with_text"]

_KINDS: Final = (
    re.compile(r"\{(\d{1,2})\}"),  # {1}: the first parameter
    re.compile(r"\$\{([^{}]+)\}"),  # ${name}: parameters in the order in which names first appear
    re.compile(r"\{#([^{}#]*)#\}"),  # {#var#}: each the next parameter
)


def placeholders(text: str) -> list[tuple[str, int]]:
    """Return each placeholder of a template's text, as written, with the number of its parameter, from 0.

    Raises
    ------
    InputError
        If placeholders are written in two ways, or numbers are missing between 1 and the largest.

    Examples
    --------
    >>> placeholders("尊敬的{1}，您的{2}积分"), placeholders("${name}，${points}分，${name}")
    ([('{1}', 0), ('{2}', 1)], [('${name}', 0), ('${points}', 1), ('${name}', 0)])
    >>> placeholders("{#var#}和{#var#}")
    [('{#var#}', 0), ('{#var#}', 1)]
    """
    used = [kind for kind in _KINDS if kind.search(text)]
    if not used:
        return []
    if len(used) > 1:
        raise InputError(
            "the template's text has placeholders written in two ways, {first} and {second}: write them in one",
            first=_first(used[0], text),
            second=_first(used[1], text),
        )
    found = [(match.group(0), match.group(1)) for match in used[0].finditer(text)]
    if used[0] is _KINDS[0]:
        numbers = [int(number) for _whole, number in found]
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        if missing or min(numbers) < 1:
            raise InputError(
                "the template's text has {last} but not {missing}: its parameters are numbered from {{1}}",
                last=f"{{{max(numbers)}}}",
                missing=[f"{{{number}}}" for number in missing] or "{1}",
            )
        return [(whole, number - 1) for (whole, _name), number in zip(found, numbers, strict=True)]
    if used[0] is _KINDS[1]:
        names = list(dict.fromkeys(name for _whole, name in found))
        return [(whole, names.index(name)) for whole, name in found]
    return [(whole, place) for place, (whole, _name) in enumerate(found)]


def filled_template(text: str, params: Sequence[Field]) -> Template:
    """Return the text of a template, cut at its placeholders, each with the field of its parameter.

    Raises
    ------
    InputError
        If it has not as many parameters as there are, naming both.
    """
    found = placeholders(text)
    needed = len({place for _whole, place in found})
    if needed != len(params):
        raise InputError(
            "the template's text has {needed} parameters ({placeholders}), but params= has {given} ({params})",
            needed=needed,
            placeholders=list(dict.fromkeys(whole for whole, _place in found)) or "-",
            given=len(params),
            params=[str(field.column) for field in params] or "-",
        )
    literals, rest = [], text
    for whole, _place in found:
        before, _mark, rest = rest.partition(whole)
        literals.append(before)
    return Template((*literals, rest), tuple(params[place] for _whole, place in found))


def _first(kind: re.Pattern[str], text: str) -> str:
    match = kind.search(text)
    return match.group(0) if match else ""


@dataclass(frozen=True, slots=True)
class TemplateText:
    """What a template says, and whether the store remembers it otherwise."""

    text: str
    is_other: bool


def with_text(
    wording: Wording, text: str | None, store: Store | None, account: Account | None
) -> tuple[Wording, TemplateText | None]:
    """Return the wording with the template's text: as it is said, else as the store remembers it."""
    if not isinstance(wording, PlatformTemplate):
        if text is not None:
            raise InputError("template_text= goes with template_id= only")
        return wording, None
    if text is not None and (not isinstance(text, str) or not text.strip()):
        raise InputError("template_text= is empty")
    known = None if store is None or account is None else store.sends.template_text(account.key, wording.template_id)
    used = known if text is None else text
    if used is None:
        return wording, None
    filled = filled_template(used, wording.params)
    return replace(wording, text=filled), TemplateText(used, is_other=known not in (None, used))
