"""Planning a campaign: who gets what, who does not and why."""

from __future__ import annotations

import dataclasses
import datetime as dt
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.planning import Limits, plan
from masanalytics.sheets import read_sheet, write_sheet
from masanalytics.store import Store
from masanalytics.store.sends import Held
from masanalytics.vocabulary import EXCLUSIONS
from tests.examples import examples

A, B, C, D = "13800138000", "13900139000", "18600186000", "18900189000"

WHO = {"name": "示例/demo", "sign": "", "template_sign": "", "budget": None, "cap": None}


class FakeLedger:
    """A store that knows what it is told."""

    is_new = False

    def __init__(
        self,
        *,
        out: Sequence[str] = (),
        sent: Sequence[tuple[str, str, str, str]] = (),
        near: Sequence[str | None] = (),
    ) -> None:
        self.out, self.sent, self.near = set(out), set(sent), tuple(near) or (None, None)
        self.sends = self  # where a store answers what a plan asks
        self.clock = ManualClock()

    def check_round(self, _campaign: str, _label: str, _key: str | None) -> tuple[str | None, ...]:
        return self.near

    def already_sent(
        self, campaign: str, label: str, phones: Sequence[str], keys: Sequence[str] | None
    ) -> npt.NDArray[np.bool_]:
        asked = zip(phones, keys or [""] * len(phones), strict=True)
        return np.array([(campaign, label, phone, key) in self.sent for phone, key in asked], dtype=bool)

    def held_out(self, _campaign: str, _label: str, phones: Sequence[str], _now: float) -> Held:
        return Held(*np.zeros((2, len(phones)), dtype=bool))

    def opted_out(self, phones: Sequence[str]) -> np.ndarray:
        return np.array([phone in self.out for phone in phones], dtype=bool)


def people(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def test_a_polars_list_of_people_to_leave_out() -> None:
    """A suppression list may be a polars frame too."""
    import polars as pl

    people = pd.DataFrame({"phone": ["13800138000", "13900139000"]})
    made = plan(people, phone="phone", text="您好", campaign="c", suppress=pl.DataFrame({"phone": ["13900139000"]}))

    assert made.excluded["reason"].tolist() == ["suppressed"]


def test_every_row_is_planned_or_left_out_with_its_reason() -> None:
    """A sheet with one row of each kind: the whole result, row by row."""
    df = people(
        手机=[f"+86 {A}", "010-66668888", None, B, A, C, D, "1.38001E+10", "17700000000", "15000000000"],
        姓名=["张三", "李四", "王五", None, "张三", " ", "赵六", "钱七", "孙八", "周九"],
    )
    store = FakeLedger(out=[D], sent=[("问候", "", "17700000000", "")])
    made = plan(df, phone="手机", text="{姓名}好", campaign="问候", store=store, suppress=["15000000000"])
    assert made.excluded[["row", "position", "phone", "reason", "meaning"]].fillna("").values.tolist() == [
        [1, 1, "010-66668888", "landline", "a landline"],
        [2, 2, "", "empty_number", "no number in the cell"],
        [3, 3, B, "missing_value", "a value the text needs is missing"],
        [4, 4, A, "duplicate", "the number is already in the list"],
        [5, 5, C, "missing_value", "a value the text needs is missing"],
        [6, 6, D, "opted_out", "the person has opted out"],
        [7, 7, "1.38001E+10", "lossy_scientific", "digits lost to scientific notation"],
        [8, 8, "17700000000", "already_sent", "this campaign has already been sent to the number"],
        [9, 9, "15000000000", "suppressed", "on the suppression list given"],
    ]
    row = made.messages.iloc[0]
    assert row.drop(["province", "city"]).to_dict() | {"params": None, "arm": None, "key": None} == {
        "row": 0, "phone": A, "content": "张三好", "params": None, "segments": 1, "carrier": "China Mobile", "arm": None,
        "key": None, "batch": 0,
    }  # fmt: skip
    assert (len(made), made.rows, made.requests, made.segments, made.cost) == (1, 10, 1, 1, None)


def test_the_first_usable_row_of_a_number_wins() -> None:
    """A person whose first row cannot be written gets the message of the next; nobody is lost."""
    df = people(p=[A, A, A], n=[None, "二", "三"])
    made = plan(df, phone="p", text="{n}号", campaign="c")
    assert made.messages["content"].tolist() == ["二号"]
    assert made.excluded["reason"].tolist() == ["missing_value", "duplicate"]


def test_what_can_be_said_of_a_number_comes_in_a_stated_order() -> None:
    """The number first, then the person, then the text, then duplicates, then what was sent before."""
    store = FakeLedger(out=[A], sent=[("c", "", A, ""), ("c", "", B, "")])
    account = SimpleNamespace(
        signature="", allow_only=[A, B, C], add_serial="", service_code="", is_pushed=False, **WHO
    )
    df = people(p=[A, A, B, B, C, D, "x"], n=[None, "好", None, "好", "好", None, None])
    made = plan(df, phone="p", text="{n}", campaign="c", store=store, suppress=[A, C], account=account)
    assert made.excluded["reason"].tolist() == [
        "opted_out", "opted_out", "missing_value", "already_sent", "suppressed", "not_allowed", "invalid_number",
    ]  # fmt: skip
    assert len(made) == 0


def test_a_round_is_what_it_is_called() -> None:
    """What was sent in another round goes again; in the round of the same name it does not, spaces and all."""
    store = FakeLedger(sent=[("c", "", A, ""), ("c", "12 月", A, "")])
    df = people(p=[A])
    made = [plan(df, phone="p", text="好", campaign="c", store=store, round=name) for name in ("", "12  月\u200b", "2")]

    assert [(len(one), one.round) for one in made] == [(0, ""), (0, "12 月"), (1, "2")]


@pytest.mark.parametrize(
    ("gone", "why"),
    [({"again": True}, "again= is gone: name the repetition, such as round="), ({"duplicates": "each"}, "key=")],
)
def test_arguments_of_earlier_versions_name_what_is_used_now(gone: dict[str, Any], why: str) -> None:
    """Nobody who repeats a campaign the old way repeats it by mistake."""
    with pytest.raises(InputError, match=why):
        plan(people(p=[A]), phone="p", text="好", campaign="c", **gone)


def test_a_key_tells_several_messages_to_one_number_apart() -> None:
    """One message for each number and key, whatever the text; a row without a key is left out; never two in one request."""
    df = people(p=[A, A, A, B, B, A], o=["1", "2", " 1", "1", None, "3"], t=["一", "一", "二", "一", "三", "三"])
    made = plan(df, phone="p", content="t", campaign="c", key="o")

    assert made.messages[["phone", "key", "content"]].to_numpy().tolist() == [
        [A, "1", "一"], [A, "2", "一"], [B, "1", "一"], [A, "3", "三"],
    ]  # fmt: skip
    assert made.excluded[["position", "reason"]].to_numpy().tolist() == [[2, "duplicate"], [4, "missing_key"]]
    assert all(len(set(batch.phones)) == len(batch.phones) for batch in made.iter_batches())
    sent = FakeLedger(sent=[("c", "", A, "2")])
    rest = plan(df, phone="p", content="t", campaign="c", key="o", store=sent).messages
    assert rest["key"].tolist() == ["1", "1", "3"]


def test_a_name_nearly_that_of_a_known_one_is_a_warning() -> None:
    """Case, width and spaces make another campaign, and the plan says so."""
    store = FakeLedger(near=("Spring Sale", "2026-12"))
    made = plan(people(p=[A]), phone="p", text="好", campaign="spring sale", round="2026 12", store=store)
    codes = [warning.code for warning in made.warnings]

    assert [code for code in codes if code.startswith("near")] == ["near_campaign", "near_round"]


def test_arms_of_nearly_the_same_name_are_named() -> None:
    """They are two in every comparison: of whoever wrote one of them otherwise by mistake, the plan says so."""
    frame = pd.DataFrame({"p": [f"1380013800{n}" for n in range(6)], "arm": ["A-1", "a1", "A－1", "B", "B", "B "]})
    made = plan(frame, phone="p", text="好", campaign="C")

    assert [(one.code, one.rows) for one in made.warnings if one.code == "near_arm"] == [("near_arm", 3)]
    assert "the arms 'A-1' and 'a1' are two" in made.text("en")


NASTY = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-1, 2 * 10**10),
    st.sampled_from(
        [A, f"+86{A}", int(A), float(A), f"{A[:3]}-{A[3:7]}-{A[7:]}", B, "010-66668888", f"{A}/{B}", "1.38001E+10"]
    ),
    st.integers(13_800_138_000, 13_800_138_009).map(str),
    st.text(max_size=4),
    st.just(pd.Timestamp("2026-01-31")),
    st.booleans(),
)
VALUES = st.one_of(st.none(), st.text(max_size=4), st.integers(-9, 9), st.just("nan"), st.just(3.0), st.just("\ud800"))


def as_written(value: Any) -> str:
    return str(int(value)) if value == 3.0 else str(value).strip()


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.tuples(NASTY, VALUES, VALUES), max_size=25), st.sampled_from([None, "乙"]), st.data())
def test_planned_and_excluded_are_all_rows(
    rows: list[tuple[Any, Any, Any]], key: str | None, data: st.DataObject
) -> None:
    """For any sheet: each row once, each number once a request, requests within limits, the frame untouched, no nan in a text."""
    index = data.draw(st.sampled_from([None, [7] * len(rows), [("a", i % 2) for i in range(len(rows))]]))
    df = pd.DataFrame(rows, columns=["手机", "甲", "乙"], dtype=object)
    if index is not None and rows:
        df.index = pd.MultiIndex.from_tuples(index) if isinstance(index[0], tuple) else pd.Index(index)
    before = df.copy(deep=True)
    limits = Limits(many_to_one=data.draw(st.integers(1, 4)), many_to_many=data.draw(st.integers(1, 4)))
    made = plan(df, phone="手机", text="{甲}、{乙}", campaign="c", key=key, limits=limits)
    pd.testing.assert_frame_equal(df, before)

    messages, excluded = made.messages, made.excluded
    assert len(messages) + len(excluded) == len(df) == made.rows
    assert int(made.summary["rows"].sum()) == len(df)
    positions = sorted([*made.planned.rows.tolist(), *excluded["position"].tolist()])
    assert positions == list(range(len(df)))
    assert excluded["row"].tolist() == [df.index[place] for place in excluded["position"]]
    assert messages["row"].tolist() == [df.index[place] for place in sorted(made.planned.rows)]
    assert set(excluded["reason"]) <= set(EXCLUSIONS)
    for place, text in zip(sorted(made.planned.rows), messages["content"], strict=True):
        first, second = df.iloc[place, 1], df.iloc[place, 2]
        assert text == f"{as_written(first)}、{as_written(second)}"
        assert not {first, second} & {None, "nan", "\ud800"}
    keys = ["phone"] if key is None else ["phone", "key"]
    assert not messages.duplicated(keys).any()
    sent = []
    for batch in made.iter_batches():
        assert len(set(batch.phones)) == len(batch.phones)
        assert len(batch) <= (limits.many_to_many if batch.mode == "many_to_many" else limits.many_to_one)
        assert (batch.mode == "one_to_one") == (len(batch) == 1)
        assert (batch.contents is None) == (batch.content is not None)
        sent += list(zip(batch.phones, batch.contents or [batch.content] * len(batch), strict=True))
    assert sorted(sent) == sorted(zip(messages["phone"], messages["content"], strict=True))
    assert made.text("zh")
    assert made.html("en")


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string[python]", "string[pyarrow]"])
def test_the_dtypes_of_a_sheet_do_not_change_its_plan(dtype: str) -> None:
    """The sample sheet gives the same plan from text columns of every kind, and from what pandas guesses."""
    path = Path(__file__).parent.parent / "data" / "customers.xlsx"
    text = "尊敬的{姓名}，您有{积分:,d}分，{到期日:%m月%d日}到期"
    typed = pd.read_excel(path, engine="calamine")
    first = plan(typed, phone="手机号", text=text, campaign="c")
    other = plan(read_sheet(path).astype(dict.fromkeys(typed, dtype)), phone="手机号", text=text, campaign="c")
    assert first.hash == other.hash
    assert first.excluded["reason"].tolist() == other.excluded["reason"].tolist()


def test_decimals_and_dates_of_a_workbook_are_written_as_the_sheet_shows_them(tmp_path: Path) -> None:
    """Without a format a text gets what Excel shows; with one it is written as asked."""
    when = dt.datetime(2024, 5, 2, 9)  # noqa: DTZ001
    rows = {
        "手机": [int(A), B],
        "余额": [0.5, 100.0],
        "到期日": [when, when + dt.timedelta(days=1)],
        "积分": [5, 1280],
    }
    path = write_sheet(
        pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in rows.items()}), tmp_path / "a.xlsx"
    )
    df = read_sheet(path)
    for text, contents in (
        ("{积分}分，余额{余额}元", ["5分，余额0.5元", "1280分，余额100元"]),
        ("{到期日}到期", ["2024-05-02 09:00:00到期", "2024-05-03 09:00:00到期"]),
        ("{余额:.2f}元{到期日:%m月%d日}", ["0.50元05月02日", "100.00元05月03日"]),
    ):
        assert plan(df, phone="手机", text=text, campaign="c").messages["content"].tolist() == contents


def test_a_number_column_of_any_dtype_gives_the_same_plan() -> None:
    """Integers, floats because one cell is blank, nullable integers and text plan alike."""
    numbers = [int(A), int(B), int(A)]
    expected = plan(pd.DataFrame({"p": numbers}), phone="p", text="好", campaign="c").hash
    for column in (
        pd.Series([*map(float, numbers), None]),
        pd.Series([*numbers, None], dtype="Int64"),
        pd.Series([*map(str, numbers), None]),
        pd.Series([*numbers, None], dtype="category"),
        pd.Series([*map(float, numbers), None], dtype=object),
    ):
        assert plan(pd.DataFrame({"p": column}), phone="p", text="好", campaign="c").hash == expected


def test_polars_frames_are_taken() -> None:
    """A polars frame, eager or lazy, plans as the same pandas frame does."""
    frame = pl.DataFrame({"p": [A, None, B], "n": ["一", "二", "三"], "d": [dt.date(2026, 1, 31)] * 3})
    wanted = plan(frame.to_pandas(), phone="p", text="{n}{d:%m}", campaign="c")
    for given_frame in (frame, frame.lazy()):
        made = plan(given_frame, phone="p", text="{n}{d:%m}", campaign="c")
        assert made.hash == wanted.hash
        assert made.excluded["reason"].tolist() == ["empty_number"]


def test_missing_columns_are_all_named_with_the_nearest() -> None:
    """One sentence names every missing column, the nearest there is, and the columns; nothing is planned."""
    df = people(手机号码=[A], 姓名=["张三"])
    with pytest.raises(InputError) as caught:
        plan(df, phone="手机号", text="{姓 名}{积分}", campaign="c", arm="组")
    assert caught.value.text("en") == (
        "no column '手机号' (did you mean '手机号码'?) and no column '组' and no column '姓 名' (did you mean '姓名'?) and no column"
        " '积分' in the sheet; its columns are: '手机号码', '姓名'"
    )
    assert caught.value.text("zh").startswith("表中没有 '手机号' 这一列（是否指 '手机号码'？）、没有 '组' 这一列")


def test_a_sheet_without_a_header_does_not_show_its_numbers() -> None:
    """Where the first customer became the header, the error masks the number."""
    with pytest.raises(InputError) as caught:
        plan(pd.DataFrame({A: [B]}), phone="手机号", text="好", campaign="c")
    assert A not in str(caught.value)
    assert "138****8000" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "exactly one of content= (a column), text= (a text) and template_id=; this has none of them"),
        ({"text": "好", "content": "n"}, "this has content= and text="),
        ({"text": " "}, "the text is empty"),
        ({"text": {}}, "the text is empty"),
        ({"template_id": " "}, "template_id= is empty"),
        ({"text": "好", "params": ["n"]}, "params= goes with template_id= only"),
        ({"text": "好", "campaign": " "}, "campaign= needs a name"),
        ({"text": "好", "price": 0}, "price=0 is not a number above 0"),
        ({"text": "好", "rate": -1}, "rate=-1 is not"),
        ({"text": "好", "round": 2}, "round=2: give the round a name, as text"),
        ({"text": "好", "key": ["n"]}, "key=list: it must name the column"),
        ({"text": "好", "key": "p"}, "key='p' is the column of the numbers: without key= each number gets one message"),
        ({"text": "好", "add_serial": "12a"}, "digits only"),
        ({"text": "好", "add_serial": "1" * 21}, "more than 20 digits"),
        ({"text": "好", "add_serial": {"A": "1"}}, "not for None"),
        ({"text": {"A": "好"}}, "text= has a text for each arm, but there is no arm column: name it with arm="),
        ({"text": "{n:99999999999d}"}, "asks for more than 1,000 characters"),
        ({"text": "好", "suppress": "13800138000"}, "a list of numbers or the path of a file is needed"),
        (
            {"text": "好", "suppress": 5},
            "a list of numbers is needed (a DataFrame, a Series or a list), this is one int",
        ),
        ({"text": "好", "suppress": b"13800138000"}, "a list of numbers is needed"),
        ({"text": "好", "phone": None}, "phone=None: it must name the column that holds the numbers"),
        ({"text": "好", "phone": ["p"]}, "it must name the column that holds the numbers"),
        ({"text": "好", "regions": "missing.dat"}, "not a number-prefix data file"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], said: str) -> None:
    """Arguments that contradict each other are named in one sentence, in both languages."""
    with pytest.raises(InputError) as caught:
        plan(people(p=[A], n=["一"]), **{"phone": "p", "campaign": "c", **arguments})
    assert said in caught.value.text("en")
    assert caught.value.text("zh") != caught.value.text("en")


def test_something_that_is_no_frame() -> None:
    """A path instead of a frame says how to read it."""
    with pytest.raises(InputError, match="read_sheet"):
        plan("customers.xlsx", phone="p", text="好", campaign="c")


def test_two_columns_of_one_name() -> None:
    """A column that is there twice is refused by name."""
    df = pd.DataFrame([[A, B, "一"]], columns=["p", "p", "n"])
    with pytest.raises(InputError, match="more than one column is called 'p'"):
        plan(df, phone="p", text="好", campaign="c")


def test_columns_may_have_any_label() -> None:
    """Integer labels are found as themselves and as they are written."""
    df = pd.DataFrame([[A, "一"]])
    assert plan(df, phone=0, text="{1}", campaign="c").messages["content"].tolist() == ["一"]


def test_an_empty_frame_is_an_empty_plan() -> None:
    """No rows give a plan of no messages, with every column of its frames."""
    made = plan(pd.DataFrame({"p": [], "n": []}), phone="p", text="{n}好", campaign="c", price=0.05)
    assert (len(made), made.rows, made.requests, made.segments, made.cost) == (0, 0, 0, 0, 0.0)
    assert list(made.messages.columns) == [
        "row", "phone", "content", "params", "segments", "carrier", "province", "city", "arm", "key", "batch",
    ]  # fmt: skip
    assert list(made.excluded.columns) == [
        "row", "position", "phone", "reason", "meaning", "last_campaign", "last_sent_at",
    ]  # fmt: skip
    assert list(made.batches.columns) == [
        "batch",
        "mode",
        "messages",
        "segments",
        "content",
        "template_id",
        "params",
        "arm",
    ]
    assert list(made.sample(3).columns) == ["row", "phone", "shown", "segments"]
    assert list(made.iter_batches()) == []
    assert "0 messages" in made.text("en")


def test_suppression_lists_in_every_form() -> None:
    """A frame with the same column, a series, a set and an array of numbers all keep the same people out."""
    df = people(手机=[A, B])
    forms = [
        pd.DataFrame({"手机": [f"+86{A}"], "备注": [""]}),
        pd.DataFrame({"phone": [A], "x": [1]}),
        pd.DataFrame({"随便": [A]}),
        pd.Series([float(A), None]),
        {A},
        np.array([int(A)]),
        (number for number in [A]),
    ]
    for form in forms:
        made = plan(df, phone="手机", text="好", campaign="c", suppress=form)
        assert made.excluded[["phone", "reason"]].values.tolist() == [[A, "suppressed"]]
    warned = plan(df, phone="手机", text="好", campaign="c", suppress=[A, "10086", None], signature="x").warnings
    assert [(warning.code, warning.rows) for warning in warned] == [("unreadable_suppression", 1)]


def test_trial_mode_reaches_nobody_else() -> None:
    """With allow_only on the account only those numbers are planned; an empty list reaches nobody."""
    account = SimpleNamespace(signature="示例", allow_only=(A,), add_serial="", service_code="", is_pushed=False, **WHO)
    made = plan(people(p=[A, B]), phone="p", text="好", campaign="c", account=account)
    assert (made.messages["phone"].tolist(), made.excluded["reason"].tolist()) == ([A], ["not_allowed"])
    account.allow_only = ()
    assert len(plan(people(p=[A, B]), phone="p", text="好", campaign="c", account=account)) == 0


def test_signature_segments_and_cost() -> None:
    """The signature counts; the account gives it, or the plan; cost is segments times price, to the cent."""
    account = SimpleNamespace(
        signature="示例公司", allow_only=None, add_serial="", service_code="", is_pushed=False, **WHO
    )
    df = people(p=[A, B], t=["一" * 64, "一" * 65])
    made = plan(df, phone="p", content="t", campaign="c", account=account, price=0.035)
    assert (made.signature, made.segments, made.cost) == ("【示例公司】", 3, 0.105)
    assert made.messages["segments"].tolist() == [1, 2]
    assert plan(df, phone="p", content="t", campaign="c", account=account, signature="").segments == 2


def test_templates_are_grouped_by_equal_params() -> None:
    """One request for each set of parameters; the plan says what the same as plain text would take."""
    df = people(p=[A, B, C, D], 档=["金", "银", "金", None], 日=[pd.Timestamp("2026-01-31")] * 4)
    made = plan(df, phone="p", template_id="t1", params=["档", "日:%m月%d日"], campaign="c", price=1, signature="示例")
    first, second = made.iter_batches()
    assert (first.mode, first.phones, first.params, first.params_text) == (
        "template",
        [A, C],
        ("金", "01月31日"),
        '["金","01月31日"]',
    )
    assert (second.phones, second.params, second.template_id, second.content) == ([B], ("银", "01月31日"), "t1", None)
    assert first.segments == [None, None]
    assert (made.segments, made.cost) == (None, None)
    assert made.excluded["reason"].tolist() == ["missing_value"]
    assert made.batches["params"].tolist() == ['["金","01月31日"]', '["银","01月31日"]']
    assert "as plain texts: 1 request," in made.text("en")
    assert "若改为普通短信: 1 次请求" in made.text("zh")


def test_template_params_are_exact_json() -> None:
    """Quotes, backslashes and line breaks in a value survive; a template without parameters has an empty list."""
    value = '引"号\\与\n换行'
    made = plan(people(p=[A], v=[value]), phone="p", template_id="t", params="v", campaign="c")
    assert made.batch(0).params == (value,)
    bare = plan(people(p=[A]), phone="p", template_id="t", campaign="c").batch(0)
    assert (bare.params, bare.params_text) == ((), "[]")


def test_personal_templates_show_requests_and_minutes() -> None:
    """20,000 people with parameters of their own: the plan says 20,000 requests and 33 minutes, and 21 requests as text."""
    df = pd.DataFrame({"p": [13_800_000_000 + i for i in range(20_000)], "n": range(20_000)})
    made = plan(df, phone="p", template_id="t", params=["n"], campaign="c")
    assert (made.requests, made.seconds) == (20_000, 2_000.0)
    shown = made.text("en")
    assert "20,000 requests, about 33 min" in shown
    assert "as plain texts: 21 requests, about 2.1 s" in shown


def test_a_stated_rate_makes_the_estimate() -> None:
    """With rate= the time is when the last request leaves: of 1,000 messages 600 at once, the others a minute later."""
    df = pd.DataFrame({"p": [13_800_000_000 + i for i in range(1_000)]})
    made = plan(df, phone="p", text="好", campaign="c", rate=10)
    assert made.seconds == 60.5
    assert "about 1 min, a request every 1 min; at most 600 messages in any minute" in made.text("en")


def test_arms_have_texts_and_extensions_of_their_own() -> None:
    """A text and an extension for each arm; requests hold one arm each and alternate."""
    df = people(p=[str(13_800_000_000 + i) for i in range(8)], arm=["甲", "乙"] * 4)
    limits = Limits(many_to_one=2, many_to_many=2)
    made = plan(
        df, phone="p", text={"甲": "早", "乙": "晚"}, campaign="c", add_serial={"甲": "01", "乙": "02"}, limits=limits
    )
    batches = list(made.iter_batches())
    assert [(batch.arm, batch.content, batch.add_serial) for batch in batches] == [
        ("甲", "早", "01"),
        ("乙", "晚", "02"),
    ] * 2
    assert made.messages["arm"].tolist() == ["甲", "乙"] * 4
    assert made.batches["arm"].tolist() == ["甲", "乙"] * 2
    with pytest.raises(TypeError):
        made.add_serial["甲"] = "09"


def test_rows_without_an_arm_are_sent_too() -> None:
    """A row whose arm is blank is planned, in requests of its own."""
    made = plan(people(p=[A, B], arm=["甲", None]), phone="p", text="好", campaign="c")
    assert [batch.arm for batch in made.iter_batches()] == ["甲", None]


def test_texts_by_arm_leave_unwritable_rows_out() -> None:
    """A placeholder that is blank in its arm's text leaves the row out; in another arm's text it does not matter."""
    df = people(p=[A, B, C], arm=["甲", "乙", "甲"], n=[None, None, "三"])
    made = plan(df, phone="p", text={"甲": "{n}早", "乙": "晚"}, campaign="c")
    assert made.messages["content"].tolist() == ["晚", "三早"]
    assert made.excluded["reason"].tolist() == ["missing_value"]


def test_a_plan_is_frozen() -> None:
    """Neither its frames, its arrays nor the frame it was made of can change what it sends."""
    df = people(p=[A, B], n=["一", "二"])
    made = plan(df, phone="p", text="{n}好", campaign="c")
    before = [dataclasses.asdict(batch) for batch in made.iter_batches()]
    df.loc[:, "n"] = "改"
    messages = made.messages
    messages["content"] = "改"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.campaign = "d"
    with pytest.raises(ValueError, match="read-only"):
        made.planned.numbers[0] = 1
    assert made.planned.contents is not None
    with pytest.raises(ValueError, match="read-only"):
        made.planned.contents.columns[0].codes[0] = 1
    assert [dataclasses.asdict(batch) for batch in made.iter_batches()] == before
    assert made.messages["content"].tolist() == ["一好", "二好"]


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["pyarrow", "python"])
def test_a_large_plan_does_not_follow_its_frame(storage: Any) -> None:
    """A column of very many different texts, kept where pandas keeps them, is frozen too; blanks and odd texts are seen."""
    count = 60_000
    names = pd.Series([f"客户{i}" for i in range(count)], dtype=pd.StringDtype(storage, na_value=np.nan))
    names.iloc[[3, 5, 7, 9]] = [None, " ", "见a.com", "😀"]
    df = pd.DataFrame({"p": np.arange(count) + 13_800_000_000, "n": names})
    made = plan(df, phone="p", text="{n}好", campaign="c", signature="s")
    wanted = [f"客户{i}好" for i in range(12)]
    wanted[7], wanted[9] = "见a.com好", "😀好"
    del wanted[5], wanted[3]
    assert made.messages["content"].head(10).tolist() == wanted
    assert made.excluded["position"].tolist() == [3, 5]
    assert {warning.code: warning.rows for warning in made.warnings} == {"link": 1, "outside_bmp": 1}
    df.loc[0, "n"] = "改"
    df["n"].array[1] = "改"
    assert made.messages["content"].head(10).tolist() == wanted
    spaced = plan(df.assign(n=df["n"].str.cat(["\u3000"] * count)), phone="p", text="{n}好", campaign="c")
    assert spaced.messages["content"].iloc[-1] == "客户59999好"


def test_the_hash_covers_everything_that_is_sent() -> None:
    """Equal plans have equal hashes, also after pickling; every change of what is sent changes the hash."""
    plain = people(p=[A, B], n=["一", "二"], t=["一好", "二好"])

    def hashed(frame: pd.DataFrame = plain, **more: Any) -> str:
        return plan(frame, **{"phone": "p", "text": "{n}好", "campaign": "c", **more}).hash

    first = hashed()
    assert hashed() == first == hashed(content="t", text=None)
    assert pickle.loads(pickle.dumps(plan(plain, phone="p", text="{n}好", campaign="c"))).hash == first
    with Store(":memory:", clock=ManualClock()) as store:
        kept = plan(plain, phone="p", text="{n}好", campaign="c", store=store)
    assert pickle.loads(pickle.dumps(kept)).hash == first
    changed = [
        hashed(text="{n}坏"), hashed(campaign="d"), hashed(add_serial="1"), hashed(plain.assign(arm=["x", "y"])), hashed(plain.iloc[:1]),
        hashed(round="2"), hashed(key="t"), hashed(limits=Limits(many_to_many=1)),
        hashed(text=None, template_id="t", params=["n"]), hashed(text=None, template_id="u", params=["n"]),
    ]  # fmt: skip
    assert len({first, *changed}) == 1 + len(changed)


def test_the_sample_is_stable_and_masked() -> None:
    """Some messages as phones show them: the same for the same seed, numbers masked, in row order."""
    df = pd.DataFrame({"p": [13_800_000_000 + i for i in range(100)], "n": range(100)}, index=range(100, 200))
    made = plan(df, phone="p", text="{n}号，请回电13900139000", campaign="c", signature="示例")
    sample = made.sample(4, seed=3)
    pd.testing.assert_frame_equal(sample, made.sample(4, seed=3))
    assert sample["row"].is_monotonic_increasing
    assert sample["shown"].tolist() == [f"【示例】{row - 100}号，请回电139****9000" for row in sample["row"]]
    assert sample["phone"].str.fullmatch(r"138\*{4}\d{4}").all()
    assert len(made.sample(1000)) == 100


def test_excluded_rows_can_be_given_back(tmp_path: Path) -> None:
    """The rows left out are written with row, number as found and reason in words, and read back so."""
    df = pd.DataFrame({"p": ["010-66668888", "=1+1", A]}, index=pd.Index([2, 3, 4], name="row"))
    path = plan(df, phone="p", text="好", campaign="c").excluded_to_excel(tmp_path / "退回.xlsx", language="zh")
    assert read_sheet(path).values.tolist() == [
        [2, 0, "010-66668888", "landline", "固定电话"],
        [3, 1, "=1+1", "invalid_number", "不是有效的手机号"],
    ]


def test_the_plan_shows_itself_without_secrets_or_whole_numbers() -> None:
    """Text and HTML hold the same facts; numbers are masked, and no name from the sheet is taken as markup."""
    df = people(p=[A, B, A, None], n=["<b>张</b>", "一" * 80, "x", "y"])
    made = plan(df, phone="p", text="{n}，致电13700137000", campaign="<i>c</i>", price=0.05, signature="示例")
    for shown in (made.text("en"), made.html("en"), made.text("zh"), made.html("zh"), repr(made), made._repr_html_()):
        for number in (A, B, "13700137000"):
            assert number not in shown
        assert "138****8000" in shown
        assert "139****9000" in shown
    assert "<b>" not in made.html("en").split("</p>", 1)[1].replace("<br>", "")
    assert "&lt;b&gt;张&lt;/b&gt;" in made.html("en")
    assert "<i>" not in made.html("en")
    text = made.text("en")
    assert "4 = 2 planned + 2 left out" in text
    assert "3 (1 × 1, 1 × 2)" in text
    assert "¥0.15 at ¥0.05 a segment" in text
    assert "the number is already in the list  (1 segment, ¥0.05)" in text
    assert "first (138****8000): 【示例】<b>张</b>，致电137****7000" in text
    assert "2 messages with a phone number" in text
    assert "计费条数: 3（1 × 1，1 × 2）" in made.text("zh")


def test_no_part_of_a_plan_shows_a_whole_number() -> None:
    """Whatever of a plan ends up in a cell's output or a log line, it shows counts."""
    made = plan(people(p=[A, "abc", B]), phone="p", text="您好", campaign="c")

    assert repr(made.planned) == "PlannedMessages(2 numbers, 1 request)"
    assert repr(made.left_out) == "Excluded(1 row)"


def test_the_summary_says_what_is_left_out_and_saved() -> None:
    """Rows, segments and cost of what is planned and of each reason, most frequent first."""
    df = people(p=[A, A, A, B, "1"], n=["一", "一", "一", None, "一"])
    summary = plan(df, phone="p", text="{n}", campaign="c", price=0.1).summary
    assert summary.drop(columns="meaning").values.tolist() == [
        ["planned", 1, 1, 0.1],
        ["duplicate", 2, 2, 0.2],
        ["invalid_number", 1, 1, 0.1],
        ["missing_value", 1, 0, 0.0],
    ]


def test_a_plan_that_sends_nothing_warns() -> None:
    """No rows, and only rows that are left out."""
    nothing = pd.DataFrame({"phone": pd.Series([], dtype="str")})
    nobody = pd.DataFrame({"phone": ["no number", "none either"]})
    warned = [plan(table, phone="phone", campaign="c", text="hi").warnings for table in (nothing, nobody)]

    assert [[(one.code, one.rows) for one in some] for some in warned] == [[("no_rows", 1)], [("nobody_left", 2)]]
    assert str(warned[1][0]) == "nothing is planned: all 2 rows are left out"


def test_a_sample_has_some_of_each_arm() -> None:
    """With two texts the sample names the arm and shows both, and so does the plan itself."""
    people = pd.DataFrame({"phone": [f"1380013800{n}" for n in range(8)], "arm": ["A"] * 7 + ["B"]})
    made = plan(people, phone="phone", campaign="c", text={"A": "one", "B": "two"})
    sample = made.sample(2)

    assert sorted(sample["arm"]) == ["A", "B"]
    assert dict(zip(sample["arm"], sample["shown"], strict=True)) == {"A": "one", "B": "two"}
    assert "arm A (138****8000): one" in made.text("en")
    assert "arm B (138****8007): two" in made.text("en")
