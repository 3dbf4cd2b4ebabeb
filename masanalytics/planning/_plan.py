"""Make a plan of a frame: everything that can be known before a single message leaves."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from types import MappingProxyType
from typing import Any, Final, Literal

from masanalytics.errors import InputError
from masanalytics.planning.assemble import Terms, assemble
from masanalytics.planning.batching import Limits
from masanalytics.planning.columns import as_frame
from masanalytics.planning.compose import check_columns, wording_of
from masanalytics.planning.ledger import Ledger, Sender
from masanalytics.planning.planned import Plan
from masanalytics.segments import bracketed

__all__ = ["plan"]

_LONGEST_CODE: Final = 20


def plan(
    df: Any,
    *,
    phone: Hashable,
    content: Hashable | None = None,
    text: str | Mapping[str, str] | None = None,
    template_id: str | None = None,
    params: Sequence[Hashable] | Hashable | None = None,
    campaign: str,
    store: Ledger | None = None,
    account: Sender | None = None,
    signature: str | None = None,
    price: float | None = None,
    rate: float | None = None,
    suppress: Any = None,
    duplicates: Literal["first", "each"] = "first",
    again: bool = False,
    arm: Hashable | None = None,
    add_serial: str | Mapping[str, str] | None = None,
    limits: Limits | None = None,
    marketing: bool | None = None,
    regions: Any = None,
) -> Plan:
    """Plan a campaign: numbers, texts, parts, cost, requests and time. Sends nothing and changes nothing.

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
    campaign : str
        Under this name a number gets a message at most once.
    store : Store, optional
        Knows who has opted out and what this campaign has sent.
    account : Account, optional
        Gives the signature's text, ``allow_only`` and the extension of the service code.
    signature : str, optional
        The signature's text, with or without 【】, if not the account's. It counts in every text.
    price : float, optional
        Price of a segment, for the cost.
    rate : float, optional
        Messages a second it will be sent at, for the estimate of the time.
    suppress : DataFrame, Series or iterable of numbers, optional
        Numbers that must not get it.
    duplicates : {"first", "each"}
        ``"first"``: a number gets one message, from its first usable row. ``"each"``: one from every row that says something
        different, never two in one request.
    again : bool
        Repeat the campaign on purpose: numbers of earlier rounds get it again. Needs `store`.
    arm : hashable, optional
        A column with the arm of a comparison; by default ``arm``, as `split` writes it, where there is one.
    add_serial : str or mapping, optional
        The extension of the service code, for all or for each arm, so that replies name what they answer.
    limits : Limits, optional
        Smaller requests than the platform takes, and the assumed requests a second.
    marketing : bool, optional
        Whether to warn where a text does not say how to opt out; by default where it reads like marketing.
    regions : str or Path, optional
        A newer ``phone.dat`` for provinces and cities.

    Returns
    -------
    Plan
        Frozen. Planned and excluded rows are all rows; why a row is left out is decided in this order: its number, the person
        (opted out, suppressed, not allowed), its text, duplicate, already sent.

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
    frame = as_frame(df)
    if phone is None or not isinstance(phone, Hashable):
        raise InputError(
            f"phone={phone!r}: it must name the column that holds the numbers, such as phone='手机号'",
            zh=f"phone={phone!r}：请写明号码所在列的列名，例如 phone='手机号'",
        )
    wording = wording_of(frame.columns, content=content, text=text, template_id=template_id, params=params)
    if arm is None and "arm" in frame.columns:
        arm = "arm"
    check_columns(frame.columns, wording, [phone] if arm is None else [phone, arm])
    terms = Terms(
        phone=phone,
        campaign=_campaign(campaign),
        store=store,
        signature=bracketed(signature if signature is not None else (account.signature or "") if account else ""),
        price=_positive("price", price),
        rate=_positive("rate", rate),
        suppress=suppress,
        allow_only=None if account is None else account.allow_only,
        each=_is_each(duplicates),
        again=again,
        arm=arm,
        add_serial=_serial(add_serial, account),
        limits=limits or Limits(),
        marketing=marketing,
        regions=regions,
    )
    if again and store is None:
        raise InputError(
            "again=True needs store=, which knows the earlier rounds", zh="again=True 需要 store=，以便知道之前发过几轮"
        )
    return assemble(frame, wording, terms)


def _campaign(name: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InputError(
            "campaign= needs a name: under it a number gets a message at most once",
            zh="campaign= 需要一个活动名称：同一活动对每个号码最多发送一次",
        )
    return name.strip()


def _positive(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if not isinstance(value, Real | Decimal) or not 0 < float(value) < float("inf"):
        raise InputError(f"{name}={value!r} is not a number above 0", zh=f"{name}={value!r} 不是大于 0 的数")
    return float(value)


def _is_each(duplicates: str) -> bool:
    if duplicates not in ("first", "each"):
        raise InputError(
            f"duplicates={duplicates!r}: use 'first' or 'each'", zh=f"duplicates={duplicates!r}：请用 'first' 或 'each'"
        )
    return duplicates == "each"


def _serial(add_serial: str | Mapping[str, str] | None, account: Sender | None) -> str | Mapping[str, str] | None:
    """Check extensions of the service code: digits, and no more than 20 of them together with the code."""
    if add_serial is None:
        return None
    code = "" if account is None else account.service_code or ""
    for serial in [add_serial] if isinstance(add_serial, str) else add_serial.values():
        if not isinstance(serial, str) or not re.fullmatch(r"[0-9]*", serial):
            raise InputError(
                f"add_serial={serial!r}: digits only, as text", zh=f"add_serial={serial!r}：只能是数字文本"
            )
        if len(code) + len(serial) > _LONGEST_CODE:
            raise InputError(
                f"add_serial={serial!r}: with the service code {code} it has more than {_LONGEST_CODE} digits",
                zh=f"add_serial={serial!r}：与服务代码 {code} 合计超过 {_LONGEST_CODE} 位",
            )
    return add_serial if isinstance(add_serial, str) else MappingProxyType(dict(add_serial))
