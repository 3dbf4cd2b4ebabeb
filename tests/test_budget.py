"""An account's budget: weighed before the first request, counted in China days and months, claimed with the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlite_utils import Database

import masanalytics as mas
from masanalytics.account import Budget
from masanalytics.clock import ManualClock
from masanalytics.doctor import check
from masanalytics.errors import BudgetError, ConfigError, InputError
from masanalytics.planning import Limits
from masanalytics.sending import SendResult
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store.schema import migrations
from tests.processes import Launcher

COUNTS = ("accepted", "rejected", "unknown", "not_sent", "already_sent", "opted_out", "left_to_another_run", "held")
DAY_S = 86_400

SENDER = """
import os
import pandas as pd
import masanalytics as mas
from masanalytics.planning import Limits

def run(path, account, campaign, first, size, batch):
    people = pd.DataFrame({"p": [str(13_800_000_000 + first + n) for n in range(size)]})
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        plan = mas.plan(people, phone="p", text="x", campaign=campaign, limits=Limits(batch, batch))
        os.write(1, b"go\\n")
        try:
            mas.send(plan, client, store, over_budget="hold", progress=False)
        except mas.BudgetError:
            pass
"""


def people(size: int, first: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"p": [str(13_800_000_000 + n) for n in range(first, first + size)]})


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(https=False, clock=clock, behaviour=Scripted(default=None)) as platform:
        yield platform


def go(work: Any, sim: Simulator, store: mas.Store, *, budget: Any = None, **more: Any) -> SendResult:
    """Send with an account of this budget, in messages; check that the result is closed."""
    settings = {"budget": budget, "budget_unit": more.pop("unit", "messages")}
    settings |= {name: more.pop(name) for name in ("sign",) if name in more}
    given = {} if isinstance(work, mas.Plan) else {"phone": "p", "campaign": "C", "text": "x"}
    with mas.Client(sim.account(**settings), clock=store.clock) as client:
        result = mas.send(work, client, store, progress=False, **(given | more))
    assert sum(getattr(result, name) for name in COUNTS) == result.planned
    return result


def test_a_job_that_does_not_fit_is_refused_whole(sim: Simulator, store: mas.Store) -> None:
    """Not one request leaves; the error says what is left, when it resets and what to do, and is one of what was handed in."""
    go(people(40), sim, store, budget={"day": 50}, campaign="before")

    with pytest.raises(BudgetError) as caught:
        go(people(11), sim, store, budget={"day": 50})

    assert len(sim.messages) == 40
    assert (caught.value.code, caught.value.retryable, isinstance(caught.value, InputError)) == ("budget", True, True)
    assert str(caught.value) == (
        "the job is 11 messages, and the budget does not hold it (10 of 50 messages left today): that resets on 2026-01-02 at"
        " 00:00 (China time). over_budget='hold' sends what fits and holds the rest. Nothing was sent"
    )
    assert "北京时间" in caught.value.zh
    assert go(people(10), sim, store, budget={"day": 50}).ok


def test_what_fits_is_sent_and_the_rest_on_the_next_day(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """The rest is held by the budget, the text names the day; the next day's run sends it, and nothing twice."""
    first = go(people(25), sim, store, budget={"day": 10}, over_budget="hold", limits=Limits(4, 4))
    same_day = go(people(25), sim, store, budget={"day": 10}, over_budget="hold")
    clock.sleep(DAY_S)
    second = go(people(25), sim, store, budget={"day": 10}, over_budget="hold")
    clock.sleep(DAY_S)
    third = go(people(25), sim, store, budget={"day": 10}, over_budget="hold")

    assert (first.accepted, dict(first.held_because), first.ok) == (10, {"budget": 15}, False)
    assert "15 held by the budget" in first.text()
    assert "It resets on 2026-01-02 at 00:00 (China time)" in first.text()
    assert (same_day.accepted, same_day.held, same_day.requests) == (0, 15, 0)
    assert (second.accepted, second.held, third.accepted, third.held, third.ok) == (10, 5, 5, 0, True)
    assert sorted(one.phone for one in sim.messages) == people(25)["p"].tolist()


def test_a_day_ends_at_midnight_in_china(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """A second before 00:00 China time the day is spent, at 00:00 it is new; the month is not."""
    go(people(10), sim, store, budget={"day": 10})
    clock.sleep(16 * 3600 - 1 - (clock.now() - 1_767_225_600))
    with pytest.raises(BudgetError):
        go(people(1), sim, store, budget={"day": 10}, campaign="late")
    clock.sleep(1)

    assert go(people(10), sim, store, budget={"day": 10, "month": 20}, campaign="late").ok
    with pytest.raises(BudgetError, match=r"0 of 20 messages left this month.*that resets on 2026-02-01"):
        go(people(1), sim, store, budget={"day": 100, "month": 20}, campaign="later")


def test_a_month_counts_all_its_days(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """What was sent on other days of the month counts, when a job is weighed and when its batches are claimed."""
    for day in range(3):
        go(people(5, 10 * day), sim, store, budget={"month": 18}, campaign=f"day {day}")
        clock.sleep(3 * DAY_S)

    held = go(people(9, 50), sim, store, budget={"month": 18}, over_budget="hold", limits=Limits(2, 2))
    assert (held.accepted, dict(held.held_because)) == (3, {"budget": 6})
    assert "the budget is spent (0 of 18 messages left this month)" in held.stopped_because
    clock.sleep(30 * DAY_S)
    assert go(people(9, 50), sim, store, budget={"month": 18}).ok


def test_an_older_file_knows_what_was_sent_before_there_were_budgets(
    tmp_path: Path, sim: Simulator, clock: ManualClock
) -> None:
    """Segments of the last month are counted when the file is brought along; proofs of then count towards no cap."""
    path = tmp_path / "older.db"
    db = Database(path)
    migrations.apply(db, stop_before="m018_budgets_and_caps")
    db.execute("INSERT INTO accounts VALUES (1, ?)", [sim.account().name])
    db.execute("INSERT INTO campaigns VALUES (1, 'C'), (2, 'C (proof)')")
    db.execute(
        "INSERT INTO rounds (round_id, campaign_id, round, key_column) VALUES (1, 1, '', NULL), (2, 2, 'proof', 'proof')"
    )
    for number, segments in ((1, 3), (2, None)):
        db.execute(
            "INSERT INTO batches (batch_id, campaign_id, account_id, round_id, mode, state, messages, requested_at)"
            " VALUES (?, ?, 1, ?, 'one_to_one', 'accepted', 1, ?)",
            [number, number, number, int(clock.now())],
        )
        db.execute(
            "INSERT INTO messages (batch_id, campaign_id, account_id, phone, round_id, carrier_id, segments, status_id, submitted_at)"
            " VALUES (?, ?, 1, ?, ?, 0, ?, 4, ?)",
            [number, number, f"1380013800{number}", number, segments, int(clock.now())],
        )
    db.conn.commit()
    db.close()
    with mas.Store(path, clock=clock) as store:
        account = sim.account(budget={"day": 10})
        df = pd.DataFrame({"p": ["13800138001", "13800138002"]})
        made = mas.plan(df, phone="p", text="x", campaign="D", store=store, account=account, cap=(1, "7d"))
        assert "budget: 6 of 10 segments left today" in made.text()
        assert made.messages["phone"].tolist() == ["13800138002"]


def test_segments_are_counted_as_they_are_billed(sim: Simulator, store: mas.Store) -> None:
    """A text of two segments weighs two; a job of more than a whole budget says that no day holds it."""
    long = {"text": "文" * 100, "signature": "示例"}
    assert go(people(5), sim, store, budget={"day": 10}, unit="segments", **long).ok
    with pytest.raises(BudgetError, match="the job is 2 segments, and"):
        go(people(1, 5), sim, store, budget={"day": 10}, unit="segments", **long)
    with pytest.raises(BudgetError, match="the job is 12 segments, more than the whole budget"):
        go(people(6), sim, store, budget={"day": 10}, unit="segments", campaign="other", **long)


def test_what_may_have_been_taken_counts_and_what_was_not_does_not(sim: Simulator, store: mas.Store) -> None:
    """A lost answer is spent; what the platform rejected is not."""
    sim.fault("drop_after", endpoint="submit", times=1)
    assert go(people(6), sim, store, budget={"day": 10}).unknown == 6
    with pytest.raises(mas.RefusedError):
        go(people(4, 10), sim, store, budget={"day": 10}, campaign="no", sign="Wrong0000")

    assert go(people(4, 20), sim, store, budget={"day": 10}, campaign="rest").ok
    with pytest.raises(BudgetError):
        go(people(1, 30), sim, store, budget={"day": 10}, campaign="more")


def test_only_what_is_left_to_send_is_weighed(sim: Simulator, store: mas.Store) -> None:
    """A plan made without the store fits if what is left of it does; a limit and a proof weigh what they send."""
    bare = mas.plan(people(12), phone="p", text="x", campaign="C")
    go(people(8), sim, store, budget={"day": 12})

    with pytest.raises(BudgetError):
        go(people(5), sim, store, budget={"day": 12}, campaign="other")
    with pytest.raises(BudgetError, match="the job is 5 messages"):
        go(bare, sim, store, budget={"day": 12}, to=[f"1390013800{n}" for n in range(5)])
    assert go(people(5), sim, store, budget={"day": 12}, campaign="other", limit=1).accepted == 1
    assert go(bare, sim, store, budget={"day": 12}, limit=3).accepted == 3
    assert go(bare, sim, store, budget={"day": 13}).ok


def test_the_plan_says_what_is_left_and_warns_at_four_fifths(sim: Simulator, store: mas.Store) -> None:
    """What is left of how much, a warning where four fifths would be used, and one where it does not fit."""
    go(people(30), sim, store, budget={"day": 100})
    account = sim.account(budget={"day": 100, "month": 1000}, budget_unit="messages")

    def planned(size: int) -> mas.Plan:
        return mas.plan(people(size), phone="p", text="x", campaign="P", store=store, account=account)

    assert "budget: 70 of 100 messages left today; 970 of 1,000 messages left this month" in planned(1).text()
    assert "今日剩余 70 / 100 条短信" in planned(1).text("zh")
    codes = [[one.code for one in planned(size).warnings if "budget" in one.code] for size in (49, 50, 70, 71)]
    assert codes == [[], ["budget_used"], ["budget_used"], ["over_budget"]]
    assert "80 % of the account's budget is used" in planned(50).text()


def test_the_doctor_says_what_is_left(sim: Simulator, store: mas.Store, tmp_path: Path) -> None:
    """Of an account with a budget, whether the store is there or not yet; what is spent is worth a look and no fault."""
    go(people(30), sim, store, budget={"day": 30})
    account = sim.account(budget={"day": 30, "month": 100}, budget_unit="messages")

    def said(path: Path) -> tuple[str, str, bool | None]:
        [found] = [one for one in check(account, path, clock=store.clock, language="en") if one.name == "budget"]
        return found.text, found.advice, found.ok

    assert said(Path(store.path)) == (
        "0 of 30 messages left today; 70 of 100 messages left this month.", "It resets on 2026-01-02 at 00:00 (China time).", None,
    )  # fmt: skip
    assert said(tmp_path / "new.db") == (
        "30 of 30 messages left today; 100 of 100 messages left this month.", "", True,
    )  # fmt: skip


def test_a_template_of_unknown_length_has_no_segments_to_count(sim: Simulator, store: mas.Store) -> None:
    """Planned for the account or sent with it, it is an error before anything leaves; a budget in messages takes it."""
    template: dict[str, Any] = {"text": None, "template_id": "t1"}
    with pytest.raises(InputError, match="budget_unit='messages'"):
        go(people(1), sim, store, budget={"day": 10}, unit="segments", **template)
    bare = mas.plan(people(1), phone="p", template_id="t1", campaign="C")
    with pytest.raises(InputError, match="budget_unit='messages'"):
        go(bare, sim, store, budget={"day": 10}, unit="segments")
    assert len(sim.messages) == 0
    assert go(bare, sim, store, budget={"day": 10}).ok


def test_a_canary_and_a_budget_hold_one_after_the_other(store: mas.Store, clock: ManualClock) -> None:
    """The canary goes, is found normal, then what fits; the next day's run sends the rest without another canary."""
    quick = Scripted(default=("DELIVRD", 1.0))
    with Simulator(https=False, clock=clock, behaviour=quick) as sim:
        first = go(people(20), sim, store, budget={"day": 12}, over_budget="hold", canary=5)
        clock.sleep(DAY_S)
        second = go(people(20), sim, store, budget={"day": 12}, over_budget="hold", canary=5)
        assert (first.accepted, dict(first.held_because), second.accepted, second.ok) == (12, {"budget": 8}, 8, True)
        assert sorted(one.phone for one in sim.messages) == people(20)["p"].tolist()


def test_a_canary_is_part_of_the_job(sim: Simulator, store: mas.Store) -> None:
    """The job is weighed with all that comes after the canary; a word that means nothing is an error."""
    with pytest.raises(BudgetError):
        go(people(20), sim, store, budget={"day": 10}, canary=5)
    with pytest.raises(InputError, match="over_budget='wait'"):
        go(people(2), sim, store, over_budget="wait")
    assert len(sim.messages) == 0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"budget": {"day": 1.5}}, "the budget of a day is 1.5: it must be a whole number from 1"),
        ({"budget": {"month": 0}}, "the budget of a month is 0"),
        ({"budget": {"week": 7}}, "but no 'week'"),
        ({"budget": 50}, "budget=50: write it as"),
        ({"budget_unit": "yuan"}, "budget_unit='yuan'"),
        ({"cap": "often"}, "cap='often'"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, Any], why: str) -> None:
    """A wrong budget is an error when the account is made."""
    with pytest.raises(ConfigError, match=why):
        mas.Account("https://mas.example", "企业", "ap", "secret9", **settings)


def test_budgets_come_from_the_environment_and_from_profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables, a .env file and a profile say the same."""
    names = {"MAS_URL": "https://mas.example", "MAS_EC_NAME": "企业", "MAS_AP_ID": "ap", "MAS_SECRET_KEY": "secret9"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text("MAS_BUDGET_DAY=50,000\nMAS_BUDGET_UNIT=messages\nMAS_CAP=2/7d\n", encoding="utf-8")
    monkeypatch.setenv("MAS_BUDGET_MONTH", "500000")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "profiles.toml").write_text(
        '[shop]\nurl = "https://mas.example"\nec_name = "企业"\nap_id = "ap"\nsecret_key = "secret9"\n'
        'budget = {day = 50_000, month = 500_000}\nbudget_unit = "messages"\ncap = [2, "7d"]\n',
        encoding="utf-8",
    )
    for account in (mas.Account.from_env(tmp_path / ".env"), mas.Account.from_profile("shop")):
        assert account.budget == {"day": 50_000, "month": 500_000}
        assert (account.budget_unit, account.cap) == ("messages", mas.account.FrequencyCap(2, 7 * DAY_S))


def test_a_budget_spent_by_another_meanwhile_holds_the_rest(
    sim: Simulator, store: mas.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process sends between the weighing and the last claim counts: the batch that does not fit stays planned."""
    plan = mas.plan(people(6), phone="p", text="x", campaign="C", limits=Limits(2, 2))
    weighed = store.sends.budget_periods

    def meanwhile(*asked: Any) -> Any:
        found = weighed(*asked)
        monkeypatch.setattr(store.sends, "budget_periods", weighed)
        go(people(7, 50), sim, store, budget={"day": 10}, campaign="other")
        return found

    monkeypatch.setattr(store.sends, "budget_periods", meanwhile)
    result = go(plan, sim, store, budget={"day": 10})

    assert (result.accepted, dict(result.held_because), len(sim.messages)) == (2, {"budget": 4}, 9)
    assert "the budget is spent (1 of 10 messages left today)" in result.stopped_because


@pytest.mark.slow
def test_two_processes_never_exceed_a_budget(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """Two processes with a job each, of which the day holds less than both: what leaves is within the budget, and used up."""
    with Simulator(https=False, poll_interval=0, answer_delay=0.01, behaviour=Scripted(default=None)) as sim:
        path = tmp_path / "mas.db"
        mas.Store(path).close()
        account = {
            "url": sim.url, "ec_name": sim.account().ec_name, "ap_id": sim.account().ap_id,
            "secret_key": sim.settings()["MAS_SECRET_KEY"], "sign": sim.account().sign, "budget": {"day": 60}, "budget_unit": "messages",
        }  # fmt: skip
        senders = [launch(SENDER), launch(SENDER)]
        for number, sender in enumerate(senders):
            sender.start(
                path=str(path), account=account, campaign=f"C{number}", first=number * 1000, size=50, batch=5,
                wait_for_go=False,
            )  # fmt: skip
        assert [sender.ended(60) for sender in senders] == [0, 0]

        assert len(sim.messages) == 60
        with mas.Store(path) as store:
            assert len(store.messages(status="pending")) == 60


@pytest.mark.parametrize("days", [20, 40])
def test_a_clock_that_is_days_off_spends_of_both_days(
    sim: Simulator, clock: ManualClock, tmp_path: Path, days: int
) -> None:
    """What is claimed on a wrong day counts on that day, as long as the clock says it, and on the platform's: in a month once."""
    ahead, budget = ManualClock(clock.now() + days * DAY_S), Budget({"day": 5, "month": 100}, "messages")
    with mas.Store(tmp_path / "ahead.db", clock=ahead) as store:
        go(people(3), sim, store, budget={"day": 5})

        def spent(now: float) -> list[int]:
            return [period.spent for period in store.sends.budget_periods(sim.account().key, budget, now)]

        assert [spent(ahead.now()), spent(clock.now())] == [[3, 3], [3, 3]]
        assert spent(clock.now() + 5 * DAY_S) == [0, 3]
        assert spent(clock.now() + 70 * DAY_S) == [0, 0]
        with pytest.raises(BudgetError, match=r"2 of 5 messages left today"):
            go(people(3, first=50), sim, store, budget={"day": 5}, campaign="D", text="y")


@pytest.mark.parametrize("over_budget", ["refuse", "hold"])
def test_a_message_that_no_day_holds_is_refused(sim: Simulator, store: mas.Store, over_budget: str) -> None:
    """It would be held every day for ever: the error says so, and that no reset lets it go."""
    with pytest.raises(
        InputError, match=r"3 messages of up to 5 segments are each more than the whole budget \(3 of 3 segments"
    ):
        go(people(3), sim, store, text="长" * 300, budget={"day": 3}, unit="segments", over_budget=over_budget)

    assert sim.requests == []
