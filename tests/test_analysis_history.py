"""Where a rate will end: carried on by history, believed only while it fits, and right in simulation."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.analysis.matured_history import matured_history
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.stats.chain_ladder import ChainLadder
from tests.benchmark_modules import benchmark_module

DAY = 86_400
NOW = pd.Timestamp("2026-01-31 12:00", tz="Asia/Shanghai")


def messages(
    campaign: str, days_ago: float, rows: Sequence[tuple[str, float | None, int]], **columns: Any
) -> pd.DataFrame:
    """Return a campaign sent at one instant, from (status, latency, how many)."""
    spread = [row[:2] for row in rows for _ in range(row[2])]
    found = pd.DataFrame(spread, columns=["status", "latency_s"]).assign(
        campaign=campaign, submitted_at=NOW - pd.Timedelta(days=days_ago), waited_s=int(days_ago * DAY), **columns
    )
    return found.astype({"latency_s": "Int64"})


def past(days: int = 10, **columns: Any) -> pd.DataFrame:
    """Return matured days alike: of 1,000, 800 fast, 20 failed fast, 150 delivered after an hour, 30 never reported."""
    rows = [("delivered", 5, 800), ("failed", 5, 20), ("delivered", 3600, 150), ("pending", None, 30)]
    return pd.concat([messages(f"day {day}", 5 + day, rows, **columns) for day in range(days)], ignore_index=True)


TODAY = messages("today", 600 / DAY, [("delivered", 5, 1600), ("failed", 5, 40), ("pending", None, 360)])


def test_the_open_messages_end_as_those_of_the_history_did() -> None:
    """Worked by hand: 80 % delivered, 18 % open after ten minutes, of which the history delivered 150 of 180."""
    found = analysis.delivery_rates(TODAY, history=past()).iloc[0]

    # The chain-ladder factor with half a message of each kind added, 1500.5 / 1801, and two messages' worth of it.
    carried = (1500 + 2 * 1500.5 / 1801) / 1802
    assert found["expected_rate"] == pytest.approx(0.8 + 0.18 * carried)
    assert found["horizon_s"] == 600
    # Delta method: multinomial of today, binomial of the history, one delivered and one failed message more.
    p = 0.8 + 0.18 * carried
    today = (0.8 + 0.18 * carried**2 - p**2) / 2000
    ladder = 0.18**2 * carried * (1 - carried) / 1803
    unseen = (p**2 + (1 - p) ** 2) / (2000 * 2002)
    n = p * (1 - p) / (today + ladder + unseen)
    # Ten days without a difference leave open how much days differ: the variance of that variance, from 180 open a day.
    freedom = (today + ladder + unseen) ** 2 * 10 / (0.18**2 * carried * (1 - carried) / 180) ** 2
    assert freedom < 5  # and no less are counted
    z = 2.570582
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert found["expected_high"] - found["expected_low"] == pytest.approx(2 * half, rel=2e-4)


def test_the_history_is_found_in_the_data_itself() -> None:
    """A frame, or a Store, of many campaigns carries the young ones on by its own matured ones."""
    everything = pd.concat([past(), TODAY], ignore_index=True)

    by_itself = analysis.delivery_rates(everything, campaign="today")
    given = analysis.delivery_rates(TODAY, history=past())
    refused = analysis.delivery_rates(everything, campaign="today", history=None)

    pd.testing.assert_frame_equal(by_itself, given)
    assert refused["expected_rate"].isna().all()
    assert refused.attrs["expected_reason"] == {"0": "no_history"}


def test_two_days_of_history_are_too_few() -> None:
    """How much days differ cannot be told from fewer than three."""
    found = analysis.delivery_rates(TODAY, history=past(days=2))

    assert found["expected_rate"].isna().all()
    assert found.attrs["expected_reason"] == {"0": "thin_history"}


def test_days_that_differ_make_the_interval_wider() -> None:
    """The variance between units is part of the interval."""
    rows = [("delivered", 5, 800), ("failed", 5, 20)]
    wild = pd.concat(
        [
            messages(f"day {day}", 5 + day, [*rows, ("delivered", 3600, late), ("pending", None, 180 - late)])
            for day, late in enumerate([90, 180, 120, 180, 100, 170, 130, 178, 110, 160])
        ],
        ignore_index=True,
    )

    calm, rough = (analysis.delivery_rates(TODAY, history=history).iloc[0] for history in (past(), wild))

    width = {name: row["expected_high"] - row["expected_low"] for name, row in (("calm", calm), ("rough", rough))}
    assert width["rough"] > 2 * width["calm"]


def test_carriers_are_carried_on_each_by_its_own() -> None:
    """A carrier whose late messages mostly fail is not carried on by another's."""
    good = [("delivered", 5, 800), ("delivered", 3600, 190), ("pending", None, 10)]
    bad = [("delivered", 5, 800), ("delivered", 3600, 20), ("failed", 3600, 170), ("pending", None, 10)]
    days = [
        messages(f"day {day}", 5 + day, rows, carrier=carrier)
        for day in range(8)
        for carrier, rows in (("China Mobile", good), ("China Unicom", bad))
    ]
    today = pd.concat(
        [
            messages("today", 600 / DAY, [("delivered", 5, 800), ("pending", None, 200)], carrier=carrier)
            for carrier in ("China Mobile", "China Unicom")
        ]
    )

    found = analysis.delivery_rates(today, "carrier", history=pd.concat(days)).set_index("carrier")

    assert found["expected_rate"].to_dict() == pytest.approx({"China Mobile": 0.99, "China Unicom": 0.82}, abs=1e-3)
    mixed = analysis.delivery_rates(today, history=pd.concat(days)).iloc[0]
    assert mixed["expected_rate"] == pytest.approx(0.905, abs=1e-3)


def test_an_incident_today_is_noticed_and_said() -> None:
    """Where today's reports develop otherwise, the expected rate is withheld, and a note names the carrier."""
    days = [past(carrier="China Mobile"), past(carrier="China Unicom")]
    today = pd.concat(
        [
            messages("today", 600 / DAY, [("delivered", 5, 800), ("failed", 5, 20), ("pending", None, 180)], carrier="China Mobile"),
            messages("today", 600 / DAY, [("delivered", 5, 300), ("failed", 5, 20), ("pending", None, 680)], carrier="China Unicom"),
        ]
    )  # fmt: skip

    found = analysis.delivery_rates(today, "carrier", history=pd.concat(days))

    assert found["expected_rate"].isna().tolist() == [False, True]
    assert found.attrs["expected_reason"] == {"1": "misfit"}
    said = " ".join(notes_of(found, "en"))
    assert "history no longer fits for China Unicom: 30.0% delivered within" in said
    assert "80.0% in the history" in said
    assert "历史不再适用（中国联通）" in " ".join(notes_of(found, "zh"))


def test_a_history_of_small_campaigns_fits_a_large_one_like_them() -> None:
    """Of 20 messages 19 or all are delivered at once (59 of 60); today 59 of 60 of 20,000 are: nothing is odd about that."""
    few = [
        messages(f"day {day}", 5 + day / 20, [("delivered", 5, 20 - slow), ("delivered", 3600, slow)])
        for day, slow in enumerate([0, 0, 1] * 80)
    ]
    today = messages("today", 600 / DAY, [("delivered", 5, 19_667), ("pending", None, 333)])

    found = analysis.delivery_rates(today, history=pd.concat(few))

    assert found.attrs["expected_reason"] == {}
    assert found["expected_rate"][0] == pytest.approx((19_667 + 333 * (80 + 2 * 80.5 / 81) / 82) / 20_000)


def test_failures_that_the_history_never_saw_are_odd() -> None:
    """Where hardly anything ever failed, a hundred failures of a thousand today are noticed."""
    days = [messages(f"day {day}", 5 + day, [("delivered", 5, 900), ("delivered", 3600, 100)]) for day in range(20)]
    today = messages("today", 600 / DAY, [("delivered", 5, 800), ("failed", 5, 100), ("pending", None, 100)])

    found = analysis.delivery_rates(today, history=pd.concat(days))

    assert found.attrs["expected_reason"] == {"0": "misfit"}


def test_a_group_all_reported_where_the_history_was_not_is_odd() -> None:
    """Reported early and never before: the history is not believed."""
    days = [messages(f"day {day}", 5 + day, [("delivered", 3600, 1000)]) for day in range(9)]
    today = messages("today", 600 / DAY, [("delivered", 5, 900), ("pending", None, 100)])

    found = analysis.delivery_rates(today, history=pd.concat(days))

    assert found.attrs["expected_reason"] == {"0": "misfit"}


def test_messages_of_no_campaign_are_no_history() -> None:
    """They are known through their reports only, so none of them ever stays open."""
    foreign = past().assign(campaign=pd.Series([None] * 10_000, dtype="str"))
    mixed = pd.concat([foreign, past(days=4)])

    found = matured_history(mixed, mixed, by_carrier=False)

    assert found is not None
    assert found.ladder.n.sum() == 4000


def test_the_end_of_coverage_is_the_end_of_what_is_known() -> None:
    """With the collector off, later hours change nothing: rates at equal age are the same before and after."""
    early = messages("a", 1200 / DAY, [("delivered", 5, 800), ("pending", None, 200)])
    late = messages("a", 20_000 / DAY, [("delivered", 5, 800), ("delivered", 3000, 150), ("pending", None, 50)])

    before, after = (
        analysis.delivery_rates(found, within="10min", history=None).iloc[:, :10] for found in (early, late)
    )

    pd.testing.assert_frame_equal(before, after)


# ---- simulation -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return benchmark_module("calibration")


Campaigns = list[tuple[pd.DataFrame, float]]


def many_campaigns(simulation: ModuleType, world: Any, rng: np.random.Generator) -> Campaigns:
    """Return the fates of 150 campaigns of 600 messages, each with its true delivery rate."""
    own = [world.drawn(rng) for _ in range(150)]
    return [(simulation.campaign(each, 600, rng), each.delivered) for each in own]


def looked_at(simulation: ModuleType, campaigns: Campaigns, age_s: int) -> tuple[pd.DataFrame, Any]:
    """Return the campaigns' messages as they look at one age, and the true rates."""
    frames = [simulation.observed(fates, age_s, f"{number:03d}") for number, (fates, _) in enumerate(campaigns)]
    return pd.concat(frames, ignore_index=True), np.array([truth for _, truth in campaigns])


def share_held(found: pd.DataFrame, truths: Any) -> list[bool]:
    told = found["expected_rate"].notna().to_numpy()
    held = (found["expected_low"] <= truths) & (truths <= found["expected_high"])
    return held[told].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_with_history_the_interval_holds_the_truth(simulation: ModuleType, spread: float) -> None:
    """From ten minutes on it is a number, and its interval holds the truth 92 to 98 % of the time, at every age."""
    rng = np.random.default_rng(12)
    world = simulation.World(spread=spread)
    held: dict[int, list[bool]] = {}
    for _ in range(3):
        history, campaigns = simulation.four_weeks(world, 1000, rng), many_campaigns(simulation, world, rng)
        for age_s in (600, 7200, DAY, 5 * DAY):
            today, truths = looked_at(simulation, campaigns, age_s)
            found = analysis.delivery_rates(today, "campaign", history=history)
            assert found["expected_rate"].notna().mean() >= 0.99
            held.setdefault(age_s, []).extend(share_held(found, truths))

    assert {age_s: 0.92 <= np.mean(each) <= 0.98 for age_s, each in held.items()} == dict.fromkeys(held, True), held


@pytest.mark.slow
def test_alone_the_interval_holds_the_truth_where_there_is_a_number(simulation: ModuleType) -> None:
    """Without history there is a number after five days, right 92 to 98 % of the time, and none before."""
    rng = np.random.default_rng(7)
    held: list[bool] = []
    for _ in range(3):
        campaigns = many_campaigns(simulation, simulation.World(), rng)
        for age_s in (600, 7200, DAY, 5 * DAY):
            today, truths = looked_at(simulation, campaigns, age_s)
            found = analysis.delivery_rates(today, "campaign", history=None)
            assert found["expected_rate"].notna().all() == (age_s == 5 * DAY)
            held.extend(share_held(found, truths))

    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("at_s", [900, 1800])
def test_an_a_a_test_with_staggered_arms_is_rarely_significant(simulation: ModuleType, at_s: int) -> None:
    """Arms without a difference, sent ten minutes apart: 1 to 10 % of 120 runs; read naively, far more."""
    found = simulation.false_alarms(simulation.World(), 120, 1000, seed=3, at_s=at_s)

    assert 0.01 <= found["compare"] <= 0.1
    assert 0.01 <= found["latency"] <= 0.1
    assert found["naive"] > 0.12


def test_an_outage_of_a_carrier_the_history_never_saw_is_noticed() -> None:
    """Where a carrier is new and nothing arrives, it is compared with all others together, and no number is given."""
    today = messages("today", 1800 / DAY, [("pending", None, 1000)], carrier="China Broadnet")

    found = analysis.delivery_rates(today, history=past(carrier="China Mobile"))

    assert found.attrs["expected_reason"] == {"0": "misfit"}
    assert "history no longer fits for carriers it has not seen: 0.0% delivered" in " ".join(notes_of(found, "en"))


def test_a_carrier_new_to_the_history_is_less_sure() -> None:
    """What becomes of the open messages of a carrier nobody knows is hardly known, though it began like the others."""
    rows = [("delivered", 5, 1600), ("failed", 5, 40), ("pending", None, 360)]
    known, new = (messages("today", 600 / DAY, rows, carrier=name) for name in ("China Mobile", "China Broadnet"))

    sure, unsure = (
        analysis.delivery_rates(today, history=past(carrier="China Mobile")).iloc[0] for today in (known, new)
    )

    assert unsure["expected_rate"] == pytest.approx(sure["expected_rate"], abs=1e-3)
    width = {name: row["expected_high"] - row["expected_low"] for name, row in (("known", sure), ("new", unsure))}
    assert width["new"] > 4 * width["known"]


def test_an_outage_today_is_noticed_inside_a_month_of_messages() -> None:
    """Asked about everything, old messages do not hide that today's do not arrive."""
    everything = pd.concat([past(), messages("today", 1800 / DAY, [("pending", None, 2000)])], ignore_index=True)
    fine = pd.concat([past(), TODAY], ignore_index=True)

    outage, usual = (analysis.delivery_rates(frame) for frame in (everything, fine))

    assert outage.attrs["expected_reason"] == {"0": "misfit"}
    # 10 old days of 1,000 with 950 delivered, and today's 2,000 as in the first test of this file.
    carried = (1500 + 2 * 1500.5 / 1801) / 1802
    assert usual["expected_rate"][0] == pytest.approx((9500 + 2000 * (0.8 + 0.18 * carried)) / 12_000)


def test_small_campaigns_are_a_history_together() -> None:
    """Twenty days of ten campaigns with 5 messages each: a day is a unit."""
    few = [
        messages(f"day {day} number {number}", 5 + day, [("delivered", 5, 4), ("delivered", 3600, 1)])
        for day in range(20)
        for number in range(10)
    ]
    today = messages("today", 600 / DAY, [("delivered", 5, 800), ("pending", None, 200)])

    found = analysis.delivery_rates(today, history=pd.concat(few))

    assert found.attrs["expected_reason"] == {}
    assert found["expected_rate"][0] == pytest.approx(0.8 + 0.2 * (200 + 2 * 200.5 / 201) / 202)


def test_a_history_that_fits_somewhat_badly_makes_the_interval_wider() -> None:
    """Three points fewer than ever before, after ten minutes: not impossible, and the interval says so."""
    rows = [("delivered", 5, 1541), ("failed", 5, 40), ("pending", None, 419)]

    usual, odd = (
        analysis.delivery_rates(messages("today", 600 / DAY, part), history=past()).iloc[0]
        for part in ([("delivered", 5, 1600), *rows[1:2], ("pending", None, 360)], rows)
    )

    assert odd["expected_high"] - odd["expected_low"] > 2 * (usual["expected_high"] - usual["expected_low"])


def test_reports_beyond_the_end_of_coverage_wait_until_it_reaches_them() -> None:
    """While a backlog is drained, what came early does not make the rest look late, and no time is taken for known."""
    drained = messages("today", 0, [("delivered", 5, 20), ("delivered", 9, 20), ("pending", None, 60)])

    speed = analysis.latency(drained).iloc[0]
    rates = analysis.delivery_rates(drained, history=past()).iloc[0]

    assert speed[["delivered", "p50_s", "max_s"]].tolist() == [40, 7, 9]
    assert speed[["reached_50_s", "reached_90_s"]].isna().all()
    assert rates[["delivered", "pending", "delivery_rate"]].tolist() == [40, 60, 0.4]
    assert np.isnan(rates["expected_rate"])


def test_all_reported_is_final_however_far_coverage_is() -> None:
    """Nothing is open any more: the rate is what it is."""
    found = analysis.delivery_rates(messages("today", 0, [("delivered", 5, 90), ("failed", 9, 10)])).iloc[0]

    assert found[["delivery_rate", "expected_rate", "expected_low", "expected_high"]].tolist() == pytest.approx(
        [0.9, 0.9, *found[["low", "high"]]]
    )


def test_a_campaign_that_was_all_refused_moves_no_other() -> None:
    """Of a campaign without accepted messages nothing is expected; the next one keeps its own end."""
    refused = messages("a", 600 / DAY, [("rejected", None, 50)])

    found = analysis.delivery_rates(pd.concat([refused, TODAY], ignore_index=True), "campaign", history=past())

    alone = analysis.delivery_rates(TODAY, "campaign", history=past())
    assert found["campaign"].tolist() == ["a", "today"]
    assert found.attrs["expected_reason"] == {"0": "nothing"}
    pd.testing.assert_frame_equal(found[1:].reset_index(drop=True), alone)


def test_reports_that_come_between_two_counts_are_of_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the open messages have settled before they are counted by campaign, the first count alone is carried on."""
    before = pd.concat([past(), TODAY], ignore_index=True)
    settled = TODAY.assign(status="delivered", latency_s=700, waited_s=3 * DAY)
    source = PandasMessages(before)
    count = source.grouped_count

    def changing(by: Sequence[str], **asked: Any) -> Any:
        if "campaign" in by and "#window" in by:
            source.__dict__["_frame"] = pd.concat([past(), settled], ignore_index=True)
        return count(by, **asked)

    monkeypatch.setattr(source, "grouped_count", changing)
    found = analysis.delivery_rates(SimpleNamespace(message_source=source))

    assert found[["accepted", "delivered", "pending"]].to_numpy().tolist() == [[12_000, 11_100, 360]]
    assert 11_100 / 12_000 < found["expected_rate"].iloc[0] < 11_460 / 12_000


def test_units_of_many_campaigns_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dozen campaigns that run every day, as triggered messages do: what is the same comparison for all is made once."""
    every = [
        (f"{kind} {number}", day + number / 40)
        for kind in ("code", "offer")
        for number in range(12)
        for day in (0.01, *range(4, 24))
    ]
    rows = [("delivered", 5.0, 50), ("failed", 5.0, 2), ("delivered", 3600.0, 6), ("pending", None, 2)]
    data = pd.concat([messages(name, day, rows) for name, day in every], ignore_index=True)
    asked = []
    reference = ChainLadder.reference

    def counting(ladder: ChainLadder, age: float, *, delivered: bool) -> Any:
        asked.append((ladder.units, age, delivered))
        return reference(ladder, age, delivered=delivered)

    monkeypatch.setattr(ChainLadder, "reference", counting)
    analysis.delivery_rates(data, "campaign")

    assert len(asked) < 100
