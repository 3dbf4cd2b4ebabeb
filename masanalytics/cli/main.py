"""The group of commands, and how an error is shown to somebody who did not write the code."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from masanalytics._version import __version__
from masanalytics.errors import MasError

__all__ = ["main"]

_COMMANDS = {
    "demo": ("demo", "Watch 2,000 customers being messaged, on a simulated platform."),
    "send": ("send", "Plan a campaign from a sheet, show it, and send it."),
    "collect": ("collect", "Fetch status reports and replies into the store."),
    "report": ("report", "Write an HTML or Excel report of what became of the messages."),
    "export": ("export", "Write the store's messages as Parquet, by month."),
    "codes": ("codes", "Look up what a status-report code means."),
    "simulator": ("simulator", "Run a local platform for tests and other programs."),
    "fingerprint": ("fingerprint", "Show (and remember) a platform's certificate."),
    "doctor": ("doctor", "Check settings, certificate, clock and store; sends nothing."),
}


class _Group(click.Group):
    """Loads a command's module when the command is asked for; lists them without loading any."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"masanalytics.cli.{_COMMANDS[name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MasError as error:
            click.secho(f"{error.code}: {error}", err=True, fg="red")
            for note in getattr(error, "__notes__", ()):
                click.echo(note, err=True)
            sys.exit(75 if error.retryable else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="masanalytics", message="%(prog)s %(version)s")
def main() -> None:
    """Send, collect and analyse SMS campaigns over China Mobile Cloud MAS (云MAS).

    New here? Run:  masanalytics demo
    """
