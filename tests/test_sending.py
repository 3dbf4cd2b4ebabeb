"""Sending over real sockets: each number at most once, everybody who should get it, and an honest account of the rest."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.clock import ManualClock, SystemClock
from masanalytics.collecting import Collector
from masanalytics.errors import CertificateError, InputError, NetworkError, RefusedError
from masanalytics.planning import Plan, PlannedBatch
from masanalytics.planning.window import Window
from masanalytics.sending import Canary, SendResult
from masanalytics.sending._send import portions
from masanalytics.sending.rate_limit import Pacer
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from masanalytics.vocabulary import CARRIERS

PEOPLE = pd.DataFrame({"手机号": [f"138001380{n:02d}" for n in range(50)], "姓名": [f"客户{n}" for n in range(50)]})


def _plan(store: Store, frame: pd.DataFrame = PEOPLE, campaign: Any = "问候", **more: Any) -> Plan:
    more = {"text": "{姓名}，您好"} | more
    return mas.plan(frame, phone="手机号", campaign=campaign, store=store, **more)


def _send(work: Plan | pd.DataFrame, client: Client, store: Store, **options: Any) -> SendResult:
    return mas.send(work, client, store, progress=False, **options)


def _with_account(sim: Simulator, **changes: list[str] | str) -> Client:
    return mas.Client(sim.account(**changes), clock=sim.clock)


def test_a_plan_goes_out_and_running_it_again_sends_nothing(sim: Simulator, client: Client, store: Store) -> None:
    """The same cell run twice reaches everybody once, and the second run says what it found."""
    first = _send(_plan(store), client, store)
    second = _send(_plan(store), client, store)

    assert (first.planned, first.accepted, first.ok) == (50, 50, True)
    assert (second.planned, second.accepted, second.ok) == (0, 0, True)
    assert "50 accepted" in second.text("en")
    assert sum(sim.accepted.values()) == 50
    assert set(sim.accepted.values()) == {1}


def test_the_same_plan_object_sent_twice_goes_out_once(sim: Simulator, client: Client, store: Store) -> None:
    """A plan made before the first send skips, in the second, what has gone out meanwhile."""
    plan = _plan(store)
    _send(plan, client, store)
    again = _send(plan, client, store)

    assert (again.planned, again.already_sent, again.accepted, again.ok) == (50, 50, 0, True)
    assert sum(sim.accepted.values()) == 50


def test_a_result_says_who_was_left_out_of_the_plan(client: Client, store: Store) -> None:
    """A frame is sent without its plan being looked at: the rows are accounted for all the same."""
    frame = pd.DataFrame({"手机号": [*PEOPLE["手机号"][:2], "abc", None, "12"], "姓名": list("甲乙丙丁戊")})
    result = _send(frame, client, store, phone="手机号", text="您好", campaign="问候")
    nobody = _send(frame[2:], client, store, phone="手机号", text="您好", campaign="新")

    assert (result.accepted, result.ok, result.left_out) == (2, True, {"invalid_number": 2, "empty_number": 1})
    assert "3 rows were left out of the plan: not a mobile number (2); no number in the cell (1)." in result.text("en")
    assert nobody.text("en").splitlines()[0] == "Nothing sent: 新 has nobody to send to."


def test_what_another_run_has_under_way_is_not_called_unknown(client: Client, store: Store) -> None:
    """A second run beside the first says whose answers are awaited."""
    real, said = client.submit, []

    def submit(*given: Any, **more: Any) -> Any:
        thread = threading.Thread(target=lambda: said.append(_send(_plan(store, text="x"), client, store)))
        thread.start()
        thread.join()
        return real(*given, **more)

    client.submit = submit
    assert _send(_plan(store, text="x"), client, store).ok
    (beside,) = said

    assert beside.before == {"unknown": 0, "under_way": 50}
    assert "Found from earlier runs of 问候: 50 under way in another run." in beside.text("en")
    assert not beside.ok


def test_a_dataframe_is_planned_on_the_way(sim: Simulator, client: Client, store: Store) -> None:
    """send() takes a DataFrame with the planner's arguments."""
    result = _send(PEOPLE, client, store, phone="手机号", text="您好", campaign="问候")

    assert result.accepted == 50
    assert [request.endpoint for request in sim.requests] == ["submit"]


def test_new_rows_go_sent_ones_do_not(sim: Simulator, client: Client, store: Store) -> None:
    """A changed sheet sends only to the new numbers."""
    _send(_plan(store, PEOPLE.head(20)), client, store)
    result = _send(_plan(store, PEOPLE), client, store)

    assert result.accepted == 30
    assert set(sim.accepted.values()) == {1}


def test_what_is_sent_is_what_the_plan_showed(sim: Simulator, client: Client, store: Store) -> None:
    """Numbers and texts on the platform are those of the plan, in as many requests as it said."""
    plan = _plan(store)
    shown = {(row.phone, row.content): 1 for row in plan.messages.itertuples()}
    result = _send(plan, client, store)

    assert dict(sim.accepted) == shown
    assert result.requests == plan.requests
    assert sim.deviations == []
    assert list(store.messages()["content"]) == list(plan.messages["content"])


def test_a_template_goes_out_with_its_params(sim: Simulator, client: Client, store: Store) -> None:
    """Template messages are grouped by equal params and recorded with them."""
    frame = PEOPLE.assign(档=["金", "银"] * 25)
    plan = _plan(store, frame, text=None, template_id="38516fabae004eddbfa3ace1d4194696", params=["档"])
    result = _send(plan, client, store)
    messages = store.messages()

    assert (result.accepted, result.requests) == (50, 2)
    assert set(messages["params"]) == {'["金"]', '["银"]'}
    assert set(messages["mode"]) == {"template"}
    assert [request.endpoint for request in sim.requests] == ["tmpsubmit"] * 2


@pytest.mark.parametrize("fault", ["drop_after", "hang", "truncate", "garbage", "status", "html200"])
def test_what_may_have_been_taken_is_unknown_and_never_repeated(sim: Simulator, store: Store, fault: str) -> None:
    """No answer, half an answer or nonsense: the batch is of unknown outcome, the others go, and nothing is repeated."""
    with sim.client(timeout=(1.0, 0.3)) as client:
        sim.fault(fault, endpoint="submit", times=1)
        plan = _plan(store, limits=mas.planning.Limits(many_to_one=10, many_to_many=10))
        first = _send(plan, client, store, workers=1)
        again = _send(_plan(store), client, store)

    assert (first.accepted, first.unknown) == (40, 10)
    assert (again.planned, again.accepted) == (0, 0)
    assert max(sim.accepted.values()) == 1
    assert list(store.batches(state="unknown")["messages"]) == [10]
    assert "not sent again by themselves" in first.text("en")


def test_what_never_left_is_sent_again_by_itself(sim: Simulator, client: Client, store: Store) -> None:
    """While nothing listens, batches wait and are tried again; nothing is sent twice."""
    url_is_free = threading.Event()
    real = client.submit_each

    def down_twice(texts: Any, **more: Any) -> Any:
        if not url_is_free.is_set():
            sim.stop()
            result = real(texts, **more)
            sim.start()
            url_is_free.set()
            return result
        return real(texts, **more)

    client.submit_each = down_twice
    result = _send(_plan(store), client, store, workers=1)

    assert (result.accepted, result.requests, result.ok) == (50, 2, True)
    assert set(sim.accepted.values()) == {1}


def test_a_platform_out_of_reach_stops_the_run_and_a_later_one_sends(
    sim: Simulator, client: Client, store: Store
) -> None:
    """After several vain tries the run ends with an error that says nothing was sent; later it goes on."""
    sim.stop()
    with pytest.raises(NetworkError):
        _send(_plan(store), client, store)
    statuses = set(store.messages()["status"])
    sim.start()
    result = _send(_plan(store), client, store)

    assert statuses == {"not_sent"}
    assert result.accepted == 50


@pytest.mark.parametrize("change", [{"secret_key": "wrong"}, {"sign": "WrongSign1"}])
def test_a_refusal_that_hits_every_batch_stops_after_the_first(
    sim: Simulator, store: Store, change: dict[str, str]
) -> None:
    """A wrong key or signature is met once, not once a batch; the error says what to do; the next run sends all."""
    plan = _plan(store, limits=mas.planning.Limits(many_to_one=10, many_to_many=10))
    with _with_account(sim, **change) as wrong, pytest.raises(RefusedError) as caught:
        _send(plan, wrong, store, workers=1)
    with sim.client() as right:
        result = _send(_plan(store), right, store)

    assert len(sim.requests) == 2
    assert caught.value.rspcod
    assert result.accepted == 50
    assert set(sim.accepted.values()) == {1}


def test_not_white_ip_is_explained(sim: Simulator, client: Client, store: Store) -> None:
    """An address that is not allowed ends in one sentence."""
    sim.fault("not_white_ip", endpoint="submit")
    with pytest.raises(RefusedError) as caught:
        _send(_plan(store), client, store)

    assert caught.value.rspcod == "NOT_WHITE_IP"


def test_a_wrong_certificate_sends_nothing(store: Store) -> None:
    """A changed certificate stops the run before a byte of the request leaves."""
    with mas.Simulator(https=True) as sim, _with_account(sim, tls="sha256:" + "0" * 64) as client:
        with pytest.raises(CertificateError):
            _send(_plan(store), client, store)

        assert sim.requests == []
    assert set(store.messages()["status"]) == {"not_sent"}


def test_a_platform_that_never_answers_is_given_up_before_everything_is_in_doubt(sim: Simulator, store: Store) -> None:
    """Four unanswered requests from the start stop the run; the rest stays planned and goes later."""
    plan = _plan(store, limits=mas.planning.Limits(many_to_one=5, many_to_many=5))
    with sim.client(timeout=(1.0, 0.2)) as client, sim.fault("drop_before", endpoint="submit"):
        with pytest.raises(NetworkError):
            _send(plan, client, store, workers=1)
        states = store.batches()["state"].value_counts().to_dict()
    with sim.client() as client:
        result = _send(_plan(store), client, store)

    assert states == {"planned": 6, "unknown": 4}
    assert result.accepted == 30


def test_one_unanswered_batch_in_five_stops_nothing(sim: Simulator, store: Store) -> None:
    """With every fifth request left without an answer, the others all go, and those five stay in doubt."""
    plan = _plan(store, limits=mas.planning.Limits(many_to_one=2, many_to_many=2))
    with sim.client(timeout=(5.0, 0.6)) as client, sim.fault("drop_after", endpoint="submit", every=5):
        result = _send(plan, client, store, workers=2)

    assert (result.accepted, result.unknown, result.not_sent) == (40, 10, 0)
    assert set(sim.accepted.values()) == {1}
    assert len([notice for notice in result.notices if notice.code != "new_file"]) == 1


def test_confirm_must_match(sim: Simulator, client: Client, store: Store) -> None:
    """confirm= refuses a plan of another size."""
    with pytest.raises(InputError, match="plan is for 50 messages"):
        _send(_plan(store), client, store, confirm=51)

    assert _send(_plan(store), client, store, confirm=50).accepted == 50
    assert len(sim.requests) == 1


def test_limit_and_the_rest_later(sim: Simulator, client: Client, store: Store) -> None:
    """limit= sends the first so many; the next run sends the rest."""
    first = _send(_plan(store), client, store, limit=7)
    rest = _send(_plan(store), client, store)

    assert (first.planned, first.accepted, first.held_because, rest.accepted) == (50, 7, {"limit": 43}, 43)
    assert list(sim.accepted)[:1] == [("13800138000", "客户0，您好")]


def test_a_proof_goes_to_oneself_and_touches_nothing(sim: Simulator, client: Client, store: Store) -> None:
    """to= sends the first message to the given number; the campaign still goes to everybody."""
    proof = _send(_plan(store), client, store, to=["+86 139-0013-9000"])
    result = _send(_plan(store), client, store)

    sim.clock.sleep(60)
    collected = mas.Collector(client, store, say=lambda _text: None)
    brought = collected.drain()
    collected.stop()

    assert proof.accepted == 1
    assert (brought.foreign, len(store.messages("问候 (proof)"))) == (0, 1)
    assert sim.accepted["13900139000", "客户0，您好"] == 1
    assert result.accepted == 50


def test_a_round_repeats_on_purpose(sim: Simulator, client: Client, store: Store) -> None:
    """Another name sends a finished campaign once more; both rounds are kept."""
    _send(_plan(store), client, store)
    result = _send(_plan(store, round="2"), client, store)

    assert result.accepted == 50
    assert set(sim.accepted.values()) == {2}
    assert len(store.messages("问候")) == 100


def test_an_interrupt_stops_after_the_request_in_flight(
    sim: Simulator, client: Client, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C lets the request under way end, records it, says how to go on, and the next run sends the rest."""
    plan = _plan(store, limits=mas.planning.Limits(many_to_one=10, many_to_many=10))
    real = client.submit_each

    def interrupted(texts: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real(texts, **more)

    client.submit_each = interrupted
    with pytest.raises(KeyboardInterrupt):
        _send(plan, client, store, workers=1)
    said = capsys.readouterr().err
    del client.submit_each
    states = store.batches()["state"].value_counts().to_dict()
    result = _send(_plan(store), client, store)

    assert states == {"accepted": 1, "planned": 4}
    assert said.splitlines() == [
        "问候: of 50 messages 10 accepted, 40 not sent; 1 request in 0 s (platform time).",
        f"new file {store.path}",
        "Stopped: interrupted; run the same again to go on",
    ]
    assert (result.planned, result.accepted) == (40, 40)
    assert set(sim.accepted.values()) == {1}


def test_two_runs_at_once_share_a_campaign(sim: Simulator, tmp_path: Path, clock: ManualClock) -> None:
    """Two notebooks that send the same plan at the same time reach each number once."""
    frame = pd.DataFrame({"手机号": [f"139{n:08d}" for n in range(600)]})
    results = []

    def run() -> None:
        with mas.Store(tmp_path / "mas.db", clock=clock) as mine, sim.client() as client:
            limits = mas.planning.Limits(many_to_one=20, many_to_many=20)
            plan = mas.plan(frame, phone="手机号", text="您好", campaign="c", store=mine, limits=limits)
            results.append(_send(plan, client, mine))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(result.accepted for result in results) == 600
    assert sorted(sim.accepted.values()) == [1] * 600


def test_a_normal_canary_lets_the_rest_go(sim: Simulator, client: Client, store: Store, collector: Collector) -> None:
    """A small first batch is sent, its reports are awaited, and the rest follows."""
    result = _send(_plan(store), client, store, canary=5, collector=collector)
    submits = [request for request in sim.requests if request.endpoint == "submit"]

    assert result.accepted == 50
    assert len(submits) == 2
    assert store.messages()["status"].eq("delivered").sum() >= 5


def test_a_failing_canary_stops_the_run(store: Store, clock: ManualClock) -> None:
    """When the first batch fails, nobody else is written to, and the codes are named."""
    failing = dict.fromkeys(PEOPLE["手机号"], ("MK:0012", 3.0))
    with mas.Simulator(https=False, clock=clock, behaviour=failing) as sim, sim.client() as client:
        result = _send(_plan(store), client, store, canary=Canary(5))

        assert sum(sim.accepted.values()) == 5
    assert (result.accepted, result.held_because) == (5, {"canary": 45})
    assert "MK:0012 × 5" in result.stopped_because
    assert not result.ok


def test_what_the_client_refuses_itself_is_not_sent(sim: Simulator, store: Store) -> None:
    """A plan made without the account meets allow_only in the client: nothing is sent and nothing is left in doubt."""
    plan = _plan(store)
    with _with_account(sim, allow_only=["13800138000"]) as client, pytest.raises(InputError, match="allow_only"):
        _send(plan, client, store)
    with sim.client() as client:
        result = _send(_plan(store), client, store)

    assert result.accepted == 50
    assert set(sim.accepted.values()) == {1}


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": -5}, {"workers": 0}])
def test_numbers_that_make_no_sense_are_refused(client: Client, store: Store, wrong: dict[str, int]) -> None:
    """A limit or a number of workers below one is an error, not a run that sends nothing."""
    with pytest.raises(InputError, match="a whole number from 1"):
        _send(_plan(store), client, store, **wrong)


def test_a_silent_canary_stops_the_run(store: Store, clock: ManualClock) -> None:
    """Without reports the run does not go on."""
    silent = dict.fromkeys(PEOPLE["手机号"])
    with mas.Simulator(https=False, clock=clock, behaviour=silent) as sim, sim.client() as client:
        result = _send(_plan(store), client, store, canary=Canary(5, timeout_s=60))

    assert result.accepted == 5
    assert "only 0 of 5 were reported" in result.stopped_because


def test_reports_are_collected_while_sending(store: Store, clock: ManualClock) -> None:
    """A collector given to send polls in its idle time, in the same loop."""
    with mas.Simulator(https=False, clock=clock, behaviour={}) as sim, sim.client() as client:
        collector = mas.Collector(client, store, say=lambda _text: None)
        limits = mas.planning.Limits(many_to_one=10, many_to_many=10)
        result = _send(_plan(store, limits=limits, rate=1.0), client, store, collector=collector, workers=1)
        meanwhile = collector.total.reports
        collector.drain()
        collector.stop()

    assert meanwhile >= 30
    assert result.collected is not None
    assert result.collected.reports == meanwhile
    assert f"Collected while sending: {meanwhile} reports and 0 replies in" in result.text("en")
    assert f"发送期间采集：{result.collected.polls} 次查询，收到 {meanwhile} 条回执" in result.text("zh")
    assert sim.min_poll_gap >= 5.0


def test_the_time_of_a_simulated_platform_is_named(sim: Simulator, client: Client, store: Store) -> None:
    """Seconds of a clock that is not the machine's are never shown as if somebody had waited them."""
    took = SendResult("c", planned=1888, accepted=1888, requests=2, seconds=661.6)
    simulated = SendResult("c", planned=1, accepted=1, requests=1, seconds=661.6, platform_time=True)

    assert took.text("en") == "c: of 1,888 messages 1,888 accepted; 2 requests in 11 min."
    assert took.text("zh") == "活动 c：共 1,888 条，平台已受理 1,888 条；2 次请求，用时 11 分钟。"
    assert simulated.text("en") == "c: of 1 message 1 accepted; 1 request in 11 min (platform time)."
    assert simulated.text("zh") == "活动 c：共 1 条，平台已受理 1 条；1 次请求，用时 11 分钟（平台时间）。"
    assert _send(_plan(store), client, store).platform_time is True


def test_the_machines_own_time_is_not_labelled(tmp_path: Path) -> None:
    """With the system's clock a time is a time."""
    with mas.Simulator(https=False, clock=SystemClock(), behaviour={}) as sim, mas.Store(tmp_path / "mas.db") as store:
        client = mas.Client(sim.account())
        result = _send(_plan(store), client, store)
        client.close()

    assert result.text("en").splitlines()[0] == "问候: of 50 messages 50 accepted; 1 request in 1 s."


def test_one_message_in_doubt_is_one_message() -> None:
    """What happened to a single message is said in the singular."""
    text = SendResult("c", planned=1, unknown=1, requests=1, before={"unknown": 1}).text("en")

    assert text.startswith(
        "c: of 1 message 1 of unknown outcome; 1 request in 0 s.\nFound from earlier runs of c: 1 of"
    )
    assert "1 message may or may not have been taken: it is not sent again by itself. Its report will tell" in text


def test_nothing_to_send_shows_no_bar(
    sim: Simulator, client: Client, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same cell run again prints nothing; the result says that nothing was left to send."""
    mas.send(_plan(store), client, store)
    assert "50/50" in capfd.readouterr().err
    result = mas.send(_plan(store), client, store)

    assert "".join(capfd.readouterr()) == ""
    assert result.text("en") == (
        "Nothing sent: 问候 has nothing left to send.\nFound from earlier runs of 问候: 50 accepted."
    )


def test_a_window_refuses_before_and_stops_at_its_edge(
    sim: Simulator, client: Client, store: Store, clock: ManualClock
) -> None:
    """Outside the window nothing starts; a run that reaches its edge stops there and says so."""
    with pytest.raises(InputError, match="outside the window 09:00-12:00"):
        _send(_plan(store), client, store, window=("09:00", "12:00"))
    limits = mas.planning.Limits(many_to_one=10, many_to_many=10)
    plan = _plan(store, limits=limits)
    clock.sleep(59 * 60 + 30)  # 08:59:30
    real = client.submit_each

    def slow(texts: Any, **more: Any) -> Any:
        clock.sleep(20)
        return real(texts, **more)

    client.submit_each = slow
    result = _send(plan, client, store, window=("08:00", "09:00"), workers=1)

    assert sim.requests
    assert result.accepted == 20
    assert "window 08:00-09:00" in result.stopped_because
    assert result.held_because == {"window": 30}


def test_settling_lets_an_unknown_batch_go(sim: Simulator, client: Client, store: Store) -> None:
    """What the user says was not sent is sent by the next run."""
    sim.fault("drop_before", endpoint="submit", times=1)
    _send(_plan(store), client, store)
    mas.settle(store, int(store.batches(state="unknown")["batch_id"].iloc[0]), "not_sent")
    result = _send(_plan(store), client, store)

    assert result.accepted == 50
    assert set(sim.accepted.values()) == {1}


def test_allow_only_reaches_nobody_else(sim: Simulator, store: Store) -> None:
    """In trial mode everybody else is left out of the plan."""
    with _with_account(sim, allow_only=["13800138003"]) as client:
        result = _send(PEOPLE, client, store, phone="手机号", text="您好", campaign="试")

    assert result.accepted == 1
    assert list(sim.accepted) == [("13800138003", "您好")]


def test_arguments_that_belong_to_the_plan_are_refused(client: Client, store: Store) -> None:
    """A plan is sent as it is: planning arguments beside it are an error."""
    with pytest.raises(InputError, match=r"text is for mas\.plan"):
        _send(_plan(store), client, store, text="别的内容")


def test_window_and_pacer_by_hand() -> None:
    """Windows are in China time; a pacer without a rate never waits."""
    from masanalytics.clock import ManualClock

    window = Window.parse(("08:00", "21:00"))
    assert window is not None
    assert window.allows(1767225600)  # 08:00 in China
    assert not window.allows(1767225599)
    assert Pacer(None, ManualClock()).wait_s(5000) == 0.0
    wrong: Any
    for wrong in (("21:00", "08:00"), ("8", "9"), ("08:00",), (8, 21), 8):
        with pytest.raises(InputError, match="two times of one day"):
            Window.parse(wrong)


def _batch(start: int, size: int) -> PlannedBatch:
    phones = [f"138{start + n:08d}" for n in range(size)]
    return PlannedBatch(
        index=0, mode="many_to_one", phones=phones, contents=None, content="您好", template_id=None, params=None,
        params_text=None, segments=[1] * size, carriers=[CARRIERS.index("China Mobile")] * size,
        regions=[("", "")] * size, keys=[""] * size, arm=None, add_serial=None,
    )  # fmt: skip


@given(
    st.lists(st.integers(1, 7), max_size=6),
    st.one_of(st.none(), st.integers(1, 30)),
    st.one_of(st.none(), st.integers(0, 30)),
)
def test_portions_keep_every_message_in_order(sizes: Any, first: Any, most: Any) -> None:
    """Cutting loses no message, repeats none, keeps their order, and respects both numbers."""
    batches, start = [], 0
    for size in sizes:
        batches.append(_batch(start, size))
        start += size
    parts = [[phone for batch in part for phone in batch.phones] for part in portions(batches, first=first, most=most)]
    everybody = [phone for batch in batches for phone in batch.phones]

    assert [phone for part in parts for phone in part] == everybody[: start if most is None else most]
    if first is not None and len(parts) == 2:
        assert len(parts[0]) == first
