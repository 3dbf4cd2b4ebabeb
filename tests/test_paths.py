"""A path means one file: ``~`` is the home folder, the working folder may change, a missing folder is an error, a new file says so."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import masanalytics as mas
from masanalytics.account import state_folder
from masanalytics.carriers import load_regions
from masanalytics.cli.main import main
from masanalytics.client import Client
from masanalytics.collecting.service import run_forever
from masanalytics.errors import InputError, StoreError
from masanalytics.simulator import Simulator
from masanalytics.tls import KnownHosts

PEOPLE = pd.DataFrame({"p": [str(13800000000 + i) for i in range(5)]})
SENDING: dict[str, Any] = {"phone": "p", "text": "x", "campaign": "C", "progress": False}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user a home folder of this test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


def _names(folder: str | Path) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def _folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_a_path_with_a_tilde_is_one_file_in_the_home_folder(
    sim: Simulator, client: Client, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same cell in two folders sends once."""
    planned = []
    for name in ("a", "b"):
        monkeypatch.chdir(_folder(tmp_path, name))
        with mas.Store("~/mas.db") as store:
            planned.append(mas.send(PEOPLE, client, store, **SENDING).planned)
        assert _names(".") == []
    assert planned == [5, 0]
    assert len(sim.messages) == 5
    assert (home / "mas.db").is_file()


def test_a_relative_path_is_of_the_folder_at_opening(
    sim: Simulator, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread, and the store after `close`, use the same file after the working folder has changed."""
    a, b = _folder(tmp_path, "a"), _folder(tmp_path, "b")
    monkeypatch.chdir(a)
    store = mas.Store("mas.db")
    mas.send(PEOPLE, client, store, **SENDING)
    monkeypatch.chdir(b)
    planned: list[int] = []
    thread = threading.Thread(target=lambda: planned.append(mas.send(PEOPLE, client, store, **SENDING).planned))
    thread.start()
    thread.join()
    store.close()
    planned.append(mas.send(PEOPLE, client, store, **SENDING).planned)
    store.close()
    assert (planned, _names(b), len(sim.messages)) == ([0, 0], [], 5)


def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """A store whose file was taken away does not begin an empty one in its place."""
    store = mas.Store(tmp_path / "mas.db")
    store.close()
    (tmp_path / "mas.db").unlink()
    with pytest.raises(StoreError):
        store.messages()
    assert not (tmp_path / "mas.db").exists()


def test_a_missing_folder_is_an_error_everywhere(tmp_path: Path, home: Path) -> None:
    """No folder is made without a word."""
    messages = pd.DataFrame({"status": ["delivered"], "error_code": [None], "latency_s": [3], "waited_s": [900]})
    wrong = home / "typo"
    tries: list[Callable[[str], object]] = [
        mas.Store,
        lambda path: mas.write_report(messages, path + ".html"),
        lambda path: mas.write_sheet(messages, path + ".csv"),
        lambda path: mas.Store(":memory:").export_parquet(path),
    ]
    for take in tries:
        with pytest.raises(InputError, match="there is no folder") as caught:
            take("~/typo/mas")
        assert str(wrong) in str(caught.value)
    with mas.Store(":memory:") as store, mas.Simulator(https=False) as sim:
        collector = mas.Collector(sim.client(), store)
        with pytest.raises(InputError, match="there is no folder"):
            run_forever(collector, echo=lambda _: None, health=Path("~/typo/health"))
    assert _names(home) == []


@pytest.mark.usefixtures("without_pictures")
def test_a_tilde_is_expanded_wherever_a_path_is_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Reports, sheets, exports, settings, known hosts and regions."""
    monkeypatch.chdir(_folder(tmp_path, "here"))
    messages = pd.DataFrame({"status": ["delivered"], "error_code": [None], "latency_s": [3], "waited_s": [900]})
    assert mas.write_report(messages, "~/r.html") == home / "r.html"
    assert mas.write_sheet(PEOPLE, "~/s.csv") == home / "s.csv"
    assert len(mas.read_sheet("~/s.csv")) == 5
    with mas.Store("~/mas.db") as store:
        store.export_parquet("~/out")
    (home / "own.env").write_text("MAS_URL=https://x\nMAS_EC_NAME=y\nMAS_AP_ID=z\nMAS_SECRET_KEY=k\n")
    account = mas.Account.from_env("~/own.env")
    assert account.ap_id == "z"
    assert mas.Client(account, known_hosts="~/hosts.json").network.known_hosts == home / "hosts.json"
    assert KnownHosts("~/hosts.json").path == home / "hosts.json"
    with pytest.raises(InputError, match=str(home / "phone.dat")):
        load_regions("~/phone.dat")
    assert _names(".") == []


def test_what_is_no_path_is_named() -> None:
    """A number, nothing, a user who does not exist."""
    for wrong, said in ((5, "not int"), ("", "empty path"), ("~nobody-of-this-name/x", "no such user")):
        with pytest.raises(InputError, match=said):
            mas.Store(wrong)  # type: ignore[arg-type]


def test_a_new_file_says_so_with_its_full_path(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card, the plan and the first result; the card always shows the full path."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mas.db"
    with mas.Store("mas.db") as store:
        assert repr(store) == f"Store(new file {path}): 0 messages, 0 batches, nothing collected yet"
        assert f"new file {path}" in store.text()
        assert f"store: new file {path}" in mas.plan(PEOPLE, phone="p", text="x", campaign="C", store=store).text()
        assert f"new file {path}" in mas.send(PEOPLE, client, store, **SENDING).text()
        assert "new file" not in mas.plan(PEOPLE, phone="p", text="x", campaign="C", round="2", store=store).text()
        assert repr(store) == f"Store({path}): 5 messages, 1 batch, nothing collected yet"
    with mas.Store("mas.db") as store:
        assert "new file" not in mas.send(PEOPLE, client, store, **SENDING).text() + repr(store)
        assert str(path) in store.text()


@pytest.mark.slow
def test_the_shell_expands_a_tilde_and_says_new_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`collect --db "~/mas.db"` makes the file in the home folder; with wrong settings it makes none."""
    monkeypatch.chdir(_folder(tmp_path, "here"))
    assert CliRunner().invoke(main, ["collect", "--db", "~/mas.db"]).exit_code != 0
    assert _names(home) == []
    with mas.Simulator(https=False) as sim:
        for name, value in sim.settings().items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(main, ["collect", "--db", "~/mas.db"])
    assert result.exit_code == 0, result.output
    assert f"new file {home / 'mas.db'}" in result.output
    assert _names(".") == []


# ---- an older copy ---------------------------------------------------------------------------------------------------


def _copied(store: mas.Store, to: Path) -> None:
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(store.path, to)


def test_an_older_copy_put_back_asks_for_the_users_word(sim: Simulator, client: Client, tmp_path: Path) -> None:
    """Nothing goes until the user says so; then the file is a ledger of its own."""
    path, backup = tmp_path / "mas.db", tmp_path / "backup.db"
    with mas.Store(path) as store:
        _copied(store, backup)
        mas.send(PEOPLE, client, store, **SENDING)
    shutil.copy(backup, path)
    with mas.Store(path) as store:
        with pytest.raises(StoreError, match="an older copy") as caught:
            mas.send(PEOPLE, client, store, **SENDING)
        assert str(path) in str(caught.value)
        assert len(sim.messages) == 5
        store.accept_older_copy()
        assert mas.send(PEOPLE, client, store, **SENDING).accepted == 5
        assert mas.send(PEOPLE, client, store, **SENDING).planned == 0


def test_the_word_for_one_copy_is_none_for_the_others(sim: Simulator, client: Client, tmp_path: Path) -> None:
    """Whichever copy is gone on with, the other one does not know what it sends, and asks before it sends again."""
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    with mas.Store(first) as a:
        mas.send(PEOPLE, client, a, limit=1, **SENDING)
        _copied(a, second)
        with mas.Store(second) as b:
            mas.send(PEOPLE, client, b, limit=1, **SENDING)
            a.accept_older_copy()
            assert mas.send(PEOPLE, client, a, **SENDING).accepted == 4
            with pytest.raises(StoreError, match="an older copy"):
                mas.send(PEOPLE, client, b, **SENDING)
    assert len(sim.messages) == 6


def test_a_copy_made_in_the_middle_of_a_run_is_noticed_too(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a run counts as well as its beginning."""
    path, backup = tmp_path / "mas.db", tmp_path / "backup.db"
    with mas.Store(path) as store:
        collector = mas.Collector(client, store, say=lambda _: None)
        monkeypatch.setattr(collector, "collect_if_due", lambda: _copied(store, backup))
        mas.send(PEOPLE, client, store, collector=collector, **SENDING)
    shutil.copy(backup, path)
    with mas.Store(path) as store, pytest.raises(StoreError, match="an older copy"):
        mas.send(PEOPLE, client, store, **SENDING)


def test_the_newest_file_is_never_called_old(client: Client, tmp_path: Path) -> None:
    """Moved, or on a machine that remembers nothing, or whose memory is damaged, a file is gone on with."""
    path = tmp_path / "mas.db"
    with mas.Store(path) as store:
        mas.send(PEOPLE, client, store, **SENDING)
    path.rename(tmp_path / "other.db")
    with mas.Store(tmp_path / "other.db") as store:
        assert mas.send(PEOPLE, client, store, **SENDING).planned == 0
        (memory,) = (state_folder() / "ledgers").iterdir()
        assert memory.read_text() == "1\n2\n3\n4\n"
        memory.write_bytes(b"\xff\n4\n" * 20_000)
        assert mas.send(PEOPLE, client, store, **SENDING).planned == 0
        assert memory.read_text() == "5\n6\n"
        shutil.rmtree(state_folder())
        assert mas.send(PEOPLE, client, store, **SENDING).planned == 0
