"""What each setting of an account may be, and what to do where it is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from ipaddress import IPv6Address
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from masanalytics.errors import ConfigError
from masanalytics.masking import mask_phone

__all__ = [
    "MAX_SERVICE_NUMBER",
    "REQUIRED",
    "VARIABLES",
    "allowed_numbers",
    "base_url",
    "check_add_serial",
    "check_service_code",
    "check_sign",
    "clean_text",
    "poll_seconds",
    "tls_mode",
]

MAX_SERVICE_NUMBER: Final = 20
"""The most digits a service code and an extension may have together."""

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
}
REQUIRED: Final = ("url", "ec_name", "ap_id", "secret_key")
_ENDPOINTS = ("", "/sms", "/sms/submit", "/sms/norsubmit", "/sms/tmpsubmit", "/sms/report", "/sms/deliver")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?")
_DIGITS = re.compile(r"[0-9]*")
_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})(?:\.0)?")


def check_add_serial(add_serial: str, service_code: str = "") -> None:
    """Raise `ConfigError` unless `add_serial` is digits and fits behind `service_code`.

    Examples
    --------
    >>> check_add_serial("01", "1065012345")
    """
    if not isinstance(add_serial, str) or not _DIGITS.fullmatch(add_serial):
        raise ConfigError(
            "add_serial (扩展码) must be text made of digits, such as '01', or empty.",
            zh="add_serial（扩展码）必须是由数字组成的文本（例如 '01'），或为空。",
        )
    total = len(service_code) + len(add_serial)
    if total > MAX_SERVICE_NUMBER:
        raise ConfigError(
            f"service_code and add_serial have {total} digits together; at most {MAX_SERVICE_NUMBER} are allowed: "
            "shorten add_serial.",
            zh=f"服务代码加扩展码共 {total} 位，最多 {MAX_SERVICE_NUMBER} 位：请缩短 add_serial。",
        )


def check_service_code(service_code: str) -> None:
    """Raise `ConfigError` unless `service_code` is digits or empty."""
    if not _DIGITS.fullmatch(service_code):
        raise ConfigError(
            "service_code holds something other than digits: give the service code (服务代码) alone.",
            zh="service_code 里有数字以外的字符：请只填写服务代码。",
        )


def clean_text(name: str, value: object) -> str:
    """Return a setting as text without white space around it."""
    if not isinstance(value, str):
        raise ConfigError(
            f"{name} must be text (put it in quotes), not {type(value).__name__}.",
            zh=f"{name} 必须是文本（请加引号），而不是 {type(value).__name__}。",
        )
    text = "".join(value).strip().strip("\ufeff")
    if name in REQUIRED and not text:
        raise ConfigError(
            f"{name} is empty: give it, or set {VARIABLES[name]}. It has no default.",
            zh=f"{name} 为空：请填写，或设置 {VARIABLES[name]}。它没有默认值。",
        )
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in text):
        raise ConfigError(
            f"{name} holds an invisible character, as copying from a web page or a sheet leaves behind: type it anew.",
            zh=f"{name} 中含有不可见字符（常由网页或表格复制带入）：请重新手工输入。",
        )
    return text


def base_url(url: str) -> str:
    """Return ``scheme://host[:port]`` of `url`; an endpoint's path at its end is dropped."""
    if "@" in url:
        raise ConfigError(
            "url holds a user name or password (an @): write https://HOST:PORT and give ap_id and secret_key.",
            zh="url 里含有用户名或密码（@）：请写成 https://主机:端口，账号密码用 ap_id 和 secret_key 填写。",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_url(url) from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not _is_host(host) or parts.query or parts.fragment:
        raise _bad_url(url)
    if parts.path.rstrip("/") not in _ENDPOINTS:
        raise ConfigError(
            f"url {url!r} goes on after the host: write only https://HOST:PORT; the paths /sms/… are added.",
            zh=f"url {url!r} 在主机之后还有路径：只写 https://主机:端口 即可，/sms/… 会自动加上。",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _bad_url(url: str) -> ConfigError:
    url = re.split(r"[?#]", url)[0]  # what follows could hold a key
    return ConfigError(
        f"url {url!r} is not an address: write https://HOST:PORT as the account's opening letter gives it.",
        zh=f"url {url!r} 不是有效地址：请按开户信息写成 https://主机:端口。",
    )


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def check_sign(sign: str) -> None:
    """Raise `ConfigError` where `sign` is the signature's text instead of its code."""
    if not sign.isascii() or "[" in sign or " " in sign:
        raise ConfigError(
            "sign is the signature's code (签名编码: 管理 → 接口管理 → 短信接入用户管理), not its text; "
            "the text goes into signature=.",
            zh="sign 是签名编码（管理 → 接口管理 → 短信接入用户管理），不是签名文字；签名文字请填到 signature=。",
        )


def tls_mode(tls: str) -> str:
    """Return the tls setting in its one form."""
    if tls in ("first-use", "unverified", "system"):
        return tls
    if tls.lower().startswith("sha256:"):
        digits = tls[len("sha256:") :].replace(":", "").replace(" ", "").lower()
        if re.fullmatch(r"[0-9a-f]{64}", digits):
            return f"sha256:{digits}"
        raise ConfigError(
            f"tls: a SHA-256 fingerprint has 64 hex digits, this one has {len(digits)} characters: "
            "see `masanalytics fingerprint HOST:PORT`.",
            zh=f"tls：SHA-256 指纹应为 64 位十六进制，这里有 {len(digits)} 个字符：可用 `masanalytics fingerprint 主机:端口` 查看。",
        )
    path = Path(tls).expanduser()
    if tls and path.is_file():
        return str(path)
    raise ConfigError(
        f"tls={tls!r} is neither first-use, sha256:<64 hex>, unverified, system, nor a CA file that exists.",
        zh=f"tls={tls!r} 既不是 first-use、sha256:<64 位十六进制>、unverified、system，也不是已存在的 CA 文件。",
    )


def poll_seconds(seconds: object) -> float:
    """Return the poll interval in seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not isfinite(seconds) or seconds < 0:
        raise ConfigError(
            "poll_interval must be a number of seconds, 0 or more (the interface allows one poll in five seconds).",
            zh="poll_interval 必须是不小于 0 的秒数（接口规定每 5 秒只能查询一次）。",
        )
    return float(seconds)


def allowed_numbers(allowed: Iterable[object] | None) -> tuple[str, ...] | None:
    """Return the numbers an account may reach as 11 digits each, or None for everybody."""
    if allowed is None:
        return None
    given = [allowed] if isinstance(allowed, str | int) else list(allowed)
    numbers: dict[str, None] = {}
    for number in given:
        text = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", "".join(str(number))))
        found = _MOBILE.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"allow_only holds {mask_phone(number)!r}, which is not a mobile number of 11 digits.",
                zh=f"allow_only 中的 {mask_phone(number)!r} 不是 11 位手机号。",
            )
        numbers[found.group(1)] = None
    return tuple(numbers)
