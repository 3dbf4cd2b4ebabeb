"""Find out what stands in the way of sending and collecting, without sending a message or taking a report away."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from masanalytics.account import Account
from masanalytics.client import Client
from masanalytics.client.trust import address_of, changed_certificate
from masanalytics.clock import Clock, SystemClock
from masanalytics.errors import ConfigError, MasError, NetworkError
from masanalytics.i18n import choose
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
        ``configuration``, ``connection``, ``certificate``, ``clock``, ``database`` or ``disk``.
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
        findings.append(Finding("configuration", ok=False, text=problem.text(language) if problem else ""))
    else:
        findings += _configuration(account, language)
        findings += _server(client or Client(account), account, clock or SystemClock(), language)
    if store_path is not None:
        findings += _database(Path(store_path).expanduser(), language)
    return findings


def _configuration(account: Account, language: str | None) -> list[Finding]:
    text = choose(
        f"account {account.name} at {account.url}, complete.",
        f"账号 {account.name}，地址 {account.url}，配置完整。",
        language,
    )
    if account.sign:
        return [Finding("configuration", ok=True, text=text)]
    advice = choose(
        "sign is empty: collecting works, but a submit is refused (NoSignId). Set MAS_SIGN to the signature's code.",
        "sign 为空：可以收取回执，但发送会被拒绝（NoSignId）。请把 MAS_SIGN 设为签名编码。",
        language,
    )
    return [Finding("configuration", ok=None, text=text, advice=advice)]


def _server(client: Client, account: Account, clock: Clock, language: str | None) -> list[Finding]:
    """Look at the server, as far as it can be reached."""
    connection = _connection(client, account, language)
    if not connection.ok:
        return [connection, _clock(None, clock, language)]
    if account.url.startswith("http://"):
        plain = Finding(
            "certificate",
            ok=None,
            text=choose("plain HTTP: no certificate.", "明文 HTTP：没有证书。", language),
            advice=choose(
                "Polls send the secret key unprotected; use https:// if the account allows it.",
                "查询时密钥会明文传输；如账号支持，请使用 https://。",
                language,
            ),
        )
        return [connection, plain, _clock(_server_time(client, account), clock, language)]
    certificate, shown = _certificate(client, account, clock, language)
    if certificate.ok is False:
        return [connection, certificate, _clock(None, clock, language)]
    # Asked under the certificate just seen, so that nothing is remembered and nobody else answers.
    asked = replace(account, tls=shown) if account.tls in ("first-use", "unverified") else account
    return [connection, certificate, _clock(_server_time(client, asked), clock, language)]


def _connection(client: Client, account: Account, language: str | None) -> Finding:
    where = address_of(account.url)
    if client.network.proxies:
        text = choose("through the proxy given in proxies=.", "通过 proxies= 指定的代理。", language)
        return Finding("connection", ok=True, text=text)
    try:
        with socket.create_connection(where, timeout=client.network.timeout[0]):
            pass
    except (OSError, UnicodeError) as error:
        reach, detail = classify(error)
        return Finding("connection", ok=False, text=unreachable(reach, host_key(*where), detail).text(language))
    text = choose(f"{host_key(*where)} accepts connections.", f"{host_key(*where)} 可以连接。", language)
    return Finding("connection", ok=True, text=text)


def _certificate(client: Client, account: Account, clock: Clock, language: str | None) -> tuple[Finding, str]:
    """Return the finding, and the fingerprint the server shows."""
    host, port = address_of(account.url)
    proxy = next(iter(client.network.proxies.values()), None)
    legacy = client.network.legacy_tls
    try:
        der = fetch_certificate(host, port, client.network.timeout[0], legacy=legacy, proxy=proxy)
        shown = fingerprint_of(der)
        expected = _expected(client, account)
    except MasError as error:
        return Finding(
            "certificate", ok=False, text=error.text(language), advice=_legacy(client, account, error, language)
        ), ""
    if expected not in ("", shown):
        return Finding(
            "certificate", ok=False, text=changed_certificate(account, expected, shown).text(language)
        ), shown
    text = _mode(account, expected, shown, language) + _validity(certificate_expiry(der), clock, language)
    if account.tls == "unverified":
        advice = choose(
            f"Anyone in between could read the secret key: tls='{shown}' pins this certificate.",
            f"中间人可能读到密钥：可用 tls='{shown}' 固定此证书。",
            language,
        )
        return Finding("certificate", ok=None, text=text, advice=advice), shown
    return Finding("certificate", ok=True, text=text), shown


def _expected(client: Client, account: Account) -> str:
    if account.tls.startswith("sha256:"):
        return account.tls
    if account.tls == "first-use":
        return KnownHosts(client.network.known_hosts).get(*address_of(account.url)) or ""
    return ""


def _legacy(client: Client, account: Account, error: MasError, language: str | None) -> str:
    """Say so if only old TLS would do."""
    if not isinstance(error, NetworkError) or error.retryable or client.network.legacy_tls:
        return ""
    try:
        fetch_certificate(*address_of(account.url), client.network.timeout[0], legacy=True)
    except NetworkError:
        return ""
    return choose(
        "The server speaks only old TLS: Client(account, legacy_tls=True) reaches it.",
        "服务器只支持旧版 TLS：使用 Client(account, legacy_tls=True) 可以连接。",
        language,
    )


def _mode(account: Account, expected: str, shown: str, language: str | None) -> str:
    short = short_fingerprint(shown)
    if expected:
        return choose(f"{short}, the expected one", f"{short}，与记录一致", language)
    if account.tls == "first-use":
        return choose(
            f"{short}, not met before; the first request will remember it",
            f"{short}，首次遇到，第一次请求时将记住",
            language,
        )
    return choose(f"{short}, tls={account.tls}", f"{short}，tls={account.tls}", language)


def _validity(until: int | None, clock: Clock, language: str | None) -> str:
    if until is None:
        return ""
    day = format_instant(until)[:10]
    if until < clock.now():
        return choose(f"; it ran out on {day}", f"；已于 {day} 过期", language)
    if until - clock.now() < _SOON_S:
        return choose(
            f"; it runs out on {day}, and its successor will have to be accepted",
            f"；将于 {day} 到期，届时需确认新证书",
            language,
        )
    return choose(f"; valid until {day}", f"；有效期至 {day}", language)


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


def _clock(there: float | None, clock: Clock, language: str | None) -> Finding:
    here = clock.now()
    if here < _SANE_SINCE:
        text = choose(
            f"this machine's clock says {format_instant(here)}.", f"本机时钟为 {format_instant(here)}。", language
        )
        return Finding("clock", ok=False, text=text, advice=choose("Set it.", "请校准时间。", language))
    if there is None:
        text = choose("plausible; the server does not tell its own.", "时间合理；服务器未提供时间。", language)
        return Finding("clock", ok=True, text=text)
    ahead = round(here - there)
    if abs(ahead) <= _SKEW_S:
        text = choose("agrees with the server's.", "与服务器时间一致。", language)
        return Finding("clock", ok=True, text=text)
    text = choose(
        f"this machine's clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the server's.",
        f"本机时钟比服务器{'快' if ahead > 0 else '慢'} {abs(ahead)} 秒。",
        language,
    )
    advice = choose(
        "Set it: how long messages have been waited for is measured against it.",
        "请校准：待回执的时长以本机时钟计算。",
        language,
    )
    return Finding("clock", ok=False, text=text, advice=advice)


def _database(path: Path, language: str | None) -> list[Finding]:
    # Never opened as a plain file: closing that would drop the locks this process holds on the database.
    folder = path.parent
    if not folder.is_dir():
        text = choose(f"the folder {folder} does not exist.", f"文件夹 {folder} 不存在。", language)
        return [Finding("database", ok=False, text=text, advice=choose("Make it.", "请创建。", language))]
    disk = _disk(folder, language)
    if path.exists():
        return [_file(path, language), disk]
    writable = os.access(folder, os.W_OK)
    text = choose(
        f"{path} does not exist yet; {'it will be made when it is first used' if writable else 'its folder is read-only'}.",
        f"{path} 尚不存在；{'首次使用时会自动创建' if writable else '所在文件夹只读'}。",
        language,
    )
    return [Finding("database", ok=writable, text=text), disk]


def _file(path: Path, language: str | None) -> Finding:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=1, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        busy = "locked" in str(error)
        advice = (
            choose("Someone else is writing to it; try again later.", "其他程序正在写入，请稍后再试。", language)
            if busy
            else choose(
                "Reports cannot be kept there: put the right file and its permissions in place before collecting.",
                "无法在此保存回执：请先确认文件正确且有写入权限，再开始收取。",
                language,
            )
        )
        return Finding("database", ok=None if busy else False, text=f"{path}: {error}", advice=advice)
    beside = path.with_name(path.name + "-wal")
    size = path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
    text = choose(
        f"{path} is writable, {size / _MB:.1f} MB, journal mode {mode}.",
        f"{path} 可写，{size / _MB:.1f} MB，日志模式 {mode}。",
        language,
    )
    if mode == "wal":
        return Finding("database", ok=True, text=text)
    advice = choose(
        "It is not in WAL mode, so readers and the collector block each other; opening it with Store(path) sets that.",
        "未启用 WAL 模式，读取与收取会互相阻塞；用 Store(path) 打开即可启用。",
        language,
    )
    return Finding("database", ok=None, text=text, advice=advice)


def _disk(folder: Path, language: str | None) -> Finding:
    free = shutil.disk_usage(folder).free
    text = choose(f"{free / _MB:,.0f} MB free in {folder}.", f"{folder} 剩余空间 {free / _MB:,.0f} MB。", language)
    if free >= _LITTLE_DISK:
        return Finding("disk", ok=True, text=text)
    advice = choose(
        "Make room: reports come once and need a place.", "请清理空间：回执只提供一次，必须有地方保存。", language
    )
    return Finding("disk", ok=False if free < _NO_DISK else None, text=text, advice=advice)
