"""The interface of Cloud MAS, one method a call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Never

from masanalytics.account import Account, check_add_serial
from masanalytics.account.machine_pace import own_turn
from masanalytics.client.outcomes import (
    SubmitResult,
    failed_submit,
    lost_poll,
    network_error,
    submit_result,
)
from masanalytics.client.transport import Answer, Failure, Transport
from masanalytics.client.trust import Network, establish, known_hosts_path
from masanalytics.clock import Clock, SystemClock
from masanalytics.errors import CertificateError, ConfigError, InputError, MasError, NetworkError
from masanalytics.hide_secret import hide_secret
from masanalytics.near_names import suggests_names
from masanalytics.paths import full_path
from masanalytics.protocol import (
    DELIVER,
    REPORT,
    TEMPLATE,
    Endpoint,
    PollAnswer,
    pairs_body,
    poll_body,
    submit_body,
    submit_path,
    template_body,
)
from masanalytics.secret import Secret

__all__ = ["Client"]


@suggests_names
class Client:
    """The platform, as one account sees it. Thread-safe; keeps its connections open; use it in a ``with``, or close it.

    Making one touches nothing: the first call connects, and with ``tls="first-use"`` looks at the certificate before it
    sends anything. Nothing but connecting is ever tried again by itself.

    Parameters
    ----------
    account : Account
        Who asks, and where.
    timeout : tuple of float, optional
        Seconds to connect, and seconds to wait for the next byte of an answer.
    proxies : mapping, optional
        ``{"https": "http://proxy:3128"}``. The environment's proxies and certificates are not used.
    legacy_tls : bool, optional
        Also speak TLS 1.0 and weak ciphers, for gateways that know nothing newer.
    connections : int, optional
        The most connections at once; further threads wait.
    clock : Clock, optional
        What time it is.
    known_hosts : path, optional
        Where certificates are remembered; by default ``MAS_KNOWN_HOSTS`` or the config folder.

    Examples
    --------
    >>> client = Client(Account("https://mas.example:28888", "shop", "demo0", "123qwe"))
    >>> client
    Client(shop/demo0 at https://mas.example:28888, tls first-use)
    >>> client.submit(["1380013"], "hello")
    Traceback (most recent call last):
        ...
    masanalytics.errors.InputError: number 1 of the batch (****0013) is not a mobile number of 11 digits; ...
    """

    def __init__(
        self,
        account: Account,
        *,
        timeout: tuple[float, float] = (5.0, 30.0),
        proxies: Mapping[str, str] | None = None,
        legacy_tls: bool = False,
        connections: int = 8,
        clock: Clock | None = None,
        known_hosts: str | os.PathLike[str] | None = None,
    ) -> None:
        self.account = account
        self.network = Network(
            timeout,
            dict(proxies or {}),
            legacy_tls,
            connections,
            full_path(known_hosts or known_hosts_path(), "known_hosts"),
        )
        self.clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"Client({self.account.name} at {self.account.url}, tls {self.account.tls})"

    def __reduce__(self) -> Never:
        """Refuse to be copied or pickled: connections belong to their process."""
        raise InputError("a client stays in its process: hand its account on and make Client(account) there")

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def submit(self, mobiles: Iterable[str | int], content: str, *, add_serial: str | None = None) -> SubmitResult:
        """Send one text to 1 to 4,999 numbers.

        Parameters
        ----------
        mobiles : iterable of str
            Different numbers of 11 digits.
        content : str
            The text, without the signature.
        add_serial : str, optional
            The extension; by default the account's.

        Returns
        -------
        SubmitResult
            Whatever happens on the network is in its ``outcome``; only what is wrong with the arguments raises.

        Raises
        ------
        InputError
            If a number, the text or the extension cannot be sent, or `Account.allow_only` does not hold a number.
        """
        return self._submit(
            submit_path(self.account), submit_body(self.account, mobiles, content, self._serial(add_serial))
        )

    def submit_each(self, texts: Mapping[str, str], *, add_serial: str | None = None) -> SubmitResult:
        """Send a text each to 1 to 999 numbers (of an HTTP account 1,000): ``{mobile: content}``; otherwise like `submit`."""
        return self._submit(submit_path(self.account), pairs_body(self.account, texts, self._serial(add_serial)))

    def submit_template(
        self,
        mobiles: Iterable[str | int],
        template_id: str,
        params: Sequence[str] = (),
        *,
        add_serial: str | None = None,
    ) -> SubmitResult:
        """Send an approved template with the same `params` (texts, in order) to 1 to 4,999 numbers; like `submit`."""
        body = template_body(self.account, template_id, mobiles, params, self._serial(add_serial))
        return self._submit(TEMPLATE, body)

    def poll_reports(self) -> PollAnswer:
        """Take up to 1,000 state reports off the platform, which forgets them.

        The platform may be asked once in the account's ``poll_interval``, for reports and uplinks together. Where it was asked a
        moment ago, by this client or by whatever else runs on this machine, this waits.

        Returns
        -------
        PollAnswer
            What it handed out, even where only half of it arrived. Keep its ``raw`` before anything else.

        Raises
        ------
        NetworkError
            If no answer came; ``sent`` says whether the request may have arrived and records be lost.
        ConfigError
            If the account is of the HTTP flavour, which has no polls (code ``cannot_poll``). Nothing was sent.
        """
        return self._poll(REPORT, "report")

    def poll_uplinks(self) -> PollAnswer:
        """Take up to 1,000 uplinks off the platform, which forgets them; otherwise like `poll_reports`."""
        return self._poll(DELIVER, "deliver")

    def server_time(self) -> float | None:
        """Return what time the server has (epoch seconds UTC), or None where it does not say.

        Asks with a bare HEAD for ``/``, which sends nothing of the account and takes no record away.
        """
        answer = self._ready().exchange("/", None)
        return None if isinstance(answer, Failure) else _date_of(answer)

    def _serial(self, add_serial: str | None) -> str:
        if add_serial is None:
            return self.account.add_serial
        try:
            check_add_serial(add_serial, self.account.service_code)
        except ConfigError as error:
            raise InputError(error.said) from None
        return add_serial

    def _submit(self, path: str, body: bytes) -> SubmitResult:
        requested_at = self.clock.now()
        try:
            transport = self._ready()
        except MasError as error:
            return failed_submit(error, requested_at, self.clock.now())
        answer = self._exchange(transport, path, body)
        if isinstance(answer, Failure):
            return failed_submit(self._error(answer), answer.requested_at, answer.answered_at)
        return replace(submit_result(answer, path, self.account), server_time=_date_of(answer))

    def check_polling(self) -> None:
        """Raise `ConfigError` where the account cannot be polled, saying what takes the place of it."""
        if self.account.is_pushed:
            raise ConfigError(
                "{account} is an HTTP account: the platform pushes its reports and replies, and they cannot be polled. Run "
                "`masanalytics receive` (or mas.Receiver) and have its two URLs set on the interface account (管理 → 接口管理 → "
                '短信接入用户管理). If the account was made for HTTPS, say so: protocol="https" or MAS_PROTOCOL=https.',
                code="cannot_poll",
                account=self.account.name,
            )

    def _poll(self, path: str, endpoint: Endpoint) -> PollAnswer:
        self.check_polling()
        transport = self._ready()
        with own_turn(self.account, self.clock):
            answer = self._exchange(transport, path, poll_body(self.account))
        if isinstance(answer, Failure):
            raise lost_poll(self._error(answer))
        return PollAnswer(
            endpoint,
            answer.body,
            answer.status,
            answer.complete,
            answer.requested_at,
            answer.answered_at,
            _date_of(answer),
            answer.charset,
        )

    def _exchange(self, transport: Transport, path: str, body: bytes) -> Answer | Failure:
        """Ask, and hide the password in the answer before anybody reads or keeps it."""
        answer = transport.exchange(path, body)
        if isinstance(answer, Failure):
            return answer
        return replace(answer, body=hide_secret(answer.body, Secret(self.account.secret_key)))

    def _ready(self) -> Transport:
        """Return the connections, made at the first call, and made anew in a forked process: sockets are not shared."""
        with self._lock:
            if self._transport is None or self._pid != os.getpid():
                trust = establish(self.account, self.network)
                self._transport = Transport(self.account.url, trust, self.network, self.clock)
                self._pid = os.getpid()
            return self._transport

    def _error(self, failure: Failure) -> NetworkError:
        error = network_error(failure, self.account)
        if isinstance(error, CertificateError):
            self.close()  # so that a certificate accepted meanwhile is read anew
        return error


def _date_of(answer: Answer) -> float | None:
    """Return what time the server says it is (epoch seconds UTC), or None where it does not say."""
    date = next((value for key, value in answer.headers.items() if key.lower() == "date"), "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
