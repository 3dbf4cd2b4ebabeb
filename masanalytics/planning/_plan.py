"""Make a plan of a frame: everything that can be known before a single message leaves."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.account import AccountKey, Budget
from masanalytics.aliases import Length, Numbers, PathName, Phones, Table
from masanalytics.carriers import carrier_codes, load_regions, region_codes
from masanalytics.clock import SystemClock
from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.phones import is_example, mobiles_in, parse_phones
from masanalytics.planning.argument_checks import check_kinds, check_wording_kinds
from masanalytics.planning.batching import Limits, cut_by_arm
from masanalytics.planning.columns import as_frame, cell_texts, check_names, labels_by_name, take_columns, whole_texts
from masanalytics.planning.contact_caps import cap_rule
from masanalytics.planning.content_checks import check_contents
from masanalytics.planning.encoded_text import RowTexts, write_rows
from masanalytics.planning.exclusions import ExclusionRules, Exclusions, exclude, plain_names
from masanalytics.planning.kept_columns import keep_columns, names_to_keep
from masanalytics.planning.other_rows import refuse_other_rows
from masanalytics.planning.pace import Pace, pace_of_rate, pace_of_spread, spread_seconds
from masanalytics.planning.plan_warnings import (
    PlanWarning,
    budget_periods,
    budget_warnings,
    lost_digits,
    near_names,
    other_template_text,
    suppression_warnings,
    unknown_signature,
)
from masanalytics.planning.planned import Plan, SendingAccount
from masanalytics.planning.planned_messages import Excluded, PlannedMessages
from masanalytics.planning.platform_texts import filled_template
from masanalytics.planning.templates import PlatformTemplate, Wording, by_arm, parse_wording
from masanalytics.protocol import MAX_PAIRS, most_pairs
from masanalytics.segments import bracketed
from masanalytics.sheets.receipt import receipt_of, receipt_warnings
from masanalytics.text import plain_name

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.store import Store

__all__ = ["plan"]

_LONGEST_CODE: Final = 20
_LIMITS: Final = Limits()
Arms: TypeAlias = "npt.NDArray[np.object_] | None"
AddSerial: TypeAlias = "str | Mapping[str, str] | None"


def plan(
    df: Table,
    *,
    phone: Hashable,
    content: Hashable | None = None,
    text: str | Mapping[str, str] | None = None,
    template_id: str | None = None,
    params: Sequence[Hashable] | Hashable | None = None,
    template_text: str | None = None,
    campaign: str,
    store: Store | None = None,
    account: Account | None = None,
    signature: str | None = None,
    price: float | None = None,
    rate: float | None = None,
    spread: Length | tuple[str, str] | None = None,
    suppress: Phones | Table | PathName | None = None,
    round: str = "",  # noqa: A002
    key: Hashable | None = None,
    arm: Hashable | None = None,
    keep: Sequence[Hashable] | Hashable | None = None,
    add_serial: str | Mapping[str, str] | None = None,
    limits: Limits | None = None,
    marketing: bool | None = None,
    regions: str | Path | None = None,
    cap: tuple[int, Length] | str | None = None,
    cap_by: Hashable | None = None,
    transactional: bool = False,
    **gone: Any,
) -> Plan:
    """Plan a campaign: numbers, texts, segments, cost, requests and time. Sends nothing and changes nothing.

    Parameters
    ----------
    df : DataFrame
        pandas or polars, one row a message. Its index may be anything; it is not changed.
    phone : hashable
        The column of numbers, in any form and dtype.
    content : hashable, optional
        A column of whole texts. Exactly one of `content`, `text` and `template_id` is given.
    text : str or mapping, optional
        One text for all; with ``{column}`` or ``{column:format}`` each row's own. ``{{`` and ``}}`` are braces. A mapping gives
        each arm its text. A row with a missing value is left out; a decimal or a date without a format is an error.
    template_id : str, optional
        A template of the platform, with `params`: columns, or ``"column:format"``, in its order.
    template_text : str, optional
        What the template says, with ``{1}`` or ``${name}`` or ``{#var#}`` for its parameters, in the order of `params`. Messages then
        have a length, a cost, a preview and the checks of texts; what is sent is the same. It is remembered when it is sent, and
        need not be said again for this account and template.
    campaign : str
        Under this name a number gets a message at most once. Names that look alike are one: invisible characters and
        repeated spaces do not count.
    store : Store, optional
        Knows who has opted out and what this round of the campaign has sent. `send` looks again, in its own store.
    account : Account, optional
        Gives the signature's text, ``allow_only``, the extension of the service code, and how large a request may be.
    signature : str, optional
        The signature's text, with or without 【】, if not the account's. It counts in every text.
    price : float, optional
        Price of a segment, for the cost.
    rate : float, optional
        The most messages a second: `send` keeps to it in every minute, and requests are cut so that it can.
    spread : str, float, timedelta or (str, str), optional
        In place of `rate`: how long sending is to take, such as ``"4h"``, or hours of the day in China time, such as
        ``("09:00", "17:00")``, outside which nothing is sent.
    suppress : DataFrame, Series, iterable of numbers or path, optional
        Numbers that must not get it. Every column, every number in a cell and a label that is a number count; a file is read with
        all its visible sheets.
    round : str
        The name of a repetition made on purpose, such as ``"2026-12"``: numbers of other rounds get the campaign again. The
        same name is the same round for ever, whatever was interrupted.
    key : hashable, optional
        A column that tells several messages to one number apart, such as an order number: a number gets one for each of its
        keys, whatever the text. Without it a number gets one message, from its first usable row. A round has one rule.
    arm : hashable, optional
        A column with the arm of a comparison; by default ``arm``, as `split` writes it, where there is one.
    keep : hashable or list of hashable, optional
        Columns of the sheet, such as ``["门店", "会员等级"]``, that are kept with each message as it was sent: rates are asked for
        by them, and narrowed to them, like any other column. Each value is kept as text; messages of campaigns that did not
        keep a column have ``not kept`` in it.
    add_serial : str or mapping, optional
        The extension of the service code, for all or for each arm, so that replies name what they answer.
    limits : Limits, optional
        Smaller requests than the platform takes, and the assumed requests a second.
    marketing : bool, optional
        Whether to warn where a text does not say how to opt out; by default where it reads like marketing.
    regions : str or Path, optional
        A newer ``phone.dat`` for provinces and cities.
    cap : (int, str) or str, optional
        At most so many messages to a number in so long, such as ``(2, "7d")`` or ``"2/7d"``; by default the account's. What the
        store has sent, or may have sent, counts, of all campaigns and rounds, proofs and transactional ones aside; so do the
        plan's own rows. `send` looks again when a request leaves, and holds what is over by then.
    cap_by : hashable, optional
        A column that says who is one person, such as a customer number: all numbers of a person count together.
    transactional : bool, optional
        Whether these messages (codes, orders) are held by no cap and count towards none.

    Returns
    -------
    Plan
        Frozen. Planned and excluded rows are all rows; why a row is left out is decided in this order: its number, the person
        (opted out, suppressed, not allowed), its text, its key, duplicate, already sent, over the cap.

    Raises
    ------
    InputError
        Before any row is looked at, if columns are missing (all are named) or the arguments contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"手机号": ["138 0013 8000", "13900139000", None], "姓名": ["张三", None, "李四"]})
    >>> made = plan(people, phone="手机号", text="{姓名}，您好", campaign="问候")
    >>> made.messages[["phone", "content"]].values.tolist(), made.excluded["reason"].tolist()
    ([['13800138000', '张三，您好']], ['missing_value', 'empty_number'])
    """
    _check_gone(gone)
    check_wording_kinds(text, template_id, params)
    check_kinds(store, account, signature, limits, add_serial, marketing)
    rules = ExclusionRules(
        campaign=_checked_campaign(campaign),
        phone=_checked_phone(phone),
        store=store,
        suppress=suppress,
        allow_only=None if account is None else account.allow_only,
        round=_checked_round(round),
        key=_checked_key(key),
        capping=cap_rule(cap, cap_by, account, transactional=transactional),
    )
    sending = _Sending(
        add_serial=_checked_serial(add_serial, account),
        price=_positive("price", price),
        rate=_positive("rate", rate),
        spread=_checked_spread(spread, rate, store),
        limits=_limits_of(account, limits),
        marketing=marketing,
        regions=regions,
        account=None if account is None else SendingAccount.of(account),
        signature=bracketed(signature if signature is not None else (account.signature or "") if account else ""),
        budget=_budget_of(account),
    )
    check_names(phone=phone, content=content, arm=arm, params=None if isinstance(params, (list, tuple)) else params)
    labels = labels_by_name(frame := as_frame(df))
    wording = parse_wording(labels, content=content, text=text, template_id=template_id, params=params)
    wording, said = _with_text(wording, template_text, store, account)
    if arm is None and "arm" in labels:
        arm = "arm"
    own = [] if keep is None else names_to_keep(keep)
    named = [*(name for name in (phone, arm, key, cap_by) if name is not None), *own]
    columns = take_columns(frame, labels, [*named, *wording.columns])
    arms, keys, people = (
        None if name is None else plain_names(texts_of(columns[name]))
        for texts_of, name in ((cell_texts, arm), (whole_texts, key), (whole_texts, cap_by))
    )
    _check_serial_of_arms(add_serial, arms)
    sheet = _Sheet(frame.index, columns, arms, keys, receipt_of(df), own, people)
    return _assembled(sheet, wording, rules, replace(sending, template=said))


def _with_text(
    wording: Wording, text: str | None, store: Store | None, account: Account | None
) -> tuple[Wording, _TemplateText | None]:
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
    return replace(wording, text=filled), _TemplateText(used, is_other=known not in (None, used))


def _checked_campaign(name: str) -> str:
    if not isinstance(name, str) or not plain_name(name):
        raise InputError("campaign= needs a name: under it a number gets a message at most once")
    return plain_name(name)


def _check_gone(gone: Mapping[str, Any]) -> None:
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
        raise TypeError(f"plan() got an unexpected keyword argument {next(iter(gone))!r}")


def _checked_round(label: object) -> str:
    if not isinstance(label, str):
        raise InputError("round={value}: give the round a name, as text, such as round='2026-12'", value=repr(label))
    return plain_name(label)


def _checked_key(key: Hashable | None) -> str | None:
    if key is None:
        return None
    if not isinstance(key, Hashable) or not plain_name(str(key)):
        raise InputError(
            "key={value}: it must name the column that tells several messages to one number apart, such as key='订单号'",
            value=type(key).__name__,
        )
    return plain_name(str(key))


def _checked_phone(phone: Hashable) -> Hashable:
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
    budget = None if account is None else Budget.of(account)
    return None if account is None or budget is None else (budget, account.key)


def _positive(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal) or not 0 < float(value) < float("inf"):
        raise InputError("{name}={value} is not a number above 0", name=name, value=repr(value))
    return float(value)


def _checked_spread(
    spread: Length | tuple[str, str] | None, rate: float | None, store: Store | None
) -> tuple[float, tuple[str, str] | None] | None:
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


def _checked_serial(add_serial: AddSerial, account: Account | None) -> AddSerial:
    """Check extensions of the service code: digits, and no more than 20 of them together with the code."""
    if add_serial is None:
        return None
    code = "" if account is None else account.service_code or ""
    for serial in [add_serial] if isinstance(add_serial, str) else add_serial.values():
        if not isinstance(serial, str) or not re.fullmatch(r"[0-9]*", serial):
            raise InputError("add_serial={value}: digits only, as text", value=repr(serial))
        if len(code) + len(serial) > _LONGEST_CODE:
            raise InputError(
                "add_serial={value}: with the service code {service_code} it has more than {most} digits",
                value=repr(serial),
                service_code=code,
                most=_LONGEST_CODE,
            )
    return add_serial if isinstance(add_serial, str) else MappingProxyType(by_arm("add_serial", add_serial))


def _check_serial_of_arms(add_serial: AddSerial, arms: Arms) -> None:
    if isinstance(add_serial, Mapping):
        without = {None} if arms is None else set(arms.tolist()) - set(by_arm("add_serial", add_serial))
        if without:
            raise InputError(
                "add_serial= is given by arm, but not for {arms}", arms=", ".join(sorted(map(repr, without)))
            )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The user's frame: its index, the columns that the plan needs, arm, key and person of each row, where it was read from.

    `own` names the columns that are kept with each message.
    """

    index: pd.Index[Any]
    columns: Mapping[Hashable, pd.Series[Any]]
    arms: Arms
    keys: npt.NDArray[np.object_] | None
    receipt: Mapping[str, Any] | None
    own: Sequence[Hashable]
    people: npt.NDArray[np.object_] | None


@dataclass(frozen=True, slots=True)
class _TemplateText:
    """What a template says, and whether the store remembers it otherwise."""

    text: str
    is_other: bool


@dataclass(frozen=True, slots=True)
class _Sending:
    """How messages are sent and counted."""

    add_serial: AddSerial
    price: float | None
    rate: float | None
    spread: tuple[float, tuple[str, str] | None] | None
    limits: Limits
    marketing: bool | None
    regions: str | Path | None
    account: SendingAccount | None
    signature: str
    budget: tuple[Budget, AccountKey] | None
    template: _TemplateText | None = None

    def pace(self, count: int) -> Pace | None:
        """Return how fast so many messages are to go, where that was said."""
        most = max(self.limits.many_to_one, self.limits.many_to_many)
        if self.rate is not None:
            return pace_of_rate(self.rate, most)
        return None if self.spread is None or not count else pace_of_spread(count, self.spread[0], most)


def _assembled(sheet: _Sheet, wording: Wording, rules: ExclusionRules, sending: _Sending) -> Plan:
    """Plan the rows of a sheet: each step is one module, which hands arrays on to the next."""
    cells = sheet.columns[rules.phone]
    numbers, reasons = parse_phones(cells)
    row_texts = write_rows(wording, sheet.columns, sheet.arms, len(cells), sending.signature)
    exclusions = exclude(numbers, reasons, row_texts, sheet.keys, rules, sheet.people)
    budget = budget_periods(sending.budget, rules.store, row_texts.segments)
    pace = sending.pace(int((exclusions.reasons < 0).sum()))
    limits = sending.limits if pace is None else pace.limits(sending.limits)
    planned = _arranged(sheet, numbers, row_texts, exclusions, replace(sending, limits=limits))
    refuse_other_rows(planned.texts, planned.rows, numbers, sheet.index)
    warnings = [
        *_warnings_of_texts(planned, row_texts, sending),
        *near_names(rules.campaign, rules.round, exclusions.near),
        *suppression_warnings(exclusions.suppression),
        lost_digits(numbers, cells),
        *budget_warnings(budget, len(planned.rows), planned.segments),
        *_warnings_of_columns(planned, sheet.receipt),
    ]
    return Plan(
        campaign=rules.campaign,
        round=rules.round,
        key=rules.key,
        rows=len(cells),
        template_id=row_texts.template_id,
        signature=sending.signature,
        add_serial=sending.add_serial,
        price=sending.price,
        pace=pace,
        window=sending.spread[1] if sending.spread else None,
        limits=limits,
        account=sending.account,
        receipt=sheet.receipt,
        suppression=exclusions.suppression,
        new_store=str(rules.store.path) if rules.store is not None and rules.store.is_new else "",
        cap_rule=rules.capping,
        kin=exclusions.capped.kin,
        budget=budget,
        warnings=tuple([warning for warning in warnings if warning.rows]),
        _sent=planned,
        _left=_left_out(sheet, numbers, row_texts, exclusions, cells),
    )


def _left_out(
    sheet: _Sheet, numbers: Numbers, row_texts: RowTexts, exclusions: Exclusions, cells: pd.Series[Any]
) -> Excluded:
    found = Excluded.of(cells, exclusions.reasons, row_texts.segments, sheet.index, numbers, sheet.keys)
    return found.with_last(exclusions.capped)


def _warnings_of_texts(planned: PlannedMessages, row_texts: RowTexts, sending: _Sending) -> list[PlanWarning]:
    contents = planned.contents or planned.shown
    if contents is None:
        return []
    found = check_contents(contents, row_texts.units[planned.rows], marketing=sending.marketing)
    other = sending.template is not None and sending.template.is_other
    return [
        *found,
        unknown_signature(0 if sending.signature else len(planned.rows)),
        other_template_text(len(planned.rows) if other else 0),
    ]


def _warnings_of_columns(planned: PlannedMessages, receipt: Mapping[str, Any] | None) -> list[PlanWarning]:
    """Return the warnings of kept columns, and of the file that the columns were read from."""
    of_file = [PlanWarning(rows, said) for rows, said in receipt_warnings(receipt)] if receipt else []
    return of_file if planned.kept is None else [*planned.kept.warnings(), *of_file]


def _arranged(
    sheet: _Sheet, numbers: Numbers, row_texts: RowTexts, exclusions: Exclusions, sending: _Sending
) -> PlannedMessages:
    """Bring the rows that are left into requests."""
    rows = np.flatnonzero(exclusions.reasons < 0)
    cut, batch_arms = cut_by_arm(
        row_texts.groups[rows],
        numbers[rows],
        None if sheet.arms is None else sheet.arms[rows],
        sending.limits,
        templates=row_texts.template_id is not None,
        repeated=sheet.keys is not None,
    )
    order = rows[cut.order]
    units, texts = row_texts.units[order], row_texts.texts.take(order)
    regions = load_regions(sending.regions)
    return PlannedMessages(
        rows=order,
        numbers=numbers[order],
        segments=None if row_texts.segments is None else row_texts.segments[order],
        carriers=carrier_codes(numbers[order]),
        places=region_codes(numbers[order], regions),
        place_names=regions.places,
        keys=None if sheet.keys is None else sheet.keys[order],
        kept=keep_columns(sheet.columns, sheet.own).take(order) if sheet.own else None,
        contents=texts if row_texts.template_id is None else None,
        shown=None if row_texts.shown is None else row_texts.shown.take(order),
        template_text=None if sending.template is None else sending.template.text,
        params=None if row_texts.template_id is None else texts,
        starts=cut.starts,
        modes=cut.modes,
        batch_arms=batch_arms,
        examples=(int(np.argmin(order)), int(np.argmin(units)), int(np.argmax(units))) if len(order) else (),
        labels=sheet.index.take(order),
    )
