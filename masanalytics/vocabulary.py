"""The words and columns every frame shares: what a message can be, and what its columns are called.

Glossary
--------
message
    One text to one number.
batch
    One submit request: up to 5,000 numbers with one text, or up to 999 numbers with a text each.
campaign
    The name under which a number gets a message at most once.
msg_group
    The platform's own name for a batch, which reports repeat. It carries no year and can come again.
report
    What the platform says became of a message (状态报告). Handed out once.
uplink
    A message from a customer: a reply, or an opt-out (上行).
segment
    A part of a long message as it is billed (70 characters alone, 67 each when joined).
prefix
    The start of a number (号段), which tells the carrier it was assigned to.
coverage
    The time up to which every report the platform had was fetched.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = [
    "ACCEPTED",
    "BATCH_STATES",
    "CARRIERS",
    "CARRIERS_ZH",
    "DERIVED",
    "EXCLUSIONS",
    "MESSAGE_COLUMNS",
    "MODES",
    "STATUS_ZH",
    "UNREPORTED_AFTER_S",
    "Status",
]


class Status(IntEnum):
    """What is known of one message; the numbers are how the store keeps it."""

    planned = 0
    not_sent = 1
    rejected = 2
    unknown = 3
    pending = 4
    delivered = 5
    failed = 6


ACCEPTED: Final = ("pending", "delivered", "failed")
"""The statuses of messages the platform took: the denominator of every rate."""

STATUS_ZH: Final = {
    "planned": "计划中",
    "not_sent": "未发出",
    "rejected": "平台拒绝",
    "unknown": "结果不明",
    "pending": "待回执",
    "delivered": "已送达",
    "failed": "失败",
}

BATCH_STATES: Final = ("planned", "submitting", "accepted", "rejected", "not_sent", "unknown")
"""The states of one submit request, in the order it passes through them."""

MODES: Final = ("one_to_one", "many_to_one", "many_to_many", "template", "foreign")
"""How a batch was submitted; ``foreign`` is one this store only heard of through its reports."""

CARRIERS: Final = ("China Mobile", "China Unicom", "China Telecom", "China Broadnet", "unknown")
"""Carriers as frames name them (the one the prefix was assigned to: numbers can be ported)."""

CARRIERS_ZH: Final = {
    "China Mobile": "中国移动",
    "China Unicom": "中国联通",
    "China Telecom": "中国电信",
    "China Broadnet": "中国广电",
    "unknown": "未知",
}
"""Carriers as Chinese texts name them; a filter takes either."""

UNREPORTED_AFTER_S: Final = 72 * 3600
"""After this long under coverage a pending message counts as unreported (carriers report for up to 72 h)."""

MESSAGE_COLUMNS: Final = {
    "message_id": "int64",
    "campaign": "str",
    "account": "str",
    "batch_id": "int64",
    "msg_group": "str",
    "mode": "str",
    "template_id": "str",
    "phone": "str",
    "content": "str",
    "params": "str",
    "segments": "Int64",
    "carrier": "str",
    "province": "str",
    "city": "str",
    "submitted_at": "datetime64[s, Asia/Shanghai]",
    "status": "str",
    "report_status": "str",
    "error_code": "str",
    "received_at": "datetime64[s, Asia/Shanghai]",
    "latency_s": "Int64",
    "waited_s": "Int64",
    "reports": "Int64",
    "arm": "str",
}
"""The columns of a messages frame with their dtypes; missing text is missing (NaN), never an empty string.

``latency_s`` is receiveDate - submitDate of delivered and failed messages, ``waited_s`` the seconds from submission to
the end of the account's coverage, ``reports`` how many reports the message got, ``arm`` the arm of a comparison.
"""

DERIVED: Final = ("day", "hour", "weekday", "prefix", "category")
"""Names that `by` takes besides columns: of ``submitted_at`` in China time, of ``phone``, of ``error_code``."""

EXCLUSIONS: Final = {
    "empty_number": ("no number in the cell", "号码为空"),
    "invalid_number": ("not a mobile number", "不是有效的手机号"),
    "lossy_scientific": ("digits lost to scientific notation", "科学计数法丢失了号码尾数"),
    "two_numbers": ("more than one number in the cell", "一个单元格里有多个号码"),
    "landline": ("a landline", "固定电话"),
    "foreign": ("not a mainland China number", "非中国大陆号码"),
    "duplicate": ("the number is already in the list", "号码重复"),
    "empty_content": ("the text is empty", "短信内容为空"),
    "missing_value": ("a value the text needs is missing", "短信所需的变量缺失"),
    "invalid_content": ("a value does not fit the text's format", "变量的值与短信格式不符"),
    "opted_out": ("the person has opted out", "用户已退订"),
    "suppressed": ("on the suppression list given", "在屏蔽名单中"),
    "already_sent": ("this campaign has already been sent to the number", "该活动已向此号码发送过"),
    "not_allowed": ("not on the account's allow_only list", "不在账号的 allow_only 名单中"),
}
"""Why a row is left out of a plan: reason -> (English, Chinese)."""
