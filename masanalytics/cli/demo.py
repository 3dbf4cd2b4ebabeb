"""``masanalytics demo``."""

from __future__ import annotations

from pathlib import Path

import click

from masanalytics.cli.options import with_language


@click.command("demo")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where the files go; a new one by default."
)
@with_language
def command(folder: Path | None, language: str | None) -> None:
    """Watch 2,000 customers being messaged, on a simulated platform in this process.

    Needs no account and no network; leaves a SQLite file, three charts and an HTML page.
    """
    from masanalytics.demo import run_demo

    run_demo(folder, language=language, echo=click.echo)
