"""Warnings: what carriers block and readers stumble over."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from masanalytics.planning import plan


def warned(texts: list[str], **more: Any) -> dict[str, int]:
    """Return the warnings of a plan with these texts: code and how many messages."""
    df = pd.DataFrame({"p": [13_800_138_000 + i for i in range(len(texts))], "t": texts})
    made = plan(df, phone="p", content="t", campaign="c", **{"signature": "示例", **more})
    assert len(made) == len(texts)
    return {warning.code: warning.rows for warning in made.warnings}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("【示例】您好", "own_signature"),
        ("您好】", "own_signature"),
        ("详见http://a.cn/1", "link"),
        ("详见 www.example.com", "link"),
        ("登录t.cn/abc查看", "link"),
        ("见mall.10086.cn", "link"),
        ("致电13800138000", "phone_number"),
        ("电话 010-66668888", "phone_number"),
        ("热线400-800-1234", "phone_number"),
        ("请拨打95598", "phone_number"),
        ("回电(0571)88888888", "phone_number"),
        ("加QQ群123456789", "contact"),
        ("微信：abc_123", "contact"),
        ("加VX abc123", "contact"),
        ("祝您快乐😀", "outside_bmp"),
        ("𠮷野家", "outside_bmp"),
        ("尊敬的nan", "printed_missing"),
        ("将于NaT到期", "printed_missing"),
        ("尊敬的None", "printed_missing"),
        ("尊敬的{姓名}", "unfilled"),
        ("一" * 447, "too_long"),
        ("限时优惠，速来", "no_opt_out"),
        ("全场8折", "no_opt_out"),
    ],
)
def test_each_warning(text: str, code: str) -> None:
    """A text with one thing to look at gives that one warning, and harmless texts beside it none."""
    assert warned([text, "您的话费已到账，余额12.50元", "好"]) == {code: 1}


@pytest.mark.parametrize(
    "text",
    [
        "您的订单2026013112345678已发货",
        "余额3.14元，1.5折算",
        "2026.01.31到期",
        "一" * 446,
        "限时优惠，拒收请回复R",
        "限时优惠，退订回T",
        "限时优惠 回TD退订",
        "Financial news",
        "套餐5G.30GB",
        "验证码 123456",
    ],
)
def test_harmless_texts(text: str) -> None:
    """Order numbers, amounts, dates and texts that say how to opt out are let be."""
    assert warned([text]) == {}


def test_marketing_may_be_said() -> None:
    """marketing=True asks every text for a way to opt out, marketing=False none."""
    assert warned(["通知", "通知，拒收请回复R"], marketing=True) == {"no_opt_out": 1}
    assert warned(["限时优惠"], marketing=False) == {}


def test_warnings_count_messages_through_placeholders() -> None:
    """A link in the fixed text concerns all, one in a value those who have it; both are counted once a message."""
    df = pd.DataFrame(
        {
            "p": [13_800_138_000 + i for i in range(4)],
            "甲": ["a.com", "好", "b.com", "x"],
            "乙": ["1", "12345", "3", "4"],
            "arm": ["x", "x", "y", "y"],
        }
    )

    def of(text: str | dict[str, str]) -> dict[str, int]:
        made = plan(df, phone="p", text=text, campaign="c", signature="s")
        return {warning.code: warning.rows for warning in made.warnings}

    assert of("见{甲}") == {"link": 2}
    assert of("www.a.com {甲}") == {"link": 4}
    assert of("致电{乙}") == {"phone_number": 1}
    assert of("www.{乙}.com") == {"link": 4}
    assert of("{{姓名}}{乙}") == {"unfilled": 4}
    assert of({"x": "{甲}", "y": "好"}) == {"link": 1}


def test_an_unknown_signature_is_said() -> None:
    """Without a signature the count of segments may be short; the plan says so."""
    assert warned(["好"], signature="") == {"signature_unknown": 1}


def test_numbers_that_lost_their_ends() -> None:
    """Many numbers ending in 00000 hint at scientific notation before the sheet was read."""
    rounded = pd.DataFrame({"p": [13_800_100_000.0 + 100_000 * i for i in range(3)] + [13_800_138_000.0]})
    made = plan(rounded, phone="p", text="好", campaign="c", signature="s")
    assert [(warning.code, warning.rows) for warning in made.warnings] == [("round_numbers", 3)]


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["1.38001E+10", "13900139000"], {"round_numbers": 1}),
        (["1.38E+10"] * 40 + [""], {"round_numbers": 40}),
        (["13800100000", "13900139000"], {}),
        (["13800138000.0", "13900139000"], {}),
    ],
)
def test_scientific_notation_that_a_table_reader_has_lost(cells: list[str], rows: dict[str, int]) -> None:
    """Of the floats that pandas reads, one ending in 00000 is enough; every row counts, also the duplicates."""
    text = "p,n\n" + "".join(f"{cell},{place}\n" for place, cell in enumerate(cells))
    made = plan(pd.read_csv(io.StringIO(text)), phone="p", text="好", campaign="c", signature="s")
    assert {warning.code: warning.rows for warning in made.warnings} == rows
    if rows:
        assert "read_sheet" in str(made.warnings[0])
        assert "1.38001E+10" in str(made.warnings[0])
    read = plan(pd.read_csv(io.StringIO(text), dtype=str), phone="p", text="好", campaign="c", signature="s")
    assert {warning.code for warning in read.warnings} == ({"nobody_left"} if len(read) == 0 else set())


def test_warnings_speak_both_languages() -> None:
    """A warning is a sentence in either language, with the count."""
    df = pd.DataFrame({"p": ["13800138000"]})
    (warning,) = plan(df, phone="p", text="见www.a.com", campaign="c", signature="s").warnings
    assert warning.text("en") == "1 message with a link: China Mobile blocks links that are not registered"
    assert warning.text("zh") == "1 条短信含有链接：未报备的链接会被中国移动拦截"
    assert str(warning) == warning.text()
