"""Takes what the platform pushes to an HTTP account: reports and replies, into the store."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from copy import copy
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from masanalytics.account import Account, AccountKey
from masanalytics.collecting.notices import to_stderr
from masanalytics.collecting.result import Collected
from masanalytics.collecting.wait_progress import WaitProgress
from masanalytics.errors import InputError, MissingExtraError, StoreError
from masanalytics.i18n import Text, _, ngettext
from masanalytics.near_names import suggests_names
from masanalytics.paths import alone_with, remove_file, replace_file
from masanalytics.receiving.door import Door, ReceiverLimits, allows, networks, opened
from masanalytics.receiving.forwarder import Forwarder, checked_target
from masanalytics.receiving.keeper import Keeper
from masanalytics.receiving.push_app import PushApp, Request
from masanalytics.receiving.server import serve

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["Receiver"]

_PATH = re.compile(r"[A-Za-z0-9_-]{16,100}")
_LOOK_S: Final = 0.2


@suggests_names
class Receiver:
    """Listens for what the platform pushes. As a context manager it listens from the beginning of the block to its end.

    Each push is answered as soon as its body is durable, and read afterwards, as the answer of a poll is: matched, settled,
    opt-outs heeded. While it runs the account is covered; what is pushed while none runs is lost after three tries.

    Parameters
    ----------
    store : Store
        Where reports and replies go.
    account : Account or str, optional
        Whose they are; by default that of the environment and ``.env``.
    host, port : str, int
        Where to listen; port 0 takes a free one. The platform must reach it, or a proxy that passes requests on.
    path : str, optional
        The secret first part of its addresses, 16 letters and digits or more; by default made once and kept beside the store.
    allow : sequence of str, optional
        Addresses and networks that may push; by default everybody who knows the path.
    behind_proxy : str, optional
        The proxy's address: whose ``X-Forwarded-For`` is believed.
    forward : str, optional
        Where every push is passed on to, as it came.
    limits : ReceiverLimits, optional
        How much is let in.
    say : callable, optional
        Gets the two addresses to be set at the platform, at the start that makes their path; by default they are shown.

    Examples
    --------
    >>> import masanalytics as mas
    >>> with mas.Store(":memory:") as store, mas.Receiver(store, "shop/ap", port=0, say=lambda line: None) as receiver:
    ...     with mas.Simulator(https=False, behaviour={}, speed=600, push=receiver.report_url) as sim:
    ...         answer = sim.client().submit(["13800138000"], "您好")
    ...         receiver.wait(until=1.0, timeout=30, progress=False).reports
    1
    """

    def __init__(
        self,
        store: Store,
        account: Account | str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 8090,
        path: str | None = None,
        allow: Sequence[str] = (),
        behind_proxy: str | None = None,
        forward: str | None = None,
        limits: ReceiverLimits | None = None,
        say: Callable[[str], object] = to_stderr,
    ) -> None:
        account = Account.from_env() if account is None else account
        self._key = AccountKey(account) if isinstance(account, str) else account.key
        self.account = self._key.name
        self.store = store
        self.clock = store.clock
        self.host, self.port = host, port
        self.path, self._is_path_new = (_checked_path(path), False) if path else _kept_path(store.path)
        self.limits = limits or ReceiverLimits()
        self._allowed, self._proxy = networks(allow), None if behind_proxy is None else _checked_proxy(behind_proxy)
        self._forward_to, self._say = None if forward is None else checked_target(forward), say
        self._keeper = Keeper(store.intake, self._key, self.clock, time.monotonic)
        self._forwarder: Forwarder | None = None
        self._app: PushApp | None = None
        self._door: Door | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Receiver:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        pushes = ngettext("{count:,} push", "{count:,} pushes", self._keeper.pushes)
        state = _("listening on {host}:{port}", host=self.host, port=self.port) if self.running else _("stopped")
        return f"<Receiver {self.account}, {state}, {pushes}>"

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def total(self) -> Collected:
        """What was read since the start; ``polls`` counts the commits that kept it."""
        return self._keeper.total

    @property
    def report_url(self) -> str:
        """The address for state reports (状态报告). Whoever knows it can push: it is shown, and kept out of logs."""
        return self._url("report")

    @property
    def uplink_url(self) -> str:
        """The address for replies (上行)."""
        return self._url("uplink")

    def start(self) -> Receiver:
        """Listen in the background. Returns itself.

        Raises
        ------
        InputError
            If the port is taken, or the address is not this machine's.
        MissingExtraError
            If waitress is not installed.
        StoreError
            If the store cannot be written.
        """
        if self.running:
            return self
        try:
            import waitress  # noqa: F401 - whether it is there
        except ImportError:
            raise MissingExtraError.of("receive", "waitress", Text("receiving pushes")) from None
        door = self._door = opened(
            (self.host, self.port), () if self._proxy else self._allowed, self.limits.connections_each
        )
        self.port = int(door.getsockname()[1])
        self._stop.clear()
        self._keeper = Keeper(self.store.intake, self._key, self.clock, time.monotonic)
        try:
            self._keeper.start()
        except StoreError:
            door.close()
            raise
        self._forwarder = Forwarder(self._forward_to) if self._forward_to else None
        self._thread = threading.Thread(target=self._serve, args=(door,), name="masanalytics-receiver", daemon=True)
        self._thread.start()
        self._say(str(self._addresses()))
        return self

    def stop(self) -> None:
        """Answer what is under way, read what has come, and listen no more. What is pushed from now on is lost."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._keeper.stop()
        if self._forwarder is not None:
            self._forwarder.stop()

    def wait(
        self, campaign: str | None = None, until: float = 0.99, timeout: float | None = None, *, progress: bool = True
    ) -> Collected:
        """Return when a share of the campaign's accepted messages has been reported, as `Collector.wait` does.

        Parameters
        ----------
        campaign : str, optional
            The campaign waited for; by default all messages of the store.
        until : float, optional
            The share, 0 to 1.
        timeout : float, optional
            Give up after this many seconds (of the store's clock).
        progress : bool, optional
            Whether to show a bar.
        """
        before = copy(self.total)
        awaited = WaitProgress(self.store.intake, campaign, until, self.clock)
        end = None if timeout is None else self.clock.monotonic() + timeout
        with awaited.bar(shown=progress) as show:
            while not (awaited.progress.accepted and awaited.is_enough):
                if end is not None and self.clock.monotonic() >= end:
                    break
                time.sleep(_LOOK_S)
                awaited.count()
                show()
        collected = self.total.since(before)
        awaited.tell(collected)
        if timeout is not None and not awaited.is_enough:
            collected.gave_up_s = timeout
        return collected

    def health(self) -> dict[str, Any]:
        """Return how it stands, as ``GET /PATH/health`` answers it: counts, and instants in epoch seconds."""
        keeper, stands = self._keeper, self.store.intake.health(self._key)
        figures: dict[str, Any] = {
            "account": self.account,
            "running": self.running,
            "pushes": keeper.pushes,
            "reports": keeper.total.reports,
            "replies": keeper.total.uplinks,
            "last_push_at": keeper.last_push_at,
            "covered_until": stands.covered_until,
            "spooled": keeper.spooled,
            "unparsed": stands.unparsed,
            "not_read": keeper.total.rejected + keeper.total.set_aside,
            "turned_away": self._app.turned_away if self._app else 0,
            "refused": self._door.refused if self._door else 0,
            "problem": keeper.failing.text("en") if keeper.failing else None,
        }
        if self._forwarder is not None:
            figures |= {"forwarded": self._forwarder.forwarded, "forward_failed": self._forwarder.failed}
        return figures

    def _addresses(self) -> Text:
        """Say the two addresses: whole where their path has just been made, since logs are read by others too."""
        file = _path_file(self.store.path).name
        if not self._is_path_new:
            return Text(
                "Listening on {host}:{port}. The two addresses are as they were: the secret path is the one given, or in {file}.",
                code="listening",
                host=self.host,
                port=self.port,
                file=file,
            )
        self._is_path_new = False
        return Text(
            "Have these two addresses set on the interface account (管理 → 接口管理 → 短信接入用户管理), with the host by which "
            "the platform reaches this machine: {reports} for reports, {replies} for replies. They are said this once: their "
            "secret path is kept in {file}.",
            code="set_these_addresses",
            reports=self.report_url,
            replies=self.uplink_url,
            file=file,
        )

    def _url(self, what: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/{self.path}/{what}"

    def _keep(self, request: Request) -> bool:
        kept = self._keeper.put(request)
        if kept and self._forwarder is not None:
            self._forwarder.put(request)
        return kept

    def _standing(self) -> tuple[dict[str, Any], bool]:
        figures = self.health()
        self.store.intake.close_thread()
        return figures, figures["problem"] is None

    def _serve(self, door: Door) -> None:
        self._app = PushApp(
            self.path,
            self._keep,
            self._standing,
            admits=lambda address: allows(self._allowed, address),
            now=self.clock.now,
            rate=self.limits.rate,
        )
        serve(door, self._app, self.limits, self._proxy, self._stop)


def _checked_path(path: str) -> str:
    path = path.strip("/")
    if _PATH.fullmatch(path) is None:
        raise InputError(
            "path: 16 to 100 letters, digits, - and _ are needed, so that nobody guesses it; leave it out and one is made."
        )
    return path


def _checked_proxy(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        raise InputError(
            "behind_proxy={address!r} is no address: write the proxy's as it connects from, such as 127.0.0.1",
            address=address,
        ) from None


def _path_file(store: Path) -> Path:
    return store.with_name(store.name + ".receive-path")


def _kept_path(store: Path) -> tuple[str, bool]:
    """Return the secret path of a store's receiver, and whether it has just been made: the platform's settings must stay right.

    It is written beside and put in its place whole, so that a machine that stops leaves no half of one.
    """
    file = _path_file(store)
    if kept := _read_path(file):
        return kept, False
    with alone_with(file):
        if kept := _read_path(file):
            return kept, False
        made, draft = secrets.token_urlsafe(24), file.with_name(file.name + ".new")
        remove_file(draft)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
            writing.write(made + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        replace_file(draft, file)
    with contextlib.suppress(OSError):
        file.with_name(file.name + ".lock").unlink()  # held by a process that begins too: it stays
    return made, True


def _read_path(file: Path) -> str | None:
    with contextlib.suppress(OSError):
        kept = file.read_text("utf-8").strip()
        if _PATH.fullmatch(kept):
            return kept
    return None
