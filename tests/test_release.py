"""What a release rests on: addresses that are real, and the changelog's section as its notes."""

from __future__ import annotations

import re
import runpy
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OWN_ADDRESS = re.compile(r"(github|gitlab|gitee)\.\w+/[\w.-]+/masanalytics|masanalytics\.(readthedocs|github)\.")
KINDS = {".md", ".rst", ".toml", ".yml", ".py", ".ipynb"}


class Home(BaseHTTPRequestHandler):
    """A host that has one page."""

    def do_GET(self) -> None:
        """Answer for the page alone."""
        self.send_response(200 if self.path == "/here" else 404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """The address of a host on this machine."""
    server = HTTPServer(("127.0.0.1", 0), Home)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_release_needs_addresses_that_answer(host: str) -> None:
    """One that is missing, one that is no web page and one that leads nowhere are each named; a real one is not."""
    faults = runpy.run_path(str(ROOT / ".ci" / "project_urls.py"))["faults"]
    urls = {"Homepage": f"{host}/here", "Issues": f"{host}/issues", "Documentation": "docs/guide.md"}

    assert faults(urls, ("http",)) == [
        "Changelog: missing in [project.urls] of pyproject.toml",
        f"Issues: {host}/issues does not answer: HTTP Error 404: Not Found",
        "Documentation: docs/guide.md is no address of http",
    ]


def test_the_projects_own_address_stands_in_one_place() -> None:
    """No file names a host of the project: pyproject.toml does, once there is one."""
    files = [
        path for path in ROOT.rglob("*") if path.suffix in KINDS and not {"_build", ".git", ".venv"} & set(path.parts)
    ]
    naming = [str(path.relative_to(ROOT)) for path in files if OWN_ADDRESS.search(path.read_text(encoding="utf-8"))]

    assert set(naming) <= {"pyproject.toml"}


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    """Its heading is left out, with or without a date; a version the changelog does not have ends with those it has."""
    release_notes = runpy.run_path(str(ROOT / ".ci" / "release_notes.py"))["release_notes"]
    changelog = "# Changelog\n\n## Unreleased\n\n- b\n\n## 1.2.3 (2026-03-01)\n\n- a\n\n## 0.1.0\n\n- first\n"

    assert release_notes("1.2.3", changelog) == "- a\n"
    with pytest.raises(SystemExit, match=r"no section 9: there are Unreleased, 1\.2\.3, 0\.1\.0"):
        release_notes("9", changelog)


def test_a_link_on_the_packages_page_is_a_whole_address() -> None:
    """Where there are any."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert all(re.fullmatch(r"https://[\w.-]+\.\w+/\S*", url) for url in project.get("urls", {}).values())
