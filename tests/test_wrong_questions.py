"""Questions that cannot mean what they say are refused or noted, on every engine alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.errors import InputError
from masanalytics.lengths import to_seconds
from masanalytics.store import Store
from tests.random_messages import as_arrow, as_duckdb, as_polars, fill, random_messages

DAY = 86_400


def messages(n: int = 100, k: int = 90, **columns: Any) -> pd.DataFrame:
    """Return `n` messages with all reports in, `k` of them delivered."""
    status = ["delivered"] * k + ["failed"] * (n - k)
    return pd.DataFrame({"status": status, "latency_s": 5, "waited_s": 5 * DAY, **columns})


ENGINES: list[Callable[[pd.DataFrame], Any]] = [lambda frame: frame, as_polars, as_duckdb, as_arrow]
engines = pytest.mark.parametrize("make", ENGINES, ids=["pandas", "polars", "duckdb", "arrow"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Store(tmp_path_factory.mktemp("filled") / "mas.db") as store:
        fill(store, random_messages(300, seed=5))
        yield store


@engines
def test_a_mistyped_name_in_a_list_is_named(make: Callable[[pd.DataFrame], Any]) -> None:
    """Half of the list is there, half is not: no answer about the half; a missing value in a list is fine."""
    data = make(
        pd.concat([messages(campaign="offer 03-24"), messages(campaign="offer 03-26"), messages(campaign=None)])
    )

    for ask in (analysis.delivery_rates, analysis.latency, analysis.funnel):
        with pytest.raises(InputError, match="no message has campaign 'offer 03-62'; there is: offer 03-2"):
            ask(data, campaign=["offer 03-24", "offer 03-62"])
    assert analysis.delivery_rates(data, campaign=["offer 03-24", None])["accepted"].tolist() == [200]
    assert analysis.delivery_rates(data, campaign=["offer 03-24", "offer 03-26"])["accepted"].tolist() == [200]


def test_a_mistyped_name_in_a_list_is_named_by_a_store_too(filled: Store) -> None:
    """Carriers in either language are found; what is none is named."""
    assert len(analysis.delivery_rates(filled, carrier=["China Mobile", "中国联通"]))
    with pytest.raises(InputError, match="no message has campaign '春节'"):
        analysis.delivery_rates(filled, campaign=["春季", "春节"])
    with pytest.raises(InputError, match="no message has carrier 'China Unicorn'; there is: China Unicom"):
        analysis.delivery_rates(filled, carrier=["China Mobile", "China Unicorn"])


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"hour": "9"}, "hour='9': write it as a whole number from 0 to 23"),
        ({"hour": 25}, "hour=25: write it as a whole number from 0 to 23"),
        ({"hour": [9, 9.5]}, r"hour=9\.5: write it"),
        ({"weekday": 7}, "weekday=7: write it as a whole number from 0 to 6"),
        ({"prefix": 138}, "prefix=138: write it as text of three digits, '138'"),
        ({"prefix": "13"}, "prefix='13': write it"),
        ({"category": "blaklist"}, "category='blaklist' is not one of blacklist"),
        ({"day": "2026-03-40"}, "day='2026-03-40': write it as '2026-01-31'"),
    ],
)
def test_impossible_values_of_what_is_derived_are_refused(filled: Store, where: dict[str, Any], said: str) -> None:
    """Of a store and of its frame; a right value that no message has is an empty answer."""
    for data in (filled, filled.messages()):
        with pytest.raises(InputError, match=said):
            analysis.delivery_rates(data, **where)
        assert len(analysis.delivery_rates(data, prefix="111")) == 0
        assert len(analysis.delivery_rates(data, hour=np.int64(3))) == 1


@engines
@pytest.mark.parametrize(
    ("held", "asked", "said"),
    [
        (1, "1", "vip='1': the column holds numbers, so write it without quotes"),
        ("1", 1, "vip=1: the column holds text, so write it in quotes: vip='1'"),
        (True, "True", "vip='True': the column holds True and False"),
        (1, True, "vip=True: the column holds numbers"),
    ],
)
def test_a_filter_of_another_kind_than_its_column_is_refused(
    make: Callable[[pd.DataFrame], Any], held: Any, asked: Any, said: str
) -> None:
    """The same sentence from every engine, and the right value finds all."""
    data = make(messages(vip=held))

    with pytest.raises(InputError, match=said):
        analysis.delivery_rates(data, vip=asked)
    assert analysis.delivery_rates(data, vip=held)["accepted"].tolist() == [100]


def test_a_store_refuses_values_of_another_kind_without_showing_a_number(filled: Store) -> None:
    """A number written as a number is hidden in the error."""
    with pytest.raises(InputError, match=r"phone='138\*{4}8000': the column holds text"):
        analysis.delivery_rates(filled, phone=13800138000)
    with pytest.raises(InputError, match="segments='1': the column holds numbers"):
        analysis.delivery_rates(filled, segments="1")


@engines
def test_messages_that_are_there_twice_are_counted_and_said(make: Callable[[pd.DataFrame], Any]) -> None:
    """Overlapping exports; the same number in two accounts is another message."""
    once = messages(message_id=range(100))
    twice = make(pd.concat([once, once[:20]], ignore_index=True))
    accounts = make(pd.concat([once.assign(account="a"), once.assign(account="b")], ignore_index=True))

    assert notes_of(analysis.delivery_rates(twice, cluster=None), "en") == [
        "20 rows show messages (message_id) that other rows show too: they are counted as often as they are there"
    ]
    assert notes_of(analysis.delivery_rates(accounts), "en") == []
    assert notes_of(analysis.delivery_rates(make(once)), "en") == []


@engines
def test_a_status_of_true_and_false_is_refused(make: Callable[[pd.DataFrame], Any]) -> None:
    """It was read as planned and not sent."""
    with pytest.raises(InputError, match="status True is not one of planned"):
        analysis.delivery_rates(make(messages().assign(status=[True] * 100)))


@engines
def test_messages_without_a_status_are_counted_in_a_note(make: Callable[[pd.DataFrame], Any]) -> None:
    """They leave the denominator, and that is said."""
    data = make(pd.concat([messages(), messages(2, 2).assign(status=None)], ignore_index=True))

    found = analysis.delivery_rates(data)

    assert found["accepted"].tolist() == [100]
    assert notes_of(found, "en") == ["2 messages have no status and are in no number"]


@pytest.mark.parametrize("where", [{"status": "delivered"}, {"category": "delivered"}])
def test_rates_of_messages_chosen_by_their_outcome_have_a_note_and_no_forecast(
    filled: Store, where: dict[str, Any]
) -> None:
    """All of the delivered are delivered: that is no delivery rate."""
    found = analysis.delivery_rates(filled, **where)

    assert found["delivery_rate"].tolist() == [1]
    assert found["expected_rate"].isna().all()
    assert found.attrs["expected_reason"] == {"0": "outcome_filter"}
    said = f"narrowed by '{next(iter(where))}', which is part of the outcome: the rates are of the messages so chosen"
    for result in (found, analysis.timeline(filled, "D", **where), analysis.compare(filled, "arm", "A", "B", **where)):
        assert any(said in note for note in notes_of(result, "en"))


@pytest.mark.parametrize("by", ["status", "category", "error_code"])
def test_rates_of_groups_made_by_the_outcome_have_a_note_and_no_forecast(filled: Store, by: str) -> None:
    """Who was delivered is in the row of the delivered; only the row of all has an end to be forecast."""
    found = analysis.delivery_rates(filled, by=by, total=True)

    assert found["expected_rate"][:-1].isna().all()
    assert set(list(found.attrs["expected_reason"].values())[: len(found) - 1]) == {"outcome_groups"}
    assert found["expected_rate"].iloc[-1] == analysis.delivery_rates(filled)["expected_rate"].iloc[0]
    said = f"grouped by '{by}', which is part of the outcome: what a message became decides in which row it is"
    for result in (found, analysis.timeline(filled, "D", by=by), analysis.latency(filled, by=by)):
        assert any(said in note for note in notes_of(result, "en"))


def test_times_of_arrow_are_the_instants_they_are() -> None:
    """A zoned column of pyarrow's, zoned objects, and plain times in China time: the same hour and day in all."""
    at = pd.Series(pd.to_datetime(["2026-03-26 07:30"])).dt.tz_localize("Asia/Shanghai")
    plain = messages(1, 1, submitted_at=at, received_at=at + pd.Timedelta(seconds=5)).drop(columns="latency_s")
    arrow = plain.convert_dtypes(dtype_backend="pyarrow")
    others = [arrow, plain.astype({"submitted_at": object}), plain.assign(submitted_at=at.dt.tz_localize(None))]

    for frame in (plain, *others):
        found = analysis.delivery_rates(frame.assign(latency_s=5), by=["day", "hour"], since="2026-03-26")
        assert found[["day", "hour"]].astype(str).values.tolist() == [["2026-03-26", "7"]]
        assert found.attrs["as_of"] == "2026-03-31 07:30:00"
    assert analysis.latency(arrow)["max_s"].tolist() == [5]


@engines
def test_the_platforms_fourteen_digits_are_times(make: Callable[[pd.DataFrame], Any]) -> None:
    """Also of a leap day, and of the last second of a year."""
    times = [20240229235959, 20251231235959, 20260101000000, 20260326073000]
    found = analysis.delivery_rates(make(messages(4, 4, submitted_at=times)), by=["day", "hour"])

    assert found[["day", "hour"]].astype(str).values.tolist() == [
        ["2024-02-29", "23"],
        ["2025-12-31", "23"],
        ["2026-01-01", "0"],
        ["2026-03-26", "7"],
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (46023.375, "are days as a spreadsheet counts them"),
        ("03/02/2026", "write times with the year first"),
        ("yesterday", "write times with the year first"),
        (10**15, "holds numbers that are no times"),
    ],
)
def test_what_is_no_time_is_refused(value: Any, said: str) -> None:
    """Spreadsheet days were 1970, and 03/02 was March or February."""
    with pytest.raises(InputError, match=said):
        analysis.delivery_rates(messages(2, 2, submitted_at=value), by="day")


def test_columns_that_are_there_twice_or_hold_lists_are_named() -> None:
    """Instead of pandas' own errors; so is an error code that is not there."""
    doubled = messages(2, 1, a=1)

    with pytest.raises(InputError, match="there are several columns 'a'"):
        analysis.delivery_rates(pd.concat([doubled, doubled[["a"]]], axis=1), by="a")
    with pytest.raises(InputError, match="no column 'error_code'"):
        analysis.error_codes(messages())
    with pytest.raises(InputError, match="column 'a' holds lists"):
        analysis.delivery_rates(messages(2, 1, a=[[1], [2]]), by="a")


def test_the_dictionary_of_polars_is_in_the_order_of_its_words() -> None:
    """Not in that in which they came."""
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(messages(3, 3, x=["c", "b", "a"])).with_columns(polars.col("x").cast(polars.Categorical))

    assert analysis.delivery_rates(frame, "x")["x"].tolist() == ["a", "b", "c"]


def test_a_part_of_many_rows_is_a_part_of_every_kind() -> None:
    """Two carriers in turn, one row in two: each keeps about half."""
    frame = messages(20_000, 20_000, carrier=["China Mobile", "China Unicom"] * 10_000)

    keys, _, _, n = PandasMessages(frame).grouped_count(["carrier"], where=Filters(every=2), seconds=None)

    assert sorted(keys["carrier"]) == ["China Mobile", "China Unicom"]
    assert all(4_700 < count < 5_300 for count in n)


def test_a_window_that_cannot_be_meant_is_refused() -> None:
    """A window that ends before it begins holds nothing."""
    messages = pd.DataFrame(
        {"submitted_at": pd.to_datetime(["2026-03-05"]), "status": ["delivered"], "latency_s": [5], "waited_s": [9000]}
    )

    with pytest.raises(InputError, match="until='2026-03-01' is not after since='2026-04-01'"):
        analysis.delivery_rates(messages, since="2026-04-01", until="2026-03-01")


WINDOW: dict[str, Any] = {
    "submitted_at": pd.date_range("2026-03-01 10:00", periods=4, freq="D", tz="Asia/Shanghai").repeat(25)
}
KINDS: dict[str, Any] = {"carrier": "China Mobile", "error_code": None, "segments": 1, "batch_id": 1}


@engines
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"since": "2029-01-01"}, "was submitted since 2029-01-01 00:00:00: they are of 2026-03-01 to 2026-03-04"),
        ({"until": "2020-01-01"}, "was submitted before 2020-01-01 00:00:00: they are of 2026-03-01 to 2026-03-04"),
        ({"waited_s": 5}, "has waited_s = 5; there is 432000"),
        ({"segments": [2, 3]}, "has segments = 2 / 3; there is 1"),
        ({"hour": 3}, "has hour = 3; there is 10"),
        ({"prefix": "139", "segments": 1}, "has prefix = 139; there is 138"),
        ({"within": "400d"}, "has been observed for 400 d: the longest is 5 d"),
    ],
)
def test_an_empty_answer_says_why(make: Callable[[pd.DataFrame], Any], where: dict[str, Any], said: str) -> None:
    """What the messages have is said beside what was asked for."""
    found = analysis.delivery_rates(make(messages(phone="13800138000", **WINDOW, **KINDS)), **where)

    assert len(found) == 0
    assert notes_of(found, "en")[0] == f"no message asked about {said}"


@pytest.mark.parametrize(
    "ask",
    [
        analysis.latency, analysis.error_codes, analysis.funnel, analysis.arrivals, analysis.anomalies, analysis.backtest,
        lambda data, **where: analysis.compare(data, "carrier", **where),
        lambda data, **where: analysis.timeline(data, "D", **where),
        lambda data, **where: analysis.costs(data, 0.05, **where),
        lambda data, **where: analysis.sample_size(0.9, 0.02, data=data, **where),
    ],
)  # fmt: skip
def test_every_question_says_why_there_is_nothing(ask: Callable[..., Any]) -> None:
    """Of no messages, too, and of messages that are all of another kind."""
    data = messages(**WINDOW, **KINDS)

    assert " 2029-01-01 00:00:00" in notes_of(ask(data, since="2029-01-01"), "en")[0]
    assert notes_of(ask(data[:0]), "en")[0] == "there are no messages"


def test_messages_of_another_kind_are_said_to_be_it() -> None:
    """No code among the delivered."""
    found = analysis.error_codes(messages(100, 100, **KINDS))

    assert notes_of(found, "en") == [
        "of the 100 messages asked about (100 delivered) none is among those that this answer is about"
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (20260305, "20260305 is a day written as digits, .* write '2026-03-05'"),
        (np.int64(20260305093000), "write '2026-03-05 09:30'"),
        (1_767_196_800_000, "counts milliseconds"),
        (202603, "202603 is not a time"),
        (np.timedelta64(5, "m"), "is not a time"),
        (True, "True is not a time"),
    ],
)
def test_numbers_that_are_no_epoch_seconds_are_refused(value: Any, said: str) -> None:
    """A day in digits was one of August 1970, and all messages came after it."""
    data = messages(**WINDOW)

    for ask in ({"since": value}, {"until": value}):
        with pytest.raises(InputError, match=said):
            analysis.delivery_rates(data, **ask)
    with pytest.raises(InputError, match=said):
        analysis.explain_change(data.assign(**KINDS), at=value)
    assert len(analysis.delivery_rates(data, since=1_767_196_800)) == 1


@engines
def test_days_in_eight_digits_are_days(make: Callable[[pd.DataFrame], Any]) -> None:
    """As the platform's fourteen digits are instants: they were seconds of 1970."""
    found = analysis.delivery_rates(make(messages(2, 2, submitted_at=[20240229, 20260305])), by="day")

    assert found["day"].astype(str).tolist() == ["2024-02-29", "2026-03-05"]


@pytest.mark.filterwarnings("ignore:The .generic. unit:DeprecationWarning")  # NumPy 2.5 will give it up
@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s", "m", "h", "D", "W"])
def test_lengths_of_numpy_are_read_in_every_unit(unit: Any) -> None:
    """A week in each; a month is no length, and a number without a unit none either."""
    week: Any = np.timedelta64(1, "W").astype(f"m8[{unit}]")

    assert analysis.delivery_rates(messages(), within=week).attrs["within_s"] == 7 * DAY
    assert to_seconds(week) == 7 * DAY
    for strange in (np.timedelta64(1, "M"), np.timedelta64(10), np.timedelta64("NaT"), True):
        with pytest.raises(InputError, match="is not a length of time"):
            to_seconds(strange)  # type: ignore[arg-type]


@engines
def test_a_status_of_one_and_zero_is_refused(make: Callable[[pd.DataFrame], Any]) -> None:
    """They were read as not sent and planned; the store's numbers are read as such."""
    with pytest.raises(InputError, match="the column 'status' holds nothing but 0 and 1"):
        analysis.delivery_rates(make(messages().assign(status=[1] * 90 + [0] * 10)))
    assert analysis.delivery_rates(make(messages().assign(status=[5] * 90 + [6] * 10)))["delivered"].tolist() == [90]


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (True, "price True is not an amount of money"),
        ({"China Mobile": True}, "price True of China Mobile is not an amount"),
        (
            {"China Mobile": 1, "China Mobil": 2},
            "price= has 'China Mobil', which is no carrier of these messages: China Mobile",
        ),
        ({"China Mobile": 1, "中国移动": 2}, "price= has two prices for China Mobile"),
        ({"China Unicom": 1}, "no price for China Mobile"),
    ],
)
def test_prices_that_cannot_be_are_refused(price: Any, said: str) -> None:
    """Whatever asks for one; a carrier may be named in Chinese, as in a filter."""
    data = messages(phone="13800138000", **WINDOW, **KINDS)

    for ask in (analysis.costs, analysis.suppression_value):
        with pytest.raises(InputError, match=said):
            ask(data, price)
    assert analysis.costs(data, {"中国移动": 0.05})["cost"].tolist() == pytest.approx([5])
    with pytest.raises(InputError, match="the column 'segments' holds -1"):
        analysis.costs(data.assign(segments=-1), 0.05)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rate": "95%", "change": 0.01}, "rate='95%' is a text: write it as a number, 0.95"),
        ({"rate": 0.95, "change": "2%"}, "change='2%' is a text: write it as a number, 0.02"),
        ({"rate": 0.95, "change": ["-0.02"]}, "change='-0.02' is a text: write it as a number, -0.02"),
        ({"rate": True, "change": 0.01}, "rate= is of type bool: it must be a number"),
        ({"rate": 0.95, "change": "much"}, "change= is of type str: it must be a number"),
    ],
)
def test_numbers_as_texts_are_refused_with_the_number(asked: dict[str, Any], said: str) -> None:
    """It was taken letter by letter."""
    with pytest.raises(InputError, match=said):
        analysis.sample_size(**asked)


def test_both_sides_of_a_change_stay_in_the_window() -> None:
    """The cut narrows the window that was asked for, and does not take its place."""
    data = messages(**WINDOW, **KINDS)

    found = analysis.explain_change(data, at="2026-03-03", since="2026-03-02", until="2026-03-04")

    assert found.attrs["filters"] == {"since": "2026-03-03 00:00:00", "until": "2026-03-04 00:00:00"}


@pytest.mark.parametrize("name", ["status", "category", "error_code", "latency_s"])
def test_an_outcome_is_no_cluster(name: str) -> None:
    """What is known afterwards makes all of a cluster alike."""
    with pytest.raises(InputError, match=f"cluster='{name}' is part of the outcome: name what was known before"):
        analysis.delivery_rates(messages(**WINDOW, **KINDS), cluster=name)


def test_a_change_is_not_explained_by_the_outcome_itself() -> None:
    """That more failed is no reason why less was delivered; what they failed of is one."""
    data = messages(**WINDOW, **KINDS)

    with pytest.raises(InputError, match="by='status' is the outcome itself"):
        analysis.explain_change(data, by="status", at="2026-03-03")
    assert len(analysis.explain_change(data, by="category", at="2026-03-03"))


def test_prices_go_by_the_names_that_the_messages_have() -> None:
    """Frames whose carriers are in Chinese, and prices in either language, on every engine."""
    phones = [f"138{number:08d}" for number in range(100)]
    data = messages(phone=phones, **WINDOW, **(KINDS | {"carrier": "中国移动"}))
    wanted = analysis.suppression_value(data, 0.05)["saved_cost_if_dropped"].tolist()

    for make in ENGINES:
        for name in ("China Mobile", "中国移动"):
            found = analysis.suppression_value(make(data), {name: 0.05})
            assert found["saved_cost_if_dropped"].tolist() == pytest.approx(wanted)
        with pytest.raises(InputError, match="the column 'segments' holds -2"):
            analysis.suppression_value(make(data.assign(segments=-2)), 0.05)


@engines
@pytest.mark.parametrize(("held", "asked"), [(1.0, 1), (1, 1.0), (1.0, [1, 2]), (1, [1.0, 2.0]), (1, np.int32(1))])
def test_whole_numbers_and_others_are_the_same_numbers(
    make: Callable[[pd.DataFrame], Any], held: Any, asked: Any
) -> None:
    """A column with blanks is one of floats: who asks for shop 1 means it, on every engine; 2.5 is another."""
    data = make(pd.concat([messages(shop=held), messages(shop=2 * held), messages(shop=3 * held)], ignore_index=True))

    assert analysis.delivery_rates(data, shop=asked)["accepted"].tolist() == [100 * np.size(asked)]
    with pytest.raises(InputError, match=r"no message has shop 2\.5"):
        analysis.delivery_rates(data, shop=[1, 2.5])


@pytest.mark.parametrize(
    ("ask", "asked", "said"),
    [
        (analysis.anomalies, {"level": "5%"}, "level='5%' is a text: write it as a number, 0.05"),
        (analysis.anomalies, {"min_n": "200"}, "min_n='200' is a text: write it as a number, 200"),
        (analysis.error_codes, {"top": "3"}, "top= is of type str: it must be a whole number"),
        (analysis.backtest, {"campaigns": "3"}, "campaigns= is of type str: it must be a whole number"),
    ],
)
def test_texts_where_numbers_belong_are_refused(ask: Callable[..., Any], asked: dict[str, Any], said: str) -> None:
    """In a sentence that names the argument."""
    with pytest.raises(InputError, match=said):
        ask(messages(**WINDOW, **KINDS), **asked)


def test_of_very_many_unknown_names_a_few_are_said() -> None:
    """Whoever asks for hundreds of campaigns that are not there reads a sentence, not a list."""
    messages = pd.DataFrame({"status": ["delivered"], "campaign": ["spring"], "latency_s": [1], "waited_s": [5]})

    with pytest.raises(InputError) as caught:
        analysis.delivery_rates(messages, campaign=[f"offer {number}" for number in range(300)])

    assert str(caught.value) == (
        "no message has campaign 'offer 0', 'offer 1', 'offer 2', 'offer 3', 'offer 4', …; there is: spring"
    )


@pytest.mark.parametrize("made", [pd.DataFrame, as_arrow, as_duckdb, as_polars])
@pytest.mark.parametrize(
    "ask", [analysis.number_health, lambda data, **where: analysis.suppression_value(data, 0.05, **where)]
)
def test_values_that_no_message_has_are_refused_or_find_nothing(made: Callable[[pd.DataFrame], Any], ask: Any) -> None:
    """Missing ones, infinite ones, none at all, and those of another kind: of every engine the same, and no error of its own."""
    messages = pd.DataFrame(
        {
            "message_id": [1, 2], "phone": ["13800000001", "13800000002"], "status": ["delivered", "failed"], "arm": ["A", None],
            "error_code": [None, "MK:0001"], "segments": [1, 1], "submitted_at": pd.to_datetime(["2026-01-01"] * 2, utc=True),
        }
    )  # fmt: skip

    assert len(analysis.number_health(made(messages), arm=[None])) == 1
    assert len(analysis.number_health(made(messages), arm=["A", float("nan")])) == 2
    empty: list[str] = []
    for nothing in ({"status": empty}, {"message_id": float("inf")}, {"segments": 2}):
        assert ask(made(messages), **nothing).empty
    for wrong in (
        {"status": True},
        {"message_id": "x"},
        {"segments": True},
        {"submitted_at": "2026-01-05"},
        {"arm": 1},
    ):
        with pytest.raises(InputError, match=f"{next(iter(wrong))}"):
            ask(made(messages), **wrong)
    several = pytest.importorskip("pyarrow").array(["failed"])
    assert len(analysis.number_health(made(messages), status=several)) == 1


def test_an_infinite_number_is_no_message_of_a_store(tmp_path: Any) -> None:
    """And no damage to its file."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(20, seed=1))
        assert analysis.delivery_rates(store, message_id=float("inf")).empty
