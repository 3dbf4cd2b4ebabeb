"""What a newer version wrote is left alone; what other systems lack or do differently ends no command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from masanalytics.account import config_folder, state_folder
from masanalytics.cli.outlet import never_refuse
from masanalytics.collecting.spool import spool_folder, spooled_answers, write_spool
from masanalytics.errors import ConfigError, StoreError
from masanalytics.protocol import PollAnswer
from masanalytics.store import Store
from masanalytics.store.message_outcomes import Evidence, Outcome, fold
from masanalytics.tls import KnownHosts
from masanalytics.vocabulary import Status


def test_a_store_of_a_newer_version_is_refused_unchanged(tmp_path: Path) -> None:
    """It is named as that, and not a byte of it changes."""
    with Store(tmp_path / "s.db") as store:
        row = ("masanalytics", "m999_next_release", "2027-01-01")
        store.db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", row)
        store.db.conn.commit()
    before = (tmp_path / "s.db").read_bytes()
    with pytest.raises(StoreError, match="made by a newer masanalytics") as caught:
        Store(tmp_path / "s.db")
    assert caught.value.said.code == "newer_store"
    assert (tmp_path / "s.db").read_bytes() == before


def test_remembered_certificates_of_a_newer_form_are_left_alone(tmp_path: Path) -> None:
    """Neither read nor written over."""
    file = tmp_path / "known_hosts.json"
    file.write_text(json.dumps({"form": 2, "hosts": {}}), encoding="utf-8")
    for use in (lambda: KnownHosts(file).get("h", 1), lambda: KnownHosts(file).remember("h", 1, "sha256:" + "ab" * 32)):
        with pytest.raises(ConfigError, match="newer masanalytics"):
            use()
    assert json.loads(file.read_text(encoding="utf-8")) == {"form": 2, "hosts": {}}


def test_a_spooled_answer_of_a_newer_form_waits_for_who_wrote_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays where it is, and is named."""
    store = tmp_path / "s.db"
    file = write_spool(store, "e/a", 1, PollAnswer("report", b"[]", 200, True, 1.0, 2.0))
    head, _, raw = file.read_bytes().partition(b"\n")
    file.write_bytes(json.dumps(json.loads(head) | {"form": 2}).encode() + b"\n" + raw)
    assert list(spooled_answers(store)) == []
    assert list(spool_folder(store).iterdir()) == [file]
    assert "newer masanalytics" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp936", "ascii", "cp1252", "latin-1"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_encoding_of_a_console_ends_a_command(encoding: str, language: str, tmp_path: Path) -> None:
    """Help, codes and errors come through whatever the output is redirected to."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "MAS_LANGUAGE": language}
    for arguments in (
        ["--help"],
        ["codes", "MK:0012", "DB:0140"],
        ["send", "--help"],
        ["report", str(tmp_path / "x.html")],
    ):
        code = "from masanalytics.cli import main; main()"
        run = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, check=False
        )
        assert b"UnicodeEncodeError" not in run.stderr
        assert run.returncode == (2 if arguments[0] == "report" else 0)
        run.stdout.decode("utf-8" if encoding == "ascii" else encoding)  # click takes ASCII for a mistake


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("cp936", "¥0.05", "￥0.05"),
        ("ascii", "¥0.05", "Y0.05"),
        ("latin-1", "¥5 – 短信", "¥5 - ??"),
        ("cp936", "✓ 短信", "v 短信"),
    ],
)
def test_what_an_encoding_lacks_is_written_as_something_like_it(encoding: str, text: str, written: str) -> None:
    """A sign of money or a dash is replaced by its like, anything else by a question mark."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    never_refuse(stream)
    print(text, file=stream, flush=True, end="")
    assert stream.buffer.getvalue().decode(encoding) == written


def test_settings_lie_where_windows_keeps_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In ``%APPDATA%``, or where that would be."""
    monkeypatch.delenv("MAS_CONFIG_DIR")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path))
    assert config_folder() == tmp_path / "masanalytics"
    monkeypatch.delenv("APPDATA")
    assert config_folder() == Path.home() / "AppData" / "Roaming" / "masanalytics"


def test_what_a_machine_remembers_stays_on_it_on_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In ``%LOCALAPPDATA%``, or where that would be: what is in ``%APPDATA%`` follows the user to other machines."""
    for name in ("MAS_CONFIG_DIR", "MAS_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert state_folder() == tmp_path / "local" / "masanalytics"
    monkeypatch.delenv("LOCALAPPDATA")
    assert state_folder() == Path.home() / "AppData" / "Local" / "masanalytics"


FAILED = Evidence(Status.failed, 2, 7, 100, 107)
DELIVERED = Evidence(Status.delivered, 1, None, 100, 700)
SAME_SECOND = Evidence(Status.delivered, 1, None, 100, 107)
UNTIMED = Evidence(Status.failed, 3, 8, 100, None)
ON_THE_WAY = Evidence(Status.pending, 4, None, 100, 50)


@pytest.mark.parametrize(
    ("reports", "segments", "outcome"),
    [
        ([FAILED, DELIVERED], 1, Outcome(5, 1, None, 100, 700, 2)),
        ([SAME_SECOND, FAILED], 1, Outcome(5, 1, None, 100, 107, 2)),
        ([UNTIMED, FAILED, ON_THE_WAY], 1, Outcome(6, 2, 7, 100, 107, 3)),
        ([SAME_SECOND, FAILED._replace(received_at=900)], 1, Outcome(6, 2, 7, 100, 900, 2)),
        ([FAILED, DELIVERED], 2, Outcome(6, 2, 7, 100, 700, 2)),
        ([FAILED, DELIVERED], None, Outcome(6, 2, 7, 100, 700, 2)),
        ([ON_THE_WAY], 1, Outcome(4, 4, None, 100, None, 1)),
    ],
)
def test_the_last_final_report_of_one_segment_counts(
    reports: list[Evidence], segments: int | None, outcome: Outcome
) -> None:
    """With its own code and time, in whatever order they came; of a longer message any failed part counts."""
    assert fold(reports, segments) == fold(reports[::-1], segments) == outcome
