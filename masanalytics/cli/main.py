"""The group of commands, and how an error is shown to somebody who did not write the code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Any

import click

from masanalytics._version import __version__
from masanalytics.cli import commands
from masanalytics.cli.alerts import alerts
from masanalytics.cli.collect import collect
from masanalytics.cli.forget import forget
from masanalytics.cli.options import with_language
from masanalytics.cli.outlet import never_end_the_work, never_refuse
from masanalytics.cli.scan import scan
from masanalytics.cli.send import send
from masanalytics.cli.spoken import Group, Option, asked_language, speaking
from masanalytics.errors import MasError
from masanalytics.i18n import _

__all__ = ["main"]

_NO_ROOM = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EIO", "EBADF")} - {None}
_TRY_AGAIN = 75  # EX_TEMPFAIL, which cron and mail systems know


class _Main(Group):
    """Finds the language before anything is said, and shows errors as sentences."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            never_refuse(stream)
        never_end_the_work(sys.stderr)
        with speaking(asked_language(sys.argv[1:] if args is None else args)):
            return super().main(args, *more, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MasError as error:
            click.secho(f"{error.code}: {error}", err=True, fg="red")
            for note in getattr(error, "__notes__", ()):
                click.echo(note, err=True)
            sys.exit(_TRY_AGAIN if error.retryable else 1)
        except OSError as error:
            if error.filename is not None or error.errno not in _NO_ROOM:  # a pipe that is gone is click's own affair
                raise
            never_end_the_work(sys.stdout)  # nor does Python's last flush
            click.secho(_("nothing more can be written: {error}", error=error.strerror), err=True, fg="red")
            sys.exit(1)


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    __version__,
    package_name="masanalytics",
    message="%(prog)s %(version)s",
    cls=Option,
    help="Show the version and exit.",
)
@with_language
def main() -> None:
    """Send, collect and analyse SMS campaigns over China Mobile Cloud MAS (云MAS).

    New here? Run:  masanalytics demo
    """


for command in (
    commands.demo,
    send,
    collect,
    commands.receive,
    commands.report,
    alerts,
    commands.export,
    commands.archive,
    commands.codes,
    commands.simulator,
    commands.fingerprint,
    commands.doctor,
    scan,
    forget,
):
    main.add_command(command)
