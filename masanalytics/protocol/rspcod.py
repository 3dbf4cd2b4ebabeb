"""What the platform's own words for a submit's fate (``rspcod``) mean, and what to do about them."""

from __future__ import annotations

from typing import Final, NamedTuple

from masanalytics.i18n import choose

__all__ = ["FATAL", "KNOWN_RSPCODS", "describe_rspcod", "is_fatal"]


class _Meaning(NamedTuple):
    en: str
    zh: str
    advice: str
    advice_zh: str


_SIGN_ADVICE = (
    "Take the signature's code (签名编码) from 管理 → 接口管理 → 短信接入用户管理 and give it as sign=; it is a code of about "
    "nine letters and digits, not the text in 【】, and it belongs to this ec_name and service code."
)
_SIGN_ADVICE_ZH = (
    "请在『管理』→『接口管理』→『短信接入用户管理』取得签名编码填入 sign=；它是约 9 位字母数字的编码，"
    "不是【】里的文字，且必须属于该企业和服务代码。"
)
_MEANINGS: Final = {
    "success": _Meaning(
        "accepted (not yet delivered)",
        "数据验证通过（不代表已送达）",
        "What became of each message comes with its report.",
        "每条短信的结果见回执。",
    ),
    "IllegalMac": _Meaning(
        "the check sum (mac) does not match",
        "mac 校验不通过",
        "Check secret_key, ec_name, ap_id and sign letter by letter, hidden spaces included.",
        "请逐字核对 secret_key、ec_name、ap_id 和 sign，注意看不见的空格。",
    ),
    "IllegalSignId": _Meaning("the signature's code is not valid", "无效的签名编码", _SIGN_ADVICE, _SIGN_ADVICE_ZH),
    "NoSignId": _Meaning("no signature belongs to this code", "未匹配到对应的签名信息", _SIGN_ADVICE, _SIGN_ADVICE_ZH),
    "InvalidMessage": _Meaning(
        "the platform could not read the request",
        "非法消息，请求数据解析失败",
        "Look at this batch's text: unusual characters, or a template whose parameters do not fit. Other batches may pass.",
        "请检查本批次的内容：特殊字符，或模板与参数不符。其他批次可能不受影响。",
    ),
    "InvalidUsrOrPwd": _Meaning(
        "user name or password refused; the platform says this for many causes",
        "非法用户名/密码；平台在多种情况下都会返回它",
        "In the order of likelihood: (1) a wrong ap_id, secret_key or ec_name; (2) ap_id is the web login instead of the "
        "interface account (管理 → 接口管理 → 短信接入用户管理); (3) the interface account was made for another protocol "
        "(HTTP, SDK, WebService) than HTTPS; (4) the account is not enabled (接口状态), or outside its dates (生效/失效日期); "
        "(5) ec_name was altered by a wrong character set on the way into your settings; (6) for other clients: addSerial "
        "left out of the request (this one always sends it).",
        "按可能性排列：（1）ap_id、secret_key 或 ec_name 有误；（2）ap_id 填成了网页登录账号，而不是接口账号"
        "（『管理』→『接口管理』→『短信接入用户管理』）；（3）接口账号开通的协议不是 HTTPS（而是 HTTP、SDK 或 WebService）；"
        "（4）接口状态未启用，或不在生效/失效日期之内；（5）ec_name 在写入配置时因字符集错误变成了乱码；"
        "（6）其他客户端：请求中缺少 addSerial（本工具总会带上）。",
    ),
    "TooManyMobiles": _Meaning(
        "too many numbers in one request",
        "手机号数量超限（>5000）",
        "At most 5,000 numbers with one text, or 999 with a text each: split the batch.",
        "同一内容最多 5,000 个号码，逐号内容最多 999 个：请拆分批次。",
    ),
    "InvalidMobile": _Meaning(
        "a number in the batch is malformed",
        "手机号格式不正确",
        "Look for the number in this batch that is not a mobile number; other batches may pass.",
        "请找出本批次中不是手机号的号码；其他批次可能不受影响。",
    ),
    "NOT_WHITE_IP": _Meaning(
        "this machine's address is not on the account's white list",
        "本机 IP 不在白名单中",
        "Ask the account manager to add this machine's public IP address; trying again does not help.",
        "请联系客户经理把本机的公网 IP 加入白名单；重试无效。",
    ),
}

KNOWN_RSPCODS: Final = frozenset(_MEANINGS)
"""The words of the interface document, and the two seen in the wild (InvalidMobile, NOT_WHITE_IP)."""

_OF_ONE_BATCH = frozenset({"success", "TooManyMobiles", "InvalidMessage", "InvalidMobile"})

FATAL: Final = KNOWN_RSPCODS - _OF_ONE_BATCH
"""The known words that every further batch would meet too."""


def is_fatal(rspcod: str) -> bool:
    """Return whether every further batch would be refused too; an unknown word counts as one that would.

    Examples
    --------
    >>> is_fatal("NOT_WHITE_IP"), is_fatal("TooManyMobiles"), is_fatal("AccountFrozen")
    (True, False, True)
    """
    return rspcod not in _OF_ONE_BATCH


def describe_rspcod(rspcod: str, language: str | None = None) -> tuple[str, str]:
    """Return what `rspcod` means and what to do about it.

    Parameters
    ----------
    rspcod : str
        The platform's word, such as ``InvalidUsrOrPwd``.
    language : {"en", "zh"}, optional
        By default the user's own.

    Returns
    -------
    tuple of str
        Meaning and advice.

    Examples
    --------
    >>> describe_rspcod("NOT_WHITE_IP", "en")[0]
    "this machine's address is not on the account's white list"
    >>> describe_rspcod("TooManyMobiles", "zh")[0]
    '手机号数量超限（>5000）'
    """
    found = _MEANINGS.get(rspcod)
    if found is not None:
        return choose(found.en, found.zh, language), choose(found.advice, found.advice_zh, language)
    return (
        choose("the platform's own word; its document does not explain it", "平台返回的代码，接口文档未说明", language),
        choose(
            f"Ask the platform's support what {rspcod or 'it'} means, and name the time of the request.",
            f"请向平台技术支持询问 {rspcod or '该代码'} 的含义，并告知请求时间。",
            language,
        ),
    )
