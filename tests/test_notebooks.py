"""The notebooks run from top to bottom, and again in the same folder, say nothing alarming, and draw what they promise.

The one on Spark is skipped where there is no Spark; `.ci/run spark` runs it.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.spark_here import NEEDS_SPARK, says_spark

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PICTURES = {
    "01-quickstart": 3,
    "02-campaign": 1,
    "03-delivery-analysis": 8,
    "04-ad-hoc-reporting": 1,
    "05-collector-in-production": 0,
    "06-http-account": 2,
    "07-ab-split-to-verdict": 2,
    "08-one-customer-asks": 0,
    "09-own-account-and-sheet": 1,
    "10-twenty-accounts-on-spark": 1,
}
TRIED = [
    pytest.param(name, marks=[NEEDS_SPARK] if says_spark(NOTEBOOKS / f"{name}.ipynb") else []) for name in PICTURES
]
HEADING = re.compile(r"^#+ .+$", re.MULTILINE)
ALARMING = re.compile(r"Glyph|Warning|Traceback")


def outputs(notebook: nbformat.NotebookNode) -> Iterator[nbformat.NotebookNode]:
    """Yield every output of every cell."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return the notebook after running it in `folder`; a failing cell raises."""
    notebook = nbformat.read(path, as_version=4)
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    kernel = {"cache_ports": False, **dict(zip(names, ports(len(names)), strict=True))}
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, resources=resources, config=Config({"KernelManager": kernel})).execute()
    return notebook


def ports(count: int) -> list[int]:
    """Return ports that are free, out of those that systems do not give away: a connection made before a kernel starts cannot take one."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 12_000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def unignored(folder: Path) -> list[str]:
    """Return what lies in `folder` that git would list as untracked if it lay beside the notebooks."""
    left = [f"notebooks/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*") if path.is_file()]
    if shutil.which("git") is None or not (NOTEBOOKS.parent / ".git").exists():
        return []
    ask = ["git", "-c", "core.quotePath=off", "check-ignore", "--no-index", "--stdin"]
    said = subprocess.run(ask, cwd=NOTEBOOKS.parent, input="\n".join(left), capture_output=True, text=True, check=False)
    return sorted(set(left) - set(said.stdout.splitlines()))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all notebooks, as a person has it."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture
def english_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let kernels speak English and keep their files to themselves."""
    for name in [name for name in os.environ if name.startswith("MAS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAS_LANGUAGE", "en")
    monkeypatch.setenv("MAS_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def test_every_notebook_is_tried() -> None:
    """No notebook lies in the folder without being run here."""
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(PICTURES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.usefixtures("english_kernel")
@pytest.mark.parametrize("name", TRIED)
def test_a_notebook_runs_from_top_to_bottom_and_again(name: str, beside: Path) -> None:
    """It raises nothing, warns of nothing, shows no missing glyph, and draws its charts; it can be run once more."""
    found = list(outputs(executed(NOTEBOOKS / f"{name}.ipynb", beside)))

    said = "".join(output.text for output in found if output.output_type == "stream" and output.name == "stderr")
    assert not ALARMING.search(said), said
    drawn = sum("image/png" in output.get("data", {}) for output in found)
    assert drawn >= PICTURES[name]
    executed(NOTEBOOKS / f"{name}.ipynb", beside)
    assert unignored(beside) == []


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_output(path: Path) -> None:
    """What is kept is the text alone: no output, no count, no name of somebody's kernel."""
    notebook = nbformat.read(path, as_version=4)

    assert not list(outputs(notebook))
    assert {cell.get("execution_count") for cell in notebook.cells} <= {None}
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_chinese_notebook_is_the_same_in_chinese(path: Path) -> None:
    """The same code in the same order; every heading in Chinese; ``python docs/build.py notebooks`` writes it."""
    if not (NOTEBOOKS / "zh-CN" / path.name).exists():
        pytest.skip(
            "not translated yet: python docs/build.py update, its Chinese in docs/locale, python docs/build.py notebooks"
        )
    english, chinese = (nbformat.read(one, as_version=4) for one in (path, NOTEBOOKS / "zh-CN" / path.name))
    headings = [
        [line for cell in notebook.cells if cell.cell_type == "markdown" for line in HEADING.findall(cell.source)]
        for notebook in (english, chinese)
    ]

    assert [cell.cell_type for cell in english.cells] == [cell.cell_type for cell in chinese.cells]
    assert [cell.source for cell in english.cells if cell.cell_type == "code"] == [
        cell.source for cell in chinese.cells if cell.cell_type == "code"
    ]
    assert len(headings[0]) == len(headings[1]) > 0
    assert [line for line in headings[0] if re.search("[一-鿿]", line)] == []
    assert [line for line in headings[1] if not re.search("[一-鿿]", line)] == []
