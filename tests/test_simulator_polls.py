"""What the simulated platform hands out: once, a page at a time, at its own pace, in every form that was seen."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from masanalytics.clock import Clock, FastClock, ManualClock
from masanalytics.errors import ConfigError
from masanalytics.simulator.behaviour import Scripted
from masanalytics.simulator.platform import Platform
from masanalytics.simulator.population import Population
from masanalytics.simulator.settings import DEFAULT_ACCOUNT, PlatformAccount, Rules, Style

START = 1_767_225_600.0  # 2026-01-01 08:00:00 in China
ANSWER_TOO_SOON = {"message": "TOO_FREQUENT", "success": False}


def make(
    behaviour: Scripted | None = None,
    *,
    start: float = START,
    clock: Clock | None = None,
    rules: Rules | None = None,
    style: Style | None = None,
    accounts: tuple[PlatformAccount, ...] = (DEFAULT_ACCOUNT,),
) -> Platform:
    return Platform(accounts, behaviour or Scripted(), clock or ManualClock(start), rules=rules, style=style)


def encoded(fields: Mapping[str, str | None]) -> bytes:
    return base64.b64encode(json.dumps(fields, ensure_ascii=False).encode())


def submit(platform: Platform, *phones: str, content: str = "你好", account: PlatformAccount = DEFAULT_ACCOUNT) -> str:
    """Submit by hand and return the msgGroup."""
    values = [account.ec_name, account.ap_id, ",".join(phones), content, account.signs[0], ""]
    joined = "".join([*values[:2], account.secret, *values[2:]])
    names = ("ecName", "apId", "mobiles", "content", "sign", "addSerial")
    fields = {**dict(zip(names, values, strict=True)), "mac": hashlib.md5(joined.encode()).hexdigest()}
    answer = platform.submit("submit", encoded(fields), platform.audit_log.open_request("submit", 0.0, "test"))
    return json.loads(answer.text)["msgGroup"]


def poll(
    platform: Platform, endpoint: str = "report", account: PlatformAccount = DEFAULT_ACCOUNT, **changes: str | None
) -> Any:
    """Poll by hand; return rows, or the object answered instead."""
    fields = {"ecName": account.ec_name, "apId": account.ap_id, "secretKey": account.secret, **changes}
    fields = {name: value for name, value in fields.items() if value is not None}
    answer = platform.poll(endpoint, encoded(fields), platform.audit_log.open_request(endpoint, 0.0, "test"))
    return json.loads(answer.text) if answer.rows is None else [json.loads(row) for row in answer.rows]


def test_a_report_says_what_the_document_says() -> None:
    """Delivered: DELIVRD and no errorCode. Failed: the code in both fields. Dates in China time."""
    platform = make(Scripted({"13900139000": ("DB:0141", 3)}))
    group = submit(platform, "13800138000", "13900139000")
    platform.clock.sleep(10)
    assert poll(platform) == [
        {
            "errorCode": "",
            "mobile": "13800138000",
            "msgGroup": group,
            "receiveDate": "20260101080001",
            "reportStatus": "DELIVRD",
            "submitDate": "20260101080000",
        },
        {
            "errorCode": "DB:0141",
            "mobile": "13900139000",
            "msgGroup": group,
            "receiveDate": "20260101080003",
            "reportStatus": "DB:0141",
            "submitDate": "20260101080000",
        },
    ]


def test_reports_come_when_due_and_once() -> None:
    """A report cannot be fetched before its time, nor twice; one that never comes never comes."""
    platform = make(Scripted({"13900139000": ("EXPIRED", 172_800), "13700137000": None}))
    submit(platform, "13800138000", "13900139000", "13700137000")
    assert poll(platform) == []
    platform.clock.sleep(5)
    assert [row["mobile"] for row in poll(platform)] == ["13800138000"]
    assert platform.waiting() == (0, 1, 0, 0)
    platform.clock.sleep(172_790)
    assert poll(platform) == []
    platform.clock.sleep(10)
    assert [row["mobile"] for row in poll(platform)] == ["13900139000"]
    platform.clock.sleep(1_000_000)
    assert poll(platform) == []
    assert platform.waiting() == (0, 0, 0, 0)


def test_pages_hold_at_most_a_thousand_in_the_order_they_fell_due() -> None:
    """2,345 reports of two batches come as 1,000 + 1,000 + 345, mixed by time, none twice, none missing."""
    late = {str(13_800_000_000 + place): ("DELIVRD", 1 + place % 7) for place in range(2345)}
    platform = make(Scripted(late))
    submit(platform, *list(late)[:1200])
    submit(platform, *list(late)[1200:])
    pages = []
    for _ in range(4):
        platform.clock.sleep(60)
        pages.append(poll(platform))
    assert list(map(len, pages)) == [1000, 1000, 345, 0]
    rows = [row for page in pages for row in page]
    assert sorted(row["mobile"] for row in rows) == sorted(late)
    assert [row["receiveDate"] for row in rows] == sorted(row["receiveDate"] for row in rows)
    assert len({row["msgGroup"] for row in pages[0]}) == 2


def test_five_seconds_between_polls_of_both_kinds() -> None:
    """Reports and uplinks share the rule; a hasty poll gets an object, takes nothing and does not start the wait anew."""
    platform = make()
    submit(platform, "13800138000")
    platform.clock.sleep(60)
    assert poll(platform, "deliver") == []
    platform.clock.sleep(4)
    assert poll(platform, "report") == ANSWER_TOO_SOON
    platform.clock.sleep(1)
    assert len(poll(platform, "report")) == 1
    assert platform.audit_log.counts["too_soon"] == 1
    assert platform.audit_log.counts["polls"] == 3
    assert platform.audit_log.min_poll_gap == 1.0
    assert [found.kind for found in platform.audit_log.deviations if found.kind != "missing_key"] == ["too_soon"]


def test_accounts_do_not_disturb_each_other() -> None:
    """The rule and the rows are each account's own."""
    second = PlatformAccount(ap_id="second", signs=("Second000",))
    platform = make(accounts=(DEFAULT_ACCOUNT, second))
    submit(platform, "13800138000")
    submit(platform, "13900139000", account=second)
    platform.clock.sleep(60)
    assert [row["mobile"] for row in poll(platform)] == ["13800138000"]
    assert [row["mobile"] for row in poll(platform, account=second)] == ["13900139000"]
    assert [page.account for page in platform.audit_log.pages()] == ["sim0", "second"]


def test_the_rule_can_be_switched_off() -> None:
    """With poll_interval=0 every poll counts."""
    platform = make(rules=Rules(poll_interval=0.0))
    assert [poll(platform), poll(platform)] == [[], []]


def test_a_clock_set_back_holds_up_nothing() -> None:
    """The platform's time goes on when the machine's wall clock jumps."""
    clock = ManualClock(START)
    platform = make(clock=clock)
    submit(platform, "13800138000")
    clock.jump(-3600)
    clock.sleep(6)
    assert len(poll(platform)) == 1
    platform.clock.sleep(5)
    assert poll(platform) == []


def test_a_fast_clock_does_not_punish_the_way_through_the_machine() -> None:
    """At 100 x, two polls 40 real milliseconds apart are 4 s apart on its clock: within what the way may take."""
    clock = FastClock(speed=100, start=START)
    platform = make(clock=clock)
    assert poll(platform) == []
    clock.sleep(4)
    assert poll(platform) == []


@pytest.mark.parametrize(
    "changes", [{"secretKey": "wrong"}, {"secretKey": None}, {"apId": "nobody"}, {"ecName": "某某公司"}]
)
def test_polls_need_the_whole_login(changes: dict[str, Any]) -> None:
    """Who cannot log in gets the refusal of a submit, and does not touch the account's pace."""
    platform = make()
    assert poll(platform, **changes) == {"msgGroup": "", "rspcod": "InvalidUsrOrPwd", "success": False}
    assert poll(platform) == []


def test_strict_polls() -> None:
    """Under strict rules a poll has the document's three keys in its order."""
    platform = make(rules=Rules(strict=True))
    assert poll(platform, more="1")["rspcod"] == "InvalidMessage"
    assert poll(platform) == []


def one_report(style: Style) -> dict[str, Any]:
    platform = make(style=style)
    submit(platform, "13800138000")
    platform.clock.sleep(60)
    (row,) = poll(platform)
    return {name: value for name, value in row.items() if name != "msgGroup"}


@pytest.mark.parametrize(
    ("style", "changes"),
    [
        (Style(success=("CM:0000", "DELIVRD")), {"reportStatus": "CM:0000", "errorCode": "DELIVRD"}),
        (Style(mobile_as_list=True), {"mobile": ["13800138000"]}),
        (Style(mobile_prefix="+86"), {"mobile": "+8613800138000"}),
        (
            Style(dashed_dates=True),
            {"receiveDate": "2026-01-01 08:00:01", "submitDate": "2026-01-01 08:00:00"},
        ),
    ],
)
def test_reports_in_other_forms(style: Style, changes: dict[str, Any]) -> None:
    """Everything that was seen or guessed of reports can be asked for."""
    usual = {
        "errorCode": "",
        "mobile": "13800138000",
        "receiveDate": "20260101080001",
        "reportStatus": "DELIVRD",
        "submitDate": "20260101080000",
    }
    assert one_report(style) == {**usual, **changes}


def test_hour_24_crosses_the_year() -> None:
    """A report received at 00:30 on New Year's Day is written 24:30 on the 31st."""
    platform = make(Scripted(default=("DELIVRD", 2700)), style=Style(hour_24=True), start=1_767_195_900.0)
    submit(platform, "13800138000")
    platform.clock.sleep(3600)
    (row,) = poll(platform)
    assert (row["submitDate"], row["receiveDate"]) == ("20251231234500", "20251231243000")


def test_a_report_for_each_segment() -> None:
    """Long messages can be reported once a segment: 64 characters beside a 6-character signature are one, 65 two."""
    platform = make(style=Style(per_segment=True))
    for content in ("短" * 64, "长" * 65, "长" * 196):
        submit(platform, "13800138000", content=content)
    platform.clock.sleep(60)
    rows = poll(platform)
    groups = [row["msgGroup"] for row in rows]
    assert sorted(map(groups.count, set(groups))) == [1, 2, 4]


def test_intermediate_and_repeated_reports() -> None:
    """ACCEPTD can come before the final report, and reports can come twice."""
    platform = make(Scripted(default=("MK:0001", 5)), style=Style(intermediate=1.0, duplicates=1.0))
    submit(platform, "13800138000")
    platform.clock.sleep(60)
    rows = poll(platform)
    assert [(row["reportStatus"], row["errorCode"]) for row in rows] == [
        ("ACCEPTD", ""),
        ("MK:0001", "MK:0001"),
        ("MK:0001", "MK:0001"),
    ]
    assert rows[1] == rows[2]


def test_only_some_are_repeated() -> None:
    """A share is a share."""
    platform = make(style=Style(duplicates=0.1))
    submit(platform, *[str(13_800_000_000 + place) for place in range(5000)])
    assert 400 < sum(platform.waiting()) - 5000 < 600


def test_a_number_that_is_none_is_reported_as_it_was_written() -> None:
    """Its report repeats the text, quotes included, as valid JSON."""
    platform = make()
    submit(platform, '"10"', "13800138000")
    platform.clock.sleep(60)
    assert [row["mobile"] for row in poll(platform)] == ['"10"', "13800138000"]


def test_replies_say_what_the_document_says() -> None:
    """An uplink has its text, number, time and the whole service code, and comes once."""
    platform = make(Scripted(replies={"13800138000": (61.0, "退订")}))
    submit(platform, "13800138000", "13900139000")
    assert poll(platform, "deliver") == []
    platform.clock.sleep(70)
    assert poll(platform, "deliver") == [
        {
            "smsContent": "退订",
            "mobile": "13800138000",
            "sendTime": "2026-01-01 08:01:01",
            "addSerial": "106575000000",
        }
    ]
    platform.clock.sleep(70)
    assert poll(platform, "deliver") == []


def test_escaped_answers_mean_the_same() -> None:
    """Text can come as JSON escapes."""
    platform = make(Scripted(replies={"13800138000": (1.0, "退订👍")}), style=Style(escaped=True))
    submit(platform, "13800138000")
    platform.clock.sleep(70)
    fields = {"ecName": "模拟企业", "apId": "sim0", "secretKey": "sim-secret"}
    answer = platform.poll("deliver", encoded(fields), platform.audit_log.open_request("deliver", 0.0, "test"))
    assert answer.rows is not None
    assert answer.rows[0].isascii()
    assert json.loads(answer.rows[0])["smsContent"] == "退订👍"


def test_accounts_need_names_of_their_own() -> None:
    """Two accounts with one apId are a mistake."""
    with pytest.raises(ConfigError, match="apId"):
        make(accounts=(DEFAULT_ACCOUNT, DEFAULT_ACCOUNT))


def test_runs_repeat_whatever_the_order_of_requests() -> None:
    """The fate of a message depends on seed, number, text and time, not on which request came first."""

    def fates(order: Any, seed: Any = 3) -> Any:
        platform = Platform((DEFAULT_ACCOUNT,), Population(), ManualClock(START), seed)
        for first in order:
            submit(platform, *[str(13_800_000_000 + first + place) for place in range(500)])
        return {message.phone: (message.code, message.latency) for message in platform.audit_log.messages()}

    assert fates([0, 500, 1000]) == fates([1000, 0, 500])
    assert fates([0]) != fates([0], seed=4)
