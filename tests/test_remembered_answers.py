"""What a source has answered is not asked again, and no answer is older than the messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, count_messages
from masanalytics.analysis.sources import as_source, asks_once
from masanalytics.analysis.sources.base import RawCounts, Seconds
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.analysis.sources.remembered import Answers, RememberedMessages, _Count
from masanalytics.report import write_report
from masanalytics.store import Store
from tests.random_messages import END, QUESTIONS, fill, in_batches, random_messages
from tests.rows import Rows


class Asked(PandasMessages):
    """A source that notes what it is asked."""

    def __init__(self, frame: pd.DataFrame) -> None:
        super().__init__(frame)
        self.questions: list[Any] = []

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        self.questions.append((*by, repr(where), seconds))
        return super().grouped_count(by, where=where, seconds=seconds)

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        self.questions.append(("coverage", repr(where)))
        return super().coverage_summary(where)

    def repeated_messages(self) -> int:
        self.questions.append("repeated")
        return super().repeated_messages()


class Holder:
    """What holds a source, as a Store does."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.message_source = Asked(frame)


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_function_asks_the_same_twice(question: str) -> None:
    """Each grouped count, the coverage and the repeated messages: once in a call."""
    data = Holder(in_batches(random_messages(300, seed=3)))

    QUESTIONS[question](data)

    assert len(data.message_source.questions) == len(set(data.message_source.questions))


@pytest.mark.usefixtures("without_pictures")
def test_a_report_asks_nothing_twice(tmp_path: Path) -> None:
    """Its sections share the history, the coverage and every count."""
    data: Any = Holder(in_batches(random_messages(300, seed=3)))

    write_report(data, tmp_path / "report.html")

    asked = data.message_source.questions
    assert len(asked) == len(set(asked)) < 25


@pytest.mark.parametrize("seconds", ["outcome", "waited", None])
def test_a_coarser_count_is_added_up_from_a_finer_one(seconds: Seconds | None) -> None:
    """Missing values and missing seconds included, and a word that is a number is another word."""
    frame = random_messages(500, seed=4).assign(
        kind=lambda rows: np.resize(np.array([1, "1", None], dtype=object), len(rows))
    )
    data = Holder(frame)
    plain = data.message_source
    finer: Seconds = "waited" if seconds == "waited" else "outcome"

    @asks_once
    def ask() -> RawCounts:
        source = as_source(data)
        source.grouped_count(["carrier", "kind", "campaign"], where=Filters(), seconds=finer)
        return RawCounts(*source.grouped_count(["campaign", "kind"], where=Filters(), seconds=seconds))

    found = ask()

    assert len(plain.questions) == 1
    assert in_order(found) == in_order(plain.grouped_count(["campaign", "kind"], where=Filters(), seconds=seconds))


def in_order(counts: RawCounts) -> list[str]:
    rows = zip(*(counts.keys[name] for name in counts.keys), counts.status, counts.seconds, counts.n, strict=True)
    return sorted(repr([type(row[1]).__name__, *map(str, row)]) for row in rows)


def test_one_and_true_are_not_the_same_filter() -> None:
    """They are equal in Python, and other values of a column."""
    data = Holder(random_messages(20, seed=4).assign(flag=pd.Series([1, True] * 10, dtype=object)))

    @asks_once
    def ask() -> list[int]:
        return [
            int(as_source(data).grouped_count([], where=Filters({"flag": (one,)}))[3].sum()) for one in (1, True, 1.0)
        ]

    ask()
    assert len(data.message_source.questions) == 3


def delivered(data: Any) -> int:
    return int(analysis.delivery_rates(data)["delivered"].sum())


CHANGES: dict[str, Callable[[Store, Path], None]] = {
    "here": lambda store, _: change(store.db.conn),
    "another connection": lambda _, path: elsewhere(path),
}


def change(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE messages SET status_id = 5, received_at = submitted_at + 9 WHERE status_id = 6")
    connection.commit()


def elsewhere(path: Path) -> None:
    connection = sqlite3.connect(path)
    change(connection)
    connection.close()


@pytest.mark.parametrize("who", CHANGES)
def test_a_store_that_has_changed_is_asked_again(tmp_path: Path, who: str) -> None:
    """Whoever changed it; as long as it has not, nothing is read."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(200, seed=6))
        before, again = delivered(store), delivered(store)
        CHANGES[who](store, tmp_path / "mas.db")

        failed = int((store.messages()["status"] == "failed").sum())
        assert (before, failed) == (again, 0)
        assert delivered(store) == before + int((random_messages(200, seed=6)["status"] == "failed").sum())


def test_what_is_taken_back_is_not_remembered(tmp_path: Path) -> None:
    """An answer inside a transaction of the user's own holds no longer than that."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, random_messages(200, seed=6))
        before = delivered(store)
        connection = store.db.conn
        connection.execute("BEGIN")
        connection.execute("UPDATE messages SET status_id = 6 WHERE status_id = 5")
        inside = delivered(store)
        connection.rollback()

        assert (inside, delivered(store)) == (0, before)


def test_a_message_more_is_counted(tmp_path: Path) -> None:
    """As a collector adds them between two cells."""
    with Store(tmp_path / "mas.db") as store:
        rows = Rows(store, "ours")
        rows.covered(END - 86_400, END)
        found = []
        for message in (
            random_messages(4, seed=8).assign(status="delivered", latency_s=5, error_code=None).to_dict("records")
        ):
            rows.message(message)
            found.append(delivered(store))

    assert found == [1, 2, 3, 4]


def test_files_that_have_changed_are_read_again(tmp_path: Path) -> None:
    """The same relation, another file behind it; the connection of the first may be closed by then."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    messages = random_messages(100, seed=6)
    path = tmp_path / "messages.parquet"
    messages.to_parquet(path)
    connection = duckdb.connect()
    relation = connection.read_parquet(str(path))
    first, again = delivered(relation), delivered(relation)
    connection.close()
    more = duckdb.connect().read_parquet(str(path))
    same = delivered(more)

    messages.head(50).to_parquet(path)

    assert first == again == same == int((messages["status"] == "delivered").sum())
    assert delivered(more) == int((messages.head(50)["status"] == "delivered").sum())


def test_a_frame_that_the_user_changes_is_counted_anew() -> None:
    """Nothing is kept of what cannot say whether it has changed."""
    messages = random_messages(100, seed=6)
    delivered(messages)
    messages["status"] = "failed"

    assert delivered(messages) == 0


def test_large_answers_make_room_for_each_other_and_small_ones_stay() -> None:
    """Of three tables with 1,600,000 rows each the oldest goes; what was found once, long ago, is there."""
    answers = Answers()
    answers.keep("repeated", (0,))
    for name in ("a", "b", "c"):
        answers.keep(name, name, 1_600_000)

    assert [answers.get(name) for name in ("repeated", "a", "b", "c")] == [(0,), None, "b", "c"]


def test_some_statuses_are_taken_from_a_count_of_all() -> None:
    """By name or number: nothing is asked again, and the rows are those that the source would give."""
    data = Holder(random_messages(300, seed=6))

    @asks_once
    def both(statuses: tuple[Any, ...]) -> tuple[RawCounts, int]:
        source = as_source(data)
        source.grouped_count(["carrier", "arm"], where=Filters(), seconds="outcome")
        before = len(data.message_source.questions)
        found = source.grouped_count(["arm"], where=Filters({"status": statuses}), seconds="outcome")
        return RawCounts(*found), len(data.message_source.questions) - before

    for statuses in (("delivered", "failed"), (None,)):
        found, asked = both(statuses)
        expected = PandasMessages(random_messages(300, seed=6)).grouped_count(
            ["arm"], where=Filters({"status": statuses}), seconds="outcome"
        )
        tables = [
            raw.keys.assign(status=raw.status, seconds=raw.seconds, n=raw.n).sort_values(
                ["arm", "status", "seconds"], ignore_index=True
            )
            for raw in (found, RawCounts(*expected))
        ]
        first, second = tables
        pd.testing.assert_frame_equal(first, second, check_dtype=False)
        assert asked == 0


def test_an_answer_that_was_used_stays_longer_than_one_that_was_not() -> None:
    """Room is made by those asked for longest ago, also where only a coarser count was taken from them."""
    answers, frame = Answers(), pd.DataFrame({"a": [1], "b": [2]})
    counted = RawCounts(frame, np.array([5]), np.array([1.0]), np.array([1]))
    first, second, third = (_Count(((name,), (), "outcome")) for name in "abc")
    answers.keep(first, counted, 1_600_000)
    answers.keep(second, counted, 1_600_000)

    assert answers.finer(["a"], (), "outcome") is counted
    answers.keep(third, counted, 1_600_000)

    assert [answers.get(one) is not None for one in (first, second, third)] == [True, False, True]


def test_what_a_finer_answer_tells_makes_room_first() -> None:
    """A coarser table, though it came last, goes before the finer one, and before others that nothing else tells."""
    answers, frame = Answers(), pd.DataFrame({"a": [1], "b": [2]})
    counted = RawCounts(frame, np.array([5]), np.array([1.0]), np.array([1]))
    finer, other, coarser, last = (_Count((by, (), "outcome")) for by in (("a", "b"), ("c",), ("b",), ("d",)))
    for question in (finer, other, coarser):
        answers.keep(question, counted, 1_300_000)
    answers.keep(last, counted, 1_300_000)

    assert [answers.get(one) is not None for one in (finer, other, coarser, last)] == [True, True, False, True]


def test_dimensions_in_another_order_are_the_same_question() -> None:
    """Their columns come in the order asked for; and the day is the bucket of a day."""
    data = Holder(random_messages(100, seed=4))

    @asks_once
    def ask() -> tuple[list[list[str]], list[str]]:
        keys = [
            count_messages(data, Question(by, (), Filters(), None))[0].keys
            for by in (["carrier", "day"], ["day", "carrier"], ["time/86400", "carrier"])
        ]
        return [[str(name) for name in one] for one in keys], [
            str(keys[1]["day"].dtype),
            str(keys[2]["time/86400"].dtype),
        ]

    columns, kinds = ask()

    assert columns == [["carrier", "day"], ["day", "carrier"], ["time/86400", "carrier"]]
    assert kinds == ["datetime64[s]", "datetime64[s, Asia/Shanghai]"]
    assert len(data.message_source.questions) == 1


def test_a_finer_count_that_nothing_is_added_up_in_is_not_kept_twice() -> None:
    """The coarser answer shares its numbers."""
    answers = Answers()
    source = RememberedMessages(PandasMessages(random_messages(50, seed=4).assign(one=1)), answers)
    finer = source.grouped_count(["phone", "one"], where=Filters())

    coarser = source.grouped_count(["phone"], where=Filters())

    assert coarser.n is finer.n
    assert list(coarser.keys) == ["phone"]
