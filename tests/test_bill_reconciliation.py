"""A bill beside what was sent: the rule it counts by is recognised, and what it lacks is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas

CARRIERS = ["China Mobile", "China Unicom", "China Telecom"]
SPOKEN = {"China Mobile": "移动", "China Unicom": "中国联通", "China Telecom": "CTCC"}


def month() -> pd.DataFrame:
    """Return 6,000 messages of ten days: texts of 60, 138 and 205 characters (1, 3 and 4 parts), one in twelve failed."""
    rng = np.random.default_rng(4)
    n = 6000
    length = rng.choice([60, 138, 205], n)
    day = rng.integers(0, 10, n)
    status = rng.choice(["delivered", "failed", "pending"], n, p=[0.9, 0.08, 0.02])
    return pd.DataFrame(
        {
            "submitted_at": pd.Timestamp("2026-03-01 10:00", tz="Asia/Shanghai") + pd.to_timedelta(day, unit="D"),
            "carrier": rng.choice(CARRIERS, n, p=[0.6, 0.22, 0.18]),
            "status": status,
            "content": ["文" * one for one in length],
            "segments": np.select([length == 60, length == 138], [1, 3], 4),
            "mode": "many_to_one",
        }
    )


def billed(messages: pd.DataFrame, amount: pd.Series) -> pd.DataFrame:
    """Return the bill that counts `amount` of each message."""
    table = messages.assign(日期=messages["submitted_at"].dt.strftime("%Y年%-m月%-d日"), 条数=amount)
    table["运营商"] = table["carrier"].map(SPOKEN)
    return table.groupby(["日期", "运营商"])[["条数"]].sum().reset_index()


COLUMNS = {"count": "条数", "day": "日期", "carrier": "运营商"}
RULES: dict[str, Any] = {
    "accepted_segments": lambda m: m["segments"],
    "delivered_segments": lambda m: m["segments"] * (m["status"] == "delivered"),
    "accepted_messages": lambda _: 1,
    "delivered_messages": lambda m: (m["status"] == "delivered").astype(int),
    "accepted_segments_70": lambda m: np.ceil(m["content"].str.len() / 70),
    "delivered_segments_70": lambda m: np.ceil(m["content"].str.len() / 70) * (m["status"] == "delivered"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_recognised(rule: str) -> None:
    messages = month()
    found = mas.reconciliation(messages, billed(messages, RULES[rule](messages)), columns=COLUMNS)

    assert found.attrs["rule"] == rule
    assert found.attrs["rules"][rule] == 0
    assert len(found) == 30
    assert found["difference"].abs().max() == 0
    assert set(found["explained_by"]) == {""}
    assert found["ours_segments"].sum() == messages["segments"].sum()


def test_a_day_missing_from_the_bill_is_named() -> None:
    messages = month()
    bill = billed(messages, messages["segments"])
    found = mas.reconciliation(messages, bill[bill["日期"] != "2026年3月4日"], columns=COLUMNS)

    absent = found[found["explained_by"] == "missing_in_bill"]
    assert absent["day"].dt.day.tolist() == [4, 4, 4]
    assert absent["bill"].isna().all()
    assert mas.notes_of(found, "en") == [
        "the bill fits best if it counts the parts of every accepted message; 0% of it is left over",
        "3 rows are missing from the bill, the first: 2026-03-04, China Mobile",
    ]
    assert mas.notes_of(found, "zh")[0] == "最符合账单的计数方式：每条已受理短信的计费条数；账单的 0% 仍对不上"


def test_what_the_bill_has_more_is_traced_to_unknown_batches_and_other_systems() -> None:
    messages = month()
    bill = billed(messages, messages["segments"]).set_index(["日期", "运营商"])
    lost = messages.index[(messages["submitted_at"].dt.day == 2) & (messages["carrier"] == "China Unicom")][:40]
    others = messages.index[(messages["submitted_at"].dt.day == 3) & (messages["carrier"] == "China Unicom")][:40]
    messages.loc[lost, "status"] = "unknown"
    messages.loc[others, ["mode", "segments", "content"]] = ["foreign", np.nan, None]
    found = mas.reconciliation(messages, bill.reset_index(), columns=COLUMNS)

    reasons = found[found["explained_by"] != ""].set_index(["day", "carrier"])["explained_by"]
    assert reasons.tolist() == ["unknown", "foreign"]
    assert [day.day for day, _ in reasons.index] == [2, 3]


def test_failures_that_one_carrier_does_not_bill_are_named() -> None:
    messages = month()
    free = (messages["carrier"] == "China Telecom") & (messages["status"] == "failed")
    found = mas.reconciliation(messages, billed(messages, messages["segments"] * ~free), columns=COLUMNS)

    assert found.attrs["rule"] == "accepted_segments"
    assert set(found.loc[found["carrier"] == "China Telecom", "explained_by"]) == {"failed"}
    assert set(found.loc[found["carrier"] != "China Telecom", "explained_by"]) == {""}


def test_what_nothing_accounts_for_is_said() -> None:
    messages = month()
    bill = billed(messages, messages["segments"])
    bill["条数"] = [bill["条数"].iloc[0] + 1000, *bill["条数"].iloc[1:]]
    found = mas.reconciliation(messages, bill, columns=COLUMNS)

    assert found["explained_by"].tolist().count("unexplained") == 1


def test_short_texts_all_delivered_cannot_tell_the_rules_apart() -> None:
    messages = month().assign(segments=1, content="短", status="delivered")
    found = mas.reconciliation(messages, billed(messages, messages["segments"]), columns=COLUMNS)

    assert found.attrs["rule"] is None
    assert mas.notes_of(found, "en")[0].startswith(
        "cannot tell what the bill counts: the parts of every accepted message, "
    )


@pytest.mark.parametrize(("times", "more"), [(3, 0), (1, 100)])
def test_a_bill_that_no_rule_fits_is_put_down_to_none(times: int, more: int) -> None:
    """Three times what was delivered, and 100 too many a row, are no rule."""
    messages = month()
    bill = billed(messages, RULES["delivered_segments"](messages))
    found = mas.reconciliation(messages, bill.assign(条数=bill["条数"] * times + more), columns=COLUMNS)

    assert found.attrs["rule"] is None
    assert mas.notes_of(found, "en")[0].startswith("no rule fits the bill: the parts of ")
    assert f"where the bill has {bill['条数'].sum() * times + 30 * more:,}; row by row " in mas.notes_of(found, "en")[0]


def test_a_bill_between_two_rules_is_put_down_to_neither() -> None:
    """The half of the failed is billed: what was accepted and what was delivered are as far from it."""
    messages = month()
    half = (RULES["accepted_segments"](messages) + RULES["delivered_segments"](messages)) / 2
    found = mas.reconciliation(messages, billed(messages, half), columns=COLUMNS)

    assert found.attrs["rule"] is None
    assert len(set(found.attrs["rules"])) == 6


def test_a_bill_by_the_month_is_added_up() -> None:
    messages = month()
    bill = pd.DataFrame({"month": ["2026-03"], "count": [f"{messages['segments'].sum():,}"]})
    found = mas.reconciliation(messages, bill, by="month")

    assert found[["bill", "difference"]].values.tolist() == [[messages["segments"].sum(), 0]]
    assert found["month"].tolist() == [pd.Timestamp("2026-03-01")]


def test_polars_and_duckdb_give_the_same() -> None:
    pl = pytest.importorskip("polars")
    messages = month()
    bill = billed(messages, messages["segments"])
    pd.testing.assert_frame_equal(
        mas.reconciliation(messages, bill, columns=COLUMNS),
        mas.reconciliation(pl.from_pandas(messages), pl.from_pandas(bill), columns=COLUMNS),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"日期": "morgen"}, "row 1 of the bill: 日期 'morgen' cannot be read"),
        ({"运营商": "Vodafone"}, "row 1 of the bill: 运营商 'Vodafone' cannot be read"),
        ({"条数": -1}, "row 1 of the bill: 条数 -1 cannot be read"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(change: dict[str, Any], said: str) -> None:
    messages = month()
    bill = billed(messages, messages["segments"]).astype(object).assign(**change)
    with pytest.raises(mas.InputError, match=said):
        mas.reconciliation(messages, bill, columns=COLUMNS)


def test_periods_that_do_not_overlap_and_missing_columns_are_errors() -> None:
    messages = month()
    bill = pd.DataFrame({"day": ["2025-01-01"], "count": [5]})
    with pytest.raises(mas.InputError, match="no message was sent in the time of the bill"):
        mas.reconciliation(messages, bill, by="day")
    with pytest.raises(mas.InputError, match="carrier"):
        mas.reconciliation(messages, bill)
    with pytest.raises(mas.InputError, match="columns= has 'amount'"):
        mas.reconciliation(messages, bill, by="day", columns={"amount": "x"})


def test_headers_of_a_bill_are_understood_for_a_suggestion() -> None:
    """The error has the call that reads it; a bill without carriers is by day alone."""
    messages = month()
    bill = billed(messages, messages["segments"])
    with pytest.raises(mas.InputError) as error:
        mas.reconciliation(messages, bill)
    with pytest.raises(mas.InputError) as by_day:
        mas.reconciliation(messages, bill.drop(columns="运营商"))
    said = error.value.text("en")

    assert said.endswith(
        "Perhaps: by=['day', 'carrier'], columns={'day': '日期', 'carrier': '运营商', 'count': '条数'}"
    )
    assert by_day.value.text("en").endswith("Perhaps: by='day', columns={'day': '日期', 'count': '条数'}")
