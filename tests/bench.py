"""Sending and receiving straight on a store, without a planner and without a network."""

from __future__ import annotations

import json
from typing import Any, cast

from masanalytics.client import SubmitResult
from masanalytics.client.outcomes import Outcome
from masanalytics.clock import ManualClock
from masanalytics.planning import PlannedBatch
from masanalytics.protocol import Endpoint, PollAnswer
from masanalytics.store import Store
from masanalytics.store.intake import Received
from masanalytics.store.sends import Claimed, RunRecord, RunStart


class PlainBatch(PlannedBatch):
    """A planned batch made by hand, without a planner."""

    def __init__(
        self, phones: list[str], content: str | None = "您好", contents: list[str] | None = None, **fields: Any
    ) -> None:
        size = len(phones)
        given: dict[str, Any] = {
            "index": 0, "mode": "many_to_one", "template_id": None, "params": None, "params_text": None,
            "segments": [1] * size, "carriers": [0] * size, "regions": [("", "")] * size, "keys": [""] * size,
            "arm": None, "add_serial": None,
        } | fields  # fmt: skip
        super().__init__(phones=phones, content=content, contents=contents, **given)


class Bench:
    """Sends and receives straight on the store, without a network."""

    account = "企业/ap"

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock

    def start(self, campaign: str = "c1", label: str = "", add_serial: str = "", key: str | None = None) -> RunRecord:
        start = RunStart(campaign, self.account, label, key, "hash", add_serial)
        return self.store.sends.start_run(start, self.clock.now())

    def register(self, run: RunRecord, *batches: PlannedBatch) -> list[int]:
        return list(self.store.sends.register(run, batches, self.clock.now()))

    def claim(self, run: RunRecord, *batch_ids: int) -> list[Claimed]:
        return self.store.sends.claim(run, batch_ids, self.clock.now()).batches

    def answer(self, batch_id: int, state: str, msg_group: str = "", rspcod: str = "") -> None:
        result = SubmitResult(cast("Outcome", state), msg_group, rspcod, answered_at=self.clock.now())
        self.store.sends.record_answers([(batch_id, result)])

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
        intake = self.store.intake
        turn = intake.take_turn(self.account, endpoint, 0.0, self.clock, "bench")
        assert turn.poll_id
        now = self.clock.now()
        answer = PollAnswer(endpoint, body, 200, True, now, now)
        intake.keep_answer(self.account, turn.poll_id, answer, self.clock)
        return intake.ingest(turn.poll_id, answer)

    def statuses(self, campaign: str | None = "c1") -> dict[str, str]:
        frame = self.store.messages(campaign)
        return dict(zip(frame["phone"], frame["status"], strict=True))


def report(mobile: str, msg_group: str, status: str = "DELIVRD", **fields: str) -> dict[str, str]:
    """One state report as the platform writes it; by default ten seconds after 2026-01-01 08:00."""
    code = "" if status == "DELIVRD" else status
    return {"reportStatus": status, "mobile": mobile, "submitDate": "20260101080000", "receiveDate": "20260101080010",
            "errorCode": code, "msgGroup": msg_group} | fields  # fmt: skip
