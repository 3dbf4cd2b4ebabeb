"""The command line, as somebody meets it who has no Python open."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from masanalytics.cli import main
from masanalytics.client import Client
from masanalytics.demo import run_demo
from masanalytics.errors import RefusedError
from masanalytics.sending import Canary, send
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store
from masanalytics.store.sends import Sends
from masanalytics.timezone import to_platform_time

COMMANDS = (
    "demo",
    "send",
    "collect",
    "receive",
    "report",
    "alerts",
    "export",
    "archive",
    "codes",
    "simulator",
    "fingerprint",
    "doctor",
    "forget",
)
WHOLE_NUMBER = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    """A platform whose settings are in the environment, and an empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    with Simulator(https=False, behaviour={}, poll_interval=0.0) as sim:
        for name, value in sim.settings().items():
            monkeypatch.setenv(name, value)
        yield sim


@pytest.fixture
def people(tmp_path: Path) -> str:
    """A sheet as offices save it."""
    path = tmp_path / "客户.csv"
    frame = pd.DataFrame({"手机号": ["13800138000", "139 0013 9000", "021-66668888"], "姓名": ["甲", "乙", "丙"]})
    frame.to_csv(path, index=False, encoding="gb18030")
    return str(path)


def _run(*args: Path | str, **more: Any) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], **more)


def test_help_is_instant() -> None:
    """--help lists every command without loading pandas, requests, matplotlib or sqlite-utils."""
    code = (
        "import sys, masanalytics.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'numpy', 'requests', 'matplotlib', 'sqlite_utils'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_speaks_chinese(command: str) -> None:
    """Every sentence of every help page is Chinese, click's own too; only names and what is typed stay as they are."""
    page = _run(*command.split(), "--help", "--language", "zh").output
    below_usage = page[page.index("\n") :].replace("masanalytics demo", "")

    assert "用法：" in page
    assert "显示此帮助并退出。" in page
    assert re.findall(r"[A-Za-z]{2,} [a-z]{2,}", below_usage) == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["send", "--language", "zh"], "错误：缺少参数 'SHEET'"),
        (["--language=zh", "nosuch"], "错误：没有命令 'nosuch'。"),
        (["codes", "--language", "zh", "--nosuch"], "错误：没有选项"),
        (["simulator", "--port", "x", "--language", "zh"], "'--port' 的值无效：'x' 不是有效的 integer。"),
        (["collect", "--status", "--db", "nosuch.db", "--language", "zh"], "错误：--db：没有找到文件 nosuch.db"),
    ],
)
def test_a_mistake_at_the_command_line_is_said_in_chinese(args: list[str], sentence: str) -> None:
    """What click finds wrong, and what a command does."""
    done = _run(*args)

    assert done.exit_code == 2
    assert sentence in done.output


def test_the_language_is_the_environments_and_ends_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAS_LANGUAGE decides where --language does not; a command leaves the process as it was."""
    monkeypatch.setenv("MAS_LANGUAGE", "zh")
    chinese = _run("--help").output
    english = _run("--help", "--language", "en").output

    assert "选项" in chinese
    assert "Options" in english
    assert os.environ["MAS_LANGUAGE"] == "zh"
    assert "LANGUAGE" not in os.environ or os.environ["LANGUAGE"] not in ("en", "zh_CN")


def test_send_shows_the_plan_and_asks(platform: Simulator, people: str) -> None:
    """Without a yes, the plan is shown and nothing is sent."""
    shown = _run("send", people, "--phone", "手机号", "--text", "{姓名}您好", "--campaign", "问候", input="n\n")

    assert shown.exit_code == 1
    assert "2 messages" in shown.output
    assert "Nothing was sent" in shown.output
    assert WHOLE_NUMBER.search(shown.output) is None
    assert platform.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--canary", "1", "--go-on"], "--canary and --go-on contradict each other"),
        (["--to", "13800138000", "--limit", "1", "--canary", "1"], "leave out --canary, --limit"),
        (["--wait"], "--wait pauses outside of hours, and none are named"),
        (["--wait", "--spread", "4h"], "--wait pauses outside of hours, and none are named"),
        (["--canary", "0"], "0 is not in the range x>=1"),
        (["--workers", "0"], "0 is not in the range x>=1"),
    ],
)
def test_options_of_which_one_would_be_dropped_are_refused_before_the_question(
    platform: Simulator, people: str, options: list[str], said: str
) -> None:
    shown = _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "问候", "--yes", *options)

    assert shown.exit_code != 0
    assert said in shown.output
    assert "message" not in shown.output.split(said)[0]
    assert platform.requests == []


def test_the_rows_left_out_never_replace_the_sheet(
    platform: Simulator, people: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written under another spelling of its own path, the list of customers would be gone."""
    before = Path(people).read_bytes()
    monkeypatch.chdir(Path(people).parent)
    shown = _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "问候", "--yes",
                 "--excluded", f"./{Path(people).name}")  # fmt: skip

    assert shown.exit_code == 1
    assert "--excluded would replace SHEET" in shown.output
    assert Path(people).read_bytes() == before
    assert platform.requests == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that is delivered")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_sending_is_an_early_end(
    platform: Simulator, people: str, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, interruptible: None
) -> None:
    """Ctrl-C and SIGTERM: what is on the wire is waited for, the end is said, and the exit code is 2."""
    register = Sends.register

    def interrupted(*args: Any, **more: Any) -> dict[int, int]:
        signal.raise_signal(number)
        return register(*args, **more)

    monkeypatch.setattr(Sends, "register", interrupted)
    shown = _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "问候", "--yes")

    assert (shown.exit_code, platform.requests) == (2, [])
    assert "interrupted" in shown.output
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], "Send 2 messages?"),
        (["--to", "13800138000", "--to", "138 0013 8000"], "Send a proof to 1 number?"),
        (["--limit", "1"], "Send 1 of 2?"),
        (["--canary", "1"], "Send 1, then, if its report looks normal, the other 1?"),
        (["--canary", "5"], "Send 2 messages?"),
        (["--language", "zh", "--canary", "1"], "先发 1 条，若回执正常，再发其余 1 条？"),
    ],
)
def test_the_question_says_what_leaves_now(platform: Simulator, people: str, options: list[str], asked: str) -> None:
    """A proof, a part, a canary and the whole are asked for as what they are."""
    command = ["send", people, "--phone", "手机号", "--text", "{姓名}您好", "--campaign", "问候"]
    assert asked in _run(*command, *options, input="n\n").output
    assert platform.requests == []


def test_budgets_and_caps_at_the_command_line(
    platform: Simulator, people: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is too large is an error before the question; held, the question names what leaves; caps are asked for by word."""
    monkeypatch.setenv("MAS_BUDGET_DAY", "1")
    monkeypatch.setenv("MAS_BUDGET_UNIT", "messages")
    command = ["send", people, "--phone", "手机号", "--text", "{姓名}您好", "--campaign", "问候"]
    too_large = _run(*command, input="y\n")
    held = _run(*command, "--over-budget", "hold", input="y\n")

    assert "the job is 2 messages, more than the whole budget" in too_large.output
    assert ("Send" in too_large.output, too_large.exit_code == 0) == (False, False)
    assert "Send 1 of 2?" in held.output
    assert "1 held by the budget" in held.output
    assert (held.exit_code, len(platform.messages)) == (2, 1)
    capped = _run(*command[:-1], "其他", "--cap", "1/7d", "--cap-by", "姓名", input="n\n").output
    assert "has had as many messages as the cap allows" in capped


@pytest.mark.parametrize(
    ("state", "options", "asked"),
    [
        (
            "silent",
            [],
            "(1) is out and not found normal yet. Send the other 1 if the reports that are there by now look normal?",
        ),
        (
            "silent",
            ["--canary", "1"],
            "(1) is out and not found normal yet. Wait for its reports, and send the other 1 if they look",
        ),
        ("silent", ["--go-on"], "The canary of this round was not found normal. Send the other 1 all the same?"),
        ("silent", [], "The last time it was stopped: the canary: after 0 s only 0 of 1 were reported."),
        ("let go", [], "is not complete. Send 1 more of it, then, if the reports of its 1 look normal, the other 1?"),
        ("refused", ["--limit", "1"], "The canary of this round is not complete. Send 1 more of it?"),
        ("released", ["--canary", "1"], "Send 1 message?"),
        ("released", ["--language", "zh", "--go-on"], "确定发送 1 条短信吗？"),
        ("silent", ["--language", "zh", "--go-on"], "本轮次的先导批未判为正常。仍要发送其余 1 条？"),
    ],
)
def test_the_question_says_what_a_canary_holds(
    platform: Simulator, people: str, state: str, options: list[str], asked: str
) -> None:
    """After a canary that was silent or rejected, and after the user's word; what is asked is what then happens."""
    command = ["send", people, "--phone", "手机号", "--text", "您好", "--campaign", "问候"]
    account, sheet = platform.account(), pd.DataFrame({"手机号": ["13800138000", "13900139000"]})
    platform.platform.behaviour = Scripted(default=None)
    if state == "let go":
        platform.fault("drop_after", endpoint="submit", times=1)
    elif state == "refused":
        platform.fault("not_white_ip", endpoint="submit", times=1)
    with Store("mas.db") as store, Client(account) as client, contextlib.suppress(RefusedError):
        send(
            sheet,
            client,
            store,
            phone="手机号",
            text="您好",
            campaign="问候",
            canary=Canary(1, timeout_s=0.1),
            progress=False,
        )
        if state == "let go":
            store.settle(1, "not_sent")
        elif state == "released":
            store.release("问候")
    shown = _run(*command, *options, input="n\n").output

    assert asked in shown


def test_spread_and_wait_at_the_command_line(platform: Simulator, people: str) -> None:
    """--spread takes a length or hours of the day, --rate is the plan's."""
    command = ["send", people, "--phone", "手机号", "--text", "您好", "--campaign", "问候"]
    assert "a request every 30 min" in _run(*command, "--spread", "1h", input="n\n").output
    assert "hours: 09:00-17:00 China time" in _run(*command, "--spread", "09:00-17:00", input="n\n").output
    assert _run(*command, "--rate", "100", "--wait", "--window", "00:00-24:00", "--yes").exit_code == 0
    assert len(platform.accepted) == 2


def test_send_with_yes_sends_and_a_second_time_finds_nothing_to_do(
    platform: Simulator, people: str, tmp_path: Path
) -> None:
    """--yes is for scripts; the same command again sends nothing; the rows left out can be written to a file."""
    command = ["send", people, "--phone", "手机号", "--text", "{姓名}您好", "--campaign", "问候", "--yes"]
    first = _run(*command, "--excluded", tmp_path / "left-out.xlsx")
    second = _run(*command)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert dict(platform.accepted) == {("13800138000", "甲您好"): 1, ("13900139000", "乙您好"): 1}
    assert (tmp_path / "left-out.xlsx").exists()


def test_again_is_answered_with_the_round(platform: Simulator, people: str) -> None:
    """The option of old says what there is in its place."""
    result = _run("send", people, "--phone", "手机号", "--campaign", "C", "--text", "您好", "--again")

    assert result.exit_code == 1
    assert "--again is gone: name the repetition, such as --round 2026-12" in result.stderr
    assert "--again" not in _run("send", "--help").output


def test_a_window_that_is_closed_or_none_is_refused_before_the_question(platform: Simulator, people: str) -> None:
    """Nobody says yes to what is refused then."""
    command = ("send", people, "--phone", "手机号", "--campaign", "C", "--text", "您好", "--window")
    closed = "00:00-00:01" if to_platform_time(time.time())[8:12] > "0002" else "23:00-23:01"
    for window, said in ((closed, "outside the window"), ("8-9", "write two times of one day")):
        result = _run(*command, window, input="y\n")
        assert (result.exit_code, said in result.stderr, "Send 2 messages?" in result.output) == (1, True, False)


def test_send_leaves_out_a_list_of_numbers(platform: Simulator, people: str, tmp_path: Path) -> None:
    """--suppress is a sheet of people who must not get it; --signature counts in every text."""
    (tmp_path / "no.csv").write_text("手机号\n13900139000\n", encoding="utf-8")
    done = _run(
        "send", people, "--phone", "手机号", "--text", "{姓名}您好", "--campaign", "问候", "--yes",
        "--suppress", tmp_path / "no.csv", "--signature", "示例", "--add-serial", "07",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert dict(platform.accepted) == {("13800138000", "甲您好"): 1}
    assert "【示例】甲您好" in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MAS_SECRET_KEY": "wrong"}, "secret_key"),
        ({"MAS_SIGN": "nosuch123"}, "签名编码"),
        ({"MAS_URL": "http://127.0.0.1:9/elsewhere"}, "write only"),
        ({"MAS_SECRET_KEY": ""}, "not set: MAS_SECRET_KEY"),
    ],
)
def test_wrong_settings_end_in_one_sentence(
    platform: Simulator, people: str, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], words: str
) -> None:
    """A wrong key, sign or address is said in one line that says what to do, and nobody gets anything."""
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    done = _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "c", "--yes")

    assert done.exit_code == 1
    assert words in done.output
    assert "Traceback" not in done.output
    assert platform.accepted == {}


def test_a_sheet_with_none_of_the_columns(platform: Simulator, people: str) -> None:
    """Columns that are not there are named all at once, with those that are."""
    done = _run("send", people, "--phone", "电话", "--text", "{名字}您好", "--campaign", "c", "--yes")

    assert done.exit_code == 1
    assert "电话" in done.output
    assert "'手机号', '姓名'" in done.output


def test_collect_and_its_status(platform: Simulator, people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect fetches what waits; --status tells machines and people how it stands."""
    monkeypatch.setattr("masanalytics.cli.collect.find_account", lambda *_: platform.account())  # polls without a pause
    stale = _run("collect", "--status")
    _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "c", "--yes")
    platform.clock.sleep(1.2)
    collected = _run("collect", "--drain", "--json")
    status = _run("collect", "--status", "--json")
    counted = json.loads(collected.stdout.splitlines()[-1])

    assert stale.exit_code == 2
    assert (counted["reports"], counted["drained"]) == (2, True)
    assert status.exit_code == 0
    assert json.loads(status.stdout)["fresh"] is True


@pytest.mark.slow
def test_collect_forever_ends_cleanly_at_sigterm(platform: Simulator, people: str, tmp_path: Path) -> None:
    """A service manager's SIGTERM ends collecting after the poll under way, with exit code 0 and everything stored."""
    _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "c", "--yes")
    platform.clock.sleep(1.2)
    command = [sys.executable, "-m", "masanalytics", "collect", "--forever", "--json", "--health", tmp_path / "health"]
    service = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 30
    while not (tmp_path / "health").exists() and time.monotonic() < end:
        time.sleep(0.05)
    service.terminate()
    out, _ = service.communicate(timeout=30)
    with Store("mas.db") as store:
        statuses = list(store.messages()["status"])

    assert service.returncode == 0
    assert json.loads(out.splitlines()[-1])["reports"] == 2
    assert statuses == ["delivered", "delivered"]


def test_report_export_codes_and_doctor(platform: Simulator, people: str, tmp_path: Path) -> None:
    """The other commands do what they say with the store there is."""
    _run("send", people, "--phone", "手机号", "--text", "您好", "--campaign", "c", "--yes")
    report = _run("report", tmp_path / "r.html", "--campaign", "c")
    export = _run("export", tmp_path / "out")
    of_folder = _run("report", tmp_path / "folder.html", "--db", tmp_path / "out")
    codes = _run("codes", "MK:0012", "--language", "zh")
    doctor = _run("doctor")
    table = pd.read_parquet(next((tmp_path / "out").rglob("*.parquet")))

    assert (report.exit_code, export.exit_code, codes.exit_code, doctor.exit_code) == (0, 0, 0, 0)
    assert (of_folder.exit_code, "<html" in (tmp_path / "folder.html").read_text(encoding="utf-8")) == (0, True)
    assert "<html" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert sorted(table["phone"]) == ["138****8000", "139****9000"]
    assert "空号" in codes.output
    assert [request.endpoint for request in platform.requests if request.outcome == "success"] == ["submit"]


@pytest.mark.slow
def test_the_demo_end_to_end(tmp_path: Path) -> None:
    """The demo shows everything without a whole phone number and leaves its files; most of 2,000 customers are reached."""
    lines: list[str] = []
    folder = run_demo(tmp_path / "demo", language="en", echo=lines.append)
    shown = "\n".join(map(str, lines))
    with Store(folder / "mas.db") as store:
        messages = store.messages()

    assert WHOLE_NUMBER.search(re.sub(r"[\s-]", "", shown.replace("\n", "|"))) is None
    assert {path.name for path in folder.iterdir()} >= {
        "mas.db", "delivery-rates.png", "error-codes.png", "latency.png", "report.html",
    }  # fmt: skip
    assert len(messages) > 1800
    assert messages["status"].isin(["delivered", "failed"]).mean() >= 0.99
    assert "Try next" in shown

    collected = re.search(r"In all: .* and (\d+) replies in .*; (\d+) opted out", shown)
    below = re.search(r"(\d+) replies; (\d+) people opted out", shown)
    assert collected is not None
    assert below is not None
    assert collected.groups() == below.groups()
