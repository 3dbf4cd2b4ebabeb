"""A small first batch whose reports are awaited before the rest may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from masanalytics.clock import is_simulated
from masanalytics.errors import InputError
from masanalytics.i18n import choose, duration
from masanalytics.store.progress import batches_progress, codes_of_failed

if TYPE_CHECKING:
    from masanalytics.collecting import Collector
    from masanalytics.sending.sender import Run

__all__ = ["Canary"]

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Canary:
    """How a first small batch is judged.

    Attributes
    ----------
    size : int
        Messages in it.
    reported : float
        Share of them that must be reported before it is judged.
    most_failed : float
        Share of the reported that may have failed.
    timeout_s : float
        How long to wait for the reports.
    """

    size: int
    reported: float = 0.8
    most_failed: float = 0.2
    timeout_s: float = 600.0

    @classmethod
    def of(cls, canary: int | Canary | None) -> Canary | None:
        """Read what `send` was given."""
        if canary is None or isinstance(canary, cls):
            return canary
        if isinstance(canary, bool) or not isinstance(canary, int) or canary < 1:
            raise InputError(f"canary={canary!r}: how many messages go first", zh=f"canary={canary!r}：应为先发条数")
        return cls(canary)

    def check(self, run: Run, collector: Collector) -> None:
        """Wait for the reports of the batches this run has sent, and stop it if they do not look normal."""
        batches, clock = list(run.batch_ids), run.clock
        end = clock.monotonic() + self.timeout_s
        while True:
            with run.store.reading() as conn:
                now = batches_progress(conn, batches)
            if now.share_reported >= self.reported or clock.monotonic() >= end or run.result.stopped_because:
                break
            collector.collect_if_due()
            clock.sleep(_LOOK_S)
        failed = now.counts.get("failed", 0)
        if now.share_reported < self.reported:
            simulated = is_simulated(clock)
            waited = [duration(self.timeout_s, language, platform_time=simulated) for language in ("en", "zh")]
            run.stop(
                choose(
                    f"the canary: after {waited[0]} only {now.share_reported:.0%} of {now.accepted:,} were "
                    "reported; look at the account (are reports switched on?), then run it again to go on",
                    f"试发：{waited[1]}内 {now.accepted:,} 条中仅 {now.share_reported:.0%} 有回执；"
                    "请检查账号是否开启回执，再次运行即可继续",
                )
            )
        elif failed > self.most_failed * now.reported:
            with run.store.reading() as conn:
                codes = codes_of_failed(conn, batches, 3)
            listed = ", ".join(f"{code or '-'} × {count}" for code, count in codes)
            run.stop(
                choose(
                    f"the canary: {failed:,} of {now.reported:,} reported failed ({listed}); mend the cause, "
                    "then run it again to go on",
                    f"试发：已回执 {now.reported:,} 条中失败 {failed:,} 条（{listed}）；请先排除原因，再次运行即可继续",
                )
            )
