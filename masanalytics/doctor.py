"""Find out what stands in the way of sending and collecting, without sending a message or taking a report away."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from masanalytics.account import Account, Budget
from masanalytics.client import Client
from masanalytics.client.trust import address_of, changed_certificate
from masanalytics.clock import Clock, SystemClock
from masanalytics.errors import ConfigError, MasError, NetworkError, StoreError
from masanalytics.i18n import _, speaks
from masanalytics.paths import full_path, is_on_network
from masanalytics.store.file_version import check_not_newer
from masanalytics.store.spending import account_periods
from masanalytics.timezone import format_instant
from masanalytics.tls import (
    KnownHosts,
    certificate_expiry,
    classify,
    fetch_certificate,
    fingerprint_of,
    host_key,
    short_fingerprint,
    unreachable,
)

__all__ = ["Finding", "check"]

_SKEW_S = 60
_CALAMINE = (0, 9, 1)
_LISTENS_S = 60
_SANE_SINCE = 1_767_225_600  # 2026: a clock before it was never set
_SOON_S = 30 * 86400
_MB = 1 << 20
_LITTLE_DISK = 1024 * _MB
_NO_DISK = 100 * _MB


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        ``configuration``, ``protocol``, ``connection``, ``certificate``, ``clock``, ``workbooks``, ``database``, ``disk`` or
        ``receiver``.
    ok : bool or None
        Whether it is well; None where it is worth knowing but stands in no way.
    text : str
        What was found.
    advice : str
        What to do, or ``""``.
    """

    name: str
    ok: bool | None
    text: str
    advice: str = ""


@speaks
def check(
    account: Account | None = None,
    store_path: str | os.PathLike[str] | None = None,
    *,
    client: Client | None = None,
    problem: ConfigError | None = None,
    clock: Clock | None = None,
    language: str | None = None,
) -> list[Finding]:
    """Look at configuration, connection, certificate, clock and database, and explain each.

    The server is asked for its certificate and, with a bare HEAD, for the time. Nothing of the account is sent, no
    message leaves and no report is taken away; a certificate that is seen here is not remembered.

    Parameters
    ----------
    account : Account, optional
        By default `client`'s, else the one of the environment and ``.env``.
    store_path : path, optional
        The SQLite file, which need not exist yet.
    client : Client, optional
        Whose way to the network (proxies, timeouts, memory of certificates) to use.
    problem : ConfigError, optional
        Why there is no account, where reading one has failed already.
    clock : Clock, optional
        What time it is.
    language : {"en", "zh"}, optional
        By default the user's own.

    Returns
    -------
    list of Finding
    """
    findings: list[Finding] = []
    if account is None:
        account = client.account if client is not None else None
    if account is None and problem is None:
        try:
            account = Account.from_env()
        except ConfigError as error:
            problem = error
    if account is None:
        findings.append(Finding("configuration", ok=False, text=problem.text() if problem else ""))
    else:
        findings += [*_configuration(account), _protocol(account)]
        findings += _server(client or Client(account), account, clock or SystemClock())
    findings += _workbooks()
    if store_path is not None:
        path = full_path(store_path, "store_path")
        findings += _database(path)
        if account is not None and account.is_pushed:
            findings.append(_receiver(account, path, clock or SystemClock()))
        findings += [*_parts(path), *_budget(account, path, clock or SystemClock())]
    return findings


def _workbooks() -> list[Finding]:
    """Name a python-calamine that reads the Chinese date formats of Excel as numbers."""
    try:
        installed = version("python-calamine")
    except PackageNotFoundError:
        return []
    if tuple(map(int, re.findall(r"\d+", installed)[:3])) >= _CALAMINE:
        return []
    text = _(
        "python-calamine {version} reads dates that Excel shows as 2025年4月14日 as numbers such as 45761.",
        version=installed,
    )
    advice = _(
        "Install {wanted} or newer: pip install -U 'masanalytics[excel]'",
        wanted="python-calamine " + ".".join(map(str, _CALAMINE)),
    )
    return [Finding("workbooks", ok=False, text=text, advice=advice)]


def _configuration(account: Account) -> list[Finding]:
    text = _("account {name} at {url}, complete.", name=account.name, url=account.url)
    if account.sign:
        return [Finding("configuration", ok=True, text=text)]
    advice = _(
        "sign is empty: collecting works, but a submit is rejected (NoSignId). Set MAS_SIGN to the signature's code."
    )
    return [Finding("configuration", ok=None, text=text, advice=advice)]


def _protocol(account: Account) -> Finding:
    """Say which flavour of the interface is spoken, and what that means for reports."""
    if not account.is_pushed:
        text = _("HTTPS interface: plain messages go to /sms/submit, reports and replies are polled.")
        if account.url.startswith("https://"):
            return Finding("protocol", ok=True, text=text)
        advice = _("If the interface account was made for HTTP, give protocol='http' (MAS_PROTOCOL=http).")
        return Finding("protocol", ok=None, text=text, advice=advice)
    text = _(
        "HTTP interface: plain messages go to /sms/norsubmit; reports and replies are pushed and cannot be polled."
    )
    advice = _(
        "Run `masanalytics receive` and have its two URLs set on the interface account; 是否接收回执 must be 是. If the account "
        "was made for HTTPS, give protocol='https' (MAS_PROTOCOL=https)."
    )
    return Finding("protocol", ok=None, text=text, advice=advice)


def _server(client: Client, account: Account, clock: Clock) -> list[Finding]:
    """Look at the server, as far as it can be reached."""
    connection = _connection(client, account)
    if not connection.ok:
        return [connection, _clock(None, clock)]
    if account.url.startswith("http://"):
        plain = Finding(
            "certificate",
            ok=None,
            text=_("plain HTTP: no certificate."),
            advice=_("Messages and numbers travel unprotected; have the account made for HTTPS if you can.")
            if account.is_pushed
            else _("Polls send the secret key unprotected; use https:// if the account allows it."),
        )
        return [connection, plain, _clock(_server_time(client, account), clock)]
    certificate, fingerprint = _certificate(client, account, clock)
    if certificate.ok is False:
        return [connection, certificate, _clock(None, clock)]
    # Asked under the certificate just seen, so that nothing is remembered and nobody else answers.
    pinned = replace(account, tls=fingerprint) if account.tls in ("first-use", "unverified") else account
    return [connection, certificate, _clock(_server_time(client, pinned), clock)]


def _connection(client: Client, account: Account) -> Finding:
    where = address_of(account.url)
    if client.network.proxies:
        text = _("through the proxy given in proxies=.")
        return Finding("connection", ok=True, text=text)
    try:
        with socket.create_connection(where, timeout=client.network.timeout[0]):
            pass
    except (OSError, UnicodeError) as error:
        reach, detail = classify(error)
        return Finding("connection", ok=False, text=unreachable(reach, host_key(*where), detail).text())
    text = _("{server} accepts connections.", server=host_key(*where))
    return Finding("connection", ok=True, text=text)


def _certificate(client: Client, account: Account, clock: Clock) -> tuple[Finding, str]:
    """Return the finding, and the fingerprint the server shows."""
    host, port = address_of(account.url)
    proxy = next(iter(client.network.proxies.values()), None)
    legacy = client.network.legacy_tls
    try:
        der = fetch_certificate(host, port, client.network.timeout[0], legacy=legacy, proxy=proxy)
        fingerprint = fingerprint_of(der)
        expected = _expected(client, account)
    except MasError as error:
        return Finding("certificate", ok=False, text=error.text(), advice=_legacy(client, account, error)), ""
    if expected not in ("", fingerprint):
        return Finding(
            "certificate", ok=False, text=changed_certificate(account, expected, fingerprint).text()
        ), fingerprint
    text = _mode(account, expected, fingerprint) + _validity(certificate_expiry(der), clock)
    if account.tls == "unverified":
        advice = _(
            "Anyone in between could read the secret key: tls='{fingerprint}' pins this certificate.",
            fingerprint=fingerprint,
        )
        return Finding("certificate", ok=None, text=text, advice=advice), fingerprint
    return Finding("certificate", ok=True, text=text), fingerprint


def _expected(client: Client, account: Account) -> str:
    if account.tls.startswith("sha256:"):
        return account.tls
    if account.tls == "first-use":
        return KnownHosts(client.network.known_hosts).get(*address_of(account.url)) or ""
    return ""


def _legacy(client: Client, account: Account, error: MasError) -> str:
    """Say so if only old TLS would do."""
    if not isinstance(error, NetworkError) or error.retryable or client.network.legacy_tls:
        return ""
    try:
        fetch_certificate(*address_of(account.url), client.network.timeout[0], legacy=True)
    except NetworkError:
        return ""
    return _("The server speaks only old TLS: Client(account, legacy_tls=True) reaches it.")


def _mode(account: Account, expected: str, fingerprint: str) -> str:
    short = short_fingerprint(fingerprint)
    if expected:
        return _("{short}, the expected one", short=short)
    if account.tls == "first-use":
        return _("{short}, not met before; the first request will remember it", short=short)
    return _("{short}, tls={tls}", short=short, tls=account.tls)


def _validity(until: int | None, clock: Clock) -> str:
    if until is None:
        return ""
    day = format_instant(until)[:10]
    if until < clock.now():
        return _("; it ran out on {day}", day=day)
    if until - clock.now() < _SOON_S:
        return _("; it runs out on {day}, and its successor will have to be accepted", day=day)
    return _("; valid until {day}", day=day)


def _server_time(client: Client, account: Account) -> float | None:
    network = client.network
    try:
        with Client(
            account,
            timeout=network.timeout,
            proxies=network.proxies,
            legacy_tls=network.legacy_tls,
            known_hosts=network.known_hosts,
        ) as asking:
            return asking.server_time()
    except MasError:
        return None


def _clock(there: float | None, clock: Clock) -> Finding:
    here = clock.now()
    if here < _SANE_SINCE:
        text = _("this machine's clock says {time}.", time=format_instant(here))
        return Finding("clock", ok=False, text=text, advice=_("Set it."))
    if there is None:
        text = _("plausible; the server does not tell its own.")
        return Finding("clock", ok=True, text=text)
    ahead = round(here - there)
    if abs(ahead) <= _SKEW_S:
        text = _("agrees with the server's.")
        return Finding("clock", ok=True, text=text)
    if ahead > 0:
        text = _("this machine's clock is {seconds} s ahead of the server's.", seconds=ahead)
    else:
        text = _("this machine's clock is {seconds} s behind the server's.", seconds=-ahead)
    advice = _("Set it: how long messages have been waited for is measured against it.")
    return Finding("clock", ok=False, text=text, advice=advice)


def _database(path: Path) -> list[Finding]:
    # Never opened as a plain file: closing that would drop the locks this process holds on the database.
    folder = path.parent
    if not folder.is_dir():
        text = _("the folder {folder} does not exist.", folder=folder)
        return [Finding("database", ok=False, text=text, advice=_("Make it."))]
    disk = _disk(folder)
    if path.exists():
        return [_file(path), disk]
    writable = os.access(folder, os.W_OK)
    if writable:
        text = _("{path} does not exist yet; it will be made when it is first used.", path=path)
    else:
        text = _("{path} does not exist yet; its folder is read-only.", path=path)
    return [Finding("database", ok=writable, text=text), disk]


def _parts(path: Path) -> list[Finding]:
    """Say how the reports of long messages come, as far as the store has learned it."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            rows = connection.execute(
                "SELECT account, by_part, messages, complete FROM parts JOIN accounts USING (account_id) WHERE messages > 0"
                " ORDER BY account"
            ).fetchall()
    except sqlite3.Error:
        return []
    findings = []
    for account, by_part, messages, complete in rows:
        known = _("{complete:,} of {messages:,} delivered long messages had all", complete=complete, messages=messages)
        how = _("each part") if by_part else _("a long message once")
        text = _("{account} reports {how} ({known}).", account=account, how=how, known=known)
        findings.append(Finding("parts", ok=True, text=text))
    return findings


def _budget(account: Account | None, path: Path, clock: Clock) -> list[Finding]:
    """Say what is left of the account's budget by this store, where it has one."""
    budget = None if account is None else Budget.of(account)
    if account is None or budget is None:
        return []
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            periods = account_periods(connection, account.key, budget, clock.now())
    except sqlite3.Error:  # nothing was sent with it yet, or the file says elsewhere what is wrong with it
        periods = budget.periods(clock.now())
    spent = [period for period in periods if not period.left]
    advice = [_("It resets on {day} at 00:00 (China time).", day=period.resets_on) for period in spent]
    text = _("{left}.", left=_("; ").join(str(period.words()) for period in periods))
    return [Finding("budget", ok=None if spent else True, text=text, advice=" ".join(advice[-1:]))]


def _receiver(account: Account, path: Path, clock: Clock) -> Finding:
    """Say whether anything has been pushed into the store, and how far a receiver has listened."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            pushed_at, covered_until = connection.execute(
                "SELECT (SELECT max(asked_at) FROM polls WHERE account_id = a.account_id),"
                " (SELECT max(ended_at) FROM coverage WHERE account_id = a.account_id) FROM accounts a WHERE account IN (?, ?)"
                " ORDER BY length(account) DESC",
                [account.name, account.key.shown_apart],
            ).fetchone() or (None, None)
    except sqlite3.Error:
        pushed_at = covered_until = None
    if pushed_at is None or covered_until is None:
        text = _("nothing has been pushed into {path} yet.", path=str(path))
        advice = _(
            "Run `masanalytics receive`, have its addresses set, and push to it yourself: see the operators' page."
        )
        return Finding("receiver", ok=None, text=text, advice=advice)
    text = _(
        "the last push came at {pushed}; a receiver has listened until {covered}.",
        pushed=format_instant(pushed_at),
        covered=format_instant(covered_until),
    )
    if clock.now() - covered_until <= _LISTENS_S:
        return Finding("receiver", ok=True, text=text)
    advice = _("None listens now: what is pushed meanwhile is lost after three tries. Run `masanalytics receive`.")
    return Finding("receiver", ok=False, text=text, advice=advice)


def _file(path: Path) -> Finding:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=1, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            check_not_newer(connection, path.name)
        finally:
            connection.close()
    except StoreError as error:
        return Finding("database", ok=False, text=str(error))
    except sqlite3.Error as error:
        busy = "locked" in str(error)
        advice = (
            _("Someone else is writing to it; try again later.")
            if busy
            else _("Reports cannot be kept there: put the right file and its permissions in place before collecting.")
        )
        return Finding("database", ok=None if busy else False, text=f"{path}: {error}", advice=advice)
    beside = path.with_name(path.name + "-wal")
    size = path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
    text = _("{path} is writable, {size:.1f} MB, journal mode {mode}.", path=path, size=size / _MB, mode=mode)
    if mode == "wal":
        return Finding("database", ok=True, text=text)
    advice = _(
        "It is not in WAL mode, so readers and the collector block each other; opening it with Store(path) sets that."
    )
    return Finding("database", ok=None, text=text, advice=advice)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = _("{free:,.0f} MB free in {folder}.", free=free / _MB, folder=folder)
    if is_on_network(folder.resolve()):
        advice = _(
            "Keep the database on a disk of this machine: on a network drive SQLite's locks do not hold, and it breaks."
        )
        return Finding("disk", ok=False, text=_("{folder} is on a network drive.", folder=folder), advice=advice)
    if free >= _LITTLE_DISK:
        return Finding("disk", ok=True, text=text)
    advice = _("Make room: reports come once and need a place.")
    return Finding("disk", ok=False if free < _NO_DISK else None, text=text, advice=advice)
