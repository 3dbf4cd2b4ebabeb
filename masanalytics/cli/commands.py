"""The short commands: each calls one function of the package and prints what it returns."""

from __future__ import annotations

import sys
import time
from codecs import BOM_UTF8
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from masanalytics.cli.options import (
    UserPath,
    command,
    find_account,
    option,
    with_account,
    with_existing_store,
    with_existing_stores,
    with_store,
)
from masanalytics.cli.outlet import never_end_the_work
from masanalytics.errors import ConfigError, InputError
from masanalytics.i18n import _, ngettext

__all__ = ["archive", "codes", "demo", "doctor", "export", "fingerprint", "receive", "report", "simulator"]

_MARKS = {True: ("ok", "green"), False: ("!!", "red"), None: ("--", "yellow")}


@command
@option("--folder", type=UserPath(file_okay=False, path_type=Path), help="Where the files go; a new one by default.")
def demo(folder: Path | None) -> None:
    """Watch 2,000 customers being messaged, on a simulated platform in this process.

    Needs no account and no network; leaves a SQLite file, three charts and an HTML page.
    """
    from masanalytics.demo import run_demo

    run_demo(folder, language=None, echo=click.echo)


@command
@click.argument("path", type=UserPath(dir_okay=False), default="report.html")
@with_existing_stores
@option("--campaign", multiple=True, help="Only this campaign; can be given several times.")
@option("--since", help="Only what was submitted from this day on, as 2026-03-01, or for so long, as 7d.")
@option("--until", help="Only what was submitted before this day.")
@option("--against", type=click.Choice(["previous"]), help="Set it against the equally long period before.")
@option("--price", type=float, help="Of one segment, in yuan: what it cost, and what of it bought nothing.")
@option("--by", multiple=True, help="Break the rate down by this column: carrier, province, city, day, hour ...")
@option("--title", help="The report's title.")
@option("--reveal", is_flag=True, help="Show whole phone numbers in names; masked by default.")
def report(path: str, db: tuple[str, ...], campaign: tuple[str, ...], by: tuple[str, ...], **options: Any) -> None:
    """Write one file to hand on, HTML or Excel.

    PATH ends in .html or .xlsx. An earlier file of that name is replaced.
    """
    from masanalytics.report import write_report
    from masanalytics.store import Store

    given = {name: value for name, value in options.items() if value is not None}
    if campaign:  # one campaign names the report, several narrow it
        given["campaign"] = campaign[0] if len(campaign) == 1 else list(campaign)
    with ExitStack() as opened:
        data: list[Any] = [one if Path(one).is_dir() else opened.enter_context(Store(one)) for one in db]
        if len(data) == 1 and isinstance(data[0], Store):
            for name in campaign:
                data[0].sends.check_campaign(name)
        written = write_report(data if len(data) > 1 else data[0], path, by=by or None, **given)
    click.echo(str(written))


@command
@click.argument("folder", type=UserPath(file_okay=False))
@with_existing_store
@option("--reveal", is_flag=True, help="Write whole phone numbers; masked by default.")
@option(
    "--hash-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Write keyed hashes of the numbers; this file holds the key.",
)
@option("--uplinks", is_flag=True, help="Write the replies too, to FOLDER/_uplinks.")
def export(folder: str, db: str, *, reveal: bool, hash_key: Path | None, uplinks: bool) -> None:
    """Bring a folder of Parquet files up to date, one an account and month, for DuckDB, Spark or pandas.

    Only what has changed is written again; it can be interrupted, and run by a timer. Prints the files of messages.
    """
    from masanalytics.store import Store

    if hash_key and reveal:
        raise click.UsageError(_("--reveal writes whole numbers, --hash-key hashes of them: give one of the two"))
    # An editor's mark of the encoding is no part of the key.
    key = hash_key.read_bytes().removeprefix(BOM_UTF8).strip() if hash_key else None
    if key == b"":
        raise click.BadParameter(
            _("{file} is empty: it must hold the key", file=str(hash_key)), param_hint="--hash-key"
        )
    with Store(db) as store:
        files = store.export_parquet(folder, reveal=reveal, phones="hashed" if key else None, key=key, uplinks=uplinks)
    for file in files:
        click.echo(file)


@command
@click.argument("folder", type=UserPath(file_okay=False))
@option("--before", required=True, help="Months that end before it: a day, as 2026-03-01, or an age, as 180d.")
@with_existing_store
def archive(folder: str, db: str, *, before: str) -> None:
    """Move settled months out of the store into Parquet files, which Archive(folder, store) analyses with the live ones.

    Nobody is sent anything twice for it, and reports that come late are counted. The folder is part of the ledger: keep it safe.
    """
    from masanalytics.store import Store

    with Store(db) as store:
        done = store.archive(before, folder)
    if done.messages:
        moved = ngettext("{count:,} message", "{count:,} messages", done.messages)
        click.echo(_("Archived {messages} of {months}.", messages=moved, months=", ".join(done.months)))
    else:
        click.echo(_("Nothing was archived."))
    if done.waiting:
        click.echo(_("Not settled yet: {months}.", months=", ".join(done.waiting)))
    for reason in done.reasons:
        click.echo(f"  {reason}")


@command
@click.argument("codes", nargs=-1, required=True)
@option("--carrier", help="The recipient's carrier: numbers-only codes are known for China Unicom only.")
def codes(codes: tuple[str, ...], carrier: str | None) -> None:
    """Look up what status-report codes mean, such as MK:0012 or DB:0140."""
    from masanalytics.codes import describe_code

    for code in codes:
        described = describe_code(code, carrier=carrier)
        click.echo(f"{code}  [{described.category}]  {described.meaning}\n    {described.advice}")


@command
@option("--port", type=int, default=8443, show_default=True, help="0 takes any that is free.")
@option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@option("--http", is_flag=True, help="Plain HTTP instead of HTTPS.")
@option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same fates.")
@option("--speed", type=float, default=1.0, show_default=True, help="How many times faster than real time runs.")
@option("--strict", is_flag=True, help="Reject whatever deviates from the interface document.")
@option(
    "--account",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with the platform's account: ec_name, ap_id, secret_key, sign, templates.",
)
@option("--mine", is_flag=True, help="The account of MAS_* and .env, so that a client need not be changed.")
@option("--ec-name", help="Its enterprise name (ecName).")
@option("--ap-id", help="Its user name (apId).")
@option(
    "--secret-key",
    help="Its password: of an account made up, since a command line is seen by others; your own: --mine.",
)
@option(
    "--sign", "signs", multiple=True, help="A signature's code; may be repeated, as for plain and template messages."
)
@option(
    "--template", "templates", multiple=True, metavar="ID=TEXT", help="An approved template's text; may be repeated."
)
@option("--push", metavar="URL", help="Push reports and replies there, as to an HTTP account; plain HTTP then.")
@option("--push-replies", metavar="URL", help="Push replies there instead.")
@option("--minutes", is_flag=True, help="Reports whose times have no seconds.")
@option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,NAME=VALUE]",
    help="What goes wrong on purpose, such as drop_after,endpoint=submit,every=20; may be repeated.",
)
def simulator(**asked: Any) -> None:
    """Run a local platform that takes messages and hands out reports and replies, for any client in any language."""
    from masanalytics.simulator import Push, Style, asked_accounts, asked_fault, closing_lines, serve

    settings = {name: asked[name] for name in ("port", "host", "seed", "speed", "strict")}
    pushed = asked["push"] or asked["push_replies"]
    push = Push(asked["push"] or asked["push_replies"], asked["push_replies"] or "") if pushed else None
    changes = {name: asked[name] for name in ("ec_name", "ap_id", "secret_key", "signs")}
    changes["templates"] = dict(map(_named_text, asked["templates"]))
    accounts = asked_accounts(asked["account"], mine=asked["mine"], changes=changes)
    style = Style(minutes=asked["minutes"])
    faults = list(map(asked_fault, asked["faults"]))
    with serve(https=not (asked["http"] or push), push=push, style=style, accounts=accounts, **settings) as platform:
        for fault in faults:
            platform.fault(fault)
        click.echo(_("Simulator running; stop it with Ctrl-C."))
        for name, value in platform.settings().items():
            click.echo(f"{name}={value}")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            click.echo("\n" + "\n".join(closing_lines(platform)))


def _named_text(written: str) -> tuple[str, str]:
    name, between, text = written.partition("=")
    if not between or not name.strip():
        raise InputError("--template {written!r}: write ID=TEXT, such as 38516fab=您的验证码是{{1}}", written=written)
    return name.strip(), text


@command
@click.argument("address", metavar="HOST:PORT")
@option("--accept", is_flag=True, help="Remember this certificate, replacing the one remembered before.")
@option("--legacy-tls", is_flag=True, help="For platforms that only speak old TLS.")
def fingerprint(address: str, *, accept: bool, legacy_tls: bool) -> None:
    """Show the SHA-256 fingerprint of a platform's certificate, to compare with what the operator tells you."""
    from masanalytics.client import known_hosts_path
    from masanalytics.tls import KnownHosts, fetch_fingerprint, split_address

    host, port = split_address(address)
    digest = fetch_fingerprint(host, port, legacy=legacy_tls)
    click.echo(digest)
    if accept:
        KnownHosts(known_hosts_path()).remember(host, port, digest, replace=True)
        click.echo(_("Remembered for {host}:{port}.", host=host, port=port))


@command
@with_account
@with_store
def doctor(profile: str | None, env_file: str | None, db: str) -> None:
    """Check settings, certificate, clock and store, and explain each finding. Sends nothing and fetches no report."""
    from masanalytics.doctor import check

    account, problem = None, None
    try:
        account = find_account(profile, env_file)
    except ConfigError as error:
        problem = error
    findings = check(account, store_path=db, problem=problem)
    for finding in findings:
        mark, colour = _MARKS[finding.ok]
        click.secho(f"{mark}  {finding.name}: ", fg=colour, nl=False)
        click.echo(finding.text)
        if finding.advice:
            click.echo(f"      {finding.advice}")
    sys.exit(int(any(finding.ok is False for finding in findings)))


@command
@option("--host", default="127.0.0.1", show_default=True, help="The address it listens on; 0.0.0.0 for all.")
@option("--port", type=int, default=8090, show_default=True, help="0 takes any that is free.")
@option("--path", help="The secret first part of its addresses; by default made once and kept beside the store.")
@option("--allow", multiple=True, metavar="ADDRESS", help="An address or network that may push; may be repeated.")
@option("--behind-proxy", metavar="ADDRESS", help="The proxy whose X-Forwarded-For is believed.")
@option("--forward", metavar="URL", help="Pass every push on to another system.")
@option("--json", "as_json", is_flag=True, help="Lines of JSON.")
@option("--health", type=click.Path(dir_okay=False, path_type=Path), help="A file rewritten every five seconds.")
@with_account
@with_store
@click.pass_context
def receive(ctx: click.Context, /, **_given: object) -> None:
    """Listen for reports and replies that the platform pushes to an HTTP account, and keep them in the store.

    The two addresses it prints are to be set on the interface account. Each push is answered once it is on disk; whatever is
    pushed while nothing listens is lost after three tries. TLS and the way in from outside are a proxy's.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 wrong settings, 3 stopped by an error.
    """
    from masanalytics.receiving import Receiver
    from masanalytics.receiving.service import receive_forever
    from masanalytics.store import Store

    never_end_the_work(sys.stdout)
    asked: dict[str, Any] = ctx.params
    account = find_account(asked["profile"], asked["env_file"])
    if not account.is_pushed:
        said = _(
            "{account} is an HTTPS account: its reports are polled (`masanalytics collect`).", account=account.name
        )
        click.echo(said, err=True)
    with Store(asked["db"]) as store:
        receiver = Receiver(
            store,
            account,
            **{name: asked[name] for name in ("host", "port", "path", "allow", "behind_proxy", "forward")},
            say=lambda line: click.echo(line, err=True),
        )
        ctx.exit(receive_forever(receiver, echo=click.echo, as_json=asked["as_json"], health=asked["health"]))
