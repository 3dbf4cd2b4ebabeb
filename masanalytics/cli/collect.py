"""``masanalytics collect``."""

from __future__ import annotations

from pathlib import Path

import click

from masanalytics.cli.options import find_account, with_account, with_language, with_store
from masanalytics.i18n import choose

_TRY_AGAIN = 75  # EX_TEMPFAIL, which cron and mail systems know


@click.command("collect")
@click.option("--forever", is_flag=True, help="Go on until stopped (Ctrl-C or SIGTERM); one line a minute.")
@click.option("--drain", is_flag=True, help="Go on until both queues are empty.")
@click.option("--status", is_flag=True, help="Only say how collecting stands; exit 0 if fresh, 1 if not.")
@click.option("--json", "as_json", is_flag=True, help="Lines of JSON.")
@click.option("--health", type=click.Path(dir_okay=False, path_type=Path), help="A file rewritten after every answer.")
@click.option("--stale-after", type=float, default=600.0, show_default=True, help="Seconds, for --status.")
@with_account
@with_store
@with_language
@click.pass_context
def command(ctx: click.Context, /, **_given: object) -> None:
    """Fetch status reports and replies into the store: each queue once, or as long as asked.

    Exit codes: 0 done, 1 wrong settings (or, with --status, not fresh), 3 stopped by an error, 75 refused or not reached:
    try again later.
    """
    from masanalytics.client import Client
    from masanalytics.collecting import Collector
    from masanalytics.collecting.service import collected_accounts, run_forever, status
    from masanalytics.store import Store

    asked = ctx.params
    language = asked["language"]
    if asked["status"] and not Path(asked["db"]).exists():
        raise click.UsageError(f"--db: there is no file {asked['db']}")
    with Store(asked["db"]) as store:
        if asked["status"]:
            standing = [status(store, name, stale_after_s=asked["stale_after"]) for name in collected_accounts(store)]
            for found in standing:
                click.echo(found.json() if asked["as_json"] else found.text(language))
            if not standing:
                click.echo(choose("nothing collected yet", "尚未采集过", language), err=True)
            ctx.exit(0 if standing and all(found.fresh for found in standing) else 1)
        account = find_account(asked["profile"], asked["env_file"])
        with Client(account) as client:
            collector = Collector(client, store, language=language)
            if asked["forever"]:
                ctx.exit(run_forever(collector, echo=click.echo, as_json=asked["as_json"], health=asked["health"]))
            collected = collector.drain() if asked["drain"] else collector.collect()
            collector.stop()
    click.echo(collected.json() if asked["as_json"] else collected.text(language))
    ctx.exit(_TRY_AGAIN if collected.refused == collected.polls else 0)
