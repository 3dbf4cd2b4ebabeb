"""The platform's words for a request (``rspcod``): what each means, whether it surely refuses, and what is to be done.

Seven words are the interface document's. Two more have been seen in answers. The others are listed in the platform's own SDK,
for another flavour of the interface: they are explained where they come, but none of them proves that a batch was not taken.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from masanalytics.i18n import N_, Text

__all__ = ["OF_ONE_BATCH", "REFUSALS", "RSPCODS", "Rspcod", "describe_rspcod"]

_DOCUMENT: Final = "Cloud MAS HTTPS interface document (https-interface.txt)"
_SDK: Final = "renfei/masmgc-sdk-sms McMgwError.java (the platform's own SDK, decompiled)"


class Rspcod(NamedTuple):
    """One word of the platform.

    Attributes
    ----------
    category : str
        As in ``data/code_categories.csv``, where what is to be done stands too.
    meaning, advice : str
        In English, as a msgid.
    source : str
        Where it was published.
    """

    category: str
    meaning: str
    advice: str
    source: str = _SDK


_SIGN_ADVICE = N_(
    "Take the signature's code (签名编码) from 管理 → 接口管理 → 短信接入用户管理 and give it as sign=; it is a code of "
    "about nine letters and digits, not the text in 【】, and it belongs to this ec_name and service "
    "code. Plain and template messages need different codes: give the template's as template_sign=."
)
_WHITE_LIST_ADVICE = N_("Ask the account manager to add this machine's public IP address; trying again does not help.")
_BUSY = N_("the platform is busy, or is asked too fast")
_BUSY_ADVICE = N_("Wait some minutes; then see whether reports have come before anything is sent again.")
_MONEY = N_("the account's balance or its daily maximum is used up")
_MANAGER_ADVICE = N_("Ask the account manager; further batches would meet the same.")
_STATE_ADVICE = N_("Look at the interface account's page: its state (接口状态) and dates (生效/失效日期).")
_NUMBERS = N_("numbers are missing, repeated or malformed")
_NUMBERS_ADVICE = N_("Look at the batch's numbers; other batches may pass.")
_TEXT_ADVICE = N_("Look at the batch's text; other batches may pass.")
_FAULT = N_("a time-out or fault inside the platform")
_FAULT_ADVICE = N_("It may have been taken: reports will tell. If many come, ask the platform's support.")

RSPCODS: Final[dict[str, Rspcod]] = {
    "success": Rspcod(
        "submit_ok",
        N_("accepted (not yet delivered)"),
        N_("What became of each message comes with its report."),
        _DOCUMENT,
    ),
    "IllegalMac": Rspcod(
        "submit_format",
        N_("the check sum (mac) does not match"),
        N_("Check secret_key, ec_name, ap_id and sign letter by letter, hidden spaces included."),
        _DOCUMENT,
    ),
    "IllegalSignId": Rspcod("submit_sign", N_("the signature's code is not valid"), _SIGN_ADVICE, _DOCUMENT),
    "NoSignId": Rspcod("submit_sign", N_("no signature belongs to this code"), _SIGN_ADVICE, _DOCUMENT),
    "InvalidMessage": Rspcod(
        "submit_format",
        N_("the platform could not read the request"),
        N_(
            "Look at this batch's text: unusual characters, or a template whose parameters do not fit. Other "
            "batches may pass."
        ),
        _DOCUMENT,
    ),
    "InvalidUsrOrPwd": Rspcod(
        "submit_auth",
        N_("user name or password rejected; the platform says this for many causes"),
        N_(
            "In the order of likelihood: (1) a wrong ap_id, secret_key or ec_name; (2) ap_id is the web login "
            "instead of the interface account (管理 → 接口管理 → 短信接入用户管理); (3) the interface account was made for "
            "another protocol (HTTP, HTTPS, SDK, WebService): see protocol=; (4) the account is not enabled (接口状态), or "
            "outside its dates (生效/失效日期); (5) ec_name was altered by a wrong character set on the way into "
            "your settings; (6) for other clients: addSerial left out of the request (this one always sends "
            "it)."
        ),
        _DOCUMENT,
    ),
    "TooManyMobiles": Rspcod(
        "submit_format",
        N_("too many numbers in one request"),
        N_("At most 4,999 numbers with one text, or 999 with a text each (1,000 of an HTTP account): split the batch."),
        _DOCUMENT,
    ),
    "InvalidMobile": Rspcod(
        "submit_format",
        N_("a number in the batch is malformed"),
        N_("Look for the number in this batch that is not a mobile number; other batches may pass."),
        f"luoyunchong/SMS:src/IGeekFan.MAS/MASClient.cs ; {_SDK}",
    ),
    "NOT_WHITE_IP": Rspcod(
        "submit_auth",
        N_("this machine's address is not on the account's white list"),
        _WHITE_LIST_ADVICE,
        "public source file (CMCCMasSMS, doctest)",
    ),
    **dict.fromkeys(
        ("SystemBusy", "FlowOverLimit", "QueueOverLimit", "RequestTooOften"), Rspcod("submit_busy", _BUSY, _BUSY_ADVICE)
    ),
    "IllegalIpAddress": Rspcod(
        "submit_auth", N_("this machine's address is not on the account's white list"), _WHITE_LIST_ADVICE
    ),
    "IllegalProtocol": Rspcod(
        "submit_auth",
        N_("the interface account was made for another protocol"),
        N_('See which one it was made for (管理 → 接口管理), and give protocol="http" or "https".'),
    ),
    **dict.fromkeys(("PrepayBalanceZero", "OverDailyMax"), Rspcod("submit_account", _MONEY, _MANAGER_ADVICE)),
    **dict.fromkeys(
        ("IllegalSpId", "IllegalState"),
        Rspcod("submit_account", N_("the account is not known, or not in a state to send"), _STATE_ADVICE),
    ),
    "NotLoadedSign": Rspcod("submit_sign", N_("the signature is not loaded, or not yet"), _SIGN_ADVICE),
    "IllegalUseTemplate": Rspcod("submit_sign", N_("the template cannot be used in this way"), _SIGN_ADVICE),
    **dict.fromkeys(("NoMobile", "DupMobile"), Rspcod("submit_format", _NUMBERS, _NUMBERS_ADVICE)),
    "ExceedMaxContentLength": Rspcod("submit_format", N_("the text is too long"), _TEXT_ADVICE),
    "ContainBlackList": Rspcod("submit_format", N_("a blacklisted number is in the batch"), _NUMBERS_ADVICE),
    "ContainSensitiveWord": Rspcod("submit_format", N_("a sensitive word is in the text"), _TEXT_ADVICE),
    "IllegalMsgfmt": Rspcod("submit_format", N_("the message's format is wrong"), _TEXT_ADVICE),
    **dict.fromkeys(
        ("MessageExpired", "RequestTimeout", "TransportError", "InternalError", "FastChNotFound"),
        Rspcod("submit_fault", _FAULT, _FAULT_ADVICE),
    ),
}
"""Each word that is known, with what it means."""

REFUSALS: Final = frozenset(word for word, entry in RSPCODS.items() if entry.source != _SDK)
"""The words that settle a batch: the interface document's, and the two seen in answers (InvalidMobile, NOT_WHITE_IP)."""

OF_ONE_BATCH: Final = frozenset(
    {
        *("success", "TooManyMobiles", "InvalidMessage", "InvalidMobile", "NoMobile", "DupMobile"),
        *("ExceedMaxContentLength", "ContainBlackList", "ContainSensitiveWord", "IllegalMsgfmt"),
        *("MessageExpired", "RequestTimeout", "TransportError", "InternalError", "FastChNotFound"),
    }
)
"""The words that say nothing of the next batch."""


def describe_rspcod(rspcod: str) -> tuple[Text, Text]:
    """Return what `rspcod` means and what to do about it.

    Examples
    --------
    >>> meaning, advice = describe_rspcod("NOT_WHITE_IP")
    >>> print(meaning.text("en"))
    this machine's address is not on the account's white list
    >>> describe_rspcod("TooManyMobiles")[0].text("zh")
    '手机号数量超限（>5000）'
    """
    entry = RSPCODS.get(rspcod)
    if entry is not None:
        return Text(entry.meaning, code=rspcod), Text(entry.advice, code=rspcod)
    return (
        Text("the platform's own word; its document does not explain it", code="unknown_rspcod"),
        Text(
            "Ask the platform's support what {rspcod} means, and name the time of the request.",
            code="unknown_rspcod",
            rspcod=rspcod or Text("the answer"),
        ),
    )
