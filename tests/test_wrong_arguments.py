"""Slips of everyday use: each is one sentence, shows no number, and nothing is sent."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.errors import InputError, MasError
from masanalytics.simulator import PlatformAccount, Simulator
from masanalytics.store import Store

PHONES = [f"1380013800{n}" for n in range(9)]
FRAME = pd.DataFrame({"手机号": PHONES, "文": ["好"] * 9})


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("phone", FRAME["手机号"], "phone= is a Series of 9 rows"),
        ("phone", FRAME, "phone= is a DataFrame of 9 rows"),
        ("phone", PHONES, "phone= is a list of 9 rows"),
        ("content", FRAME["文"], "content= is a Series of 9 rows"),
        ("arm", FRAME["文"], "arm= is a Series of 9 rows"),
        ("params", FRAME["文"], "params= is a Series of 9 rows"),
    ],
)
def test_a_column_in_place_of_its_name(argument: str, value: Any, said: str) -> None:
    """The error says what was given and how to name a column, and shows none of its numbers, in either language."""
    arguments: dict[str, Any] = {"phone": "手机号", "text": "好", "campaign": "c"}
    if argument in ("content", "params"):
        del arguments["text"]
        arguments |= {"template_id": "t"} if argument == "params" else {}
    with pytest.raises(InputError) as caught:
        mas.plan(FRAME, **(arguments | {argument: value}))
    assert said in caught.value.text("en")
    assert not any(phone in caught.value.text(language) for phone in PHONES for language in ("en", "zh"))


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("text", 5, "text= is of type int: it must be a text, or a text for each arm"),
        ("text", "好\ud83d", "text= holds half a character"),
        ("text", {"A": "好\ud83d"}, "text= holds half a character"),
        ("rate", True, "rate=True is not a number above 0"),
        ("store", "mas.db", "store= is of type str: it must be an open store"),
        ("account", "x", "account= is of type str: it must be an Account"),
        ("signature", 5, "signature= is of type int: it must be the signature's text"),
        ("limits", 5, "limits= is of type int: it must be Limits"),
        ("add_serial", 5, "add_serial= is of type int: it must be digits as text"),
        ("add_serial", ["01"], "add_serial= is of type list: it must be digits as text"),
        ("marketing", "yes", "marketing= is of type str: it must be True or False"),
        ("template_id", FRAME["文"], "template_id= is of type Series: it must be the template's id"),
        ("params", 5, "params= is of type int: it must be a column's name"),
    ],
)
def test_an_argument_of_another_kind_is_named(argument: str, value: Any, said: str) -> None:
    """Before any row is looked at; nothing of the value is shown."""
    arguments: dict[str, Any] = {"phone": "手机号", "text": "好", "campaign": "c"}
    if argument in ("template_id", "params"):
        del arguments["text"]
        arguments |= {"template_id": "t"}
    with pytest.raises(InputError) as caught:
        mas.plan(FRAME, **(arguments | {argument: value}))
    assert said in caught.value.text("en")
    assert not any(phone in caught.value.text(language) for phone in PHONES for language in ("en", "zh"))


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("confirm", "9", "confirm='9': a whole number from 0"),
        ("workers", None, "workers= is of type NoneType"),
        ("to", 5, "give mobile numbers"),
        ("collector", 5, "collector= is of type int: it must be a collector"),
        ("account", 5, "account=: send(work, client, store) has the store as it is"),
        ("canary", 2.5, "canary=2.5: how many messages go first"),
        ("window", (8, 21), "write two times of one day"),
        ("limit", "5", "limit='5': a whole number from 1"),
    ],
)
def test_send_names_what_is_wrong(
    sim: Simulator, client: Client, store: Store, argument: str, value: Any, said: str
) -> None:
    """And sends nothing."""
    with pytest.raises(InputError) as caught:
        mas.send(FRAME, client, store, phone="手机号", text="好", campaign="c", progress=False, **{argument: value})
    assert said in caught.value.text("en")
    assert sim.counts["accepted"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": "5"},
        {"size": 5, "reported": 2},
        {"size": 5, "most_failed": "0"},
        {"size": 5, "timeout_s": -1},
    ],
)
def test_a_canary_without_a_size_is_none(wrong: dict[str, Any]) -> None:
    """What is no size, share or length of time is an error where the canary is made."""
    with pytest.raises(InputError):
        mas.Canary(**wrong)


def test_client_and_store_of_another_kind(client: Client, store: Store) -> None:
    """A path is no store, an account no client."""
    for work, sender, kept in ((FRAME, client, "mas.db"), (FRAME, client.account, store)):
        with pytest.raises(InputError, match=r"(store|client)= is of type (str|Account)"):
            mas.send(work, sender, kept, phone="手机号", text="好", campaign="c")  # type: ignore[arg-type]


def test_no_error_shows_a_whole_number() -> None:
    """Whatever is put into an error's sentence, a phone number in it is masked."""
    error = InputError("rate={value!r} is no rate", value=FRAME["手机号"])
    assert not any(
        phone in said for phone in PHONES for said in (str(error), error.message, error.zh, repr(error.text("en")))
    )


def test_client_and_store_in_each_others_place(sim: Simulator, client: Client, store: Store) -> None:
    """Which comes first is said, and nothing is sent."""
    with pytest.raises(InputError, match="the client comes before the store"):
        mas.send(FRAME, store, client, phone="手机号", text="好", campaign="c")  # type: ignore[arg-type]
    assert sim.counts["accepted"] == 0


def test_numpys_whole_numbers_are_whole_numbers(sim: Simulator, client: Client, store: Store) -> None:
    """A sum of a column is taken as limit and workers."""
    result = mas.send(
        FRAME,
        client,
        store,
        phone="手机号",
        text="好",
        campaign="c",
        limit=np.int64(4),  # type: ignore[arg-type]
        workers=np.int64(1),  # type: ignore[arg-type]
        progress=False,
    )
    assert (result.accepted, result.held) == (4, 5)


def test_a_plan_of_one_account_is_refused_by_another(store: Store) -> None:
    """What the plan showed is what is sent: another signature or extension is an error that names both."""
    with Simulator(https=False, poll_interval=0, accounts=[PlatformAccount(signs=("SignA0001", "SignB0002"))]) as sim:
        ours = sim.account(sign="SignA0001", signature="甲公司", add_serial="01")
        theirs = sim.account(sign="SignB0002", signature="乙公司", add_serial="99")
        plan = mas.plan(FRAME, phone="手机号", text="好", campaign="c", store=store, account=ours)
        with (
            mas.Client(theirs) as client,
            pytest.raises(InputError, match=r"甲公司.*extension 01.*乙公司.*extension 99"),
        ):
            mas.send(plan, client, store, progress=False)
        assert sim.counts["accepted"] == 0
        with mas.Client(ours) as client:
            assert mas.send(plan, client, store, progress=False).accepted == 9


# ---- every public function of planning, sending and the store, given what belongs elsewhere ----------------------------

ELSEWHERE: dict[str, Any] = {
    "a path": "mas.db", "nothing": None, "a number": 5, "below zero": -1, "a share": 2.5, "too large": 10**30, "a list": [1],
    "an empty list": [], "a mapping": {"a": 1}, "a frame": FRAME, "a column": FRAME["手机号"], "an array": np.array([1, 2]),
    "bytes": b"x", "a thing": object(), "half a character": "\ud83d", "a missing value": pd.NA,
}  # fmt: skip
RIGHT: dict[str, Any] = {
    "df": FRAME, "phone": "手机号", "text": "好", "campaign": "c", "batch_id": 1, "state": "accepted", "poll_id": 1,
    "phones": PHONES[:1], "account": "a", "into": "b", "index": 0, "position": 0, "arms": ["A", "B"], "seed": 1, "size": 5,
    "timeout": 1,
}  # fmt: skip
OF_THE_STORE = (
    "archive", "batches", "campaigns", "compress_answers", "coverage", "export_parquet", "forget", "give_up_answers", "history",
    "merge_accounts", "opt_in", "opt_out", "opted_out", "polls", "prune_answers", "raw_answer", "release", "reports", "settle",
    "text", "uplinks",
)  # fmt: skip
OF_THE_PLAN = ("batch", "cost_of", "excluded_to_excel", "html", "sample", "shown", "text")


def _misused(function: Any, right: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give each argument in turn what belongs elsewhere; return (argument, what it was given, what came) of each raw error."""
    parameters = {
        name: one
        for name, one in inspect.signature(function).parameters.items()
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }
    needed = {name: right[name] for name, one in parameters.items() if one.default is one.empty and name in right}
    raw = []
    for name in parameters:
        for what, value in ELSEWHERE.items():
            try:
                function(**(needed | {name: value}))
            except MasError as error:
                if any(phone in error.text(language) for phone in PHONES for language in ("en", "zh")):
                    raw.append((name, what, "shows a number"))
                if "0  1" in error.text("en"):
                    raw.append((name, what, "shows a table"))
            except Exception as error:  # noqa: BLE001 - what is raw is what is looked for
                if not (name == "language" and isinstance(error, ValueError)):
                    raw.append((name, what, repr(error)))
    return raw


@pytest.mark.parametrize("name", OF_THE_STORE)
def test_no_raw_error_comes_out_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever is put where something else belongs, the error is one of the package's and shows nobody."""
    monkeypatch.chdir(tmp_path)
    with Store(tmp_path / "mas.db") as store:
        assert _misused(getattr(store, name), RIGHT | {"folder": tmp_path / "out", "before": "2020-01-01"}) == []


@pytest.mark.parametrize("name", OF_THE_PLAN)
def test_no_raw_error_comes_out_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A number of a batch that is not there is an IndexError, as of a list."""
    monkeypatch.chdir(tmp_path)
    plan = mas.plan(FRAME, phone="手机号", text="好", campaign="c")
    raw = _misused(getattr(plan, name), RIGHT | {"path": tmp_path / "x.xlsx"})

    assert [one for one in raw if "IndexError" not in one[2]] == []


@pytest.mark.parametrize(
    "function",
    [mas.plan, mas.settle, mas.split, mas.Canary, mas.Limits, mas.Store, mas.outcomes, mas.retryable, mas.Collector],
)
def test_no_raw_error_comes_out_of_a_function(
    client: Client, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    """A path in place of an open store, a column in place of its name, a missing value anywhere."""
    monkeypatch.chdir(tmp_path)
    right = RIGHT | {"store": store, "client": client, "path": tmp_path / "new.db"}
    if function is mas.plan:
        function = functools.partial(function, text="好")

    assert _misused(function, right) == []


def test_no_raw_error_comes_out_of_send(sim: Simulator, client: Client, store: Store) -> None:
    """And what is refused sends nothing."""
    plan = mas.plan(FRAME.head(0), phone="手机号", text="好", campaign="c")
    send = functools.partial(mas.send, progress=False)

    assert _misused(send, {"work": plan, "client": client, "store": store}) == []
    assert sim.counts["accepted"] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "say phone=, campaign= too"),
        ({"phone": "手机号"}, "say campaign= too"),
        ({"again": True}, "again= is gone: name the repetition, such as round='2026-12'"),
    ],
)
def test_send_of_a_frame_says_what_is_missing(client: Client, store: Store, given: dict[str, Any], said: str) -> None:
    """And of a word of earlier versions what is said instead, for a frame and for a plan."""
    with pytest.raises(InputError) as caught:
        mas.send(FRAME, client, store, **given)
    assert said in caught.value.text("en")
    if "again" in given:
        with pytest.raises(InputError, match="again= is gone"):
            mas.send(mas.plan(FRAME, phone="手机号", text="好", campaign="c"), client, store, **given)


def test_an_error_shows_no_row_of_a_table() -> None:
    """Names and addresses are as private as numbers: a table in the wrong place is named by its size."""
    with pytest.raises(InputError) as caught:
        mas.plan(FRAME, phone="手机号", text="好", campaign="c", price=FRAME)  # type: ignore[arg-type]
    assert caught.value.text("en") == "price=<DataFrame 9 × 2> is not a number above 0"


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_what_stays_in_its_process_says_what_to_hand_on(
    client: Client, store: Store, copied: Callable[[object], object]
) -> None:
    """A store or client given to another process is refused with what to do; an account may be handed on."""
    with pytest.raises(InputError, match=r"hand its path on and open Store\(path\) there"):
        copied({"of a task": [store]})
    with pytest.raises(InputError, match=r"hand its account on and make Client\(account\) there"):
        copied((client,))
    assert pickle.loads(pickle.dumps(client.account)) == client.account
