"""What somebody would have written instead of a call of the analysis: SQL for DuckDB and SQLite, or the words of polars and pandas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["BY_HAND", "KEYS", "by_hand"]

_SECONDS = "CASE WHEN status = 'pending' THEN waited_s ELSE latency_s END"
_OF_STORE = "CASE status_id WHEN 4 THEN {end} - submitted_at ELSE received_at - submitted_at END"
_FINAL = "CASE WHEN status = 'pending' THEN waited_s >= 259200 END"
_FINAL_OF_STORE = "CASE status_id WHEN 4 THEN {end} - submitted_at >= 259200 END"
_OUTCOMES = (
    f"SELECT status, {_SECONDS} AS seconds, count(*) AS n FROM messages GROUP BY 1, 2",
    f"SELECT status_id, {_OF_STORE} AS seconds, count(*) AS n FROM messages GROUP BY 1, 2",
)
_AGE = 3_600
"""At which `explain_change` reads both sides: whatever it is, the seconds of the reports have to be counted."""

BY_HAND: dict[str, tuple[str, str]] = {
    "delivery_rates": _OUTCOMES,
    "heatmap": (
        f"SELECT isodow(submitted_at), hour(submitted_at), status, {_SECONDS} AS seconds, count(*) AS n FROM messages GROUP BY 1, 2, 3, 4",
        f"SELECT (submitted_at + 28800) / 86400 % 7, (submitted_at + 28800) / 3600 % 24, status_id, {_OF_STORE} AS seconds, count(*)"
        " FROM messages GROUP BY 1, 2, 3, 4",
    ),
    "error_codes": (
        "SELECT status, CASE WHEN status = 'failed' THEN error_code END AS code, count(*) AS n FROM messages"
        " WHERE status IN ('pending', 'delivered', 'failed') GROUP BY 1, 2",
        "SELECT status_id, CASE status_id WHEN 6 THEN error_code_id END AS code, count(*) AS n FROM messages"
        " WHERE status_id IN (4, 5, 6) GROUP BY 1, 2",
    ),
    "latency": _OUTCOMES,
    "arrivals": _OUTCOMES,
    "timeline": (
        f"SELECT time_bucket(INTERVAL 1 hour, submitted_at) AS t, status, {_FINAL} AS final, count(*),"
        " quantile_disc(latency_s, [0.5, 0.9]) FROM messages GROUP BY 1, 2, 3",
        f"SELECT submitted_at / 3600 AS t, status_id, {_FINAL_OF_STORE} AS final, received_at - submitted_at AS s, count(*)"
        " FROM messages GROUP BY 1, 2, 3, 4",
    ),
    "compare": (
        "SELECT carrier, status, waited_s, latency_s, count(*) FROM messages WHERE carrier IN ('China Mobile', 'China Unicom')"
        " GROUP BY 1, 2, 3, 4",
        "SELECT carrier_id, status_id, received_at - submitted_at AS s, count(*) FROM messages WHERE carrier_id IN (1, 2)"
        " GROUP BY 1, 2, 3",
    ),
    "explain_change": (
        "SELECT submitted_at >= TIMESTAMPTZ '2026-02-01 00:00+08' AS after, carrier, province, status, error_code, latency_s, count(*)"
        f" FROM messages WHERE waited_s >= {_AGE} GROUP BY 1, 2, 3, 4, 5, 6",
        "SELECT submitted_at >= 1769875200 AS after, carrier_id, region_id, status_id, error_code_id, received_at - submitted_at, count(*)"
        f" FROM messages WHERE submitted_at <= {{end}} - {_AGE} GROUP BY 1, 2, 3, 4, 5, 6",
    ),
    "sample_size": (
        "SELECT (epoch(submitted_at) + 28800) // 86400, campaign, batch_id, status, waited_s >= 259200, count(*)"
        " FROM messages GROUP BY 1, 2, 3, 4, 5",
        "SELECT (submitted_at + 28800) / 86400, campaign_id, batch_id, status_id, {end} - submitted_at >= 259200, count(*)"
        " FROM messages GROUP BY 1, 2, 3, 4, 5",
    ),
    "costs": (
        "SELECT status, error_code, sum(segments) * 0.05 FROM messages GROUP BY 1, 2",
        "SELECT status_id, error_code_id, sum(segments) * 0.05 FROM messages GROUP BY 1, 2",
    ),
    "anomalies": (
        "SELECT time_bucket(INTERVAL 1 hour, submitted_at) AS t, status, error_code, latency_s, count(*) FROM messages"
        " GROUP BY 1, 2, 3, 4",
        "SELECT submitted_at / 3600 AS t, status_id, error_code_id, received_at - submitted_at AS s, count(*) FROM messages"
        " GROUP BY 1, 2, 3, 4",
    ),
    "funnel": (
        f"SELECT status, {_FINAL} AS final, count(*) FROM messages GROUP BY 1, 2",
        f"SELECT status_id, {_FINAL_OF_STORE} AS final, count(*) FROM messages GROUP BY 1, 2",
    ),
    "fatigue": (
        "WITH m AS (SELECT status, count(*) OVER (PARTITION BY phone ORDER BY submitted_at"
        " RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND INTERVAL 1 SECOND PRECEDING) AS received FROM messages"
        " WHERE status IN ('pending', 'delivered', 'failed')) SELECT least(received, 8), status, count(*) FROM m GROUP BY 1, 2",
        "WITH m AS (SELECT status_id, count(*) OVER (PARTITION BY phone ORDER BY submitted_at"
        " RANGE BETWEEN 2592000 PRECEDING AND 1 PRECEDING) AS received FROM messages WHERE status_id IN (4, 5, 6))"
        " SELECT min(received, 8), status_id, count(*) FROM m GROUP BY 1, 2",
    ),
    "number_health": (
        "WITH m AS (SELECT *, max(CASE WHEN status = 'delivered' THEN submitted_at END) OVER (PARTITION BY phone) AS seen"
        " FROM messages) SELECT phone, count(*), count(*) FILTER (status = 'delivered'), count(*) FILTER (status = 'failed'),"
        " count(*) FILTER (status = 'failed' AND (seen IS NULL OR submitted_at > seen)), max(submitted_at), max(received_at),"
        " arg_max(error_code, submitted_at) FILTER (status = 'failed') FROM m GROUP BY phone",
        "WITH m AS (SELECT phone, status_id, submitted_at, received_at, max(CASE WHEN status_id = 5 THEN submitted_at END)"
        " OVER (PARTITION BY phone) AS seen FROM messages) SELECT phone, count(*), sum(status_id = 5), sum(status_id = 6),"
        " sum(status_id = 6 AND (seen IS NULL OR submitted_at > seen)), max(submitted_at), max(received_at) FROM m GROUP BY phone",
    ),
    "number_health(phones=)": (
        "SELECT * FROM messages WHERE phone = '13007919399'",
        "SELECT * FROM messages WHERE phone = '13007919399'",
    ),
}
"""The one grouped count that the answer needs at least, in the SQL of DuckDB and of SQLite; no interval, no forecast."""

_DAY = "(epoch(submitted_at) + 28800) // 86400"
_EVERY_RESULT = [
    ("SELECT max(submitted_at + to_seconds(waited_s)) FROM messages WHERE waited_s > 0", None),
    ("SELECT count(message_id) - count(DISTINCT message_id) FROM messages", None),
]
"""As of when it is, and whether a message is there twice: every result says both. A Store knows."""
_CLUSTERS = (
    f"SELECT campaign, {_DAY}, batch_id, status, count(*) FROM messages GROUP BY 1, 2, 3, 4",
    "SELECT campaign_id, (submitted_at + 28800) / 86400, batch_id, status_id, count(*) FROM messages GROUP BY 1, 2, 3, 4",
)
_HISTORY = (
    "SELECT campaign, (epoch(submitted_at) + 28800) // 3600, template_id, segments, carrier, status, latency_s, count(*) FROM messages"
    " WHERE waited_s >= 259200 AND submitted_at >= TIMESTAMPTZ '2026-01-29 08:00+08' GROUP BY 1, 2, 3, 4, 5, 6, 7",
    "SELECT campaign_id, (submitted_at + 28800) / 3600, segments, carrier_id, status_id, received_at - submitted_at, count(*)"
    " FROM messages WHERE submitted_at BETWEEN {end} - 31 * 86400 AND {end} - 259200 GROUP BY 1, 2, 3, 4, 5, 6",
)
_REPLIED = (
    None,
    "SELECT count(DISTINCT m.message_id) FROM uplinks u JOIN messages m USING (message_id) WHERE m.status_id = 5"
    " AND u.sent_at BETWEEN m.submitted_at AND m.submitted_at + 7 * 86400",
)
"""The step of a funnel that a Store has; frames have no replies."""
ALL_BY_HAND: dict[str, Sequence[tuple[str | None, str | None]]] = {
    **dict.fromkeys(
        (
            "error_codes",
            "latency",
            "arrivals",
            "costs",
            "anomalies",
            "number_health",
            "number_health(phones=)",
            "sample_size",
            "fatigue",
        ),
        _EVERY_RESULT,
    ),
    "funnel": [*_EVERY_RESULT, _REPLIED],
    "delivery_rates": [*_EVERY_RESULT, _CLUSTERS, _HISTORY],
    "heatmap": [*_EVERY_RESULT, _CLUSTERS, _HISTORY],
    "timeline": [*_EVERY_RESULT, _CLUSTERS],
    "compare": [*_EVERY_RESULT, _CLUSTERS],
    "explain_change": [*_EVERY_RESULT, _CLUSTERS],
}
"""What else the call answers by default: batches and days that fail together, the history of the forecast."""

KEYS = {
    "delivery_rates": ["status", "seconds"],
    "error_codes": ["status", "error_code"],
    "latency": ["status", "seconds"],
    "arrivals": ["status", "seconds"],
    "funnel": ["status", "final"],
}
"""What polars and pandas group by, in words of their own."""


def by_hand(function: str, source: str, store: Path, files: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what somebody would have written instead: the one count, and all else that the call answers."""
    query, of_store = BY_HAND[function]
    more = ALL_BY_HAND.get(function, [])
    if source == "Store":
        import sqlite3

        connection = sqlite3.connect(store)
        (end,) = connection.execute("SELECT max(ended_at) FROM coverage").fetchone()

        def asked(sql: str) -> list[Any]:
            return connection.execute(sql.format(end=end)).fetchall()

        return lambda: asked(of_store), lambda: [asked(sql) for _, sql in more if sql is not None]
    if source == "DuckDB":
        import duckdb

        duckdb.sql(f"CREATE VIEW messages AS SELECT * FROM read_parquet('{files}')")
        ask: Any = duckdb.sql
        return lambda: ask(query).df(), lambda: [ask(sql).df() for sql, _ in more if sql is not None]
    keys = KEYS[function]
    if source == "polars":
        return by_polars(keys, files)
    import pandas as pd

    frame = pd.read_parquet(Path(files).parent.parent, partitioning=None)

    def grouped() -> Any:
        is_open = frame["status"] == "pending"
        seconds = frame["latency_s"].where(~is_open, frame["waited_s"])
        final = (frame["waited_s"] >= 259_200).where(is_open)
        return frame.assign(seconds=seconds, final=final).groupby(keys, dropna=False).size()

    return grouped, lambda: None


def by_polars(keys: list[str], files: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the same for polars."""
    import polars as pl

    epoch, status = pl.col("submitted_at").dt.epoch("s"), pl.col("status")
    seconds = pl.when(status == "pending").then(pl.col("waited_s")).otherwise(pl.col("latency_s"))
    scan = pl.scan_parquet(files).with_columns(
        seconds=seconds,
        final=pl.when(status == "pending").then(pl.col("waited_s") >= 259_200),
        day=(epoch + 28_800) // 86_400,
        hour=(epoch + 28_800) // 3600,
    )
    end = 1_772_323_200
    more = [
        scan.filter(pl.col("waited_s") > 0).select((epoch + pl.col("waited_s")).max()),
        scan.select(pl.col("message_id").n_unique()),
    ]
    if "seconds" in keys:
        matured = scan.filter((pl.col("waited_s") >= 259_200) & (epoch >= end - 31 * 86_400))
        units = ["campaign", "hour", "template_id", "segments", "carrier", "status", "latency_s"]
        more += [scan.group_by("campaign", "day", "batch_id", "status").len(), matured.group_by(units).len()]
    return lambda: scan.group_by(keys).len().collect(), lambda: [one.collect() for one in more]
