"""Rows written into a store's tables by hand, as a sender or a collector elsewhere would have left them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pandas as pd

from masanalytics.store import Store
from masanalytics.vocabulary import CARRIERS, Status


class Rows:
    """Inserts rows; what they refer to (an account, a campaign, a code) is made where it is missing."""

    def __init__(self, store: Store, account: str = "企业/ap") -> None:
        self._conn = store.db.conn
        self._ids: dict[tuple[str, object], int] = {}
        self.account_id = self.named("accounts", "account", account)

    def insert(self, table: str, **columns: object) -> int:
        """Insert one row and return its number."""
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        with nullcontext() if self._conn.in_transaction else self._conn:
            return self._conn.execute(sql, list(columns.values())).lastrowid or 0

    def messages(self, frame: pd.DataFrame) -> None:
        """Insert the rows of a frame of messages, all at once."""
        with self._conn:
            self._conn.execute("BEGIN")
            for row in frame.to_dict("records"):
                self.message(row)

    def named(self, table: str, column: str, value: str) -> int:
        """Return the number of a name in its table, which is made the first time."""
        if (table, value) not in self._ids:
            sql = f"SELECT rowid FROM {table} WHERE {column} = ?"
            known = self._conn.execute(sql, [value]).fetchone()
            self._ids[table, value] = known[0] if known else self.insert(table, **{column: value})
        return self._ids[table, value]

    def batch(self, campaign: str | None, arm: str | None = None) -> int:
        """Return the number of the accepted batch of a campaign and arm, which is made the first time."""
        key = ("batches", (campaign, arm))
        if key not in self._ids:
            self._ids[key] = self.insert(
                "batches", campaign_id=self._campaign(campaign), account_id=self.account_id, mode="many_to_one",
                state="accepted", arm=arm, content=f"text {arm}", messages=0,
            )  # fmt: skip
        return self._ids[key]

    def message(self, row: Mapping[Any, Any]) -> int:
        """Insert one row of the frame of messages."""
        given = {name: None if pd.isna(value) else value for name, value in row.items()}
        submitted_at = int(row["submitted_at"].timestamp())
        latency_s, code = given["latency_s"], given["error_code"]
        return self.insert(
            "messages", batch_id=self.batch(given["campaign"], given["arm"]), account_id=self.account_id,
            campaign_id=self._campaign(given["campaign"]), phone=row["phone"], segments=int(row["segments"]),
            carrier_id=CARRIERS.index(row["carrier"]), status_id=int(Status[row["status"]]), submitted_at=submitted_at,
            received_at=None if latency_s is None else submitted_at + int(latency_s),
            error_code_id=None if code is None else self.named("codes", "code", code),
        )  # fmt: skip

    def covered(self, started_at: int, ended_at: int) -> None:
        """Say that everything reported between two instants was heard."""
        self.insert("coverage", account_id=self.account_id, started_at=started_at, ended_at=ended_at)

    def stored_poll(self, raw: bytes, at: float) -> int:
        """Insert an answer to a poll for reports that a process now dead has stored and not read."""
        return self.insert(
            "polls", account_id=self.account_id, endpoint="report", state="stored", asked_at=int(at),
            answered_at=int(at), process="elsewhere:1:1", http_status=200, complete=1, raw=raw,
        )  # fmt: skip

    def uplink(self, phone: str, content: str, sent_at: int, message_id: int, *, opt_out: str | None = None) -> int:
        """Insert what a person sent back to one message."""
        return self.insert(
            "uplinks", poll_id=1, account_id=self.account_id, message_id=message_id, phone=phone, content=content,
            add_serial="", sent_at=sent_at, send_time="", opt_out=opt_out,
        )  # fmt: skip

    def _campaign(self, name: str | None) -> int | None:
        return None if name is None else self.named("campaigns", "campaign", name)
