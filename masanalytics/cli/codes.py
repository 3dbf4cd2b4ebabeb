"""``masanalytics codes``."""

from __future__ import annotations

import click

from masanalytics.cli.options import with_language


@click.command("codes")
@click.argument("codes", nargs=-1, required=True)
@click.option("--carrier", help="The recipient's carrier: numbers-only codes are known for China Unicom only.")
@with_language
def command(codes: tuple[str, ...], carrier: str | None, language: str | None) -> None:
    """Look up what status-report codes mean, such as MK:0012 or DB:0140."""
    from masanalytics.codes import describe_code

    for code in codes:
        found = describe_code(code, carrier=carrier, language=language)
        click.echo(f"{code}  [{found.category}]  {found.meaning}\n    {found.advice}")
