"""A store of any size for the measurements: the same messages each time, ninety days of campaigns to numbers written to again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

END = 1_772_323_200
"""The end of what was observed (epoch seconds): 2026-03-01 08:00 in China."""
DAYS, CAMPAIGNS, CODES, MESSAGES_A_BATCH, MESSAGES_A_NUMBER = 90, 120, 60, 1_000, 5

_PROVINCES = ("广东", "浙江", "江苏", "北京", "四川", "山东", "河南", "福建")
_HOLDS = (
    "INSERT INTO messages (batch_id, campaign_id, account_id, phone, carrier_id, region_id, segments, status_id,"
    " submitted_at, received_at, error_code_id) VALUES (?, ?, 1, ?, ?, ?, 1, ?, ?, ?, ?)"
)


_REPLIES = """
INSERT OR IGNORE INTO uplinks (poll_id, account_id, message_id, phone, content, add_serial, sent_at, send_time, opt_out)
SELECT 1, 1, message_id, phone, iif(message_id % 300 = 7, 'T', '好的'), '', received_at + message_id % 997,
  datetime(received_at + message_id % 997 + 28800, 'unixepoch'), iif(message_id % 300 = 7, 'opt_out', NULL)
FROM messages WHERE message_id % 100 = 7 AND status_id = 5
"""
"""One message in a hundred is answered, one in three of these with an opt-out."""


def build(path: Path, size: int) -> None:
    """Fill a store with `size` messages; its indexes are made when all are there, but for two that nothing here reads."""
    import masanalytics as mas

    with mas.Store(path) as store:
        connection = store.db.conn
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'messages' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("INSERT INTO accounts VALUES (1, 'ours')")
        connection.executemany(
            "INSERT INTO campaigns VALUES (?, ?)", [(i, f"活动 {i}") for i in range(1, CAMPAIGNS + 1)]
        )
        codes = [(i, f"MK:{i:04d}") for i in range(1, CODES)]
        connection.executemany("INSERT INTO codes VALUES (?, ?)", codes)
        connection.executemany(
            "INSERT INTO regions VALUES (?, ?, '')", [(i, province) for i, province in enumerate(_PROVINCES, 1)]
        )
        connection.executemany(
            "INSERT INTO batches (batch_id, campaign_id, account_id, mode, state, messages)"
            " VALUES (?, ?, 1, 'many_to_one', 'accepted', ?)",
            [(batch, _campaign(batch), MESSAGES_A_BATCH) for batch in range(1, _batches(size) + 1)],
        )
        connection.executemany(_HOLDS, _messages(size))
        for name, create in indexes:
            if name not in ("messages_once_a_batch", "messages_once_a_campaign"):  # a number may be drawn twice
                connection.execute(create)
        connection.execute(
            "INSERT INTO polls (poll_id, account_id, endpoint, state, asked_at) VALUES (1, 1, 'uplinks', 'ingested', ?)",
            [END],
        )
        connection.execute(_REPLIES)
        connection.execute("INSERT INTO coverage VALUES (1, ?, ?)", [END - (DAYS + 1) * 86_400, END])
        connection.commit()


def _batches(size: int) -> int:
    return -(-size // MESSAGES_A_BATCH)


def _campaign(batch: int) -> int:
    """Return the campaign of a batch: batches of all campaigns take turns, so that every size has all of them."""
    return (batch - 1) % CAMPAIGNS + 1


def _messages(size: int, seed: int = 1) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the messages table: each campaign on three days in a row, the last days still reporting."""
    rng = np.random.default_rng(seed)
    numbers = max(size // MESSAGES_A_NUMBER, 1)
    for start in range(0, size, 100 * MESSAGES_A_BATCH):
        rows = min(100 * MESSAGES_A_BATCH, size - start)
        batch = (start + np.arange(rows)) // MESSAGES_A_BATCH + 1
        campaign = (batch - 1) % CAMPAIGNS + 1
        day = (campaign * DAYS // CAMPAIGNS - 1 + (batch // CAMPAIGNS) % 3).clip(0, DAYS - 1)
        opening = END - DAYS * 86_400 + day * 86_400  # each day begins at 08:00 in China
        submitted = (opening + rng.integers(0, 10 * 3_600, rows)).clip(max=END)
        latency = np.ceil(np.exp(rng.normal(2, 1.5, rows))).astype(np.int64)
        phone = rng.integers(0, numbers, rows)
        dead = phone % 50 == 0
        good = np.where(dead, 0.02, 0.95) - 0.02 * rng.random(_batches(size) + 1)[batch]
        chance = rng.random(rows)
        fate = np.where(chance < good, 5, np.where(chance < 0.985, 6, 4))
        status = np.where(submitted + latency > END, 4, fate)
        received = np.where(status == 4, None, submitted + latency)
        code = np.where(status == 6, np.where(dead, 1, rng.integers(1, CODES, rows)), None)
        texts = np.char.add("13", np.char.zfill((phone * 7_919_399 % 1_000_000_000).astype(str), 9))
        carrier = phone % 4
        yield from zip(
            batch.tolist(), campaign.tolist(), texts.tolist(), carrier.tolist(), (phone % len(_PROVINCES) + 1).tolist(),
            status.tolist(), submitted.tolist(), received.tolist(), code.tolist(), strict=True,
        )  # fmt: skip
