"""Columns of the user's own sheet, kept with messages: rates by shop, on every source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import masanalytics as mas
from masanalytics import plot
from masanalytics.client import Client
from masanalytics.errors import InputError
from masanalytics.simulator import Simulator
from masanalytics.store import Store

SHEET = pd.DataFrame(
    {
        "手机号": ["138 0013 8000", "+86 13800138001", "13800138000", "139-0013-9000", "13900139001", "021-66668888"],
        "门店": ["中关村", "国贸", "中关村", "国贸", None, "国贸"],
        "等级": [1, 2, 1, 2, 3, 3],
    }
)
BY_SHOP = [["not kept", 1], ["中关村", 1], ["国贸", 2], [None, 1]]


@pytest.fixture
def sent(client: Client, store: Store) -> Store:
    """A store with a campaign that kept shop and level, and one that kept nothing."""
    text: Any = {"phone": "手机号", "text": "您好"}
    kept = mas.plan(SHEET, campaign="spring", keep=["门店", "等级"], store=store, **text)
    mas.send(kept, client, store, progress=False)
    mas.send(SHEET[:1], client, store, campaign="autumn", progress=False, **text)
    return store


def accepted(data: Any, **where: Any) -> list[list[Any]]:
    """Return how many messages each shop has."""
    rows = mas.delivery_rates(data, by="门店", **where)[["门店", "accepted"]]
    return [[None if pd.isna(shop) else shop, count] for shop, count in rows.itertuples(index=False)]


def test_every_source_counts_by_kept_columns_alike(sent: Store, tmp_path: Path) -> None:
    """A Store, its frame, and its export in polars and DuckDB have the same groups, those not kept as one of their own."""
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    files = sent.export_parquet(tmp_path, reveal=True)
    table = duckdb.sql(f"SELECT * FROM read_parquet({[str(file) for file in files]})")

    for data in (sent, sent.messages(), polars.read_parquet(files), polars.scan_parquet(files), table):
        assert accepted(data) == BY_SHOP
        assert accepted(data, 等级="2") == [["国贸", 2]]
        assert accepted(data, 门店=[None]) == [[None, 1]]
        assert accepted(data, 门店="not kept") == [["not kept", 1]]
        with pytest.raises(InputError, match="no message has 门店 ''"):
            accepted(data, 门店=["中关村", ""])
    assert len(sent.messages(门店=["中关村", ""])) == 1


def test_what_was_kept_stands_beside_each_message(sent: Store) -> None:
    """Each message has the sheet's values as text, missing where the cell was empty."""
    rows = sent.messages("spring")[["phone", "门店", "等级"]]

    assert rows.astype(object).where(rows.notna(), None).to_numpy().tolist() == [
        ["13800138000", "中关村", "1"], ["13800138001", "国贸", "2"], ["13900139000", "国贸", "2"], ["13900139001", None, "3"],
    ]  # fmt: skip
    assert sent.messages(门店="国贸", phone="138-0013-8001")["campaign"].tolist() == ["spring"]


def test_rows_of_outcomes_can_be_asked_by_any_column(sent: Store) -> None:
    """Rows of a campaign that kept nothing are counted by shop too; a number that stands twice counts once."""
    rows = mas.outcomes(SHEET, sent, phone="手机号", campaign="autumn")

    assert rows["status"].fillna("-").tolist() == ["pending", "-", "pending", "-", "-", "-"]
    assert accepted(rows) == accepted(pytest.importorskip("polars").from_pandas(rows)) == [["中关村", 1]]
    assert mas.costs(rows, 0.05, by="等级")[["等级", "cost"]].to_numpy().tolist() == [[1, 0.05]]


def test_a_message_sent_again_keeps_what_the_newest_plan_has(sim: Simulator, client: Client, store: Store) -> None:
    """What was never taken has the columns of the run that sent it, not of the one that tried."""
    first = mas.plan(SHEET[:2], phone="手机号", text="您好", campaign="c", keep="门店", store=store)
    mas.send(first, client, store, limit=1, progress=False)
    mas.send(
        SHEET[:2].assign(门店="总店"),
        client,
        store,
        phone="手机号",
        text="您好",
        campaign="c",
        keep="门店",
        progress=False,
    )

    assert sorted(store.messages("c")["门店"]) == ["中关村", "总店"]


def test_a_proof_of_a_plan_that_keeps_columns_keeps_none(client: Client, store: Store) -> None:
    """Whoever looks at the proof is no customer of a shop."""
    made = mas.plan(SHEET, phone="手机号", text="您好", campaign="c", keep="门店", store=store)
    assert mas.send(made, client, store, to=["13900000000"], progress=False).ok
    assert store.messages(phone="13900000000")["campaign"].tolist() == ["c (proof)"]


def test_names_and_cells_that_cannot_be_kept_are_refused() -> None:
    """A misspelt column, the name of a column of messages, capitals only, and a list in a cell."""
    asked: Any = {"phone": "手机号", "text": "您好", "campaign": "c"}
    for keep, sheet, words in [
        ("门电", SHEET, "no column '门电' .did you mean '门店'.. in the sheet"),
        ("Carrier", SHEET.assign(Carrier="x"), "keep='Carrier': messages have something of this name themselves"),
        ("month", SHEET.assign(month="x"), "keep='month': messages have something of this name themselves"),
        (["Shop", "shop"], SHEET.assign(Shop="x", shop="y"), "'shop' and 'Shop' differ in capitals only"),
        ("x", SHEET.assign(x=pd.Series([["a"]] * len(SHEET), dtype=object)), "keep: row 0 of column 'x' holds a list"),
    ]:
        with pytest.raises(InputError, match=words):
            mas.plan(sheet, keep=keep, **asked)


def test_another_campaign_keeps_no_column_that_differs_in_capitals_only(client: Client, store: Store) -> None:
    """Neither planned with the store nor sent to it later: SQL would answer of one of the two."""
    sheet = SHEET.assign(Level="a", level="b")
    asked: Any = {"phone": "手机号", "text": "您好"}
    made: Any = mas.plan(sheet, campaign="first", keep="Level", store=store, **asked)
    mas.send(made, client, store, progress=False)
    with pytest.raises(InputError, match="messages of this store keep 'Level'"):
        mas.plan(sheet, campaign="second", keep="level", store=store, **asked)
    elsewhere: Any = mas.plan(sheet, campaign="second", keep="level", **asked)
    with pytest.raises(InputError, match="messages of this store keep 'Level'"):
        mas.send(elsewhere, client, store, progress=False)
    assert len(store.batches("second")) == 0


def kept_by_an_older_version(store: Store, **renamed: str) -> None:
    """Call kept columns what they may not be called any more."""
    with store.db.conn as conn:
        for name, other in renamed.items():
            conn.execute("UPDATE kept_columns SET name = ? WHERE name = ?", [other, name])
            conn.execute("UPDATE kept SET kept = replace(kept, ?, ?)", [f'"{name}":', f'"{other}":'])


@pytest.mark.parametrize("names", [{"门店": "Level", "等级": "level"}, {"门店": "month", "等级": "Month"}])
def test_names_that_are_refused_today_are_answered_where_they_exist(
    sent: Store, tmp_path: Path, names: dict[str, str]
) -> None:
    """By a Store, its export and its archive alike; who reads the folder by its partitions finds each column once."""
    pytest.importorskip("pyarrow")
    duckdb = pytest.importorskip("duckdb")
    kept_by_an_older_version(sent, **names)
    sent.export_parquet(tmp_path / "pq")
    for name in names.values():
        expected = mas.delivery_rates(sent, by=name)[[name, "accepted"]]
        found = mas.delivery_rates(tmp_path / "pq", by=name)[[name, "accepted"]]
        assert found.to_dict("list") == expected.to_dict("list")
    if "month" in names.values():
        assert set(pd.read_parquet(tmp_path / "pq")["#month"].dropna()) == {"not kept", "中关村", "国贸"}
        read = duckdb.sql(f"SELECT * FROM '{tmp_path}/pq/**/*.parquet'")
        assert mas.delivery_rates(read, by="#month")["accepted"].tolist() == [1, 1, 2, 1]


def test_a_column_of_thousands_of_values_is_warned_of() -> None:
    """Customer numbers are no groups; the plan says how many there are, and what it keeps."""
    people = pd.DataFrame({"phone": [f"138{number:08d}" for number in range(1_500)], "门店": "甲"})
    people["客户编号"] = people.index
    made = mas.plan(people, phone="phone", text="hi", campaign="c", keep=["门店", "客户编号"])

    assert [(one.code, one.rows) for one in made.warnings if one.code == "many_values"] == [("many_values", 1_500)]
    assert "columns kept: 门店 (1 value), 客户编号 (1,500 values)" in made.text("en")


@pytest.mark.usefixtures("without_pictures")
def test_charts_reports_and_exports_take_kept_columns(sent: Store, tmp_path: Path) -> None:
    """A chart and a page by shop; what was not kept is said in the reader's language."""
    plot.delivery_rates(sent, by="门店", language="zh")
    plt.close("all")
    page = mas.write_report(sent, tmp_path / "r.html", by="门店", language="zh").read_text(encoding="utf-8")

    assert "中关村" in page
    assert "未保存" in page


def test_an_unknown_value_or_column_names_those_there_are(sent: Store) -> None:
    """A misspelt shop and a column that nobody kept."""
    with pytest.raises(InputError, match="no message has 门店 '中关'; there is: 中关村"):
        mas.delivery_rates(sent, 门店="中关")
    with pytest.raises(InputError, match=r"A column of your own sheet is kept with plan.*outcomes"):
        mas.delivery_rates(sent, by="城市")


def test_a_campaign_or_round_that_does_not_exist_is_an_error(sent: Store) -> None:
    """An empty answer would say that nothing was sent."""
    with pytest.raises(InputError, match="there is no campaign 'sprng'; there is: 'spring'"):
        mas.outcomes(SHEET, sent, phone="手机号", campaign="sprng")
    with pytest.raises(InputError, match="there is no campaign 'sprng'"):
        sent.messages(["spring", "sprng"])
    with pytest.raises(InputError, match="there is no round '2'"):
        mas.outcomes(SHEET, sent, phone="手机号", campaign="spring", round="2")


def test_numbers_in_kept_columns_are_masked_in_an_export(client: Client, store: Store, tmp_path: Path) -> None:
    """A salesman's own number does not leave the house unasked."""
    parquet = pytest.importorskip("pyarrow.parquet")
    sheet = pd.DataFrame(
        {"phone": ["13800138000"], "salesman": ["王 13912345678"], "seen": [pd.Timestamp("2026-03-01")]}
    )
    mas.send(sheet, client, store, phone="phone", text="hi", campaign="c", keep=["salesman", "seen"], progress=False)
    (file,) = store.export_parquet(tmp_path)

    assert parquet.read_table(file).select(["salesman", "seen"]).to_pylist() == [
        {"salesman": "王 139****5678", "seen": "2026-03-01"}
    ]


def test_forgetting_erases_the_columns_it_names(sent: Store) -> None:
    """The level goes where it is named, the shop stays; a column nobody kept is an error."""
    with pytest.raises(InputError, match="there is no column kept with messages '姓名'"):
        sent.forget(phones=["13800138000"], columns=["姓名"], force=True)
    sent.forget(phones=["13800138000"], columns=["等级"], force=True)
    rows = sent.messages("spring")

    assert rows["等级"].fillna("-").tolist() == ["-", "2", "2", "3"]
    assert rows["门店"].fillna("-").tolist() == ["中关村", "国贸", "国贸", "-"]
