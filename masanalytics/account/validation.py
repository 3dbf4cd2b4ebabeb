"""What each setting of an account may be, and what to do where it is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from math import isfinite
from numbers import Real
from typing import Final

from masanalytics.account.address import is_on_this_machine
from masanalytics.account.frequency_cap import FrequencyCap
from masanalytics.errors import ConfigError, InputError
from masanalytics.masking import mask_phone
from masanalytics.paths import full_path
from masanalytics.secret import Secret

__all__ = [
    "BUDGET_VARIABLES",
    "CAP_VARIABLE",
    "MAX_SERVICE_NUMBER",
    "REQUIRED",
    "SHORTEST_INTERVAL_S",
    "VARIABLES",
    "allowed_numbers",
    "check_add_serial",
    "check_service_code",
    "check_sign",
    "checked_cap",
    "clean_text",
    "poll_seconds",
    "tls_mode",
]

MAX_SERVICE_NUMBER: Final = 20
"""The most digits a service code and an extension may have together."""

SHORTEST_INTERVAL_S: Final = 5.0
"""The interface allows one poll of an account in so many seconds."""

VARIABLES: Final = {
    "url": "MAS_URL",
    "ec_name": "MAS_EC_NAME",
    "ap_id": "MAS_AP_ID",
    "secret_key": "MAS_SECRET_KEY",
    "sign": "MAS_SIGN",
    "add_serial": "MAS_ADD_SERIAL",
    "service_code": "MAS_SERVICE_CODE",
    "tls": "MAS_TLS",
    "signature": "MAS_SIGNATURE",
    "protocol": "MAS_PROTOCOL",
    "template_sign": "MAS_TEMPLATE_SIGN",
    "budget_unit": "MAS_BUDGET_UNIT",
}
"""The settings that are text, and the variables they are read from."""
BUDGET_VARIABLES: Final = {"day": "MAS_BUDGET_DAY", "month": "MAS_BUDGET_MONTH"}
CAP_VARIABLE: Final = "MAS_CAP"
REQUIRED: Final = ("url", "ec_name", "ap_id", "secret_key")
_DIGITS = re.compile(r"[0-9]*")


def check_add_serial(add_serial: str, service_code: str = "") -> None:
    """Raise `ConfigError` unless `add_serial` is digits and fits behind `service_code`.

    Examples
    --------
    >>> check_add_serial("01", "1065012345")
    """
    if not isinstance(add_serial, str) or not _DIGITS.fullmatch(add_serial):
        raise ConfigError("add_serial (扩展码) must be text made of digits, such as '01', or empty.")
    total = len(service_code) + len(add_serial)
    if total > MAX_SERVICE_NUMBER:
        raise ConfigError(
            "service_code and add_serial have {total} digits together; at most {limit} are allowed: shorten "
            "add_serial.",
            total=total,
            limit=MAX_SERVICE_NUMBER,
        )


def check_service_code(service_code: str) -> None:
    """Raise `ConfigError` unless `service_code` is digits or empty."""
    if not _DIGITS.fullmatch(service_code):
        raise ConfigError("service_code holds something other than digits: give the service code (服务代码) alone.")


def clean_text(name: str, value: object) -> str | Secret:
    """Return a setting as text without white space around it; a secret stays one."""
    if not isinstance(value, str | Secret):
        raise ConfigError("{name} must be text (put it in quotes), not {kind}.", name=name, kind=type(value).__name__)
    text = value.strip() if isinstance(value, Secret) else value.strip().strip("\ufeff")
    if name in REQUIRED and not text:
        raise ConfigError(
            "{name} is empty: give it, or set {variable}. It has no default.", name=name, variable=VARIABLES[name]
        )
    if _holds_unseen(text):
        raise ConfigError(
            "{name} holds an invisible character, as copying from a web page or a sheet leaves behind: type it anew.",
            name=name,
        )
    return text


def _holds_unseen(text: str | Secret) -> bool:
    letters = text.reveal() if isinstance(text, Secret) else text
    return any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in letters)


def check_sign(sign: str, name: str = "sign") -> None:
    """Raise `ConfigError` where the setting `name` is the signature's text instead of its code."""
    if not sign.isascii() or "[" in sign or " " in sign:
        raise ConfigError(
            "{name} is the signature's code (签名编码: 管理 → 接口管理 → 短信接入用户管理), not its text; the text goes into "
            "signature=.",
            name=name,
        )


def tls_mode(tls: str) -> str:
    """Return the tls setting in its normal form."""
    if tls in ("first-use", "unverified", "system"):
        return tls
    if tls.lower().startswith("sha256:"):
        digits = tls[len("sha256:") :].replace(":", "").replace(" ", "").lower()
        if re.fullmatch(r"[0-9a-f]{64}", digits):
            return f"sha256:{digits}"
        raise ConfigError(
            "tls: a SHA-256 fingerprint has 64 hex digits, this one has {count} characters: see `masanalytics "
            "fingerprint HOST:PORT`.",
            count=len(digits),
        )
    path = full_path(tls or ".", "tls")
    if tls and path.is_file():
        return str(path)
    raise ConfigError(
        "tls={tls!r} is neither first-use, sha256:<64 hex>, unverified, system, nor a CA file that exists.", tls=tls
    )


def poll_seconds(seconds: object, url: str) -> float:
    """Return the poll interval in seconds: no less than the interface allows, but on this machine, where a simulator is."""
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not isfinite(seconds) or seconds < 0:
        raise ConfigError(
            "poll_interval must be a number of seconds, 0 or more (the interface allows one poll in {least:g} seconds).",
            least=SHORTEST_INTERVAL_S,
        )
    if seconds < SHORTEST_INTERVAL_S and not is_on_this_machine(url):
        raise ConfigError(
            "poll_interval={seconds} is less than the {least:g} seconds that the interface allows: leave it out; a shorter one is for a "
            "simulator on this machine.",
            seconds=seconds,
            least=SHORTEST_INTERVAL_S,
        )
    return float(seconds)


def allowed_numbers(allowed: Iterable[object] | None) -> tuple[str, ...] | None:
    """Return the numbers an account may reach as 11 digits each, or None for everybody."""
    if allowed is None:
        return None
    from masanalytics.phones import read_phone  # with pandas, which most accounts do not need

    if not isinstance(allowed, Iterable | int | float):
        raise ConfigError("allow_only= is of type {kind}: it must be a list of numbers", kind=type(allowed).__name__)
    entries = [allowed] if isinstance(allowed, str | int | float) else list(allowed)
    numbers: dict[str, None] = {}
    for number in entries:
        mobile, _reason = read_phone(str(number))
        if not mobile:
            raise ConfigError(
                "allow_only holds {number!r}, which is not a mobile number of 11 digits.", number=mask_phone(number)
            )
        numbers[mobile] = None
    return tuple(numbers)


def checked_cap(cap: object) -> FrequencyCap | None:
    """Return how many messages a number may get in how long; None where nothing limits it."""
    if cap is None or (isinstance(cap, str) and not cap):
        return None
    try:
        return FrequencyCap.parse(cap)
    except InputError as error:
        raise ConfigError(error.said) from None
