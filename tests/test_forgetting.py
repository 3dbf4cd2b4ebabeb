"""Who is forgotten is in no byte of the file; every count stays, nobody is sent to twice, an opt-out stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import masanalytics as mas
from masanalytics.cli import main as cli
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting import Collector
from masanalytics.errors import InputError
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch, report

DAY = 86_400
GROUP = "0101080000000001139923"
PEOPLE = ["13800138000", "13900139000", "18600186000"]


@pytest.fixture
def sent(bench: Bench) -> Bench:
    """A campaign to three people: two delivered, one failed, a reply and an opt-out; four days ago."""
    bench.send(PEOPLE, GROUP)
    codes = ["DELIVRD", "MK:0001", "DELIVRD"]
    bench.receive([report(phone, GROUP, code) for phone, code in zip(PEOPLE, codes, strict=True)])
    bench.receive([{"smsContent": text, "mobile": phone, "sendTime": "2026-01-01 08:00:30", "addSerial": ""}
                   for text, phone in (("谢谢13800138000", PEOPLE[0]), ("TD", PEOPLE[1]))], "deliver")  # fmt: skip
    bench.clock.sleep(4 * DAY)
    bench.receive([])
    return bench


def counted(store: Store) -> list[list[Any]]:
    """Return what the analysis says: rates, codes, times, replies, health."""
    tables = [mas.delivery_rates(store, by=["carrier", "prefix"]), mas.error_codes(store), mas.latency(store),
              mas.timeline(store, "D"), mas.replies(store), mas.number_health(store).drop(columns="phone")]  # fmt: skip
    return [table.astype(str).sort_values(list(table.columns)).to_numpy().tolist() for table in tables]


def bytes_of(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in store.path.parent.glob(store.path.name + "*") if path.is_file())


@pytest.mark.parametrize(
    "who", [{"before": "90d"}, {"before": "1h"}, {"phones": ["138-0013-8000", PEOPLE[1], PEOPLE[2]]}]
)
def test_every_count_stays_and_no_byte(sent: Bench, who: dict[str, Any]) -> None:
    """The same numbers before and after; file and log hold no number and no text of theirs."""
    before, gone = counted(sent.store), who != {"before": "90d"}
    done = sent.store.forget(**who)
    assert (done.messages, done.replies) == ((3, 2) if gone else (0, 0))
    assert counted(sent.store) == before
    assert [phone for phone in PEOPLE if phone.encode() in bytes_of(sent.store)] == ([] if gone else PEOPLE)
    assert ("谢谢".encode() in bytes_of(sent.store)) != gone


def test_the_same_plan_sends_nothing_and_an_opt_out_stays(sent: Bench) -> None:
    """The round is known as sent to them, and who opted out is left out of another campaign."""
    sent.store.forget(before="1h")
    frame = pd.DataFrame({"p": PEOPLE})
    again = mas.plan(frame, phone="p", text="您好", campaign="c1", store=sent.store)
    assert (len(again.messages), set(again.excluded["reason"])) == (0, {"already_sent", "opted_out"})
    other = mas.plan(frame, phone="p", text="您好", campaign="c2", store=sent.store)
    assert other.messages["phone"].tolist() == [PEOPLE[0], PEOPLE[2]]
    assert sent.store.opt_in([PEOPLE[1]]) == 1
    assert len(mas.plan(frame, phone="p", text="您好", campaign="c2", store=sent.store).messages) == 3


def test_a_run_registered_before_sends_nothing_again(sent: Bench) -> None:
    """A plan made before they were forgotten meets the round as sent."""
    sent.store.forget(before="1h")
    run = sent.start("c1")
    assert sent.register(run, PlainBatch([PEOPLE[0], PEOPLE[2], "13700137000"])) != []
    assert sent.store.messages("c1", status="planned")["phone"].tolist() == ["13700137000"]


def test_who_asks_is_not_written_to_again(sent: Bench) -> None:
    """One call takes a number out, and keeps it from being written to; all others stay as they are."""
    sent.store.forget(phones=[PEOPLE[0]])
    left = mas.plan(pd.DataFrame({"p": PEOPLE}), phone="p", text="您好", campaign="c9", store=sent.store).messages[
        "phone"
    ]
    assert left.tolist() == [PEOPLE[2]]
    assert PEOPLE[0].encode() not in bytes_of(sent.store)
    assert sent.store.messages()["phone"].isin(PEOPLE).tolist() == [False, True, True]


def test_a_late_report_finds_its_message(sent: Bench) -> None:
    """It comes to the message that was sent, and to no stranger; replayed, the outcomes are the same."""
    sent.store.forget(before="1h")
    sent.receive([report(PEOPLE[0], GROUP, receiveDate="20260101090000")])
    assert sent.store.foreign_reports().empty
    before = sent.store.messages()["status"].tolist()
    sent.store.replay()
    assert sent.store.messages()["status"].tolist() == before
    assert len(sent.store.messages()) == 3


def test_what_is_open_is_not_forgotten_unless_forced(bench: Bench) -> None:
    """Reports may come for 72 hours; a dry run erases nothing; each erasure is logged."""
    bench.send(PEOPLE, GROUP)
    bench.clock.sleep(10)
    with pytest.raises(InputError, match="3 messages of these are still open"):
        bench.store.forget(phones=PEOPLE)
    assert bench.store.forget(phones=PEOPLE, force=True, dry_run=True).messages == 3
    assert bench.store.messages()["phone"].tolist() == PEOPLE
    bench.store.forget(phones=PEOPLE, force=True)
    log = bench.store.db.execute("SELECT numbers, messages, replies, opt_outs FROM forgettings").fetchall()
    assert log == [(3, 3, 0, 3)]


def test_reports_of_the_forgotten_settle_a_batch_in_doubt_and_bring_no_number_back(
    sim: Simulator, client: Client, collector: Collector, store: Store, clock: ManualClock
) -> None:
    """The answer was lost, two of twenty were forgotten meanwhile: all twenty are the batch's, as they would have been."""
    people = [f"1380013{number:04d}" for number in range(20)]
    sim.fault("drop_after", endpoint="submit", times=1)
    mas.send(pd.DataFrame({"p": people}), client, store, phone="p", text="您好", campaign="c1", progress=False)
    assert store.batches()["state"].tolist() == ["unknown"]
    store.forget(phones=people[:2], force=True)
    clock.sleep(4000)
    collector.drain()

    assert store.batches()["state"].tolist() == ["accepted"]
    assert store.messages()["status"].tolist() == ["delivered"] * 20
    assert store.messages()["phone"].isin(people[:2]).sum() == 0


@pytest.mark.parametrize("who", [{}, {"before": "1d", "phones": PEOPLE}, {"before": "soon"}, {"phones": ["x"]}])
def test_who_is_meant_is_asked(store: Store, who: dict[str, Any]) -> None:
    """Neither everybody by mistake, nor a number that is none."""
    with pytest.raises(InputError):
        store.forget(**who)


def test_exports_of_the_forgotten_say_nothing(sent: Bench, tmp_path: Path, clock: ManualClock) -> None:
    """Even revealed, an export holds the name and not the number."""
    sent.store.forget(before="1h")
    (file,) = sent.store.export_parquet(tmp_path / "x", reveal=True)
    assert pd.read_parquet(file)["phone"].str.fullmatch(r"1\d\d~[a-p]{24}").all()


# ---- from a shell ----------------------------------------------------------------------------------------------------


def _forget(path: Path, *options: str, said: str = "") -> Result:
    return CliRunner().invoke(cli, ["forget", "--db", str(path), *options], input=said)


@pytest.fixture
def told(tmp_path: Path, clock: ManualClock) -> Path:
    """A store with two people, of whom one has answered."""
    with Store(tmp_path / "told.db", clock=clock) as store:
        bench = Bench(store, clock)
        bench.send(["13800138000", "13900139000"], "0101080000000000000001")
        bench.receive([report("13800138000", "0101080000000000000001")])
        store.opt_out(["13800138000"])
    return tmp_path / "told.db"


def test_the_shell_says_what_it_would_erase_before_it_asks(told: Path, tmp_path: Path) -> None:
    """A no leaves everything; a yes erases what was said, and nothing else."""
    (tmp_path / "who.txt").write_text("\ufeff13800138000\n\n", encoding="utf-8")
    which = ("--phones", str(tmp_path / "who.txt"))
    would = "number and text of 1 message and 0 replies, and 1 raw answer; 1 opt-out kept as a hash"
    dry, no, yes = (
        _forget(told, *which, "--dry-run"),
        _forget(told, *which, said="n\n"),
        _forget(told, *which, said="y\n"),
    )

    assert (dry.exit_code, dry.output) == (0, f"Would erase {would}.\n")
    assert (no.exit_code, "Nothing was erased." in no.output) == (1, True)
    assert (yes.exit_code, f"Erased {would}. Exports and copies made before still hold it." in yes.output) == (0, True)
    assert b"13800138000" not in told.read_bytes()
    assert b"13900139000" in told.read_bytes()


def test_the_shell_reads_numbers_from_the_input_too(told: Path) -> None:
    """So that none stands in the shell's history; --yes does not ask."""
    assert _forget(told, "--phones", "-", "--yes", said="13900139000\n").exit_code == 0
    assert b"13900139000" not in told.read_bytes()


@pytest.mark.parametrize(
    "which", [(), ("--before", "1d", "--phones", "-"), ("--before", "soon"), ("--before", "1d", "--column", "x")]
)
def test_the_shell_says_what_is_wrong(told: Path, which: tuple[str, ...]) -> None:
    """Nobody, both, a time that is none, a column that was never kept: an error, and nothing is erased."""
    before = told.read_bytes()
    done = _forget(told, *which, "--yes", said="13900139000\n")

    assert (done.exit_code in (1, 2), bool(done.output), "Traceback" in done.output) == (True, True, False)
    assert told.read_bytes() == before
