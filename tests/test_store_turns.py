"""The platform's five seconds, kept in the file."""

from __future__ import annotations

from typing import Any

import pytest

from masanalytics.clock import ManualClock
from masanalytics.store import Store, poll_log
from masanalytics.store.poll_log import Turn

ACCOUNT = "企业/ap"


def _ask(store: Store, clock: ManualClock, asker: str = "one", account: str = ACCOUNT) -> Turn:
    with store.db.conn as conn:
        return poll_log.take_turn(conn, account, "report", 5.0, clock, asker)


def _return(store: Store, clock: ManualClock, account: Any = ACCOUNT) -> None:
    with store.db.conn as conn:
        poll_log.give_back(conn, account, clock)


def test_five_seconds_from_the_end_of_the_last_poll(store: Store, clock: ManualClock) -> None:
    """The next turn comes one interval after the last answer, not after the last question."""
    first = _ask(store, clock)
    clock.sleep(2)
    _return(store, clock)
    clock.sleep(4)
    early = _ask(store, clock)
    clock.sleep(early.wait_s)

    assert first.poll_id == 1
    assert (early.poll_id, early.wait_s) == (0, 1.0)
    assert _ask(store, clock).poll_id == 2


def test_nobody_polls_while_somebody_does(store: Store, clock: ManualClock) -> None:
    """While a living process waits for its answer, others wait too."""
    _ask(store, clock, "one")
    clock.sleep(60)

    assert _ask(store, clock, "two").poll_id == 0


def test_a_dead_poller_gives_way_after_one_interval(store: Store, clock: ManualClock) -> None:
    """A poll whose process is gone counts as lost, and as just made."""
    _ask(store, clock)
    with store.db.conn as conn:
        conn.execute("UPDATE pace SET holder = 'elsewhere:1:1#x'")
    clock.sleep(60)
    found = _ask(store, clock, "two")
    clock.sleep(5)

    assert (found.poll_id, found.wait_s) == (0, 5.0)
    assert _ask(store, clock, "two").poll_id == 2
    assert list(store.polls()["state"]) == ["lost", "asked"]


def test_accounts_do_not_wait_for_each_other(store: Store, clock: ManualClock) -> None:
    """The limit is per account."""
    _ask(store, clock)

    assert _ask(store, clock, account="other").poll_id == 2


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_jumping_wall_clock_changes_nothing(store: Store, clock: ManualClock, jump: float) -> None:
    """Setting the wall clock back or forward neither allows an early poll nor delays one."""
    _ask(store, clock)
    _return(store, clock)
    clock.jump(jump)
    clock.sleep(3)
    waited = _ask(store, clock)
    clock.sleep(2)

    assert waited.wait_s == pytest.approx(2.0)
    assert _ask(store, clock).poll_id == 2


def test_after_a_restart_the_wall_clock_decides_but_never_for_longer_than_an_interval(
    store: Store, clock: ManualClock
) -> None:
    """A machine that restarted with its clock set back waits one interval at most."""
    _ask(store, clock)
    _return(store, clock)
    later = ManualClock(start=clock.now() + 3)
    earlier = ManualClock(start=clock.now() - 7200)

    assert _ask(store, later).wait_s == pytest.approx(2.0)
    assert _ask(store, earlier).wait_s == pytest.approx(5.0)


def test_only_the_first_collection_is_the_first(store: Store, clock: ManualClock) -> None:
    """An account that was collected before is not greeted again."""
    with store.db.conn as conn:
        assert poll_log.is_first_collection(conn, ACCOUNT, clock.now())
    _ask(store, clock)
    with store.db.conn as conn:
        assert not poll_log.is_first_collection(conn, ACCOUNT, clock.now())
