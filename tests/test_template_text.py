"""A template's text, said by its owner: it gives length, cost and preview, changes no request, and is remembered."""

from __future__ import annotations

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.planning.platform_texts import placeholders

PEOPLE = pd.DataFrame(
    {"手机号": ["13800138000", "13900139001", "13700137002"], "姓名": ["张三", "李四", None], "积分": [1280, 20, 5]}
)
TEXT = "尊敬的{1}，您的{2}积分将于月底到期，" + "请尽快兑换。" * 12


def made(
    store: mas.Store | None = None, account: mas.Account | None = None, text: str | None = TEXT, **more: object
) -> mas.Plan:
    """Return the plan of a template with a name and points."""
    given: dict[str, object] = {
        "params": ["姓名", "积分"],
        "template_text": text,
        "price": 0.05,
        "signature": "示例",
    } | more
    return mas.plan(PEOPLE, phone="手机号", template_id="t1", campaign="积分", store=store, account=account, **given)  # type: ignore[arg-type]


def test_length_and_cost_are_those_of_the_same_text_as_content() -> None:
    as_text = mas.plan(
        PEOPLE, phone="手机号", text=TEXT.replace("{1}", "{姓名}").replace("{2}", "{积分}"), campaign="积分", price=0.05,
        signature="示例",
    )  # fmt: skip
    plan = made()
    assert (plan.segments, plan.cost) == (as_text.segments, as_text.cost)
    assert plan.messages[["phone", "content", "segments"]].values.tolist() == (
        as_text.messages[["phone", "content", "segments"]].values.tolist()
    )
    assert plan.excluded["reason"].tolist() == as_text.excluded["reason"].tolist() == ["missing_value"]
    # 【示例】 and 尊敬的张三，您的1280积分将于月底到期， and twelve times six: 97 units, in two parts; two messages.
    assert plan.segments == 4
    assert plan.cost == pytest.approx(0.2)
    assert "【示例】尊敬的张三，您的1280积分将于月底到期" in plan.text()


def test_requests_are_the_same_byte_for_byte() -> None:
    bare, said = made(text=None), made()
    assert bare.hash == said.hash
    for index in range(bare.requests):
        one, other = bare.batch(index), said.batch(index)
        assert (one.phones, one.content, one.contents, one.template_id, one.params_text) == (
            other.phones, other.content, other.contents, other.template_id, other.params_text,
        )  # fmt: skip
    assert (bare.segments, bare.cost) == (None, None)


def test_placeholders_of_other_vendors_are_read() -> None:
    texts = ["{1}，您有{2}分", "${name}，您有${points}分", "{#var#}，您有{#var#}分"]
    shown = [made(text=text).messages["content"].tolist() for text in texts]
    assert shown == [["张三，您有1280分", "李四，您有20分"]] * 3
    assert made(text="{2}分，{1}，共{2}分").messages["content"][0] == "1280分，张三，共1280分"
    assert placeholders("没有变量，也没有{姓名}") == []


def test_the_text_is_checked_as_texts_are() -> None:
    codes = [warning.code for warning in made(text="{1}，{2}分，限时优惠，点击 http://a.cn").warnings]
    as_text = mas.plan(
        PEOPLE, phone="手机号", text="{姓名}，{积分}分，限时优惠，点击 http://a.cn", campaign="积分", signature="示例"
    )
    assert codes == [warning.code for warning in as_text.warnings]
    assert codes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{1}分", r"the template's text has 1 parameters \(\{1\}\), but params= has 2 \(姓名, 积分\)"),
        ("没有变量", r"the template's text has 0 parameters \(-\), but params= has 2"),
        ("{1}和{3}", r"has \{3\} but not \{2\}"),
        ("{1}和${name}", r"written in two ways, \{1\} and \$\{name\}"),
        (" ", "template_text= is empty"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(text: str, said: str) -> None:
    with pytest.raises(mas.InputError, match=said):
        made(text=text)


def test_a_text_of_no_template_is_refused() -> None:
    with pytest.raises(mas.InputError, match="template_text= goes with template_id= only"):
        mas.plan(PEOPLE, phone="手机号", text="您好", template_text="您好", campaign="c")


def test_it_is_remembered_by_the_store_and_said_once(sim: mas.Simulator, client: mas.Client, store: mas.Store) -> None:
    account = client.account
    assert store.templates().empty
    mas.send(made(store, account), client, store, progress=False)
    assert store.messages()["segments"].tolist() == [2, 2]
    assert mas.costs(store, 0.05)[["cost", "unpriced"]].values.tolist() == [[0.2, 0]]

    again = made(store, account, text=None, round="2")
    assert again.segments == 4
    assert again.template_text == TEXT
    changed = made(store, account, text="{1}，您有{2}分", round="2")
    assert "other_template_text" in [warning.code for warning in changed.warnings]
    mas.send(changed, client, store, progress=False)
    found = store.templates()
    assert found[["template_id", "text", "placeholders", "messages"]].values.tolist() == [
        ["t1", TEXT, 2, 2],
        ["t1", "{1}，您有{2}分", 2, 2],
    ]
    assert made(store, account, text=None, round="3").template_text == "{1}，您有{2}分"


def test_a_template_whose_text_nobody_said_is_listed_without_it(
    sim: mas.Simulator, client: mas.Client, store: mas.Store
) -> None:
    mas.send(made(store, client.account, text=None), client, store, progress=False)
    found = store.templates()
    assert found[["template_id", "messages"]].values.tolist() == [["t1", 2]]
    assert found[["text", "placeholders"]].isna().all(axis=None)
    assert mas.costs(store, 0.05)["unpriced"].tolist() == [2]
