"""The glossary has every word of the frames, in both languages; the words it replaced occur nowhere."""

from __future__ import annotations

import ast
import gettext
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis
from masanalytics.phones import normalise_phones
from masanalytics.vocabulary import BATCH_STATES, EXCLUSIONS, MESSAGE_COLUMNS, MODES, STATUS_WORDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "masanalytics"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
"""One source of both languages: `docs/build.py check` fails where a row lacks its Chinese."""
ROW = re.compile(r"^\| (?P<word>[^|]+) \| (?P<chinese>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)
FIELD_WORDS = (
    "at risk", "observed", "censored", "rate limit", "poll schedule", "grouped count", "layout", "theme",
    "dictionary encoding", "round", "arm", "segment", "prefix", "report", "uplink", "reply",
)  # fmt: skip
REPLACED = {
    r"\boccasions?\b": "round",
    r"\brefus(e|es|ed|al)\b": "rejected",
    "消息": "短信",
    "接[受收]": "受理",
    "分组": "组",
    "报告": "回执",
}
"""Words that the glossary replaced, and by what."""
ALLOWED = {
    "状态报告": "the interface document's own word for 回执, beside it",
    "报告的标题。": "the written report",
    "报告文件": "the written report",
    "分析报告": "the written report",
    "接收平台推送": "the receiver's work: pushes come in",
    "接收程序": "the receiver",
    "接收推送": "the receiver's work: pushes come in",
    "写入 .xlsx 报告": "the written report",
    "没有可报告的": "the written report",
    "拒绝接收": "what people reply",
    "不再接收": "what people reply",
    "是否接收回执": "the name of a field of the platform's console",
    "接收回执": "the receiver's work: reports come in",
    "refused the connection": "the network's word",
    "'refuse' or 'hold'": "what is typed",
    "'refuse' 或 'hold'": "what is typed",
}
"""Sentences in which a replaced word means something else, and what."""
OLDER_FILES = "store/schema.py"
"""Migrations name what they rename."""


def words() -> set[str]:
    """Return every word that the glossary explains."""
    cells = [row["word"] for row in ROW.finditer(GLOSSARY)]
    return {word.strip("` ") for cell in cells for word in cell.split(",")}


@pytest.fixture
def frames(sim: mas.Simulator, client: mas.Client, store: mas.Store) -> dict[str, pd.DataFrame]:
    """One of each frame that the package returns."""
    people = pd.DataFrame({"phone": ["13800138000", "13900139000", "no number"]})
    plan = mas.plan(people, phone="phone", text="hi", campaign="c", store=store)
    mas.send(plan, client, store, progress=False)
    messages = store.messages().assign(arm=["A", "B"], status="delivered", latency_s=[3, 4], waited_s=60)
    made = {name: getattr(store, name)() for name in ("messages", "reports", "uplinks", "batches", "polls", "coverage")}
    made |= {name: getattr(store, name)() for name in ("foreign_reports", "opt_outs", "templates")}
    made |= {f"plan.{name}": getattr(plan, name) for name in ("messages", "excluded", "batches", "summary")}
    computed = ("delivery_rates", "error_codes", "latency", "timeline", "number_health")
    made |= {name: getattr(mas, name)(messages) for name in computed}
    return made | {
        "anomalies": mas.anomalies(messages),
        "arrivals": analysis.arrivals(messages),
        "code_catalogue": mas.code_catalogue(),
        "compare": mas.compare(messages, "arm", "A", "B", always_valid=True),
        "costs": mas.costs(messages, 0.05),
        "explain_change": mas.explain_change(messages, messages, by="carrier"),
        "normalise_phones": normalise_phones(people["phone"]),
        "outcomes": mas.outcomes(people, store, phone="phone", campaign="c").drop(columns="phone"),
        "reconciliation": mas.reconciliation(messages, pd.DataFrame({"month": ["2026-01"], "count": [2]}), by="month"),
        "campaigns": store.campaigns(price=0.05),
        "campaigns by month": store.campaigns(by="month"),
        "console": mas.delivery_rates(messages, console=True),
        "history": store.history("13800138000").events,
        "replies": mas.replies(store),
        "retryable": mas.retryable(store, "c"),
        "sample_size": mas.sample_size(0.95, 0.01),
        "fatigue": mas.fatigue(store),
        "suppression_value": mas.suppression_value(messages, 0.05, by=["verdict", "months_since_alive"]),
        "steps": analysis.steps(store),
    }


def test_every_column_of_every_frame_is_in_the_glossary(frames: dict[str, pd.DataFrame]) -> None:
    """A column that a user meets is explained."""
    columns = {str(column): name for name, frame in frames.items() for column in frame}
    columns |= dict.fromkeys(MESSAGE_COLUMNS, "messages")

    assert {column: name for column, name in columns.items() if column not in words()} == {}


def test_every_status_and_word_of_the_field_is_in_the_glossary() -> None:
    """Statuses, states, modes and reasons, and the words that the code uses for its parts."""
    used = {*STATUS_WORDS, *BATCH_STATES, *MODES, *EXCLUSIONS, *FIELD_WORDS}

    assert used - words() == set()


def test_every_word_has_its_chinese() -> None:
    """Row by row, beside the word, what it is called in Chinese."""
    rows = [row for row in ROW.finditer(GLOSSARY) if row["chinese"].strip("- ") not in ("", "Chinese", "中文")]

    assert len(rows) > 150
    assert [row["word"] for row in rows if not re.search("[一-鿿]", row["chinese"])] == []


def sentences() -> Iterator[tuple[str, str]]:
    """Yield every text of the catalogue and every Chinese one of the code, with where it stands."""
    with (PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES" / "masanalytics.mo").open("rb") as file:
        catalogue: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    for message, chinese in catalogue.items():
        yield "the catalogue", message if isinstance(message, str) else message[0]
        yield "the catalogue", chinese
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.STRING and not token.line.strip().startswith(('"""', 'r"""')):
                try:
                    yield path.relative_to(PACKAGE).as_posix(), str(ast.literal_eval(token.string))
                except (SyntaxError, ValueError):
                    continue


def test_words_that_the_glossary_replaced_occur_nowhere() -> None:
    """Neither in the catalogue nor in the texts of the code; names of states and error codes are no texts."""
    faults = [
        f"{place}: {text!r} says {found[0]!r}, the glossary says {right!r}"
        for place, text in sentences()
        if place != OLDER_FILES and not re.fullmatch(r"[a-z_]+", text)
        for wrong, right in REPLACED.items()
        if (found := re.search(wrong, text)) and not any(allowed in text for allowed in ALLOWED)
    ]

    assert sorted(set(faults)) == []


def test_no_column_or_name_is_called_by_a_replaced_word() -> None:
    """`least` was the delivery rate again; an occasion is a round."""
    found = [
        f"{path.relative_to(PACKAGE)}:{token.start[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() != OLDER_FILES
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if (token.type == tokenize.NAME and re.search("occasion", token.string))
        or (token.type == tokenize.STRING and token.string.strip("\"'") in ("least", "occasion"))
    ]

    assert found == []
