"""The arguments of `plan`: whether they are of the kinds they must be, and what they stand for; said before any row is looked at."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from masanalytics.account import AccountKey, Budget, FrequencyCap
from masanalytics.aliases import Length
from masanalytics.argument_kinds import wrong_kind
from masanalytics.clock import SystemClock
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in, shown_value
from masanalytics.phones import is_example, mobiles_in
from masanalytics.planning.batching import Limits
from masanalytics.planning.contact_caps import CapRule
from masanalytics.planning.pace import spread_seconds
from masanalytics.planning.planned import SendingAccount
from masanalytics.planning.platform_texts import TemplateText
from masanalytics.planning.templates import by_arm
from masanalytics.protocol import MAX_PAIRS, most_pairs
from masanalytics.segments import bracketed
from masanalytics.text import plain_name

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.store import Store

__all__ = [
    "GONE",
    "AddSerial",
    "Sending",
    "cap_rule",
    "check_gone",
    "check_kinds",
    "check_wording_kinds",
    "checked_campaign",
    "checked_key",
    "checked_phone",
    "checked_round",
    "checked_serial",
    "checked_spread",
    "positive",
]

AddSerial: TypeAlias = "str | Mapping[str, str] | None"
_LONGEST_CODE: Final = 20
_LIMITS: Final = Limits()
GONE: Final = ("again", "duplicates")
"""Arguments of earlier versions."""


def check_wording_kinds(text: object, template_id: object, params: object, template_text: object) -> None:
    """Raise InputError for the first of what the messages say that is of a wrong kind, or holds half a character."""
    if isinstance(text, (str, Mapping)):
        for one in [text] if isinstance(text, str) else text.values():
            _check_whole_characters("text", one)
    _check(
        ("text", text, isinstance(text, (str, Mapping)), Text("a text, or a text for each arm")),
        ("template_id", template_id, _is_id(template_id), Text("the template's id, as text")),
        ("params", params, isinstance(params, (str, Iterable)), Text("a column's name, or a list of them")),
        ("template_text", template_text, isinstance(template_text, str), Text("what the template says, as text")),
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


def checked_campaign(name: str) -> str:
    """Return the campaign's name as it is compared; raise InputError where it is none."""
    if not isinstance(name, str) or not plain_name(name):
        raise InputError("campaign= needs a name: under it a number gets a message at most once")
    return plain_name(name)


def check_gone(gone: Mapping[str, Any]) -> None:
    """Say what is used in place of arguments of earlier versions."""
    if "again" in gone:
        raise InputError(
            "again= is gone: name the repetition, such as round='2026-12'. The same name is the same round, whatever was"
            " interrupted. Nothing was sent"
        )
    if "duplicates" in gone:
        raise InputError(
            "duplicates= is gone: a number gets one message, or with key= one for each of its keys, such as"
            " key='订单号'. Nothing was sent"
        )
    if gone:
        raise InputError("{function}() has no argument {name!r}", function="plan", name=next(iter(gone)))


def checked_round(label: object) -> str:
    """Return the round's name as it is compared; raise InputError where it is none."""
    if not isinstance(label, str):
        raise InputError(
            "round={value}: give the round a name, as text, such as round='2026-12'", value=shown_value(label)
        )
    return plain_name(label)


def checked_key(key: Hashable | None, phone: Hashable) -> str | None:
    """Return the name of the column of keys; raise InputError where it is none, or the column of the numbers."""
    if key is None:
        return None
    if not isinstance(key, Hashable) or not plain_name(str(key)):
        raise InputError(
            "key={value}: it must name the column that tells several messages to one number apart, such as key='订单号'",
            value=type(key).__name__,
        )
    if plain_name(str(key)) == plain_name(str(phone)):
        raise InputError(
            "key={key!r} is the column of the numbers: without key= each number gets one message, however it is written; key= names the"
            " column that tells several messages to one number apart, such as key='订单号'. Nothing was sent",
            key=key,
        )
    return plain_name(str(key))


def checked_phone(phone: Hashable) -> Hashable:
    """Return the name of the column of numbers; raise InputError where it is itself a number."""
    if phone is None:
        raise InputError("phone=None: it must name the column that holds the numbers, such as phone='手机号'")
    if (
        isinstance(phone, Hashable)
        and any(map(str.isdigit, str(phone)))
        and mobiles_in(str(phone))
        and not is_example(str(phone))
    ):
        raise InputError(
            "phone={value}: that is itself a number, so the file has no header, and its first row would be lost: read it with"
            " mas.read_sheet(path), or with header=None in pandas",
            value=mask_phones_in(repr(phone)),
        )
    return phone


def _budget_of(account: Account | None) -> tuple[Budget, AccountKey] | None:
    """Return the account's budget, and by what the store knows the account; None without one."""
    budget = None if account is None else Budget.of(account)
    return None if account is None or budget is None else (budget, account.key)


def positive(name: str, value: float | None) -> float | None:
    """Return a number above 0, or None where none was given."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal) or not 0 < float(value) < float("inf"):
        raise InputError("{name}={value} is not a number above 0", name=name, value=shown_value(value))
    return float(value)


def checked_spread(
    spread: Length | tuple[str, str] | None, rate: float | None, store: Store | None
) -> tuple[float, tuple[str, str] | None] | None:
    """Return the seconds that sending is to take, and the hours of the day in which it stays."""
    if spread is None:
        return None
    if rate is not None:
        raise InputError("rate= and spread= say the same thing twice: give one of them")
    return spread_seconds(spread, (SystemClock() if store is None else store.clock).now())


def _limits_of(account: Account | None, limits: Limits | None) -> Limits:
    """Return how large a request may be: as asked for, and as the account's flavour of the interface takes it."""
    most = MAX_PAIRS if account is None else most_pairs(account)
    if limits is None:
        return replace(_LIMITS, many_to_many=most)
    if account is not None and limits.many_to_many > most:
        raise InputError(
            "limits: many_to_many={value} is more than an HTTPS account takes in one request (at most {most})",
            value=limits.many_to_many,
            most=most,
        )
    return limits


def checked_serial(add_serial: AddSerial, account: Account | None) -> AddSerial:
    """Check extensions of the service code: digits, and no more than 20 of them together with the code."""
    if add_serial is None:
        return None
    code = "" if account is None else account.service_code or ""
    for serial in [add_serial] if isinstance(add_serial, str) else add_serial.values():
        if not isinstance(serial, str) or not re.fullmatch(r"[0-9]*", serial):
            raise InputError("add_serial={value}: digits only, as text", value=shown_value(serial))
        if len(code) + len(serial) > _LONGEST_CODE:
            raise InputError(
                "add_serial={value}: with the service code {service_code} it has more than {most} digits",
                value=shown_value(serial),
                service_code=code,
                most=_LONGEST_CODE,
            )
    return add_serial if isinstance(add_serial, str) else MappingProxyType(by_arm("add_serial", add_serial))


def cap_rule(cap: object, by: Hashable | None, account: Account | None, *, transactional: bool) -> CapRule:
    """Check what is said about caps; without `cap` it is the account's.

    Raises
    ------
    InputError
        If a cap cannot be read, or arguments contradict each other.
    """
    if not isinstance(transactional, bool):
        raise InputError("transactional={value}: True or False", value=shown_value(transactional))
    if transactional and cap is not None:
        raise InputError(
            "transactional messages are held by no cap: leave cap= (--cap) out, or transactional=True (--transactional)"
        )
    known = None if account is None or transactional else account.cap
    found = known if cap is None else FrequencyCap.parse(cap)
    if by is not None and found is None:
        raise InputError(
            "cap_by={name} says who is one person, but there is no cap: give cap=(2, '7d') (in the shell: --cap 2/7d)",
            name=shown_value(by),
        )
    return CapRule(found if isinstance(found, FrequencyCap) else None, by, transactional)


@dataclass(frozen=True, slots=True)
class Sending:
    """How messages are sent and counted."""

    add_serial: AddSerial
    price: float | None
    rate: float | None
    spread: tuple[float, tuple[str, str] | None] | None
    marketing: bool | None
    regions: str | Path | None
    account: SendingAccount | None = None
    budget: tuple[Budget, AccountKey] | None = None
    limits: Limits = _LIMITS
    signature: str = ""
    template: TemplateText | None = None

    def by(self, account: Account | None, limits: Limits | None, signature: str | None) -> Sending:
        """Return the same, sent by an account, in requests as large as it may make, under its signature or another."""
        own = (account.signature or "") if account else ""
        return replace(
            self,
            account=None if account is None else SendingAccount.of(account),
            budget=_budget_of(account),
            limits=_limits_of(account, limits),
            signature=bracketed(own if signature is None else signature),
        )
