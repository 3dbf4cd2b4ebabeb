"""The catalogue of state-report codes."""

from __future__ import annotations

import csv
import html
import math
import subprocess
import sys
from importlib import resources
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.codes import CodeDescription, category_of, code_catalogue, describe_code
from masanalytics.rspcods import RSPCODS, describe_rspcod
from masanalytics.vocabulary import category_name


def test_an_exact_code_is_described_whole() -> None:
    """An exact code gives its category, meaning, advice, network and where that was published."""
    assert describe_code("DELETED", language="en") == CodeDescription(
        code="DELETED",
        known=True,
        match="exact",
        category="deleted",
        meaning="Deleted before delivery",
        advice="Message deleted before delivery: resend if still needed.",
        source="CMPP 3.0 specification text, section 8.4.5.1 table 1 (public copy) ; "
        "https://support.huaweicloud.com/api-iotcom/iotcom_05_0304.html ; "
        "public source file (com.surge.engine.protocol.sms.util.SmsTools)",
        network="cmpp",
    )


@pytest.mark.parametrize(
    ("code", "match", "category"),
    [
        ("DELIVRD", "exact", "delivered"),
        ("delivrd", "exact", "delivered"),
        (" Deliv rd\n", "exact", "delivered"),
        ("DB：0141", "exact", "blacklist"),
        ("db: 0141", "exact", "blacklist"),
        ("DB:Black", "exact", "blacklist"),
        ("MK:ZZZZ", "prefix", "number_state"),
        ("UNDELIV_998", "prefix", "number_state"),
        ("EXPIRED_612", "exact", "gateway_fault"),
        ("ML:0000", "prefix", "in_progress"),
        ("CM:2007", "exact", "unknown"),
        ("CM:2999", "prefix", "unknown"),
        ("CM:0000", "exact", "delivered"),
        ("cm:3000", "exact", "in_progress"),
        ("GW:9999", "exact", "gateway_fault"),
        ("SystemBusy", "exact", "submit_busy"),
        ("systembusy", "exact", "submit_busy"),
        ("CM:8001", "exact", "content_blocked"),
        ("CM:8003", "exact", "blacklist"),
        ("00138", "exact", "signature"),
        ("QQ:0001", "unknown", "unknown"),
        ("DB", "unknown", "unknown"),
    ],
)
def test_exact_then_longest_family_then_unknown(code: str, match: str, category: str) -> None:
    """The exact code comes first, then the longest family, then unknown; case and spaces do not matter."""
    found = describe_code(code)
    assert (found.match, found.category, category_of(code)) == (match, category, category)


@pytest.mark.parametrize("code", [1, 1.0, "1", " 1", "-37"])
@pytest.mark.parametrize("carrier", [None, "China Mobile", "China Telecom", "unknown"])
def test_bare_numbers_are_unicoms_alone(code: float | str, carrier: str | None) -> None:
    """A bare number is read for China Unicom only, and is unknown for every other carrier and for none."""
    assert describe_code(code, carrier=carrier).match == "unknown"
    assert category_of(code, carrier) == "unknown"
    says_where_it_is_known = "China Unicom knows a code of this number" in describe_code(code, language="en").advice
    assert says_where_it_is_known
    assert describe_code(code, carrier="China Unicom").match == "exact"
    assert describe_code(code, carrier="China Unicom").network == "sgip"


@pytest.mark.parametrize("code", [None, float("nan"), math.nan, pd.NA, pd.NaT, "", "  ", "nan"])
def test_a_missing_code_is_unknown(code: Any) -> None:
    """A missing code is described as unknown and says that the report carried none."""
    found = describe_code(code, language="en")
    assert (found.code, found.known, found.match, found.category) == ("", False, "unknown", "unknown")
    assert found.meaning == "The report carried no code"
    assert category_of(code) == "unknown"


def test_cm_2007_says_that_nothing_was_published() -> None:
    """CM:2007, seen in real reports, is described as having no published meaning, in both languages."""
    assert "meaning not published" in describe_code("CM:2007", language="en").meaning
    assert "官方未公开含义" in describe_code("CM:2007", language="zh").meaning


def test_an_unlisted_code_keeps_its_own_spelling() -> None:
    """A code nobody has listed comes back as it was written, with advice on where to ask."""
    found = describe_code(" Zz:77 ", language="zh")
    assert (found.code, found.known, found.meaning) == ("Zz:77", False, "目录中没有这个代码")
    assert "话单查询" in found.advice


def test_every_advice_and_category_has_its_chinese() -> None:
    """Every English advice and every category in the catalogue has a Chinese text."""
    english, chinese = code_catalogue("en"), code_catalogue("zh")
    assert len(english) == len(chinese) == 716
    assert (english["advice"] != chinese["advice"]).all()
    assert chinese["advice"].str.contains(r"[一-鿿]").all()
    assert (english["category_name"] != english["category"]).all()
    assert chinese["category_name"].str.contains(r"[一-鿿]").all()


def test_no_advice_is_translated_for_nothing() -> None:
    """The translations are exactly the advice texts in use, each once."""
    folder = resources.files("masanalytics").joinpath("data")
    with folder.joinpath("code_advice.csv").open(encoding="utf-8") as file:
        translated = [row["advice_en"] for row in csv.DictReader(file)]
    with folder.joinpath("error_codes.csv").open(encoding="utf-8") as file:
        used = {row["advice_en"] for row in csv.DictReader(file)}
    assert sorted(translated) == sorted(used)


def test_one_catalogue_for_codes_and_words() -> None:
    """A rspcod is described in the words of a submit's result, in both languages."""
    for language in ("en", "zh"):
        meaning, advice = describe_rspcod("InvalidUsrOrPwd")
        found = describe_code("InvalidUsrOrPwd", language=language)
        assert (found.meaning, found.advice) == (meaning.text(language), advice.text(language))
    table = code_catalogue("en").set_index("code")
    assert set(RSPCODS) <= set(table.index)
    assert table.loc["NOT_WHITE_IP", "meaning"] == describe_rspcod("NOT_WHITE_IP")[0].text("en")


def test_where_sources_differ_both_are_said_the_platforms_own_first() -> None:
    """CM:8003: the global blacklist by the platform's own table, a keyword hit by another vendor's document."""
    found = describe_code("CM:8003", language="en")
    assert (found.category, found.action) == ("blacklist", "remove")
    assert found.meaning.index("global blacklist") < found.meaning.index("another vendor's document: keyword hit")


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("DELIVRD", ""),
        ("CM:0000", ""),
        ("CM:3000", ""),
        ("CM:8001", "change_text"),
        ("CM:8005", "check_account"),
        ("CM:2007", "ask_carrier"),
        ("SystemBusy", "retry_later"),
        ("PrepayBalanceZero", "check_account"),
        ("IllegalSignId", "check_account"),
        ("QQ:0001", "ask_carrier"),
        ("MN:0090", "retry_later"),
        ("CB:0001", "remove"),
        ("MX:0012", "respect_wish"),
        ("CM:8004", "respect_wish"),
    ],
)
def test_what_is_to_be_done(code: str, action: str) -> None:
    """Wait, put right, or ask: by what kind of thing stands in the way."""
    assert describe_code(code).action == action


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        ("MN:0090", 43_200),
        ("EXPIRED", 86_400),
        ("DB:0141", None),
        ("DELIVRD", None),
        ("CMPPERR:", None),
        ("SystemBusy", 300),
    ],
)
def test_after_how_long_another_try_is_worth_it(code: str, seconds: int | None) -> None:
    """Only of codes that may pass by themselves, in seconds."""
    assert describe_code(code).retry_after == seconds
    table = code_catalogue("en")
    assert (table["retry_after"].notna() == (table["action"] == "retry_later")).all()


def test_catalogue_columns() -> None:
    """The catalogue is a frame of text with its columns in a fixed order."""
    table = code_catalogue("en")
    assert list(table) == [
        "code",
        "match",
        "network",
        "category",
        "category_name",
        "action",
        "retry_after",
        "meaning",
        "advice",
        "source",
    ]
    assert set(table["match"]) == {"exact", "prefix"}
    assert table.loc[table["code"] == "MK:", "category_name"].tolist() == ["Empty, suspended or off"]


def test_a_word_that_is_no_category_is_its_own_name() -> None:
    """A category nobody has named is shown as it is."""
    assert category_name("pending") == "pending"


@given(st.text(max_size=30))
def test_no_text_breaks_it(code: Any) -> None:
    """Any text at all is described, and its category is the same in both languages."""
    assert describe_code(code, language="en").category == describe_code(code, language="zh").category


def test_describing_a_code_needs_no_pandas() -> None:
    """The command line can explain a code without loading pandas."""
    script = "import sys, masanalytics.codes as c; c.describe_code('DB:0141'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_described_code_shows_itself_as_text_and_as_a_card() -> None:
    """What is known of a code reads as lines of text and as a card, with the same facts, in the language asked for."""
    english, chinese = describe_code("mk:9999", language="en"), describe_code("MK:9999", language="zh")

    assert repr(english).splitlines()[:4] == [
        "mk:9999: SMSC final state UNDELIV",
        "  category: Empty, suspended or off",
        "  whose code: China Mobile's gateway (CMPP)",
        "  found: by its family",
    ]
    assert "  to be done: send again later: it may pass by itself" in repr(english).splitlines()
    assert english.text() == repr(english)
    assert repr(chinese).splitlines()[:4] == [
        "MK:9999：短信中心状态为 UNDELIV",
        "  类别: 空号、停机或关机",
        "  来自: 中国移动网关（CMPP）",
        "  匹配方式: 按代码前缀",
    ]
    for found in (english, chinese):
        for fact in (found.meaning, found.advice, found.source):
            assert fact in repr(found)
            assert html.escape(fact) in found._repr_html_()


def test_a_codes_card_runs_nothing() -> None:
    """A code comes from outside: whatever it holds is shown, never run; one that is missing is said to be."""
    shown = describe_code("<script>alert(1)</script>", language="en")._repr_html_()

    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: Not in the catalogue" in shown
    assert describe_code(None, language="zh").text().startswith("无代码：回执中没有代码")
