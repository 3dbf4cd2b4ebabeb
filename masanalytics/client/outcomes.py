"""What came of a request: a `SubmitResult` for every submit, an error for a poll without an answer."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import BadStatusLine, RemoteDisconnected
from typing import Final, Literal

import requests
from urllib3.exceptions import ProxyError, ReadTimeoutError

from masanalytics.account import Account
from masanalytics.client.transport import Answer, Failure
from masanalytics.client.trust import address_of, changed_certificate
from masanalytics.errors import MasError, NetworkError
from masanalytics.i18n import N_, Text, _
from masanalytics.protocol import (
    FULL_PAGE,
    KNOWN_RSPCODS,
    SubmitAnswer,
    answer_text,
    describe_rspcod,
    is_fatal,
    read_submit,
)
from masanalytics.timezone import format_instant
from masanalytics.tls import Reach, classify, host_key, unreachable

__all__ = [
    "Outcome",
    "SubmitResult",
    "failed_submit",
    "lost_poll",
    "network_error",
    "submit_result",
]

Outcome = Literal["accepted", "rejected", "not_sent", "unknown"]

_OUTCOME_WORDS: Final = {
    "accepted": N_("accepted by the platform"),
    "rejected": N_("rejected by the platform"),
    "not_sent": N_("not sent"),
    "unknown": N_("outcome unknown: it may have been taken"),
}
_MISMATCH = re.compile(r'Fingerprints did not match. Expected "([0-9a-f]{64})", got "([0-9a-f]{64})"')
# How a TLS server answers plain HTTP: with an alert record, or, as nginx and Go's server do, in words.
_TLS_ALERT = ("\x15\x03", "\\x15\\x03")
_WANTS_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)
_TRANSIENT_STATUSES = (408, 425, 429)
_USE_HTTPS = Text("this port speaks HTTPS: write https:// instead of http:// in MAS_URL.", code="use_https")
# How a web server answers to a path it does not have, or not for this.
_NO_SUCH_PATH: Final = (404, 405, 415)
_IF_HTTP = Text(
    'for HTTP give protocol="http" (MAS_PROTOCOL=http), and take its reports with `masanalytics receive`.',
    code="if_http",
)
_IF_HTTPS = Text('for HTTPS give protocol="https" (MAS_PROTOCOL=https).', code="if_https")
_SETTLED_BY_REPORTS = Text(
    "The platform may have taken it, so it is not sent again by itself; reports that name its numbers will settle it.",
    code="settled_by_reports",
)


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
    why, what_to_do : Text or None
        The reason, and what to do about it, as code and parameters.
    fatal : bool
        Every further batch would meet the same.
    requested_at, answered_at : float
        When the request was made, and when its answer or its failure was known (epoch seconds UTC).
    server_time : float or None
        What time the platform said it was as it answered, where it said so.
    error : MasError or None
        What went wrong on the way, where no answer came.
    """

    outcome: Outcome
    msg_group: str = ""
    rspcod: str = ""
    why: Text | None = None
    what_to_do: Text | None = None
    fatal: bool = False
    requested_at: float = 0.0
    answered_at: float = 0.0
    server_time: float | None = None
    error: MasError | None = field(default=None, compare=False)

    @property
    def message(self) -> str:
        """Why, in the language in use; ``""`` where there is nothing to say."""
        return str(self.why or "")

    @property
    def advice(self) -> str:
        """What to do, in the language in use; ``""`` where there is nothing to do."""
        return str(self.what_to_do or "")

    def __repr__(self) -> str:
        words = [self.outcome, self.msg_group, self.rspcod, self.message, "fatal" if self.fatal else ""]
        return f"SubmitResult({', '.join(word for word in words if word)})"

    def _repr_html_(self) -> str:
        head = html.escape(_(_OUTCOME_WORDS[self.outcome]))
        names = " ".join(html.escape(name) for name in (self.msg_group, self.rspcod) if name)
        why = "".join(f"<div>{html.escape(text)}</div>" for text in (self.message, self.advice) if text)
        return f"<div><b>{head}</b> {names} · {format_instant(self.answered_at)}{why}</div>"


def submit_result(answer: Answer, path: str, account: Account) -> SubmitResult:
    """Return the outcome that an HTTP answer to a submit stands for.

    Only the platform's own clear word makes ``accepted`` or ``rejected``. Everything else was answered by somebody, and
    may have been taken: a gateway's time-out or overload (408, 429, 5xx) says nothing of the platform behind it. What was
    answered is kept with the reason, short and with numbers masked.
    """
    reply = read_submit(answer.body, answer.charset)
    times = (answer.requested_at, answer.answered_at)
    family = answer.status // 100
    if answer.complete and reply.accepted is True and family == 2:
        return SubmitResult("accepted", reply.msg_group, reply.rspcod, None, None, False, *times)
    if answer.complete and reply.accepted is False and family in (2, 4) and answer.status not in _TRANSIENT_STATUSES:
        meaning, advice = describe_rspcod(reply.rspcod)
        if reply.message:
            meaning = Text("{meaning} ({message})", code=meaning.code, meaning=meaning, message=reply.message)
        return SubmitResult("rejected", "", reply.rspcod, meaning, advice, is_fatal(reply.rspcod), *times)
    if answer.status == 400 and _WANTS_TLS.search(answer.body):
        return SubmitResult("not_sent", "", "", _USE_HTTPS, None, True, *times)
    fatal = family in (3, 4) and answer.status not in _TRANSIENT_STATUSES
    fatal = fatal or (reply.rspcod not in ("", *KNOWN_RSPCODS) and is_fatal(reply.rspcod))
    why = _with_answer(_why_unknown(answer, reply, path, account), answer)
    return SubmitResult("unknown", reply.msg_group, reply.rspcod, why, _SETTLED_BY_REPORTS, fatal, *times)


def failed_submit(
    error: MasError, requested_at: float, answered_at: float, *, fatal: bool | None = None
) -> SubmitResult:
    """Return the outcome of a submit that got no answer: ``not_sent`` only where no byte of it left."""
    sent = isinstance(error, NetworkError) and error.sent
    return SubmitResult(
        "unknown" if sent else "not_sent",
        why=error.said,
        what_to_do=_SETTLED_BY_REPORTS if sent else None,
        fatal=not error.retryable if fatal is None else fatal,
        requested_at=requested_at,
        answered_at=answered_at,
        error=error,
    )


def network_error(failure: Failure, account: Account) -> NetworkError:
    """Return the error that a request without an answer stands for. It holds nothing of the request itself."""
    address = host_key(*address_of(account.url))
    chain = list(_causes(failure.error))
    if failure.sent:
        return _lost_answer(chain, address, plain=account.url.startswith("http://"))
    for error in chain:
        mismatch = _MISMATCH.search(str(error))
        if mismatch is not None:
            return changed_certificate(account, f"sha256:{mismatch[1]}", f"sha256:{mismatch[2]}")
    reach, detail = _reach(chain)
    return unreachable("proxy" if any(isinstance(error, ProxyError) for error in chain) else reach, address, detail)


def lost_poll(error: NetworkError) -> NetworkError:
    """Return `error` of a poll, saying what may be lost with its answer."""
    if not error.sent:
        return error
    return NetworkError(
        "{why} The platform hands each record out once, so up to {most} may be lost with this answer; polling goes on "
        "with what it still has.",
        code=error.said.code,
        why=error.said,
        most=FULL_PAGE,
        sent=True,
    )


def _lost_answer(chain: list[BaseException], address: str, *, plain: bool) -> NetworkError:
    """Return the error of a request that left, and whose answer never came."""
    for error in chain:
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return NetworkError("{address} did not answer in time.", code="answer_timeout", address=address, sent=True)
        if isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected):
            if str(error).strip("'").startswith(_TLS_ALERT):
                return NetworkError(_USE_HTTPS, retryable=False, sent=False)
            return NetworkError(
                "{address} answered something that is not HTTP: check the port in MAS_URL.",
                code="not_http",
                address=address,
                sent=True,
            )
    if plain:
        return NetworkError(
            "{address} closed the connection without an answer. If the platform gave an address with https://, "
            "write it so.",
            code="no_answer",
            address=address,
            sent=True,
        )
    return NetworkError(
        "{address} closed the connection without an answer.", code="no_answer", address=address, sent=True
    )


def _reach(chain: list[BaseException]) -> tuple[Reach, str]:
    """Return what stood in the way, from the innermost error of the system's own."""
    system_errors = [
        error
        for error in chain
        if isinstance(error, OSError | UnicodeError | ReadTimeoutError)
        and not isinstance(error, requests.RequestException)
    ]
    if not system_errors:
        return "unreachable", type(chain[-1]).__name__
    innermost = system_errors[-1]
    return ("timeout", "") if isinstance(innermost, ReadTimeoutError) else classify(innermost)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was made of, outermost first: libraries keep that in three different places."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        error = waiting.pop(0)
        if any(error is known for known in seen):
            continue
        seen.append(error)
        yield error
        causes = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
        waiting += [cause for cause in causes if isinstance(cause, BaseException)]


def _unproven_word(reply: SubmitAnswer) -> Text:
    """Return what a word says that the interface document does not have: no proof that the batch was not taken."""
    meaning, advice = describe_rspcod(reply.rspcod)
    if reply.message:
        meaning = Text("{meaning} ({message})", code=meaning.code, meaning=meaning, message=reply.message)
    return Text(
        "the platform answered {rspcod}: {meaning}. {advice}",
        code="unproven_word",
        rspcod=reply.rspcod,
        meaning=meaning,
        advice=advice,
    )


def _other_protocol(status: int, path: str, account: Account) -> Text:
    """Return what a web server means that does not know the path: the account's flavour, most likely."""
    return Text(
        "HTTP {status} at {path}: that host does not know the path. If the host and port in MAS_URL are right, the interface "
        "account was made for another protocol (管理 → 接口管理 → 新建短信接口): {way_out}",
        code="other_protocol",
        status=status,
        path=path,
        way_out=_IF_HTTPS if account.is_pushed else _IF_HTTP,
    )


def _with_answer(why: Text, answer: Answer) -> Text:
    """Return `why` with what was answered: whoever has to judge the batch judges by it."""
    said = answer_text(answer.body)
    if not said or why.code == "unreadable_answer":
        return why
    return Text("{why} The answer was: {said}", code=why.code, why=why, said=said)


def _why_unknown(answer: Answer, reply: SubmitAnswer, path: str, account: Account) -> Text:
    status = answer.status
    if status in _NO_SUCH_PATH:
        return _other_protocol(status, path, account)
    if status in _TRANSIENT_STATUSES:
        return Text(
            "HTTP {status} at {path}: a gateway gave up waiting, or is asked too fast; the platform behind it may have taken the "
            "batch.",
            code="http_status",
            status=status,
            path=path,
        )
    if status // 100 in (3, 4):
        return Text(
            "HTTP {status} at {path}: something that is not the platform answered; check host and port in MAS_URL.",
            code="not_the_platform",
            status=status,
            path=path,
        )
    if status != 200:
        return Text("HTTP {status} at {path}.", code="http_status", status=status, path=path)
    if not answer.complete:
        return Text("the answer broke off.", code="answer_broke_off")
    if reply.rspcod and not reply.msg_group and reply.rspcod not in KNOWN_RSPCODS:
        return _unproven_word(reply)
    if reply.rspcod or reply.msg_group:
        return Text("the answer contradicts itself (rspcod {rspcod!r}).", code="contradiction", rspcod=reply.rspcod)
    return Text("the answer cannot be read: {excerpt!r}.", code="unreadable_answer", excerpt=reply.message)
