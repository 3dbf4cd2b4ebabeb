"""What is unusual is found, named by the smallest cell that explains it, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.stats.alarms import alarms, beside, line_of, usual_range

CARRIERS = ["China Mobile", "China Unicom", "China Telecom"]
PROVINCES = ["广东", "浙江"]
DAYS, EACH = 21, 400


def weeks(seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Return three weeks: each day at 10:00 a campaign of 400 messages to each carrier in each of two provinces, 95 % of them delivered."""
    rng = np.random.default_rng(seed)
    cells = [(day, carrier, province) for day in range(DAYS) for carrier in CARRIERS for province in PROVINCES]
    day, carrier, province = (np.repeat(values, EACH) for values in zip(*cells, strict=True))
    failed = rng.random(len(day)) >= 0.95
    return pd.DataFrame(
        {
            "submitted_at": pd.Timestamp("2026-03-01 10:00", tz="Asia/Shanghai") + pd.to_timedelta(day, unit="D"),
            "carrier": carrier,
            "province": province,
            "status": np.where(failed, "failed", "delivered"),
            "error_code": pd.Series(failed).map({True: "MK:0001", False: None}),
            "latency_s": np.ceil(6 * np.exp(rng.normal(0, 0.8, len(day)))),
            "waited_s": (DAYS - day) * 86_400 - 36_000 + 21_600,
        }
    ).assign(**columns)


def day_of(messages: pd.DataFrame) -> pd.Series:
    """Return the day of March of each message."""
    return messages["submitted_at"].dt.day


def broken(messages: pd.DataFrame, where: pd.Series, share: float = 0.2, code: str = "MI:0043") -> pd.DataFrame:
    """Return the messages with this share of those `where` failed with a code."""
    hit = where & (np.arange(len(messages)) % 100 < 100 * share)
    status, codes = messages["status"].where(~hit, "failed"), messages["error_code"].where(~hit, code)
    return messages.assign(status=status, error_code=codes)


def test_a_quiet_month_says_what_would_have_been_seen() -> None:
    found = mas.anomalies(weeks())
    assert len(found) == 0
    note = mas.notes_of(found, "en")[0]
    assert note.startswith("nothing unusual up to 2026-03-22 00:00, in 4 groups of messages; a fall of ")
    assert note.endswith(" and less at all others, would have shown in 80% of cases")
    # 800 messages a day and carrier at 95 %: one standard error is 0.77 points; five of them and a power of 80 % are some 5.
    assert 0.035 < found.attrs["detectable"]["China Unicom"] < 0.08
    assert found.attrs["detectable"]["all"] < found.attrs["detectable"]["China Unicom"]


def test_what_is_too_small_to_be_judged_is_named() -> None:
    """150 messages a day of one carrier, 200 asked for; of all together alone there is nobody else to speak of."""
    messages = weeks()
    few = (messages["carrier"] == "China Telecom") & (np.arange(len(messages)) % 16 > 2)

    found = mas.anomalies(messages[~few])
    whole = mas.notes_of(mas.anomalies(messages, by=[]), "en")

    assert "1 value has too few messages to be judged (eight stretches of 200 at least): China Telecom" in mas.notes_of(
        found, "en"
    )
    assert len(whole) == 1
    assert whole[0].startswith("nothing unusual up to 2026-03-22 00:00; a fall of ")
    assert whole[0].endswith(" points would have shown in 80% of cases")


def test_an_outcome_is_no_group_and_a_mistyped_width_is_named_as_written() -> None:
    with pytest.raises(mas.InputError, match="by='status' is part of the outcome"):
        mas.anomalies(weeks(), by=["carrier", "status"])
    with pytest.raises(mas.InputError, match="freq='x': write it as 'h'"):
        mas.anomalies(weeks(), freq="x")


def test_a_carrier_that_loses_a_fifth_is_named_and_not_the_whole() -> None:
    messages = weeks()
    messages = broken(messages, (messages["carrier"] == "China Unicom") & (day_of(messages) == 15))
    found = mas.anomalies(messages, by=["carrier", "province"], language="en")

    assert found[["subject", "measure", "going_on", "messages"]].values.tolist() == [
        ["China Unicom", "delivered", False, 800]
    ]
    row = found.iloc[0]
    assert (row["carrier"], pd.isna(row["province"])) == ("China Unicom", True)
    assert (str(row["time"]), str(row["until"])) == ("2026-03-15 00:00:00+08:00", "2026-03-16 00:00:00+08:00")
    assert row["observed"] == pytest.approx(0.76, abs=0.02)
    assert row["usual_low"] < 0.95 < row["usual_high"]
    assert row["points_of_total"] == pytest.approx(-19 / 3, abs=1)
    assert row["p_adjusted"] < 0.001
    assert row["sentence"].startswith("China Unicom: 7")
    assert (
        "from 2026-03-15 00:00 to 2026-03-16 00:00 (800 messages): more of MI:0043 (+20.0 points)." in row["sentence"]
    )


def test_a_carrier_in_a_province_is_named_and_neither_alone() -> None:
    messages = weeks()
    where = (messages["carrier"] == "China Unicom") & (messages["province"] == "广东") & (day_of(messages) == 15)
    found = mas.anomalies(broken(messages, where, 0.3), by=["carrier", "province"], language="en")
    assert found["subject"].tolist() == ["China Unicom · 广东"]


def test_a_code_that_never_was_is_beyond_what_is_usual_and_says_where_it_is() -> None:
    """Half of one account's messages by one carrier fail, on five of fourteen days, with a code that nobody else has.

    Too many of its days for the account's own rate to call them unusual; in all messages the code rises from none.
    """
    rng = np.random.default_rng(3)
    cells = [(day, account, carrier) for day in range(14) for account in range(12) for carrier in range(3)]
    day, account, carrier = (np.repeat(values, 100) for values in zip(*cells, strict=True))
    some = pd.DataFrame(
        {
            "submitted_at": pd.Timestamp("2026-03-01 10:00", tz="Asia/Shanghai") + pd.to_timedelta(day, unit="D"),
            "account": pd.Series(account).map("branch {:02d}".format),
            "carrier": pd.Series(carrier).map(dict(enumerate(CARRIERS))),
            "status": np.where(rng.random(len(day)) < 0.04, "failed", "delivered"),
            "latency_s": 5,
            "waited_s": 400_000,
        }
    )
    some["error_code"] = some["status"].map({"failed": "MK:0001"})
    where = (day >= 9) & (account == 3) & (carrier == 1)
    found = mas.anomalies(broken(some, pd.Series(where), 0.5, "SIGFAIL"), by=["account", "carrier"], min_n=40)
    (code,) = (row for _, row in found.iterrows() if row["error_code"] == "SIGFAIL")
    assert code["observed"] > 5 * code["usual_high"]
    assert code["sentence"].endswith("messages): 100% of them at branch 03 · China Unicom.")


def test_what_befalls_all_is_said_of_all() -> None:
    messages = weeks()
    found = mas.anomalies(broken(messages, day_of(messages) == 15), by=["carrier", "province"], language="en")
    assert found["subject"].tolist() == ["all"]


def test_missing_reports_are_named_as_such() -> None:
    messages = weeks()
    silent = (messages["carrier"] == "China Mobile") & (day_of(messages) == 21) & (np.arange(len(messages)) % 5 == 0)
    messages = messages.assign(status=messages["status"].where(~silent, "pending"))
    messages["latency_s"] = messages["latency_s"].where(~silent)
    found = mas.anomalies(messages, language="en")

    assert found[["subject", "going_on"]].values.tolist() == [["China Mobile", True]]
    assert "since 2026-03-21 00:00" in found["sentence"][0]
    assert found["sentence"][0].endswith("points without a report by then.")


def test_slow_deliveries_are_found_though_all_arrive() -> None:
    messages = weeks()
    slow = (messages["carrier"] == "China Telecom") & (day_of(messages) == 12)
    found = mas.anomalies(messages.assign(latency_s=messages["latency_s"] * np.where(slow, 6, 1)), language="en")
    assert found[["subject", "measure"]].values.tolist() == [["China Telecom", "slow"]]
    assert "of the delivered took longer than" in found["sentence"][0]


def test_a_stretch_that_is_not_over_is_not_judged() -> None:
    messages = weeks()
    bad = broken(messages, day_of(messages) == 21)
    assert len(mas.anomalies(bad)) == 1
    assert len(mas.anomalies(bad.assign(waited_s=bad["waited_s"] - 25_000))) == 0
    assert len(mas.anomalies(bad, at="2026-03-21 20:00")) == 0
    assert len(mas.anomalies(bad, at="2026-03-22")) == 0  # an hour is missing
    assert len(mas.anomalies(bad, at="2026-03-22 01:00")) == 1


def test_an_anomaly_lasts_until_it_is_as_usual_again() -> None:
    messages = weeks()
    messages = broken(messages, day_of(messages) == 10)
    messages = broken(messages, day_of(messages) == 11, 0.03)
    found = mas.anomalies(messages)
    assert [str(time) for time in found["until"]] == ["2026-03-12 00:00:00+08:00"]


def test_hours_are_judged_too() -> None:
    hours = []
    for hour in range(3):
        later = weeks(hour + 1)
        hours.append(later.assign(submitted_at=later["submitted_at"] + pd.Timedelta(hours=hour)))
    messages = pd.concat(hours).reset_index(drop=True)
    bad = (messages["carrier"] == "China Unicom") & (messages["submitted_at"] == pd.Timestamp("2026-03-20 11:00+08:00"))
    found = mas.anomalies(broken(messages, bad), freq="h", language="en")
    assert found[["subject", "measure"]].values.tolist() == [["China Unicom", "delivered"]]
    assert str(found["time"][0]) == "2026-03-20 11:00:00+08:00"


def test_polars_gives_the_same() -> None:
    pl = pytest.importorskip("polars")
    messages = broken(weeks(), day_of(weeks()) == 15)
    pd.testing.assert_frame_equal(mas.anomalies(messages), mas.anomalies(pl.from_pandas(messages)))


def test_nullable_text_gives_the_same() -> None:
    """Of what was delivered the error code is missing, and so are carriers."""
    messages = broken(weeks(), day_of(weeks()) == 15)
    messages.loc[messages.index[::50], "carrier"] = None

    plain = mas.anomalies(messages, language="en")
    for nullable in (messages.convert_dtypes(), messages.convert_dtypes(dtype_backend="pyarrow")):
        found = mas.anomalies(nullable, language="en")
        assert found["sentence"].tolist() == plain["sentence"].tolist()


def test_too_little_to_judge_is_said() -> None:
    messages = weeks()
    found = mas.anomalies(messages[day_of(messages) > 16])
    assert len(found) == 0
    assert mas.notes_of(found, "en")[0] == (
        "nothing can be judged yet: no cell has eight stretches of 200 messages that ended 1 h ago or earlier"
    )
    assert len(mas.anomalies(messages[:0])) == 0


def test_it_speaks_chinese() -> None:
    messages = weeks()
    messages = broken(messages, (messages["carrier"] == "China Unicom") & (day_of(messages) == 15))
    said = mas.anomalies(messages, language="zh")["sentence"][0]
    assert said.startswith("中国联通：2026-03-15 00:00 至 2026-03-16 00:00，7")
    assert "在 1 小时内送达，通常为" in said
    assert "MI:0043（+20.0 个百分点） 增多" in said or "MI:0043（+20.0 个百分点）增多" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"by": ["carrier", "province", "hour", "weekday"]}, "by= has 4 columns"),
        ({"freq": "8d"}, "freq='8d': a stretch is between a minute and a week wide"),
        ({"freq": "?"}, "freq='?': write it as 'h'"),
        ({"level": 5}, "level=5"),
        ({"runs": 0}, "runs=0"),
        ({"by": "shop"}, "shop"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(mas.InputError, match=said.replace("?", r"\?")):
        mas.anomalies(weeks(), **wrong)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.3])
def test_quiet_months_alarm_in_one_of_twenty_at_most(spread: float) -> None:
    """Months of 28 days of 20,000, whose days differ by `spread` on the scale of log-odds."""
    rng = np.random.default_rng(8)
    months = 0
    for _ in range(200):
        rates = 1 / (1 + np.exp(-(2.84 + rng.normal(0, spread, 28))))
        line = line_of(rng.binomial(20_000, rates).astype(float), np.full(28, 20_000.0), worse=-1)
        assert line is not None
        months += bool(alarms(line, tests=56, level=0.05, runs=2))
    assert months <= 0.05 * 200


def swinging(seed: int, own: float, all_of_them: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the delivered of 28 days of two lines of 20,000, which swing together; of day 20 log-odds lower by `own`, and of both."""
    rng = np.random.default_rng(seed)
    odds = 2.84 + rng.normal(0, 0.3, 28)
    odds[20] -= all_of_them
    other = rng.binomial(20_000, 1 / (1 + np.exp(-(odds + rng.normal(0, 0.03, 28)))))
    odds[20] -= own
    line = rng.binomial(20_000, 1 / (1 + np.exp(-(odds + rng.normal(0, 0.03, 28)))))
    return line.astype(float), other.astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_a_fall_is_found_where_days_do_the_same_to_all_lines(seed: int) -> None:
    """A fall of 0.4 in days that differ by 0.3: nothing by itself, and far out beside the other line."""
    line, other = swinging(seed, 0.4, 0.0)
    n, day = np.full(28, 20_000.0), np.arange(28)

    alone = line_of(line, n, worse=-1, day=day)
    together = line_of(line, n, worse=-1, day=day, others=beside(other, n, day, 200))

    assert alone is not None
    assert together is not None
    assert alone.scores[20] < 4
    assert [(first, last) for first, last, _p in alarms(together, tests=200, level=0.05, runs=1)] == [(20, 20)]


@pytest.mark.parametrize("seed", range(5))
def test_a_day_that_is_bad_for_all_is_no_fall_of_one_line(seed: int) -> None:
    """Both fall by 0.6, as days may (two standard deviations): what the other line does is expected."""
    line, other = swinging(seed, 0.0, 0.6)
    n, day = np.full(28, 20_000.0), np.arange(28)

    together = line_of(line, n, worse=-1, day=day, others=beside(other, n, day, 200))

    assert together is not None
    assert alarms(together, tests=200, level=0.05, runs=1) == []


def test_lines_that_do_not_go_together_are_judged_by_themselves() -> None:
    """Days that swing each for itself: the other line's say nothing, and what is usual stays where it was."""
    rng = np.random.default_rng(3)
    n, day = np.full(28, 20_000.0), np.arange(28)
    line, other = (rng.binomial(20_000, 1 / (1 + np.exp(-rng.normal(2.84, 0.3, 28)))).astype(float) for _ in range(2))

    alone, together = (
        line_of(line, n, worse=-1, day=day, others=others) for others in (None, beside(other, n, day, 200))
    )

    assert alone is not None
    assert together is not None
    assert together.spread[0] == pytest.approx(alone.spread[0], rel=0.15)
    assert together.centre == pytest.approx(alone.centre, abs=0.01)


@pytest.mark.parametrize(
    ("centre", "spread", "total"), [(0.95, 0.0, 1000), (0.95, 0.2, 5000), (1e-5, 3.0, 2000), (0.5, 1.0, 50)]
)
def test_the_usual_range_ends_where_the_score_is_so_many_errors(centre: float, spread: float, total: float) -> None:
    """By hand: the root of the deviance, half a message nearer, and the log-odds over the spread, as errors that add up."""
    low, high = usual_range(centre, spread, total, 2.0)
    for end, side in ((low, 1), (high, -1)):
        rate = end + side * 0.5 / total
        if end < 1e-6 or end > 1 - 1e-6:  # no rate on this side is as far out
            continue
        deviance = 2 * total * (rate * np.log(rate / centre) + (1 - rate) * np.log((1 - rate) / (1 - centre)))
        odds = np.log(rate / (1 - rate)) - np.log(centre / (1 - centre))
        score = abs(odds) / np.hypot(odds / np.sqrt(deviance), spread)
        assert score == pytest.approx(2, abs=0.01)
