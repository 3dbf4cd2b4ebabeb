"""The wire format of Cloud MAS: request bodies out, answers in. Pure functions; nothing here touches the network."""

from __future__ import annotations

from masanalytics.protocol.lenient_json import BadRecord, excerpt
from masanalytics.protocol.pages import FULL_PAGE, Page, PollAnswer, read_page
from masanalytics.protocol.pushes import Pushed, read_push
from masanalytics.protocol.records import (
    Endpoint,
    ReportRecord,
    UplinkRecord,
    fold_group,
    fold_mobile,
    is_intermediate,
    outcome_of,
)
from masanalytics.protocol.requests import (
    DELIVER,
    MAX_MOBILES,
    MAX_PAIRS,
    MAX_PAIRS_OF_HTTP,
    REPORT,
    SUBMIT,
    SUBMIT_OF_HTTP,
    TEMPLATE,
    check_mobiles,
    is_pairs,
    mac,
    most_pairs,
    pairs_body,
    poll_body,
    submit_body,
    submit_path,
    template_body,
)
from masanalytics.protocol.responses import (
    FATAL,
    KNOWN_RSPCODS,
    SubmitAnswer,
    answer_text,
    is_fatal,
    read_submit,
)
from masanalytics.rspcods import describe_rspcod

__all__ = [
    "DELIVER",
    "FATAL",
    "FULL_PAGE",
    "KNOWN_RSPCODS",
    "MAX_MOBILES",
    "MAX_PAIRS",
    "MAX_PAIRS_OF_HTTP",
    "REPORT",
    "SUBMIT",
    "SUBMIT_OF_HTTP",
    "TEMPLATE",
    "BadRecord",
    "Endpoint",
    "Page",
    "PollAnswer",
    "Pushed",
    "ReportRecord",
    "SubmitAnswer",
    "UplinkRecord",
    "answer_text",
    "check_mobiles",
    "describe_rspcod",
    "excerpt",
    "fold_group",
    "fold_mobile",
    "is_fatal",
    "is_intermediate",
    "is_pairs",
    "mac",
    "most_pairs",
    "outcome_of",
    "pairs_body",
    "poll_body",
    "read_page",
    "read_push",
    "read_submit",
    "submit_body",
    "submit_path",
    "template_body",
]
