"""The pace of a plan, at the platform: no minute has more than it may, and it takes as long as the plan said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.client.outcomes import failed_submit
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, NetworkError
from masanalytics.planning.pace import pace_of_rate, pace_of_spread
from masanalytics.planning.window import Window
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.processes import Launcher

HOUR = 3600


def _people(count: int) -> pd.DataFrame:
    return pd.DataFrame({"p": [str(13800000000 + i) for i in range(count)], "n": [f"客户{i}" for i in range(count)]})


def _plan(count: int, store: Store | None = None, **more: Any) -> mas.Plan:
    return mas.plan(_people(count), **({"phone": "p", "text": "x", "campaign": "C", "store": store} | more))


def _submits(sim: Simulator) -> list[tuple[float, int]]:
    """Return when each submit came, and how many messages it brought."""
    sizes: dict[float, int] = {}
    for message in sim.messages:
        sizes[message.submitted_at] = sizes.get(message.submitted_at, 0) + 1
    return sorted(sizes.items())


def _most_in_a_minute(submits: list[tuple[float, int]]) -> int:
    return max(sum(size for at, size in submits if start <= at < start + 60) for start, _size in submits)


@pytest.mark.parametrize(
    ("count", "text", "rate"),
    [(5000, "x", 10), (5000, "{n}", 20), (5000, "x", 50), (20, "x", 0.2), (9, "x", 0.01), (3001, "{n}", 7.7)],
)
def test_no_minute_has_more_than_the_rate_allows(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, count: int, text: str, rate: float
) -> None:
    """By the platform's own times; and the whole takes what the plan said, within a twentieth."""
    plan = _plan(count, store, text=text, rate=rate)
    began = clock.monotonic()
    result = mas.send(plan, client, store, progress=False, workers=4)
    took = clock.monotonic() - began

    assert result.accepted == count
    assert result.requests == plan.requests
    assert _most_in_a_minute(_submits(sim)) <= max(1, 60 * rate)
    assert took == pytest.approx(plan.seconds, rel=0.05, abs=2)


@pytest.mark.parametrize("spread", [pytest.param("4h", marks=pytest.mark.slow), "30min", 600])
def test_a_spread_takes_its_time_evenly(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, spread: str | int
) -> None:
    """From the first to the last request nearly the whole time passes, and each tenth of it has about a tenth."""
    seconds = {"4h": 14_400, "30min": 1800, 600: 600}[spread]
    mas.send(_plan(3000, store, spread=spread), client, store, progress=False)
    submits = _submits(sim)
    began = submits[0][0]

    assert submits[-1][0] - began == pytest.approx(seconds, rel=0.12)
    half = sum(size for at, size in submits if at < began + seconds / 2)
    assert half == pytest.approx(1500, rel=0.1)


def test_the_plan_says_the_pace() -> None:
    """Requests, time and the most in any minute."""
    plan = _plan(18_000, rate=10)
    assert (plan.requests, plan.rate, plan.pace) == (30, 10.0, pace_of_rate(10, 4999))
    assert "requests: 30 (30 × one text to many numbers)" in plan.text("en")
    assert "time: about 29 min, a request every 1 min; at most 600 messages in any minute" in plan.text("en")
    assert "每分钟最多 600 条" in plan.text("zh")


@given(st.floats(0.05, 2000), st.lists(st.integers(1, 4999), max_size=80))
def test_any_sequence_of_requests_keeps_the_pace(rate: float, sizes: list[int]) -> None:
    """Requests smaller than they might be go sooner, and no minute has more than it may."""
    pace = pace_of_rate(rate, most=4999)
    now = 0.0
    sent: list[tuple[float, int]] = []
    for size in sizes:
        count = min(size, pace.request)
        now += pace.wait_s(sent, now, count)
        assert pace.wait_s(sent, now, count) <= 1e-6
        sent.append((now, count))
    for start, _count in sent:
        assert sum(count for at, count in sent if start <= at < start + 60) <= pace.per_minute


@given(st.integers(1, 100_000), st.integers(60, 86_400))
def test_a_spread_of_any_size_ends_in_time(count: int, seconds: int) -> None:
    """The last request leaves before the time is over, but for the margin of each minute."""
    pace = pace_of_spread(count, seconds, most=4999)
    whole, rest = divmod(count, pace.request)
    assert pace.seconds([pace.request] * whole + [rest] * (rest > 0)) <= seconds * 61 / 60 + 1


def test_an_end_in_another_year_is_said_with_its_year(store: Store) -> None:
    """Nearly four hundred days from the first of January 2026 end in February of the next year."""
    now = store.clock.now()
    assert "ends: about 2027-02-04 " in _plan(1000, store, spread="400d").text("en", now=now)
    assert "ends: about 01-01 11:" in _plan(1000, store, spread="4h").text("en", now=now)


def test_rate_and_spread_exclude_each_other_and_another_rate_is_refused(client: Client, store: Store) -> None:
    """What was cut to one pace cannot go at another."""
    with pytest.raises(InputError, match="give one of them"):
        _plan(5, rate=1, spread="4h")
    for wrong in ("soon", "0h", ("17:00", "09:00"), (9, 17), -5):
        with pytest.raises(InputError, match=r"length of time|no time at all|two times of one day"):
            _plan(5, spread=wrong)
    for plan in (_plan(5, store), _plan(5, store, rate=2)):
        with pytest.raises(InputError, match=r"mas\.plan\(\.\.\., rate=1\.5\)"):
            mas.send(plan, client, store, rate=1.5, progress=False)
    assert mas.send(_plan(5, store, rate=2), client, store, rate=2.0, progress=False).accepted == 5


def test_a_plan_that_no_longer_fits_into_its_hours_begins_the_next_day(
    client: Client, store: Store, clock: ManualClock
) -> None:
    """The plan, by the store's clock, and the refusal name the same time."""
    plan = _plan(500, store, spread=("09:00", "17:00"))
    clock.sleep(4 * HOUR)  # 12:00
    assert "ends: about 01-02 16:34 China time, if it starts on 01-02 09:00" in str(plan)
    with pytest.raises(InputError, match=r"from 01-01 12:00 to 01-01 19:34 .* opens next, on 01-02 09:00"):
        mas.send(plan, client, store, progress=False)


@pytest.mark.slow
def test_a_spread_over_hours_stays_in_them(client: Client, store: Store, clock: ManualClock) -> None:
    """Planned at 08:00 for 09:00-17:00: refused now, sent when the hours begin, over at 17:00."""
    plan = _plan(500, store, spread=("09:00", "17:00"))
    assert "hours: 09:00-17:00 China time" in plan.text("en")
    assert "ends: about 01-01 16:34 China time, if it starts on 01-01 09:00" in str(plan)
    with pytest.raises(
        InputError, match=r"it is 01-01 08:00 .*, outside the window 09:00-17:00, which opens on 01-01 09:00"
    ):
        mas.send(plan, client, store, progress=False)
    began = clock.now()
    assert mas.send(plan, client, store, wait=True, progress=False).ok
    assert 8 * HOUR < clock.now() - began < 9 * HOUR


def test_two_stores_of_one_account_keep_one_pace(
    sim: Simulator, client: Client, tmp_path: Path, clock: ManualClock
) -> None:
    """The second run begins where the first one's minute ends; another account does not wait."""
    for name in ("a.db", "b.db"):
        with Store(tmp_path / name, clock=clock) as store:
            mas.send(_plan(600, store, campaign=name, rate=5), client, store, progress=False)
    assert _most_in_a_minute(_submits(sim)) == 300
    assert clock.now() - _submits(sim)[0][0] == pytest.approx(181.5, abs=2)


SENDER = """
import os, pandas
import masanalytics as mas

def run(path, account, number, rate):
    people = pandas.DataFrame({"p": [f"139{number:02d}{n:06d}" for n in range(20)]})
    os.write(1, b"go\\n")
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        mas.send(people, client, store, phone="p", text="x", campaign="C", rate=rate, progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [4, 140])
def test_processes_of_one_account_keep_one_pace(tmp_path: Path, seconds: int) -> None:
    """Begun at once, each with a store of its own: in any minute at the platform no more than sixty times the rate."""
    with mas.Simulator(https=False, poll_interval=0) as sim:
        ours = sim.account()
        account = {
            "url": ours.url, "ec_name": ours.ec_name, "ap_id": ours.ap_id, "sign": ours.sign, "tls": ours.tls,
            "secret_key": sim.settings()["MAS_SECRET_KEY"],
        }  # fmt: skip
        launchers = [Launcher(SENDER) for _ in range(2)]
        for number, launcher in enumerate(launchers):
            launcher.start(path=str(tmp_path / f"{number}.db"), account=account, number=number, rate=1 / 3)
        end = time.monotonic() + 60
        while all(launcher.ended(0.1) is None for launcher in launchers) and time.monotonic() < end:
            continue
        ends = [launcher.ended(seconds / 2) for launcher in launchers]
        for launcher in launchers:
            launcher.kill()
            launcher.close()
        submits = _submits(sim)

        assert _most_in_a_minute(submits) == 20
        assert len(submits) == (2 if seconds > 60 else 1)
        assert ends.count(0) == len(submits)


def test_a_damaged_or_missing_memory_of_the_pace_stops_nobody(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a folder to write in, the run keeps its own pace."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("MAS_STATE_DIR", str(tmp_path / "file"))
    assert mas.send(_plan(20, store, rate=0.1), client, store, progress=False).accepted == 20


# ---- the window ------------------------------------------------------------------------------------------------------


def _closing(store: Store, clock: ManualClock, at: float) -> None:
    """Let the commit of a claim last until the given instant, as another program's lock does."""
    claim = store.sends.claim

    def slow(*args: Any, **more: Any) -> Any:
        claims = claim(*args, **more)
        clock.sleep(max(0.0, at - clock.now()))
        return claims

    store.sends.claim = slow


def test_the_window_is_asked_after_the_commit(sim: Simulator, client: Client, store: Store, clock: ManualClock) -> None:
    """A request whose commit lasted beyond the edge does not leave; it is held, and goes the next time."""
    _closing(store, clock, clock.now() + HOUR + 7)
    result = mas.send(_plan(50, store), client, store, window=("08:00", "09:00"), progress=False)

    assert sim.requests == []
    assert (result.held_because, result.ok, result.unknown) == ({"window": 50}, False, 0)
    assert store.messages()["status"].unique().tolist() == ["planned"]
    assert store.messages()["submitted_at"].isna().all()
    assert mas.send(_plan(50, store), client, store, progress=False).accepted == 50
    assert set(sim.accepted.values()) == {1}


@pytest.mark.slow
def test_the_hours_of_the_plan_and_of_the_call_hold_both(
    sim: Simulator, client: Client, store: Store, clock: ManualClock
) -> None:
    """What the plan says of its hours is not overruled: the call narrows them, and hours that do not meet are refused."""
    plan = _plan(20, store, spread=("09:00", "17:00"))
    with pytest.raises(InputError, match=r"window=18:00-20:00, but the plan goes between 09:00-17:00 \(spread=\)"):
        mas.send(plan, client, store, window=("18:00", "20:00"), wait=True, progress=False)

    result = mas.send(plan, client, store, window=("08:00", "12:00"), wait=True, progress=False)
    assert result.accepted == 20
    assert {int(at + 8 * HOUR) % 86_400 // HOUR for at, _size in _submits(sim)} <= {9, 10, 11}


@pytest.mark.slow
def test_waiting_pauses_until_the_window_opens(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over two nights nothing leaves outside the hours, everything leaves, and each pause is said once."""
    plan = _plan(80, store, rate=1 / 1800)
    result = mas.send(plan, client, store, window=("08:00", "21:00"), wait=True, progress=False)
    hours = Window(8 * 60, 21 * 60)

    assert (result.accepted, result.ok) == (80, True)
    assert all(hours.allows(at) for at, _size in _submits(sim))
    assert len({(at + 8 * HOUR) // 86_400 for at, _size in _submits(sim)}) == 4
    assert capsys.readouterr().err.splitlines() == [
        f"paused until 01-{day:02d} 08:00 (China time)" for day in (2, 3, 4)
    ]


# ---- claims and connections ------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(sim: Simulator) -> Iterator[Client]:
    """A client with two connections."""
    with Client(sim.account(), clock=sim.clock, connections=2) as one:
        yield one


def test_no_more_is_claimed_than_can_be_on_the_wire(narrow: Client, store: Store) -> None:
    """With 32 workers and two connections, two batches at most are in flight."""
    claimed: list[int] = []
    submit: Callable[..., Any] = narrow.submit
    barrier = threading.Barrier(2)

    def counting(*args: Any, **more: Any) -> Any:
        barrier.wait(10)
        claimed.append(int(store.batches(state="submitting").shape[0]))
        barrier.wait(10)
        return submit(*args, **more)

    narrow.submit = counting
    limits = mas.Limits(many_to_one=10)
    assert mas.send(_plan(80, store, limits=limits), narrow, store, workers=32, progress=False).accepted == 80
    assert max(claimed) == 2


@pytest.mark.parametrize("workers", [1, 8])
def test_refused_connections_are_outlasted_in_time_not_by_workers(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, workers: int
) -> None:
    """Whatever the number of workers, a platform that is away for some seconds does not end the run."""
    submit: Callable[..., Any] = client.submit
    back_at = clock.now() + 6

    def refused(*args: Any, **more: Any) -> Any:
        if clock.now() >= back_at:
            return submit(*args, **more)
        return failed_submit(NetworkError("refused", sent=False), clock.now(), clock.now())

    client.submit = refused
    limits = mas.Limits(many_to_one=10)
    assert mas.send(_plan(80, store, limits=limits), client, store, workers=workers, progress=False).accepted == 80


# ---- the same text within a minute -----------------------------------------------------------------------------------


def test_the_same_text_to_the_same_number_waits_a_minute(
    sim: Simulator, client: Client, store: Store, clock: ManualClock
) -> None:
    """A new round of the same text waits, another text and other numbers do not."""
    mas.send(_plan(5, store), client, store, progress=False)
    began = clock.now()
    mas.send(_plan(5, store, text="y", campaign="D"), client, store, progress=False)
    mas.send(
        mas.plan(_people(9).tail(4), phone="p", text="x", campaign="E", store=store), client, store, progress=False
    )
    assert clock.now() - began < 2
    assert mas.send(_plan(5, store, round="2"), client, store, progress=False).accepted == 5
    assert 60 <= clock.now() - began < 64


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_keys_of_one_text_leave_a_minute_apart(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, workers: int
) -> None:
    """Three orders of each person with one text for all: whoever works at it, the platform sees no repetition."""
    orders = pd.concat([_people(5)] * 3).assign(order=range(15))
    result = mas.send(
        orders, client, store, phone="p", text="x", campaign="C", key="order", workers=workers, progress=False
    )
    came: dict[str, list[float]] = {}
    for message in sim.messages:
        came.setdefault(message.phone, []).append(message.submitted_at)

    assert result.accepted == 15
    assert all(later - earlier > 60 for times in came.values() for earlier, later in pairwise(times))


def test_a_proof_sent_twice_waits_a_minute(sim: Simulator, client: Client, store: Store, clock: ManualClock) -> None:
    """The campaign's own first message after its proof is another number: it does not wait."""
    began = clock.now()
    for _ in range(2):
        mas.send(_plan(5, store, text="{n}"), client, store, to=["13900139000"], progress=False)
    assert 60 <= clock.now() - began < 64
    mas.send(_plan(5, store, text="{n}"), client, store, progress=False)
    assert clock.now() - began < 66
    assert len(sim.messages) == 7
