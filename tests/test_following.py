"""The user's own table with what became of each row."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.errors import InputError
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.bench import Bench

G1 = "0101080000000000000001"


def test_every_row_is_accounted_for(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """Sent rows get their status, code and time; every other row says why it got nothing; nothing else changes."""
    people = pd.DataFrame(
        {"客户": list("甲乙丙丁戊己庚"),
         "手机号": ["13800138000", "+86 138-0013-8001", "13800138002", "138 0013 8000", "021-66668888", "13900139000",
                 "13900139001"]},
        index=[10, 11, 12, 13, 14, 15, 10],
    )  # fmt: skip
    before = people.copy()
    bench.send(["13800138000", "13800138001", "13800138002"], G1)
    bench.receive([make_report("13800138000", G1), make_report("13800138001", G1, "MK:0012")])
    bench.store.opt_out(["13900139000"])
    result = mas.outcomes(people, bench.store, phone="手机号", campaign="c1", language="en")

    assert list(result.columns) == [
        "客户",
        "手机号",
        "status",
        "error_code",
        "meaning",
        "received_at",
        "excluded_because",
        "submitted_at",
        "latency_s",
        "waited_s",
        "segments",
        "arm",
        "round",
        "message_id",
    ]
    assert list(result.index) == list(people.index)
    assert list(result["status"].fillna("-")) == ["delivered", "failed", "pending", "delivered", "-", "-", "-"]
    assert list(result["error_code"].fillna("-")) == ["-", "MK:0012", "-", "-", "-", "-", "-"]
    assert result["meaning"].notna().tolist() == [False, True, False, False, False, False, False]
    assert result["received_at"].iloc[0] == pd.Timestamp("2026-01-01 08:00:10", tz="Asia/Shanghai")
    assert list(result["excluded_because"].fillna("-")) == [
        "-", "-", "-", "the number is already in the list", "a landline", "the person has opted out",
        "nothing sent to it in this campaign",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(people, before)


def test_the_plan_knows_why_a_row_was_left_out_for_its_text(sim: Simulator, client: Client, store: Store) -> None:
    """With the plan made from the table, rows left out for a missing value say so."""
    people = pd.DataFrame({"手机号": ["13800138000", "13800138001"], "姓名": ["张三", None]})
    plan = mas.plan(people, phone="手机号", text="{姓名}您好", campaign="c", store=store)
    mas.send(plan, client, store, progress=False)
    result = mas.outcomes(people, store, phone="手机号", campaign="c", plan=plan, language="zh")

    assert list(result["excluded_because"].fillna("-")) == ["-", "短信所需的变量缺失"]
    assert list(result["status"].fillna("-")) == ["pending", "-"]


def test_columns_of_the_same_name_need_a_prefix(bench: Bench) -> None:
    """A table that has a status of its own asks for a prefix, and gets it."""
    bench.send(["13900139000"], G1)
    people = pd.DataFrame({"phone": ["13800138000"], "status": ["gold"]})
    with pytest.raises(InputError, match="prefix='sms_'"):
        mas.outcomes(people, bench.store, phone="phone", campaign="c1")
    result = mas.outcomes(people, bench.store, phone="phone", campaign="c1", prefix="sms_")

    assert list(result["status"]) == ["gold"]
    assert result["sms_status"].isna().all()


def test_a_missing_column_is_named(store: Store) -> None:
    """A wrong column name is answered with the columns there are."""
    with pytest.raises(InputError, match="its columns are: '手机号'"):
        mas.outcomes(pd.DataFrame({"手机号": []}), store, phone="电话", campaign="c")


def test_an_empty_table_and_a_polars_table(bench: Bench) -> None:
    """No rows in, the same columns with no rows out; polars is taken as well."""
    import polars as pl

    bench.send(["13800138000"], G1)
    empty = mas.outcomes(
        pd.DataFrame({"手机号": pd.Series([], dtype="str")}), bench.store, phone="手机号", campaign="c1"
    )
    polars = mas.outcomes(pl.DataFrame({"手机号": ["13800138000"]}), bench.store, phone="手机号", campaign="c1")

    assert list(empty.columns) == list(polars.columns)
    assert (len(empty), list(polars["status"])) == (0, ["pending"])
