"""What collecting brought, as an object that shows itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from masanalytics.formatting import card
from masanalytics.i18n import choose, counted, duration
from masanalytics.store.poll_ingestion import Received

__all__ = ["Collected"]

_COUNTS = ("polls", "reports", "uplinks", "foreign", "opt_outs", "set_aside", "settled", "refused")


@dataclass
class Collected:
    """What one or several polls brought.

    Attributes
    ----------
    polls, reports, uplinks, foreign, opt_outs, set_aside, settled : int
        Polls made; readable records by kind; reports of batches not known as this store's when they came (another system's,
        or one whose own answer was still under way); new opt-outs; records that could not be read and are kept; batches of
        unknown outcome that the reports settled.
    drained : bool
        Whether the platform had nothing more at the end.
    refused : int
        Answers that were not data.
    reached : float or None
        For `Collector.wait`: the share of the accepted messages that have been reported.
    accepted, reported, reported_before : int or None
        For `Collector.wait`: the messages waited for; how many of them had a report at the end, and how many when the call
        began (while they were sent, or in earlier calls).
    gave_up_s : float or None
        The timeout, in seconds, where it ended the call before what was waited for was there.
    platform_time : bool
        Whether those seconds are a simulated platform's.
    notices : list of str
        What the platform said instead of data, each once.
    """

    polls: int = 0
    reports: int = 0
    uplinks: int = 0
    foreign: int = 0
    opt_outs: int = 0
    set_aside: int = 0
    settled: int = 0
    refused: int = 0
    drained: bool = False
    reached: float | None = None
    accepted: int | None = None
    reported: int | None = None
    reported_before: int | None = None
    gave_up_s: float | None = None
    platform_time: bool = False
    notices: list[str] = field(default_factory=list)

    def add(self, received: Received) -> None:
        """Count one more answer."""
        self.polls += 1
        self.reports += received.reports
        self.uplinks += received.uplinks
        self.foreign += received.foreign
        self.opt_outs += received.opt_outs
        self.set_aside += received.set_aside
        self.settled += received.settled
        if received.kind != "records":
            self.refused += 1
        if received.notice and received.notice not in self.notices:
            self.notices.append(received.notice)

    def since(self, earlier: Collected) -> Collected:
        """Return what came after `earlier`, which was a copy of this."""
        return replace(
            self,
            **{name: getattr(self, name) - getattr(earlier, name) for name in _COUNTS},
            notices=[notice for notice in self.notices if notice not in earlier.notices],
        )

    def json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def text(self, language: str | None = None) -> str:
        """Return a line for people."""
        reports, replies = counted(self.reports, "report"), counted(self.uplinks, "reply", "replies")
        parts = [
            choose(
                f"{reports} and {replies} in {counted(self.polls, 'poll')}",
                f"{self.polls:,} 次查询，收到 {self.reports:,} 条回执、{self.uplinks:,} 条上行回复",
                language,
            )
        ]
        for count, en, zh in (
            (self.opt_outs, ("opted out", "opted out"), "人退订"),
            (self.foreign, ("of a batch not known as this store's when it came",
                            "of batches not known as this store's when they came"), "条到达时不属于本库已知的批次"),
            (self.set_aside, ("that could not be read, kept", "that could not be read, kept"), "条无法解析，已保留"),
            (self.settled, ("batch of unknown outcome settled", "batches of unknown outcome settled"),
             "个结果不明的批次已确认"),
            (self.refused, ("answer was not data (too soon, or refused)",
                            "answers were not data (too soon, or refused)"), "次应答不是数据（过快或被拒绝）"),
        ):  # fmt: skip
            if count:
                parts.append(choose(counted(count, *en), f"{count:,} {zh}", language))
        parts += [self._reached(language), self._gave_up(language)]
        if self.drained:
            parts.append(choose("nothing more waiting now", "平台暂无更多数据", language))
        return choose("; ", "；", language).join(filter(None, parts))

    def _reached(self, language: str | None) -> str:
        """Say how far what was waited for has come."""
        if self.reached is None:
            return ""
        if not self.accepted:
            return choose("no accepted message to wait for", "没有需要等待的已受理短信", language)
        en = f"{self.reached:.1%} reported: {self.reported:,} of {self.accepted:,}"
        zh = f"已有 {self.reached:.1%} 收到回执：{self.accepted:,} 条中的 {self.reported:,} 条"
        if self.reported_before:
            en += f", {self.reported_before:,} of them before this call"
            zh += f"，其中 {self.reported_before:,} 条在本次调用之前"
        return choose(en, zh, language)

    def _gave_up(self, language: str | None) -> str:
        if self.gave_up_s is None:
            return ""
        en, zh = (duration(self.gave_up_s, one, platform_time=self.platform_time) for one in ("en", "zh"))
        if self.accepted is None or self.reported is None:
            return choose(f"gave up after {en}: more may be waiting", f"已等待 {zh}，不再等待：可能还有数据", language)
        missing = self.accepted - self.reported
        return choose(
            f"gave up after {en}: {counted(missing, 'message')} still without a report",
            f"已等待 {zh}，不再等待：仍有 {missing:,} 条没有回执",
            language,
        )

    def __repr__(self) -> str:
        return f"Collected({self.text()})"

    def _repr_html_(self) -> str:
        return card(choose("Collected", "采集结果"), self.figures(), [self.text(), *self.notices])

    def figures(self, language: str | None = None) -> dict[str, object]:
        """Return the counts that are worth showing, by label."""
        labels = {
            choose("reports", "回执", language): self.reports,
            choose("replies", "上行回复", language): self.uplinks,
            choose("opted out", "退订", language): self.opt_outs,
            choose("polls", "查询次数", language): self.polls,
        }
        return dict(labels)
