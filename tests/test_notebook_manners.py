"""How objects show themselves in a notebook and in a terminal: the facts, in words, without secrets, whole numbers or markup."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis import delivery_rates
from masanalytics.client import Client
from masanalytics.collecting import Collector
from masanalytics.i18n import Text
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch

WHOLE_NUMBER = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
PEOPLE = pd.DataFrame({"手机号": [f"138001380{n:02d}" for n in range(20)], "姓名": ["<script>甲</script>"] * 20})
DAY = 86_400


@pytest.fixture
def shown(sim: Simulator, client: Client, store: Store, collector: Collector) -> dict[str, Any]:
    """Everything a person meets in a notebook, of one campaign whose name is not to be trusted."""
    campaign = "<script>alert(1)</script> 13800138000"
    plan = mas.plan(PEOPLE, phone="手机号", text="{姓名}您好，电13900139000", campaign="问候", store=store)
    sent = mas.send(plan, client, store, progress=False)
    proof = mas.send(plan, client, store, to=["13800138000"], progress=False)
    sim.clock.sleep(60)
    collected = collector.wait("问候", progress=False)
    return {
        "Plan": plan,
        "SendResult": sent,
        "proof": proof,
        "refused": mas.SendResult(
            "c", planned=1, rejected=1, notices=(Text("<b>13800138000</b>"),), stopped=Text(campaign)
        ),
        "Collected": collected,
        "Collector": collector,
        "Store": store,
        "Account": sim.account(),
        "Client": client,
        "Simulator": sim,
        "SubmitResult": client.submit(["13800138000"], "您好"),
        "CodeDescription": mas.describe_code("MK:0001"),
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_shows_a_secret_a_whole_number_or_markup(
    shown: dict[str, Any], sim: Simulator, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Repr and HTML of every object hide the key and the middle of numbers, and escape what strangers wrote."""
    monkeypatch.setenv("MAS_LANGUAGE", language)
    secret = sim.settings()["MAS_SECRET_KEY"]
    refused = shown.pop("refused")  # its texts are the platform's, and the caller's own
    for name, one in shown.items():
        for text in (repr(one), one._repr_html_() if hasattr(one, "_repr_html_") else ""):
            assert secret not in text, name
            assert WHOLE_NUMBER.search(text) is None, name
            assert "<script" not in text or text == repr(one), name
    assert "<script" not in refused._repr_html_()
    assert "<b>13" not in refused._repr_html_()


def test_nothing_is_printed_that_was_not_asked_for(
    sim: Simulator, client: Client, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """Planning, sending, collecting and looking print nothing, except the bars and the notices a person must see."""
    plan = mas.plan(PEOPLE, phone="手机号", text="您好", campaign="问候", store=store)
    mas.send(plan, client, store, progress=False)
    collector = mas.Collector(client, store, say=lambda _text: None)
    collector.wait("问候", timeout=60, progress=False)
    collector.drain(timeout=60)
    collector.stop()
    for one in (plan, collector, store):
        one._repr_html_()

    assert "".join(capfd.readouterr()) == ""


def test_the_stores_card_counts_as_delivery_rates_does(
    bench: Bench, store: Store, make_report: Callable[..., dict[str, str]]
) -> None:
    """Pending is what may still be reported; what was silent for 72 hours of coverage is unreported, in a figure of its own."""
    bench.send([f"138001380{n:02d}" for n in range(5)], "0101080000000000000001")
    bench.receive([make_report("13800138000", "0101080000000000000001")])
    bench.clock.sleep(3 * DAY)
    bench.send([f"139001390{n:02d}" for n in range(3)], "0101080000000000000002", campaign="c2")
    bench.receive([make_report("13900139000", "0101080000000000000002", "MK:0001")])
    figures = store.text("en").splitlines()
    rates = delivery_rates(store).iloc[0]

    assert figures == [
        f"Store {store.path}",
        "  pending: 2",
        "  unreported: 4",
        "  delivered: 1",
        "  failed: 1",
        f"  Store({store.path}): 8 messages, 2 batches, collected until 2026-01-04 08:00:00",
        "  pending: a report may still come; unreported: none came within 72 hours of coverage",
    ]
    assert (rates["pending"], rates["unreported"], rates["delivered"], rates["failed"]) == (2, 4, 1, 1)
    assert store.text("zh").splitlines()[1:5] == ["  待回执: 2", "  无回执: 4", "  已送达: 1", "  失败: 1"]
    for line in figures[-2:]:
        assert html.escape(line.strip()) in store._repr_html_()


def test_a_second_short_of_72_hours_is_pending(
    bench: Bench, store: Store, make_report: Callable[..., dict[str, str]]
) -> None:
    """The border is the one of the rates."""
    bench.send(["13800138000", "13800138001"], "0101080000000000000001")
    bench.clock.sleep(3 * DAY - 1)
    bench.receive([make_report("13800138000", "0101080000000000000001")])

    assert "pending: 1" in store.text("en")
    assert delivery_rates(store).loc[0, "unreported"] == 0


def test_every_status_has_its_figure(bench: Bench, store: Store, plain_batch: type[PlainBatch]) -> None:
    """What was planned, refused, not sent or is in doubt is counted too; what there is none of is not shown."""
    run = bench.start()
    ids = bench.register(run, *(plain_batch([f"1380013800{n}"]) for n in range(4)))
    bench.claim(run, *ids[1:])
    for batch_id, state in zip(ids[1:], ("rejected", "not_sent", "unknown"), strict=True):
        bench.answer(batch_id, state)

    assert store.text("en").splitlines()[1:5] == [
        "  planned: 1",
        "  not sent: 1",
        "  rejected: 1",
        "  outcome unknown: 1",
    ]


def test_a_store_that_cannot_be_read_still_has_a_name() -> None:
    """Showing a temporary store after it was closed says so, and raises nothing."""
    store = mas.Store(":memory:")
    store.close()

    assert repr(store).startswith("Store(…): ")
    assert "Store(…): " in store._repr_html_()


def test_a_notebook_without_widgets_gets_a_plain_bar_and_no_warning() -> None:
    """As in a kernel that has no ipywidgets: what tqdm warns of at its first import is not the user's business."""
    code = (
        "import sys, types, warnings; warnings.simplefilter('error')\n"
        "sys.modules['ipywidgets'] = None\n"
        "import IPython; IPython.get_ipython = lambda: types.SimpleNamespace(config={'IPKernelApp': 1})\n"
        "sys.modules['IPython'].get_ipython = IPython.get_ipython\n"
        "from masanalytics.progress_bar import progress_bar\n"
        "bar = progress_bar(2, title='sent'); bar.update(2); bar.close(); print(type(bar).__module__)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ("Warning" in shown.stderr, "sent: 100%" in shown.stderr) == (False, True), shown.stderr
