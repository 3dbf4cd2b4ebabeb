"""What a campaign brought, of everybody it was planned for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

import masanalytics as mas
from masanalytics.analysis import notes_of
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.simulator import Scripted, Simulator
from tests.bench import Bench
from tests.silent_store import AT, SilentStore, events

DAY = 86_400
HOLD = [f"139{n:08d}" for n in range(2000)]
TOLD = [f"138{n:08d}" for n in range(4000)]


def brought(store: SilentStore, happened: Any, **more: Any) -> pd.DataFrame:
    asked = {"phone": "phone", "at": "at", "campaign": "c", "language": "en"} | more
    return mas.uplift(cast("mas.Store", store), happened, **asked)


def test_rates_of_everybody_are_compared() -> None:
    """60 of 1,000 told against 15 of 500 who got nothing: Wilson, Newcombe and the pooled z-test, whatever was delivered."""
    store = SilentStore({"A": 1000}, 500, status=["delivered"] * 800 + ["failed"] * 150 + ["not_sent"] * 50)

    found = brought(store, events([*TOLD[:50], *TOLD[900:910], *HOLD[:15]]))

    row, base = found.iloc[0], found.iloc[1]
    assert found["arm"].tolist() == ["A", "hold"]
    assert row[["people", "delivered", "converted"]].tolist() == [1000, 800, 60]
    assert base[["silent", "people", "delivered", "converted"]].tolist() == [True, 500, 0, 15]
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(60, 1000, method="wilson"))
    low, high = confint_proportions_2indep(60, 1000, 15, 500, method="newcomb")
    assert (row["difference"], row["diff_low"], row["diff_high"]) == pytest.approx((0.03, low, high))
    z = 0.03 / np.sqrt(75 / 1500 * (1 - 75 / 1500) * (1 / 1000 + 1 / 500))
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(z))
    assert row["relative"] == pytest.approx(1.0)
    bloom = (0.03 / 0.8, low / 0.8, high / 0.8)
    assert (row["per_delivered"], row["per_delivered_low"], row["per_delivered_high"]) == pytest.approx(bloom)
    assert (
        row["sentence"] == "A brings 3.00 points more: 6.0% within 7 d against 3.0% of hold (0.70 to 5.02), p = 0.01."
    )
    assert base["sentence"] == "3.0% of hold within 7 d, to compare with."
    assert base[["difference", "p_value", "detectable"]].isna().all()


def test_amounts_are_compared_by_student() -> None:
    """Sums person by person, 0 for those who bought nothing."""
    store = SilentStore({"A": 400}, 300)
    rng = np.random.default_rng(2)
    happened = events([*TOLD[:40], *TOLD[:10], *HOLD[:20]], amount=rng.lognormal(4, 1, 70))

    row = brought(store, happened, value="amount").iloc[0]

    sums = happened.groupby("phone")["amount"].sum()
    a = np.concatenate([sums[TOLD[:40]].to_numpy(), np.zeros(360)])
    b = np.concatenate([sums[HOLD[:20]].to_numpy(), np.zeros(280)])
    oracle = stats.ttest_ind(a, b, equal_var=True)
    interval = oracle.confidence_interval(0.95)
    assert row["value_per_person"] == pytest.approx(a.mean())
    assert (row["value_difference"], row["value_p_value"]) == pytest.approx((a.mean() - b.mean(), oracle.pvalue))
    assert (row["value_low"], row["value_high"]) == pytest.approx((interval.low, interval.high))


def test_what_people_spent_before_is_taken_off_as_least_squares_takes_it() -> None:
    """Amounts on the arm and on the sum of the 28 days before: statsmodels' OLS, interval and p-value."""
    store, rng = SilentStore({"A": 300}, 200), np.random.default_rng(4)
    people = [*TOLD[:300], *HOLD[:200]]
    usual = rng.gamma(2, 50, 500)
    spent = usual + rng.normal(0, 30, 500) + 12 * (np.arange(500) < 300)
    happened = pd.concat([
        events(people, -5 * DAY, amount=usual * 0.7), events(people, -20 * DAY, amount=usual * 0.3),
        events(people[:50], -40 * DAY, amount=1e6), events(people, DAY, amount=spent),
    ])  # fmt: skip

    found = brought(store, happened, value="amount", before="28d")
    row, plain = found.iloc[0], brought(store, happened, value="amount").iloc[0]

    design = np.column_stack([np.ones(500), np.arange(500) < 300, usual])
    oracle = OLS(spent, design).fit()
    assert (row["value_difference"], row["value_p_value"]) == pytest.approx((oracle.params[1], oracle.pvalues[1]))
    assert (row["value_low"], row["value_high"]) == pytest.approx(tuple(oracle.conf_int()[1]))
    assert row["value_high"] - row["value_low"] < (plain["value_high"] - plain["value_low"]) / 2
    assert found.attrs["variance_left"]["A"] == pytest.approx(oracle.ssr / OLS(spent, design[:, :2]).fit().ssr)
    assert found.attrs["before_s"] == 28 * DAY
    assert row[["converted", "rate", "p_value"]].equals(plain[["converted", "rate", "p_value"]])
    notes = notes_of(found, "en")
    assert "50 events were before the message, and are not counted" in notes
    assert any(note.startswith("what people spent in the 28 d before explains 8") for note in notes)


def test_nothing_before_sharpens_nothing() -> None:
    """Without earlier events the comparison is Student's, and a note says so; without amounts there is nothing to sharpen."""
    store = SilentStore({"A": 40}, 30)
    happened = events([*TOLD[:9], *HOLD[:4]], amount=range(13))

    found = brought(store, happened, value="amount", before="28d")

    plain = brought(store, happened, value="amount")
    assert found["value_p_value"].equals(plain["value_p_value"])
    assert "no event lies in the 28 d before the message: there is nothing to sharpen by" in notes_of(found, "en")
    with pytest.raises(InputError, match="sharpens amounts: say value="):
        brought(store, happened, before="28d")


def test_events_are_matched_by_person_and_window() -> None:
    """Any form of a number; not before the message, nor later than the window; each person once; what is left out is counted."""
    store = SilentStore({"A": 10}, 10)
    lost = events([TOLD[8]])
    lost["at"] = pd.NaT
    happened = pd.concat(
        [
            events(["138 0000 0000", "+8613800000001", 13800000002]),
            events([TOLD[0]], 7200),
            events([TOLD[3]], 7 * DAY), events([TOLD[4]], 0), events([TOLD[5]], 7 * DAY + 1), events([TOLD[6], TOLD[7]], -1),
            events([HOLD[0], HOLD[0]]), events(["13700000000", "none"]), lost,
        ],
        ignore_index=True,
    )  # fmt: skip

    for given in (happened, pl.from_pandas(happened.astype({"phone": "str"}))):
        found = brought(store, given)

        assert found[["arm", "converted"]].values.tolist() == [["A", 5], ["hold", 1]]
        assert notes_of(found, "en")[:6] == [
            "14.3% of the events cannot be used, so that all rates are too low, and differences too small: 1 without a mobile number, "
            "1 without a time",
            "2 events were before the message, and are not counted",
            "1 event came later than 7 d after the message, and is not counted",
            "1 event is of somebody who was not planned for, and is not counted",
            "2 people have several events: converted once, amounts added",
            "1 event repeats another of the same person, time and amount: amounts count twice if the export doubled it",
        ]


def test_events_that_cannot_be_used_are_refused_with_the_reason() -> None:
    """Masked numbers are many people's, and what has no time lies in no window."""
    store, bought = SilentStore({"A": 10}, 10), events(TOLD[:3])
    masked = bought.assign(phone="138****0001")

    with pytest.raises(InputError, match=r"no event of the 3 in the table can be used: 3 with a masked number"):
        brought(store, masked)
    with pytest.raises(InputError, match="no event of the 3 in the table can be used: 3 without a time"):
        brought(store, bought.assign(at=pd.Series(pd.NaT, index=bought.index)))
    with pytest.raises(InputError, match="price True is not an amount of money"):
        brought(store, bought, price=True)
    few = notes_of(brought(store, pd.concat([masked[:1], *[events(TOLD[:10])] * 10], ignore_index=True)), "en")
    assert "1 of 101 events cannot be used: 1 with a masked number (138****0000), which is many people's" in few


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (
            events(TOLD[:3], -6 * 3600),
            "no event of the 3 in the table counts: 3 events were before the message, and are not counted. Times",
        ),
        (
            events(["13700000000"]),
            "no event of the 1 in the table counts: 1 event is of somebody who was not planned for",
        ),
        (events([]), "the table of events is empty"),
    ],
)
def test_without_an_event_that_counts_nothing_is_said_to_be_shown(happened: pd.DataFrame, said: str) -> None:
    """Times in UTC are eight hours before the message: no power is claimed of them."""
    found = brought(SilentStore({"A": 1000}, 500), happened)

    assert found["sentence"][0] == "Nothing can be said of A against hold: no event counts."
    assert np.isnan(found["detectable"][0])
    assert any(note.startswith(said) for note in notes_of(found, "en"))


def test_a_silent_arm_is_no_side_of_a_comparison_of_messages() -> None:
    """It has none, which is no mistake of spelling: what to ask is said."""
    store = cast("mas.Store", SilentStore({"A": 10, "B": 10}, 10, waited_s=5 * DAY, latency_s=5))

    with pytest.raises(InputError, match=r"'hold' is a silent arm: .* uplift\(store, events"):
        mas.compare(store, "arm", "A", "hold")
    with pytest.raises(InputError, match="no message has arm = 'hald'; there are: A, B"):
        mas.compare(store, "arm", "A", "hald")


def test_rates_that_differ_are_written_so_that_they_do() -> None:
    """0.04 % is not 0.0 %, and not 0.0 % of both."""
    store = SilentStore({"A": 2500}, 2500)

    said = brought(store, events([*TOLD[:3], *HOLD[:2]]))["sentence"][0]

    assert said.startswith("No effect of A shown: 0.12% within 7 d against 0.08% of hold")


def test_a_table_without_the_silent_people_has_a_note() -> None:
    """Orders by the campaign's link are of those who got it; one of the others, whenever it was, shows that the table has all."""
    store, said = SilentStore({"A": 100}, 50), "there is no event of anybody in hold (50 people), at any time"

    assert any(said in note for note in notes_of(brought(store, events(TOLD[:9])), "en"))
    everybody = pd.concat([events(TOLD[:9]), events(HOLD[:1], -DAY)], ignore_index=True)
    assert not any(said in note for note in notes_of(brought(store, everybody), "en"))


def test_days_count_from_the_day_of_sending() -> None:
    """An export with days only has midnight as its time: before the message, on the day of sending, seven days later."""
    store = SilentStore({"A": 10}, 10)
    days = pd.DataFrame({"phone": TOLD[:4], "at": ["2025-12-31", "2026-01-01", "2026-01-08", "2026-01-09"]})

    found = brought(store, days)

    assert found["converted"].tolist() == [2, 0]
    assert "the events have days only: those of the day of sending count" in notes_of(found, "en")


def test_who_got_nothing_is_watched_at_the_same_times() -> None:
    """Half of A was sent ten days later: half of the silent arm has its window then; both buy all the time."""
    later = pd.to_datetime([AT + 10 * DAY * (n >= 50) for n in range(100)], unit="s", utc=True).tz_convert(
        "Asia/Shanghai"
    )
    store = SilentStore({"A": 100}, 60, submitted_at=later)

    found = brought(store, pd.concat([events([*TOLD[:100], *HOLD[:60]], day * DAY + 60) for day in (1, 11)]))

    assert found["converted"].tolist() == [100, 60]
    early = brought(store, events([*TOLD[:100], *HOLD[:60]], DAY))
    assert early["converted"].tolist() == [50, 30]


def test_several_arms_are_corrected_and_cost() -> None:
    """Two told arms against the silent one: Holm, Bonferroni's intervals; what each further buyer cost."""
    store = SilentStore({"A": 1000, "B": 1000}, 500, segments=2)

    found = brought(store, events([*TOLD[:80], *TOLD[1000:1030], *HOLD[:15]]), price=0.05)

    a, b, base = (found.iloc[place] for place in range(3))
    assert (a["p_adjusted"], b["p_adjusted"]) == pytest.approx((2 * a["p_value"], b["p_value"]))
    alone = confint_proportions_2indep(80, 1000, 15, 500, method="newcomb", alpha=0.025)
    assert (a["diff_low"], a["diff_high"]) == pytest.approx(alone)
    assert found["cost"].tolist() == [100, 100, 0]
    assert a["cost_per_extra"] == pytest.approx(100 / 50)
    assert np.isnan(b["cost_per_extra"])
    assert b["sentence"].startswith("No effect of B shown: 3.0% within 7 d against 3.0% of hold (")
    other = brought(store, events([*TOLD[:80], *TOLD[1000:1030], *HOLD[:15]]), against="B")
    assert other["arm"].tolist() == ["A", "hold", "B"]
    assert other["per_delivered"].isna().all()
    assert base["people"] == 500


def test_the_delivered_alone_are_better_customers() -> None:
    """Nothing was brought; those whose number works buy more anyway, and would seem to be the effect."""
    rng = np.random.default_rng(5)
    works = rng.random(6000) < 0.7
    buys = rng.random(6000) < np.where(works, 0.06, 0.01)
    store = SilentStore({"A": 4000}, 2000, status=np.where(works[:4000], "delivered", "failed"))
    happened = events([*np.array(TOLD)[buys[:4000]], *np.array(HOLD)[buys[4000:]]])

    row = brought(store, happened).iloc[0]

    assert row["diff_low"] < 0 < row["diff_high"]
    among_delivered = buys[:4000][works[:4000]].mean() - buys[4000:].mean()
    assert among_delivered > row["diff_high"]


def test_a_campaign_without_arms_is_refused(bench: Bench) -> None:
    """There is nobody to compare: the error says how arms are made."""
    bench.send(["13800138000"], "0101080000000000000001")
    orders = pd.DataFrame({"p": ["13800138000"], "at": ["2026-01-01 09:00"]})
    with pytest.raises(InputError, match=r"nobody of campaign 'c1', round '', is in an arm"):
        mas.uplift(bench.store, orders, phone="p", at="at", campaign="c1")


def test_what_cannot_be_told_is_said() -> None:
    """No such round or arm, somebody in two arms, a missing column, an amount that is none, a frame in place of the store."""
    store = SilentStore({"A": 10}, 10)
    cases: list[tuple[Any, str]] = [
        (lambda: brought(store, events(TOLD[:1]), against="C"), "against='C': say which arm to compare with, of A, hold"),
        (lambda: brought(SilentStore({"A": 9, "B": 9}, 0), events([])), "against=None: say which arm"),
        (lambda: brought(store, events(TOLD[:1]).drop(columns="at")), "at"),
        (lambda: brought(store, events(TOLD[:1], amount=["many"]), value="amount"), "row 0: 'amount' holds 'many'"),
        (lambda: brought(store, events(TOLD[:1]), campaign="d"), "no message has campaign 'd'; there is: c"),
        (lambda: brought(SilentStore({"A": 9}, 9, submitted_at=pd.NaT), events([])), "nothing of campaign 'c'"),
        (lambda: brought(SilentStore({"A": 2}, 1, phone=HOLD[0]), events([])), "139****0000 is in two arms"),
        (lambda: mas.uplift(cast("Any", store.messages), events([]), phone="phone", at="at", campaign="c"), "needs the Store"),
    ]  # fmt: skip
    for ask, sentence in cases:
        with pytest.raises(InputError) as caught:
            ask()
        assert sentence in caught.value.text("en")


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(https=False, clock=clock, behaviour=Scripted()) as platform:
        yield platform


def test_from_split_to_verdict(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """A split with a silent arm is sent; orders come in; the store knows everybody, and what sizes were meant."""
    people = pd.DataFrame({"p": TOLD[:1000]})
    arms = mas.split(people, {"A": 0.45, "B": 0.45, "hold": 0.1}, silent=["hold"], seed=3)
    with mas.Client(sim.account(), clock=clock) as client:
        plan = mas.plan(arms, phone="p", text={"A": "甲", "B": "乙"}, campaign="c", store=store)
        mas.send(plan, client, store, progress=False)
    bought = arms.loc[arms["arm"] == "B", "p"].head(90)
    orders = pd.DataFrame({"手机": bought, "时间": pd.Timestamp(clock.now() + 60, unit="s", tz="Asia/Shanghai")})

    found = mas.uplift(store, orders, phone="手机", at="时间", campaign="c", language="zh")

    assert found[["arm", "people", "converted"]].values.tolist() == [["A", 450, 0], ["B", 450, 90], ["hold", 100, 0]]
    assert found["sentence"][1].startswith("B 多带来 20.00 个百分点")
    assert [note for note in notes_of(found, "en") if "where" in note] == []
    assert "the window is open until 2026-01-08" in " ".join(notes_of(found, "en"))
    others = mas.split(pd.DataFrame({"p": TOLD[1000:2000]}), {"A": 0.9, "hold": 0.1}, silent=["hold"], seed=3)
    half = others.drop(others[others["arm"] == "hold"].index[::2])
    with mas.Client(sim.account(), clock=clock) as client:
        mas.send(half, client, store, phone="p", text="甲", campaign="d", progress=False)
    notes = notes_of(mas.uplift(store, orders, phone="手机", at="时间", campaign="d"), "en")
    assert any(note.startswith("hold has 50 of 950 people where 10.0% was meant") for note in notes)


@pytest.mark.slow
def test_nothing_brought_is_found_in_one_of_twenty() -> None:
    """200 rounds of 4,000 told and 1,000 silent people who buy alike: 4 to 7 % of the tests, of people and of amounts."""
    store = SilentStore({"A": 4000}, 1000)
    phones = np.array([*TOLD, *HOLD[:1000]])
    shown = np.zeros(2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        who = phones[rng.random(len(phones)) < 0.05]
        row = brought(store, events(who, amount=rng.lognormal(4, 1, len(who))), value="amount").iloc[0]
        shown += [row["p_value"] < 0.05, row["value_p_value"] < 0.05]

    assert (shown >= 200 * 0.02).all()
    assert (shown <= 200 * 0.08).all()
    assert 0.03 <= shown.mean() / 200 <= 0.07
