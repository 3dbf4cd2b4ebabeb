"""Whether the arguments of `plan` are of the kinds they must be; said before any row is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral

import numpy as np

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.planning.batching import Limits

__all__ = ["check_kinds", "check_wording_kinds", "wrong_kind"]


def wrong_kind(argument: str, value: object, wanted: Text) -> InputError:
    """Return the error that an argument is something else than `wanted`. It shows nothing of the value.

    Examples
    --------
    >>> print(wrong_kind("limit", "5", Text("a whole number from 1")).text("en"))
    limit= is of type str: it must be a whole number from 1
    """
    return InputError(
        "{argument}= is of type {kind}: it must be {wanted}",
        argument=argument,
        kind=type(value).__name__,
        wanted=wanted,
    )


def check_wording_kinds(text: object, template_id: object, params: object) -> None:
    """Raise InputError for the first of what the messages say that is of a wrong kind, or holds half a character."""
    if isinstance(text, (str, Mapping)):
        for one in [text] if isinstance(text, str) else text.values():
            _check_whole_characters("text", one)
    _check(
        ("text", text, isinstance(text, (str, Mapping)), Text("a text, or a text for each arm")),
        ("template_id", template_id, _is_id(template_id), Text("the template's id, as text")),
        ("params", params, isinstance(params, (str, Iterable)), Text("a column's name, or a list of them")),
    )


def check_kinds(
    store: object, account: object, signature: object, limits: object, add_serial: object, marketing: object
) -> None:
    """Raise InputError for the first other argument of a wrong kind; None is every argument's own business."""
    _check(
        ("store", store, hasattr(store, "sends"), Text("an open store, such as mas.Store('mas.db')")),
        ("account", account, hasattr(account, "allow_only"), Text("an Account, such as client.account")),
        ("signature", signature, isinstance(signature, str), Text("the signature's text")),
        ("limits", limits, isinstance(limits, Limits), Text("Limits, such as Limits(many_to_one=1000)")),
        (
            "add_serial",
            add_serial,
            isinstance(add_serial, (str, Mapping)),
            Text("digits as text, or such for each arm"),
        ),
        ("marketing", marketing, isinstance(marketing, (bool, np.bool_)), Text("True or False")),
    )


def _check(*checks: tuple[str, object, bool, Text]) -> None:
    for argument, value, is_right, wanted in checks:
        if value is not None and not is_right:
            raise wrong_kind(argument, value, wanted)


def _check_whole_characters(argument: str, value: object) -> None:
    """Raise InputError where a text holds half a character, which no encoding can carry."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "{argument}= holds half a character (a lone surrogate), as a broken copy of an emoji does: remove it",
            argument=argument,
        ) from error


def _is_id(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, Integral) and not isinstance(value, bool))
