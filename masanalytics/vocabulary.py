"""The words and columns every frame shares: what a message can be, and what its columns are called.

Glossary
--------
message
    One text to one number.
batch
    One submit request: up to 4,999 numbers with one text, or up to 999 numbers with a text each.
campaign
    The name under which a number gets a message at most once.
msg_group
    The platform's own name for a batch, which reports repeat. It carries no year and can come again.
report
    What the platform says became of a message (状态报告). Handed out once.
uplink
    A message from a customer: a reply, or an opt-out (上行).
segment
    A part of a long message as it is billed (70 characters alone, 67 each when joined).
prefix
    The start of a number (号段), which tells the carrier it was assigned to.
coverage
    The time up to which every report the platform had was fetched.
"""

from __future__ import annotations

import csv
import io
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Final

from masanalytics.i18n import N_, Text, resolve_language

__all__ = [
    "ACCEPTED",
    "BATCH_STATES",
    "CARRIERS",
    "COLUMN_WORDS",
    "DERIVED",
    "EXCLUSIONS",
    "MESSAGE_COLUMNS",
    "MODES",
    "MODE_WORDS",
    "NOT_KEPT",
    "OUTCOME_WORDS",
    "PROOF",
    "SETTLED_S",
    "SMALL_NUMBERS",
    "STATUS_WORDS",
    "UNREPORTED_AFTER_S",
    "VERDICT_WORDS",
    "WEEKDAYS",
    "Status",
    "carrier_of_name",
    "categories",
    "categories_of",
    "category_name",
    "outcome_words",
]


class Status(IntEnum):
    """What is known of one message; the numbers are how the store keeps it."""

    planned = 0
    not_sent = 1
    rejected = 2
    unknown = 3
    pending = 4
    delivered = 5
    failed = 6


ACCEPTED: Final = ("pending", "delivered", "failed")
"""The statuses of messages the platform took: the denominator of every rate."""

STATUS_WORDS: Final = {
    "planned": N_("planned"),
    "not_sent": N_("not sent"),
    "rejected": N_("rejected"),
    "unknown": N_("outcome unknown"),
    "pending": N_("pending"),
    "delivered": N_("delivered"),
    "failed": N_("failed"),
    "unreported": N_("unreported"),
}
"""Statuses in words, and what a pending message becomes once no report is to be expected (see `UNREPORTED_AFTER_S`)."""

BATCH_STATES: Final = ("planned", "submitting", "accepted", "rejected", "not_sent", "unknown")
"""The states of one submit request, in the order it passes through them."""

PROOF: Final = "proof"
"""The round of proofs, and how the names of their campaigns end; proofs count in nothing that does not name them."""

NOT_KEPT: Final = N_("not kept")
"""What messages have in a column of the user's own sheet that their plan did not keep."""

MODES: Final = ("one_to_one", "many_to_one", "many_to_many", "template", "foreign")
"""How a batch was submitted; ``foreign`` is one this store only heard of through its reports."""

MODE_WORDS: Final = {
    "one_to_one": N_("one text to one number"),
    "many_to_one": N_("one text to many numbers"),
    "many_to_many": N_("a text to each number"),
    "template": N_("template"),
    "foreign": N_("sent elsewhere"),
}
"""Modes in words."""

VERDICT_WORDS: Final = {
    "good": N_("good"),
    "doubtful": N_("doubtful"),
    "dead": N_("dead"),
    "blocked": N_("blocked"),
    "unseen": N_("never written to"),
}
"""What `number_health` says of a number, in words."""

OUTCOME_WORDS: Final = {"replied": N_("replies"), "opted_out": N_("opt-outs")}
"""What people can do with a message that arrived: outcome of a comparison -> what is counted, in words."""

CARRIERS: Final = (
    N_("China Mobile"),
    N_("China Unicom"),
    N_("China Telecom"),
    N_("China Broadnet"),
    N_("unknown"),
)
"""Carriers as frames name them (the one the prefix was assigned to: numbers can be ported). A filter takes the Chinese too."""

UNREPORTED_AFTER_S: Final = 72 * 3600
"""After this long under coverage a pending message counts as unreported (carriers report for up to 72 h)."""

SETTLED_S: Final = 7 * 86_400
"""So long after its last message a month is settled: no report is to be expected, and files of it are not written for waiting times alone."""

MESSAGE_COLUMNS: Final = {
    "message_id": "int64",
    "campaign": "str",
    "round": "str",
    "key": "str",
    "account": "str",
    "batch_id": "int64",
    "msg_group": "str",
    "mode": "str",
    "template_id": "str",
    "phone": "str",
    "content": "str",
    "params": "str",
    "segments": "Int64",
    "carrier": "str",
    "province": "str",
    "city": "str",
    "submitted_at": "datetime64[s, Asia/Shanghai]",
    "status": "str",
    "report_status": "str",
    "error_code": "str",
    "received_at": "datetime64[s, Asia/Shanghai]",
    "latency_s": "Int64",
    "waited_s": "Int64",
    "reports": "Int64",
    "parts_missing": "Int64",
    "arm": "str",
}
"""The columns of a messages frame with their dtypes; missing text is missing (NaN), never an empty string.

``latency_s`` is receiveDate - submitDate of delivered and failed messages, ``waited_s`` the seconds from submission to
the end of the account's coverage, ``reports`` how many reports the message got, ``parts_missing`` how many parts of a
delivered long message were never reported (missing where reports do not come by part), ``arm`` the arm of a comparison.
``round`` is the name of the campaign's round: the first one's is the empty text, which is not missing; of a message of no
campaign it is. ``key`` tells several messages of one round to one number apart.
"""

SMALL_NUMBERS: Final = ("segments", "reports")
"""Columns of small whole numbers that the store has of each message; exports and archives carry them as such."""

DERIVED: Final = ("day", "hour", "weekday", "prefix", "category")
"""Names that `by` takes besides columns: of ``submitted_at`` in China time, of ``phone``, of ``error_code``."""

EXCLUSIONS: Final = {
    "empty_number": N_("no number in the cell"),
    "invalid_number": N_("not a mobile number"),
    "lossy_scientific": N_("digits lost to scientific notation"),
    "two_numbers": N_("more than one number in the cell"),
    "landline": N_("a landline"),
    "foreign": N_("not a mainland China number"),
    "duplicate": N_("the number is already in the list"),
    "empty_content": N_("the text is empty"),
    "missing_value": N_("a value the text needs is missing"),
    "invalid_content": N_("a value does not fit the text's format"),
    "missing_key": N_("the key is missing"),
    "opted_out": N_("the person has opted out"),
    "suppressed": N_("on the suppression list given"),
    "already_sent": N_("this campaign has already been sent to the number"),
    "not_allowed": N_("not on the account's allow_only list"),
    "over_cap": N_("has had as many messages as the cap allows"),
    "held_elsewhere": N_("in a silent arm of another campaign, for a while"),
    "held_out": N_("in a silent arm: gets nothing, to be compared with"),
}
"""Why a row is left out of a plan: reason -> words."""

COLUMN_WORDS: Final = {
    "account": N_("account"),
    "accepted": N_("accepted"),
    "arm": N_("arm"),
    "batch_id": N_("batch"),
    "campaign": N_("campaign"),
    "carrier": N_("carrier"),
    "category": N_("error category"),
    "city": N_("city"),
    "content": N_("text"),
    "day": N_("day"),
    "error_code": N_("error code"),
    "hour": N_("hour of submission"),
    "mode": N_("mode"),
    "msg_group": N_("msgGroup"),
    "prefix": N_("number prefix"),
    "province": N_("province"),
    "round": N_("round"),
    "segments": N_("segments"),
    "status": N_("status"),
    "template_id": N_("template"),
    "weekday": N_("weekday"),
}
"""What the columns that one can group by are called for people."""

WEEKDAYS: Final = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
"""The days of the week as the column ``weekday`` counts them, from 0."""


def carrier_of_name(name: object) -> object:
    """Return the carrier that `name` says in either language as frames name it; anything else as it is.

    Examples
    --------
    >>> carrier_of_name("中国联通"), carrier_of_name("China Unicom"), carrier_of_name("联通")
    ('China Unicom', 'China Unicom', '联通')
    """
    return _carriers_by_name().get(str(name), name)


@cache
def _carriers_by_name() -> dict[str, str]:
    return {Text(carrier).text("zh"): carrier for carrier in CARRIERS}


@cache
def categories() -> dict[str, dict[str, str]]:
    """Return the categories of error codes: category -> its row in ``data/code_categories.csv``."""
    text = resources.files("masanalytics").joinpath("data", "code_categories.csv").read_text(encoding="utf-8-sig")
    return {row["category"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def categories_of(health: str) -> tuple[str, ...]:
    """Return the categories that say this of a number: ``"blocked"``, ``"gone"`` or ``"away"`` (see `HealthRule`).

    Examples
    --------
    >>> "invalid_number" in categories_of("gone"), "invalid_number" in categories_of("away"), categories_of("well")
    (True, False, ())
    """
    return tuple(category for category, row in categories().items() if row["health"] == health)


def category_name(category: str) -> str:
    """Return a category's name for people; a word that is no category comes back as it is.

    Examples
    --------
    >>> category_name("gateway_fault")
    'Carrier-side fault'
    """
    row = categories().get(category)
    return category if row is None else row[f"name_{resolve_language()}"]


def outcome_words(outcome: str) -> Text | None:
    """Return what a comparison counts, in words; None of deliveries. An outcome that is no word is a column.

    Examples
    --------
    >>> str(outcome_words("replied")), str(outcome_words("买了")), outcome_words("delivered")
    ('replies', "messages with '买了'", None)
    """
    if outcome == "delivered":
        return None
    words = OUTCOME_WORDS.get(outcome)
    return Text("messages with {column!r}", column=outcome) if words is None else Text(words)
