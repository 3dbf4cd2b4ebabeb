"""What sending came to, as an object that shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from masanalytics.collecting import Collected
from masanalytics.formatting import card, duration
from masanalytics.i18n import N_, Text, _, ngettext, speaks
from masanalytics.near_names import suggests_names
from masanalytics.vocabulary import ACCEPTED, EXCLUSIONS

__all__ = ["SendResult"]

_NOTICES_SHOWN: Final = 3
_HELD: Final = {
    "canary": N_("{count:,} held by the canary"),
    "window": N_("{count:,} held by the window"),
    "limit": N_("{count:,} held by the limit"),
    "budget": N_("{count:,} held by the budget"),
    "cap": N_("{count:,} held by the cap"),
}


@suggests_names
@dataclass(frozen=True)
class SendResult:
    """What one call of `send` did.

    Attributes
    ----------
    campaign, round : str
        The campaign, and the name of its round; empty for the first.
    planned : int
        Messages of the plan. Each is in exactly one of the counts that follow, as the store had it at the end.
    accepted, rejected, unknown, not_sent : int
        Accepted by the platform; rejected by it; possibly taken (never sent again by themselves); surely not sent (tried in
        vain, or the run stopped before them).
    already_sent : int
        Accepted in another run, before or meanwhile.
    opted_out : int
        To people who opted out after the plan was made.
    held_out : int
        To people who are in a silent arm since the plan was made, of another campaign: they get nothing meanwhile.
    left_to_another_run : int
        Taken over by another run at work on the same round, which has not come to an end with them.
    held_because : dict of str to int
        Held back, by what: ``canary``, ``window``, ``limit``, ``budget``, ``cap``. `held` is their sum.
    reopened : int
        Messages that the plan left out as sent already, or as over the cap, and that may go by now: you have settled a batch as not
        sent, a late answer said no, or time has passed. Plan and send again, and they go.
    in_doubt : int
        All messages of the round of unknown outcome, those of earlier runs included.
    requests : int
        Submit requests made.
    seconds : float
        How long it took, by the client's clock.
    platform_time : bool
        Whether that clock is a simulated platform's, and not the one on the wall.
    collected : Collected or None
        What a collector that took turns with sending fetched meanwhile.
    stopped : Text or None
        Why the run stopped before its end; `stopped_because` is the same in words, empty where it came to its end.
    before : dict of str to int
        The round's messages by status, as the run found them; ``under_way`` those of other runs' requests that were out then.
    notices : tuple of Text
        Why requests were rejected or stayed without an answer, each once.
    new_file : str
        The path of the store, where it was made for this run and so knew nobody; else empty.
    silent : int
        People of the plan's own silent arms: in the store from now on, and no part of `planned`.
    left_out : dict of str to int
        Rows that the plan left out, by reason (a key of `masanalytics.vocabulary.EXCLUSIONS`): no part of `planned`. Those sent
        already, and those of silent arms, are not in it.
    """

    campaign: str
    round: str = ""
    planned: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    not_sent: int = 0
    already_sent: int = 0
    opted_out: int = 0
    held_out: int = 0
    left_to_another_run: int = 0
    held_because: Mapping[str, int] = field(default_factory=dict)
    reopened: int = 0
    in_doubt: int = 0
    requests: int = 0
    seconds: float = 0.0
    platform_time: bool = False
    collected: Collected | None = None
    stopped: Text | None = None
    before: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[Text, ...] = ()
    new_file: str = ""
    silent: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Messages held back, whatever by."""
        return sum(self.held_because.values())

    @property
    def ok(self) -> bool:
        """Whether nothing is left that should go: the round has reached everybody it is for, as far as the platform says."""
        undone = self.rejected + self.unknown + self.not_sent + self.left_to_another_run + self.held
        return self.stopped is None and not undone + self.reopened + self.in_doubt

    @property
    def stopped_because(self) -> str:
        """Why the run stopped before its end, in the language in use; empty where it came to its end."""
        return str(self.stopped or "")

    @speaks
    def text(self, language: str | None = None) -> str:
        """Return a few lines for people.

        Parameters
        ----------
        language : {"en", "zh"}, optional
            By default the user's own.
        """
        lines = [self._outcomes(), self._found_before()]
        lines += [f"  ! {notice}" for notice in self.notices[:_NOTICES_SHOWN] if notice != self.stopped]
        if self.silent:
            lines.append(
                ngettext(
                    "{count:,} person of a silent arm gets nothing, to be compared with.",
                    "{count:,} people of silent arms get nothing, to be compared with.",
                    self.silent,
                )
            )
        lines += [self._rows_left_out(), self._in_doubt(), self._reopened(), self._collected_meanwhile()]
        if self.new_file:
            lines.append(_("new file {path}", path=self.new_file))
        if self.stopped:
            lines.append(_("Stopped: {why}", why=self.stopped))
        return "\n".join(line for line in lines if line)

    def _found_before(self) -> str:
        accepted = sum(self.before.get(status, 0) for status in ACCEPTED)
        unknown, under_way = self.before.get("unknown", 0), self.before.get("under_way", 0)
        counts = [
            _("{count:,} accepted", count=accepted) if accepted else "",
            _("{count:,} of unknown outcome", count=unknown) if unknown else "",
            _("{count:,} under way in another run", count=under_way) if under_way else "",
        ]
        found = _(", ").join(filter(None, counts))
        return found and _("Found from earlier runs of {campaign}: {counts}.", campaign=self.campaign, counts=found)

    def _outcomes(self) -> str:
        if not self.planned and self.left_out and not any(self.before.values()):
            return _("Nothing sent: {campaign} has nobody to send to.", campaign=self.campaign)
        if not self.planned:
            return _("Nothing sent: {campaign} has nothing left to send.", campaign=self.campaign)
        counts = [
            _("{count:,} accepted", count=self.accepted) if self.accepted else "",
            _("{count:,} rejected", count=self.rejected) if self.rejected else "",
            _("{count:,} of unknown outcome", count=self.unknown) if self.unknown else "",
            _("{count:,} not sent", count=self.not_sent) if self.not_sent else "",
            _("{count:,} sent already", count=self.already_sent) if self.already_sent else "",
            _("{count:,} opted out meanwhile", count=self.opted_out) if self.opted_out else "",
            _("{count:,} in a silent arm of another campaign", count=self.held_out) if self.held_out else "",
            _("{count:,} left to another run", count=self.left_to_another_run) if self.left_to_another_run else "",
            *(_(_HELD.get(why, "{count:,} held"), count=count) for why, count in self.held_because.items()),
        ]
        outcomes = ngettext(
            "{campaign}: of {count:,} message {counts}",
            "{campaign}: of {count:,} messages {counts}",
            self.planned,
            campaign=self.campaign,
            counts=_(", ").join(filter(None, counts)),
        )
        if not self.requests:
            return _("Nothing sent. {outcomes}.", outcomes=outcomes)
        return _("{outcomes}; {effort}.", outcomes=outcomes, effort=self._effort())

    def _effort(self) -> str:
        seconds = max(1, round(self.seconds)) if self.seconds > 0 else 0
        return ngettext(
            "{count:,} request in {time}",
            "{count:,} requests in {time}",
            self.requests,
            time=duration(seconds, platform_time=self.platform_time),
        )

    def _rows_left_out(self) -> str:
        if not self.left_out:
            return ""
        return ngettext(
            "{count:,} row was left out of the plan: {reasons}.",
            "{count:,} rows were left out of the plan: {reasons}.",
            sum(self.left_out.values()),
            reasons=_("; ").join(
                _("{why} ({count:,})", why=_(EXCLUSIONS[reason]), count=count)
                for reason, count in self.left_out.items()
            ),
        )

    def _in_doubt(self) -> str:
        if not self.unknown:
            return ""
        return ngettext(
            "{count:,} message may or may not have been taken: it is not sent again by itself. Its report will tell (keep "
            "collecting). If you know better: store.batches(state='unknown') lists the batches, and "
            "store.settle(batch_id, 'not_sent') lets one go.",
            "{count:,} messages may or may not have been taken: they are not sent again by themselves. Their reports will "
            "tell (keep collecting). If you know better: store.batches(state='unknown') lists the batches, and "
            "store.settle(batch_id, 'not_sent') lets one go.",
            self.unknown,
        )

    def _reopened(self) -> str:
        if not self.reopened:
            return ""
        return ngettext(
            "{count:,} message was left out of the plan as sent already or over the cap, and may go by now: plan and send again.",
            "{count:,} messages were left out of the plan as sent already or over the cap, and may go by now: plan and send again.",
            self.reopened,
        )

    def _collected_meanwhile(self) -> str:
        if self.collected is None or not self.collected.polls:
            return ""
        # A report may be quicker than the answer to its own batch: "not known" says nothing here.
        return _("Collected while sending: {collected}", collected=replace(self.collected, foreign=0).text())

    def __repr__(self) -> str:
        return f"SendResult({self.text()})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        labels = {
            _("planned"): self.planned,
            _("accepted"): self.accepted,
            _("rejected"): self.rejected,
            _("outcome unknown"): self.unknown,
            _("not sent"): self.not_sent,
            _("sent already"): self.already_sent,
            _("opted out"): self.opted_out,
            _("in a silent arm of another campaign"): self.held_out,
            _("left to another run"): self.left_to_another_run,
            _("held"): self.held,
            _("in a silent arm"): self.silent,
            _("requests"): self.requests,
        }
        figures = {label: count for label, count in labels.items() if count}
        title = _("Sent: {campaign}", campaign=self.campaign)
        if not self.requests:
            title = _("Nothing sent: {campaign}", campaign=self.campaign)
        return card(title, figures, self.text().splitlines())
