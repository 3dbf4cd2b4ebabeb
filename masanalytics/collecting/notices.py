"""The few things a person must be told while collecting, in English and Chinese, and where they go by default."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["FIRST_COLLECTION", "INTERRUPTED", "NOT_DATA", "OTHER_STORE", "REPORTS_STAY_AWAY", "to_stderr"]

FIRST_COLLECTION: Final = (
    "First collection of account {account} into this store. The platform hands each report out once: if another system "
    "polls the same account, each gets a part. Reports that belong to others are kept and listed by "
    "store.foreign_reports().",
    "账号 {account} 首次采集到本库。平台对每条回执只发放一次：若另有系统也在查询同一账号，双方各得一部分。"
    "不属于本库的报告会保留，可用 store.foreign_reports() 查看。",
)
INTERRUPTED: Final = (
    "Interrupted: {done}. Whatever came is in the store; run it again to go on.",
    "已中断：{done}。已收到的都已入库，再次运行即可继续。",
)
NOT_DATA: Final = (
    "The platform answered a poll with something that is not data ({notice}): too soon, or refused. Asking less often now.",
    "平台对查询返回的不是数据（{notice}）：可能过于频繁或被拒绝，将降低查询频率。",
)
OTHER_STORE: Final = (
    "Another store on this machine, {other}, collects account {account} too: each gets a part of its reports, and together "
    "they may ask more often than the platform allows. Use one store for one account.",
    "本机另一个库 {other} 也在采集账号 {account}：双方各得一部分回执，且合计查询可能超过平台频率。请一个账号只用一个库。",
)
REPORTS_STAY_AWAY: Final = (
    "Batch {batch}: only {share:.0%} reported, while the campaign's other batches have {others:.0%}. Somebody else may be "
    "taking your reports: does another system poll this account?",
    "批次 {batch} 仅 {share:.0%} 有回执，而同一活动的其他批次为 {others:.0%}。可能有其他系统在取走您的回执，请检查。",
)


def to_stderr(text: str) -> None:
    """Show a line to whoever sits at the notebook or terminal."""
    print(text, file=sys.stderr)  # noqa: T201
