"""``masanalytics send``: plan, show, ask, send."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from masanalytics.cli.options import UserPath, command, find_account, option, with_account, with_store
from masanalytics.cli.outlet import never_end_the_work
from masanalytics.errors import InputError
from masanalytics.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from masanalytics.account import Account
    from masanalytics.planning import Plan
    from masanalytics.sending.job_weight import JobWeight
    from masanalytics.store import Store
    from masanalytics.store.sends import CanaryState

__all__ = ["send"]


@command
@click.argument("sheet", type=UserPath(exists=True, dir_okay=False))
@option("--phone", required=True, help="The column of phone numbers.")
@option("--campaign", required=True, help="Its name: each number gets a campaign once.")
@option("--text", help="One text, with {{column}} placeholders if wanted.")
@option("--content", help="The column of texts.")
@option("--template-id", help="A template's id.")
@option(
    "--template-text", help="What the template says, with {{1}}, {{2}} ... for its parameters; the store remembers it."
)
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
@option("--canary", type=click.IntRange(min=1), help="Send so many first, and go on only if their reports look normal.")
@option("--limit", type=click.IntRange(min=1), help="Send at most so many.")
@option("--rate", type=float, help="Messages a second.")
@option("--spread", help="Take so long, such as 4h, or stay within hours such as 09:00-17:00.")
@option("--window", help="Hours in China time, such as 08:00-21:00.")
@option("--wait", is_flag=True, help="Pause while the window is closed, and go on when it opens.")
@option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Requests under way at once.")
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
@option("--again", is_flag=True, hidden=True)
@option("--yes", is_flag=True, help="Do not ask before sending.")
@with_account
@with_store
@click.pass_context
def send(ctx: click.Context, /, **_given: object) -> None:
    """Plan a campaign from SHEET (.xlsx, .csv or .parquet), show the plan, ask, and send it."""
    from masanalytics.client import Client
    from masanalytics.sending import send as send_plan
    from masanalytics.sending._send import check_hours
    from masanalytics.sending.canary import GO_ON
    from masanalytics.store import Store

    options = ctx.params
    if options["again"]:
        raise InputError(
            "--again is gone: name the repetition, such as --round 2026-12. The same name is the same round, whatever was"
            " interrupted. Nothing was sent"
        )
    _refuse_contradictions(options)
    account = find_account(options["profile"], options["env_file"])
    with Store(options["db"]) as store:
        if options["older_copy"]:
            store.accept_older_copy()
        planned = _planned(options, account, store)
        click.echo(planned.text(now=store.clock.now()))
        if options["excluded"]:
            planned.excluded_to_excel(options["excluded"])
        weight = _weight(planned, account, store, options)
        hours = _hours(options["window"])
        if not options["to"]:
            check_hours(planned, hours, store.clock.now(), waits=options["wait"])
        _let_go(ctx, planned, store, weight)
        with _until_interrupted(ctx), Client(account) as client:
            result = send_plan(
                planned,
                client,
                store,
                window=hours,
                to=list(options["to"]) or None,
                canary=GO_ON if options["go_on"] else options["canary"],
                confirm=options["confirm"] if len(planned) else None,  # a second time, nothing is left
                **{name: options[name] for name in ("limit", "wait", "workers", "over_budget")},
            )
    click.echo(result.text())
    ctx.exit(0 if result.ok else 2)


@contextmanager
def _until_interrupted(ctx: click.Context) -> Iterator[None]:
    """Take SIGTERM and a closed terminal as Ctrl-C: what is on the wire is waited for; the exit code is that of an early end."""
    before: dict[int, Any] = {}
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for number in numbers if threading.current_thread() is threading.main_thread() else []:
        if signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, _as_ctrl_c)
    try:
        yield
    except KeyboardInterrupt:
        ctx.exit(2)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _refuse_contradictions(options: dict[str, Any]) -> None:
    """Raise InputError where one option would be dropped for another."""
    if options["canary"] and options["go_on"]:
        raise InputError(
            "--canary and --go-on contradict each other: one holds the rest until the reports of the first messages look normal, the"
            " other lets it go all the same. Leave one out. Nothing was sent"
        )
    inputs = {"SHEET": options["sheet"], "--suppress": options["suppress"], "--db": options["db"]}
    for name, path in inputs.items():
        if options["excluded"] and path and Path(path).resolve() == Path(options["excluded"]).resolve():
            raise InputError("--excluded would replace {name}: name another file. Nothing was sent", name=name)
    dropped = [f"--{name.replace('_', '-')}" for name in ("canary", "limit", "go_on") if options[name]]
    if options["to"] and dropped:
        raise InputError(
            "--to sends a proof and nothing else: leave out {options}. Nothing was sent", options=", ".join(dropped)
        )
    if options["wait"] and not options["window"] and ":" not in (options["spread"] or ""):
        raise InputError(
            "--wait pauses outside of hours, and none are named: add --window 08:00-21:00, or --spread with hours. Nothing was sent"
        )


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
        "template_text",
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


def _let_go(ctx: click.Context, planned: Plan, store: Store, weight: JobWeight) -> None:
    """Ask whether to send, where it is to be asked; end the command where the answer is no."""
    options = ctx.params
    asks = len(planned) > 0 and not options["yes"]
    if asks and not click.confirm(_question(planned, store, options, weight)):
        click.echo(_("Nothing was sent."))
        ctx.exit(1)
    never_end_the_work(sys.stdout)  # from here on the exit code says what was sent


def _question(planned: Plan, store: Store, options: dict[str, Any], weight: JobWeight) -> str:
    """Return what is asked before sending: what leaves now, and what leaves when."""
    if options["to"]:
        return ngettext(
            "Send a proof to {count:,} number?", "Send a proof to {count:,} numbers?", _distinct(options["to"])
        )
    goes = min(len(planned), options["limit"] or len(planned))
    goes = goes if weight.messages is None else min(goes, weight.messages)
    canary = store.sends.canary_of(planned.campaign, planned.round)
    if canary is not None and canary.holds:
        return _question_of_held(canary, goes, options)
    # A round has one canary: where it was found normal, or the rest was released, nothing waits any more.
    begins = (canary is None or not canary.state) and not options["go_on"]
    first = min(goes, (options["canary"] or 0) if begins else 0)
    if first and first < goes:
        return ngettext(
            "Send {first:,}, then, if its report looks normal, the other {rest:,}?",
            "Send {first:,}, then, if their reports look normal, the other {rest:,}?",
            first,
            first=first,
            rest=goes - first,
        )
    if goes < len(planned):
        return _("Send {count:,} of {planned:,}?", count=goes, planned=len(planned))
    return ngettext("Send {count:,} message?", "Send {count:,} messages?", goes)


def _question_of_held(canary: CanaryState, goes: int, options: dict[str, Any]) -> str:
    """Return what is asked where the round has a canary that was not found normal."""
    if canary.notice is not None:
        click.echo(_("The last time it was stopped: {why}", why=canary.notice))
    if options["go_on"]:
        return _("The canary of this round was not found normal. Send the other {count:,} all the same?", count=goes)
    size = int(canary.rules["size"])
    first = min(canary.room, goes)
    if first and first < goes:
        return _(
            "The canary of this round is not complete. Send {first:,} more of it, then, if the reports of its {size:,} look normal, "
            "the other {rest:,}?",
            first=first,
            size=size,
            rest=goes - first,
        )
    if first:
        return _("The canary of this round is not complete. Send {first:,} more of it?", first=first)
    if options["canary"]:
        return _(
            "The canary of this round ({size:,}) is out and not found normal yet. Wait for its reports, and send the other "
            "{count:,} if they look normal?",
            size=size,
            count=goes,
        )
    return _(
        "The canary of this round ({size:,}) is out and not found normal yet. Send the other {count:,} if the reports that are "
        "there by now look normal?",
        size=size,
        count=goes,
    )


def _distinct(phones: Sequence[str]) -> int:
    """Return how many numbers these are, however each is written."""
    import pandas as pd

    from masanalytics.phones import normalise_phones

    numbers = normalise_phones(pd.Series(list(phones), dtype=object))["phone"]
    return int(numbers.fillna("?").nunique())


def _hours(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    start, _, end = text.partition("-")
    return start.strip(), end.strip()
