"""Spark in local mode: the same tables, and nothing but counts comes to the driver.

``MAS_SPARK_MASTER="local-cluster[2,1,512]"`` asks two executors that are processes of their own, as `.ci/run spark` does too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import narwhals
from masanalytics.analysis.sources.counted_tables import to_pandas
from tests.random_messages import QUESTIONS, in_batches, random_messages
from tests.several_accounts import ACCOUNTS, OF_A_LIST_ONLY, WITH_REPLIES, fill
from tests.several_accounts import QUESTIONS as OF_ACCOUNTS
from tests.spark_here import NEEDS_SPARK

pytestmark = [pytest.mark.slow, NEEDS_SPARK]

MASTER = os.environ.get("MAS_SPARK_MASTER", "local[2]")
DISTINCT, TIMES = 200, 10
MESSAGES = pd.concat([in_batches(random_messages(DISTINCT, seed=9))] * TIMES, ignore_index=True).assign(
    message_id=range(DISTINCT * TIMES)
)
"""Each message ten times: counts are no more than of one time, rows are ten times as many."""
REPLIES = pd.DataFrame(
    {
        "message_id": [3, 40, 77], "phone": "13800138000", "content": ["退订", "好", "TD"], "opt_out": ["opt_out", None, "opt_out"],
        "sent_at": MESSAGES["submitted_at"].iloc[[3, 40, 77]].add(pd.Timedelta("2min")).to_numpy(),
    }
)  # fmt: skip

ASKED: dict[str, Callable[[Any], pd.DataFrame]] = {
    **QUESTIONS,
    "anomalies": lambda data: analysis.anomalies(data, by=["carrier"]),
    "arrivals": lambda data: pd.DataFrame(analysis.arrivals(data, "carrier")),
    "backtest": lambda data: analysis.backtest(data, ages=["10min"], campaigns=3),
    "fatigue": lambda data: analysis.fatigue(data, "20d", uplinks=REPLIES),
    "fatigue of one": lambda data: analysis.fatigue(data, "20d", uplinks=REPLIES, campaign="c"),
    "funnel": analysis.funnel,
    "health of some": lambda data: analysis.number_health(data, phones=MESSAGES["phone"].head(5).tolist()),
    "replies": lambda data: analysis.replies(data, uplinks=REPLIES),
    "suppression": lambda data: analysis.suppression_value(data, 0.05),
    "several costs": lambda data: analysis.costs(data, 0.05, ["campaign", "category"]),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    path = tmp_path_factory.mktemp("spark") / "messages.parquet"
    MESSAGES.astype({"submitted_at": "datetime64[us, Asia/Shanghai]"}).to_parquet(path)
    session = (
        SparkSession.builder.master(MASTER).config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "America/New_York")
        # On a busy machine an executor is long in starting; it would be taken for dead, and another one started.
        .config("spark.executor.memory", "512m").config("spark.network.timeout", "600s").getOrCreate()
    )  # fmt: skip
    yield session.read.parquet(str(path)).repartition(4)
    session.stop()


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each answer of the cluster brings to the driver, from here on."""
    collect, rows = to_pandas, [0]

    def spied(frame: Any) -> pd.DataFrame:
        found = collect(frame)
        rows.append(len(found))
        return found

    monkeypatch.setattr(narwhals, "to_pandas", spied)
    return rows


@pytest.mark.parametrize("question", ASKED)
def test_spark_answers_alike_and_only_counts_travel(data: Any, question: str, travelled: list[int]) -> None:
    """The table is that of the pandas frame; no answer of the cluster has more rows than there are different messages."""
    found = ASKED[question](data)

    pd.testing.assert_frame_equal(found, ASKED[question](MESSAGES), check_dtype=False)
    assert max(travelled) <= DISTINCT


@pytest.mark.skipif(
    not MASTER.startswith("local-cluster[2,"), reason="one process: MAS_SPARK_MASTER asks for executors"
)
def test_the_executors_are_processes_of_their_own(data: Any) -> None:
    """Two of them beside the driver, which runs no part of a question itself."""
    assert data.count() == len(MESSAGES)

    assert data.sparkSession.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 3


def test_a_report_brings_counts_only(data: Any, tmp_path: Path, travelled: list[int]) -> None:
    """All its sections, of campaigns, carriers, days, codes and times, without a message coming to the driver."""
    mas.write_report(data, tmp_path / "report.html", by="carrier")

    assert "China Mobile" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert max(travelled) <= DISTINCT


def test_the_cells_of_the_page_run(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the exports of two stores, one with replies and a column of its own: each account has its rows; masked numbers are refused in words."""
    del data  # whose session the page takes
    (tmp_path / "lake").mkdir()
    for number, folder in enumerate(("lake/account-a", "lake/account-b")):
        with mas.Store(tmp_path / f"{number}.db") as store:
            fill(store, ACCOUNTS[number], number)
            store.export_parquet(tmp_path / folder, uplinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    page = (Path(__file__).parent.parent / "docs" / "spark.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}

    for cell in re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL):
        # Java does not follow the change of folder.
        placed = cell.replace('"lake"', f'"{tmp_path}/lake"')
        exec(compile(placed, "docs/spark.md", "exec"), names)

    pd.testing.assert_frame_equal(
        mas.delivery_rates(names["messages"], by="account", history=None),
        mas.delivery_rates(tmp_path / "lake", by="account", history=None),
        check_dtype=False,
    )
    assert mas.delivery_rates(names["messages"], 店="东", history=None)["accepted"].tolist() == [180]
    assert names["spark"].sparkContext.defaultParallelism == 2
    assert (tmp_path / "report.html").exists()


def test_numbers_are_added_up_before_they_travel(data: Any) -> None:
    """The plan of number_health ends in an aggregation: what is collected is its result."""
    from masanalytics.analysis.sources import as_source

    source: Any = as_source(data)
    totals = source.number_totals(Filters(), None)

    assert (
        len(totals.numbers)
        == MESSAGES.loc[MESSAGES["status"].isin(["pending", "delivered", "failed"]), "phone"].nunique()
    )
    assert totals.numbers["sent"].sum() == MESSAGES["status"].isin(["pending", "delivered", "failed"]).sum()


def test_a_filter_on_time_reaches_the_files(
    data: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], travelled: list[int]
) -> None:
    """Spark is asked by times, so that the files' statistics say which of them hold such messages; the counts are those of pandas."""
    data.write.parquet(str(tmp_path / "messages"))
    again = data.sparkSession.read.parquet(str(tmp_path / "messages"))
    times = MESSAGES["submitted_at"].dropna().sort_values()
    asked: dict[str, Any] = {"since": times.iloc[len(times) // 4], "until": times.iloc[len(times) // 2]}

    kept = narwhals.NarwhalsMessages(nw.from_native(again))._kept(Filters.parse(asked))
    kept.to_native().explain()

    assert "GreaterThanOrEqual(submitted_at," in capsys.readouterr().out
    pd.testing.assert_frame_equal(
        analysis.delivery_rates(again, "carrier", history=None, **asked),
        analysis.delivery_rates(MESSAGES, "carrier", history=None, **asked),
        check_dtype=False,
    )
    assert 0 < max(travelled) < DISTINCT


def test_a_folder_of_parquet_is_read_as_it_was_written(data: Any, tmp_path: Path) -> None:
    """Written by Spark, month by month, and asked again: the same rates."""
    data.write.partitionBy("campaign").parquet(str(tmp_path / "messages"))
    again = data.sparkSession.read.parquet(str(tmp_path / "messages"))

    pd.testing.assert_frame_equal(
        analysis.delivery_rates(again, "carrier"), analysis.delivery_rates(MESSAGES, "carrier"), check_dtype=False
    )


@pytest.fixture(scope="module")
def accounts(data: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[mas.Store, Any, pd.DataFrame]]:
    """A store of three accounts; the exports of a store of each as one frame of the cluster, and their replies."""
    folder = tmp_path_factory.mktemp("lake")
    replies = []
    with mas.Store(folder / "whole.db") as whole:
        for number, account in enumerate(ACCOUNTS):
            fill(whole, account, number)
            with mas.Store(folder / f"{number}.db") as store:
                fill(store, account, number)
                store.export_parquet(folder / f"store{number}", reveal=True)
                replies.append(store.uplinks())
        files = map(str, folder.glob("store*/month=*/*.parquet"))
        together = data.sparkSession.read.option("mergeSchema", "true").parquet(*files)
        yield whole, together, pd.concat(replies, ignore_index=True)


@pytest.mark.parametrize("question", [name for name in {**OF_ACCOUNTS, **WITH_REPLIES} if name not in OF_A_LIST_ONLY])
def test_exports_of_three_stores_are_one(accounts: tuple[mas.Store, Any, pd.DataFrame], question: str) -> None:
    """Batch 1 of three accounts is three batches, and a reply to message 1 of one account answers no other's."""
    whole, together, replies = accounts

    if question in WITH_REPLIES:
        found, expected = WITH_REPLIES[question](together, uplinks=replies), WITH_REPLIES[question](whole)
    else:
        found, expected = OF_ACCOUNTS[question](together), OF_ACCOUNTS[question](whole)

    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("name", ["No.", "x.y", "`t`", "a.`b"])
def test_names_of_columns_may_have_dots_and_backticks(data: Any, name: str, tmp_path: Path) -> None:
    """Spark takes a dot for a part of a column, and asks for it in backticks."""
    shops = pd.Series(["甲", None] * (DISTINCT // 2))
    messages = pd.concat([MESSAGES.head(DISTINCT), shops.rename(name)], axis=1)
    messages.astype({"submitted_at": "datetime64[us, Asia/Shanghai]"}).to_parquet(tmp_path / "messages.parquet")
    again = data.sparkSession.read.parquet(str(tmp_path / "messages.parquet"))

    questions: list[dict[str, Any]] = [{"by": name}, {"where": {name: "甲"}}, {"where": {name: [None]}}]
    for asked in questions:
        found, expected = (analysis.delivery_rates(one, history=None, **asked) for one in (again, messages))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
