"""Reports whose times have no seconds: learned from the data, said, and never compared more finely than a minute."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import masanalytics as mas
from masanalytics.analysis import arrivals, notes_of
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


def test_medians_that_may_be_the_same_are_not_compared() -> None:
    """With seconds 10 s and 40 s differ; in whole minutes each median may be a minute off, so that 60 s apart is no difference.

    Nor is 120 s, which can be anything between 0 and 240 s; 180 s is at least 60 s.
    """
    fine = mas.compare(pd.concat([messages([10.0] * 300), messages([40.0] * 300, "B")]), "arm", "A", "B").iloc[0]
    assert fine["latency_p_value"] < 0.001
    coarse = mas.compare(
        pd.concat([messages([0.0] * 200 + [60.0] * 100), messages([0.0] * 160 + [60.0] * 140, "B")]), "arm", "A", "B"
    ).iloc[0]
    assert np.isnan(coarse["latency_p_value"])
    assert coarse["median_low_s"] <= -120.0
    for later, told in ((60.0, False), (120.0, False), (180.0, True)):
        frame = pd.concat([messages([60.0] * 300), messages([60.0 + later] * 300, "B")])
        far = mas.compare(frame, "arm", "A", "B").iloc[0]
        assert (far["median_low_s"], far["median_high_s"]) == (later - 120, later + 120)
        assert bool(far["latency_p_value"] < 0.001) is told


def test_the_second_of_the_submission_makes_no_difference() -> None:
    """30 s for everybody: sent at second 10 it is written as 0 s, at second 45 as 60 s; that tells nothing of the arms."""
    found = mas.compare(pd.concat([messages([0.0] * 300), messages([60.0] * 300, "B")]), "arm", "A", "B").iloc[0]
    assert np.isnan(found["latency_p_value"])
    assert found["median_low_s"] <= 0 <= found["median_high_s"]
    assert found[["median_a_s", "median_b_s", "median_difference_s"]].tolist() == [60.0, 60.0, 0.0]


def test_rates_within_a_time_say_that_it_is_true_to_a_minute() -> None:
    """What is written as 60 s may have come within 30 s; rates without an age have no such doubt."""
    frame = messages([0.0] * 50 + [60.0] * 50)
    assert says_so(mas.delivery_rates(frame, within="30s"))
    assert not says_so(mas.delivery_rates(frame))


def test_each_account_is_judged_by_its_own_latencies() -> None:
    """Beside an account with seconds, one without is still known as such, and the seconds of the other are kept."""
    frame = pd.concat(
        [
            messages([float(second) for second in range(1, 101)]).assign(account="with"),
            messages([0.0] * 70 + [60.0] * 30).assign(account="without"),
        ]
    )
    found = mas.latency(frame, by="account").set_index("account")
    assert found["p50_s"].to_dict() == {"with": 50.5, "without": 60.0}
    assert says_so(mas.latency(frame, by="account"))
    assert not says_so(mas.latency(frame[frame["account"] == "with"]))


def test_quantiles_are_ends_of_minutes_and_the_mean_takes_the_middles() -> None:
    """0 s is within a minute; one in ten after 180 s lies between two and four minutes, equally likely in either."""
    found = mas.latency(messages([0.0] * 90 + [180.0] * 10)).iloc[0]
    assert found[["p50_s", "p90_s", "max_s", "reached_50_s", "reached_90_s"]].tolist() == [60, 60, 240, 60, 60]
    assert found["mean_s"] == pytest.approx(0.9 * 30 + 0.05 * 150 + 0.05 * 210)


def test_the_curve_of_arrivals_is_known_at_ends_of_minutes() -> None:
    """Its band holds every place where each time can be: all may have come at once, or a minute later than written."""
    curve = arrivals(messages([0.0] * 80 + [120.0] * 20))
    assert curve is not None
    assert curve["seconds"].tolist() == [0.0, 60.0, 120.0, 180.0]
    assert curve["share"].tolist() == pytest.approx([0.0, 0.8, 0.9, 1.0])
    assert (curve["low"] <= curve["share"] + 1e-9).all()
    assert (curve["high"] >= curve["share"] - 1e-9).all()
    assert curve["high"].iloc[0] > 0.8
    assert curve["low"].iloc[2] < 0.8
    assert says_so(curve)


def test_the_chart_shows_a_minute_to_either_side() -> None:
    """No tick below a minute, the note below it, marks that say within, and a grey bar for quantiles."""
    frame = messages([0.0] * 80 + [120.0] * 20)
    curve = mas.plot.latency(frame, language="en")
    drawn = [text.get_text() for text in curve.texts]
    assert "50% within 1 min" in drawn
    assert min(curve.xaxis.get_majorticklocs()) >= 60
    assert any("±60 s" in text.get_text() for text in curve.figure.findobj(Text))
    rows = mas.plot.latency(mas.latency(frame), language="en")
    assert any("±1 min" in text.get_text() for text in rows.figure.findobj(Text))
    assert any("median within 1 min" in text.get_text() for text in rows.figure.findobj(Text))


def test_a_campaign_whose_reports_have_minutes() -> None:
    """True latencies of 2 to 20 s, reported to the minute: half and nine in ten within a minute, and the note says why."""
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
    assert found[["p50_s", "p90_s", "reached_50_s"]].iloc[0].tolist() == [60.0, 60.0, 60.0]
    assert says_so(found)
