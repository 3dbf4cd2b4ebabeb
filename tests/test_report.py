"""The report: one file, the right figures, nothing that runs, no number of a person."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
import python_calamine
from click.testing import CliRunner, Result

from masanalytics.cli.main import main
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, MissingExtraError
from masanalytics.i18n import use_language
from masanalytics.plot.fonts import bundled_font
from masanalytics.report import write_report
from masanalytics.report.build import _spans
from masanalytics.report.excel import _sheet_name
from masanalytics.report.headline import behind, headline
from masanalytics.report.pictures import Picture
from masanalytics.report.sanitise import harmless, sanitised
from masanalytics.store import Store
from tests.bench import Bench, report

EVIL = '=HYPERLINK("http://x","13800138000")<script>alert(1)</script>'


@pytest.fixture(autouse=True)
def _one_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAS_FONT", str(bundled_font()))
    yield
    assert not plt.get_fignums()


@pytest.fixture
def messages() -> pd.DataFrame:
    """100 settled messages: 90 delivered after 6 s, 10 failed; 20 of the delivered are China Unicom's."""
    return pd.DataFrame(
        {
            "message_id": range(100),
            "campaign": ["春节"] * 80 + [EVIL] * 20,
            "phone": [f"138001{i:05d}" for i in range(100)],
            "carrier": ["China Mobile"] * 80 + ["China Unicom"] * 20,
            "submitted_at": pd.to_datetime(["2026-01-03 09:00"] * 50 + ["2026-01-03 11:30"] * 50).tz_localize(
                "Asia/Shanghai"
            ),
            "status": ["failed"] * 10 + ["delivered"] * 90,
            "error_code": ["MK:0001"] * 6 + ["DB:0141"] * 3 + [None] + [None] * 90,
            "latency_s": [9] * 10 + [6] * 90,
            "waited_s": 300_000,
        }
    )


class Page(HTMLParser):
    """What a browser would load and run, and the tables as text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0
        self.handlers: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.cell: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (
                name in ("src", "href", "xlink:href", "action")
                and value is not None
                and not value.startswith(("#", "data:"))
            ):
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        self.scripts += tag == "script"
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.cell = []

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.tables[-1][-1].append("".join(self.cell or []))
            self.cell = None


PAGES: dict[str, str] = {}
"""Pages by what they were made of: several tests look at the same one, and each takes a second to draw."""


def written(path: Path, data: pd.DataFrame, **options: Any) -> str:
    made_of = f"{data.to_dict('list')} {data.attrs} {options}"
    if made_of not in PAGES:
        PAGES[made_of] = write_report(data, path / "report.html", **options).read_text(encoding="utf-8")
    return PAGES[made_of]


def worded(path: Path, data: pd.DataFrame, **options: Any) -> str:
    """Return the page without its pictures, for tests of its words and tables."""
    with mock.patch.object(Picture, "as_svg", return_value=""):
        return write_report(data, path / "report.html", **options).read_text(encoding="utf-8")


def test_the_headline_says_the_rate_with_denominator_and_interval(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The first sentence has accepted, delivered, rate and interval; the next why messages failed and how fast."""
    text = worded(tmp_path, messages, language="en")
    assert "Of 100 accepted messages, 90 were delivered: 90.0% (95% interval 82.6% to 94.5%)." in text
    assert "10 failed; no single code leads: MK:0001 (" in text
    assert "Half of the accepted messages had arrived after 6 s, nine in ten after 6 s." in text


@pytest.mark.parametrize(
    ("counts", "english", "chinese"),
    [
        ([40, 10], "50 failed, most often with A:1 (one): 40, 80.0% of the failed.", "最多的原因是 A:1（one）：40 条"),
        ([3, 3], "50 failed; no single code leads: A:1 (one) 3, B:2 (two) 3.", "没有明显居首的原因：A:1（one）3 条"),
        ([7], "50 failed, all with A:1 (one).", "原因均为 A:1（one）。"),
    ],
)
def test_a_code_is_called_the_most_frequent_where_chance_does_not_explain_its_lead(
    counts: list[int], english: str, chinese: str
) -> None:
    """40 against 10 is a lead, 3 against 3 is none; a single code is the cause of all."""
    rates = pd.DataFrame({"accepted": [100], "delivered": [50], "failed": [50], "pending": [0], "delivery_rate": [0.5],
                          "low": [0.4], "high": [0.6]})  # fmt: skip
    codes = pd.DataFrame({"error_code": ["A:1", "B:2"], "meaning": ["one", "two"], "share_of_failed": [0.8, 0.2]})
    codes = codes.head(len(counts)).assign(count=counts)

    assert headline(rates, codes, pd.DataFrame())[1] == english
    with use_language("zh"):
        assert chinese in headline(rates, codes, pd.DataFrame())[1]


def test_masked_numbers_leave_out_the_state_of_the_numbers_alone(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A frame exported without its numbers still makes a report: who is who is not known, the rest is."""
    masked = messages.assign(phone=[f"138****{number:04d}" for number in range(len(messages))])
    text = worded(tmp_path, masked, language="en")

    assert "90.0% (95% interval" in text
    assert 'id="health"' not in text
    assert 'id="health"' in worded(tmp_path, messages, language="en")


def test_tables_hold_the_figures(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The tables show counts, rates with intervals, codes with meaning and advice, and latencies."""
    page = Page(worded(tmp_path, messages, language="en", campaign="春节"))
    rates, course, codes, latency = page.tables[:4]
    assert rates[0][:4] == ["Accepted", "Delivered", "Delivery rate", "Failed"]
    assert rates[1][:5] == ["80", "70", "87.5% (78.5–93.1%)", "10", "0"]
    assert [row[:2] for row in course[1:]] == [["2026-01-03 09:00", "50"], ["2026-01-03 11:00", "30"]]
    assert [row[0] for row in codes[1:]] == ["MK:0001", "DB:0141", "no code"]
    assert codes[2][3:6] == ["3", "3.8%", "30.0%"]
    assert codes[2][6].startswith("Do not resend")
    assert latency[1][:3] == ["China Mobile", "70", "6 s"]


def test_a_chinese_report_is_chinese(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A Chinese report has Chinese sentences, headings and advice, and carries the letters it needs."""
    text = written(tmp_path, messages, language="zh", title="元旦活动")
    assert '<html lang="zh-CN">' in text
    assert "<title>元旦活动</title>" in text
    assert "已受理 100 条短信，送达 90 条，送达率 90.0%（95% 区间 82.6% 至 94.5%）。" in text
    assert "不要重发：号码在运营商或平台黑名单中" in text
    assert "@font-face" in text
    assert "各项指标的含义" in text


def test_an_english_report_of_latin_names_carries_no_font(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Where no Chinese letter occurs no font is put into the page."""
    text = worded(tmp_path, messages.tail(20).assign(campaign="spring"), language="en")
    assert "@font-face" not in text


def test_the_page_needs_nothing_and_runs_nothing_of_others(messages: pd.DataFrame, tmp_path: Path) -> None:
    """No address is loaded, one script runs (ours), no attribute runs code, and names of others are escaped."""
    text = written(tmp_path, messages, language="en")
    page = Page(text)
    assert page.links == []
    assert page.scripts == 1
    assert page.handlers == []
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in text
    assert "http://www.w3.org/2000/svg" in text
    assert set(re.findall(r"https?://[^\s\"'<&]+", text)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://x"
    }  # fmt: skip


def test_the_scripts_hash_is_the_one_allowed(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The page's policy allows exactly its own script."""
    import base64
    import hashlib

    text = written(tmp_path, messages, language="en")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = re.search(r"'sha256-([^']+)'", text)
    assert script
    assert allowed
    assert base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() == allowed[1]


@pytest.mark.slow
def test_ids_of_the_charts_do_not_meet(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Every id on the page is there once, and every reference inside the charts has its target."""
    text = written(tmp_path, messages, language="zh")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_each_chart_is_there_once_and_can_be_read_on_a_phone(messages: pd.DataFrame, tmp_path: Path) -> None:
    """One picture a section, at most 5.5 inches wide: in 360 pixels its letters of 11.5 points are ten pixels high."""
    text = written(tmp_path, messages, language="en")
    widths = [float(width) for width in re.findall(r'<svg role="img"[^>]*viewBox="0 0 ([\d.]+) ', text)]

    assert len(widths) == text.count("<svg") == text.count("<figure>") > 2
    assert set(widths) == {5.5 * 72}


def test_phone_numbers_are_masked_unless_asked_for(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A number in a name is masked in text and file; only reveal=True shows it; a list of numbers never appears."""
    masked = written(tmp_path, messages, language="en", by=["campaign"])
    assert "138****8000" in masked
    assert "13800138000" not in masked
    assert "1380010" not in masked
    assert "13800138000" in worded(tmp_path, messages, language="en", by=["campaign"], reveal=True)
    grouped = worded(tmp_path, messages.head(3), language="en", by=["phone"])
    assert "138****0001" in grouped
    assert "13800100001" not in grouped


@pytest.mark.slow
def test_equal_data_gives_equal_pages(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The same messages give the same page, byte for byte."""
    first, second = (write_report(messages, tmp_path / name, language="zh") for name in ("1.html", "2.html"))
    assert first.read_bytes() == second.read_bytes()


def test_a_report_of_nothing_says_so(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Without messages the page says that there is nothing to report on, and still explains its figures."""
    text = worded(tmp_path, messages.head(0), language="en")
    assert "There are no accepted messages to report on." in text
    assert "What each figure means" in text
    assert worded(tmp_path, messages, language="zh", since="2027-01-01").count("没有可报告的已受理短信。") == 1
    assert write_report(messages.head(0), tmp_path / "nothing.xlsx", language="en").exists()


def test_a_campaign_that_is_not_there_is_refused(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A mistyped campaign is an error that names those there are, and no empty report is handed on."""
    with pytest.raises(InputError, match="春节"):
        write_report(messages, tmp_path / "report.html", campaign="春季")
    assert list(tmp_path.iterdir()) == []


def test_pending_messages_are_said_and_bounded(messages: pd.DataFrame, tmp_path: Path) -> None:
    """While reports are missing the page says how many, and between which rates it will end."""
    young = messages.assign(status=["pending"] * 10 + ["delivered"] * 90, waited_s=60, latency_s=[None] * 10 + [6] * 90)
    text = worded(tmp_path, young, language="en")
    assert "90 have been delivered so far: 90.0%" in text
    assert "10 are still pending: the rate will end between 90.0% and 100%" in text


def test_a_frame_with_the_columns_of_the_rates_alone_is_enough(tmp_path: Path) -> None:
    """Without carriers, times and codes the report has what can be said, and leaves the rest out."""
    bare = pd.DataFrame(
        {"status": ["delivered"] * 3 + ["failed"], "error_code": None, "latency_s": 5, "waited_s": 300_000}
    )
    assert "Of 4 accepted messages, 3 were delivered" in worded(tmp_path, bare, language="en")


def test_one_message_is_said_as_one(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Of a single message the headline speaks in the singular."""
    text = worded(tmp_path, messages.tail(1), language="en")
    assert "Of 1 accepted message, 1 was delivered: 100%" in text


def test_no_share_in_a_page_reads_like_a_phone_number(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A share of 10 in 72, 0.13888888888, sorts by 0.138889: no eleven digits stand anywhere in the page's tables."""
    shares = messages.head(72).assign(status=["delivered"] * 10 + ["failed"] * 62, error_code="MK:0001")
    tables = re.findall(r"<table.*?</table>", worded(tmp_path, shares, language="en"), re.DOTALL)
    assert tables
    assert not re.search(r"1[3-9]\d{9}", "".join(tables))


def test_excel_holds_numbers_not_texts(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Counts and rates are numbers, the interval's ends have columns, codes and names are texts."""
    path = write_report(messages, tmp_path / "report.xlsx", language="en")
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    assert book.sheet_names[:3] == ["Summary", "Delivery rate by campaign", "Delivery rate by carrier"]
    rows = book.get_sheet_by_name("Delivery rate by carrier").to_python()
    assert rows[0][:8] == ["Carrier", "Accepted", "Delivered", "Delivery rate", "Delivery rate: 95% from",
                           "Delivery rate: 95% to", "Failed", "Pending"]  # fmt: skip
    assert rows[1][:4] == ["China Mobile", 80, 70, 0.875]
    assert rows[1][4] == pytest.approx(0.7849, abs=1e-4)
    codes = book.get_sheet_by_name("Why messages failed").to_python()
    assert codes[1][0] == "MK:0001"
    assert codes[1][3:6] == [6, 0.06, 0.6]


def test_no_cell_of_the_excel_file_is_a_formula_or_a_link(messages: pd.DataFrame, tmp_path: Path) -> None:
    """What people wrote is text in every cell: no formula, no hyperlink, phone numbers masked."""
    path = write_report(messages, tmp_path / "report.xlsx", language="zh", title="=1+1")
    with zipfile.ZipFile(path) as parts:
        inside = {name: parts.read(name) for name in parts.namelist()}
    sheets = b"".join(data for name, data in inside.items() if name.startswith("xl/worksheets/"))
    assert b"<f>" not in sheets
    assert b"hyperlink" not in sheets.lower()
    assert b"138****8000" in inside["xl/sharedStrings.xml"]
    assert not any(b"13800138000" in data for data in inside.values())
    assert sum(name.startswith("xl/charts/chart") for name in inside) >= 4
    assert not any(name.startswith("xl/media/") for name in inside)
    assert sheets.count(b'state="frozen"') >= 4


def test_excel_draws_its_charts_from_the_cells(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The chart of a breakdown names the cells of the rates beside it, ten groups at most, and shows percentages."""
    many = messages.assign(campaign=[f"c{i % 12}" for i in range(100)])
    path = write_report(many, tmp_path / "report.xlsx", language="zh")
    with zipfile.ZipFile(path) as parts:
        charts = [parts.read(name).decode() for name in sorted(parts.namelist()) if name.startswith("xl/charts/chart")]
    assert "<c:f>'送达率（按活动）'!$D$2:$D$11</c:f>" in charts[0]
    assert "送达数 ÷ 受理数" in charts[0]
    assert '<c:numFmt formatCode="0%"' in charts[0]


def test_money_in_excel_has_the_digits_of_the_page(tmp_path: Path) -> None:
    """A price for one message has three, a sum two; no cell ends in digits that nobody wrote."""
    path = write_report(two_weeks(), tmp_path / "report.xlsx", language="en", price=0.05)
    with zipfile.ZipFile(path) as parts:
        styles = parts.read("xl/styles.xml").decode()
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
    numbers = [number for sheet in sheets for number in re.findall(r"<v>(\d+\.\d+)</v>", sheet)]

    assert '#,##0.000"' in styles
    assert '#,##0.00"' in styles
    assert max(len(number.partition(".")[2]) for number in numbers) <= 9


def test_only_what_is_shown_is_explained(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A page of settled messages without replies explains neither what is pending nor a response rate."""
    text = worded(tmp_path, messages, language="en")
    assert "<dt>Of accepted, of failed</dt>" in text
    assert "<dt>Expected end</dt>" not in text
    assert "<dt>Replied, response rate</dt>" not in text


def test_a_rate_that_cannot_be_foretold_is_said_so() -> None:
    """Where messages are open and there is no history, the headline says what it takes."""
    rates = pd.DataFrame({"accepted": [10], "delivered": [5], "failed": [1], "pending": [4], "delivery_rate": [0.5],
                          "low": [0.3], "high": [0.7], "most": [0.9], "expected_rate": [float("nan")]})  # fmt: skip
    rates.attrs["expected_reason"] = {"0": "no_history"}
    said = headline(rates, pd.DataFrame(), pd.DataFrame())
    assert said[1:] == [
        "4 are still pending: the rate will end between 50.0% and 90.0%.",
        "Final rate: not predictable yet, needs three days of reports.",
    ]


def test_a_report_of_a_table_does_not_speak_of_gaps(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A frame does not know when nobody fetched reports."""
    assert "Gaps in coverage" not in worded(tmp_path, messages, language="en")


def test_a_few_open_messages_of_many_are_said_to_move_nothing() -> None:
    """Where both bounds are the same to a tenth of a percent, they are not said twice."""
    rates = pd.DataFrame({"accepted": [100_000], "delivered": [90_000], "failed": [9_990], "pending": [10], "delivery_rate": [0.9],
                          "low": [0.898], "high": [0.902], "most": [0.9001], "expected_rate": [0.90005],
                          "expected_low": [0.898], "expected_high": [0.902]})  # fmt: skip

    assert headline(rates, pd.DataFrame(), pd.DataFrame())[1] == "10 are still pending, too few to move the rate."


def test_excel_without_the_library_says_what_to_install(
    messages: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without xlsxwriter the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtraError, match=r'pip install "masanalytics\[excel\]"'):
        write_report(messages, tmp_path / "report.xlsx")


def test_another_kind_of_file_is_refused(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A file name that is neither a page nor a workbook is refused before anything is computed."""
    with pytest.raises(InputError, match=r"report\.docx"):
        write_report(messages, tmp_path / "report.docx")


def test_a_file_that_cannot_be_written_is_refused(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A folder stands in the report's place: what to do is said."""
    (tmp_path / "report.html" / "x").mkdir(parents=True)
    with pytest.raises(InputError, match="choose another place"):
        write_report(messages, tmp_path / "report.html")


def test_a_missing_column_is_named(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A breakdown by a column that is not there is refused by name, and no file is left behind."""
    with pytest.raises(InputError, match="provinz"):
        write_report(messages, tmp_path / "report.html", by=["provinz"])
    assert list(tmp_path.rglob("*.html")) == []


def test_gaps_in_coverage_are_named_the_latest_first() -> None:
    """The report says when nobody polled: the latest five times, and how many more there were."""
    gaps = [
        {"account": "a", "from": f"2026-01-0{day} 10:00:00", "until": f"2026-01-0{day} 12:00:00"} for day in range(1, 8)
    ]
    text = _spans(gaps)
    assert text.startswith("2026-01-07 10:00:00 – 2026-01-07 12:00:00; 2026-01-06")
    assert text.endswith("; 2 more")
    with use_language("zh"):
        assert _spans([]) == "无中断"


HOSTILE = [
    "</style><script>alert(1)</script>", "]]></svg><img src=x onerror=alert(2)>", '" onmouseover="alert(3)', "+1", "-1",
    "@SUM(A1)", "\t=1+1", "\r=2+2", "🎉 👩\u200d👧", "nul\x00 bell\x07 esc\x1b[31m", "\u202egnp.exe", "a\ufffe\uffff", "x" * 10_000,
    "长" * 10_000, "$a^2_{$", "_x0041_", "total", "other", "nan",
]  # fmt: skip


@pytest.fixture
def hostile() -> pd.DataFrame:
    """40 messages of each hostile campaign, province and code; every fourth failed."""
    names = pd.Series(HOSTILE * 40, dtype=object)
    status = pd.Series(["failed", "delivered", "delivered", "delivered"] * (len(names) // 4))
    return pd.DataFrame(
        {
            "campaign": names,
            "province": names.iloc[::-1].to_numpy(),
            "status": status,
            "error_code": names.where(status == "failed", None),
            "latency_s": 3,
            "waited_s": 300_000,
        }
    )


def test_hostile_names_are_text_on_the_page(hostile: pd.DataFrame, tmp_path: Path) -> None:
    """Names and codes with markup, control signs and ten thousand letters show as short text; nothing runs or loads."""
    text = written(tmp_path, hostile, language="en", title="</title><script>alert(0)</script>\x00\ud800")
    page = Page(text)
    assert (page.scripts, page.handlers, page.links) == (1, [], [])
    assert "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]", text)
    assert max(len(cell) for table in page.tables for row in table for cell in row) <= 300


def test_hostile_names_are_text_in_excel(hostile: pd.DataFrame, tmp_path: Path) -> None:
    """The workbook is well-formed, opens, and holds the same names as text: no formula, no link."""
    path = write_report(hostile, tmp_path / "report.xlsx", language="en", title="=1+1\x00\ud800\x1f")
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            if name.endswith(".xml"):
                tree = ET.fromstring(parts.read(name))
                # A chart names the cells it draws by a formula; no cell has one.
                ours = ("}hyperlink",) if name.startswith("xl/charts/") else ("}f", "}hyperlink")
                assert not [part for part in tree.iter() if part.tag.endswith(ours)]
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    names = [row[0] for row in book.get_sheet_by_name("Delivery rate by campaign").to_python()]
    assert {"+1", "-1", "@SUM(A1)", "=1+1", "=2+2", "_x0041_", "nul bell esc[31m", "gnp.exe"} <= set(names)
    assert book.get_sheet_by_name("Summary").to_python()[0][0] == "=1+1"


@pytest.mark.slow
def test_a_column_of_any_name_can_be_broken_down_by(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The name of somebody's own column is text too: in headings, in ids, in the names of sheets."""
    evil = 'x"><script>alert(1)</script>\\g<0> 13800138000'
    mine = messages.assign(**{evil: ["a", "b"] * 50})
    text = written(tmp_path, mine, language="en", by=evil)
    assert Page(text).scripts == 1
    assert 'id="rates-0"' in text
    assert "13800138000" not in text
    book = python_calamine.CalamineWorkbook.from_path(
        str(write_report(mine, tmp_path / "r.xlsx", by=evil, language="en"))
    )
    assert book.sheet_names[1].startswith("Delivery rate by x")


@pytest.mark.parametrize(
    ("title", "taken", "name"),
    [
        ("a/b[c]:*?", set(), "a b c"),
        ("'quoted'", set(), "quoted"),
        ("History", {"history"}, "History 2"),
        ("x" * 40, {"x" * 31}, "x" * 27 + " 2"),
        ("🎉" * 20, set(), "🎉" * 15),
        ("???", set(), "-"),
    ],
)
def test_a_sheet_is_called_what_excel_allows(title: str, taken: set[str], name: str) -> None:
    """A sheet's name has no special letter, at most 31 as Excel counts them, and is there once."""
    assert _sheet_name(title, taken) == name


@pytest.mark.parametrize(
    "name",
    ["１３８００１３８０００", "138\u200b0013\u200b8000", "138\u200d0013\u200d8000", "138 0013 8000", "١٣٨٠٠١٣٨٠٠٠"],
)
def test_a_number_cannot_hide_from_being_masked(name: str) -> None:
    """A number in full-width or Arabic digits, or with invisible signs between them, is masked; unless asked for."""
    assert "****8000" in sanitised(f"客户 {name}").replace(" ", "")
    assert "*" not in sanitised(name, reveal=True)


def test_what_joins_faces_stays() -> None:
    """A family of faces stays one, a second direction of writing and line breaks do not."""
    assert harmless("👩\u200d👧\r\n\u2067ok\ufeff") == "👩\u200d👧 ok"


def test_what_is_missing_sorts_last_and_numbers_as_numbers(messages: pd.DataFrame, tmp_path: Path) -> None:
    """A cell carries what it is sorted by: the number itself, not as it is written; nothing where it is missing."""
    slow = messages.assign(latency_s=[9] * 10 + [4000] * 70 + [6] * 20)
    slow.loc[slow["carrier"] == "China Unicom", "status"] = ["failed"] * 20
    text = worded(tmp_path, slow, language="en")
    assert 'data-order="4000.0"' in text
    assert re.search(r'data-name="Half of accepted" data-order="" class="extra number">–<', text)


def test_the_page_names_who_is_behind(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The headline names the groups that lie clearly below the whole, with their rate and number of messages."""
    rows = pd.concat([messages.assign(campaign="spring")] * 9 + [messages.assign(campaign="old list", status="failed")])
    text = worded(tmp_path, rows.reset_index(drop=True), language="en")
    assert "Clearly lower than the whole: campaign old list 0% (of 100)" in text


@pytest.mark.parametrize(
    ("row", "is_named"),
    [
        ({"accepted": 500, "delivery_rate": 0.80, "most": 0.80}, True),
        ({"accepted": 500, "delivery_rate": 0.80, "most": 0.89}, False),  # young: it may still arrive
        (
            {"accepted": 100, "delivery_rate": 0.82, "most": 0.82},
            False,
        ),  # the lowest of sixty by chance: 2.67 deviations
        ({"accepted": 29, "delivery_rate": 0.30, "most": 0.30}, False),  # few
        ({"accepted": 90_000, "delivery_rate": 0.885, "most": 0.885}, False),  # a point and a half
    ],
)
def test_only_what_is_surely_lower_is_named(row: dict[str, float], is_named: bool) -> None:
    """A group is not named for its youth, for chance, for a handful of messages or for a small difference."""
    whole = pd.DataFrame({"accepted": [100_000], "delivery_rate": [0.90]})
    usual = {"accepted": 100, "delivery_rate": 0.90, "most": 0.90}
    rates = pd.DataFrame([{"city": "x", **row}] + [{"city": str(place), **usual} for place in range(59)])
    assert bool(behind(whole, [("city", rates)])) is is_named


def test_silence_after_three_days_is_said(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Messages without a report after 72 hours are said in the headline: the counts add up before the reader's eyes."""
    rows = messages.assign(status=["pending"] * 10 + ["delivered"] * 90, error_code=None)
    rows["latency_s"] = rows["latency_s"].where(rows["status"] == "delivered")
    text = worded(tmp_path, rows, language="en")
    assert "10 got no report within 72 hours and count as not delivered." in text


def test_where_all_is_settled_nothing_is_expected(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The estimate of the end and the upper bound are left out where no message is pending."""
    text = worded(tmp_path, messages, language="en")
    assert ">Expected end</button>" not in text
    assert ">At most</button>" not in text


def test_every_section_says_its_denominator(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Below every chart and table stands of how many accepted messages they speak; a chart of fewer groups says so."""
    text = worded(tmp_path, messages, language="en")
    assert text.count("of 100 accepted") == len(re.findall(r"<section id=", text)) - 2
    many = messages.assign(campaign=[f"c{i % 30}" for i in range(100)])
    assert "the chart shows 10 of 30" in worded(tmp_path, many, language="en")


@pytest.mark.usefixtures("without_pictures")
def test_a_failed_report_leaves_the_old_one(
    messages: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report is replaced whole or not at all, and what cannot be written is an error that says what to do."""
    path = write_report(messages, tmp_path / "春节 report.html", language="en")
    before = path.read_bytes()

    def full(_self: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="No space left on device"):
            write_report(messages, path, language="zh")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["春节 report.html"]
    (tmp_path / "folder.xlsx").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(messages, tmp_path / "folder.xlsx")


def test_the_summary_sheet_holds_numbers(messages: pd.DataFrame, tmp_path: Path) -> None:
    """The figures of all messages together are numbers in the workbook too."""
    path = write_report(messages, tmp_path / "report.xlsx", language="en")
    rows = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Summary").to_python()
    figures = {row[0]: row[1] for row in reversed(rows)}
    assert (figures["Accepted"], figures["Delivery rate"]) == (100, 0.9)
    assert figures["Delivery rate: 95% from"] == pytest.approx(0.8256, abs=1e-4)


def two_weeks() -> pd.DataFrame:
    """Two weeks of 100 settled messages each, one on each Monday: 90 arrived in the first, 80 in the second."""
    weeks = []
    for monday, delivered in (("2026-01-05 09:00", 90), ("2026-01-12 09:00", 80)):
        week = pd.DataFrame({"status": ["delivered"] * delivered + ["failed"] * (100 - delivered)})
        week["submitted_at"] = pd.Timestamp(monday, tz="Asia/Shanghai")
        weeks.append(week)
    both = pd.concat(weeks, ignore_index=True)
    return both.assign(
        carrier=["China Mobile", "China Unicom"] * 100, latency_s=6, waited_s=300_000, segments=1, error_code=None
    )


def test_a_period_is_set_against_the_one_before(tmp_path: Path) -> None:
    """80 of 100 in the week to the 17th, 90 of 100 in the week before: both weeks, both rates, -10 points with an interval."""
    text = worded(tmp_path, two_weeks(), language="en", since="7d", until="2026-01-17", against="previous")
    headline_of = re.findall(r"<p>(.*?)</p>", text)
    assert headline_of[0] == "2026-01-10 to 2026-01-17, against 2026-01-03 to 2026-01-10."
    assert headline_of[1].startswith("Of 100 accepted messages, 80 were delivered: 80.0%")
    assert headline_of[2].startswith("Delivered within 72 h: 80.0%, after 90.0% in the period before: -10.0 points (")
    periods, change = Page(text).tables[:2]
    assert [row[:3] for row in periods[1:]] == [
        ["2026-01-10 to 2026-01-17", "100", "80"],
        ["2026-01-03 to 2026-01-10", "100", "90"],
    ]
    assert [row[0] for row in change[1:]] == ["China Mobile", "China Unicom"]


def test_a_period_with_nothing_in_it_says_so(tmp_path: Path) -> None:
    """The page is written, names both periods and says which one is empty."""
    text = worded(tmp_path, two_weeks(), language="en", since="7d", until="2026-02-17", against="previous")
    assert re.findall(r"<p>(.*?)</p>", text)[:2] == [
        "2026-02-10 to 2026-02-17, against 2026-02-03 to 2026-02-10.",
        "There are no accepted messages to report on.",
    ]
    assert "No message was accepted from 2026-02-03 to 2026-02-10: there is nothing to compare." in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"against": "last week", "since": "7d"}, "say 'previous'"),
        ({"against": "previous"}, "needs a period"),
        ({"since": "2026-01-17", "until": "2026-01-10", "against": "previous"}, "has no length"),
    ],
)
def test_a_period_that_is_none_is_refused(asked: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Another period than the previous one, no beginning, an end before the beginning."""
    with pytest.raises(InputError, match=said):
        write_report(two_weeks(), tmp_path / "report.html", language="en", **asked)


def test_money_is_said_where_a_price_is_given(tmp_path: Path) -> None:
    """200 segments at 0.05: ten yuan, of which the 30 failed took 1.50; by carrier in a table, as money."""
    text = worded(tmp_path, two_weeks(), language="en", price=0.05)
    assert "200 segments cost ¥10.00 (¥0.05 each), ¥0.059 for each delivered message." in text
    assert (
        "¥1.50 of it went to messages without a report of delivery so far, ¥0.00 to numbers that do not exist." in text
    )
    spent = next(table for table in Page(text).tables if table[0][1] == "Segments")
    assert spent[1][:3] == ["China Mobile", "100", "¥5.00"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "test",
    [
        test_masked_numbers_leave_out_the_state_of_the_numbers_alone, test_tables_hold_the_figures, test_a_report_of_nothing_says_so,
        test_an_english_report_of_latin_names_carries_no_font, test_pending_messages_are_said_and_bounded,
        test_one_message_is_said_as_one, test_no_share_in_a_page_reads_like_a_phone_number, test_the_page_names_who_is_behind,
        test_what_is_missing_sorts_last_and_numbers_as_numbers, test_silence_after_three_days_is_said,
        test_every_section_says_its_denominator,
    ],
)  # fmt: skip
def test_with_its_pictures_a_page_says_the_same(
    test: Callable[..., None], messages: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few messages, young ones, many groups: the charts are drawn, too."""
    monkeypatch.setitem(globals(), "worded", written)
    test(messages, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "test",
    [
        test_a_frame_with_the_columns_of_the_rates_alone_is_enough, test_a_period_is_set_against_the_one_before,
        test_a_period_with_nothing_in_it_says_so, test_money_is_said_where_a_price_is_given,
    ],
)  # fmt: skip
def test_with_its_pictures_a_page_of_other_messages_says_the_same(
    test: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Periods, money, few columns."""
    monkeypatch.setitem(globals(), "worded", written)
    test(tmp_path)


@pytest.fixture
def store_file(tmp_path: Path, clock: ManualClock) -> Path:
    """A store with the campaign 春节 of 2026-01-01: of four messages two were delivered, one failed, one is pending."""
    with Store(tmp_path / "my store.db", clock=clock) as store:
        bench = Bench(store, clock)
        phones = [f"1380013800{number}" for number in range(4)]
        bench.send(phones, "0101080000000000000001", campaign="春节")
        clock.sleep(60)
        states = ("DELIVRD", "DELIVRD", "MK:0001")
        bench.receive(
            [report(phone, "0101080000000000000001", state) for phone, state in zip(phones, states, strict=False)]
        )
    return tmp_path / "my store.db"


def shell(*words: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, words)])


def test_the_shell_writes_a_report(store_file: Path, tmp_path: Path) -> None:
    """The command writes into paths with spaces and Chinese, replaces what is there, and prints where it is."""
    path = tmp_path / "报告 一" / "report 三月.html"
    path.parent.mkdir()
    for pictures in (nullcontext(), mock.patch.object(Picture, "as_svg", return_value="")):
        with pictures:
            done = shell(path, "--db", store_file, "--since", "2026-01-01", "--language", "zh", "--title", "三月")
        assert (done.exit_code, done.output.strip()) == (0, str(path))
    text = path.read_text(encoding="utf-8")
    assert "<title>三月</title>" in text
    assert "已受理 4 条短信，目前已送达 2 条，送达率 50.0%" in text
    assert "还有 1 条待回执：最终送达率在 50.0% 与 75.0% 之间" in text
    assert [row[:4] for row in Page(text).tables[0]] == [
        ["受理", "送达", "送达率", "失败"],
        ["4", "2", "50.0% (15.0–85.0%)", "1"],
    ]
    assert "MK:0001" in text
    assert "1380013800" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["r.html", "--campaign", "春天"], "there is no campaign '春天'"),
        (["r.docx"], "r.docx: a report is an .html or an .xlsx file"),
        (["r.html", "--since", "yesterday-ish"], "yesterday-ish"),
        (["r.html", "--by", "provinz"], "provinz"),
        (["/proc/none/r.html"], "there is no folder /proc/none"),
    ],
)
def test_the_shell_says_what_is_wrong(
    store_file: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong campaign, suffix, day, column or place is one line that says so, with exit code 1 and no file."""
    monkeypatch.chdir(store_file.parent)
    monkeypatch.setenv("MAS_LANGUAGE", "en")
    done = shell(*words, "--db", store_file)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (store_file.parent / "r.html").exists()


def test_the_shell_makes_no_store(tmp_path: Path) -> None:
    """A mistyped store is an error of usage, not a new file."""
    done = shell(tmp_path / "r.html", "--db", tmp_path / "none.db")
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_a_browser_has_nothing_to_complain_about(messages: pd.DataFrame, tmp_path: Path) -> None:
    """Chromium loads the page without a message on its console."""
    path = write_report(messages, tmp_path / "report.html", language="zh")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-sync", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", path.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr
    assert "已受理 100 条短信" in done.stdout
