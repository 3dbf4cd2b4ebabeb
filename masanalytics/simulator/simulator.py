"""The simulated platform, ready to be used: started, stopped, asked what it saw, and told what is to go wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masanalytics.clock import Clock, FastClock, SystemClock
from masanalytics.errors import InputError
from masanalytics.i18n import _, ngettext
from masanalytics.near_names import suggests_names
from masanalytics.simulator.audit_log import Deviation, HandedOut, Message, Request, row_of
from masanalytics.simulator.behaviour import Behaviour, Scripted
from masanalytics.simulator.certificate import Certificate, load_certificate, make_certificate
from masanalytics.simulator.faults import Fault, Faults
from masanalytics.simulator.http_server import HttpServer
from masanalytics.simulator.platform import Platform
from masanalytics.simulator.population import Population
from masanalytics.simulator.push import Push, Pusher
from masanalytics.simulator.queues import Waiting
from masanalytics.simulator.report_rows import report_row, uplink_text
from masanalytics.simulator.settings import DEFAULT_ACCOUNT, PlatformAccount, Rules, Style

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.client import Client

__all__ = ["Simulator"]


@suggests_names
class Simulator:
    """A faithful local platform, for tests, demos, and clients in any language.

    It does what the interface document says, keeps count of everything, and misbehaves where it is told to. As a context
    manager it listens from the beginning of the block to its end.

    Parameters
    ----------
    https : bool
        Whether to speak HTTPS, with a certificate of its own (needs the extra ``sim``), or plain HTTP.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    seed : int
        Makes runs repeat: what becomes of a message depends on the seed, number, text and day, and the hour it is sent.
    clock : Clock, optional
        The platform's time, by default the machine's. The client's side needs the same one: `client` has it, a store gets it
        as ``Store("mas.db", clock=sim.clock)``.
    speed : float, optional
        In place of `clock`: how many seconds of the platform pass in one real second. From about 250 on, the way of a
        request through the machine takes longer than the rule of polls leaves, which then is not enforced.
    poll_interval : float, optional
        Seconds between two polls of an account, in place of what `rules` say. 0 switches the rule off.
    answer_delay : float
        Real seconds that each answer takes.
    behaviour : Behaviour or mapping, optional
        What becomes of messages: by default a believable `Population`; a mapping of number to ``(code, seconds)`` or
        None is a `Scripted` one, where everybody else gets the message after a second.
    accounts : sequence of PlatformAccount, optional
        Whom the platform knows; the first is the one that `account` and `client` use.
    rules : Rules, optional
        What is enforced, and how strictly; by default what the document says.
    style : Style, optional
        How answers look.
    strict : bool
        Whether to reject every request that deviates from the document, in whatever way, also where `rules` do not say so.
    push : Push or str, optional
        Where reports and replies are pushed to, as for HTTP accounts; `account` and `client` then speak the HTTP flavour.
    keep_ledger : bool
        Whether to keep every message and row. Without, there are only the `counts`.
    certificate_file : path, optional
        Where to keep the certificate, so that the next run shows the same fingerprint.

    Examples
    --------
    >>> with Simulator(https=False) as sim:
    ...     print(sim.url.startswith("http://127.0.0.1:"), sim.counts["accepted"])
    True 0
    """

    def __init__(
        self,
        *,
        https: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        clock: Clock | None = None,
        speed: float | None = None,
        poll_interval: float | None = None,
        answer_delay: float = 0.0,
        behaviour: Behaviour | Mapping[str, tuple[str, float] | None] | None = None,
        accounts: Sequence[PlatformAccount] = (DEFAULT_ACCOUNT,),
        rules: Rules | None = None,
        style: Style | None = None,
        strict: bool = False,
        push: Push | str | None = None,
        keep_ledger: bool = True,
        certificate_file: str | Path | None = None,
    ) -> None:
        self.clock = _clock(clock, speed)
        self._https, self._host, self._port = https, host, port
        self._delay = answer_delay
        self._certificate_file = certificate_file
        self._certificate: Certificate | None = None
        self._server: HttpServer | None = None
        self._push = Push(push) if isinstance(push, str) else push
        self.pusher: Pusher | None = None
        self.faults = Faults()
        rules = rules or Rules()
        least = rules.poll_interval if poll_interval is None else poll_interval
        rules = replace(rules, poll_interval=least, strict=strict or rules.strict)
        self.platform = Platform(tuple(accounts), _behaviour(behaviour), self.clock, seed, rules, style)
        self.platform.audit_log.keep = keep_ledger

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = self.url if self._server else _("stopped")
        accepted = ngettext("{count:,} message accepted", "{count:,} messages accepted", self.counts["accepted"])
        return f"<Simulator {state}, {accepted}>"

    def start(self) -> Simulator:
        """Listen; after `stop`, again on the same port and with everything still known. Returns itself.

        Raises
        ------
        InputError
            If the port is taken, or the address is not this machine's.
        MissingExtraError
            If HTTPS is asked for and trustme is not installed.
        """
        if self._server is not None:
            return self
        context = self._certified().context if self._https else None
        try:
            self._server = HttpServer((self._host, self._port), self.platform, self.faults, context, self._delay)
        except (OSError, OverflowError) as error:
            raise InputError(
                "cannot listen on {host}:{port} ({detail}): choose another port, or 0 for a free one",
                host=self._host,
                port=self._port,
                detail=getattr(error, "strerror", None) or str(error),
            ) from error
        self._port = self._server.server_port
        self._server.start()
        if self._push is not None:
            self.push_to(self._push)
        return self

    def push_to(self, push: Push | str | None) -> None:
        """From now on push reports and replies there; None to push no more."""
        self._end_pushing()
        self._push = Push(push) if isinstance(push, str) else push
        if self._push is not None:
            self.pusher = Pusher(self.platform, self._push)
            self.pusher.start()

    def stop(self) -> None:
        """Close every connection and stop listening. What the platform knows stays."""
        self._end_pushing()
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        """Where it listens: ``https://127.0.0.1:PORT``.

        Raises
        ------
        InputError
            If it was never started.
        """
        if not self._port:
            raise InputError("the simulator is not started: use `with Simulator() as sim:` or sim.start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._https else 'http'}://{host}:{self._port}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate (64 hex digits); empty over plain HTTP."""
        return self._certified().fingerprint if self._https else ""

    @property
    def authority(self) -> str:
        """The certificate (PEM) that vouches for the simulator's own; empty where there is none."""
        return self._certified().authority.decode() if self._https else ""

    def account(self, **changes: Any) -> Account:
        """Return an `masanalytics.Account` for the simulator's first account.

        Parameters
        ----------
        **changes
            Any of the account's settings, to have them otherwise: ``sim.account(secret_key="wrong")``.
        """
        from masanalytics.account import Account

        account = self.platform.first_account
        settings: dict[str, Any] = {
            "url": self.url,
            "ec_name": account.ec_name,
            "ap_id": account.ap_id,
            "secret_key": account.secret_key,
            "sign": account.signs[0] if account.signs else "",
            "service_code": account.service_code,
            "signature": account.signature,
            "poll_interval": self.platform.rules.poll_interval,
            "protocol": self._protocol,
        }
        if self._https:
            settings["tls"] = f"sha256:{self.fingerprint}"
        return Account(**{**settings, **changes})

    def client(self, **options: Any) -> Client:
        """Return a `masanalytics.Client` for `account`, on the simulator's clock; `options` are the client's own."""
        from masanalytics.client import Client

        return Client(self.account(), **{"clock": self.clock, **options})

    def settings(self) -> dict[str, str]:
        """Return the ``MAS_…`` variables with which another process finds the simulator, secret included."""
        account = self.platform.first_account
        variables = {
            "MAS_URL": self.url,
            "MAS_EC_NAME": account.ec_name,
            "MAS_AP_ID": account.ap_id,
            "MAS_SECRET_KEY": account.secret,
            "MAS_SIGN": account.signs[0] if account.signs else "",
            "MAS_SERVICE_CODE": account.service_code,
        }
        if self._protocol == "http":
            variables["MAS_PROTOCOL"] = "http"
        return {**variables, "MAS_TLS": f"sha256:{self.fingerprint}"} if self._https else variables

    def fault(self, kind: str | Fault, **options: Any) -> Fault:
        """Let something go wrong, until it has struck often enough or `clear_faults`.

        Parameters
        ----------
        kind : str
            One of `masanalytics.simulator.KINDS`, such as ``"drop_after"``, ``"hang"``, ``"status"``.
        **options
            When and how, see `masanalytics.simulator.Fault`: ``endpoint="submit"``, ``times=1``, ``every=5``,
            ``probability=0.2``, ``after=3``, ``status=502``, ``seconds=…``, ``megabytes=…``, ``taken=…``.

        Examples
        --------
        >>> Simulator().fault("drop_after", endpoint="submit", times=1).fired
        0
        """
        return self.faults.add(kind, **options)

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self.faults.clear()

    def reply(self, phone: str, text: str, *, after: float = 0.0, add_serial: str = "") -> None:
        """Let somebody write `text`, to be fetched `after` seconds from now."""
        account = self.platform.first_account
        sent = self.platform.now() + after
        row = uplink_text(phone, text, sent, account.service_code + add_serial, self.platform.style)
        self.platform.add_row("uplink", row, after)

    def report(
        self, phone: str, code: str = "DELIVRD", *, msg_group: str, after: float = 0.0, age: float = 5.0
    ) -> None:
        """Let a report come that no request led to: a late one, a second one, or another system's.

        Parameters
        ----------
        phone, code, msg_group : str
            What it is about and what it says.
        after : float
            Seconds from now until it can be fetched; also its receiveDate.
        age : float
            Seconds between its submitDate and its receiveDate.
        """
        received = self.platform.now() + after
        row = report_row(phone, code, msg_group, (received - age, received), self.platform.style)
        self.add_row("report", row, after=after)

    def add_row(self, kind: str, row: Mapping[str, Any] | str, *, after: float = 0.0, ap_id: str = "") -> None:
        """Put a row into a queue as it is, whatever it is.

        Parameters
        ----------
        kind : {"report", "uplink"}
            Which queue.
        row : mapping or str
            The JSON object, or a text to be put in its place (which may be no JSON).
        after : float
            Seconds from now until it can be fetched.
        ap_id : str, optional
            Whose queue, if not the first account's.
        """
        if kind not in ("report", "uplink"):
            raise InputError("kind={kind!r}: use 'report' or 'uplink'", kind=kind)
        text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        self.platform.add_row(kind, text, after, ap_id)

    @property
    def counts(self) -> Counter[str]:
        """The platform's counts.

        ``requests``, ``batches``, ``accepted`` (messages), ``rejected`` (requests), ``polls``, ``too_soon``, ``reports`` and
        ``uplinks`` (rows handed out), ``deviations``, ``faults``.
        """
        return self.platform.audit_log.counts

    @property
    def accepted(self) -> Counter[tuple[str, str]]:
        """How often each (number, text) was accepted: a text of a template is its text, or its id and params."""
        return self.platform.audit_log.accepted()

    @property
    def messages(self) -> list[Message]:
        """Every message accepted, in order, with what becomes of it."""
        return self.platform.audit_log.messages()

    @property
    def handed_out(self) -> list[HandedOut]:
        """Every row of every poll, in order, as it was before any fault damaged it."""
        rows = []
        for kind, page, request, account in self.platform.audit_log.pages():
            texts = self.platform.texts_of(page) if kind == "report" else page.texts
            rows += [HandedOut(kind, row_of(text), request, account) for text in texts]
        return rows

    @property
    def requests(self) -> list[Request]:
        """Every request, in order of arrival."""
        return list(self.platform.audit_log.requests)

    @property
    def deviations(self) -> list[Deviation]:
        """Everything in which requests differed from the document."""
        return list(self.platform.audit_log.deviations)

    @property
    def min_poll_gap(self) -> float:
        """The fewest seconds between two polls of one account; infinite before the second."""
        return self.platform.audit_log.min_poll_gap

    @property
    def waiting(self) -> dict[str, Waiting]:
        """How many reports and uplinks can be fetched now, and how many will be later."""
        reports_now, reports_later, uplinks_now, uplinks_later = self.platform.waiting()
        return {"reports": Waiting(reports_now, reports_later), "uplinks": Waiting(uplinks_now, uplinks_later)}

    @property
    def failures(self) -> list[BaseException]:
        """What failed in the simulator itself; empty as long as it is sound."""
        return list(self.platform.audit_log.failures)

    def _end_pushing(self) -> None:
        if self.pusher is not None:
            self.pusher.stop()
            self.pusher = None

    @property
    def _protocol(self) -> str:
        own = self.platform.first_account.protocol
        return own if own != "any" else "https" if self._push is None else "http"

    def _certified(self) -> Certificate:
        if self._certificate is None:
            path = self._certificate_file
            self._certificate = load_certificate(Path(path), self._host) if path else make_certificate(self._host)
        return self._certificate


def _clock(clock: Clock | None, speed: float | None) -> Clock:
    if speed is None:
        return clock or SystemClock()
    if clock is not None:
        raise InputError("give the simulator clock= or speed=, not both")
    if not speed > 0:
        raise InputError("speed={speed!r} must be greater than 0", speed=speed)
    return SystemClock() if speed == 1 else FastClock(speed)


def _behaviour(behaviour: Behaviour | Mapping[str, tuple[str, float] | None] | None) -> Behaviour:
    if behaviour is None:
        return Population()
    return Scripted(behaviour) if isinstance(behaviour, Mapping) else behaviour
