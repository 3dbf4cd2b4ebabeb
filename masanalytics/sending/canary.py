"""A small first batch whose reports are awaited before the rest of the round may go: a state of the round, kept in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

from masanalytics.argument_kinds import WHOLE
from masanalytics.clock import is_simulated
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import shown_value
from masanalytics.near_names import suggests_names

if TYPE_CHECKING:
    from masanalytics.collecting import Collector
    from masanalytics.sending.sender import Sender
    from masanalytics.store.sends import CampaignProgress

__all__ = ["GO_ON", "Canary"]

GO_ON: Final = "go on"
"""The user's word that lets the rest of a round go although its canary was not found normal."""
_LOOK_EVERY_S: Final = 0.25
_CODES_NAMED: Final = 3


@suggests_names
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

    def __post_init__(self) -> None:
        """Refuse what is no size, share or length of time."""
        if not WHOLE.is_right(self.size) or self.size < 1:
            raise InputError("{name}={value!r}: a whole number from {least}", name="size", value=self.size, least=1)
        for name, share in (("reported", self.reported), ("most_failed", self.most_failed)):
            if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
                raise InputError("{name}={value!r}: a share from 0 to 1", name=name, value=share)
        if not self.reported:
            raise InputError("reported=0 judges a canary by no report at all: a share above 0")
        if isinstance(self.timeout_s, bool) or not isinstance(self.timeout_s, Real) or not self.timeout_s >= 0:
            raise InputError("{name}={value!r}: a number of seconds", name="timeout_s", value=self.timeout_s)

    @classmethod
    def of(cls, canary: int | str | Canary | None) -> Canary | None:
        """Read what `send` was given; the user's word to go on asks for no canary.

        Raises
        ------
        InputError
            If it is none of these.
        """
        if canary is None or isinstance(canary, cls):
            return canary
        if isinstance(canary, str) and canary == GO_ON:
            return None
        if isinstance(canary, str) or not WHOLE.is_right(canary) or not canary:
            raise InputError("canary={canary}: how many messages go first, or 'go on'", canary=shown_value(canary))
        return cls(int(canary))  # type: ignore[arg-type]

    def rules(self) -> dict[str, Any]:
        """Return the rules as the store keeps them."""
        return asdict(self)

    @classmethod
    def of_rules(cls, rules: Mapping[str, Any]) -> Canary:
        """Return a canary by the rules that the store kept."""
        return cls(**rules)

    def judge(self, sender: Sender, collector: Collector | None, *, expected: int, waits: bool = True) -> None:
        """Judge the canary of the sender's round by its own reports, and hold the rest if they do not look normal.

        Parameters
        ----------
        sender : Sender
            The run whose rest waits for it.
        collector : Collector or None
            Asked for reports until enough have come or the time is up; without one they are pushed into the store.
        expected : int
            How many messages the canary has, taken or not.
        waits : bool, optional
            Whether to wait for reports; otherwise it is judged by what the store has.
        """
        batch_ids = sender.sends.canary_state(sender.run).batch_ids
        progress = self._wait(sender, collector, batch_ids, expected if waits else 0)
        if sender.is_stopped:  # interrupted, or refused: nothing is known of the canary
            return
        because = self._why_not(sender, progress, batch_ids, expected, waited=waits)
        if not sender.sends.judge_canary(sender.run, because, sender.clock.now()) and because is not None:
            sender.hold("canary", because)

    def _why_not(
        self, sender: Sender, progress: CampaignProgress, batch_ids: Sequence[int], expected: int, *, waited: bool
    ) -> Text | None:
        """Return why the rest may not go; None where the reports look normal."""
        failed = progress.counts.get("failed", 0)
        if progress.accepted < self.reported * expected and progress.under_way:
            return _under_way(expected)
        if progress.accepted < self.reported * expected:
            return _not_taken(progress, expected)
        if progress.reported < self.reported * expected and not waited:
            return _not_reported_yet(progress, expected)
        if progress.reported < self.reported * expected:
            return self._too_few_reports(progress, expected, platform_time=is_simulated(sender.clock))
        if failed > self.most_failed * progress.reported:
            return _too_many_failed(progress, sender.sends.codes_of_failed(batch_ids, _CODES_NAMED))
        return None

    def _wait(
        self, sender: Sender, collector: Collector | None, batch_ids: Sequence[int], expected: int
    ) -> CampaignProgress:
        """Collect until enough messages are reported, the time is up, enough cannot come, or something stops the run."""
        end = sender.clock.monotonic() + self.timeout_s
        enough = self.reported * expected
        while True:
            progress = sender.sends.progress(batch_ids)
            missing = enough - progress.accepted
            cannot_come = progress.under_way < missing
            is_over = progress.reported >= enough or cannot_come or sender.clock.monotonic() >= end
            if is_over or sender.is_stopped:
                return progress
            if collector is not None:
                collector.collect_if_due()
            sender.clock.sleep(_LOOK_EVERY_S)

    def _too_few_reports(self, progress: CampaignProgress, expected: int, *, platform_time: bool) -> Text:
        waited = Text("{count} min", count=round(self.timeout_s / 60))
        if self.timeout_s < 60:
            waited = Text("{count} s", count=round(self.timeout_s))
        return Text(
            "the canary: after {waited} only {reported:,} of {expected:,} were reported. Look at the account (are reports "
            "switched on?) and run it again; only canary='go on' lets the rest go without",
            code="canary_silent",
            waited=Text("{length} (platform time)", length=waited) if platform_time else waited,
            reported=progress.reported,
            expected=expected,
        )


def _not_reported_yet(progress: CampaignProgress, expected: int) -> Text:
    return Text(
        "the canary: {reported:,} of {expected:,} are reported by now. Let reports come in (by a collector, or over HTTP a receiver) and run it"
        " again, or say canary= once more to wait for them; only canary='go on' lets the rest go without",
        code="canary_not_reported",
        reported=progress.reported,
        expected=expected,
    )


def _under_way(expected: int) -> Text:
    return Text(
        "the canary: another run is sending its {expected:,}. Run it again when that has come to an end, or say canary= once more to wait"
        " for it",
        code="canary_under_way",
        expected=expected,
    )


def _not_taken(progress: CampaignProgress, expected: int) -> Text:
    return Text(
        "the canary: the platform is known to have taken {accepted:,} of {expected:,}. Mend the cause and run it again; only "
        "canary='go on' lets the rest go without",
        code="canary_not_taken",
        accepted=progress.accepted,
        expected=expected,
    )


def _too_many_failed(progress: CampaignProgress, codes: list[tuple[str, int]]) -> Text:
    return Text(
        "the canary: {failed:,} of {reported:,} reported failed ({codes}). Mend the cause; only canary='go on' lets the rest go",
        code="canary_failed",
        failed=progress.counts.get("failed", 0),
        reported=progress.reported,
        codes=", ".join(f"{code or '-'} × {count}" for code, count in codes),
    )
