"""Make a plan of a frame: everything that can be known before a single message leaves."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Booleans, Instant, Length, Numbers, PathName, Phones, Table
from masanalytics.carriers import carrier_codes, load_regions, region_codes
from masanalytics.clock import SystemClock
from masanalytics.errors import InputError
from masanalytics.near_names import named_arguments
from masanalytics.phones import parse_phones
from masanalytics.planning.arguments import (
    AddSerial,
    Sending,
    cap_rule,
    check_gone,
    check_kinds,
    check_wording_kinds,
    checked_campaign,
    checked_key,
    checked_phone,
    checked_round,
    checked_serial,
    checked_spread,
    positive,
)
from masanalytics.planning.batching import Limits, cut_by_arm
from masanalytics.planning.columns import as_frame, cell_texts, check_names, labels_by_name, take_columns, whole_texts
from masanalytics.planning.content_checks import check_contents
from masanalytics.planning.encoded_text import Arms, RowTexts, write_rows
from masanalytics.planning.exclusions import ExclusionRules, Exclusions, exclude, plain_names
from masanalytics.planning.held_out import HELD_OUT, HeldOut, HoldRule, SilentRows, worded_arms
from masanalytics.planning.kept_columns import check_spelling, keep_columns, names_to_keep
from masanalytics.planning.other_rows import refuse_other_rows
from masanalytics.planning.pace import pace_of
from masanalytics.planning.plan_warnings import (
    PlanWarning,
    budget_periods,
    budget_warnings,
    lost_digits,
    near_names,
    nothing_planned,
    other_template_text,
    suppression_warnings,
    unknown_signature,
)
from masanalytics.planning.planned import Plan
from masanalytics.planning.planned_messages import Excluded, PlannedMessages
from masanalytics.planning.platform_texts import with_text
from masanalytics.planning.templates import Wording, by_arm, parse_wording
from masanalytics.sheets.receipt import receipt_of, receipt_warnings

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.store import Store

__all__ = ["plan"]


@named_arguments
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
    until: Length | Instant = "7d",
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
        Whether these messages (codes, orders) are held by no cap and count towards none, and go to silent arms of other campaigns.
    until : str, timedelta, date or datetime
        How long after sending, or until when, the people of silent arms are left out of other campaigns of the store too. Who they
        are says a column ``held_out``, as `split` writes it with ``silent=``.

    Returns
    -------
    Plan
        Frozen. Planned and excluded rows are all rows; why a row is left out is decided in this order: its number, the person
        (opted out, suppressed, not allowed), its text, its key, duplicate, already sent, over the cap, in a silent arm.

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
    check_gone(gone)
    check_wording_kinds(text, template_id, params, template_text)
    check_kinds(store, account, signature, limits, add_serial, marketing)
    rules = ExclusionRules(
        campaign=checked_campaign(campaign),
        phone=checked_phone(phone),
        store=store,
        suppress=suppress,
        allow_only=None if account is None else account.allow_only,
        round=checked_round(round),
        key=checked_key(key, phone),
        capping=cap_rule(cap, cap_by, account, transactional=transactional),
    )
    sending = Sending(
        add_serial=checked_serial(add_serial, account),
        price=positive("price", price),
        rate=positive("rate", rate),
        spread=checked_spread(spread, rate, store),
        marketing=marketing,
        regions=regions,
    ).by(account, limits, signature)
    several = isinstance(params, (list, tuple))
    check_names(phone=phone, content=content, arm=arm, key=key, cap_by=cap_by, params=None if several else params)
    labels = labels_by_name(frame := as_frame(df))
    wording = parse_wording(labels, content=content, text=text, template_id=template_id, params=params)
    is_template = template_id is not None or template_text is not None
    wording, said = with_text(wording, template_text, store, account) if is_template else (wording, None)
    arm = "arm" if arm is None and "arm" in labels else arm
    own = [] if keep is None else names_to_keep(keep)
    if own and store is not None:
        check_spelling(own, store)
    named = [*(name for name in (phone, arm, key, cap_by) if name is not None), *({HELD_OUT} & labels.keys()), *own]
    columns = take_columns(frame, labels, [*named, *wording.columns])
    arms = None if arm is None else plain_names(cell_texts(columns[arm]))
    keys, people = (None if name is None else plain_names(whole_texts(columns[name])) for name in (key, cap_by))
    sheet = _Sheet(frame.index, columns, arms, keys, receipt_of(df), own, people, _silent(frame, columns, arms, until))
    _check_serial_of_arms(add_serial, arms, sheet.silent)
    return _assembled(sheet, wording, replace(rules, silent=sheet.silent_rows), replace(sending, template=said))


def _silent(
    frame: pd.DataFrame, columns: Mapping[Hashable, pd.Series[Any]], arms: Arms, until: Length | Instant
) -> SilentRows | None:
    """Return what the sheet says of silent arms; None where it says nothing."""
    is_there = HELD_OUT in columns or (arms is not None and bool(frame.attrs))
    if not is_there and isinstance(until, str) and until == "7d":  # as nobody said otherwise
        return None
    rule = HoldRule.of(until)  # refused where it cannot be meant, although nobody is held out
    return SilentRows.of(frame, columns.get(HELD_OUT), arms, rule) if is_there else None


def _check_serial_of_arms(add_serial: AddSerial, arms: Arms, silent: SilentRows | None) -> None:
    if isinstance(add_serial, Mapping):
        arms = arms if arms is None or silent is None else arms[~silent.rows]
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
    silent: SilentRows | None = None

    @property
    def silent_rows(self) -> Booleans | None:
        """Which rows are in a silent arm; None where nothing says so."""
        return None if self.silent is None else self.silent.rows

    def worded(self, wording: Wording) -> Arms:
        """Return the arms by which texts are written."""
        return self.arms if self.silent is None else worded_arms(wording, self.arms, self.silent.rows)

    def held_out(self, numbers: Numbers, exclusions: Exclusions) -> HeldOut | None:
        """Return who gets nothing, to be compared with."""
        return None if self.silent is None else self.silent.people(numbers, self.arms, exclusions.reasons, self.index)


def _assembled(sheet: _Sheet, wording: Wording, rules: ExclusionRules, sending: Sending) -> Plan:
    """Plan the rows of a sheet: each step is one module, which hands arrays on to the next."""
    arguments, worded, cells = _as_given(sheet, rules, sending), sheet.worded(wording), sheet.columns[rules.phone]
    numbers, reasons = parse_phones(cells)
    row_texts = write_rows(wording, sheet.columns, worded, len(cells), sending.signature)
    exclusions = exclude(numbers, reasons, row_texts, sheet.keys, rules, sheet.people)
    count = int((exclusions.reasons < 0).sum())
    pace = pace_of(sending.rate, sending.spread and sending.spread[0], count, sending.limits)
    limits = sending.limits if pace is None else pace.limits(sending.limits)
    arguments["held_out"] = sheet.held_out(numbers, exclusions)
    planned = _arranged(sheet, numbers, row_texts, exclusions, replace(sending, limits=limits))
    excluded = Excluded.of(cells, exclusions.reasons, row_texts.segments, sheet.index, numbers, sheet.keys)
    excluded = excluded.with_last(exclusions.capped)
    refuse_other_rows(planned.texts, planned.rows, numbers, sheet.index)
    contents, units = planned.contents or planned.shown, row_texts.units[planned.rows]
    of_contents = [] if contents is None else check_contents(contents, units, marketing=sending.marketing)
    budget = budget_periods(sending.budget, rules.store, row_texts.segments)
    warnings = [
        *of_contents,
        unknown_signature(0 if contents is None or sending.signature else len(planned.rows)),
        other_template_text(len(planned.rows) if sending.template is not None and sending.template.is_other else 0),
        *near_names(rules.campaign, rules.round, exclusions.near, sheet.arms),
        *suppression_warnings(exclusions.suppression),
        lost_digits(numbers, cells),
        *budget_warnings(budget, len(planned.rows), planned.segments),
        *([] if planned.kept is None else planned.kept.warnings()),
        nothing_planned(len(planned.rows), len(sheet.index)),
        *(PlanWarning(*one) for one in (receipt_warnings(sheet.receipt) if sheet.receipt else ())),
    ]
    return Plan(
        **arguments,
        template_id=row_texts.template_id,
        pace=pace,
        limits=limits,
        suppression=exclusions.suppression,
        new_store=exclusions.new_store,
        kin=exclusions.capped.kin,
        budget=budget,
        warnings=tuple([warning for warning in warnings if warning.rows]),
        _sent=planned,
        _left=excluded,
    )


def _as_given(sheet: _Sheet, rules: ExclusionRules, sending: Sending) -> dict[str, Any]:
    """Return what a plan keeps of the arguments it was made with."""
    return {
        "campaign": rules.campaign,
        "round": rules.round,
        "key": rules.key,
        "rows": len(sheet.columns[rules.phone]),
        "signature": sending.signature,
        "add_serial": sending.add_serial,
        "price": sending.price,
        "window": sending.spread[1] if sending.spread else None,
        "account": sending.account,
        "receipt": sheet.receipt,
        "cap_rule": rules.capping,
        "clock": SystemClock() if rules.store is None else rules.store.clock,
    }


def _arranged(
    sheet: _Sheet, numbers: Numbers, row_texts: RowTexts, exclusions: Exclusions, sending: Sending
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
