"""Sending and receiving straight on a store, without a planner and without a network."""

from __future__ import annotations

import json
from dataclasses import dataclass

from masanalytics.clock import ManualClock
from masanalytics.protocol import Endpoint, PollAnswer
from masanalytics.store import Store, poll_ingestion, poll_log, reconciliation, sends
from masanalytics.store.poll_ingestion import Received


@dataclass(frozen=True)
class PlainBatch:
    """A planned batch as the ledger takes it, without a planner."""

    phones: list[str]
    content: str | None = "您好"
    contents: list[str] | None = None
    mode: str = "many_to_one"
    template_id: str | None = None
    params_text: str | None = None
    regions: list[tuple[str, str]] | None = None
    arm: str | None = None
    add_serial: str | None = None
    variant: int = 0

    @property
    def segments(self) -> list[int]:
        return [1] * len(self.phones)

    @property
    def carriers(self) -> list[int]:
        return [0] * len(self.phones)

    @property
    def variants(self) -> list[int]:
        return [self.variant] * len(self.phones)


class Bench:
    """Sends and receives straight on the store, without a network."""

    account = "企业/ap"

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock

    def start(self, campaign: str = "c1", occasion: int = 0, add_serial: str = "") -> sends.RunRecord:
        start = sends.RunStart(campaign, self.account, occasion, "hash", add_serial)
        with self.store.writing() as conn:
            return sends.start_run(conn, start, self.clock.now())

    def register(self, run: sends.RunRecord, *batches: PlainBatch) -> list[int]:
        with self.store.writing() as conn:
            return list(sends.register(conn, run, batches, self.clock.now()))

    def claim(self, run: sends.RunRecord, *batch_ids: int) -> list[sends.Claimed]:
        with self.store.writing(durable=True) as conn:
            return sends.claim(conn, run, batch_ids, self.clock.now())

    def answer(self, batch_id: int, state: str, msg_group: str = "", rspcod: str = "") -> None:
        with self.store.writing(durable=True) as conn:
            sends.record_answers(conn, [sends.Answered(batch_id, state, msg_group, rspcod, "", int(self.clock.now()))])
            if state == "accepted":
                reconciliation.adopt(conn, batch_id)

    def send(self, phones: list[str], msg_group: str, campaign: str = "c1", add_serial: str = "") -> int:
        """Send one batch that the platform takes; return its id."""
        run = self.start(campaign, add_serial=add_serial)
        (batch_id,) = self.register(run, PlainBatch(phones))
        self.claim(run, batch_id)
        self.answer(batch_id, "accepted" if msg_group else "unknown", msg_group)
        return batch_id

    def receive(self, raw: object, endpoint: Endpoint = "report") -> Received:
        """Take in one answer of a poll made now."""
        body = raw if isinstance(raw, bytes) else json.dumps(raw, ensure_ascii=False).encode()
        with self.store.writing() as conn:
            turn = poll_log.take_turn(conn, self.account, endpoint, 0.0, self.clock, "bench")
            assert turn.poll_id
            now = int(self.clock.now())
            answer = PollAnswer(endpoint, body, 200, True, now, now)
            poll_log.keep_answer(conn, turn.poll_id, answer)
            poll_log.give_back(conn, self.account, self.clock)
            return poll_ingestion.ingest(conn, turn.poll_id, answer, self.store.opt_out_words)

    def statuses(self, campaign: str | None = "c1") -> dict[str, str]:
        frame = self.store.messages(campaign)
        return dict(zip(frame["phone"], frame["status"], strict=True))


def report(mobile: str, msg_group: str, status: str = "DELIVRD", **fields: str) -> dict[str, str]:
    """One state report as the platform writes it; by default ten seconds after 2026-01-01 08:00."""
    code = "" if status == "DELIVRD" else status
    return {"reportStatus": status, "mobile": mobile, "submitDate": "20260101080000", "receiveDate": "20260101080010",
            "errorCode": code, "msgGroup": msg_group} | fields  # fmt: skip
