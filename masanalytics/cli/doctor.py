"""``masanalytics doctor``."""

from __future__ import annotations

import sys

import click

from masanalytics.cli.options import find_account, with_account, with_language, with_store
from masanalytics.errors import ConfigError


@click.command("doctor")
@with_account
@with_store
@with_language
def command(profile: str | None, env_file: str | None, db: str, language: str | None) -> None:
    """Check settings, certificate, clock and store, and explain each finding. Sends nothing and fetches no report."""
    from masanalytics.doctor import check

    account, problem = None, None
    try:
        account = find_account(profile, env_file)
    except ConfigError as error:
        problem = error
    findings = check(account, store_path=db, problem=problem, language=language)
    for finding in findings:
        mark, colour = {True: ("ok", "green"), False: ("!!", "red"), None: ("--", "yellow")}[finding.ok]
        click.secho(f"{mark}  {finding.name}: ", fg=colour, nl=False)
        click.echo(finding.text)
        if finding.advice:
            click.echo(f"      {finding.advice}")
    sys.exit(int(any(finding.ok is False for finding in findings)))
