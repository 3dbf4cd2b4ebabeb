"""``masanalytics report``."""

from __future__ import annotations

import click

from masanalytics.cli.options import with_existing_store, with_language


@click.command("report")
@click.argument("path", type=click.Path(dir_okay=False), default="report.html")
@with_existing_store
@click.option("--campaign", help="Only this campaign.")
@click.option("--title", help="The report's title.")
@with_language
def command(path: str, db: str, campaign: str | None, title: str | None, language: str | None) -> None:
    """Write one file to hand on: PATH ends in .html or .xlsx."""
    from masanalytics.report import write_report
    from masanalytics.store import Store

    with Store(db) as store:
        written = write_report(store, path, campaign=campaign, title=title, language=language)
    click.echo(str(written or path))
