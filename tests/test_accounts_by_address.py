"""An account of a store is its names and the platform's address: a test platform under the same names does not cover the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.account import AccountKey
from masanalytics.clock import ManualClock
from masanalytics.collecting.service import collected_accounts, status
from masanalytics.collecting.spool import spool_folder, write_spool
from masanalytics.errors import InputError
from masanalytics.protocol import PollAnswer
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store
from tests.bench import report

DAYS = 86_400


def people(n: int) -> list[str]:
    return [str(13800000000 + place) for place in range(n)]


def platform(clock: ManualClock, **options: Any) -> Simulator:
    return Simulator(https=False, clock=clock, behaviour=Scripted(default=None), **options)


def collector_of(sim: Simulator, store: Store, said: list[str] | None = None) -> mas.Collector:
    lines: list[str] = [] if said is None else said
    return mas.Collector(sim.client(), store, say=lines.append, language="en")


def sent(sim: Simulator, store: Store, n: int = 10) -> None:
    mas.send(pd.DataFrame({"p": people(n)}), sim.client(), store, phone="p", text="您好", campaign="C", progress=False)


def counted(store: Store) -> list[list[int]]:
    rows: list[list[int]] = (
        mas.delivery_rates(store)[["accepted", "delivered", "pending", "unreported"]].to_numpy().tolist()
    )
    return rows


def test_a_test_platform_does_not_cover_the_real_one(store: Store, clock: ManualClock) -> None:
    """Polling it for four days says nothing of what the real one was given."""
    with platform(clock) as real, platform(clock) as other:
        sent(real, store)
        collector_of(real, store).collect()
        collector = collector_of(other, store)
        for _ in range(4 * 24):
            clock.sleep(3600)
            collector.collect()

        assert counted(store) == [[10, 0, 10, 0]]
        assert "collected until 2026-01-01 08:0" in repr(store)
        assert [name.partition(" @ ")[0] for name in collected_accounts(store)] == [real.account().name] * 2
        assert (status(store, real.account().key).fresh, status(store, other.account().key).fresh) == (False, True)


def test_each_address_has_a_pace_of_its_own(store: Store, clock: ManualClock) -> None:
    """Polls of one do not keep the other waiting."""
    with platform(clock) as real, platform(clock) as other:
        began = clock.now()
        for sim in (real, other):
            collector_of(sim, store).collect_if_due()

        assert (real.counts["polls"], other.counts["polls"], clock.now() - began) == (1, 1, 0)


def test_a_report_of_one_platform_is_no_evidence_for_another(store: Store, clock: ManualClock) -> None:
    """Not even where it names a msgGroup that was sent at the other."""
    with platform(clock) as real, platform(clock) as other:
        sent(real, store, 1)
        group = store.batches().msg_group[0]
        other.add_row("report", report(people(1)[0], group))
        collector_of(other, store).collect()

        assert (store.messages("C").status.tolist(), len(store.foreign_reports())) == (["pending"], 1)


def test_an_account_of_an_older_store_gets_the_address_it_is_used_with(store: Store, clock: ManualClock) -> None:
    """What was sent before goes on being the same account's."""
    with platform(clock) as real, platform(clock) as other:
        sent(real, store, 1)
        store.db.execute("DELETE FROM account_addresses")  # as a store of an earlier version is migrated
        store.db.conn.commit()
        real.add_row("report", report(people(1)[0], store.batches().msg_group[0]))
        collector_of(real, store).collect()
        collector_of(other, store).collect()

        assert store.messages("C").status.tolist() == ["delivered"]
        assert store.messages("C").account.tolist() == [real.account().name]
        assert store.coverage().account.tolist() == [real.account().name, other.account().key.shown_apart]


def test_a_platform_that_has_moved_is_made_one_account(store: Store, clock: ManualClock) -> None:
    """Its reports find what was sent at the old address, and one coverage stands for both."""
    with platform(clock) as old, platform(clock) as new:
        sent(old, store, 2)
        collector_of(old, store).collect()
        clock.sleep(60)
        new.add_row("report", report(people(1)[0], store.batches().msg_group[0]))
        said: list[str] = []
        collector_of(new, store, said).collect()
        name, apart = new.account().name, new.account().key.shown_apart
        store.merge_accounts(apart, into=name)

        assert f"store.merge_accounts({apart!r}, into={name!r})" in said[-1]
        assert (store.messages().status.tolist(), len(store.foreign_reports())) == (["delivered", "pending"], 0)
        assert store.coverage()[["account", "gap_before_s"]].isna().sum().sum() == len(store.coverage()) == 1
        collector_of(new, store, said).collect()
        assert (len(said), store.polls().account.unique().tolist()) == (2, [name])
        with pytest.raises(InputError, match="there is no account 'x' in this store; it has"):
            store.merge_accounts("x", into=name)
        with pytest.raises(InputError, match="that account already"):
            store.merge_accounts(name, into=name)


def test_spooled_answers_know_the_address(store: Store) -> None:
    """A file of an earlier version knows the name alone, and is taken for the account of that name."""
    key = AccountKey("shop/ap", "https://mas.example:28888")
    answer = PollAnswer("report", b"[]", 200, True, 1, 1)
    write_spool(store.path, key, 1, answer)
    older = write_spool(store.path, "shop/ap", 2, answer)
    head, _, raw = older.read_bytes().partition(b"\n")
    about = json.loads(head)
    del about["address"]
    older.write_bytes(json.dumps(about).encode() + b"\n" + raw)

    from masanalytics.collecting.spool import spooled_answers

    found = sorted(spooled_answers(store.path), key=lambda one: one.poll_id)
    assert [one.account for one in found] == [key, AccountKey("shop/ap")]
    assert spool_folder(store.path).is_dir()


def test_the_same_address_written_otherwise_is_the_same(tmp_path: Path) -> None:
    """A usual port, a point at the end and the names of this machine make no other account."""
    keys = [
        {AccountKey.at("a", url) for url in urls}
        for urls in (
            ("https://mas.example", "https://mas.example:443", "https://mas.example."),
            ("http://localhost:81", "http://127.0.0.1:81", "http://[::1]:81"),
        )
    ]
    assert [len(one) for one in keys] == [1, 1]
    assert AccountKey.at("a", "http://mas.example:443") != AccountKey.at("a", "https://mas.example:443")
