"""``masanalytics report``."""

from __future__ import annotations

from typing import Any

import click

from masanalytics.cli.options import with_existing_store, with_language


@click.command("report")
@click.argument("path", type=click.Path(dir_okay=False), default="report.html")
@with_existing_store
@click.option("--campaign", multiple=True, help="Only this campaign; can be given several times.")
@click.option("--since", help="Only what was submitted from this day on, as 2026-03-01.")
@click.option("--until", help="Only what was submitted before this day.")
@click.option("--by", multiple=True, help="Break the rate down by this column: carrier, province, city, day, hour ...")
@click.option("--title", help="The report's title.")
@click.option("--reveal", is_flag=True, help="Show whole phone numbers in names; masked by default.")
@with_language
def command(
    path: str,
    db: str,
    campaign: tuple[str, ...],
    title: str | None,
    by: tuple[str, ...],
    language: str | None,
    **options: Any,
) -> None:
    """Write one file to hand on: PATH ends in .html or .xlsx. An earlier file of that name is replaced."""
    from masanalytics.report import write_report
    from masanalytics.store import Store

    with Store(db) as store:
        for name in campaign:
            store.check_campaign(name)
        written = write_report(store, path, language=language, title=title, by=by or None, **_asked(campaign, options))
    click.echo(str(written))


def _asked(campaign: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given: one campaign names the report, several narrow it."""
    given = {name: value for name, value in options.items() if value is not None}
    if campaign:
        given["campaign"] = campaign[0] if len(campaign) == 1 else list(campaign)
    return given
