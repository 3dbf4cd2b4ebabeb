"""Whether the platform takes a request: account, MAC, signature, limits, and every deviation from the document."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masanalytics.simulator.settings import PlatformAccount, Rules
from masanalytics.simulator.wire import FIELDS, Opened, Rejection, mac_of

__all__ = ["ALL_MOBILES", "Submission", "check_poll", "check_submit"]

ALL_MOBILES = re.compile(r"1[3-9]\d{9}(?:,1[3-9]\d{9})*", re.ASCII)
"""A list of mobile numbers as the document writes it."""

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_COUNTRY = re.compile(r"(?:\+|00)?86(?=1[3-9]\d{9}$)", re.ASCII)
_LONGEST_CODE = 20
_TABLES_SAY = 5000


@dataclass(frozen=True)
class Submission:
    """A request the platform takes.

    Attributes
    ----------
    account : PlatformAccount
        Whose it is.
    mode : str
        ``one_to_one``, ``many_to_one``, ``many_to_many`` or ``template``.
    phones : list of str
        The numbers, without country code.
    texts : str or list of str
        The text of all, or of each.
    code : str
        Service code and extension, where replies go to.
    """

    account: PlatformAccount
    mode: str
    phones: Sequence[str]
    texts: str | Sequence[str]
    code: str


def check_poll(opened: Opened, endpoint: str, accounts: Mapping[str, PlatformAccount], rules: Rules) -> PlatformAccount:
    """Return the account a poll is for.

    Raises
    ------
    Rejection
        ``InvalidUsrOrPwd``; ``InvalidMessage`` under strict rules.
    """
    _fold_keys(opened, endpoint)
    account = _account(opened, accounts, is_submit=False)
    if account.protocol == "http":
        raise Rejection("InvalidUsrOrPwd", "the account was made for HTTP: its reports are pushed")
    _compare_keys(opened, endpoint)
    _reject_deviations(opened, rules)
    return account


def check_submit(
    opened: Opened, endpoint: str, accounts: Mapping[str, PlatformAccount], rules: Rules, *, of_http: bool = False
) -> Submission:
    """Return what a submit asks for, in the order the platform is thought to check: who, MAC, signature, numbers.

    With `of_http` it came by the path of the HTTP flavour, whose document takes 1,000 numbers with a text each, and sends to
    the numbers of such a content whatever ``mobiles`` says.

    Raises
    ------
    Rejection
        With the document's rspcod for each case.
    """
    _fold_keys(opened, endpoint)
    account = _account(opened, accounts, is_submit=True)
    if account.protocol == ("https" if of_http else "http") and endpoint == "submit":
        raise Rejection("InvalidUsrOrPwd", f"the account was made for {account.protocol.upper()}: this is another path")
    fields = _texts(opened)
    as_pairs = endpoint == "submit" and (not fields.get("mobiles", "").strip() or (of_http and _is_pairs(fields)))
    if "addSerial" not in fields:
        raise Rejection("InvalidUsrOrPwd", "addSerial is missing (it must be there even when empty)")
    _compare_keys(opened, endpoint)
    _check_mac(endpoint, fields, account, as_pairs=as_pairs)
    _check_sign(fields.get("sign", ""), account, accounts)
    code = _service_code(fields["addSerial"], account, opened)
    phones, texts, mode = _messages(endpoint, fields, account, opened, as_pairs=as_pairs)
    limit = rules.many_limit
    if mode == "many_to_many":
        limit = rules.http_each_limit if of_http else rules.each_limit
    _check_limits(phones, texts, limit)
    if mode != "many_to_many" and len(phones) == limit == _TABLES_SAY:
        opened.deviations.append(("many_at_limit", "a note of the document says fewer than 5000 numbers with one text"))
    phones = _normalise(phones, opened, rules)
    if mode == "many_to_many":
        phones, texts = _last_of_each(phones, texts, opened)
    elif len(set(phones)) < len(phones):
        opened.deviations.append(("duplicate_mobile", "a number more than once in one request"))
    _reject_deviations(opened, rules)
    return Submission(account, mode, phones, texts, code)


def _messages(
    endpoint: str, fields: Mapping[str, str], account: PlatformAccount, opened: Opened, *, as_pairs: bool
) -> tuple[Sequence[str], str | Sequence[str], str]:
    """Return numbers as written, the text of all or of each, and the mode."""
    if endpoint == "tmpsubmit":
        return _mobiles(fields, opened), _template(fields, account, opened), "template"
    if as_pairs:
        return *_each(fields, opened), "many_to_many"
    phones = _mobiles(fields, opened)
    return phones, fields.get("content", ""), "one_to_one" if len(phones) == 1 else "many_to_one"


def _fold_keys(opened: Opened, endpoint: str) -> None:
    """Give keys in another case their own: the official document advises capitals where nothing else helps."""
    by_folded = {name.lower(): name for name in (*FIELDS[endpoint], "secretKey")}
    names = {name: by_folded.get(name.lower(), name) for name in opened.fields}
    folded = [name for name, own in names.items() if name != own and own not in opened.fields]
    if folded:
        opened.deviations.append(("key_case", ", ".join(folded)))
        opened.fields = {names[key] if key in folded else key: value for key, value in opened.fields.items()}


def _is_pairs(fields: Mapping[str, str]) -> bool:
    """Whether the content is a JSON object of mobile numbers."""
    try:
        pairs = json.loads(fields.get("content", ""))
    except (ValueError, RecursionError):
        return False
    return isinstance(pairs, dict) and bool(pairs) and all(_COUNTRY.sub("", name).isdigit() for name in pairs)


def _account(opened: Opened, accounts: Mapping[str, PlatformAccount], *, is_submit: bool) -> PlatformAccount:
    """Return the account that apId, ecName and (where given) secretKey name."""
    fields = opened.fields
    account = accounts.get(str(fields.get("apId")))
    if account is None:
        raise Rejection("InvalidUsrOrPwd", "no account has this apId")
    if fields.get("ecName") != account.ec_name:
        raise Rejection("InvalidUsrOrPwd", "ecName is not the account's (wrong name, or mojibake)")
    secret = fields.get("secretKey")
    if secret == "" and is_submit:  # some provinces' gateways are said to want it so
        opened.deviations.append(("secret_key_empty", "secretKey is empty"))
        return account
    if secret is None and not is_submit:
        raise Rejection("InvalidUsrOrPwd", "secretKey is missing")
    if secret is not None and not hmac.compare_digest(str(secret).encode(), account.secret.encode()):
        raise Rejection("InvalidUsrOrPwd", "secretKey is not the account's")
    return account


def _texts(opened: Opened) -> dict[str, str]:
    """Return the fields as the texts they should be; lists are turned into compact JSON, as the platform seems to do."""
    texts = {}
    for name, value in opened.fields.items():
        if isinstance(value, str):
            texts[name] = value
            continue
        opened.deviations.append(("not_text", f"{name} is not a JSON string"))
        if value is None:
            continue
        texts[name] = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return texts


def _compare_keys(opened: Opened, endpoint: str) -> None:
    """Note keys that are missing, unknown, or in another order than the document's."""
    names = list(opened.fields)
    wanted = FIELDS[endpoint]
    deviations = opened.deviations
    if "secretKey" in names and "secretKey" not in wanted:
        deviations.append(("secret_key_present", "secretKey is in the body of a submit"))
    unknown = sorted(set(names) - {*wanted, "secretKey"})
    if unknown:
        deviations.append(("unknown_key", ", ".join(unknown)))
    missing = [name for name in wanted if name not in names]
    if missing:
        deviations.append(("missing_key", ", ".join(missing)))
    known_names = [name for name in names if name in wanted]
    if known_names != [name for name in wanted if name in names]:
        deviations.append(("key_order", ", ".join(known_names)))


def _check_mac(endpoint: str, fields: Mapping[str, str], account: PlatformAccount, *, as_pairs: bool) -> None:
    """Compare the MAC; mobiles of a many-to-many request may be signed as ``""`` or as they are."""
    mac = fields.get("mac", "")
    accepted = [mac_of(endpoint, fields, account.secret)]
    if as_pairs:
        accepted.append(mac_of(endpoint, {**fields, "mobiles": ""}, account.secret))
    if mac not in accepted:
        hint = " (it is in capitals)" if mac.lower() in accepted else ""
        raise Rejection("IllegalMac", f"mac is not the MD5 of the values in the document's order{hint}")


def _check_sign(sign: str, account: PlatformAccount, accounts: Mapping[str, PlatformAccount]) -> None:
    """Reject a signature code that is blank or somebody else's (NoSignId), or nobody's (IllegalSignId)."""
    if sign in account.signs:
        return
    if not sign.strip():
        raise Rejection("NoSignId", "sign is empty")
    if any(sign in other.signs for other in accounts.values()):
        raise Rejection("NoSignId", "sign belongs to another account")
    raise Rejection("IllegalSignId", "no account has this sign")


def _service_code(extension: str, account: PlatformAccount, opened: Opened) -> str:
    """Return service code + extension."""
    if extension.startswith(account.service_code) and account.service_code:
        opened.deviations.append(("add_serial_whole", "addSerial repeats the service code"))
        extension = extension.removeprefix(account.service_code)
    if extension and not (extension.isascii() and extension.isdigit()):
        raise Rejection("InvalidMessage", "addSerial is not made of digits")
    if extension and account.exact:
        raise Rejection("InvalidMessage", "the service code is matched exactly: addSerial must be empty")
    if len(account.service_code) + len(extension) > _LONGEST_CODE:
        raise Rejection("InvalidMessage", f"service code and addSerial are longer than {_LONGEST_CODE} digits")
    return account.service_code + extension


def _mobiles(fields: Mapping[str, str], opened: Opened) -> list[str]:
    """Return the numbers of a comma-separated list as they are written; blanks are dropped and noted."""
    text = fields.get("mobiles", "")
    phones = text.split(",")
    if ALL_MOBILES.fullmatch(text):
        return phones
    clean = [phone.strip() for phone in phones if phone.strip()]
    if clean != phones:
        opened.deviations.append(("mobiles_blanks", "blanks or empty entries in mobiles"))
    return clean


def _each(fields: Mapping[str, str], opened: Opened) -> tuple[list[str], list[str]]:
    """Return numbers and texts of a many-to-many request."""
    if fields.get("mobiles") != "":
        opened.deviations.append(("mobiles_not_empty", 'mobiles of a many-to-many request is not ""'))
    try:
        pairs = json.loads(fields.get("content", ""), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Rejection("InvalidMessage", "mobiles is empty and content is not a JSON object") from None
    if not isinstance(pairs, _Pairs) or not all(isinstance(text, str) for _, text in pairs):
        raise Rejection("InvalidMessage", "content of a many-to-many request is not an object of texts")
    return [phone for phone, _ in pairs], [text for _, text in pairs]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it is written, duplicates included."""


def _template(fields: Mapping[str, str], account: PlatformAccount, opened: Opened) -> str:
    """Return the text of a template message; where the template is not known, its id and params."""
    template, params = fields.get("templateId", ""), fields.get("params", "")
    if not template:
        raise Rejection("InvalidMessage", "templateId is missing")
    if params == '{""}':  # printed so in a picture of the official document
        opened.deviations.append(("params_form", 'params is {""}'))
        values: Any = [""]
    else:
        try:
            values = json.loads(params)
        except (ValueError, RecursionError):
            raise Rejection("InvalidMessage", "params is not a JSON list") from None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Rejection("InvalidMessage", "params is not a list of texts")
    if params not in (json.dumps(values, ensure_ascii=False, separators=(",", ":")), '{""}'):
        opened.deviations.append(("params_not_compact", "params has blanks or escapes"))
    text = account.templates.get(template)
    if text is None:
        return template + params
    for position, value in enumerate(values, start=1):
        text = text.replace(f"{{{position}}}", value)
    return text


def _check_limits(phones: Sequence[str], texts: str | Sequence[str], limit: int) -> None:
    """Reject too many numbers, none at all, and empty texts."""
    if not phones:
        raise Rejection("InvalidMessage", "no number")
    if len(phones) > limit:
        raise Rejection("TooManyMobiles", f"{len(phones)} numbers, at most {limit}")
    if not texts or (not isinstance(texts, str) and not all(texts)):
        raise Rejection("InvalidMessage", "an empty text")


def _normalise(phones: Sequence[str], opened: Opened, rules: Rules) -> Sequence[str]:
    """Return the numbers without country code; what is no number stays as it is and is noted."""
    if ALL_MOBILES.fullmatch(",".join(phones)):
        return phones
    plain = [_COUNTRY.sub("", phone.strip()) for phone in phones]
    if any(len(new) < len(old.strip()) for new, old in zip(plain, phones, strict=True)):
        opened.deviations.append(("mobile_prefix", "numbers with a country code"))
    bad = sum(_MOBILE.fullmatch(phone) is None for phone in plain)
    if bad:
        opened.deviations.append(("mobile_form", f"{bad} of {len(plain)} are not 11-digit mobile numbers"))
        if rules.bad_mobile == "reject":
            raise Rejection("InvalidMobile", f"{bad} of {len(plain)} are not 11-digit mobile numbers")
    return plain


def _last_of_each(
    phones: Sequence[str], texts: str | Sequence[str], opened: Opened
) -> tuple[Sequence[str], Sequence[str]]:
    """Keep the last text where a many-to-many request names a number twice."""
    last = dict(zip(phones, texts, strict=True))
    if len(last) < len(phones):
        opened.deviations.append(("duplicate_mobile", "a number more than once: its last text counts"))
    return list(last), list(last.values())


def _reject_deviations(opened: Opened, rules: Rules) -> None:
    """Under strict rules, reject what deviates from the document."""
    if rules.strict and opened.deviations:
        raise Rejection(
            "InvalidMessage", "strict: " + "; ".join(f"{kind} ({text})" for kind, text in opened.deviations)
        )
