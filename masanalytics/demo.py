"""The main job from end to end, on a simulated platform: 2,000 customers, their reports and replies, and what they say."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from masanalytics.clock import FastClock
from masanalytics.i18n import N_, _, ngettext, resolve_language, speaks
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.vocabulary import EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from masanalytics.client import Client
    from masanalytics.planning import Plan
    from masanalytics.store import Store

__all__ = ["run_demo"]

_SPEED = 1800.0
_START = 1_768_443_000.0  # 2026-01-15 10:10 in China: the same every time, so that everybody sees the same demo
_CAMPAIGN = "积分到期提醒"
_TEXT = "尊敬的{姓名}，您的{积分:,d}积分将于{到期日:%m月%d日}到期，请及时兑换。拒收请回复R"
_SIGNATURE = "云麓商城"


@speaks
def run_demo(folder: Path | None, *, language: str | None, echo: Callable[[str], object]) -> Path:
    """Run the demo and return the folder with its files.

    Parameters
    ----------
    folder : Path, optional
        Where the files go; by default a new folder ``mas-demo…`` here, or in the temporary folder.
    language : {"en", "zh"}, optional
        The language of what is shown.
    echo : callable
        Gets what is shown, line by line.
    """
    from masanalytics.client import Client
    from masanalytics.simulator import Simulator
    from masanalytics.store import Store

    target = _new_folder(folder)
    with Simulator(https=True, clock=FastClock(_SPEED, _START), seed=7) as simulator:
        account = simulator.account(signature=_SIGNATURE)
        with Store(target / "mas.db", clock=simulator.clock) as store, Client(account, clock=simulator.clock) as client:
            _heading(echo, _("A platform on this machine, and a sheet of customers"))
            echo(f"{simulator.url}   {account!r}")
            planned = _plan(client, store, echo)
            _send_and_collect(planned, client, store, echo)
            _show(store, echo)
            files = _pictures(store, target)
    _heading(echo, _("What is left for you"))
    echo("\n".join(f"  {file}" for file in [target / "mas.db", *files]))
    echo(_(_NEXT, folder=target))
    return target


def _plan(client: Client, store: Store, echo: Callable[[str], object]) -> Plan:
    """Plan the campaign and show the plan."""
    from masanalytics.planning import plan
    from masanalytics.sheets import read_sheet, sample_path

    customers = read_sheet(sample_path())
    echo(_rows(_masked(customers, "手机号").head(5)))
    _heading(echo, _("The plan: who gets what, who is left out and why"))
    planned = plan(
        customers, phone="手机号", text=_TEXT, campaign=_CAMPAIGN, store=store, account=client.account, price=0.05
    )
    echo(planned.text(now=store.clock.now()))
    echo(_rows(_left_out(planned)))
    return planned


def _send_and_collect(planned: Plan, client: Client, store: Store, echo: Callable[[str], object]) -> None:
    """Send the plan and collect until nearly all reports are in."""
    from masanalytics.collecting import Collector
    from masanalytics.sending import send

    progress = sys.stderr is not None and sys.stderr.isatty()
    echo(_("\n(On this platform time runs {speed:.0f} times as fast: hours of reports pass in seconds.)", speed=_SPEED))
    _heading(echo, _("Sending, and collecting reports until 99 % are in"))
    collector = Collector(client, store, say=echo)
    began = time.monotonic()
    sent = send(planned, client, store, collector=collector, progress=progress)
    took = time.monotonic() - began  # as the person at the screen feels it
    echo(replace(sent, seconds=took, platform_time=False).text())
    echo(collector.wait(_CAMPAIGN, until=0.99, timeout=3 * 86400, progress=progress).text())
    echo(collector.drain(timeout=3600).text())
    echo(_("In all: {collected}", collected=replace(collector.total, foreign=0).text()))
    collector.stop()


def _show(store: Store, echo: Callable[[str], object]) -> None:
    """Show what became of the messages."""
    from masanalytics.analysis import delivery_rates, error_codes, latency

    _heading(echo, _("Delivery rates by carrier (of the number's prefix)"))
    rates = delivery_rates(store, by="carrier")
    columns = ["carrier", "accepted", "delivered", "failed", "pending", "delivery_rate", "low", "high", "most"]
    echo(_rows(rates[columns], percent=("delivery_rate", "low", "high", "most")))
    _heading(echo, _("Why messages failed"))
    errors = error_codes(store).head(10)
    echo(_rows(errors[["error_code", "count", "share", "meaning"]], percent=("share",)))
    _heading(echo, _("How long delivery took, in seconds"))
    echo(_rows(latency(store)))
    _heading(echo, _("Replies, and who opted out"))
    uplinks = store.uplinks()
    replies = uplinks[["phone", "content", "opt_out"]].head(8).copy()
    replies["content"] = replies["content"].map(mask_phones_in)
    echo(_rows(_masked(replies, "phone")))
    count = len(store.opt_outs())
    opted_out = ngettext("{count:,} person opted out", "{count:,} people opted out", count)
    received = ngettext("{count:,} reply", "{count:,} replies", len(uplinks))
    echo(
        _("{replies}; {opted_out}, whom no later plan of this store will reach.", replies=received, opted_out=opted_out)
    )


def _pictures(store: Store, target: Path) -> list[Path]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from masanalytics import plot
    from masanalytics.report import write_report

    files = []
    charts: dict[str, Callable[[Axes], object]] = {
        "delivery-rates": lambda ax: plot.delivery_rates(store, by="carrier", ax=ax),
        "error-codes": lambda ax: plot.error_codes(store, ax=ax),
        "latency": lambda ax: plot.latency(store, by="carrier", ax=ax),
    }
    for name, draw in charts.items():
        figure, ax = plt.subplots(figsize=(10, 5.6), layout="constrained")
        draw(ax)
        figure.savefig(target / f"{name}.png", dpi=150)
        plt.close(figure)
        files.append(target / f"{name}.png")
    write_report(store, target / "report.html", campaign=_CAMPAIGN)
    return [*files, target / "report.html"]


def _new_folder(folder: Path | None) -> Path:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder
        if (folder / "mas.db").exists():
            return Path(tempfile.mkdtemp(prefix="mas-demo-", dir=folder))
        return target
    try:
        return Path(tempfile.mkdtemp(prefix="mas-demo-", dir=Path.cwd()))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="mas-demo-"))


def _heading(echo: Callable[[str], object], text: str) -> None:
    echo(f"\n== {text}")


def _left_out(planned: Plan) -> pd.DataFrame:
    """Return an example or two of each reason."""
    examples = planned.excluded[["row", "phone", "reason"]].groupby("reason", sort=False).head(2).sort_values("reason")
    meanings = {reason: _(words) for reason, words in EXCLUSIONS.items()}
    return _masked(examples.assign(reason=examples["reason"].map(meanings)), "phone")


def _masked(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].map(mask_phone, na_action="ignore")})


def _rows(frame: pd.DataFrame, percent: tuple[str, ...] = ()) -> str:
    import pandas as pd

    from masanalytics.sheets._write_sheet import in_words

    if resolve_language() != "en":  # the names of columns are what one types; a Chinese reader is shown what they mean
        headings = {name: _(words) for name, words in _HEADINGS.items() if name in frame}
        percent = tuple(headings.get(name, name) for name in percent)
        frame = in_words(frame.rename(columns=headings))
    formats = dict.fromkeys(percent, "{:.1%}".format)
    with pd.option_context(
        "display.width",
        160,
        "display.max_columns",
        30,
        "display.max_colwidth",
        44,
        "display.unicode.east_asian_width",
        True,
    ):
        return frame.to_string(index=False, formatters=formats, float_format="{:,.1f}".format, na_rep="-")


_HEADINGS = {
    "row": N_("row"), "phone": N_("phone"), "reason": N_("reason"), "accepted": N_("Accepted"), "delivered": N_("Delivered"),
    "failed": N_("Failed"), "pending": N_("Pending"), "delivery_rate": N_("Delivery rate"), "low": N_("95% from"),
    "high": N_("95% to"), "most": N_("At most"), "count": N_("Failed"), "share": N_("Of accepted"), "meaning": N_("Meaning"),
    "mean_s": N_("Mean"), "p50_s": N_("Median"), "max_s": N_("Longest"), "reached_50_s": N_("Half of accepted"),
    "reached_90_s": N_("Nine in ten"), "opt_out": N_("Opted out"),
}  # fmt: skip

_NEXT = N_("""
Try next:
  open {folder}/report.html
  python -c "import masanalytics as mas; print(mas.Store('{folder}/mas.db').campaigns(price=0.05).T)"
  masanalytics codes MK:0012          what a code means
  masanalytics simulator              a platform for your own experiments
  masanalytics doctor                 when you have an account: MAS_URL, MAS_EC_NAME, MAS_AP_ID, MAS_SECRET_KEY in .env""")
