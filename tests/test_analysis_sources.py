"""The same question asked of pandas, polars, DuckDB, Arrow, a Store, its Parquet export, and Spark."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import masanalytics as mas
from masanalytics import analysis
from masanalytics.analysis.filters import Filters, to_instant, to_seconds
from masanalytics.analysis.sources import as_source
from masanalytics.analysis.sources.pandas import count_combinations
from masanalytics.analysis.sources.parquet_files import opened
from masanalytics.errors import InputError
from masanalytics.store import Store
from masanalytics.vocabulary import Status
from tests.examples import examples
from tests.random_messages import (
    END,
    QUESTIONS,
    as_arrow,
    as_duckdb,
    as_lazy_polars,
    as_polars,
    fill,
    in_batches,
    random_messages,
    shuffled,
)
from tests.rows import Rows


@cache
def answered(question: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return messages, and the answer of their frame."""
    messages = in_batches(random_messages(600, seed=len(question)))
    return messages, QUESTIONS[question](messages)


@pytest.mark.parametrize("make", [shuffled, as_polars, as_lazy_polars, as_duckdb, as_arrow])
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_kind_of_frame_answers_alike(make: Callable[[pd.DataFrame], Any], question: str) -> None:
    """The order of rows and the kind of frame change nothing."""
    messages, expected = answered(question)

    found = QUESTIONS[question](make(messages))

    pd.testing.assert_frame_equal(found, expected, check_dtype=make is shuffled)
    assert found.attrs["as_of"] == expected.attrs["as_of"]


@pytest.mark.parametrize("make", [shuffled, as_lazy_polars, as_duckdb, as_arrow])
def test_a_change_is_explained_alike_where_a_status_is_its_number(make: Callable[[pd.DataFrame], Any]) -> None:
    """The codes of failures are asked for by that; also of messages narrowed to some statuses, or to none that failed."""
    messages, _ = answered("change")
    numbered = messages.assign(status=[int(Status[name]) for name in messages["status"]])

    asked: list[tuple[Any, Any]] = [(None, None), ([5, 6], ["delivered", "failed"]), ([5], ["delivered"])]
    for numbers, names in asked:
        found = analysis.explain_change(make(numbered), at="2025-12-20", by="carrier", status=numbers)
        named = analysis.explain_change(messages, at="2025-12-20", by="carrier", status=names)
        pd.testing.assert_frame_equal(found, named, check_dtype=False)
        assert named["leading_codes"].notna().any() == (names != ["delivered"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Store(tmp_path_factory.mktemp("filled") / "mas.db") as store:
        fill(store, random_messages(600, seed=77))
        yield store


@pytest.mark.parametrize("question", [*QUESTIONS, "content", "phone"])
def test_a_store_answers_like_its_frame(filled: Store, question: str) -> None:
    """The count on SQLite's own tables gives what the frame of all messages gives."""
    by_text = {name: lambda data, name=name: analysis.delivery_rates(data, name) for name in ("content", "phone")}
    ask = {**QUESTIONS, **by_text}[question]

    expected, found = ask(filled.messages()), ask(filled)

    pd.testing.assert_frame_equal(found, expected)
    assert found.attrs["as_of"] == expected.attrs["as_of"] == "2026-01-10 07:06:40"


@pytest.mark.parametrize("question", ["rates by campaign", "rates by parts of time", "latency", "timeline"])
def test_the_parquet_export_answers_like_the_store(filled: Store, tmp_path: Path, question: str) -> None:
    """DuckDB over the exported files gives the same table."""
    duckdb = pytest.importorskip("duckdb")
    filled.export_parquet(tmp_path)
    ask = QUESTIONS[question]

    found = ask(duckdb.read_parquet(str(tmp_path / "*" / "*.parquet")))

    pd.testing.assert_frame_equal(found, ask(filled), check_dtype=False)


def test_whole_numbers_are_the_same_kind_from_every_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths that are not known for some messages stay whole numbers, by the store, DuckDB, polars and Arrow."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(60, seed=3))
        store.db.execute("UPDATE messages SET segments = NULL WHERE message_id % 6 = 0")
        store.db.conn.commit()
        store.export_parquet(tmp_path / "out")
        asked = [analysis.delivery_rates(store, name) for name in ("segments", "reports", "batch_id")]
    assert asked[0]["segments"].tolist() == [1, 2, 3, pd.NA]
    assert [str(rates.iloc[:, 0].dtype) for rates in asked] == ["Int64", "Int64", "int64"]

    for unknown in ("duckdb", "polars", None):
        source = opened(list((tmp_path / "out").rglob("*.parquet")))
        found = [analysis.delivery_rates(source, name) for name in ("segments", "reports", "batch_id")]
        for one, expected in zip(found, asked, strict=True):
            pd.testing.assert_frame_equal(one, expected)
        if unknown:
            monkeypatch.setitem(sys.modules, unknown, None)


def test_numbers_too_long_for_a_float_stay_apart() -> None:
    """Order numbers of nineteen digits, some missing, are groups of their own."""
    frame = pytest.importorskip("polars").DataFrame(
        {"order": [2**60, 2**60 + 1, None], "status": ["delivered"] * 3, "waited_s": [1] * 3, "latency_s": [1] * 3}
    )

    assert analysis.delivery_rates(frame, "order", cluster=None)["order"].tolist() == [2**60, 2**60 + 1, pd.NA]


def test_a_store_counts_by_more_than_one_integer_holds(filled: Store) -> None:
    """Days, hours, campaigns, batches, lengths and seconds together have more combinations than 64 bits, and are counted."""
    by = ["campaign", "day", "hour", "batch_id", "msg_group", "segments", "reports"]

    expected, found = (
        analysis.delivery_rates(data, by, history=None, cluster=None) for data in (filled.messages(), filled)
    )

    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_store_counts_batches_and_cities_that_are_shown_alike_as_one(store: Store) -> None:
    """Two batches of one template, one of none and one of an empty one; two cities of a province: a row each, added up."""
    rows = fill(store, random_messages(8, seed=2))
    batches = [rows.insert("batches", account_id=rows.account_id, mode="template", state="accepted", messages=0, template_id=name)
               for name in ("t1", "t1", None, "")]  # fmt: skip
    regions = [rows.insert("regions", province=province, city=city) for province, city in
               (("四川", "成都"), ("四川", "绵阳"), ("重庆", ""))]  # fmt: skip
    for number in range(1, 9):
        values = [batches[number % 4], regions[number % 3], number]
        store.db.conn.execute(
            "UPDATE messages SET batch_id = ?, region_id = ?, status_id = 5 WHERE message_id = ?", values
        )
    store.db.conn.commit()

    def counted(*by: str) -> list[tuple[Any, ...]]:
        keys, _, _, n = as_source(store).grouped_count(by, where=Filters(), seconds=None)
        columns = [keys[name].astype(object).where(keys[name].notna(), "-") for name in by]
        return sorted(zip(*columns, n.tolist(), strict=True))

    assert counted("template_id") == [("-", 4), ("t1", 4)]
    assert counted("province") == [("四川", 5), ("重庆", 3)]
    assert counted("template_id", "province") == [
        ("-", "四川", 3), ("-", "重庆", 1), ("t1", "四川", 2), ("t1", "重庆", 2)
    ]  # fmt: skip


EDGE = 2**32  # as far from 0 as a latency still packs, about
ABSURD = [-62_135_596_800, 253_402_271_999, 253_370_736_000, END - EDGE, END + EDGE, END + EDGE + 1, 2**62, -(2**61), 0]


def test_one_absurd_date_changes_no_rate(store: Store) -> None:
    """A report dated in the year 9999 is one delivery, as in the frame, and stands among the faults."""
    messages = random_messages(3, seed=1).assign(
        status="delivered", error_code=None, latency_s=pd.array([5, 6, 251_603_510_000], dtype="Int64")
    )
    fill(store, messages.astype({"error_code": "str"}))

    rates = analysis.delivery_rates(store, history=None)
    speed = analysis.latency(store)

    assert rates[["accepted", "delivered", "failed"]].values.tolist() == [[3, 3, 0]]
    assert speed[["delivered", "p50_s", "max_s"]].values.tolist() == [[3, 6, 251_603_510_000]]
    assert speed.attrs["faults"] == {"negative": 0, "beyond_72h": 1, "missing": 0}
    assert analysis.delivery_rates(store, "carrier", history=None)["failed"].tolist() == [0] * len(
        messages["carrier"].unique()
    )


ABSURD_TIMES = given(
    times=st.lists(
        st.tuples(
            st.sampled_from([END - 500, END - 90_000, -62_135_596_800, 253_402_271_999, -1, 0]),
            st.sampled_from(ABSURD) | st.integers(-62_135_596_800, 253_402_271_999) | st.integers(END, END + 99),
        ),
        min_size=1,
        max_size=12,
    ),
    reports=st.sampled_from([1, 4094, 4095, 4096, 10**9]),
)


@ABSURD_TIMES
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_instant_falsifies_a_count(
    tmp_path_factory: pytest.TempPathFactory, times: list[tuple[int, int]], reports: int
) -> None:
    """Whatever instants the platform wrote (year 1, year 9999, before 1970), a store counts as its frame does."""
    judge_counts(tmp_path_factory.mktemp("absurd"), times, reports)


@pytest.mark.slow
@ABSURD_TIMES
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_none_of_many_instants_does(
    tmp_path_factory: pytest.TempPathFactory, times: list[tuple[int, int]], reports: int
) -> None:
    """The same with more of them."""
    judge_counts(tmp_path_factory.mktemp("absurd"), times, reports)


def judge_counts(folder: Path, times: list[tuple[int, int]], reports: int) -> None:
    with Store(folder / "mas.db") as one:
        fill(one, random_messages(len(times), seed=2))
        statuses = [Status.delivered, Status.failed, Status.pending]
        for number, (submitted, received) in enumerate(times, start=1):
            status = statuses[number % 3]
            one.db.conn.execute(
                "UPDATE messages SET submitted_at = ?, received_at = ?, status_id = ?, reports = ? WHERE message_id = ?",
                [submitted, None if status is Status.pending else received, int(status), reports, number],
            )
        one.db.conn.commit()
        frame = one.messages()
        for by in (None, "carrier", "hour", ["weekday", "reports"]):
            pd.testing.assert_frame_equal(analysis.latency(one, by), analysis.latency(frame, by))
            pd.testing.assert_frame_equal(
                analysis.delivery_rates(one, by, history=None), analysis.delivery_rates(frame, by, history=None)
            )
        assert analysis.latency(one).attrs["faults"] == analysis.latency(frame).attrs["faults"]


def test_times_without_bounds_are_counted_where_they_are(store: Store) -> None:
    """Buckets of submission, first among the dimensions or two of them, in the year 1, before 1970 and in the year 9999, or missing."""
    fill(store, random_messages(5, seed=2))
    for number, submitted in enumerate([-62_135_596_800, -1, None, 253_402_271_999, -1], start=1):
        store.db.conn.execute(
            "UPDATE messages SET submitted_at = ?, status_id = 5, carrier_id = 1 WHERE message_id = ?",
            [submitted, number],
        )
    store.db.conn.commit()
    width = {"time/60": 60, "time/86400": 86_400}

    def counted(*by: str) -> list[tuple[Any, ...]]:
        keys, _, _, n = as_source(store).grouped_count(by, where=Filters(), seconds=None)
        columns = [keys[name].astype(object).where(keys[name].notna(), None) for name in by]
        return sorted(zip(*columns, n.tolist(), strict=True), key=str)

    def bucket(name: str, at: int) -> int:
        return (at + 28_800) // width[name] * width[name] - 28_800

    for by in (("time/86400",), ("time/60",), ("time/86400", "time/60")):
        rows = [(-62_135_596_800, 1), (-1, 2), (253_402_271_999, 1)]
        expected = [(*(bucket(name, at) for name in by), n) for at, n in rows]
        assert counted(*by) == sorted([*expected, (*(None for _ in by), 1)], key=str)
        assert counted(*by, "carrier") == sorted(
            [(*row[:-1], "China Unicom", row[-1]) for row in counted(*by)], key=str
        )


@pytest.mark.parametrize("least", [None, 0, 1])
@pytest.mark.parametrize("until", [None, END + 9 * 86_400])
def test_a_message_sent_days_after_the_last_collect_keeps_its_day(
    least: int | None, until: int | None, store: Store
) -> None:
    """Nothing was heard of it yet: it has waited 0, so it is left out of what waited longer, and else counted on its own day."""
    fill(store, random_messages(400, seed=6))
    late = END + 5 * 86_400
    store.db.conn.execute("UPDATE messages SET submitted_at = ?, status_id = 4 WHERE message_id <= 3", [late])
    store.db.conn.commit()
    where = Filters(since=END - 9 * 86_400, until=until, waited_at_least=least)

    def by_day(data: Any) -> dict[int, int]:
        keys, _, _, n = as_source(data).grouped_count(["day"], where=where, seconds=None)
        counted = pd.Series(n).groupby(keys["day"].to_numpy()).sum()
        return {int(day): int(count) for day, count in zip(counted.index.tolist(), counted.tolist(), strict=True)}

    days = by_day(store)

    assert days.get((late + 28_800) // 86_400 * 86_400 - 28_800, 0) == (0 if least else 3)
    assert days == by_day(store.messages())


@pytest.mark.parametrize("by", ["carrier", "campaign", "arm"])
def test_two_are_compared_whatever_else_there_is(by: str, store: Store) -> None:
    """Named values have the same comparison among all messages as alone, on every source."""
    messages = random_messages(1_500, seed=5)
    fill(store, messages)
    two = store.messages()[by].value_counts().index[:2].tolist()
    frame = store.messages()
    alone = frame[frame[by].isin(two)].reset_index(drop=True)
    options: dict[str, Any] = (
        {"cluster": None} if by == "campaign" else {}
    )  # the days of other campaigns tell something too

    expected = analysis.compare(alone, by, *two, adjust="province", **options)

    for data in (store, frame, as_lazy_polars(frame), as_duckdb(frame)):
        found = analysis.compare(data, by, *two, adjust="province", **options)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        assert found.attrs["notes"] == expected.attrs["notes"]


def test_a_pair_is_compared_among_values_that_are_spelled_otherwise(store: Store) -> None:
    """A filter that writes the campaigns with a blank means the same ones, and none of the pair is lost."""
    fill(store, random_messages(900, seed=5))
    names = sorted(store.messages()["campaign"].dropna().unique())
    assert len(names) > 2

    spelled, plain = (
        analysis.compare(store, "campaign", names[0], names[1], campaign=asked)
        for asked in ([f" {one}" for one in names], names)
    )

    pd.testing.assert_frame_equal(spelled, plain)
    assert spelled["accepted_a"].iloc[0] > 0


def test_a_question_in_plain_sql_has_the_same_answer(filled: Store) -> None:
    """Counts by carrier equal a query written by hand."""
    sql = (
        "SELECT carrier, count(*), sum(status = 'delivered'), sum(status = 'failed') FROM messages"
        " WHERE status IN ('pending', 'delivered', 'failed') GROUP BY carrier ORDER BY carrier"
    )

    found = analysis.delivery_rates(filled, "carrier")

    assert found[["carrier", "accepted", "delivered", "failed"]].values.tolist() == [
        list(row) for row in filled.db.conn.execute(sql).fetchall()
    ]


def test_a_store_tells_its_coverage_and_gaps(tmp_path: Path) -> None:
    """The result says up to when everything was heard, and when nobody polled."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(50, seed=1)).covered(END + 7200, END + 7300)
        found = analysis.delivery_rates(store)

    assert found.attrs["coverage"] == {
        "end": {"ours": "2026-01-10 09:08:20"},
        "gaps": [{"account": "ours", "from": "2026-01-10 07:06:40", "until": "2026-01-10 09:06:40"}],
        "holes": [],
    }
    assert json.dumps(found.attrs)


def test_gaps_that_cannot_concern_the_messages_are_not_spoken_of(tmp_path: Path) -> None:
    """Polling stopped a day after the messages: a gap for them, none for later ones, nor four days after the last."""
    with Store(tmp_path / "mas.db") as store:
        rows = fill(store, random_messages(50, seed=1))
        day = 86_400
        for start in (END + day, END + 9 * day):
            rows.covered(start, start + day)
        narrowed: list[dict[str, Any]] = [
            {},
            {"until": END - 2 * day},
            {"until": END - 4 * day},
            {"since": END + 10 * day},
        ]
        gaps = [len(analysis.delivery_rates(store, **where).attrs["coverage"]["gaps"]) for where in narrowed]

    assert gaps == [2, 1, 0, 0]


def test_an_account_that_is_not_collected_any_more_is_named(tmp_path: Path) -> None:
    """A rate of several accounts says so where one was last asked for reports days before the others, and has open messages."""
    waited = {"late": 900, "other": 10 * 86_400 + 900}
    with Store(tmp_path / "mas.db") as store:
        for name, days in (("late", 20), ("other", 10)):
            rows = Rows(store, name)
            sent = 1_768_000_000 - days * 86_400
            for number in range(40):
                status = 4 if number < 10 else 5
                rows.insert("messages", batch_id=rows.batch(None), account_id=rows.account_id, phone=f"1380013{number:04d}", segments=1, carrier_id=0,
                            status_id=status, submitted_at=sent, received_at=None if status == 4 else sent + 5)  # fmt: skip
            rows.covered(sent - 60, sent + waited[name])
        said = analysis.notes_of(analysis.delivery_rates(store), "en")
        alone = analysis.notes_of(analysis.delivery_rates(store, account="other"), "en")
        of_late = [
            analysis.delivery_rates(data, account="late")
            for data in (store, store.messages(), as_duckdb(store.messages()), as_lazy_polars(store.messages()))
        ]

    behind = "reports of late were last fetched until 2025-12-21 07:21:40, 20 days before those of others: what is pending there is as of then"
    assert behind in said
    assert not any("last fetched" in one for one in alone)
    assert [one.attrs["as_of"] for one in of_late] == ["2025-12-21 07:21:40"] * 4
    assert [one["pending"].tolist() for one in of_late] == [[10]] * 4


@pytest.mark.parametrize("made", [as_duckdb, as_lazy_polars])
def test_of_replies_only_the_answered_messages_travel(
    made: Callable[[pd.DataFrame], Any], travelled: list[int]
) -> None:
    """Two thousand messages, each there ten times, twenty of them answered: these are brought, and counts of which are alike."""
    messages = pd.concat([random_messages(200, seed=6)] * 10, ignore_index=True).assign(message_id=range(2_000))
    answered = messages[messages["status"] == "delivered"].head(20)
    said = answered[["message_id", "phone"]].assign(
        content="T", opt_out="opt_out", sent_at=answered["submitted_at"] + pd.Timedelta("1min")
    )

    found = analysis.replies(made(messages), "carrier", uplinks=said)

    pd.testing.assert_frame_equal(found, analysis.replies(messages, "carrier", uplinks=said), check_dtype=False)
    assert found["people"].sum() == 20
    assert max(travelled) <= 200


@pytest.mark.parametrize("made", [as_duckdb, as_lazy_polars])
@pytest.mark.parametrize("where", [{}, {"carrier": "China Mobile"}, {"campaign": "春季"}])
def test_replies_of_very_many_messages_are_those_of_pandas(
    made: Callable[[pd.DataFrame], Any], where: dict[str, Any]
) -> None:
    """Hundreds of answered messages are named to the engine, some of which the filters leave out; fatigue asks for them too."""
    messages = random_messages(1_500, seed=8).assign(message_id=lambda frame: 7 * frame.index)
    answered = messages[messages["status"] == "delivered"]
    said = answered[["message_id", "phone"]].assign(
        content="T", opt_out="opt_out", sent_at=answered["submitted_at"] + pd.Timedelta("1min")
    )
    assert len(said) > 200

    for ask in (analysis.replies, analysis.fatigue):
        found = ask(made(messages), uplinks=said, **where)
        pd.testing.assert_frame_equal(found, ask(messages, uplinks=said, **where), check_dtype=False)


@pytest.mark.parametrize("made", [as_duckdb, as_lazy_polars])
@pytest.mark.parametrize("column", ["phone", "campaign", "message_id", "segments"])
@pytest.mark.parametrize("more", [[], [None], ["it's, 100 %"], [2.0], [10**30]])
def test_very_many_values_choose_as_few_do(made: Callable[[pd.DataFrame], Any], column: str, more: list[Any]) -> None:
    """A list of hundreds is read by the engine at once, and keeps what a short list keeps: quotes, commas, missing values too."""
    messages = random_messages(800, seed=9).assign(message_id=lambda frame: 7 * frame.index)
    messages.loc[3, "campaign"] = "it's, 100 %"
    messages.loc[5, "campaign"] = None
    is_text = column in ("phone", "campaign")
    more = [
        one
        for one in more
        if one is None or (isinstance(one, str) == is_text and (one in set(messages[column]) or not is_text))
    ]
    wanted = {column: [*messages[column].dropna().unique()[:3].tolist() * 100, *more]}

    found = analysis.delivery_rates(made(messages), history=None, where=wanted)

    expected = analysis.delivery_rates(messages, history=None, where=wanted)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found["accepted"].sum() > 0


@pytest.mark.parametrize("made", [pd.DataFrame, as_duckdb, as_lazy_polars, as_arrow])
@pytest.mark.parametrize("column", ["phone", "campaign", "message_id", "batch_id"])
def test_proofs_that_very_many_values_name_are_counted(made: Callable[[pd.DataFrame], Any], column: str) -> None:
    """Whoever names their campaigns, numbers or messages means them, in a list of hundreds as in one of three."""
    messages = random_messages(300, seed=10).assign(message_id=range(300), round="proof", campaign="x (proof)")
    messages["phone"] = [f"138{number:08d}" for number in range(300)]
    messages["batch_id"] = range(300)
    wanted = messages[column].tolist() if column != "campaign" else ["x (proof)"] * 300
    accepted = int(messages["status"].isin(["pending", "delivered", "failed"]).sum())

    found = analysis.delivery_rates(made(messages), history=None, where={column: wanted})

    assert found["accepted"].sum() == accepted
    assert analysis.delivery_rates(made(messages), history=None)["accepted"].sum() == 0


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"phone": "+86 138-0013-8000"}, {"phone": "13800138000"}),
        ({"phone": "１３８００１３８０００"}, {"phone": "13800138000"}),
        ({"arm": " A"}, {"arm": "A"}),
        ({"campaign": "c\u3000"}, {"campaign": "c"}),
        ({"status": 5}, {"status": "delivered"}),
        ({"status": ["delivered", 6]}, {"status": ["delivered", "failed"]}),
    ],
)
def test_a_filter_means_the_same_of_every_source(tmp_path: Path, asked: dict[str, Any], kept: dict[str, Any]) -> None:
    """However a number, a name or a status is written: of a store, its archive and export, and frames of them."""
    messages = random_messages(400, seed=12)
    messages.loc[messages["status"].eq("delivered").idxmax(), "phone"] = "13800138000"
    with Store(tmp_path / "mas.db") as store:
        fill(store, in_batches(messages))
        store.export_parquet(tmp_path / "lake", phones="whole")
        every = store.messages()
        sources = [store, tmp_path / "lake", every, as_duckdb(every), as_lazy_polars(every), as_arrow(every)]
        counts = [analysis.delivery_rates(one, history=None, where=asked)["accepted"].sum() for one in sources]
        (expected,) = analysis.delivery_rates(every, history=None, where=kept)["accepted"]

    assert counts == [expected] * len(sources)
    assert expected > 0


@pytest.mark.parametrize("made", [pd.DataFrame, as_duckdb, as_lazy_polars, as_polars, as_arrow])
@pytest.mark.parametrize("proofs", [0, 2])
def test_proofs_are_in_no_number_of_any_source(made: Callable[[pd.DataFrame], Any], proofs: int) -> None:
    """A proof is what says so in its round and in its campaign: neither alone, and nothing where one of them is missing."""
    rows = [("spring", "1"), ("spring (proof)", "2"), ("spring", "proof"), (None, "proof"), ("autumn (proof)", None)]
    rows += [("spring (proof)", "proof"), ("autumn (proof)", "proof")][:proofs]
    messages = pd.DataFrame(rows, columns=["campaign", "round"], dtype="str").assign(
        status="delivered", latency_s=3, waited_s=9
    )

    assert analysis.delivery_rates(made(messages))["accepted"].tolist() == [5]
    coded = messages.astype({"campaign": "category", "round": "category"})
    if made not in (as_polars, as_lazy_polars) or proofs:  # a category that no row has is unknown to polars
        assert analysis.delivery_rates(made(coded))["accepted"].tolist() == [5]
    assert analysis.delivery_rates(made(messages), round="proof")["accepted"].sum() == 2 + proofs


def test_a_store_counts_its_own_replies(filled: Store) -> None:
    """Replies of the store's uplinks are matched to its messages, as those of its frames are."""
    answered = filled.messages().query("status == 'delivered'").head(20)
    rows = Rows(filled, "ours")
    for number, row in enumerate(answered.to_dict("records")):
        sent_at = int(row["submitted_at"].timestamp()) + 60
        opt_out = "opt_out" if number % 2 else None
        rows.uplink(row["phone"], "退订", sent_at, row["message_id"], opt_out=opt_out)

    found = analysis.replies(filled, by=["campaign", "hour"], keywords=["退订"])

    expected = analysis.replies(filled.messages(), ["campaign", "hour"], uplinks=filled.uplinks(), keywords=["退订"])
    pd.testing.assert_frame_equal(found, expected)
    assert found[["people", "opt_outs", "says_退订"]].sum().tolist() == [20, 10, 20]


def test_an_empty_store_answers_with_no_rows(tmp_path: Path) -> None:
    """A new store has no rates, no codes and no latency, and says so without an error."""
    with Store(tmp_path / "mas.db") as store:
        for question, ask in QUESTIONS.items():
            if "compare" not in question:  # whose arms are not there, which is an error
                assert ask(store).empty


def test_what_is_no_source_is_refused() -> None:
    """A list of numbers is no list of stores."""
    with pytest.raises(InputError, match="data is a int"):
        analysis.delivery_rates([1, 2])  # type: ignore[list-item]


@pytest.mark.parametrize(("column", "value"), [("waited_s", "soon"), ("submitted_at", "yesterday")])
def test_columns_of_the_wrong_kind_are_named(column: str, value: str) -> None:
    """A text among the seconds, or among the times, is named by its column."""
    messages = random_messages(20, seed=1).astype({column: object})
    messages.loc[3, column] = value

    with pytest.raises(InputError, match=column):
        analysis.delivery_rates(messages, "hour")


def test_a_key_too_large_for_one_integer_is_counted_in_steps() -> None:
    """Many wide dimensions do not fit 64 bits together, and are counted all the same."""
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 3, 200) * 10**8 for _ in range(5)]

    rows, n = count_combinations(columns, [2 * 10**8 + 1] * 5)

    expected = pd.DataFrame(np.array(columns).T).value_counts(sort=False)
    found = pd.Series(n, index=pd.MultiIndex.from_arrays(rows)).sort_index()
    assert found.tolist() == expected.sort_index().tolist()
    assert found.index.tolist() == expected.sort_index().index.tolist()


@pytest.mark.parametrize(("text", "seconds"), [
    ("10min", 600), ("2h", 7200), ("3d", 259_200), (90, 90), (90.5, 90), ("600 s", 600), ("1h 30min", 5400), ("PT600S", 600),
    ("1 days 02:00:00", 93_600), (pd.Timedelta("90s"), 90),
])  # fmt: skip
def test_lengths_of_time_are_read(text: Any, seconds: int) -> None:
    """Words, numbers and timedeltas."""
    assert to_seconds(text) == seconds


@pytest.mark.parametrize(
    "value", ["soon", -5, "-1h", None, "", "nan", "inf", "-7", "1h 30", float("nan"), float("inf"), pd.NaT]
)
def test_what_is_no_length_of_time_is_refused(value: Any) -> None:
    """With examples of what would be one."""
    with pytest.raises(InputError, match="is not a length of time"):
        to_seconds(value)


@pytest.mark.parametrize(("text", "written"), [("600", "600 s"), (" 7 ", "7 s"), ("1e3", "1000 s"), ("1.5", "1.5 s")])
def test_a_number_in_text_has_to_say_its_unit(text: str, written: str) -> None:
    """It would pass for nanoseconds, and nothing be delivered within them."""
    with pytest.raises(InputError, match=f"is a length of time without a unit: write '{written}'"):
        to_seconds(text)


@pytest.mark.parametrize(
    "ask",
    [
        lambda messages: analysis.delivery_rates(messages, within="600"),
        lambda messages: analysis.timeline(messages, within="600"),
        lambda messages: analysis.latency(messages, within="600"),
        lambda messages: analysis.error_codes(messages, within="600"),
        lambda messages: analysis.compare(messages, "campaign", "a", "b", within="600"),
        lambda messages: analysis.explain_change(messages, messages, by="campaign", within="600"),
        lambda messages: analysis.replies(messages, within="600"),
        lambda messages: analysis.timeline(messages, "600"),
    ],
)
def test_every_question_refuses_a_length_without_a_unit(ask: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Before anything is counted."""
    messages = pd.DataFrame(
        {
            "submitted_at": pd.to_datetime(["2026-01-01 09:00", "2026-01-01 09:00"]),
            "campaign": ["a", "b"], "phone": ["13800138000", "13800138001"], "error_code": [None, None],
            "status": ["delivered", "delivered"], "latency_s": [5, 5], "waited_s": [300_000, 300_000],
        }
    )  # fmt: skip

    with pytest.raises(InputError, match="'600'"):
        ask(messages)


def test_times_without_a_zone_are_china_time() -> None:
    """Filters read texts as China time, and refuse what is none."""
    assert to_instant("2021-09-06 14:45:06") == 1_630_910_706
    assert Filters.parse({"until": pd.Timestamp("2021-09-06 06:45:06", tz="UTC")}).until == 1_630_910_706
    with pytest.raises(InputError, match="is not a time"):
        Filters.parse({"since": "yesterday-ish"})


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_name_that_no_message_has_is_an_error(filled: Store, as_frame: bool) -> None:
    """A mistyped campaign, carrier or column is named with what comes near, instead of an empty answer."""
    data = filled.messages() if as_frame else filled
    there = filled.messages()["campaign"].dropna().iloc[0]

    with pytest.raises(InputError, match=f"no message has campaign '{there}x'; there is: .*{there}"):
        analysis.delivery_rates(data, campaign=f"{there}x")
    with pytest.raises(InputError, match="no message has carrier '联通'"):
        analysis.timeline(data, carrier="联通")
    with pytest.raises(InputError, match=r"no column 'carier' .did you mean '?carrier"):
        analysis.latency(data, by="carier")
    assert analysis.delivery_rates(data, campaign=there, since="2090-01-01").empty


def test_a_carrier_is_found_by_its_chinese_name_too(filled: Store) -> None:
    """What charts and reports call 中国联通 is China Unicom in frames: a filter takes either."""
    chinese, english = (analysis.delivery_rates(filled, carrier=name) for name in ("中国联通", "China Unicom"))

    pd.testing.assert_frame_equal(chinese, english)
    assert chinese.attrs["filters"] == {"carrier": ["China Unicom"]}


UNEVEN = pd.DataFrame(
    {
        "campaign": ["a"] * 4 + ["b"] * 4,
        "status": ["delivered", "pending", "failed", "delivered"] * 2,
        "latency_s": [5.5, np.nan, 30.0, np.nan, 700.0, np.nan, 2.0, 4.5],
        "waited_s": [60.0, np.nan, 20.0, 300_000.0, 600.0, 400.0, np.nan, 4.4],
    }
)
"""Unknown times, halves, and reports dated beyond the end of coverage."""


@pytest.mark.parametrize("question", [analysis.delivery_rates, analysis.latency, analysis.arrivals])
def test_unknown_times_and_late_reports_mean_the_same_in_every_frame(question: Any) -> None:
    """NaN (polars' too), halves of seconds and reports beyond coverage count alike in pandas, polars, DuckDB and Arrow."""
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    frame = UNEVEN  # noqa: F841  (DuckDB finds it by its name)
    asked = question(UNEVEN, "campaign")

    for other in (
        polars.DataFrame(UNEVEN.to_dict("list")),
        polars.from_pandas(UNEVEN),
        duckdb.sql("SELECT * FROM frame"),
        polars.from_pandas(UNEVEN).lazy(),
    ):
        pd.testing.assert_frame_equal(question(other, "campaign"), asked, check_dtype=False)


def test_waiting_times_may_be_lengths_of_time() -> None:
    """A Duration column of polars counts as its seconds."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"status": ["delivered", "pending"], "latency_s": [5, None], "waited_s": [600, 600]})
    lengths = frame.with_columns(polars.duration(seconds=polars.col("waited_s")).alias("waited_s"))

    pd.testing.assert_frame_equal(analysis.latency(lengths), analysis.latency(frame))


@pytest.mark.parametrize("by", ["carrier", "phone"])
def test_a_part_of_a_store_is_read_in_blocks_of_neighbours(store: Store, by: str) -> None:
    """One message in three of 1,000: the first 256, then those from 769 on, whichever way they are counted."""
    fill(store, random_messages(1000, seed=4))

    *_, n = store.message_source.grouped_count([by], where=Filters(every=3))

    assert n.sum() == 256 + 232


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda frame: frame, marks=pytest.mark.slow),
        pytest.param(as_polars, marks=pytest.mark.slow),
        as_duckdb,
    ],
)
def test_columns_of_ones_own_may_be_called_day_and_hour(make: Callable[[pd.DataFrame], Any]) -> None:
    """Texts in columns that other messages have times and numbers for: they are groups, and nothing fails on them."""
    from masanalytics import plot

    messages = in_batches(random_messages(3000, seed=11))
    own = {"day": "d", "hour": "h", "weekday": "w"}
    frame = messages.assign(**{name: mark + (messages.index % 2).astype(str) for name, mark in own.items()})
    for name, mark in own.items():
        found = mas.delivery_rates(make(frame), by=name)
        assert found[name].tolist() == [f"{mark}0", f"{mark}1"]
        expected = mas.delivery_rates(messages)["accepted"].sum()
        assert found["accepted"].sum() == expected
    for question in (
        mas.delivery_rates, mas.timeline, mas.backtest, plot.heatmap, lambda data: mas.anomalies(data, by="carrier"),
        lambda data: mas.sample_size(0.9, 0.02, data=data),
    ):  # fmt: skip
        question(make(frame))
    assert "no message asked about was submitted" in str(
        mas.notes_of(mas.delivery_rates(make(messages), since="2060-01-01"), "en")
    )
    assert mas.notes_of(mas.delivery_rates(make(frame), since="2060-01-01"), "en")


def test_money_is_the_same_to_the_last_digit_in_any_order() -> None:
    """Whole segments are added up before they are priced: 0.05 and 0.03 added row by row end in other digits by the order."""
    messages = random_messages(3000, seed=12)
    price = {"China Mobile": 0.05, "China Unicom": 0.03, "China Telecom": 0.07}
    price |= dict.fromkeys(set(messages["carrier"].dropna()) - set(price), 0.01)
    names = ["cost", "cost_not_delivered", "cost_dead_numbers", "cost_per_delivered"]
    price["unknown"] = 0.01
    expected = mas.costs(messages, price, by="campaign")[names]
    for seed in range(3):
        mixed = messages.sample(frac=1, random_state=seed)
        assert mas.costs(mixed, price, by="campaign")[names].equals(expected)
        assert mas.costs(as_duckdb(mixed), price, by="campaign")[names].equals(expected)
