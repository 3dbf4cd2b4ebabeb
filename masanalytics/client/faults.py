"""Turn what came of a request into words: an outcome for a submit, an error for a poll."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected

import requests
from urllib3.exceptions import ProxyError, ReadTimeoutError

from masanalytics.account import Account
from masanalytics.client.results import Outcome, SubmitResult
from masanalytics.client.transport import Answer, Failure
from masanalytics.client.trust import address_of, changed_certificate
from masanalytics.errors import MasError, NetworkError
from masanalytics.i18n import choose
from masanalytics.protocol import FULL_PAGE, SubmitAnswer, describe_rspcod, is_fatal, read_submit
from masanalytics.tls import Reach, classify, host_key, unreachable

__all__ = ["judge", "lost_poll", "network_error", "without_answer"]

_MISMATCH = re.compile(r'Fingerprints did not match. Expected "([0-9a-f]{64})", got "([0-9a-f]{64})"')
# How a TLS server answers plain HTTP: with an alert record, or, as nginx and Go's server do, in words.
_TLS_ALERT = ("\x15\x03", "\\x15\\x03")
_WANTS_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)
_TRANSIENT = (408, 425, 429)
_USE_HTTPS = (
    "this port speaks HTTPS: write https:// instead of http:// in MAS_URL.",
    "该端口使用 HTTPS：请把 MAS_URL 中的 http:// 改为 https://。",
)


def judge(answer: Answer, path: str) -> SubmitResult:
    """Return the outcome that an HTTP answer to a submit stands for.

    Only the platform's own clear word makes ``accepted`` or ``rejected``. Everything else was answered by somebody, and
    may have been taken.
    """
    said = read_submit(answer.body)
    family = answer.status // 100
    if answer.complete and said.accepted is True and family == 2:
        return _result("accepted", answer, group=said.msg_group, rspcod=said.rspcod)
    if answer.complete and said.accepted is False and family in (2, 4):
        meaning, advice = describe_rspcod(said.rspcod)
        message = f"{meaning} ({said.message})" if said.message else meaning
        fatal = is_fatal(said.rspcod)
        return _result("rejected", answer, rspcod=said.rspcod, message=message, advice=advice, fatal=fatal)
    if answer.status == 400 and _WANTS_TLS.search(answer.body):
        return _result("not_sent", answer, message=choose(*_USE_HTTPS), fatal=True)
    return _result(
        "unknown",
        answer,
        group=said.msg_group,
        rspcod=said.rspcod,
        message=_why_unknown(answer, said, path),
        advice=_settled_later(),
        fatal=family in (3, 4) and answer.status not in _TRANSIENT,
    )


def without_answer(error: MasError, requested_at: float, answered_at: float) -> SubmitResult:
    """Return the outcome of a submit that got no answer: ``not_sent`` only where no byte of it left."""
    sent = isinstance(error, NetworkError) and error.sent
    return SubmitResult(
        "unknown" if sent else "not_sent",
        message=error.text(),
        advice=_settled_later() if sent else "",
        fatal=not error.retryable,
        requested_at=requested_at,
        answered_at=answered_at,
        error=error,
    )


def network_error(failure: Failure, account: Account) -> NetworkError:
    """Return the error that a request without an answer stands for. It holds nothing of the request itself."""
    where = host_key(*address_of(account.url))
    chain = list(_chain(failure.error))
    if failure.left:
        return _lost(chain, where, plain=account.url.startswith("http://"))
    for error in chain:
        found = _MISMATCH.search(str(error))
        if found is not None:
            return changed_certificate(account, f"sha256:{found[1]}", f"sha256:{found[2]}")
    reach, detail = _reach(chain)
    return unreachable("proxy" if any(isinstance(error, ProxyError) for error in chain) else reach, where, detail)


def lost_poll(error: NetworkError) -> NetworkError:
    """Return `error` of a poll, saying what may be lost with its answer."""
    if not error.sent:
        return error
    return NetworkError(
        f"{error.message} The platform hands each record out once, so up to {FULL_PAGE} may be lost with this answer; "
        "polling goes on with what it still has.",
        zh=f"{error.zh}平台对每条记录只提供一次，因此本次应答中的最多 {FULL_PAGE} 条可能已丢失；之后的查询会继续取回其余记录。",
        sent=True,
    )


def _lost(chain: list[BaseException], where: str, *, plain: bool) -> NetworkError:
    for error in chain:
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return NetworkError(f"{where} did not answer in time.", zh=f"{where} 未在时限内应答。", sent=True)
        if isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected):
            if str(error).strip("'").startswith(_TLS_ALERT):
                return NetworkError(_USE_HTTPS[0], zh=_USE_HTTPS[1], retryable=False, sent=False)
            return NetworkError(
                f"{where} answered something that is not HTTP: check the port in MAS_URL.",
                zh=f"{where} 的应答不是 HTTP：请检查 MAS_URL 中的端口。",
                sent=True,
            )
    hint = " If the platform gave an address with https://, write it so." if plain else ""
    hint_zh = "若平台给出的地址以 https:// 开头，请照写。" if plain else ""
    return NetworkError(
        f"{where} closed the connection without an answer.{hint}",
        zh=f"{where} 未应答就关闭了连接。{hint_zh}",
        sent=True,
    )


def _reach(chain: list[BaseException]) -> tuple[Reach, str]:
    """Return what stood in the way, from the innermost error of the system's own."""
    own = [error for error in chain if isinstance(error, OSError | UnicodeError | ReadTimeoutError)]
    own = [error for error in own if not isinstance(error, requests.RequestException)]
    if not own:
        return "unreachable", type(chain[-1]).__name__
    return ("timeout", "") if isinstance(own[-1], ReadTimeoutError) else classify(own[-1])


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was made of, outermost first: libraries keep that in three different places."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        error = waiting.pop(0)
        if any(error is known for known in seen):
            continue
        seen.append(error)
        yield error
        inner = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
        waiting += [part for part in inner if isinstance(part, BaseException)]


def _why_unknown(answer: Answer, said: SubmitAnswer, path: str) -> str:
    if answer.status // 100 in (3, 4):
        return choose(
            f"HTTP {answer.status} at {path}: something that is not the platform answered; check host and port in MAS_URL.",
            f"{path} 返回 HTTP {answer.status}：应答的不是平台，请检查 MAS_URL 中的主机和端口。",
        )
    if answer.status != 200:
        return choose(f"HTTP {answer.status} at {path}.", f"{path} 返回 HTTP {answer.status}。")
    if not answer.complete:
        return choose("the answer broke off.", "应答中断，内容不完整。")
    if said.rspcod or said.msg_group:
        return choose(
            f"the answer contradicts itself (rspcod {said.rspcod!r}).", f"应答自相矛盾（rspcod {said.rspcod!r}）。"
        )
    return choose(f"the answer cannot be read: {said.message!r}.", f"无法读懂应答：{said.message!r}。")


def _settled_later() -> str:
    return choose(
        "The platform may have taken it, so it is not sent again by itself; reports that name its numbers will settle it.",
        "平台可能已经接收，因此不会自动重发；之后的回执若包含其中号码，即可确定结果。",
    )


def _result(
    outcome: Outcome,
    answer: Answer,
    *,
    group: str = "",
    rspcod: str = "",
    message: str = "",
    advice: str = "",
    fatal: bool = False,
) -> SubmitResult:
    return SubmitResult(outcome, group, rspcod, message, advice, fatal, answer.requested_at, answer.answered_at)
