"""``masanalytics export``."""

from __future__ import annotations

import click

from masanalytics.cli.options import with_existing_store


@click.command("export")
@click.argument("folder", type=click.Path(file_okay=False))
@with_existing_store
@click.option("--reveal", is_flag=True, help="Write whole phone numbers; masked by default.")
def command(folder: str, db: str, *, reveal: bool) -> None:
    """Write the store's messages as Parquet files, one folder a month, for DuckDB, Spark or pandas."""
    from masanalytics.store import Store

    with Store(db) as store:
        files = store.export_parquet(folder, reveal=reveal)
    for file in files:
        click.echo(file)
