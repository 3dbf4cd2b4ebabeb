"""The HTTP flavour of the interface: its paths and limits, and what cannot be said or done with it."""

from __future__ import annotations

import base64
import json

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.clock import ManualClock
from masanalytics.doctor import check
from masanalytics.errors import ConfigError, InputError
from masanalytics.planning import Limits
from masanalytics.protocol import mac, template_body
from tests.raw_server import ScriptedServer, answer

PHONES = ["13800138000", "13800138001"]


def test_a_campaign_goes_to_the_paths_of_the_http_interface() -> None:
    """Plain and many-to-many messages go to norsubmit, and the ledger is the same."""
    with mas.Simulator(https=False) as sim, mas.Store(":memory:") as store:
        client = mas.Client(sim.account(protocol="http"))
        mas.send(pd.DataFrame({"p": PHONES}), client, store, phone="p", text="您好", campaign="c", progress=False)
        assert [(request.outcome, request.rows) for request in sim.requests] == [("success", 2)]
        assert store.messages("c").status.tolist() == ["pending", "pending"]
        assert client.submit_each(dict.fromkeys(PHONES, "hi")).outcome == "accepted"
        assert sim.deviations == []


def test_the_paths_of_both_flavours() -> None:
    """Each flavour has its own path for plain messages, and one for templates."""
    server = ScriptedServer(answer(b'{"msgGroup":"1","rspcod":"success","success":true}'))
    try:
        for protocol in ("http", "https"):
            url = f"http://127.0.0.1:{server.port}"
            with mas.Client(mas.Account(url, "企业", "ap", "k", protocol=protocol)) as client:
                client.submit(PHONES, "您好")
                client.submit_each({PHONES[0]: "您好"})
                client.submit_template(PHONES, "t1")
    finally:
        server.close()
    assert [line.split()[1] for line, _, _ in server.requests] == [
        *("/sms/norsubmit", "/sms/norsubmit", "/sms/tmpsubmit"),
        *("/sms/submit", "/sms/submit", "/sms/tmpsubmit"),
    ]


@pytest.mark.parametrize("endpoint", ["report", "uplink"])
def test_an_http_account_is_not_polled(endpoint: str) -> None:
    """Polling says at once that it cannot be, and what takes its place; nothing leaves."""
    with mas.Simulator(https=False) as sim:
        client = mas.Client(sim.account(protocol="http"))
        with pytest.raises(ConfigError, match="masanalytics receive") as caught:
            client.poll_reports() if endpoint == "report" else client.poll_uplinks()
        assert (caught.value.code, caught.value.said.code, caught.value.retryable) == ("config", "cannot_poll", False)
        assert sim.requests == []


@pytest.mark.parametrize(("protocol", "most"), [("http", 1000), ("https", 999)])
def test_a_text_each_for_as_many_as_the_flavour_takes(protocol: str, most: int) -> None:
    """1,000 numbers with a text each in the HTTP flavour, 999 in the other; the plan cuts so."""
    account = mas.Account("http://127.0.0.1:1", "企业", "ap", "k", protocol=protocol, sign="S")
    people = pd.DataFrame({"p": [str(13800000000 + n) for n in range(1001)]})
    people["t"] = "text " + people["p"]
    plan = mas.plan(people, phone="p", content="t", campaign="c", account=account)
    assert [len(batch.phones) for batch in plan.iter_batches()] == [most, 1001 - most]
    with pytest.raises(InputError, match=f"at most {most}"):
        mas.Client(account).submit_each(dict(zip(people["p"], people["t"], strict=True)))


def test_limits_that_an_https_account_does_not_take() -> None:
    """Limits that only the HTTP flavour has are refused for an HTTPS account, before anything is sent."""
    account = mas.Account("https://mas.example", "企业", "ap", "k")
    people = pd.DataFrame({"p": PHONES})
    with pytest.raises(InputError, match="many_to_many=1000 is more than an HTTPS account takes"):
        mas.plan(people, phone="p", text="hi", campaign="c", account=account, limits=Limits(many_to_many=1000))


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "415 Unsupported Media Type"])
@pytest.mark.parametrize(
    ("protocol", "way_out"), [("https", 'for HTTP give protocol="http"'), ("http", 'for HTTPS give protocol="https"')]
)
def test_a_path_that_the_host_does_not_know(status: str, protocol: str, way_out: str) -> None:
    """What a host answers that speaks the other flavour names that cause; the outcome stays unknown."""
    server = ScriptedServer(answer(b"<h1>no</h1>", status))
    try:
        account = mas.Account(f"http://127.0.0.1:{server.port}", "企业", "ap", "k", protocol=protocol)
        result = mas.Client(account).submit(PHONES, "您好")
    finally:
        server.close()
    assert (result.outcome, result.fatal, way_out in result.message) == ("unknown", True, True)


def test_a_text_that_reads_as_a_text_for_each_number() -> None:
    """The platform may send such a text to the numbers in it: it is refused by the client and left out of a plan."""
    text = '{"13900139000":"to somebody else"}'
    account = mas.Account("http://127.0.0.1:1", "企业", "ap", "k", sign="S")
    with pytest.raises(InputError, match="itself a list of numbers and texts"):
        mas.Client(account).submit(PHONES, text)
    people = pd.DataFrame({"p": PHONES, "t": [text, "您好"]})
    plan = mas.plan(people, phone="p", content="t", campaign="c", account=account)
    assert (plan.messages["phone"].tolist(), plan.excluded["reason"].tolist()) == ([PHONES[1]], ["invalid_content"])
    filled = mas.plan(people, phone="p", text="{t}", campaign="c", account=account)
    assert (filled.messages["phone"].tolist(), filled.excluded["reason"].tolist()) == ([PHONES[1]], ["invalid_content"])
    with pytest.raises(InputError, match="text= is itself a list of numbers and texts"):
        mas.plan(people, phone="p", text="{" + text + "}", campaign="c", account=account)


def test_templates_are_signed_with_a_code_of_their_own() -> None:
    """The official vector: the template's own signature code is in the body and in the MAC; plain messages keep theirs."""
    account = mas.Account(
        "http://127.0.0.1:1",
        "政企分公司测试",
        "demo0",
        "123qwe",
        sign="DWItALe3A",
        template_sign="4sEuJxDpC",
        protocol="http",
    )
    body = json.loads(
        base64.b64decode(template_body(account, "38516fabae004eddbfa3ace1d4194696", ["13800138000"], ["abcde"]))
    )
    assert (body["sign"], body["mac"]) == ("4sEuJxDpC", "02009a533ee3fb8603062971a53beff0")
    assert account.sign_of(template=False) == "DWItALe3A"
    assert mac("政企分公司测试", "demo0", "123qwe", "13800138000", "移动改变生活。", "DWItALe3A", "") == (
        "7997ddb079db2155b517b21b2a812370"
    )


@pytest.mark.parametrize(
    ("address", "ok", "words"),
    [
        ("http://127.0.0.1:{port}/sms/norsubmit", None, "masanalytics receive"),
        ("http://127.0.0.1:{port}", None, "give protocol='http'"),
    ],
)
def test_the_doctor_says_which_flavour_is_spoken(address: str, ok: bool | None, words: str) -> None:
    """The doctor names the flavour, and the way out where it may be the other one."""
    with mas.Simulator(https=False) as sim:
        port = sim.url.rpartition(":")[2]
        account = mas.Account(address.format(port=port), "企业", "ap", "k", sign="S")
        found = {finding.name: finding for finding in check(account, clock=ManualClock(), language="en")}
    assert found["protocol"].ok is ok
    assert words in found["protocol"].advice


def test_a_host_that_does_not_know_polls() -> None:
    """A poll answered 404 names the other flavour, instead of "too soon"."""
    said: list[str] = []
    server = ScriptedServer(answer(b"<h1>404</h1>", "404 Not Found"))
    try:
        account = mas.Account(f"http://127.0.0.1:{server.port}", "企业", "ap", "k", poll_interval=0)
        with mas.Store(":memory:") as store:
            mas.Collector(mas.Client(account), store, say=said.append, language="en").collect()
    finally:
        server.close()
    assert any("protocol='http'" in line for line in said)
    assert not any("too soon" in line for line in said)
