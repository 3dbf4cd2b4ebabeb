"""What collecting brought, as an object that shows itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from masanalytics.formatting import card, duration
from masanalytics.i18n import Text, _, ngettext, speaks
from masanalytics.store.intake import Received

__all__ = ["Collected"]

_COUNTS = ("polls", "reports", "uplinks", "repeated", "foreign", "opt_outs", "set_aside", "settled", "rejected")


@dataclass
class Collected:
    """What one or several polls brought.

    Attributes
    ----------
    polls, reports, uplinks, repeated, foreign, opt_outs, set_aside, settled : int
        Polls made; new records by kind; records that were handed out again and are in the store once; reports of batches not known as this store's when they came (another system's,
        or one whose own answer was still under way); new opt-outs; records that could not be read and are kept; batches of
        unknown outcome that the reports settled.
    drained : bool
        Whether the platform had nothing more at the end.
    rejected : int
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
    notices : list of Text
        What the platform said instead of data, each once.
    """

    polls: int = 0
    reports: int = 0
    uplinks: int = 0
    repeated: int = 0
    foreign: int = 0
    opt_outs: int = 0
    set_aside: int = 0
    settled: int = 0
    rejected: int = 0
    drained: bool = False
    reached: float | None = None
    accepted: int | None = None
    reported: int | None = None
    reported_before: int | None = None
    gave_up_s: float | None = None
    platform_time: bool = False
    notices: list[Text] = field(default_factory=list)

    def add(self, received: Received) -> None:
        """Count one more answer."""
        self.polls += 1
        self.reports += received.reports
        self.uplinks += received.uplinks
        self.repeated += received.repeated
        self.foreign += received.foreign
        self.opt_outs += received.opt_outs
        self.set_aside += received.set_aside
        self.settled += received.settled
        if received.kind != "records":
            self.rejected += 1
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
        return json.dumps(asdict(self), ensure_ascii=False, default=str)

    @speaks
    def text(self, language: str | None = None) -> str:
        """Return a line for people."""
        parts = [self._brought(), *self._counted(), self._reached(), self._gave_up()]
        if self.drained:
            parts.append(_("nothing more waiting now"))
        return _("; ").join(filter(None, parts))

    def _brought(self) -> str:
        return _(
            "{reports} and {replies} in {polls}",
            reports=ngettext("{count:,} report", "{count:,} reports", self.reports),
            replies=ngettext("{count:,} reply", "{count:,} replies", self.uplinks),
            polls=ngettext("{count:,} poll", "{count:,} polls", self.polls),
        )

    def _counted(self) -> list[str]:
        """Say what else there was, each where there was some."""
        said = (
            (self.repeated, _("{count:,} handed out again, counted once", count=self.repeated)),
            (self.opt_outs, _("{count:,} opted out", count=self.opt_outs)),
            (
                self.foreign,
                ngettext(
                    "{count:,} of a batch not known as this store's when it came",
                    "{count:,} of batches not known as this store's when they came",
                    self.foreign,
                ),
            ),
            (self.set_aside, _("{count:,} that could not be read, kept", count=self.set_aside)),
            (
                self.settled,
                ngettext(
                    "{count:,} batch of unknown outcome settled",
                    "{count:,} batches of unknown outcome settled",
                    self.settled,
                ),
            ),
            (
                self.rejected,
                ngettext(
                    "{count:,} answer was not data (too soon, or rejected)",
                    "{count:,} answers were not data (too soon, or rejected)",
                    self.rejected,
                ),
            ),
        )
        return [sentence for count, sentence in said if count]

    def _reached(self) -> str:
        """Say how far what was waited for has come."""
        if self.reached is None:
            return ""
        if not self.accepted:
            return _("no accepted message to wait for")
        counts = {"share": self.reached, "reported": self.reported, "accepted": self.accepted}
        if not self.reported_before:
            return _("{share:.1%} reported: {reported:,} of {accepted:,}", **counts)
        return _(
            "{share:.1%} reported: {reported:,} of {accepted:,}, {before:,} of them before this call",
            **counts,
            before=self.reported_before,
        )

    def _gave_up(self) -> str:
        if self.gave_up_s is None:
            return ""
        waited = duration(self.gave_up_s, platform_time=self.platform_time)
        if self.accepted is None or self.reported is None:
            return _("gave up after {waited}: more may be waiting", waited=waited)
        return ngettext(
            "gave up after {waited}: {count:,} message still without a report",
            "gave up after {waited}: {count:,} messages still without a report",
            self.accepted - self.reported,
            waited=waited,
        )

    def __repr__(self) -> str:
        return f"Collected({self.text()})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return card(_("Collected"), self.figures(), [self.text(), *map(str, self.notices)])

    def figures(self) -> dict[str, object]:
        """Return the counts that are worth showing, by label."""
        return {
            _("reports"): self.reports,
            _("replies"): self.uplinks,
            _("opted out"): self.opt_outs,
            _("polls"): self.polls,
        }
