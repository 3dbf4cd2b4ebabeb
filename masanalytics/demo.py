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
from masanalytics.i18n import Text, choose, counted
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.sheets import sample_path
from masanalytics.vocabulary import EXCLUSIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from masanalytics.planning import Plan
    from masanalytics.store import Store

__all__ = ["run_demo"]

_SPEED = 1800.0
_START = 1_768_443_000.0  # 2026-01-15 10:10 in China: the same every time, so that everybody sees the same demo
_CAMPAIGN = "积分到期提醒"
_TEXT = "尊敬的{姓名}，您的{积分:,d}积分将于{到期日:%m月%d日}到期，请及时兑换。拒收请回复R"
_SIGNATURE = "云麓商城"


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
    from masanalytics.collecting import Collector
    from masanalytics.planning import plan
    from masanalytics.sending import send
    from masanalytics.sheets import read_sheet
    from masanalytics.simulator import Simulator
    from masanalytics.store import Store

    target = _new_folder(folder)
    heading = _heading(echo, language)
    progress = sys.stderr.isatty()
    with Simulator(https=True, clock=FastClock(_SPEED, _START), poll_interval=5.0, seed=7) as simulator:
        account = simulator.account(signature=_SIGNATURE)
        with Store(target / "mas.db", clock=simulator.clock) as store, Client(account, clock=simulator.clock) as client:
            heading("A platform on this machine, and a sheet of customers", "本机模拟平台与客户名单")
            echo(f"{simulator.url}   {account!r}")
            customers = read_sheet(sample_path())
            echo(_rows(_masked(customers, "手机号").head(5)))
            heading("The plan: who gets what, who is left out and why", "发送计划：谁会收到、谁被排除、为什么")
            planned = plan(
                customers,
                phone="手机号",
                text=_TEXT,
                campaign=_CAMPAIGN,
                store=store,
                account=account,
                price=0.05,
            )
            echo(planned.text(language, now=simulator.clock.now()))
            echo(_rows(_left_out(planned, language)))
            echo(choose(_FAST_EN, _FAST_ZH, language).format(speed=_SPEED))
            heading("Sending, and collecting reports until 99 % are in", "发送，并采集回执，直到 99% 有回执")
            collector = Collector(client, store, say=echo, language=language)
            began = time.monotonic()
            sent = send(planned, client, store, collector=collector, progress=progress)
            sent.seconds, sent.platform_time = time.monotonic() - began, False  # as the person at the screen feels it
            echo(sent.text(language))
            echo(collector.wait(_CAMPAIGN, until=0.99, timeout=3 * 86400, progress=progress).text(language))
            echo(collector.drain(timeout=3600).text(language))
            echo(choose("In all: ", "合计：", language) + replace(collector.total, foreign=0).text(language))
            collector.stop()
            _show(store, heading, echo, language)
            files = _pictures(store, target, language)
    heading("What is left for you", "留下的文件")
    echo("\n".join(f"  {file}" for file in [target / "mas.db", *files]))
    echo(choose(_NEXT_EN, _NEXT_ZH, language).format(folder=target))
    return target


def _show(
    store: Store, heading: Callable[[str, str], None], echo: Callable[[str], object], language: str | None
) -> None:
    from masanalytics.analysis import delivery_rates, error_codes, latency

    heading("Delivery rates by carrier (of the number's prefix)", "各运营商送达率（按号段）")
    rates = delivery_rates(store, by="carrier")
    columns = ["carrier", "accepted", "delivered", "failed", "pending", "delivery_rate", "low", "high", "least", "most"]
    echo(_rows(rates[columns], percent=("delivery_rate", "low", "high", "least", "most")))
    heading("Why messages failed", "失败原因")
    errors = error_codes(store, language=language).head(10)
    echo(_rows(errors[["error_code", "count", "share", "meaning"]], percent=("share",)))
    heading("How long delivery took, in seconds", "送达用时（秒）")
    echo(_rows(latency(store)))
    heading("Replies, and who opted out", "上行回复与退订")
    uplinks = store.uplinks()
    replies = uplinks[["phone", "content", "opt_out"]].head(8).copy()
    replies["content"] = replies["content"].map(mask_phones_in)
    echo(_rows(_masked(replies, "phone")))
    opted_out = len(store.opt_outs())
    echo(
        choose(
            f"{counted(len(uplinks), 'reply', 'replies')}; {counted(opted_out, 'person', 'people')} opted out, whom no later"
            " plan of this store will reach.",
            f"共 {len(uplinks)} 条上行回复；{opted_out} 人退订，此后本库的任何计划都不会再发给他们。",
            language,
        )
    )


def _pictures(store: Store, target: Path, language: str | None) -> list[Path]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from masanalytics import plot
    from masanalytics.report import write_report

    files = []
    charts: dict[str, Callable[[Axes], object]] = {
        "delivery-rates": lambda ax: plot.delivery_rates(store, by="carrier", ax=ax, language=language),
        "error-codes": lambda ax: plot.error_codes(store, ax=ax, language=language),
        "latency": lambda ax: plot.latency(store, by="carrier", ax=ax, language=language),
    }
    for name, draw in charts.items():
        figure, ax = plt.subplots(figsize=(10, 5.6), layout="constrained")
        draw(ax)
        figure.savefig(target / f"{name}.png", dpi=150)
        plt.close(figure)
        files.append(target / f"{name}.png")
    write_report(store, target / "report.html", campaign=_CAMPAIGN, language=language)
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


def _heading(echo: Callable[[str], object], language: str | None) -> Callable[[str, str], None]:
    def heading(en: str, zh: str) -> None:
        echo(f"\n== {choose(en, zh, language)}")

    return heading


def _left_out(planned: Plan, language: str | None) -> pd.DataFrame:
    """Return an example or two of each reason."""
    shown = planned.excluded[["row", "phone", "reason"]].groupby("reason", sort=False).head(2).sort_values("reason")
    meanings = {reason: Text(words).text(language) for reason, words in EXCLUSIONS.items()}
    return _masked(shown.assign(reason=shown["reason"].map(meanings)), "phone")


def _masked(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].map(mask_phone, na_action="ignore")})


def _rows(frame: pd.DataFrame, percent: tuple[str, ...] = ()) -> str:
    import pandas as pd

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


_FAST_EN = "\n(On this platform time runs {speed:.0f} times as fast: hours of reports pass in seconds.)"
_FAST_ZH = "\n（本模拟平台时间快 {speed:.0f} 倍：数小时的回执几秒内到齐。）"
_NEXT_EN = """
Try next:
  open {folder}/report.html
  python -c "import masanalytics as mas; print(mas.delivery_rates(mas.Store('{folder}/mas.db'), by='hour'))"
  masanalytics codes MK:0012          what a code means
  masanalytics simulator              a platform for your own experiments
  masanalytics doctor                 when you have an account: MAS_URL, MAS_EC_NAME, MAS_AP_ID, MAS_SECRET_KEY in .env"""
_NEXT_ZH = """
接下来可以试试：
  打开 {folder}/report.html
  python -c "import masanalytics as mas; print(mas.delivery_rates(mas.Store('{folder}/mas.db'), by='hour'))"
  masanalytics codes MK:0012          查询错误码含义
  masanalytics simulator              启动模拟平台做实验
  masanalytics doctor                 有账号后：在 .env 中填写 MAS_URL、MAS_EC_NAME、MAS_AP_ID、MAS_SECRET_KEY"""
