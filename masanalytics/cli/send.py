"""``masanalytics send``."""

from __future__ import annotations

import click

from masanalytics.cli.options import find_account, with_account, with_language, with_store
from masanalytics.i18n import choose, counted


@click.command("send")
@click.argument("sheet", type=click.Path(exists=True, dir_okay=False))
@click.option("--phone", required=True, help="The column of phone numbers.")
@click.option("--campaign", required=True, help="Its name: each number gets a campaign once.")
@click.option("--text", help="One text, with {column} placeholders if wanted.")
@click.option("--content", help="The column of texts.")
@click.option("--template-id", help="A template's id.")
@click.option("--params", multiple=True, help="A column for the template, in order; repeat it.")
@click.option("--worksheet", help="Which sheet of an .xlsx file; the first by default.")
@click.option("--signature", help="The signature's text, if not the account's; it counts in every text.")
@click.option("--add-serial", help="The extension of the service code that replies go to.")
@click.option(
    "--suppress", type=click.Path(exists=True, dir_okay=False), help="A sheet of numbers that must not get it."
)
@click.option("--price", type=float, help="Price of one segment, to show the cost.")
@click.option("--canary", type=int, help="Send so many first, and go on only if their reports look normal.")
@click.option("--limit", type=int, help="Send at most so many.")
@click.option("--rate", type=float, help="Messages a second.")
@click.option("--window", help="Hours in China time, such as 08:00-21:00.")
@click.option("--workers", type=int, default=2, show_default=True)
@click.option("--to", multiple=True, help="Send the first message to this number instead, as a proof; repeat it.")
@click.option("--confirm", type=int, help="Refuse to run unless the plan is for exactly so many.")
@click.option("--again", is_flag=True, help="Send the campaign to people who have had it already.")
@click.option(
    "--excluded", type=click.Path(dir_okay=False), help="Write the rows left out, with reasons, to this file."
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@with_account
@with_store
@with_language
@click.pass_context
def command(ctx: click.Context, /, **_given: object) -> None:
    """Plan a campaign from SHEET (.xlsx, .csv or .parquet), show the plan, ask, and send it."""
    from masanalytics.client import Client
    from masanalytics.planning import plan
    from masanalytics.sending import send
    from masanalytics.sheets import read_sheet
    from masanalytics.store import Store

    asked = ctx.params
    language = asked["language"]
    account = find_account(asked["profile"], asked["env_file"])
    with Store(asked["db"]) as store:
        planned = plan(
            read_sheet(asked["sheet"], sheet=asked["worksheet"]),
            phone=asked["phone"],
            campaign=asked["campaign"],
            text=asked["text"],
            content=asked["content"],
            template_id=asked["template_id"],
            params=list(asked["params"]) or None,
            signature=asked["signature"],
            add_serial=asked["add_serial"],
            suppress=read_sheet(asked["suppress"]) if asked["suppress"] else None,
            price=asked["price"],
            again=asked["again"],
            rate=asked["rate"],
            account=account,
            store=store,
        )
        click.echo(planned.text(language, now=store.clock.now()))
        if asked["excluded"]:
            planned.excluded_to_excel(asked["excluded"])
        if not len(planned):
            return
        question = choose(
            f"Send {counted(len(planned), 'message')}?", f"确定发送 {len(planned):,} 条短信吗？", language
        )
        if not asked["yes"] and not click.confirm(question):
            click.echo(choose("Nothing was sent.", "未发送任何短信。", language))
            ctx.exit(1)
        with Client(account) as client:
            result = send(
                planned,
                client,
                store,
                canary=asked["canary"],
                limit=asked["limit"],
                rate=asked["rate"],
                window=_window(asked["window"]),
                workers=asked["workers"],
                to=list(asked["to"]) or None,
                confirm=asked["confirm"],
            )
    click.echo(result.text(language))
    ctx.exit(0 if result.ok else 2)


def _window(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    start, _, end = text.partition("-")
    return start.strip(), end.strip()
