"""Reports whose times have no seconds: learned from the data, said, and never compared more finely than a minute."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis import notes_of
from masanalytics.simulator import Simulator, Style
from tests.bench import report as make_report

NOTE = "the reports' times have no seconds"
PHONES = [f"1380013{n:04d}" for n in range(400)]


def messages(latencies: list[float], arm: str = "A", status: str = "delivered") -> pd.DataFrame:
    return pd.DataFrame({"arm": arm, "status": status, "latency_s": latencies, "waited_s": 300_000})


def says_so(result: pd.DataFrame) -> bool:
    return any(NOTE in note for note in notes_of(result, "en"))


@pytest.mark.parametrize(
    ("latencies", "told"),
    [
        ([0.0] * 15 + [60.0] * 5, True),
        ([0.0] * 38 + [7.0, 60.0], True),
        ([0.0] * 10 + [60.0] * 9, False),
        ([0.0] * 30 + [7.0] * 10, False),
        ([float(n) for n in range(100)], False),
        ([], False),
    ],
)
def test_minutes_are_told_from_the_latencies(latencies: list[float], told: bool) -> None:
    """Twenty delivered messages and nearly all of whole minutes tell it; fewer, or one in six with seconds, do not."""
    assert says_so(mas.latency(messages(latencies))) is told


def test_failures_with_seconds_do_not_hide_it() -> None:
    """The platform's own failures have seconds where the carriers' reports have none: only the delivered are asked."""
    mixed = pd.concat([messages([0.0] * 30), messages([7.0] * 100, status="failed")])
    assert says_so(mas.latency(mixed))


def test_every_answer_with_latencies_says_so() -> None:
    """Latency, timeline and comparison carry the note, in both languages."""
    frame = pd.concat([messages([0.0, 60.0] * 100), messages([60.0, 60.0] * 100, "B")])
    frame["submitted_at"] = pd.Timestamp("2026-01-01 08:00", tz="Asia/Shanghai")
    for result in (mas.latency(frame), mas.timeline(frame, "h"), mas.compare(frame, "arm", "A", "B")):
        assert says_so(result)
        assert any("回执的时间不含秒" in note for note in notes_of(result, "zh"))


def test_medians_less_than_a_minute_apart_are_not_compared() -> None:
    """With seconds 10 s and 40 s differ; in whole minutes the same difference is none, and the interval is a minute wider."""
    fine = mas.compare(pd.concat([messages([10.0] * 300), messages([40.0] * 300, "B")]), "arm", "A", "B").iloc[0]
    assert fine["latency_p_value"] < 0.001
    coarse = mas.compare(
        pd.concat([messages([0.0] * 200 + [60.0] * 100), messages([0.0] * 160 + [60.0] * 140, "B")]), "arm", "A", "B"
    ).iloc[0]
    assert np.isnan(coarse["latency_p_value"])
    assert (coarse["median_low_s"], coarse["median_high_s"]) == (-60.0, 120.0) or coarse["median_low_s"] <= -60.0
    far = mas.compare(pd.concat([messages([60.0] * 300), messages([240.0] * 300, "B")]), "arm", "A", "B").iloc[0]
    assert far["latency_p_value"] < 0.001
    assert (far["median_low_s"], far["median_high_s"]) == (120.0, 240.0)


def test_a_campaign_whose_reports_have_minutes() -> None:
    """True latencies of 2 to 20 s, reported to the minute: the medians read 0 or 60, and the note says why."""
    zone, chance = dt.timezone(dt.timedelta(hours=8)), random.Random(2)
    style = Style(minutes=True)
    with (
        Simulator(https=False, poll_interval=0, behaviour=dict.fromkeys(PHONES), style=style) as sim,
        mas.Store(":memory:") as store,
    ):
        client = mas.Client(sim.account(poll_interval=0))
        people = pd.DataFrame({"p": PHONES})
        mas.send(people, client, store, phone="p", text="hi", campaign="c", progress=False)
        group = store.batches().msg_group[0]
        submitted = (dt.datetime.now(zone) - dt.timedelta(minutes=1)).replace(second=45)
        for phone in PHONES:
            received = submitted + dt.timedelta(seconds=chance.uniform(2, 20))
            cut = [time.strftime("%Y%m%d%H%M00") for time in (submitted, received)]
            sim.add_row("report", make_report(phone, group, submitDate=cut[0], receiveDate=cut[1]))
        mas.Collector(client, store).collect()
        found = mas.latency(store)
    assert set(found[["p50_s", "p90_s"]].iloc[0]) <= {0.0, 60.0}
    assert says_so(found)
