"""``masanalytics forget``: say what would be erased, ask, erase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from masanalytics.cli.options import command, option, with_existing_store
from masanalytics.i18n import _, ngettext

if TYPE_CHECKING:
    from masanalytics.store.forgetting import Forgotten

__all__ = ["forget"]


@command
@option("--before", help="Everybody of the time before it: a day, as 2026-03-01, or an age, as 90d.")
@option(
    "--phones",
    type=click.File(encoding="utf-8-sig"),
    help="A file of numbers, one a line; - reads them from the input.",
)
@option("--column", "columns", multiple=True, help="A kept column of your sheets that tells who it was; repeat it.")
@option("--drop-opt-outs", is_flag=True, help="Also forget who has opted out: they can be written to again.")
@option("--force", is_flag=True, help="Also messages whose reports may still come.")
@option("--dry-run", is_flag=True, help="Only say what would be erased.")
@option("--yes", is_flag=True, help="Do not ask.")
@with_existing_store
@click.pass_context
def forget(ctx: click.Context, /, **_given: object) -> None:
    """Erase people's numbers and texts from the store; counts, times and outcomes stay, so rates say the same.

    Says first what it would erase, and asks. What was exported or copied before is not touched.
    """
    from masanalytics.store import Store

    options = ctx.params
    numbers = _numbers(options["phones"])
    if (options["before"] is None) == (not numbers):
        raise click.UsageError(_("give either --before or --phones, with a number at least"))
    wish: dict[str, Any] = {
        "before": options["before"],
        "phones": numbers,
        "columns": list(options["columns"]),
        "keep_opt_outs": not options["drop_opt_outs"],
        "force": options["force"],
    }
    with Store(options["db"]) as store:
        click.echo(_("Would erase {what}.", what=_what(store.forget(**wish, dry_run=True))))
        if options["dry_run"]:
            return
        if not options["yes"] and not click.confirm(
            _("Erase it from {path}? It cannot be undone.", path=str(store.path))
        ):
            click.echo(_("Nothing was erased."))
            ctx.exit(1)
        click.echo(_("Erased {what}. Exports and copies made before still hold it.", what=_what(store.forget(**wish))))


def _numbers(lines: TextIO | None) -> list[str]:
    return [] if lines is None else [line.strip() for line in lines if line.strip()]


def _what(done: Forgotten) -> str:
    return _(
        "number and text of {messages} and {replies}, and {answers}; {opt_outs}",
        messages=ngettext("{count:,} message", "{count:,} messages", done.messages),
        replies=ngettext("{count:,} reply", "{count:,} replies", done.replies),
        answers=ngettext("{count:,} raw answer", "{count:,} raw answers", done.answers),
        opt_outs=ngettext("{count:,} opt-out kept as a hash", "{count:,} opt-outs kept as a hash", done.opt_outs),
    )
