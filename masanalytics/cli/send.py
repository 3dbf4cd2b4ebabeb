"""``masanalytics send``: plan, show, ask, send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from masanalytics.cli.options import UserPath, command, find_account, option, with_account, with_store
from masanalytics.i18n import _, ngettext

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.planning import Plan
    from masanalytics.sending.job_weight import JobWeight
    from masanalytics.store import Store

__all__ = ["send"]


@command
@click.argument("sheet", type=UserPath(exists=True, dir_okay=False))
@option("--phone", required=True, help="The column of phone numbers.")
@option("--campaign", required=True, help="Its name: each number gets a campaign once.")
@option("--text", help="One text, with {{column}} placeholders if wanted.")
@option("--content", help="The column of texts.")
@option("--template-id", help="A template's id.")
@option("--params", multiple=True, help="A column for the template, in order; repeat it.")
@option("--worksheet", help="Which sheet of a workbook, or all; the first visible one by default.")
@option("--header", type=int, help="The line of the header, 0 where there is none.")
@option("--sep", help="The separator of a text file.")
@option("--encoding", help="The encoding of a text file.")
@option("--hidden", type=click.Choice(["skip", "keep"]), help="What to do with rows that a filter hides.")
@option("--signature", help="The signature's text, if not the account's; it counts in every text.")
@option("--add-serial", help="The extension of the service code that replies go to.")
@option("--suppress", type=UserPath(exists=True, dir_okay=False), help="A sheet of numbers that must not get it.")
@option("--price", type=float, help="Price of one segment, to show the cost.")
@option("--canary", type=int, help="Send so many first, and go on only if their reports look normal.")
@option("--limit", type=int, help="Send at most so many.")
@option("--rate", type=float, help="Messages a second.")
@option("--spread", help="Take so long, such as 4h, or stay within hours such as 09:00-17:00.")
@option("--window", help="Hours in China time, such as 08:00-21:00.")
@option("--wait", is_flag=True, help="Pause while the window is closed, and go on when it opens.")
@option("--workers", type=int, default=2, show_default=True, help="Requests under way at once.")
@option("--to", multiple=True, help="Send the first message to this number instead, as a proof; repeat it.")
@option("--confirm", type=int, help="Do not run unless the plan is for exactly so many.")
@option(
    "--over-budget",
    type=click.Choice(["refuse", "hold"]),
    default="refuse",
    help="What becomes of more than the budget has left.",
)
@option("--cap", help="At most so many messages to a person in so long, such as 2/7d, of all campaigns.")
@option("--cap-by", help="The column that says who is one person, where people have several numbers.")
@option("--transactional", is_flag=True, help="These messages are held by no cap and count towards none.")
@option("--excluded", type=UserPath(dir_okay=False), help="Write the rows left out, with reasons, to this file.")
@option("--older-copy", is_flag=True, help="Go on with a store that was put back from an older copy.")
@option(
    "--round",
    default="",
    help="The name of a repetition made on purpose: people of other rounds get the campaign again.",
)
@option(
    "--keep", multiple=True, help="A column of the sheet to keep with each message, to ask for rates by it; repeat it."
)
@option("--key", help="A column that tells several messages to one number apart, such as an order number.")
@option("--go-on", is_flag=True, help="Let the rest go although the round's canary was not found normal.")
@option("--yes", is_flag=True, help="Do not ask before sending.")
@with_account
@with_store
@click.pass_context
def send(ctx: click.Context, /, **_given: object) -> None:
    """Plan a campaign from SHEET (.xlsx, .csv or .parquet), show the plan, ask, and send it."""
    from masanalytics.client import Client
    from masanalytics.sending import send as send_plan
    from masanalytics.sending.canary import GO_ON
    from masanalytics.store import Store

    options = ctx.params
    account = find_account(options["profile"], options["env_file"])
    with Store(options["db"]) as store:
        if options["older_copy"]:
            store.accept_older_copy()
        planned = _planned(options, account, store)
        click.echo(planned.text(now=store.clock.now()))
        if options["excluded"]:
            planned.excluded_to_excel(options["excluded"])
        if not len(planned):
            return
        weight = _weight(planned, account, store, options)
        if not options["yes"] and not click.confirm(_question(len(planned), options, weight)):
            click.echo(_("Nothing was sent."))
            ctx.exit(1)
        with Client(account) as client:
            result = send_plan(
                planned,
                client,
                store,
                window=_hours(options["window"]),
                to=list(options["to"]) or None,
                canary=GO_ON if options["go_on"] else options["canary"],
                **{name: options[name] for name in ("limit", "wait", "workers", "confirm", "over_budget")},
            )
    click.echo(result.text())
    ctx.exit(0 if result.ok else 2)


def _planned(options: dict[str, Any], account: Account, store: Store) -> Plan:
    """Return the plan that the options describe."""
    from masanalytics.planning import plan
    from masanalytics.sheets import read_sheet

    same_names = (
        "phone",
        "campaign",
        "text",
        "content",
        "template_id",
        "signature",
        "add_serial",
        "price",
        "round",
        "key",
        "rate",
        "cap",
        "cap_by",
        "transactional",
    )
    return plan(
        read_sheet(
            options["sheet"],
            sheet=options["worksheet"],
            **{name: options[name] for name in ("header", "sep", "encoding", "hidden")},
        ),
        params=list(options["params"]) or None,
        keep=list(options["keep"]) or None,
        spread=_hours(options["spread"]) if ":" in (options["spread"] or "") else options["spread"],
        suppress=options["suppress"],
        account=account,
        store=store,
        **{name: options[name] for name in same_names},
    )


def _weight(planned: Plan, account: Account, store: Store, options: dict[str, Any]) -> JobWeight:
    """Return how much of the plan the account's budget holds, or refuse it before anything is asked; a proof is weighed later."""
    from masanalytics.sending.job_weight import JobWeight, weigh

    if options["to"]:
        return JobWeight()
    now = store.clock.now()
    return weigh(planned, account, store.sends, now, limit=options["limit"], over_budget=options["over_budget"])


def _question(planned: int, options: dict[str, Any], weight: JobWeight) -> str:
    """Return what is asked before sending: what leaves now, and what leaves when."""
    if options["to"]:
        return ngettext(
            "Send a proof to {count:,} number?", "Send a proof to {count:,} numbers?", len(set(options["to"]))
        )
    goes = min(planned, options["limit"] or planned)
    goes = goes if weight.messages is None else min(goes, weight.messages)
    first = min(goes, options["canary"] or 0)
    if first and first < goes:
        return ngettext(
            "Send {first:,}, then, if its report looks normal, the other {rest:,}?",
            "Send {first:,}, then, if their reports look normal, the other {rest:,}?",
            first,
            first=first,
            rest=goes - first,
        )
    if goes < planned:
        return _("Send {count:,} of {planned:,}?", count=goes, planned=planned)
    return ngettext("Send {count:,} message?", "Send {count:,} messages?", goes)


def _hours(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    start, _, end = text.partition("-")
    return start.strip(), end.strip()
