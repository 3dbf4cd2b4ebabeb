"""``masanalytics scan``: numbers and passwords that notebooks carry away in their outputs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from masanalytics.cli.options import command, option
from masanalytics.errors import ConfigError
from masanalytics.i18n import N_, _, ngettext
from masanalytics.notebook_outputs import Finding, scan_notebook
from masanalytics.secret import Secret

__all__ = ["scan"]

_KINDS = {"mobile": N_("a mobile number"), "secret": N_("the account's password")}
_NOT_A_NOTEBOOK = 2


@command
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@option("--strip", is_flag=True, help="Clear the outputs that hold one, and only these.")
@option("--json", "as_json", is_flag=True, help="Write the findings as JSON, for a program.")
def scan(paths: tuple[Path, ...], *, strip: bool, as_json: bool) -> None:
    """Look for phone numbers and passwords in the outputs of notebooks, before they travel by git or mail.

    PATHS are notebooks, or folders of them. The password looked for is that of the account in the environment. Exit codes: 0
    nothing found, 1 something was, 2 a file that is no notebook.
    """
    secret = _own_secret()
    findings: list[Finding] = []
    broken = 0
    for path in _notebooks(paths):
        try:
            findings += scan_notebook(path, secret, strip=strip)
        except ValueError:
            broken += 1
            click.echo(_("{file} is not a notebook", file=str(path)), err=True)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _show(findings, strip=strip)
    sys.exit(_NOT_A_NOTEBOOK if broken else int(bool(findings)))


def _show(findings: list[Finding], *, strip: bool) -> None:
    for finding in findings:
        place = _("{file}, cell {cell}", file=finding.file, cell=finding.cell)
        click.echo(f"{place}: {_(_KINDS[finding.kind])} ×{finding.count} ({finding.shown})")
    if not findings:
        click.echo(_("No output holds a phone number or the password."))
    elif strip:
        outputs = len({(finding.file, finding.cell) for finding in findings})
        click.echo(ngettext("Cleared the outputs of {count} cell.", "Cleared the outputs of {count} cells.", outputs))


def _notebooks(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        found += [one for one in inside if ".ipynb_checkpoints" not in one.parts or one == path]
    return found


def _own_secret() -> Secret | None:
    from masanalytics.account import Account

    try:
        return Secret(Account.from_env().secret_key)
    except ConfigError:
        return None
