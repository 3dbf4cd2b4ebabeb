"""The report: one file, the right figures, nothing that runs, no number of a person."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
import python_calamine

from masanalytics.errors import InputError, MissingExtraError
from masanalytics.plot.fonts import bundled_font
from masanalytics.report import write_report
from masanalytics.report.contents import _spans
from masanalytics.report.sections import Request

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

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action") and not value.startswith(("#", "data:")):
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

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append("".join(self.cell))
            self.cell = None


def written(path: Path, data: pd.DataFrame, **options: object) -> str:
    return write_report(data, path / "report.html", **options).read_text(encoding="utf-8")


def test_the_headline_says_the_rate_with_denominator_and_interval(messages: pd.DataFrame, tmp_path: Path):
    """The first sentence has accepted, delivered, rate and interval; the next why messages failed and how fast."""
    text = written(tmp_path, messages, language="en")
    assert "Of 100 accepted messages, 90 were delivered: 90.0% (95% interval 82.6% to 94.5%)." in text
    assert "10 failed, most often with MK:0001 (" in text
    assert "): 6, 60.0% of the failed." in text
    assert "Half of the accepted messages had arrived after 6 s, nine in ten after 6 s." in text


def test_tables_hold_the_figures(messages: pd.DataFrame, tmp_path: Path):
    """The tables show counts, rates with intervals, codes with meaning and advice, and latencies."""
    page = Page(written(tmp_path, messages, language="en", campaign="春节"))
    rates, course, codes, latency = page.tables[:4]
    assert rates[0][:4] == ["Accepted", "Delivered", "Failed", "Pending"]
    assert rates[1][:5] == ["80", "70", "10", "0", "87.5% (78.5–93.1%)"]
    assert [row[:2] for row in course[1:]] == [["2026-01-03 09:00", "50"], ["2026-01-03 11:00", "30"]]
    assert [row[0] for row in codes[1:]] == ["MK:0001", "DB:0141", "no code"]
    assert codes[2][3:6] == ["3", "3.8%", "30.0%"]
    assert codes[2][6].startswith("Do not resend")
    assert latency[1][:3] == ["China Mobile", "70", "6 s"]


def test_a_chinese_report_is_chinese(messages: pd.DataFrame, tmp_path: Path):
    """A Chinese report has Chinese sentences, headings and advice, and carries the letters it needs."""
    text = written(tmp_path, messages, language="zh", title="元旦活动")
    assert '<html lang="zh-CN">' in text
    assert "<title>元旦活动</title>" in text
    assert "已受理 100 条短信，送达 90 条，送达率 90.0%（95% 区间 82.6% 至 94.5%）。" in text
    assert "不要重发：号码在运营商或平台黑名单中" in text
    assert "@font-face" in text
    assert "各项指标的含义" in text


def test_an_english_report_of_latin_names_carries_no_font(messages: pd.DataFrame, tmp_path: Path):
    """Where no Chinese letter occurs no font is put into the page."""
    text = written(tmp_path, messages.tail(20).assign(campaign="spring"), language="en")
    assert "@font-face" not in text


def test_the_page_needs_nothing_and_runs_nothing_of_others(messages: pd.DataFrame, tmp_path: Path):
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


def test_the_scripts_hash_is_the_one_allowed(messages: pd.DataFrame, tmp_path: Path):
    """The page's policy allows exactly its own script."""
    import base64
    import hashlib

    text = written(tmp_path, messages, language="en")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = re.search(r"'sha256-([^']+)'", text)
    assert script
    assert allowed
    assert base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() == allowed[1]


def test_ids_of_the_charts_do_not_meet(messages: pd.DataFrame, tmp_path: Path):
    """Every id on the page is there once, and every reference inside the charts has its target."""
    text = written(tmp_path, messages, language="zh")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_phone_numbers_are_masked_unless_asked_for(messages: pd.DataFrame, tmp_path: Path):
    """A number in a name is masked in text and file; only reveal=True shows it; a list of numbers never appears."""
    masked = written(tmp_path, messages, language="en", by=["campaign"])
    assert "138****8000" in masked
    assert "13800138000" not in masked
    assert "1380010" not in masked
    assert "13800138000" in written(tmp_path, messages, language="en", by=["campaign"], reveal=True)
    grouped = written(tmp_path, messages.head(3), language="en", by=["phone"])
    assert "138****0001" in grouped
    assert "13800100001" not in grouped


def test_equal_data_gives_equal_pages(messages: pd.DataFrame, tmp_path: Path):
    """The same messages give the same page, byte for byte."""
    assert written(tmp_path, messages, language="zh") == written(tmp_path, messages, language="zh")


def test_a_report_of_nothing_says_so(messages: pd.DataFrame, tmp_path: Path):
    """Without messages the page says that there is nothing to report on, and still explains its figures."""
    text = written(tmp_path, messages.head(0), language="en")
    assert "There are no accepted messages to report on." in text
    assert "What each figure means" in text
    assert written(tmp_path, messages, language="zh", campaign="没有这个活动").count("没有可报告的已受理短信。") == 1


def test_pending_messages_are_said_and_bounded(messages: pd.DataFrame, tmp_path: Path):
    """While reports are missing the page says how many, and between which rates it will end."""
    young = messages.assign(status=["pending"] * 10 + ["delivered"] * 90, waited_s=60, latency_s=[None] * 10 + [6] * 90)
    text = written(tmp_path, young, language="en")
    assert "90 have been delivered so far: 90.0%" in text
    assert "10 are still pending: the rate will end between 90.0% and 100%" in text


def test_a_frame_with_the_columns_of_the_rates_alone_is_enough(tmp_path: Path):
    """Without carriers, times and codes the report has what can be said, and leaves the rest out."""
    bare = pd.DataFrame(
        {"status": ["delivered"] * 3 + ["failed"], "error_code": None, "latency_s": 5, "waited_s": 300_000}
    )
    assert "Of 4 accepted messages, 3 were delivered" in written(tmp_path, bare, language="en")


def test_excel_holds_numbers_not_texts(messages: pd.DataFrame, tmp_path: Path):
    """Counts and rates are numbers, the interval's ends have columns, codes and names are texts."""
    path = write_report(messages, tmp_path / "report.xlsx", language="en")
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    assert book.sheet_names[:3] == ["Summary", "Delivery rate by campaign", "Delivery rate by carrier"]
    rows = book.get_sheet_by_name("Delivery rate by carrier").to_python()
    assert rows[0][:8] == ["Carrier", "Accepted", "Delivered", "Failed", "Pending", "Delivery rate",
                           "Delivery rate: 95% from", "Delivery rate: 95% to"]  # fmt: skip
    assert rows[1][:6] == ["China Mobile", 80, 70, 10, 0, 0.875]
    assert rows[1][6] == pytest.approx(0.7849, abs=1e-4)
    codes = book.get_sheet_by_name("Why messages failed").to_python()
    assert codes[1][0] == "MK:0001"
    assert codes[1][3:6] == [6, 0.06, 0.6]


def test_no_cell_of_the_excel_file_is_a_formula_or_a_link(messages: pd.DataFrame, tmp_path: Path):
    """What people wrote is text in every cell: no formula, no hyperlink, phone numbers masked."""
    path = write_report(messages, tmp_path / "report.xlsx", language="zh", title="=1+1")
    with zipfile.ZipFile(path) as parts:
        inside = {name: parts.read(name) for name in parts.namelist()}
    sheets = b"".join(data for name, data in inside.items() if name.startswith("xl/worksheets/"))
    assert b"<f>" not in sheets
    assert b"hyperlink" not in sheets.lower()
    assert b"138****8000" in inside["xl/sharedStrings.xml"]
    assert not any(b"13800138000" in data for data in inside.values())
    assert sum(name.startswith("xl/media/") for name in inside) >= 4
    assert sheets.count(b'state="frozen"') >= 4


def test_excel_without_the_library_says_what_to_install(
    messages: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without xlsxwriter the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtraError, match=r'pip install "masanalytics\[excel\]"'):
        write_report(messages, tmp_path / "report.xlsx")


def test_another_kind_of_file_is_refused(messages: pd.DataFrame, tmp_path: Path):
    """A file name that is neither a page nor a workbook is refused before anything is computed."""
    with pytest.raises(InputError, match=r"report\.docx"):
        write_report(messages, tmp_path / "report.docx")


def test_a_missing_folder_is_made(messages: pd.DataFrame, tmp_path: Path):
    """A report goes into a folder that is not there yet; one that cannot be made is refused with what to do."""
    path = write_report(messages, tmp_path / "reports" / "2026" / "report.html", language="en")
    assert "Of 100 accepted messages" in path.read_text(encoding="utf-8")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="choose another one for the report"):
        write_report(messages, tmp_path / "file" / "report.html")


def test_only_the_charts_are_offered():
    """What completion offers of the charts is what is meant for use, none of the modules behind them."""
    import masanalytics.plot

    assert sorted(dir(masanalytics.plot)) == sorted(masanalytics.plot.__all__)
    assert "inputs" not in dir(masanalytics.plot)


def test_a_missing_column_is_named(messages: pd.DataFrame, tmp_path: Path):
    """A breakdown by a column that is not there is refused by name, and no file is left behind."""
    with pytest.raises(InputError, match="provinz"):
        write_report(messages, tmp_path / "missing" / "report.html", by=["provinz"])
    assert list(tmp_path.rglob("*.html")) == []
    assert not (tmp_path / "missing").exists()


def test_gaps_in_coverage_are_named_the_latest_first():
    """The report says when nobody polled: the latest five times, and how many more there were."""
    gaps = [
        {"account": "a", "from": f"2026-01-0{day} 10:00:00", "until": f"2026-01-0{day} 12:00:00"} for day in range(1, 8)
    ]
    text = _spans(gaps, Request(language="en"))
    assert text.startswith("2026-01-07 10:00:00 – 2026-01-07 12:00:00; 2026-01-06")
    assert text.endswith("; 2 more")
    assert _spans([], Request(language="zh")) == "无中断"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_a_browser_has_nothing_to_complain_about(messages: pd.DataFrame, tmp_path: Path):
    """Chromium loads the page without a message on its console."""
    path = write_report(messages, tmp_path / "report.html", language="zh")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-sync", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", path.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr
    assert "已受理 100 条短信" in done.stdout
