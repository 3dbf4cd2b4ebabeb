"""Numbers, bytes and times are read in one way: in sheets, in settings, in reports and in replies."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from masanalytics import delivery_rates, plan, write_report
from masanalytics.account import Account
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting import Collector
from masanalytics.errors import InputError
from masanalytics.opt_outs import match_opt_out
from masanalytics.phones import normalise_phones, read_phone
from masanalytics.protocol import fold_mobile, read_page, read_push, read_submit
from masanalytics.protocol.decoding import decode
from masanalytics.store import Store
from tests.bench import Bench, report
from tests.raw_server import ScriptedServer, answer

REPLY = [{"smsContent": "退订", "mobile": "13800138000", "sendTime": "2026-11-27 12:00:00", "addSerial": "1065712"}]
GBK_REPLY = json.dumps(REPLY, ensure_ascii=False).encode("gbk")


@pytest.mark.parametrize(
    ("raw", "charset", "text", "encoding"),
    [
        ("退订".encode(), "", "退订", "utf-8"),
        ("退订".encode(), "gbk", "退订", "utf-8"),
        ("退订".encode("gb18030"), "utf-8", "退订", "gb18030"),
        ("通通".encode("gbk"), "", "\u0368\u0368", "utf-8"),
        ("通通".encode("gbk"), "GBK", "通通", "gb18030"),
        ('["通通","退订"]'.encode("gbk"), "", '["通通","退订"]', "gb18030"),
        (b'["' + "退订".encode("gbk") + b'","' + "移动".encode() + b'"]', "", '["退订","移动"]', "gb18030"),
        ("退订".encode()[:-1], "", "退\ufffd", "utf-8"),
        (b'["' + "退订".encode() + b'\xff"]', "", '["退订\ufffd"]', "damaged"),
        (b'["\xff"]', "", '["\ufffd"]', "damaged"),
        ("𠮷€".encode("gb18030"), "", "𠮷€", "gb18030"),
    ],
)
def test_an_answer_is_utf8_else_gb18030(raw: bytes, charset: str, text: str, encoding: str) -> None:
    """The bytes decide, piece by piece; the header only where they do not; what is neither is said to be damaged."""
    assert decode(raw, charset) == (text, encoding)


@pytest.mark.parametrize("wrap", [lambda raw: raw, base64.b64encode, lambda raw: b'"' + base64.b64encode(raw) + b'"'])
def test_an_opt_out_in_gbk_is_one(bench: Bench, wrap: object) -> None:
    """A reply in GBK, plain or in Base64, is read, counts as an opt-out, and the answer says what it was."""
    received = bench.receive(wrap(GBK_REPLY), "deliver")  # type: ignore[operator]
    assert bench.store.uplinks()[["content", "opt_out"]].to_numpy().tolist() == [["退订", "opt_out"]]
    assert plan(
        pd.DataFrame({"p": ["13800138000"]}), phone="p", text="您好", campaign="C", store=bench.store
    ).messages.empty
    assert (bench.store.polls()["state"].tolist(), received.notice and received.notice.code) == (["parsed"], "gb18030")


def test_a_reply_that_no_encoding_reads_is_kept_for_a_person(bench: Bench) -> None:
    """Its answer stays unparsed, says so, and the reply is put up for review."""
    received = bench.receive(GBK_REPLY.replace("退订".encode("gbk"), b"\xff\xff"), "deliver")
    assert bench.store.uplinks()["opt_out"].tolist() == ["review"]
    assert bench.store.polls()["state"].tolist() == ["unparsed"]
    assert received.notice is not None
    assert received.notice.code == "damaged_text"


def test_the_charset_of_the_header_is_kept_with_the_answer(tmp_path: Path) -> None:
    """Read again, an answer whose bytes could be either is read as its header said the first time."""
    body = json.dumps([REPLY[0] | {"smsContent": "通通"}], ensure_ascii=False).encode("gbk")
    server = ScriptedServer(answer(body, "200 OK", "Content-Type: application/json;charset=GBK"))
    account = Account(f"http://127.0.0.1:{server.port}", "e", "a", "k3y-k3y", protocol="https", poll_interval=0)
    with Store(tmp_path / "s.db") as store, Client(account) as client:
        Collector(client, store, say=str).collect()
        store.replay()
        assert store.uplinks()["content"].tolist() == ["通通"]


def test_a_refused_submit_and_an_error_page_in_gbk_are_readable() -> None:
    """What the platform says of a request can be read whatever it is written in."""
    assert read_submit('{"success":false,"rspcod":"X1","message":"系统维护中"}'.encode("gbk")).message == "系统维护中"
    assert (
        read_page("<html>系统维护中</html>".encode("gbk"), "report", status=503).notice
        == "HTTP 503: <html>系统维护中</html>"
    )


@pytest.mark.parametrize("size", [400_000])
def test_reading_takes_time_with_the_length_alone(size: int) -> None:
    """Spaces behind what could be Base64, brackets, cut strings: 400 kB are read in well under a second."""
    raws = [b"Internal error" + b" " * size + b"!", b"W" + b" \n" * size, b"[" * size, b",{" * size, b'"\\' * size,
            b"e" * size + b"=" * size, b'[{"a":' * (size // 6), b'[{"a":' * 400 + b"1," * (size // 2)]  # fmt: skip
    began = time.perf_counter()
    for raw in raws:
        read_page(raw, "report")
        read_submit(raw)
    match_opt_out("好 " * 5_000_000)
    normalise_phones(pd.Series(["1-3 " * 250_000] * 3))
    assert time.perf_counter() - began < 6


FORMS = ["013800138000", "(+86)13800138000", "+86 138-0013-8000", "0086 13800138000", "1.3800138000E10", "１３８００１３８０００",
         "13800138000.0", "手机：13800138000", "1 3800138000", "'13800138000", "[138]00138000"]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_number_is_the_same_in_a_plan_a_reply_a_report_and_a_setting(bench: Bench, form: str) -> None:
    """Whatever the plan folds to a number is that number in replies, reports and allow_only, or nowhere."""
    planned = (
        plan(pd.DataFrame({"p": [form]}, dtype=object), phone="p", text="您好", campaign="C").messages["phone"].tolist()
    )
    assert planned == [fold_mobile(form)] == [read_phone(form)[0]] == ["13800138000"]
    account = Account("https://mas.example", "e", "a", "k", allow_only=[form])
    assert account.allows("13800138000")
    bench.send(["13800138000"], "0105013527000001139923")
    bench.receive([report(form, "0105013527000001139923")])
    bench.receive([REPLY[0] | {"mobile": form, "smsContent": "TD"}], "deliver")
    assert bench.statuses() == {"13800138000": "delivered"}
    assert bench.store.opt_outs()["phone"].tolist() == ["13800138000"]
    assert bench.store.foreign_reports().empty


@pytest.mark.parametrize(
    "group",
    [" ０105013527000001139923\u200b", '"0105013527000001139923"', 105013527000001139923],
    ids=["dressed", "quoted", "number"],
)
def test_a_message_group_is_folded(group: Any, bench: Bench) -> None:
    """Space, width, quotes and unseen signs around a msgGroup make no other batch of it, nor does the zero that a number has lost."""
    bench.send(["13800138000"], "0105013527000001139923")
    received = bench.receive([report("13800138000", group)])
    assert (bench.statuses(), received.foreign) == ({"13800138000": "delivered"}, 0)
    assert read_submit(b'{"success":true,"rspcod":"success","msgGroup":" 0105 "}').msg_group == "0105"


@pytest.mark.parametrize("none", ["", "null", " ", "0", "-"])
def test_reports_without_a_group_are_set_aside_and_count_nowhere(bench: Bench, none: str) -> None:
    """They are neither merged nor counted beside our own messages; what they said is kept."""
    bench.send(["13800138000", "13900139000"], "0105013527000001139923")
    days = [("20260120", "DELIVRD"), ("20260122", "MI:0001"), ("20260125", "DELIVRD")]
    rows = [
        report("13800138000", none, code, submitDate=f"{day}080000", receiveDate=f"{day}080005") for day, code in days
    ]
    received = bench.receive([*rows, report("13900139000", none)])
    assert (received.reports, received.set_aside, bench.store.polls()["state"].tolist()) == (0, 4, ["unparsed"])
    assert delivery_rates(bench.store)[["accepted", "delivered", "pending"]].to_numpy().tolist() == [[2, 0, 2]]
    kept = bench.store.db.execute("SELECT reason, record FROM records_set_aside").fetchall()
    assert [reason for reason, _ in kept] == ["no msgGroup"] * 4
    assert "MI:0001" in kept[1][1]


@pytest.mark.parametrize(
    "date",
    [
        "2099-12-31 00:00:00",
        *(
            pytest.param(date, marks=pytest.mark.slow)
            for date in ("00010101000000", "19000101000000", "19700101080000", "99991231235959")
        ),
    ],
)
def test_a_sentinel_date_is_none(bench: Bench, date: str, tmp_path: Path) -> None:
    """A date that the platform cannot mean is no instant; its text is kept, and page, workbook and chart are written."""
    group = "0101080000000001139923"
    bench.receive([report("13800138000", group), report("13900139000", group, submitDate=date, receiveDate=date)])
    reports = bench.store.reports()
    assert reports["submit_date"].tolist() == ["20260101080000", date]
    assert reports["submitted_at"].isna().tolist() == [False, True]
    for name in ("x.html", "x.xlsx"):
        write_report(bench.store, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("退訂", "opt_out"), ("TT", "review"), ("停", "review"), ("NO", "review"), ("不用了", "review"), ("拒绝", "review"),
     ("好的", None), ("TD" + " " * 5000, "review"), ("好" * 5000, None), ("退订" + "x" * 5000, "review")],
)  # fmt: skip
def test_words_of_opting_out(text: str, verdict: str | None) -> None:
    """退訂 is 退订; what may be meant so is for a person to read; what is too long is no word."""
    assert match_opt_out(text) == verdict


def test_one_text_is_no_list_of_words() -> None:
    """Its letters would be the words: a reply "D" would be an opt-out."""
    with pytest.raises(InputError, match="several words"):
        Store(":memory:", opt_out_words="TD")


def test_an_answer_that_ends_its_reader_is_set_aside(store: Store, clock: ManualClock) -> None:
    """An answer at whose reading the process ended three times in a minute or more is put aside and not met again."""
    bench = Bench(store, clock)
    intake = store.intake
    turn = intake.take_turn(bench.account, "report", 0.0, clock, "bench")
    with store.db.conn:
        store.db.conn.execute("UPDATE polls SET state = 'stored', raw = x'5b5d', answered_at = 1, process = 'gone:1:1'")
    states = []
    for _ in range(5):
        intake.begin_again(turn.poll_id, clock.now())
        clock.sleep(20)
        states.append(store.polls()["state"].iloc[0])
    assert states == ["stored", "stored", "stored", "unparsed", "unparsed"]


def test_processes_killed_one_after_the_other_leave_no_answer_unread(store: Store, clock: ManualClock) -> None:
    """However often they are killed within a minute, the answer is read again."""
    turn = store.intake.take_turn(Bench(store, clock).account, "report", 0.0, clock, "bench")
    with store.db.conn:
        store.db.conn.execute("UPDATE polls SET state = 'stored', raw = x'5b5d', answered_at = 1, process = 'gone:1:1'")
    assert [store.intake.begin_again(turn.poll_id, clock.now()) for _ in range(20)] == [True] * 20


@pytest.mark.parametrize(
    "token", ["x", "\\'", '\\"', "1e", "a ", ", ", "a:", "é", "退", "=", "%22", "&#", "13800138000,"]
)
@pytest.mark.parametrize("first", ["", "[", "{'", "<", "mobile="])
def test_rubbish_of_any_length_is_read_in_one_pass(first: str, token: str) -> None:
    """What repeats itself is not looked at again from each of its characters: 200 kB take no time, and are kept as they came."""
    raw = (first + token * (200_000 // len(token.encode()))).encode()
    began = time.process_time()
    pages = [read_page(raw, endpoint) for endpoint in ("report", "deliver")]
    pushed = read_push(raw, "report")

    assert time.process_time() - began < 2
    assert not any(page.records for page in pages)
    assert [part.endpoint for part in pushed] == ["report"]


@pytest.mark.parametrize("never", ["20381231235959", "2079-06-06 23:59:00"])
def test_a_time_years_ahead_is_none(bench: Bench, never: str) -> None:
    """What a database writes for "never" gives no latency of half a century; what it wrote is kept."""
    bench.receive([report("13800138000", "0101080000000001139923", receiveDate=never)])

    messages = bench.store.messages()
    assert (messages["status"].tolist(), messages["latency_s"].isna().tolist()) == (["delivered"], [True])
    assert bench.store.reports()["receive_date"].tolist() == [never]
