"""Sending's side of the store: each number once a campaign, and an honest state whatever happens."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from masanalytics.client import SubmitResult
from masanalytics.errors import InputError, StoreError
from masanalytics.i18n import Text
from masanalytics.store import Store, send_log
from masanalytics.store.schema import migrations
from tests.bench import Bench, PlainBatch

A, B, C = "13800138000", "13800138001", "13800138002"


def test_states_from_plan_to_acceptance(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """A message is planned, then possibly sent while its request is out, then pending once the platform took it."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A, B]))
    planned = bench.statuses()
    (claimed,) = bench.claim(run, batch_id)
    during = bench.statuses()
    bench.answer(batch_id, "accepted", "0101080000000000000001", "success")

    assert planned == {A: "planned", B: "planned"}
    assert (claimed.phones, claimed.content) == ([A, B], "您好")
    assert during == {A: "unknown", B: "unknown"}
    assert bench.statuses() == {A: "pending", B: "pending"}


@pytest.mark.parametrize(
    ("outcome", "status"), [("rejected", "rejected"), ("not_sent", "not_sent"), ("unknown", "unknown")]
)
def test_other_outcomes(bench: Bench, plain_batch: type[PlainBatch], outcome: str, status: str) -> None:
    """A refused, unsent or unanswered request gives its messages just that status."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A]))
    bench.claim(run, batch_id)
    bench.answer(batch_id, outcome, "", "IllegalMac" if outcome == "rejected" else "")

    assert bench.statuses() == {A: status}
    assert list(bench.store.batches()["state"]) == [outcome]


def test_a_number_gets_a_campaign_once(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """A second run sends only to the numbers that are new."""
    bench.send([A, B], "0101080000000000000001")
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A, B, C]))
    (claimed,) = bench.claim(run, batch_id)

    assert claimed.phones == [C]


def test_unknown_is_not_sent_again(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """Messages that may have been taken are in no later batch."""
    bench.send([A], "")
    run = bench.start()

    assert bench.register(run, plain_batch([A])) == []
    assert bench.statuses() == {A: "unknown"}


@pytest.mark.parametrize("outcome", ["rejected", "not_sent"])
def test_what_was_surely_not_sent_goes_again(bench: Bench, plain_batch: type[PlainBatch], outcome: str) -> None:
    """Refused and unsent messages move to the new run's batch, with the new text."""
    run = bench.start()
    (first,) = bench.register(run, plain_batch([A]))
    bench.claim(run, first)
    bench.answer(first, outcome)
    again = bench.start()
    (second,) = bench.register(again, plain_batch([A], content="改好的内容"))
    (claimed,) = bench.claim(again, second)

    assert (claimed.phones, claimed.content) == ([A], "改好的内容")
    assert len(bench.store.messages()) == 1


def test_two_runs_never_claim_the_same_batch(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """A batch that one run has taken is not given to another."""
    run, other = bench.start(), bench.start()
    (batch_id,) = bench.register(run, plain_batch([A]))

    assert len(bench.claim(run, batch_id)) == 1
    assert bench.claim(other, batch_id) == []


def test_a_plan_registered_twice_at_once_goes_out_once(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """Two notebooks that register the same plan share its messages; each goes out in one of them."""
    run, other = bench.start(), bench.start()
    (mine,) = bench.register(run, plain_batch([A, B]))
    (theirs,) = bench.register(other, plain_batch([A, B, C]))
    sent_by_other = bench.claim(other, theirs)
    sent_by_me = bench.claim(run, mine)

    assert [claimed.phones for claimed in sent_by_other] == [[A, B, C]]
    assert sent_by_me == []


def test_opted_out_between_plan_and_send(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """Somebody who opts out after the plan was made is left out at the last moment."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A, B]))
    bench.store.opt_out([A])
    (claimed,) = bench.claim(run, batch_id)

    assert claimed.phones == [B]


def test_a_dead_process_leaves_unknown(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """A batch in flight of a process that is gone is of unknown outcome, one of a living process is left alone."""
    run = bench.start()
    mine, dead = bench.register(run, plain_batch([A]), plain_batch([B]))
    bench.claim(run, mine, dead)
    with bench.store.db.conn as conn:
        conn.execute("UPDATE batches SET process = 'elsewhere:1:1' WHERE batch_id = ?", [dead])
        released = send_log.release_stale(conn)

    assert released.batch_ids == [dead]
    batches = bench.store.batches()
    assert list(batches["state"]) == ["submitting", "unknown"]
    assert batches["notice_code"].tolist()[1] == "sender_elsewhere"


def test_a_living_sender_is_waited_for_whatever_the_clock_says(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """A wall clock that jumps by weeks declares nobody's batch unknown."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A]))
    bench.claim(run, batch_id)
    bench.clock.jump(40 * 86_400)
    with bench.store.db.conn as conn:
        assert send_log.release_stale(conn).batch_ids == []
    bench.clock.jump(-80 * 86_400)
    with bench.store.db.conn as conn:
        assert send_log.release_stale(conn).batch_ids == []


def test_what_a_thread_that_is_gone_left_in_flight_is_unknown(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """The process lives, the thread that sent does not."""
    made: list[int] = []

    def sender() -> None:
        run = bench.start()
        made.extend(bench.register(run, plain_batch([A])))
        bench.claim(run, *made)

    thread = threading.Thread(target=sender)
    thread.start()
    thread.join()
    with bench.store.db.conn as conn:
        assert send_log.release_stale(conn).batch_ids == made
    assert bench.store.batches()["notice_code"].tolist() == ["process_ended"]


def test_already_sent_tells_number_by_number(bench: Bench) -> None:
    """Sent and possibly sent numbers count; others, other campaigns, other rounds and other keys do not."""
    bench.send([A], "0101080000000000000001")
    bench.send([B], "")
    ask = bench.store.sends.already_sent

    assert list(ask("c1", "", [C, B, A])) == [False, True, True]
    assert [*ask("c1", "", [A], ["7"]), *ask("c1", "2", [A]), *ask("c2", "", [A])] == [False, False, False]


def test_settling_by_word(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """The user's word settles an unknown batch, and can be taken back; the platform's word cannot."""
    first, second = bench.send([A], ""), bench.send([B], "")
    third = bench.send([C], "0101080000000000000003")
    bench.store.settle(first, "not_sent")
    bench.store.settle(second, "accepted")
    said = bench.statuses()
    bench.store.settle(first, "accepted")
    bench.store.settle(second, "not_sent")

    assert said == {A: "not_sent", B: "pending", C: "pending"}
    assert bench.statuses() == {A: "pending", B: "not_sent", C: "pending"}
    with pytest.raises(InputError, match="not of unknown outcome"):
        bench.store.settle(third, "not_sent")


@pytest.mark.parametrize("said", [None, "not_sent", "accepted"])
@pytest.mark.parametrize(("outcome", "status"), [("accepted", "pending"), ("rejected", "rejected")])
def test_a_late_answer_beats_what_was_said_meanwhile(
    bench: Bench, plain_batch: type[PlainBatch], said: Any, outcome: str, status: str
) -> None:
    """The batch was given up, and the user may have said what became of it: the platform's answer moves batch and messages."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A]))
    bench.claim(run, batch_id)
    with bench.store.db.conn as conn:
        conn.execute("UPDATE batches SET process = 'elsewhere:1:1'")
        send_log.release_stale(conn)
    if said is not None:
        bench.store.settle(batch_id, said)
    bench.answer(batch_id, outcome, "0101080000000000000009" if outcome == "accepted" else "")

    assert bench.statuses() == {A: status}
    assert list(bench.store.batches()["state"]) == [outcome]


def test_a_foreign_sqlite_file_is_refused(tmp_path: Path) -> None:
    """A SQLite file of another program is neither used nor changed."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE messages (text TEXT)")
    conn.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path)


def test_a_file_with_tables_of_another_program_stays_as_it_was(tmp_path: Path) -> None:
    """Whatever its tables are called: to file a ledger in it would be to begin one without a word."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE orders (number TEXT)")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["deleted", "replaced", "moved"])
def test_a_file_that_is_not_at_its_path_any_more_takes_nothing(
    bench: Bench, plain_batch: type[PlainBatch], tmp_path: Path, what: str
) -> None:
    """What would be written to it nobody would find: nothing is claimed, and put back, it goes on."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A]))
    path = bench.store.path
    path.rename(tmp_path / "aside.db")
    if what == "replaced":
        Store(tmp_path / "other.db").close()
        (tmp_path / "other.db").rename(path)
    for work in (lambda: bench.claim(run, batch_id), bench.start, lambda: bench.store.opt_out([A])):
        with pytest.raises(StoreError, match="moved, deleted or replaced") as caught:
            work()
    (tmp_path / "aside.db").rename(path)

    assert (caught.value.said.code, str(path) in str(caught.value)) == ("store_moved", True)
    assert bench.statuses() == {A: "planned"}
    assert [claimed.phones for claimed in bench.claim(run, batch_id)] == [[A]]


def test_a_thread_opens_no_other_file_under_the_same_name(bench: Bench) -> None:
    """Each thread has a connection of its own, to the same file or to none."""
    path, said = bench.store.path, []
    path.rename(path.with_suffix(".old"))
    Store(path).close()

    def ask() -> None:
        try:
            bench.store.messages()
        except StoreError as error:
            said.append(error.said.code)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert said == ["store_moved"]


def test_a_temporary_store_that_was_closed_says_so() -> None:
    """It is no question of rights or folders."""
    store = Store(":memory:")
    store.close()
    with pytest.raises(StoreError, match="temporary store was closed"):
        store.messages()


def test_a_folder_and_a_name_that_is_too_long_are_no_store(tmp_path: Path) -> None:
    """Both are said in words."""
    with pytest.raises(StoreError, match=r"is a folder: the store is a file, such as mas\.db"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="too long"):
        Store(tmp_path / ("x" * 300))


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is no SQLite file is refused with what to do."""
    path = tmp_path / "notes.db"
    path.write_text("Dear diary, " * 100)
    with pytest.raises(StoreError, match="not a SQLite file"):
        Store(path)


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """The store holds phone numbers: its file is readable by its owner alone."""
    with Store(tmp_path / "new.db") as store:
        assert store.path.stat().st_mode & 0o077 == 0


def test_what_the_file_says_of_a_batch_is_said_in_the_readers_language(
    bench: Bench, plain_batch: type[PlainBatch]
) -> None:
    """The file keeps a code and its parameters; words are made when the frame is read."""
    why = Text("{address} did not answer in time.", code="answer_timeout", address="mas.example")
    run = bench.start()
    ids = bench.register(run, *(plain_batch([phone]) for phone in (A, B, C)))
    bench.claim(run, *ids)
    answers = [(batch_id, SubmitResult("unknown", why=why)) for batch_id in ids[:2]]
    bench.store.sends.record_answers(answers)
    bench.store.settle(ids[1], "not_sent")
    english, chinese = (bench.store.batches(language=language) for language in ("en", "zh"))

    assert english["notice_code"].tolist()[:2] == ["answer_timeout", "settled_by_user"]
    assert chinese["notice_code"].tolist()[:2] == ["answer_timeout", "settled_by_user"]
    assert english["notice"].tolist()[:2] == ["mas.example did not answer in time.", "settled by the user"]
    assert chinese["notice"].tolist()[:2] == [why.text("zh"), "由用户确认"]
    assert english["notice"].isna().tolist() == [False, False, True]


@pytest.fixture
def older_file(tmp_path: Path) -> Path:
    """A file as the first release made it: sentences in the database, and an occasion where a round is now."""
    path = tmp_path / "older.db"
    db = Database(path)
    migrations.apply(db, stop_before="m002_notices_of_polls")
    db.execute("INSERT INTO accounts VALUES (1, 'a')")
    db.execute("INSERT INTO campaigns VALUES (1, 'c')")
    db.execute(
        "INSERT INTO batches (campaign_id, account_id, occasion, mode, state, notice, messages)"
        " VALUES (1, 1, 2, 'many_to_one', 'unknown', '连接中断', 1)"
    )
    db.execute(
        "INSERT INTO messages (batch_id, campaign_id, account_id, phone, occasion, carrier_id, status_id)"
        f" VALUES (1, 1, 1, '{A}', 2, 0, 3)"
    )
    db.execute(
        "INSERT INTO runs (campaign_id, account_id, plan_hash, process, started_at, ended_because)"
        " VALUES (1, 1, 'h', 'p', 0, 'done')"
    )
    db.conn.commit()
    db.close()
    return path


def test_an_older_file_is_brought_up_to_date(older_file: Path) -> None:
    """Its sentences stay under the code text, and its rounds go on."""
    with Store(older_file) as store:
        batches = store.batches(language="en")
        kept = store.db.execute("SELECT json_extract(ended_because, '$.code') FROM runs").fetchone()[0]

        assert batches[["round", "notice", "notice_code"]].to_numpy().tolist() == [["3", "连接中断", "text"]]
        assert kept == "text"
        assert list(store.sends.already_sent("c", "3", [A, B])) == [True, False]


def test_a_new_file_has_what_the_migrations_make_and_names_of_its_own(tmp_path: Path) -> None:
    """Tables, views, triggers and rows are those of all migrations one after the other; what was drawn by chance no file shares."""
    by_migrations = Database(memory=True)
    migrations.apply(by_migrations)
    with Store(tmp_path / "a.db") as one, Store(tmp_path / "b.db") as other:
        made, *files = ([*db.conn.iterdump()] for db in (by_migrations, one.db, other.db))

    def is_drawn(line: str) -> bool:
        return line.startswith(('INSERT INTO "ledger"', 'INSERT INTO "export_turns"'))

    def lasting(lines: list[str]) -> list[str]:
        return [
            line for line in lines if not is_drawn(line) and not line.startswith('INSERT INTO "_sqlite_migrations"')
        ]

    assert lasting(made) == lasting(files[0]) == lasting(files[1])
    assert len({line for lines in (made, *files) for line in lines if is_drawn(line)}) == 6


def test_an_older_file_that_cannot_be_written_says_so(older_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be brought up to date first cannot be read as it is."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(StoreError, match="earlier version"):
        Store(older_file)
