"""Replies as a frame, each with the campaign that it answers: the message is live, or archived, or of somebody who was forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import pandas as pd

from masanalytics.store.forgetting import names_of
from masanalytics.store.frames import read_view
from masanalytics.text import plain_name

__all__ = ["read_uplinks", "uplinks_where"]

_UPLINKS: Final = (
    "SELECT u.uplink_id, u.poll_id, u.message_id, c.campaign, a.account, u.phone, u.content, u.add_serial, u.sent_at,"
    " u.send_time, u.opt_out FROM uplinks u JOIN accounts a USING (account_id) LEFT JOIN messages m USING (message_id)"
    " LEFT JOIN archived h ON m.message_id IS NULL AND h.phone = u.phone AND h.message_id = u.message_id"
    " LEFT JOIN batches b ON b.batch_id = coalesce(m.batch_id, h.batch_id)"
    " LEFT JOIN campaigns c ON c.campaign_id = b.campaign_id"
)
"""Replies with the words of their messages; whoever asks adds which."""


def read_uplinks(conn: sqlite3.Connection, campaign: str | None) -> pd.DataFrame:
    """Return the replies to a campaign, or all."""
    name = None if campaign is None else plain_name(campaign)
    uplinks = uplinks_where(
        conn, "? IS NULL OR c.campaign = ? OR (c.campaign IS NULL AND u.message_id > 0)", [name] * 2
    )
    return uplinks if name is None else uplinks[uplinks["campaign"] == name].reset_index(drop=True)


def uplinks_where(conn: sqlite3.Connection, test: str, values: Sequence[object]) -> pd.DataFrame:
    """Return the replies that pass a test on `_UPLINKS`, with the campaigns they answer.

    A reply may be younger than what was forgotten: the archived message that it answers is then known by another name than its own.
    """
    uplinks = read_view(
        conn, f"{_UPLINKS} WHERE {test} ORDER BY u.uplink_id", values, times=("sent_at",),
        integers=("uplink_id", "poll_id", "message_id"),
    )  # fmt: skip
    unknown = uplinks["campaign"].isna() & uplinks["message_id"].notna()
    names = names_of(conn, uplinks.loc[unknown, "phone"].unique().tolist()) if unknown.any() else {}
    sql = (
        "SELECT c.campaign FROM archived h JOIN batches b USING (batch_id) JOIN campaigns c USING (campaign_id)"
        " WHERE h.phone = ? AND h.message_id = ?"
    )
    of_forgotten = uplinks[unknown & uplinks["phone"].isin(names)]
    for row, phone, message_id in zip(
        of_forgotten.index, of_forgotten["phone"], of_forgotten["message_id"], strict=True
    ):
        found = conn.execute(sql, [names[phone], int(message_id)]).fetchone()
        if found is not None:
            uplinks.loc[row, "campaign"] = found[0]
    return uplinks
