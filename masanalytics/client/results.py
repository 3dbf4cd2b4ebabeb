"""What a call answers: `SubmitResult` of a submit, `PollAnswer` of a poll."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from masanalytics.errors import MasError
from masanalytics.i18n import choose
from masanalytics.protocol import Endpoint, Page, read_page
from masanalytics.timezone import format_instant

__all__ = ["Outcome", "PollAnswer", "SubmitResult"]

Outcome = Literal["accepted", "rejected", "not_sent", "unknown"]

_SHOWN = {
    "accepted": ("accepted by the platform", "平台已接受"),
    "rejected": ("refused by the platform", "平台拒绝"),
    "not_sent": ("not sent", "未发出"),
    "unknown": ("outcome unknown: it may have been taken", "结果不明：平台可能已接收"),
}


@dataclass(frozen=True, repr=False)
class SubmitResult:
    """What became of one submit request.

    Attributes
    ----------
    outcome : {"accepted", "rejected", "not_sent", "unknown"}
        ``not_sent`` surely never reached the platform, and may be tried again. ``unknown`` may have been taken: only
        reports, or a person, can tell.
    msg_group : str
        The platform's name for the batch, or ``""``.
    rspcod : str
        The platform's word, or ``""`` where it did not say one.
    message, advice : str
        Why, and what to do, in the user's language.
    fatal : bool
        Every further batch would meet the same.
    requested_at, answered_at : float
        When the request was made, and when its answer or its failure was known (epoch seconds UTC).
    error : MasError or None
        What went wrong on the way, where no answer came.
    """

    outcome: Outcome
    msg_group: str = ""
    rspcod: str = ""
    message: str = ""
    advice: str = ""
    fatal: bool = False
    requested_at: float = 0.0
    answered_at: float = 0.0
    error: MasError | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        parts = [self.outcome, self.msg_group, self.rspcod, self.message, "fatal" if self.fatal else ""]
        return f"SubmitResult({', '.join(part for part in parts if part)})"

    def _repr_html_(self) -> str:
        head = html.escape(choose(*_SHOWN[self.outcome]))
        rest = " ".join(html.escape(part) for part in (self.msg_group, self.rspcod) if part)
        why = "".join(f"<div>{html.escape(part)}</div>" for part in (self.message, self.advice) if part)
        return f"<div><b>{head}</b> {rest} · {format_instant(self.answered_at)}{why}</div>"


@dataclass(frozen=True)
class PollAnswer:
    """What the platform handed out, as it came. It will not hand it out again: keep `raw` before reading `page`.

    Attributes
    ----------
    endpoint : {"report", "deliver"}
        What was asked for.
    raw : bytes
        The body, with any compression undone.
    status : int
        The HTTP status.
    complete : bool
        Whether the whole body arrived; where not, `raw` is what did.
    requested_at, answered_at : float
        When it was asked for, and when its end arrived (epoch seconds UTC).
    """

    endpoint: Endpoint
    raw: bytes = field(repr=False)
    status: int
    complete: bool
    requested_at: float
    answered_at: float

    @cached_property
    def page(self) -> Page:
        """The answer as it reads; worked out when first asked for."""
        return read_page(self.raw, self.endpoint, complete=self.complete, status=self.status)
