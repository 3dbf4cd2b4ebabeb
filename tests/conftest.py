"""What every test shares."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting import Collector
from masanalytics.report.pictures import Picture
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch, report
from tests.examples import ALL, examples
from tests.processes import Launcher
from tests.several_accounts import ACCOUNTS, fill

# The processes that tests start, and the next run, read the code as it was compiled once, also where the system tells Python
# to write none: otherwise each of them compiles all of it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says how busy the machine is: speed is measured in benchmarks/.
settings.register_profile("no deadline", deadline=None, max_examples=examples(100))
settings.load_profile("no deadline")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave what is there before the first test to itself: the garbage collector would look through all of it, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of properties that try all their examples are slow ones (see `tests.examples`)."""
    for item in items:
        if ALL and hasattr(getattr(item, "obj", None), "is_hypothesis_test"):
            item.add_marker(pytest.mark.slow)


_numbers = itertools.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Say how many workers `pytest -n auto` has: two more than cores, since tests wait for sockets, disks and processes."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 2


@pytest.fixture(autouse=True)
def _plain_surroundings(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """English messages, nobody's own settings or remembered certificates, no figure: a test has those of its folder, if it has one."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
    has_folder = "tmp_path" in request.fixturenames
    folder = tmp_path_factory.getbasetemp() / f"nobody-{next(_numbers)}"
    for name in ("MAS_URL", "MAS_EC_NAME", "MAS_AP_ID", "MAS_SECRET_KEY", "MAS_SIGN", "MAS_ADD_SERIAL",
                 "MAS_SERVICE_CODE", "MAS_TLS", "MAS_SIGNATURE", "MAS_BUDGET_DAY", "MAS_BUDGET_MONTH", "MAS_BUDGET_UNIT",
                 "MAS_CAP"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAS_LANGUAGE", "en")
    monkeypatch.setenv(
        "MAS_CONFIG_DIR", str((request.getfixturevalue("tmp_path") if has_folder else folder) / "config")
    )


@pytest.fixture
def clock() -> ManualClock:
    """A clock that starts on 2026-01-01 08:00 China time and moves only when slept on."""
    return ManualClock(start=1_767_225_600.0)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path / "mas.db", clock=clock) as one:
        yield one


@pytest.fixture
def bench(store: Store, clock: ManualClock) -> Bench:
    """The store with shortcuts for sending and receiving."""
    return Bench(store, clock)


@pytest.fixture
def plain_batch() -> type[PlainBatch]:
    """The class of batches without a planner."""
    return PlainBatch


@pytest.fixture
def make_report() -> Callable[..., dict[str, str]]:
    """Make one state report as the platform writes it."""
    return report


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    """A platform over plain HTTP whose time is the test's clock."""
    with Simulator(https=False, clock=clock, behaviour={}) as one:
        yield one


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    """A client of the simulated platform."""
    with sim.client() as one:
        yield one


@pytest.fixture
def collector(client: Client, store: Store) -> Iterator[Collector]:
    """A collector that says nothing."""
    one = Collector(client, store, say=lambda _text: None)
    yield one
    one.stop()


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each answer of DuckDB, polars or Arrow brings into Python, from here on."""
    from masanalytics.analysis.sources.duckdb import DuckDBMessages
    from masanalytics.analysis.sources.narwhals import NarwhalsMessages

    rows: list[int] = []

    def spied(kind: type[NarwhalsMessages]) -> None:
        collect = kind._collected

        def counted(source: Any, frame: Any) -> Any:
            found = collect(source, frame)
            rows.append(len(found))
            return found

        monkeypatch.setattr(kind, "_collected", counted)

    for kind in (NarwhalsMessages, DuckDBMessages):
        spied(kind)
    return rows


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The export of a store with the messages of two months."""
    with Store(tmp_path / "mas.db") as store:
        fill(store, ACCOUNTS[0], 0)
        store.export_parquet(tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports: for tests of the words and figures beside them, since drawing takes most of the time."""
    monkeypatch.setattr(Picture, "as_svg", lambda *_args, **_options: "")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt, also where the suite was started in the background and the shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def launch() -> Iterator[Callable[[str], Launcher]]:
    """Make launchers of work that is to be killed."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    made: list[Launcher] = []

    def start(source: str) -> Launcher:
        made.append(Launcher(source))
        return made[-1]

    yield start
    for one in made:
        one.close()
