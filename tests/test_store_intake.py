"""Collecting's side of the store: reports find their messages, whatever the order, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

import masanalytics as mas
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.store import Store, replay
from masanalytics.store.kept_texts import plain_sentences_sql
from masanalytics.store.message_outcomes import Evidence, Outcome, fold
from masanalytics.store.schema import migrations
from masanalytics.vocabulary import MESSAGE_COLUMNS, Status
from tests.bench import Bench, PlainBatch

A, B, C = "13800138000", "13800138001", "13800138002"
G1, G2 = "0101080000000000000001", "0101080000000000000002"


def test_delivered_and_failed(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """DELIVRD delivers; anything else final fails, with its code, and latency is receiveDate - submitDate."""
    bench.send([A, B, C], G1)
    received = bench.receive([make_report(A, G1), make_report(B, G1, "MK:0012", receiveDate="20260101080100")])
    frame = bench.store.messages("c1").set_index("phone")

    assert (received.size, received.reports, received.foreign, received.drained) == (2, 2, 0, True)
    assert list(frame["status"]) == ["delivered", "failed", "pending"]
    assert list(frame["latency_s"].fillna(-1)) == [10, 60, -1]
    assert list(frame["error_code"].fillna("")) == ["", "MK:0012", ""]
    assert list(frame["report_status"].fillna("")) == ["DELIVRD", "MK:0012", ""]
    assert frame.loc[A, "received_at"] == pd.Timestamp("2026-01-01 08:00:10", tz="Asia/Shanghai")


def test_the_code_is_taken_from_the_status_where_there_is_no_other(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """A failed report without an errorCode still says why."""
    bench.send([A], G1)
    bench.receive([make_report(A, G1, "UNDELIV", errorCode="")])

    assert list(bench.store.messages()["error_code"]) == ["UNDELIV"]


def test_both_places_of_the_word_for_success(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """DELIVRD delivers in reportStatus, and also in errorCode beside CM:0000, alone or among several reports."""
    bench.send([A, B], G1)
    bench.receive([make_report(A, G1, "CM:0000", errorCode="DELIVRD")])
    bench.receive([make_report(B, G1), make_report(B, G1, "CM:0000", errorCode="DELIVRD")])

    assert bench.statuses() == {A: "delivered", B: "delivered"}


def test_the_same_report_twice_counts_once(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """A report handed out again, in the same page or a later one, changes nothing."""
    bench.send([A], G1)
    bench.receive([make_report(A, G1), make_report(A, G1)])
    bench.receive([make_report(A, G1)])

    assert len(bench.store.reports()) == 1
    assert list(bench.store.messages()["reports"]) == [1]


def test_a_long_message_is_delivered_only_if_no_part_failed(
    bench: Bench, make_report: Callable[..., dict[str, str]], plain_batch: type[PlainBatch]
) -> None:
    """Several reports for one message fold into one outcome, whatever page they come in."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A, B], segments=[2, 2]))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", G1)
    bench.receive([make_report(A, G1), make_report(B, G1)])
    bench.receive([make_report(A, G1, "MK:0001", receiveDate="20260101080005"),
                   make_report(B, G1, receiveDate="20260101080030")])  # fmt: skip
    frame = bench.store.messages().set_index("phone")

    assert list(frame["status"]) == ["failed", "delivered"]
    assert list(frame["reports"]) == [2, 2]
    assert list(frame["latency_s"]) == [10, 30]
    assert frame.loc[A, "error_code"] == "MK:0001"


def test_an_intermediate_report_waits_for_the_final_one(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """ACCEPTD leaves a message pending; the final report decides, even if it came first."""
    bench.send([A, B], G1)
    bench.receive([make_report(A, G1, "ACCEPTD"), make_report(B, G1)])
    first = bench.statuses()
    bench.receive([make_report(A, G1), make_report(B, G1, "ACCEPTD", receiveDate="20260101080020")])

    assert first == {A: "pending", B: "delivered"}
    assert bench.statuses() == {A: "delivered", B: "delivered"}


@pytest.mark.parametrize("mobile", ["+8613800138000", "8613800138000", " 138 0013 8000"])
def test_forms_of_a_number_are_folded(bench: Bench, make_report: Callable[..., dict[str, str]], mobile: str) -> None:
    """A report finds its message whichever way the platform writes the number."""
    bench.send([A], G1)
    bench.receive([make_report(mobile, G1)])

    assert bench.statuses() == {A: "delivered"}


def test_the_same_group_a_year_later_is_another_batch(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """A msgGroup carries no year: reports go to the batch sent near their submit date."""
    bench.send([A], G1, campaign="this year")
    bench.clock.sleep(365 * 86400)
    bench.send([A], G1, campaign="next year")
    bench.receive([make_report(A, G1, submitDate="20270101080000", receiveDate="20270101080005")])

    assert bench.statuses("this year") == {A: "pending"}
    assert bench.statuses("next year") == {A: "delivered"}


def test_reports_of_others_become_messages_of_no_campaign(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """Another system's reports are kept, counted, analysed under no campaign, and listed for their owner."""
    bench.send([A], G1)
    received = bench.receive([make_report(A, G1), make_report(B, G2), make_report(C, G2, "MK:0001")])
    foreign = bench.store.foreign_reports()
    frame = bench.store.messages()

    assert received.foreign == 2
    assert list(foreign["phone"]) == [B, C]
    assert list(frame["status"]) == ["delivered", "delivered", "failed"]
    assert list(frame["campaign"].isna()) == [False, True, True]
    assert list(frame["mode"]) == ["many_to_one", "foreign", "foreign"]


def test_a_stranger_in_our_own_group_is_foreign(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """A number that is not in the batch does not join it."""
    bench.send([A], G1)
    bench.receive([make_report(B, G1)])
    frame = bench.store.messages().set_index("phone")

    assert list(frame["status"]) == ["pending", "delivered"]
    assert frame["campaign"].isna()[B]


def test_reports_before_the_batch_answer_find_it_later(
    bench: Bench, plain_batch: type[PlainBatch], make_report: Callable[..., dict[str, str]]
) -> None:
    """Reports that come while the submit answer is on its way move to their messages once it is stored."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch([A, B]))
    bench.claim(run, batch_id)
    bench.receive([make_report(A, G1)])
    bench.answer(batch_id, "accepted", G1)

    assert bench.statuses() == {A: "delivered", B: "pending"}
    assert len(bench.store.messages()) == 2
    assert list(bench.store.reports()["campaign"]) == ["c1"]


@pytest.mark.parametrize(
    ("number", "group", "submitted"),
    [
        (C, G1, "20260101080000"),  # not one of its numbers
        (A, "0101120000000000000001", "20260101120000"),  # hours later
        (A, "0101060000000000000001", "20260101060000"),  # before the attempt
        (A, "0101120000000000000001", "20260101080000"),  # the group's own time is another
    ],
)
def test_reports_that_do_not_fit_settle_nothing(
    bench: Bench, make_report: Callable[..., dict[str, str]], number: str, group: str, submitted: str
) -> None:
    """Neither another number nor another time makes an unknown batch accepted."""
    numbers = [A, B, *(f"1370013800{n}" for n in range(4))]
    bench.send(numbers, "")
    wrong = [number, *numbers[1:]]
    received = bench.receive([make_report(phone, group, submitDate=submitted) for phone in wrong])

    assert received.settled == 0
    assert set(bench.statuses().values()) == {"unknown"}


def test_replies_and_opt_outs(bench: Bench) -> None:
    """A reply belongs to the last message before it; T opts out at once; one that only mentions it is for a person."""
    first = bench.send([A, B], G1, campaign="c1")
    bench.clock.sleep(3600)
    second = bench.send([A], G2, campaign="c2")
    bench.clock.sleep(60)
    replies = [
        {"mobile": A, "smsContent": " ｔ ", "sendTime": "2026-01-01 09:00:30", "addSerial": "10657500"},
        {"mobile": B, "smsContent": "请帮我退订吧谢谢", "sendTime": "2026-01-01 08:30:00", "addSerial": "10657500"},
        {"mobile": C, "smsContent": "你好", "sendTime": "2026-01-01 08:30:00", "addSerial": "10657500"},
    ]
    received = bench.receive(replies, "deliver")
    bench.receive(replies, "deliver")
    uplinks = bench.store.uplinks()

    assert (received.uplinks, received.opt_outs, len(uplinks)) == (3, 1, 3)
    assert list(uplinks["campaign"].fillna("")) == ["c2", "c1", ""]
    assert list(uplinks["opt_out"].fillna("")) == ["opt_out", "review", ""]
    assert list(bench.store.opt_outs()["phone"]) == [A]
    assert list(bench.store.sends.opted_out([A, B])) == [True, False]
    assert list(bench.store.opted_out([A, B])) == [True, False]
    assert (first, second) == (1, 2)


def test_the_extension_names_the_campaign(bench: Bench) -> None:
    """Where a campaign was sent with its own extension, the reply's service code tells which one it answers."""
    bench.send([A], G1, campaign="c1", add_serial="01")
    bench.clock.sleep(60)
    bench.send([A], G2, campaign="c2", add_serial="02")
    bench.clock.sleep(60)
    bench.receive(
        [{"mobile": A, "smsContent": "好", "sendTime": "2026-01-01 08:02:30", "addSerial": "1065750001"}], "deliver"
    )

    assert list(bench.store.uplinks()["campaign"]) == ["c1"]


def test_opting_in_again_outlives_a_replay(bench: Bench) -> None:
    """Somebody taken off the list stays off it when old replies are read again, and comes back with a new one."""
    bench.send([A], G1)
    bench.clock.sleep(10)
    reply = {"mobile": A, "smsContent": "TD", "sendTime": "2026-01-01 08:00:05", "addSerial": ""}
    bench.receive([reply], "deliver")
    bench.store.opt_in([A])
    replay(bench.store)
    after_replay = list(bench.store.opt_outs()["phone"])
    bench.receive([reply | {"sendTime": "2026-01-02 08:00:00"}], "deliver")

    assert after_replay == []
    assert list(bench.store.opt_outs()["phone"]) == [A]


def test_broken_records_are_set_aside_and_harm_no_other(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """One record that does not parse is kept with its reason; the others count."""
    bench.send([A, B], G1)
    received = bench.receive([make_report(A, G1), "nonsense", make_report(B, G1)])
    aside = list(bench.store.db.query("SELECT position, record FROM records_set_aside"))

    assert (received.reports, received.set_aside) == (2, 1)
    assert [row["position"] for row in aside] == [1]
    assert bench.statuses() == {A: "delivered", B: "delivered"}
    assert list(bench.store.polls(state="unparsed")["set_aside"]) == [1]


def test_an_answer_that_is_not_data_is_not_counted(bench: Bench) -> None:
    """A refusal moves no coverage and is shown as rejected."""
    received = bench.receive({"success": False, "message": "too soon"})

    assert (received.kind, received.size, received.drained) == ("rejected", 0, False)
    assert len(bench.store.coverage()) == 0
    assert list(bench.store.polls()["state"]) == ["rejected"]


def test_coverage_remembers_drained_polls_and_gaps(bench: Bench) -> None:
    """Polls that drained the queue extend coverage; more than ten minutes without one is a gap."""
    bench.receive([])
    bench.clock.sleep(300)
    bench.receive([])
    bench.clock.sleep(3600)
    bench.receive([])
    frame = bench.store.coverage()

    assert list((frame["ended_at"] - frame["started_at"]).dt.total_seconds()) == [300, 0]
    assert list(frame["gap_before_s"].fillna(-1)) == [-1, 3600]


def test_waited_is_up_to_coverage_not_up_to_now(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """waited_s ends at the last drained poll, however long ago that was."""
    bench.send([A], G1)
    bench.clock.sleep(120)
    bench.receive([])
    bench.clock.sleep(9000)

    assert list(bench.store.messages()["waited_s"]) == [120]


def test_replay_rebuilds_the_same_tables(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """Reading all answers again gives identical reports, uplinks and messages, as often as asked."""
    bench.send([A, B], G1)
    bench.send([C], "", campaign="lost")
    bench.receive([make_report(A, G1), make_report("13900000000", "0101075900000000000077")])
    bench.receive([make_report(B, G1, "ACCEPTD"), make_report(C, G2)])
    bench.receive([{"mobile": A, "smsContent": "T", "sendTime": "2026-01-01 08:05:00", "addSerial": ""}], "deliver")
    bench.receive([make_report(B, G1, "UNDELIV")])
    tables = ("messages", "reports", "uplinks", "opt_outs", "coverage", "records_set_aside", "batches")

    def everything() -> dict[str, list[dict[str, object]]]:
        return {name: list(bench.store.db.table(name).rows) for name in tables}

    before = everything()
    counts = [replay(bench.store), replay(bench.store)]

    assert counts == [4, 4]
    assert everything() == before


def test_raw_answers_are_compressed_or_dropped_only_when_asked(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """Compressed answers replay as before; dropped ones leave what they brought, and unreadable ones are never dropped."""
    bench.send([A, B], G1)
    bench.receive([make_report(A, G1)])
    bench.receive(["nonsense", make_report(B, G1)])
    raw = bench.store.raw_answer(1)
    bench.clock.sleep(10)
    compressed = bench.store.compress_answers()
    same = bench.store.raw_answer(1)
    replay(bench.store)
    after_replay = bench.statuses()
    pruned = bench.store.prune_answers("2026-02-01")
    replay(bench.store)

    assert (compressed, same) == (1, raw)
    assert after_replay == {A: "delivered", B: "delivered"}
    assert pruned == 1
    assert (bench.store.raw_answer(1), bench.store.raw_answer(2) is None) == (None, False)
    assert bench.statuses() == {A: "delivered", B: "delivered"}
    assert len(bench.store.reports()) == 2


def test_frame_columns_and_dtypes(bench: Bench) -> None:
    """A messages frame has the columns of the design in their order, also when empty."""
    empty = bench.store.messages()
    bench.send([A], G1)
    filled = bench.store.messages()

    assert list(empty.columns) == list(filled.columns) == list(MESSAGE_COLUMNS)
    assert [str(kind) for kind in filled.dtypes] == list(MESSAGE_COLUMNS.values())
    assert [str(kind) for kind in empty.dtypes] == list(MESSAGE_COLUMNS.values())


_EVIDENCE = st.builds(
    Evidence,
    st.sampled_from([Status.pending, Status.delivered, Status.failed]),
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(1, 3)),
    st.one_of(st.none(), st.integers(0, 5)),
    st.one_of(st.none(), st.integers(0, 9)),
)


@given(st.lists(_EVIDENCE, min_size=1, max_size=6), st.randoms())
def test_the_order_of_reports_does_not_matter(reports: Any, random: Any) -> None:
    """Folding gives the same outcome whatever the order, failed if any failed, and counts them all."""
    shuffled = list(reports)
    random.shuffle(shuffled)
    for segments in (1, 2):
        assert fold(shuffled, segments) == fold(reports, segments)
    outcome = fold(reports)
    kinds = {report.status for report in reports}
    expected = next(kind for kind in (Status.failed, Status.delivered, Status.pending) if kind in kinds)

    assert fold(shuffled) == outcome
    assert (outcome.status_id, outcome.reports) == (expected, len(reports))


def test_fold_by_hand() -> None:
    """Two parts delivered at 110 and 140 make one message delivered at 140."""
    parts = [Evidence(Status.delivered, 1, None, 100, 110), Evidence(Status.delivered, 1, None, 100, 140)]

    assert fold(parts) == Outcome(5, 1, None, 100, 140, 2)


def test_messages_are_narrowed_as_the_analysis_narrows_them(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """One filter: carriers by either name, any column, times; a mistyped name and no time are the same error in both."""
    bench.receive([make_report(A, G1), make_report("18600186000", G1)])

    assert list(bench.store.messages(carrier="中国联通")["phone"]) == ["18600186000"]
    assert list(bench.store.messages(where={"carrier": "China Unicom"})["phone"]) == ["18600186000"]
    assert bench.store.messages(since="2100-01-01").empty
    asks: list[Callable[..., object]] = [
        bench.store.messages,
        lambda **filters: mas.delivery_rates(bench.store, **filters),
    ]
    for ask in asks:
        with pytest.raises(InputError, match="did you mean 'carrier'"):
            ask(carier="中国移动")
        with pytest.raises(InputError, match="is not a time"):
            ask(since=pd.NaT)


def test_a_notice_is_kept_as_code_and_parameters_and_said_in_the_readers_language(bench: Bench) -> None:
    """What a poll's notice says becomes words when it is read; a sentence of an older file stays as it is."""
    notice = Text("{address} did not answer in time.", code="answer_timeout", address="mas.example")
    for _ in range(2):
        turn = bench.store.intake.take_turn(bench.account, "report", 0.0, bench.clock, "test")
        bench.store.intake.note_no_answer(bench.account, turn.poll_id, notice, bench.clock, lost=True)
    bench.store.db.execute("UPDATE polls SET notice = 'an older sentence' WHERE poll_id = 2")
    bench.store.db.execute(plain_sentences_sql("polls", "notice") + " AND poll_id = 2")
    codes = [row[0] for row in bench.store.db.execute("SELECT json_extract(notice, '$.code') FROM polls").fetchall()]

    assert codes == ["answer_timeout", "text"]
    assert list(bench.store.polls(language="en")["notice"]) == [
        "mas.example did not answer in time.",
        "an older sentence",
    ]
    assert list(bench.store.polls(language="zh")["notice"]) == [notice.text("zh"), "an older sentence"]
    assert notice.text("zh") != notice.text("en")


def test_polls_of_an_older_file_are_rejected_too(tmp_path: Path) -> None:
    """What an older release called a refused poll is called rejected, as a batch is."""
    path = tmp_path / "older.db"
    older = Database(path)
    migrations.apply(older, stop_before="m004_rejected_polls")
    with older.conn as conn:
        conn.execute("INSERT INTO accounts VALUES (1, '企业/ap')")
        conn.execute("INSERT INTO polls (account_id, endpoint, state, asked_at) VALUES (1, 'report', 'refused', 0)")
    older.close()

    with Store(path) as store:
        assert list(store.polls()["state"]) == ["rejected"]


def test_what_is_handed_out_again_is_counted_apart(bench: Bench, make_report: Callable[..., dict[str, str]]) -> None:
    """A page that comes three times brings its records once."""
    bench.send([A, B], G1)
    page = [make_report(A, G1), make_report(B, G1)]
    counts = [(one.reports, one.repeated) for one in (bench.receive(page) for _ in range(3))]
    reply = {"mobile": A, "smsContent": "好", "sendTime": "2026-01-01 08:00:00", "addSerial": "1"}
    replies = [(one.uplinks, one.repeated) for one in (bench.receive([reply], "deliver") for _ in range(2))]

    assert counts == [(2, 0), (0, 2), (0, 2)]
    assert replies == [(1, 0), (0, 1)]


def test_a_push_whose_form_was_not_known_is_read_again(bench: Bench) -> None:
    """It is kept as it came; a version that knows form fields reads it by replay."""
    bench.send(["13800138000"], "0101080000000000000001")
    body = (
        b"mobile=13800138000&reportStatus=DELIVRD&msgGroup=0101080000000000000001&submitDate=20260101080000"
        b"&receiveDate=20260101080010&errorCode="
    )
    bench.receive(body)
    bench.store.replay()

    assert bench.statuses() == {"13800138000": "delivered"}
    assert bench.store.polls()["state"].tolist() == ["parsed"]


def test_a_reply_that_was_kept_as_a_report_is_read_as_the_reply_it_is(bench: Bench) -> None:
    """One address takes both, and its form was not known: the opt-out in it is not lost."""
    bench.receive(b"mobile=13800138000&smsContent=TD&sendTime=20260101080000&addSerial=")
    bench.store.replay()

    assert bench.store.uplinks()[["phone", "content"]].to_numpy().tolist() == [["13800138000", "TD"]]
    assert bench.store.opted_out(["13800138000"]).tolist() == [True]


def test_a_form_of_unknown_names_that_names_a_number_is_a_hole(bench: Bench) -> None:
    """It may be a report: it is kept unread, and is no word of the platform's."""
    bench.receive(b"phoneNumber=13800138000&stat=DELIVRD")

    assert bench.store.polls()["state"].tolist() == ["unparsed"]
    assert bench.store.missing_answers()["records"].tolist() == [1000]
