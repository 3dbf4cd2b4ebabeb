"""Worlds for the calibration of forecasts: a month of past campaigns and one of today, with the rate it will truly have.

A world is drawn as counted tables, without frames of messages in between: `forecast` builds the history and asks for the expected
end as `delivery_rates` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.forecast import expected_ends
from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.matured_history import history_of
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

CARRIERS = np.array(["China Mobile", "China Unicom", "China Telecom"])
DAY = 86_400
NOON = 10
MIX = (0.6, 0.22, 0.18)
Rng = np.random.Generator


@dataclass(frozen=True)
class World:
    """What is true of the simulated campaigns; `spread` is how much they differ (0: not at all)."""

    delivered: float = 0.945
    never: float = 0.015
    fast: float = 0.85
    fast_median_s: float = 6.0
    slow_mean_s: float = 3600.0
    spread: float = 0.0

    def drawn(self, rng: np.random.Generator) -> World:
        """Return one campaign's own truth."""
        if not self.spread:
            return self

        def shifted(p: float) -> float:
            return float(1 / (1 + np.exp(-(np.log(p / (1 - p)) + rng.normal(0, self.spread)))))

        delivered = shifted(self.delivered)
        return World(delivered, min(self.never, 1 - delivered), shifted(self.fast))


class Reports(NamedTuple):
    """The state reports of a campaign while they are drawn."""

    rng: Rng
    after: Figures
    delivered: Booleans
    carrier: Numbers


@dataclass(frozen=True)
class Sent:
    """A campaign: what is true of it, when it was sent, and what went wrong.

    Attributes
    ----------
    world : World
        Rates and speeds.
    days : int
        Days before today.
    name : str
        Of the campaign.
    n, over_s : int
        Messages, and seconds over which they were sent.
    hour : int
        Of the day, at the start.
    mix : tuple of float
        Shares of the carriers.
    segments : int
        Of every message.
    held_s : int
        For how long everything is held (at night).
    lost : tuple of float
        By carrier, the share of state reports that never come.
    late : callable, optional
        What else delays reports: takes `Reports` and returns ``after``.
    batch_sd : float
        How much batches of 100 differ, on the logit scale.
    """

    world: World
    days: int = 0
    name: str = "offer"
    n: int = 600
    over_s: int = 600
    hour: int = NOON
    mix: tuple[float, ...] = MIX
    segments: int = 1
    held_s: int = 0
    lost: tuple[float, ...] = (0.0, 0.0, 0.0)
    late: Callable[[Reports], Figures] | None = None
    batch_sd: float = 0.0

    def messages(self, rng: Rng) -> tuple[Any, ...]:
        """Return ``sent, after, delivered, carrier`` and the true rate of its messages; `after` is infinite where none comes."""
        world, n = self.world, self.n
        rate = np.full(n, world.delivered)
        if self.batch_sd:
            shift = np.repeat(rng.normal(0, self.batch_sd, n // 100 + 1), 100)[:n]
            rate = 1 / (1 + np.exp(-(np.log(world.delivered / (1 - world.delivered)) + shift)))
        drawn = rng.random(n)
        delivered = drawn < rate
        never = ~delivered & (drawn >= 1 - np.minimum(world.never, 1 - rate))
        quick = rng.random(n) < world.fast
        after = np.where(
            quick, world.fast_median_s * np.exp(rng.normal(0, 0.8, n)), rng.exponential(world.slow_mean_s, n)
        )
        carrier = rng.choice(3, n, p=self.mix)
        sent = np.sort(rng.integers(0, self.over_s, n))
        if self.late is not None:
            after = self.late(Reports(rng, after, delivered, carrier))
        gone = never | (rng.random(n) < np.array(self.lost)[carrier])
        truth = rate * (1 - float(np.dot(self.mix, self.lost)))
        return sent, np.where(gone, np.inf, np.ceil(after + self.held_s)), delivered, carrier, truth


Month = Callable[[Rng], tuple[list[Sent], Sent]]


def counted(campaigns: Sequence[Sent], drawn: Sequence[tuple[Any, ...]], at_s: int) -> Counts:
    """Return the counted table of campaigns as they look `at_s` seconds after today's start."""
    parts = []
    for number, (each, (sent, after, delivered, carrier, _)) in enumerate(zip(campaigns, drawn, strict=True)):
        waited = np.floor(at_s + each.days * DAY - sent)
        known = after <= waited
        status = np.where(known, np.where(delivered, Status.delivered, Status.failed), Status.pending)
        hour = each.hour + sent // 3600
        parts.append(
            np.stack([
                np.full(each.n, number), -each.days + hour // 24, hour % 24, carrier, np.full(each.n, each.segments),
                np.where(waited >= UNREPORTED_AFTER_S, 0, 1), status, np.where(known, after, waited), waited,
            ])
        )  # fmt: skip
    table = np.concatenate(parts, axis=1)
    campaign, day, hour, carrier, segments, window, status, seconds, _ = table[:, table[-1] >= 0]
    names, place = np.unique([f"{each.name} {each.days}" for each in campaigns], return_inverse=True)
    keys = pd.DataFrame(
        {
            "campaign": pd.Categorical.from_codes(place[campaign.astype(int)], list(names)),  # type: ignore[call-overload]
            "day": pd.Timestamp("2026-03-02") + pd.to_timedelta(day, unit="D"),
            "hour": hour.astype(int),
            "carrier": pd.Categorical.from_codes(carrier.astype(int), list(CARRIERS)),  # type: ignore[call-overload]
            "segments": segments.astype(int),
            "#window": window.astype(int),
        }
    )
    return Counts(keys, status.astype(int), seconds, np.ones(len(status), dtype=np.int64), [])


def forecast(month: Month, rng: Rng, ages: dict[str, int], todays: int = 1) -> list[dict[str, object]]:
    """Draw a month and campaigns of today, and return what is expected of each at each age, beside what is true."""
    past = month(rng)[0]
    history = history_of(counted(past, [each.messages(rng) for each in past], 0))
    rows: list[dict[str, object]] = []
    for _ in range(todays):
        today = month(rng)[1]
        drawn = [today.messages(rng)]
        for age, at_s in ages.items():
            found = expected_ends(counted([today], drawn, at_s), lambda: history)
            rows.append(
                {
                    "age": age, "truth": float(drawn[0][-1].mean()), "expected": found.rate[0], "low": found.low[0],
                    "high": found.high[0], "reason": found.reason[0],
                    "warned": any(note.code == "early" for note in found.notes),
                }
            )  # fmt: skip
    return rows


def drawn_worlds(world: World, rng: Rng, days: Sequence[int], **what: object) -> list[Sent]:
    """Return past campaigns of one world, each with its own truth."""
    return [Sent(world.drawn(rng), day, **what) for day in days]  # type: ignore[arg-type]


BASE = World(0.95, spread=0.15)
MONTH = range(4, 32)
CODES = World(0.95, 0.03, 0.99, slow_mean_s=600, spread=0.05)
OFFERS = World(0.95, 0.01, 0.50, slow_mean_s=7200, spread=0.05)


def plain(world: World = BASE, days: Sequence[int] = MONTH, n: int = 600, today: int = 2000, **what: object) -> Month:
    """Return a month of campaigns that are alike but for their own draws, and one more; `what` is true of today alone."""

    def month(rng: Rng) -> tuple[list[Sent], Sent]:
        own = world.drawn(rng)
        return drawn_worlds(world, rng, days, n=n), replace(Sent(own, n=today), **what)  # type: ignore[arg-type]

    return month


def two_kinds(codes: World, offers: World, today: str, code_n: int = 500, offer_n: int = 2000) -> Month:
    """Return codes every day, offers every third; today a campaign called `today`."""

    def month(rng: Rng) -> tuple[list[Sent], Sent]:
        past = drawn_worlds(codes, rng, MONTH, name="otp", n=code_n)
        past += drawn_worlds(offers, rng, MONTH[::3], name="offer", n=offer_n)
        world = offers if "offer" in today else codes
        return past, Sent(world.drawn(rng), 0, today, 2000)

    return month


def nights(of_28: int, *, today: bool) -> Month:
    """Return campaigns of which so many were sent at 23:00 and held for six hours."""

    def month(rng: Rng) -> tuple[list[Sent], Sent]:
        chosen: Sequence[int] = (np.linspace(0, 27, of_28).astype(int) + 4).tolist() if of_28 else []
        past = [
            replace(each, hour=23, held_s=6 * 3600) if each.days in chosen else each
            for each in drawn_worlds(BASE, rng, MONTH)
        ]
        own = Sent(BASE.drawn(rng), n=2000)
        return past, replace(own, hour=23, held_s=6 * 3600) if today else own

    return month


def stalled(drawn: Reports) -> Figures:
    """Let one carrier stand still for four hours, then report everything."""
    return np.where(drawn.carrier == 1, drawn.after + 4 * 3600, drawn.after)


def failing_late(drawn: Reports) -> Figures:
    """Report failures after two hours, on average."""
    return np.where(drawn.delivered, drawn.after, drawn.rng.exponential(7200, len(drawn.after)))


def retrying(drawn: Reports) -> Figures:
    """Report what is slow by tries: after 5 min, 30 min, 2 h or 12 h; failures after the last."""
    tries = drawn.rng.choice([300, 1800, 7200, 43_200], len(drawn.after), p=[0.5, 0.3, 0.15, 0.05])
    return np.where(drawn.after < 60, drawn.after, np.where(drawn.delivered, tries, 43_200) + drawn.after % 60)


def later(change: Callable[[Reports], Figures], month: Month, *, past_too: bool) -> Month:
    """Return a month in which `change` delays today's reports, and the past's too if asked."""

    def changed(rng: Rng) -> tuple[list[Sent], Sent]:
        past, today = month(rng)
        return [replace(each, late=change) if past_too else each for each in past], replace(today, late=change)

    return changed


def drifting(rng: Rng) -> tuple[list[Sent], Sent]:
    """Let the rate fall from 97 to 90 % within the month, and to 88 % today."""
    past = [Sent(replace(BASE, delivered=0.90 + 0.07 * (day - 4) / 27).drawn(rng), day) for day in MONTH]
    return past, Sent(replace(BASE, delivered=0.88).drawn(rng), n=2000)


def falling(rng: Rng) -> tuple[list[Sent], Sent]:
    """Let the rate be 85 % today, and report failures after two hours."""
    return drawn_worlds(BASE, rng, MONTH), Sent(replace(BASE, delivered=0.85).drawn(rng), n=2000, late=failing_late)


def all_day(rng: Rng) -> tuple[list[Sent], Sent]:
    """Send codes all day long; today until two in the afternoon."""
    past = [Sent(CODES.drawn(rng), day, "otp", 800, over_s=14 * 3600, hour=8) for day in MONTH]
    return past, Sent(CODES.drawn(rng), 0, "otp", 1000, over_s=6 * 3600, hour=8)


def weekends(rng: Rng) -> tuple[list[Sent], Sent]:
    """Make two days of seven slower (mean 3 h); today is one of them, and nothing says so."""
    slow = replace(BASE, fast=0.7, slow_mean_s=10_800)
    return [Sent((slow if day % 7 < 2 else BASE).drawn(rng), day) for day in MONTH], Sent(slow.drawn(rng), n=2000)


def long_texts(rng: Rng) -> tuple[list[Sent], Sent]:
    """Let texts of three segments arrive less often and later; half of the past was long, and so is today's."""
    long = replace(BASE, delivered=0.88, fast=0.6)
    past = [Sent((long if day % 2 else BASE).drawn(rng), day, segments=3 if day % 2 else 1) for day in MONTH]
    return past, Sent(long.drawn(rng), n=2000, segments=3)


def one_huge(rng: Rng) -> tuple[list[Sent], Sent]:
    """Send one past campaign of 20,000, slow, among 27 of 500."""
    past = drawn_worlds(BASE, rng, MONTH, n=500)
    past[9] = Sent(replace(BASE, delivered=0.85, fast=0.4).drawn(rng), past[9].days, n=20_000)
    return past, Sent(BASE.drawn(rng), n=2000)


def past_losses(rng: Rng) -> tuple[list[Sent], Sent]:
    """Lose half of a carrier's state reports on two past days."""
    past = drawn_worlds(BASE, rng, MONTH)
    lost = (0.5, 0.0, 0.0)
    return [replace(each, lost=lost) if each.days in (9, 20) else each for each in past], Sent(BASE.drawn(rng), n=2000)


def speeds(rng: Rng) -> tuple[list[Sent], Sent]:
    """Give every campaign a speed of its own: the slow mode takes 10 minutes to 10 hours."""

    def own() -> World:
        return replace(BASE, slow_mean_s=float(3600 * np.exp(rng.normal(0, 0.8)))).drawn(rng)

    return [Sent(own(), day) for day in MONTH], Sent(own(), n=2000)


def many_names(rng: Rng) -> tuple[list[Sent], Sent]:
    """Give every campaign a name of its own."""
    names = ["spring", "harvest", "tea", "winter", "books", "shoes", "travel", "lantern"]
    past = [Sent(BASE.drawn(rng), day, f"{names[day % 8]} {names[(day * 3 + 1) % 8]}") for day in MONTH]
    return past, Sent(BASE.drawn(rng), 0, "concert", 2000)


def holiday(rng: Rng) -> tuple[list[Sent], Sent]:
    """Let twice as many be slow today as in any past campaign, all of which had the same speed."""

    def own(fast: float) -> World:
        return replace(BASE.drawn(rng), fast=fast)

    return [Sent(own(0.85), day) for day in MONTH], Sent(own(0.7), n=2000)


@dataclass(frozen=True)
class Case:
    """A world with its name in both languages."""

    english: str
    chinese: str
    month: Month = field(repr=False)


ODD = replace(CODES, never=0.015), replace(OFFERS, never=0.015)
CASES = [
    Case("campaigns alike", "活动相同", plain(World(0.95))),
    Case("campaigns differ (sd 0.25)", "活动有差异（0.25）", plain(World(0.95, spread=0.25))),
    Case("codes and offers; codes today", "验证码与营销；今天是验证码", two_kinds(CODES, OFFERS, "otp")),
    Case("codes and offers; an offer today", "验证码与营销；今天是营销", two_kinds(CODES, OFFERS, "offer")),
    Case("the same, 1.5 % never reported in both", "同上，两者无回执均为 1.5%", two_kinds(*ODD, "otp today")),
    Case(
        "14 of 28 at night, held 6 h; today by day",
        "28 个中 14 个在夜间扣发 6 小时；今天在白天",
        nights(14, today=False),
    ),
    Case("14 of 28 at night; today at night", "28 个中 14 个在夜间；今天在夜间", nights(14, today=True)),
    Case("3 of 28 at night; today by day", "28 个中 3 个在夜间；今天在白天", nights(3, today=False)),
    Case("none at night; today at night", "历史全在白天；今天在夜间", nights(0, today=True)),
    Case("a carrier stalls for 4 h", "一家运营商停滞 4 小时", later(stalled, plain(), past_too=False)),
    Case("30 % of a carrier's reports lost", "一家运营商丢失 30% 状态报告", plain(lost=(0.3, 0.0, 0.0))),
    Case("5 % of a carrier's reports lost", "一家运营商丢失 5% 状态报告", plain(lost=(0.05, 0.0, 0.0))),
    Case("rate falls to 85 %, failures late", "送达率降到 85%，失败迟报", falling),
    Case("drift from 97 to 90 %, today 88 %", "由 97% 渐降到 90%，今天 88%", drifting),
    Case("28 × 20 past, 200 today", "历史 28 × 20，今天 200", plain(n=20, today=200)),
    Case("28 × 200 past, 20,000 today", "历史 28 × 200，今天 20,000", plain(n=200, today=20_000)),
    Case("half of today at another carrier", "今天一半在另一家运营商", plain(mix=(0.25, 0.25, 0.5))),
    Case("own: a kind that was never sent", "自拟：从未发过的类别", two_kinds(CODES, OFFERS, "news")),
    Case("own: codes all day long", "自拟：全天发送验证码", all_day),
    Case("own: carriers try again", "自拟：运营商重试", later(retrying, plain(), past_too=True)),
    Case("own: batches fail together (sd 1)", "自拟：同批一起失败（1）", plain(batch_sd=1.0)),
    Case("own: slow weekends, unsaid", "自拟：周末较慢，数据不说", weekends),
    Case("own: long texts", "自拟：长短信", long_texts),
    Case("own: one huge slow campaign", "自拟：一个很大的慢活动", one_huge),
    Case("own: a past loss of reports", "自拟：过去丢过状态报告", past_losses),
    Case("own: speeds of every kind", "自拟：快慢各异", speeds),
    Case("own: a name of its own each", "自拟：活动名各不相同", many_names),
    Case("own: eight days of history, 40 today", "自拟：历史八天，今天 40 条", plain(days=range(4, 12), today=40)),
    Case("own: twice as many slow as ever (a holiday)", "自拟：慢的短信为历来两倍（假日）", holiday),
]
"""The worlds of the table."""
