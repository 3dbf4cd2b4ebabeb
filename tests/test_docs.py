"""The documents do not drift: their code runs, their commands exist, their links lead somewhere, both languages agree."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import shutil
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import click
import pandas as pd
import pytest
from click.testing import CliRunner

import masanalytics as mas
from masanalytics.cli import main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
ENGLISH = [path for path in DOCUMENTS if not path.name.endswith(".zh-CN.md")]
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.rst"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
PROGRAMS = {
    "chmod",
    "crontab",
    "cp",
    "curl",
    "datasette",
    "export",
    "kill",
    "printf",
    "sleep",
    "journalctl",
    "ls",
    "pip",
    "pytest",
    "python",
    "sqlite-utils",
    "sqlite3",
    "sudo",
}


class Block(NamedTuple):
    """One fenced block: its language and its text."""

    language: str
    text: str


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    return [Block(*found) for found in BLOCK.findall(path.read_text(encoding="utf-8"))]


def prose(path: Path) -> str:
    """Return a document without its fenced blocks."""
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    """Return a document's name for the test's own."""
    return str(path.relative_to(ROOT))


def shell_lines(path: Path) -> list[list[str]]:
    """Return the commands of a document's shell blocks, as words."""
    lines = []
    for block in blocks(path):
        if block.language == "bash":
            text = block.text.replace("\\\n", " ")
            lines += [shlex.split(part, comments=True) for line in text.splitlines() for part in line.split("&&")]
    return [words for words in lines if words]


def without_comments(language: str, text: str) -> str:
    """Return code without its comments and without the spaces that line them up."""
    if language == "python":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        kept = [token.string for token in tokens if token.type not in (tokenize.COMMENT, tokenize.NL)]
        return " ".join(kept)
    lines = [re.sub(r"(^|\s)#.*$", "", line).rstrip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


@pytest.fixture(scope="module")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample store, made once."""
    make = runpy.run_path(str(ROOT / "data" / "make_sample_store.py"))["make_sample_store"]
    made: Path = make(tmp_path_factory.mktemp("sample") / "sample.db")
    return made


@pytest.fixture
def simulated_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ``Account.from_env()`` find a simulated platform."""
    with mas.Simulator(speed=3600, seed=11) as platform:
        for name, value in platform.settings().items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("simulated_account")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", ENGLISH, ids=relative)
def test_the_code_of_a_document_runs(
    path: Path, sample_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python blocks run one after the other, in one namespace and an empty folder; so do the scripts it calls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks(path)):
        if block.language == "python":
            exec(compile(block.text, f"{relative(path)}, block {number}", "exec"), namespace)
        elif "data/make_sample_store.py" in block.text:
            shutil.copy(sample_store, tmp_path / shlex.split(block.text.splitlines()[0], comments=True)[-1])
    for value in namespace.values():
        if isinstance(value, (mas.Client, mas.Store)):
            value.close()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_the_commands_of_a_document_exist(path: Path) -> None:
    """Every command and option it names is one that there is, and every extra it installs."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for words in shell_lines(path):
        if words[0] == "masanalytics":
            check_command(words[1:])
        elif words[0] == "pip":
            named = {extra for word in words for found in re.findall(r"\[(.*)\]", word) for extra in found.split(",")}
            assert named <= set(extras)
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file()
        else:
            assert words[0] in PROGRAMS, words


def check_command(words: list[str]) -> None:
    """Fail unless click knows the command and all its options."""
    context = click.Context(main)
    command = main.get_command(context, words[0])
    assert command is not None, words
    known = {option for parameter in command.params for option in parameter.opts}
    given = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
    assert given <= known, words


def test_the_guide_lists_every_command() -> None:
    """The table of commands is what ``masanalytics --help`` lists, each once."""
    said = CliRunner().invoke(main, ["--help"]).output
    listed = re.findall(r"^  (\w+)  ", said.partition("Commands:")[2], re.MULTILINE)

    table = re.findall(r"^\| `masanalytics (\w+)` \|", (ROOT / "docs" / "guide.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(listed)


def test_the_readme_can_be_read_at_once() -> None:
    """It has at most 150 lines, in either language."""
    for name in ("README.md", "README.zh-CN.md"):
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 150


def test_both_readmes_say_the_same() -> None:
    """Same headings in the same depth, same code but for its comments. Of all other pages docs/build.py has one source."""
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    depths = [[len(marks) for marks, _ in HEADING.findall(prose(path))] for path in (english, chinese)]
    assert depths[0] == depths[1]
    code = [
        [(block.language, without_comments(*block)) for block in blocks(path) if block.language in ("python", "bash")]
        for path in (english, chinese)
    ]
    assert code[0] == code[1]
    assert [block.language for block in blocks(english)] == [block.language for block in blocks(chinese)]
    rows = [len(re.findall(r"^\|", prose(path), re.MULTILINE)) for path in (english, chinese)]
    assert rows[0] == rows[1]


def slug(heading: str) -> str:
    """Return the anchor of a heading, as code hosts make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path: Path) -> None:
    """Every link inside the repository has a file, and every anchor a heading."""
    for target in LINK.findall(prose(path)):
        if re.match(r"https?://|mailto:|#masanalytics\.", target):  # names of the reference are Sphinx's to find
            continue
        name, _, anchor = unquote(target).partition("#")
        there = path.parent / name if name else path
        assert there.exists(), target
        if anchor:
            assert anchor in {slug(text) for _, text in HEADING.findall(prose(there))}, target


def test_the_reference_has_every_public_name() -> None:
    """Every name that ``masanalytics`` and ``masanalytics.plot`` offer stands on one page of the reference."""
    text = "".join(path.read_text(encoding="utf-8") for path in REFERENCE)
    described = re.findall(r"^\.\. auto(?:class|exception|function):: masanalytics\.([\w.]+)$", text, re.MULTILINE)
    names = {name for name in mas.__all__ if name not in ("__version__", "plot")}

    assert names | {f"plot.{name}" for name in mas.plot.__all__} <= set(described)
    assert len(described) == len(set(described))


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_a_document_names_no_machine(path: Path) -> None:
    """No path of somebody's machine, no number that could be a person's, no secret."""
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"/(home|Users|tmp|root|work)/", text)
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", text)


def test_the_reference_has_the_columns_of_every_returned_frame() -> None:
    """What returns a frame is among those whose columns and dtypes the site reads off the sample store."""
    described = runpy.run_path(str(ROOT / "docs" / "frame_columns.py"))

    assert set(described["returning_frames"]()) <= set(described["FRAMES"])
    assert described["columns_of"](pd.DataFrame({"n": [1], "m": [2], "rate": [0.5]})) == [
        "int64                           n, m",
        "float64                         rate",
    ]
