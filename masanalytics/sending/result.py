"""What sending came to, as an object that shows itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from masanalytics.collecting import Collected
from masanalytics.formatting import card
from masanalytics.i18n import choose, counted, duration

__all__ = ["SendResult"]


@dataclass
class SendResult:
    """What one call of `send` did.

    Attributes
    ----------
    campaign : str
        The campaign.
    planned : int
        Messages of the plan that were still to be sent when it began.
    accepted, rejected, unknown, not_sent, left : int
        Of those: taken by the platform; refused by it; possibly taken (never sent again by themselves); surely not sent
        although tried; and not tried (the run stopped before them).
    skipped : int
        Messages of the plan that had gone out meanwhile (another run, another process) or whose people opted out.
    requests : int
        Submit requests made.
    seconds : float
        How long it took, by the client's clock.
    platform_time : bool
        Whether that clock is a simulated platform's, and not the one on the wall.
    collected : Collected or None
        What a collector that took turns with sending fetched meanwhile.
    stopped_because : str
        Empty where the run came to its end.
    before : dict of str to int
        The campaign's messages by status, as the run found them.
    notices : list of str
        Why requests were refused or stayed without an answer, each once.
    """

    campaign: str
    planned: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    not_sent: int = 0
    skipped: int = 0
    requests: int = 0
    seconds: float = 0.0
    platform_time: bool = False
    collected: Collected | None = None
    stopped_because: str = ""
    before: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Messages of the plan that were not tried."""
        return self.planned - self.skipped - self.accepted - self.rejected - self.unknown - self.not_sent

    @property
    def ok(self) -> bool:
        """Whether every message of the plan was taken by the platform."""
        return not (self.stopped_because or self.rejected or self.unknown or self.not_sent or self.left)

    def text(self, language: str | None = None) -> str:
        """Return a few lines for people."""
        lines = [self._found(language), self._done(language)]
        lines += [f"  ! {notice}" for notice in self.notices[:_NOTICES_SHOWN] if notice != self.stopped_because]
        if self.unknown:
            lines.append(self._doubtful(language))
        lines.append(self._came_in(language))
        if self.stopped_because:
            lines.append(choose("Stopped: ", "已停止：", language) + self.stopped_because)
        return "\n".join(line for line in lines if line)

    def _found(self, language: str | None) -> str:
        earlier = sum(self.before.get(name, 0) for name in ("pending", "delivered", "failed"))
        doubtful = self.before.get("unknown", 0)
        if not earlier and not doubtful:
            return ""
        en = _listed([(earlier, "{} accepted"), (doubtful, "{} of unknown outcome")], ", ")
        zh = _listed([(earlier, "平台已接收 {} 条"), (doubtful, "结果不明 {} 条")], "，")
        return choose(
            f"Found from earlier runs of {self.campaign}: {en}.", f"活动 {self.campaign} 之前的运行：{zh}。", language
        )

    def _doubtful(self, language: str | None) -> str:
        en = counted(self.unknown, *_UNKNOWN_EN) + _IF_YOU_KNOW_EN
        return choose(en, f"{self.unknown:,} {_UNKNOWN_ZH}", language)

    def _came_in(self, language: str | None) -> str:
        if self.collected is None or not self.collected.polls:
            return ""
        # A report may be quicker than the answer to its own batch: "not known" says nothing here.
        collected = replace(self.collected, foreign=0)
        return choose("Collected while sending: ", "发送期间采集：", language) + collected.text(language)

    def _done(self, language: str | None) -> str:
        if not self.planned:
            return choose(
                f"{self.campaign}: nothing left to send.", f"活动 {self.campaign}：没有需要发送的短信。", language
            )
        counts = [
            (self.accepted, "accepted", "平台已接收"),
            (self.rejected, "refused", "平台拒绝"),
            (self.unknown, "of unknown outcome", "结果不明"),
            (self.not_sent, "not sent", "未发出"),
            (self.skipped, "gone out or opted out meanwhile", "已由其他运行发出或已退订"),
            (self.left, "not tried", "未尝试"),
        ]
        en = _listed([(count, f"{{}} {word}") for count, word, _ in counts], ", ")
        zh = _listed([(count, f"{word} {{}} 条") for count, _, word in counts], "，")
        if self.requests:
            en += f"; {counted(self.requests, 'request')} in {self._time('en')}"
            zh += f"；{self.requests:,} 次请求，用时 {self._time('zh')}"
        return choose(
            f"{self.campaign}: of {counted(self.planned, 'message')} {en}.",
            f"活动 {self.campaign}：共 {self.planned:,} 条，{zh}。",
            language,
        )

    def _time(self, language: str) -> str:
        return duration(self.seconds, language, platform_time=self.platform_time)

    def __repr__(self) -> str:
        return f"SendResult({self.text()})"

    def _repr_html_(self) -> str:
        labels = {
            choose("planned", "计划"): self.planned,
            choose("accepted", "平台已接收"): self.accepted,
            choose("refused", "平台拒绝"): self.rejected,
            choose("unknown", "结果不明"): self.unknown,
            choose("not sent", "未发出"): self.not_sent + self.left,
            choose("skipped", "跳过"): self.skipped,
            choose("requests", "请求"): self.requests,
        }
        figures = {label: count for label, count in labels.items() if count}
        return card(choose(f"Sent: {self.campaign}", f"发送：{self.campaign}"), figures, self.text().splitlines())


def _listed(counts: list[tuple[int, str]], comma: str) -> str:
    return comma.join(words.format(f"{count:,}") for count, words in counts if count)


_NOTICES_SHOWN = 3
_UNKNOWN_EN = (
    "message may or may not have been taken: it is not sent again by itself. Its report will tell",
    "messages may or may not have been taken: they are not sent again by themselves. Their reports will tell",
)
_IF_YOU_KNOW_EN = (
    " (keep collecting). If you know better: store.batches(state='unknown') lists the batches, and"
    " mas.settle(store, batch_id, 'not_sent') lets one go."
)
_UNKNOWN_ZH = "条结果不明：平台可能已接收，不会自动重发。继续采集，回执会给出答案。若您确知结果：store.batches(state='unknown') 可列出，mas.settle(store, batch_id, 'not_sent') 可放行。"
