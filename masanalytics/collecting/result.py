"""What collecting brought, as an object that shows itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from masanalytics.cards import card
from masanalytics.language import choose
from masanalytics.store.reception import Received

__all__ = ["Collected"]


@dataclass
class Collected:
    """What one or several polls brought.

    Attributes
    ----------
    polls, reports, uplinks, foreign, opt_outs, set_aside, settled : int
        Polls made; readable records by kind; reports of batches this store did not send; new opt-outs; records that could
        not be read and are kept; batches of unknown outcome that the reports settled.
    drained : bool
        Whether the platform had nothing more at the end.
    refused : int
        Answers that were not data.
    reached : float or None
        For `Collector.wait`: the share of the accepted messages that have been reported.
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

    def json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def text(self, language: str | None = None) -> str:
        """Return a line for people."""
        parts = [
            choose(
                f"{self.reports:,} reports and {self.uplinks:,} replies in {self.polls:,} polls",
                f"{self.polls:,} 次查询，收到 {self.reports:,} 条状态报告、{self.uplinks:,} 条上行",
                language,
            )
        ]
        for count, en, zh in (
            (self.opt_outs, "{} opted out", "{} 人退订"),
            (self.foreign, "{} of batches sent by somebody else with this account", "{} 条属于本库未发送的批次"),
            (self.set_aside, "{} that could not be read, kept", "{} 条无法解析，已保留"),
            (self.settled, "{} batches of unknown outcome settled", "{} 个结果不明的批次已确认"),
            (self.refused, "{} answers were not data (too soon, or refused)", "{} 次应答不是数据（过快或被拒绝）"),
        ):
            if count:
                parts.append(choose(en, zh, language).format(f"{count:,}"))
        if self.reached is not None:
            parts.append(choose(f"{self.reached:.1%} reported", f"已有 {self.reached:.1%} 收到回执", language))
        if self.drained:
            parts.append(choose("nothing more waiting", "平台暂无更多数据", language))
        return "; ".join(parts)

    def __repr__(self) -> str:
        return f"Collected({self.text()})"

    def _repr_html_(self) -> str:
        return card(choose("Collected", "采集结果"), self.figures(), [self.text(), *self.notices])

    def figures(self, language: str | None = None) -> dict[str, object]:
        """Return the counts that are worth showing, by label."""
        labels = {
            choose("reports", "状态报告", language): self.reports,
            choose("replies", "上行", language): self.uplinks,
            choose("opted out", "退订", language): self.opt_outs,
            choose("polls", "查询次数", language): self.polls,
        }
        return dict(labels)
