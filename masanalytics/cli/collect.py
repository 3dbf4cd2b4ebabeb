"""``masanalytics collect``: once, until the queues are empty, or for ever."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from masanalytics.cli.options import UserPath, command, find_account, option, with_account, with_store
from masanalytics.cli.outlet import never_end_the_work
from masanalytics.i18n import _

if TYPE_CHECKING:
    from masanalytics.store import Store

__all__ = ["collect"]

_TRY_AGAIN = 75  # EX_TEMPFAIL, which cron and mail systems know


@command
@option("--forever", is_flag=True, help="Go on until stopped (Ctrl-C or SIGTERM); one line a minute.")
@option("--drain", is_flag=True, help="Go on until both queues are empty.")
@option("--status", is_flag=True, help="Only say how collecting stands; exit 0 if fresh, 1 if not.")
@option("--json", "as_json", is_flag=True, help="Lines of JSON.")
@option("--health", type=UserPath(dir_okay=False, path_type=Path), help="A file rewritten after every answer.")
@option("--stale-after", type=float, default=600.0, show_default=True, help="Seconds, for --status.")
@with_account
@with_store
@click.pass_context
def collect(ctx: click.Context, /, **_given: object) -> None:
    """Fetch status reports and replies into the store: each queue once, or as long as asked.

    Exit codes: 0 done, 1 wrong settings (or, with --status, not fresh), 3 stopped by an error, 75 rejected or not reached:
    try again later.
    """
    from masanalytics.client import Client
    from masanalytics.collecting import Collector
    from masanalytics.collecting.service import run_forever
    from masanalytics.store import Store

    never_end_the_work(sys.stdout)
    options = ctx.params
    if options["status"] and not Path(options["db"]).exists():
        raise click.UsageError(_("--db: there is no file {path}", path=options["db"]))
    # Settings first: where they are wrong, no empty file is left behind.
    account = None if options["status"] else find_account(options["profile"], options["env_file"])
    with Store(options["db"]) as store:
        if account is None:
            ctx.exit(0 if _show_status(store, options) else 1)
        if store.is_new:
            click.echo(_("new file {path}", path=str(store.path)), err=True)
        with Client(account) as client:
            collector = Collector(client, store)
            if options["forever"]:
                code = run_forever(collector, echo=click.echo, as_json=options["as_json"], health=options["health"])
                ctx.exit(code)
            collected = collector.drain() if options["drain"] else collector.collect()
            collector.stop()
    click.echo(collected.json() if options["as_json"] else collected.text())
    ctx.exit(_TRY_AGAIN if collected.rejected == collected.polls else 0)


def _show_status(store: Store, options: dict[str, Any]) -> bool:
    """Print how collecting stands for each account; return whether all of them are fresh."""
    from masanalytics.collecting.service import collected_accounts, status

    accounts = [status(store, name, stale_after_s=options["stale_after"]) for name in collected_accounts(store)]
    for standing in accounts:
        click.echo(standing.json() if options["as_json"] else standing.text())
    if not accounts:
        click.echo(_("nothing collected yet"), err=True)
    return bool(accounts) and all(standing.fresh for standing in accounts)
