"""What refuses a batch: the words that are known to, said by the platform; whatever else answers leaves it unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import masanalytics as mas
from tests.raw_server import ScriptedServer, answer

PEOPLE = pd.DataFrame({"p": [str(13800000000 + i) for i in range(100)]})


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(reply: bytes, status: str) -> ScriptedServer:
        servers.append(ScriptedServer(answer(reply, status)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _client(server: ScriptedServer) -> mas.Client:
    return mas.Client(mas.Account(f"http://127.0.0.1:{server.port}", "某公司", "demo0", "123qwe", protocol="https"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("408 Request Timeout", b'{"success":false,"message":"RequestTimeout"}'),
        ("408 Request Timeout", b'{"success":false,"rspcod":"InvalidMessage"}'),
        ("429 Too Many Requests", b'{"success":false,"rspcod":"InvalidUsrOrPwd"}'),
        ("503 Service Unavailable", b'{"success":false,"rspcod":"NoSignId"}'),
        ("200 OK", b'{"success":false,"rspcod":"SystemBusy"}'),
    ],
)
def test_what_is_no_refusal_is_unknown_and_goes_out_once(
    serve: Callable[..., ScriptedServer], tmp_path: Path, status: str, body: bytes
) -> None:
    """A gateway's word, and a word the document does not have, leave the batch unknown; its text is kept and shown."""
    server = serve(body, status)
    with _client(server) as client, mas.Store(tmp_path / "mas.db") as store:
        for _ in range(2):
            try:
                mas.send(PEOPLE, client, store, phone="p", text="x", campaign="C", progress=False)
            except mas.MasError as error:
                assert body.decode() in str(error)  # noqa: PT017
        assert store.messages()["status"].value_counts().to_dict() == {"unknown": 100}
        assert body.decode() in store.batches()["notice"][0]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "word",
    [
        *("IllegalMac", "IllegalSignId", "InvalidMessage", "InvalidUsrOrPwd", "NoSignId", "TooManyMobiles"),
        *("InvalidMobile", "NOT_WHITE_IP"),
    ],
)
def test_a_known_word_refuses(serve: Callable[..., ScriptedServer], word: str) -> None:
    """The document's words, and the two known from answers, are refusals, also where the status is 4xx."""
    server = serve(b'{"success":false,"rspcod":"%s"}' % word.encode(), "403 Forbidden")
    with _client(server) as client:
        assert client.submit(["13800138000"], "x").outcome == "rejected"


def test_numbers_in_a_kept_answer_are_masked(serve: Callable[..., ScriptedServer]) -> None:
    """The answer's text is shown without whole numbers."""
    server = serve(b"bad number 13800138000", "500 Internal Server Error")
    with _client(server) as client:
        said = client.submit(["13800138000"], "x").message
    assert said == "HTTP 500 at /sms/submit. The answer was: bad number 138****8000"
