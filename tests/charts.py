"""Every chart there is, as tests of all charts draw it: of messages, of a Store, of names that hold a number, and of any
number of groups.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from masanalytics import plot
from masanalytics.analysis import delivery_rates, number_health
from masanalytics.i18n import Text
from masanalytics.store import Store
from tests.rows import Rows

_NAMES: Final = frozenset(plot.__all__) - {"use_chinese_font"}


def untried(charts: Iterable[str]) -> set[str]:
    """Return the charts that a test's table lacks; one may be there several times, as ``latency`` and ``latency quantiles``."""
    return set(_NAMES - {name.partition(" ")[0] for name in charts})


# ---- of messages: what all charts take -------------------------------------------------------------------------------------

AT = pd.Timestamp("2026-03-26 10:00", tz="Asia/Shanghai")
MESSAGES = pd.DataFrame(
    {
        "message_id": range(300),
        "phone": [f"138{number:08d}" for number in range(300)],
        "campaign": "spring",
        "carrier": ["China Mobile"] * 100 + ["China Unicom"] * 200,
        "arm": ["short", "long"] * 150,
        "status": ["delivered"] * 90 + ["failed"] * 10 + ["delivered"] * 190 + ["failed"] * 10,
        "error_code": "MK:0001",
        "segments": 1,
        "submitted_at": AT,
        "received_at": AT + pd.Timedelta(seconds=5),
        "latency_s": 5,
        "waited_s": 300_000,
    }
)
NOBODY_REPLIED = pd.DataFrame(
    {name: pd.Series(dtype="object") for name in ("message_id", "content", "sent_at", "opt_out", "phone")}
)
OF_MESSAGES: dict[str, Callable[..., Any]] = {
    "delivery_rates": plot.delivery_rates,
    "latency": plot.latency,
    "error_codes": plot.error_codes,
    "timeline": plot.timeline,
    "heatmap": plot.heatmap,
    "number_health": plot.number_health,
    "funnel": plot.funnel,
    "compare": lambda data, **options: plot.compare(data, "arm", "short", "long", **options),
    "explain_change": lambda data, **options: plot.explain_change(data[:150], data[150:], by="carrier", **options),
    "anomalies": lambda data, **options: plot.anomalies(data, by="carrier", **options),
    "backtest": plot.backtest,
    "fatigue": lambda data, **options: plot.fatigue(data, uplinks=NOBODY_REPLIED, **options),
}

# ---- of a Store with two campaigns, A and B: what is missing in it, each chart says --------------------------------------------

OF_A_STORE: dict[str, Callable[[Store], Any]] = {
    "delivery_rates": lambda store: plot.delivery_rates(store, by="campaign"),
    "latency": lambda store: plot.latency(store, by="campaign"),
    "timeline": lambda store: plot.timeline(store, freq="h"),
    "error_codes": lambda store: plot.error_codes(store, by="campaign"),
    "compare": lambda store: plot.compare(store, by="campaign", a="A", b="B"),
    "explain_change": lambda store: plot.explain_change(store, at="2026-01-02", by=["carrier"]),
    "heatmap": lambda store: plot.heatmap(store, by=["campaign", "carrier"]),
    "funnel": lambda store: plot.funnel(store, campaign="B"),
    "number_health": lambda store: plot.number_health(number_health(store)),
    "fatigue": plot.fatigue,
    "anomalies": plot.anomalies,
    "backtest": plot.backtest,
    "overview": lambda store: plot.overview(store)[0, 0],
}


# ---- of names that hold a number: what leaves the house ------------------------------------------------------------------

NAMED_BY_NUMBERS = pd.DataFrame({
    "phone": ["13800138000", "13900139000"], "campaign": ["客户13800138000", "b"], "status": ["delivered", "failed"],
    "error_code": [None, "MK:0001"], "latency_s": [3, 4], "waited_s": [900, 900], "segments": [1, 1],
    "submitted_at": pd.to_datetime(["2026-01-01 08:00", "2026-01-02 09:00"]).tz_localize("Asia/Shanghai"),
})  # fmt: skip
NAMED_BY_NUMBERS["message_id"] = [1, 2]
REPLIES = pd.DataFrame(
    {
        "message_id": [1],
        "phone": ["13800138000"],
        "content": ["13800138000"],
        "sent_at": NAMED_BY_NUMBERS["submitted_at"][:1],
        "opt_out": [None],
    }
)
NAMED_BY_NUMBERS["received_at"] = NAMED_BY_NUMBERS["submitted_at"] + pd.to_timedelta(
    NAMED_BY_NUMBERS["latency_s"], unit="s"
)
OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "delivery_rates": lambda **more: plot.delivery_rates(NAMED_BY_NUMBERS, by="campaign", **more),
    "delivery_rates of phones": lambda **more: plot.delivery_rates(NAMED_BY_NUMBERS, by="phone", **more),
    "latency": lambda **more: plot.latency(NAMED_BY_NUMBERS, by="campaign", **more),
    "timeline": lambda **more: plot.timeline(NAMED_BY_NUMBERS, freq="D", by="campaign", **more),
    "heatmap": lambda **more: plot.heatmap(NAMED_BY_NUMBERS, by=["campaign", "day"], **more),
    "error_codes": lambda **more: plot.error_codes(NAMED_BY_NUMBERS, by="campaign", **more),
    "funnel": lambda **more: plot.funnel(NAMED_BY_NUMBERS, campaign="客户13800138000", **more),
    "overview": lambda **more: plot.overview(NAMED_BY_NUMBERS, by="campaign", campaign="客户13800138000", **more)[0, 0],
    "compare": lambda **more: plot.compare(NAMED_BY_NUMBERS, by="campaign", a="客户13800138000", b="b", **more),
    "explain_change": lambda **more: plot.explain_change(NAMED_BY_NUMBERS, NAMED_BY_NUMBERS[:1], by=["campaign"], **more),
    "number_health": lambda **more: plot.number_health(NAMED_BY_NUMBERS, campaign="客户13800138000", **more),
    "anomalies": lambda **more: plot.anomalies(NAMED_BY_NUMBERS, by="campaign", campaign="客户13800138000", **more),
    "backtest": lambda **more: plot.backtest(NAMED_BY_NUMBERS, campaign="客户13800138000", **more),
    "fatigue": lambda **more: plot.fatigue(NAMED_BY_NUMBERS, uplinks=REPLIES, campaign="客户13800138000", **more),
}  # fmt: skip

# ---- of results with any number of groups ----------------------------------------------------------------------------------

CARRIERS = ["China Mobile", "China Unicom", "China Telecom"]


@cache
def notes() -> dict[Hashable | None, Any]:
    """What a result carries beside its rows, as a store gives it that was twice not asked while reports came."""
    end = pd.Timestamp("2026-01-03 10:44:05", tz="Asia/Shanghai")
    sent = int(end.timestamp()) - 3600
    with Store(":memory:") as store:
        rows = Rows(store)
        rows.message(
            {"campaign": "c", "arm": None, "phone": "13800138000", "carrier": "China Mobile", "segments": 1,
             "status": "pending", "submitted_at": end - pd.Timedelta(hours=1), "latency_s": None, "error_code": None}
        )  # fmt: skip
        for begin, until in ((sent, sent + 600), (sent + 900, sent + 1200), (sent + 1500, sent + 3600)):
            rows.covered(begin, until)
        attrs = delivery_rates(store).attrs
    return {**attrs, "notes": [Text("as asked", code="x").as_json()]}


def rates(n: int, column: str = "carrier") -> pd.DataFrame:
    """A result of delivery_rates: 1,000 accepted in each group, 900 delivered and 40 pending in the first."""
    place = np.arange(n)
    frame = pd.DataFrame(
        {
            column: (CARRIERS + [f"很长的活动名称第{i}号" for i in range(n)])[:n],
            "accepted": 1000,
            "delivered": 900 - place,
            "failed": 60 + place,
            "pending": 40,
            "unreported": 0,
            "delivery_rate": 0.9 - place / 1000,
            "low": 0.88 - place / 1000,
            "high": 0.92 - place / 1000,
            "most": 0.94 - place / 1000,
            "expected_rate": 0.93 - place / 1000,
            "expected_low": 0.92 - place / 1000,
            "expected_high": 0.94 - place / 1000,
            "horizon_s": 7200.0,
        }
    )
    frame.attrs = dict(notes())
    return frame


def codes(n: int) -> pd.DataFrame:
    """A result of error_codes: the first code twice as often as the second, and so on."""
    counts = np.array([2 ** (n - i) if n < 10 else 100 - i for i in range(n)], dtype=int)
    frame = pd.DataFrame(
        {
            "error_code": [f"MK:{i:04d}" for i in range(n)],
            "count": counts,
            "share": counts / 10000,
            "share_of_failed": counts / max(counts.sum(), 1),
            "category": "number_state",
            "meaning": "空号、停机或关机，以及其他需要换行的较长说明文字",
            "advice": "-",
        }
    )
    frame.attrs = dict(notes())
    return frame


def curve(n: int) -> pd.DataFrame:
    """A curve of arrivals: half after 10 s, nine in ten after 600 s, 95 % in the end."""
    names = CARRIERS[:n] if n > 1 else [None] * n
    one = pd.DataFrame({"seconds": [0, 1, 10, 600, 86400], "share": [0, 0.2, 0.5, 0.9, 0.95]})
    one = one.assign(low=one["share"] * 0.98, high=np.minimum(one["share"] * 1.02, 1))
    parts = [one.assign(carrier=name)[["carrier", *one]] for name in names]
    frame = pd.concat(parts, ignore_index=True) if parts else one.head(0)
    return frame.drop(columns="carrier") if n == 1 else frame


def quantiles(n: int) -> pd.DataFrame:
    """A result of latency."""
    return pd.DataFrame(
        {
            "province": [f"省份{i}" for i in range(n)],
            "delivered": 500,
            "mean_s": 30.0,
            "p50_s": 4.0,
            "p90_s": 60.0,
            "p95_s": 300.0,
            "p99_s": 3600.0,
            "max_s": 9000.0,
            "reached_50_s": 5.0,
            "reached_90_s": [np.nan if i else 90.0 for i in range(n)],
        }
    )


def course(n: int) -> pd.DataFrame:
    """A result of timeline by hour: the last hour is mostly pending, the second outside its limits."""
    accepted = np.full(n, 100)
    pending = np.array([60 if i == n - 1 and n > 1 else 0 for i in range(n)], dtype=int)
    delivered = np.where(pending > 0, 38, 95)
    if n > 2:
        delivered[1] = 60
    rate = delivered / np.where(accepted > 0, accepted, 1)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2026-01-03 22:00", periods=n, freq="h", tz="Asia/Shanghai"),
            "accepted": accepted,
            "delivered": delivered,
            "failed": accepted - delivered - pending,
            "pending": pending,
            "delivery_rate": rate,
            "low": rate - 0.05,
            "high": np.minimum(rate + 0.05, 1),
            "p50_s": 4.0,
            "p90_s": 60.0,
            "limit_low": 0.9,
            "limit_high": 0.99,
            "outside": (rate < 0.9) & (pending == 0),
        }
    )
    frame.attrs = dict(notes())
    return frame


def week(n: int) -> pd.DataFrame:
    """A result of delivery_rates by weekday and hour: the cell of each second row is thin."""
    frame = pd.DataFrame({"weekday": [i % 7 for i in range(n)], "hour": [8 + i // 7 for i in range(n)]})
    accepted = np.array([12 if i % 2 else 400 for i in range(n)], dtype=int)
    return frame.assign(accepted=accepted, delivered=accepted, delivery_rate=0.95, low=0.9, high=0.98)


def pairs(n: int) -> pd.DataFrame:
    """A result of compare: the first pair differs by 1.8 points, the others by nothing."""
    frame = pd.DataFrame({"a": ["A"] * n, "b": [f"文案{i}" for i in range(n)]})
    clear = np.array([i == 0 for i in range(n)], dtype=bool)
    return frame.assign(
        within_s=600.0, accepted_a=10000, delivered_a=9400, rate_a=0.94, accepted_b=10000, delivered_b=9580,
        rate_b=np.where(clear, 0.958, 0.941), difference=np.where(clear, 0.018, 0.001), low=np.where(clear, 0.009, -0.005),
        high=np.where(clear, 0.027, 0.007), p_value=np.where(clear, 0.00004, 0.7), sentence="in words",
    )  # fmt: skip


def changes(n: int) -> pd.DataFrame:
    """A result of explain_change: one cell loses five points, the others nothing."""
    lost = np.array([-0.05 if i == 0 else 0.0 for i in range(n)])
    return pd.DataFrame(
        {
            "carrier": (CARRIERS + [f"单元{i}" for i in range(n)])[:n],
            "share_before": 1 / max(n, 1),
            "share_after": 1 / max(n, 1),
            "rate_before": 0.9,
            "rate_after": 0.9 + lost * n,
            "mix_effect": 0.0,
            "rate_effect": lost,
            "contribution": lost,
        }
    )


def health(n: int) -> pd.DataFrame:
    """A result of number_health: every number good."""
    return pd.DataFrame({"phone": [f"1380013{i:04d}" for i in range(n)], "verdict": ["good"] * n})


def unusual(n: int) -> pd.DataFrame:
    """A result of anomalies: each a share below what is usual."""
    times = pd.date_range("2026-03-01", periods=n, freq="D", tz="Asia/Shanghai")
    return pd.DataFrame(
        {
            "time": times,
            "until": times + pd.Timedelta(days=1),
            "going_on": False,
            "subject": [f"中国联通 · 省份{i}" for i in range(n)],
            "measure": "delivered",
            "error_code": None,
            "messages": 1000,
            "observed": 0.8,
            "usual_low": 0.9,
            "usual_high": 0.95,
        }
    )


def steps(n: int) -> pd.DataFrame:
    """Steps of a funnel, each a tenth smaller."""
    return pd.DataFrame({"step": [f"第{i}步" for i in range(n)], "count": [1000 - 20 * i for i in range(n)]})


def backtested(n: int) -> pd.DataFrame:
    """Past campaigns at three ages: `n` of each, some missed, some with bounds only."""
    rows = [
        {
            "campaign": f"offer {number}", "age_s": age, "expected_rate": np.nan if number % 5 == 4 else 0.94,
            "expected_low": 0.92, "expected_high": 0.96, "final_rate": 0.9 if number % 7 == 6 else 0.95,
            "covered": number % 7 != 6,
        }
        for age in (600, 7200, 86_400)
        for number in range(n)
    ]  # fmt: skip
    columns = ["campaign", "age_s", "expected_rate", "expected_low", "expected_high", "final_rate", "covered"]
    return pd.DataFrame(rows, columns=columns)


def tired(n: int) -> pd.DataFrame:
    """Opt-outs by messages before, of n levels."""
    rate = np.linspace(0.002, 0.02, n)
    columns = {"received": np.arange(n), "delivered": 1000, "opt_outs": (1000 * rate).astype(int), "opt_out_rate": rate}
    ends = {"opt_out_low": rate / 2, "opt_out_high": 2 * rate, "opt_out_ratio": rate / 0.002}
    return pd.DataFrame(columns | ends, index=range(n))


OF_GROUPS: dict[str, tuple[Callable[..., Axes], Callable[[int], pd.DataFrame]]] = {
    "delivery_rates": (plot.delivery_rates, rates),
    "error_codes": (plot.error_codes, codes),
    "latency": (plot.latency, curve),
    "latency quantiles": (plot.latency, quantiles),
    "timeline": (plot.timeline, course),
    "heatmap": (plot.heatmap, week),
    "compare": (plot.compare, pairs),
    "explain_change": (plot.explain_change, changes),
    "number_health": (plot.number_health, health),
    "funnel": (plot.funnel, steps),
    "backtest": (plot.backtest, backtested),
    "anomalies": (plot.anomalies, unusual),
    "fatigue": (plot.fatigue, tired),
}
