"""Pages of reports and uplinks: everything that can be read is read, and nothing harms its neighbour."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.protocol import (
    BadRecord,
    Page,
    ReportRecord,
    UplinkRecord,
    fold_mobile,
    is_intermediate,
    outcome_of,
    read_page,
)
from masanalytics.vocabulary import Status

REAL_FAILURE = (
    '[{"errorCode":"CM:2007","mobile":"13800138000","msgGroup":"0906144506000001364223",'
    '"receiveDate":"20210906244506","reportStatus":"CM:2007","submitDate":"20210906144506"}]'
)
DELIVERED = {
    "reportStatus": "DELIVRD",
    "mobile": "13800138001",
    "submitDate": "20260101080000",
    "receiveDate": "20260101080007",
    "errorCode": "",
    "msgGroup": "0101080000000000000001",
}
DELIVERED_RECORD = ReportRecord(
    "13800138001", "0101080000000000000001", "DELIVRD", "", "20260101080000", "20260101080007", 1767225600, 1767225607
)


def page_of(*items: object) -> bytes:
    return json.dumps(list(items), ensure_ascii=False).encode()


def test_a_real_failed_report() -> None:
    """The report seen in the wild is read: hour 24 is midnight of the next day, China time."""
    page = read_page(REAL_FAILURE.encode(), "report")
    assert page == Page(
        "records",
        [
            ReportRecord(
                mobile="13800138000",
                msg_group="0906144506000001364223",
                report_status="CM:2007",
                error_code="CM:2007",
                submit_date="20210906144506",
                receive_date="20210906244506",
                submitted_at=1630910706,  # 2021-09-06 06:45:06 UTC
                received_at=1630946706,  # 2021-09-06 16:45:06 UTC
            )
        ],
        [],
        1,
        "",
        salvaged=False,
    )


def test_a_real_uplink() -> None:
    """An uplink as documented, with the date's other form and the whole service number."""
    raw = '[{"mobile":"15712345678","smsContent":"退订","sendTime":"2021-01-11 15:58:36","addSerial":"106575297722"}]'
    assert read_page(raw.encode(), "deliver").uplinks == [
        UplinkRecord("15712345678", "退订", "106575297722", "2021-01-11 15:58:36", 1610351916)
    ]


@pytest.mark.parametrize("raw", ["[]", " [ ] ", "null", '""', "{}", "", "\n", '"[]"', "W10=", '"W10="', "\ufeff[]"])
def test_empty_pages(raw: str) -> None:
    """Every form of nothing is a page of no records, and proves that there was nothing."""
    page = read_page(raw.encode(), "report")
    assert page == Page("records", [], [], 0, "", salvaged=False)
    assert page.drained


@pytest.mark.parametrize("raw", ["", "  ", "null"])
def test_nothing_of_a_broken_answer_proves_nothing(raw: str) -> None:
    """An answer that was cut off before anything came is no empty page."""
    page = read_page(raw.encode(), "report", complete=False)
    assert (page.kind, page.drained) == ("unreadable", False)


@pytest.mark.parametrize(
    ("raw", "notice"),
    [
        ('{"message":"NOT_WHITE_IP","success":false}', "NOT_WHITE_IP"),
        ('{"msgGroup":"","rspcod":"InvalidUsrOrPwd","success":false}', "InvalidUsrOrPwd"),
        ('{"message":"请求过于频繁","success":false}', "请求过于频繁"),
        ('"too soon"', "too soon"),
        ("请求过于频繁，请5秒后再试 13800138000", "请求过于频繁，请5秒后再试 138****8000"),
        ("5", "5"),
        ("false", "False"),
        ('{"data":[]}', "{'data': []}"),
    ],
)
def test_refusals(raw: str, notice: str) -> None:
    """An answer that is not data is a refusal with its words, masked; it is no empty page."""
    page = read_page(raw.encode(), "deliver")
    assert (page.kind, page.records, page.bad, page.size, page.notice) == ("rejected", [], [], 0, notice)
    assert not page.drained


def test_a_refusal_in_another_character_set() -> None:
    """A refusal whose words are no UTF-8 is still a refusal."""
    page = read_page('{"message":"太快","success":false}'.encode("gb18030"), "report")
    assert (page.kind, page.size) == ("rejected", 0)


def test_an_object_that_names_numbers_may_hold_records() -> None:
    """In a shape that nobody has seen it is unreadable, not a refusal: what it held would be gone without a word."""
    page = read_page(b'{"success":true,"rows":{"13800138000":"DELIVRD","13900139000":"MK:0001"}}', "report")
    assert (page.kind, page.size, page.drained) == ("unreadable", 0, False)


@pytest.mark.parametrize("raw", [b"<html>502</html>", b"\x00\x01\xff\xfe\x80", b"{", b"[", b'[{"mobile":', b"x" * 5000])
def test_unreadable(raw: bytes) -> None:
    """HTML, rubbish and a first record cut off are unreadable: they may have held data."""
    page = read_page(raw, "report")
    assert (page.kind, page.records, page.size, page.drained) == ("unreadable", [], 0, False)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda raw: json.dumps(raw.decode()).encode(),
        base64.b64encode,
        lambda raw: json.dumps(base64.b64encode(raw).decode()).encode(),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: b'{"success":true,"data":' + raw + b"}",
        lambda raw: b'{"success":true,"rspcod":"success","data":{"total":1,"list":' + raw + b"}}",
        lambda raw: json.dumps({"success": True, "data": raw.decode()}).encode(),
        lambda raw: raw[1:-1],
        lambda raw: json.dumps(raw.decode(), ensure_ascii=True).encode(),
        lambda raw: json.dumps([raw.decode()[1:-1]]).encode(),
    ],
    ids=[
        "string",
        "base64",
        "base64 string",
        "bom",
        "in an object",
        "deeper",
        "text in an object",
        "object alone",
        "escaped",
        "items as text",
    ],
)
def test_wrappings(wrap: object) -> None:
    """A list in a string, in Base64, in an object, or one record without its list is data all the same."""
    page = read_page(wrap(page_of(DELIVERED)), "report")  # type: ignore[operator]
    assert (page.records, page.size, page.salvaged) == ([DELIVERED_RECORD], 1, False)


@pytest.mark.parametrize(
    ("given_mobile", "expected"),
    [
        ({"mobile": "13800138001"}, ["13800138001"]),
        ({"mobile": "+8613800138001"}, ["13800138001"]),
        ({"mobile": "8613800138001"}, ["13800138001"]),
        ({"mobile": "0086 138 0013 8001"}, ["13800138001"]),
        ({"mobile": 13800138001}, ["13800138001"]),
        ({"mobile": 13800138001.0}, ["13800138001"]),
        ({"mobile": ["13800138001"]}, ["13800138001"]),
        ({"mobiles": ["13800138001", "13800138002"]}, ["13800138001", "13800138002"]),
        ({"mobiles": "13800138001,13800138002"}, ["13800138001", "13800138002"]),
        ({"mobile": None, "mobiles": ["13800138001"]}, ["13800138001"]),
        ({"mobile": "", "mobiles": [13800138001]}, ["13800138001"]),
        ({"mobile": "10086"}, ["10086"]),
        ({"mobile": "02166668888"}, ["02166668888"]),
        ({"mobile": "138****8001"}, ["138****8001"]),
        ({"mobile": "10-086"}, ["10-086"]),
        ({"mobile": "00852 5123 4567"}, ["00852 5123 4567"]),
        ({"mobile": "1" * 20}, ["1" * 20]),
    ],
)
def test_forms_of_the_number(given_mobile: dict[str, object], expected: list[str]) -> None:
    """The number comes as mobile or mobiles, text, list or integer, with or without +86; one record for each."""
    item = {key: value for key, value in DELIVERED.items() if key != "mobile"} | given_mobile
    page = read_page(page_of(item), "report")
    assert [record.mobile for record in page.records] == expected
    assert page.size == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("20260101080000", 1767225600),
        ("2026-01-01 08:00:00", 1767225600),
        ("2026-01-01T08:00:00", 1767225600),
        ("20260101240000", 1767283200),
        ("2026-01-01 24:00:07", 1767283207),
        ("20260230080000", None),
        ("20260101086000", None),
        ("20260101080099", None),
        ("202601010800", None),
        ("2026010108000x", None),
        ("soon", None),
        ("", None),
        (None, None),
        (20260101080000, 1767225600),
    ],
)
def test_dates(text: object, instant: int | None) -> None:
    """Both forms and hour 24 are read; a date that means nothing keeps its text and its record."""
    page = read_page(page_of(DELIVERED | {"receiveDate": text}), "report")
    (record,) = page.reports
    assert record.received_at == instant
    assert record.receive_date == ("" if text is None else str(text))
    assert page.bad == []


def test_missing_and_unknown_fields() -> None:
    """A report needs a number and a status; everything else may be missing, null, or new."""
    page = read_page(
        page_of({"mobile": "13800138001", "reportStatus": "DELIVRD", "x": {"y": [1]}, "msgGroup": None}), "report"
    )
    assert page.reports == [ReportRecord("13800138001", "", "DELIVRD", "", "", "", None, None)]


def test_a_status_that_is_missing() -> None:
    """The error code stands in for a missing status, as the platform repeats it there; a bare zero does not."""
    page = read_page(
        page_of({"mobile": "13800138001", "errorCode": "DB:0140"}, {"mobile": "13800138001", "errorCode": "000"}),
        "report",
    )
    assert [record.report_status for record in page.reports] == ["DB:0140"]
    assert [(bad.index, bad.reason) for bad in page.bad] == [(1, "no reportStatus")]


def test_the_other_spelling_of_the_group() -> None:
    """The document's own misspelling of msgGroup is read too."""
    page = read_page(page_of({"mobile": "13800138001", "reportStatus": "X", "mgsGroup": "0101"}), "report")
    assert page.reports[0].msg_group == "0101"


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (5, "not an object"),
        (None, "not an object"),
        ([], "not an object"),
        ("text", "not an object"),
        ({}, "no reportStatus"),
        ({"reportStatus": "DELIVRD"}, "no mobile"),
        ({"reportStatus": "DELIVRD", "mobile": " "}, "no mobile"),
        ({"reportStatus": "DELIVRD", "mobiles": []}, "no mobile"),
        ({"reportStatus": "DELIVRD", "mobile": {"a": 1}}, "mobile is not text"),
        ({"reportStatus": "DELIVRD", "mobile": True}, "mobile is not text"),
        ({"reportStatus": "DELIVRD", "mobile": "1" * 60}, "mobile is too long to be one"),
        ({"reportStatus": "DELIVRD", "mobile": "1" * 21}, "mobile is too long to be one"),
        ({"reportStatus": "DELIVRD", "mobile": "abc"}, "mobile has too few digits to be one"),
        ({"reportStatus": "DELIVRD", "mobile": "手机1234"}, "mobile has too few digits to be one"),
        ({"reportStatus": "DELIVRD", "mobile": 0}, "no mobile"),
        ({"reportStatus": "DELIVRD", "mobile": 1234}, "mobile has too few digits to be one"),
        ({"reportStatus": "DELIVRD", "mobiles": ["13800138001", "x"]}, "mobile has too few digits to be one"),
        ({"reportStatus": ["DELIVRD"], "mobile": "13800138001"}, "reportStatus is not text"),
        ({"reportStatus": "DELIVRD", "mobile": "13800138001", "msgGroup": {}}, "msgGroup is not text"),
    ],
)
def test_one_broken_record(item: object, reason: str) -> None:
    """A record that cannot be used is set aside with its reason; its neighbours are not touched."""
    page = read_page(page_of(DELIVERED, item, DELIVERED), "report")
    assert page.records == [DELIVERED_RECORD, DELIVERED_RECORD]
    assert [(bad.index, bad.reason) for bad in page.bad] == [(1, reason)]
    assert (page.size, page.salvaged) == (3, False)


def test_bad_records_keep_their_text() -> None:
    """What was set aside can be looked at."""
    page = read_page(page_of({"reportStatus": "失败"}), "report")
    assert page.bad == [BadRecord(0, "no mobile", '{"reportStatus": "失败"}')]


def test_an_uplink_without_words() -> None:
    """An empty reply is a reply; a record without the field is none."""
    page = read_page(
        page_of({"mobile": "13800138001", "smsContent": None}, {"mobile": "13800138001", "sendTime": "x"}), "deliver"
    )
    assert page.uplinks == [UplinkRecord("13800138001", "", "", "", None)]
    assert [(bad.index, bad.reason) for bad in page.bad] == [(1, "no smsContent")]


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_page_cut_off_anywhere(kept: int) -> None:
    """Of a page cut off at any byte, every record that came whole is read, and the rest is told."""
    one = json.dumps(DELIVERED)
    raw = f"[{one},{one},{one},{one}]"
    for cut in range(1 + kept * (len(one) + 1), 1 + (kept + 1) * (len(one) + 1) - 1):
        page = read_page(raw[:cut].encode(), "report", complete=False)
        assert page.records == [DELIVERED_RECORD] * kept
        assert not page.drained
        if kept:
            assert (page.kind, page.salvaged) == ("records", True)


@pytest.mark.parametrize(
    "wrap", [lambda raw: json.dumps(raw.decode()).encode(), base64.b64encode], ids=["string", "base64"]
)
def test_a_wrapped_page_cut_off(wrap: object) -> None:
    """What came whole is read from a page in a string or in Base64 too."""
    whole = wrap(page_of(DELIVERED, DELIVERED, DELIVERED))  # type: ignore[operator]
    for lost in range(5, 40):
        page = read_page(whole[:-lost], "report")
        assert page.records == [DELIVERED_RECORD, DELIVERED_RECORD]
        assert page.salvaged


def test_a_cut_within_a_chinese_character() -> None:
    """A page cut within a character's bytes gives the records before it."""
    uplinks = [{"mobile": "13800138001", "smsContent": "退订", "sendTime": ""}] * 2
    raw = page_of(*uplinks)
    page = read_page(raw[: raw.rindex("订".encode()) + 1], "deliver")
    assert [record.content for record in page.uplinks] == ["退订"]
    assert [bad.reason for bad in page.bad] == ["cut off"]


@pytest.mark.parametrize(
    "broken",
    [
        '{"mobile":"13800138009","reportStatus":DELIVRD}',
        '{"mobile":"13800138009","reportStatus":"he said "no", then left"}',
        '{"mobile":"13800138009""reportStatus":"X"}',
        '{"mobile":"13800138009","reportStatus":"X"',
        "{{{{",
        "undefined",
    ],
)
def test_a_record_that_is_no_json(broken: str) -> None:
    """A record that breaks the whole page's JSON costs only itself."""
    one = json.dumps(DELIVERED)
    page = read_page(f"[{one},{broken},{one},{one}]".encode(), "report")
    assert page.records == [DELIVERED_RECORD] * 3
    assert [bad.index for bad in page.bad] == [1]
    assert (page.size, page.salvaged, page.drained) == (4, True, False)


def test_one_broken_record_in_a_thousand() -> None:
    """Of a full page with one broken record, 999 are read."""
    items = [json.dumps(DELIVERED | {"mobile": f"138{n:08d}"}) for n in range(1000)]
    items[500] = items[500][:-10]
    page = read_page(f"[{','.join(items)}]".encode(), "report")
    assert (len(page.records), [bad.index for bad in page.bad], page.size) == (999, [500], 1000)


def test_a_reply_cannot_pose_as_a_record() -> None:
    """A reply that spells out a record of its own stays a reply, in a broken page too."""
    forged = '},{"mobile":"13900139000","smsContent":"退订"},{"x":"'
    raw = page_of({"mobile": "13800138001", "smsContent": forged}, {"mobile": "13800138002", "smsContent": "T"})
    assert [record.mobile for record in read_page(raw, "deliver").uplinks] == ["13800138001", "13800138002"]
    page = read_page(raw.replace(b'[{"mobile"', b'[{"mobile', 1), "deliver")
    assert [record.mobile for record in page.uplinks] == ["13800138002"]


def test_bytes_that_are_no_text() -> None:
    """Invalid UTF-8 is replaced where it stands; the record and its neighbours stay, and the page says so."""
    raw = page_of({"mobile": "13800138001", "smsContent": "A?B"}, {"mobile": "13800138002", "smsContent": "退订"})
    page = read_page(raw.replace(b"?", b"\xff\xb0"), "deliver")
    assert [record.content for record in page.uplinks] == ["A\ufffd\ufffdB", "退订"]
    assert page.encoding == "damaged"


def test_text_that_sqlite_cannot_keep() -> None:
    """Half an emoji and NUL, which JSON escapes can spell, are replaced; whole emoji stay."""
    raw = rb'[{"mobile":"13800138001","smsContent":"\ud83dA\u0000\ud83d\ude00"}]'
    assert read_page(raw, "deliver").uplinks[0].content == "\ufffdA\ufffd😀"


def test_raw_line_breaks() -> None:
    """A line break that was not escaped harms nothing."""
    page = read_page(b'[{"mobile":"13800138001","smsContent":"a\nb"}]', "deliver")
    assert (page.uplinks[0].content, page.salvaged) == ("a\nb", False)


def test_numbers_that_are_none() -> None:
    """NaN and Infinity, which are no JSON, read as nothing; absurdly long integers cost their record only."""
    page = read_page(b'[{"mobile":"13800138001","reportStatus":"X","errorCode":NaN}]', "report")
    assert page.reports[0].error_code == ""
    long = b'[{"mobile":"13800138001","reportStatus":"X"},{"mobile":' + b"1" * 5000 + b',"reportStatus":"X"}]'
    page = read_page(long, "report")
    assert (len(page.records), len(page.bad)) == (1, 1)


def test_full_pages() -> None:
    """A page of 1,000 is full, whether its records were good or bad; one of 999 is not."""
    items = [DELIVERED] * 998 + [5]
    assert read_page(page_of(*items), "report").drained
    assert not read_page(page_of(*items, 6), "report").drained


def test_nothing_shows_a_number() -> None:
    """Neither a page nor its records show a whole number or a reply's words."""
    reports = read_page(page_of(DELIVERED, {"mobile": "13800138001"}), "report")
    uplinks = read_page(page_of({"mobile": "13800138001", "smsContent": "退订"}), "deliver")
    shown = repr([reports, reports.records, reports.bad, uplinks, uplinks.records])
    assert "13800138001" not in shown
    assert "退订" not in shown
    assert "138****8001" in shown


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("DELIVRD", Status.delivered),
        (" delivrd ", Status.delivered),
        ("CM:0000", Status.delivered),
        ("cm:0000", Status.delivered),
        ("CM:3000", Status.pending),
        ("CM:8003", Status.failed),
        ("DELIVERED", Status.pending),
        ("SUCCESS", Status.pending),
        ("发送成功", Status.pending),
        ("UNDELIV", Status.failed),
        ("CM:2007", Status.failed),
        ("UNKNOWN", Status.failed),
        ("0", Status.pending),
        ("12", Status.failed),
        ("ACCEPTD", Status.pending),
        ("enroute", Status.pending),
        ("", Status.pending),
    ],
)
def test_outcomes(status: str, outcome: Status) -> None:
    """DELIVRD and CM:0000 are delivered; what is no failure's code, and intermediate states, are still pending."""
    assert outcome_of(status) is outcome


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("CM:0000", "DELIVRD", Status.delivered),
        ("DELIVRD", "CM:0000", Status.delivered),
        ("DELIVRD", "000", Status.delivered),
        ("", "DELIVRD", Status.delivered),
        ("DELIVRD", "MK:0001", Status.failed),
        ("CM:8001", "DELIVRD", Status.failed),
        ("CM:2007", "CM:2007", Status.failed),
        ("ACCEPTD", "MK:0001", Status.pending),
        ("0", "0", Status.pending),
    ],
)
def test_both_fields_of_a_report(status: str, error: str, outcome: Status) -> None:
    """Success in either field is delivered, unless the other holds a failure's code: a contradiction, and failed."""
    assert outcome_of(status, error) == outcome


def test_intermediate() -> None:
    """The states on the way are told from the final ones."""
    assert [is_intermediate(word) for word in ("ACCEPTD", "ENROUTE", "DELIVRD", "REJECTD", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("\u202d13800138000\u202c", "13800138000"),
        (" 10086 ", "10086"),
        ("8610086", "8610086"),
        ("23800138000", "23800138000"),
        ("1380013800", "1380013800"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    """A text is folded to eleven digits only where that yields a mobile number."""
    assert fold_mobile(text) == folded


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_make_a_page(raw: bytes, complete: bool) -> None:
    """No answer, however mad, raises."""
    page = read_page(raw, "report", complete=complete)
    assert page.kind in ("records", "rejected", "unreadable")
    if not complete:
        assert not page.drained


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.sampled_from(["mobile", "mobiles", "smsContent", "reportStatus", "sendTime"]), inner)
        ),
        max_leaves=20,
    ).map(lambda value: [value])
)
def test_any_json_is_accounted_for(items: list[object]) -> None:
    """Of any list, every item ends as at least one record or as one bad record, in text that UTF-8 can write."""
    for endpoint in ("report", "deliver"):
        page = read_page(json.dumps(items).encode(), endpoint)
        assert page.size == 1
        assert (len(page.bad) == 1) != (len(page.records) >= 1)
        for record in page.records:
            "".join(str(part) for part in record).encode()
