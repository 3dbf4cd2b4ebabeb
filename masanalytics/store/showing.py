"""How a store shows itself: what it holds, by what is known of each message, and until when reports were fetched."""

from __future__ import annotations

import sqlite3

from masanalytics.analysis.known_holes import holes_text
from masanalytics.i18n import _, ngettext
from masanalytics.store import parts
from masanalytics.store.archived_rows import archived_words
from masanalytics.store.coverage import covered_until
from masanalytics.store.holes import open_holes
from masanalytics.store.message_columns import waited_sql
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import STATUS_WORDS, UNREPORTED_AFTER_S, Status

__all__ = ["counts_by_status", "in_one_line", "shown"]

_SENT = "SELECT 1 FROM batches b WHERE b.account_id = a.account_id AND b.campaign_id IS NOT NULL"


def in_one_line(conn: sqlite3.Connection, name: str, *, is_new: bool = False) -> str:
    """Return the size of the store and the end of its coverage. Reads no message: quick on a store of any size.

    A file that was just made says so as long as nothing is in it: a mistyped path shows as a store that knows nobody.
    """
    messages, batches = (
        conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("messages", "batches")
    )
    return _(
        "Store({name}): {messages}, {batches}, {collected}",
        name=_("new file {path}", path=name) if is_new and not messages and not batches else name,
        messages=_with_archived(conn, ngettext("{count:,} message", "{count:,} messages", messages)),
        batches=ngettext("{count:,} batch", "{count:,} batches", batches),
        collected=_collected(conn),
    )


def _with_archived(conn: sqlite3.Connection, messages: str) -> str:
    (archived,) = conn.execute("SELECT sum(messages) FROM archive_runs").fetchone()
    return _("{messages} and {archived:,} archived", messages=messages, archived=archived) if archived else messages


def shown(conn: sqlite3.Connection, name: str, *, is_new: bool = False) -> tuple[str, dict[str, object], list[str]]:
    """Return title, figures and notes of the store's card."""
    counts = counts_by_status(conn)
    figures: dict[str, object] = {_(STATUS_WORDS[status]): count for status, count in counts.items() if count}
    notes = [in_one_line(conn, name, is_new=is_new)]
    if counts["unreported"]:
        notes.append(_("pending: a report may still come; unreported: none came within 72 hours of coverage"))
    missing = holes_text([hole._asdict() for hole in open_holes(conn)])
    if missing is not None:
        notes.append(_("{missing}; see store.missing_answers()", missing=missing))
    notes.extend(parts.words(known).text() for known in parts.learned(conn))
    archived = archived_words(conn)
    if archived is not None:
        notes.append(str(archived))
    return _("Store {name}", name=name), figures, notes


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
    counts = {status.name: count for status, count in zip(others, row, strict=False)}
    counts["delivered"] = conn.execute("SELECT count(*) FROM messages").fetchone()[0] - sum(counts.values())
    counts["unreported"] = row[-1]
    counts["pending"] -= row[-1]
    order = [*(status.name for status in Status), "unreported"]
    order.insert(order.index("pending") + 1, order.pop())
    return {name: counts[name] for name in order}


def _collected(conn: sqlite3.Connection) -> str:
    ends = covered_until(conn)
    if not ends:
        return _("nothing collected yet")
    # Of those that have messages, where any has: what a test platform of the same names was asked says nothing of the real one.
    own = {row[0] for row in conn.execute(f"SELECT account_id FROM accounts a WHERE EXISTS ({_SENT})")}
    if own and own.isdisjoint(ends):
        return _("nothing collected yet")
    return _("collected until {instant}", instant=format_instant(max(ends[one] for one in (own & set(ends) or ends))))
