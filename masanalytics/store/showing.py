"""How a store shows itself: what it holds, by what is known of each message, and until when reports were fetched."""

from __future__ import annotations

import sqlite3

from masanalytics.i18n import choose, counted
from masanalytics.store.coverage import covered_until
from masanalytics.store.message_columns import waited_sql
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import STATUS_ZH, UNREPORTED_AFTER_S, Status

__all__ = ["counts_by_status", "in_one_line", "shown"]

_Shown = tuple[str, dict[str, object], list[str]]


def in_one_line(conn: sqlite3.Connection, name: str, language: str | None = None) -> str:
    """Return the size of the store and the end of its coverage. Reads no message: quick on a store of any size."""
    messages, batches = (
        conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("messages", "batches")
    )
    return choose(
        f"Store({name}): {counted(messages, 'message')}, {counted(batches, 'batch', 'batches')}, {_heard(conn, 'en')}",
        f"Store({name})：{messages:,} 条短信，{batches:,} 个批次，{_heard(conn, 'zh')}",
        language,
    )


def shown(conn: sqlite3.Connection, name: str, language: str | None = None) -> _Shown:
    """Return title, figures and notes of the store's card."""
    counts = counts_by_status(conn)
    words = STATUS_ZH
    figures: dict[str, object] = {
        choose(status.replace("_", " "), words[status], language): count for status, count in counts.items() if count
    }
    notes = [in_one_line(conn, name, language)]
    if counts["unreported"]:
        notes.append(
            choose(
                "pending: a report may still come; unreported: none came within 72 hours of coverage",
                "待回执：回执仍可能到达；无回执：采集覆盖满 72 小时仍没有回执",
                language,
            )
        )
    return choose(f"Store {name}", f"数据库 {name}", language), figures, notes


def counts_by_status(conn: sqlite3.Connection) -> dict[str, int]:
    """Return how many messages there are of each status, ``pending`` and ``unreported`` as `delivery_rates` counts them."""
    # One pass over the table and no sorting, as GROUP BY would. What was delivered, most of a store, is left out of it and
    # follows from the number of all, which SQLite has from an index.
    others = [status for status in Status if status != Status.delivered]
    sums = [f"count(*) FILTER (WHERE m.status_id = {int(status)})" for status in others]
    unreported = f"m.status_id = {int(Status.pending)} AND {waited_sql(conn)} >= {UNREPORTED_AFTER_S}"
    row = conn.execute(
        f"SELECT {', '.join(sums)}, count(*) FILTER (WHERE {unreported}) FROM messages m"
        f" WHERE m.status_id <> {int(Status.delivered)}"
    ).fetchone()
    found = {status.name: count for status, count in zip(others, row, strict=False)}
    found["delivered"] = conn.execute("SELECT count(*) FROM messages").fetchone()[0] - sum(found.values())
    found["unreported"] = row[-1]
    found["pending"] -= row[-1]
    order = [*(status.name for status in Status), "unreported"]
    order.insert(order.index("pending") + 1, order.pop())
    return {name: found[name] for name in order}


def _heard(conn: sqlite3.Connection, language: str) -> str:
    ends = covered_until(conn)
    if not ends:
        return choose("nothing collected yet", "尚未采集", language)
    until = format_instant(max(ends.values()))
    return choose(f"collected until {until}", f"已采集至 {until}", language)
