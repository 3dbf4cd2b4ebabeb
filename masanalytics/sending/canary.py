"""A small first batch whose reports are awaited before the rest may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from masanalytics.clock import is_simulated
from masanalytics.errors import InputError
from masanalytics.i18n import Text

if TYPE_CHECKING:
    from masanalytics.collecting import Collector
    from masanalytics.sending.sender import Sender
    from masanalytics.store.sends import CampaignProgress

__all__ = ["Canary"]

_LOOK_EVERY_S: Final = 0.25
_CODES_NAMED: Final = 3


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
            raise InputError("canary={canary!r}: how many messages go first", canary=canary)
        return cls(canary)

    def check(self, sender: Sender, collector: Collector) -> None:
        """Wait for the reports of the batches this run has sent, and stop it if they do not look normal."""
        batch_ids = list(sender.batch_ids)
        progress = self._wait(sender, collector, batch_ids)
        failed = progress.counts.get("failed", 0)
        if progress.share_reported < self.reported:
            sender.stop(self._too_few_reports(progress, platform_time=is_simulated(sender.clock)))
        elif failed > self.most_failed * progress.reported:
            codes = sender.sends.codes_of_failed(batch_ids, _CODES_NAMED)
            sender.stop(_too_many_failed(progress, codes))

    def _wait(self, sender: Sender, collector: Collector, batch_ids: list[int]) -> CampaignProgress:
        """Collect until enough messages are reported, the time is up or something else stops the run."""
        end = sender.clock.monotonic() + self.timeout_s
        while True:
            progress = sender.sends.progress(batch_ids)
            if progress.share_reported >= self.reported or sender.clock.monotonic() >= end or sender.is_stopped:
                return progress
            collector.collect_if_due()
            sender.clock.sleep(_LOOK_EVERY_S)

    def _too_few_reports(self, progress: CampaignProgress, *, platform_time: bool) -> Text:
        waited = Text("{count} min", count=round(self.timeout_s / 60))
        if self.timeout_s < 60:
            waited = Text("{count} s", count=round(self.timeout_s))
        return Text(
            "the canary: after {waited} only {share:.0%} of {accepted:,} were reported; look at the account (are reports "
            "switched on?), then run it again to go on",
            code="canary_silent",
            waited=Text("{length} (platform time)", length=waited) if platform_time else waited,
            share=progress.share_reported,
            accepted=progress.accepted,
        )


def _too_many_failed(progress: CampaignProgress, codes: list[tuple[str, int]]) -> Text:
    return Text(
        "the canary: {failed:,} of {reported:,} reported failed ({codes}); mend the cause, then run it again to go on",
        code="canary_failed",
        failed=progress.counts.get("failed", 0),
        reported=progress.reported,
        codes=", ".join(f"{code or '-'} × {count}" for code, count in codes),
    )
