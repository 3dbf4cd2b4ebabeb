"""The plan: what will be sent, in which requests, and what was left out. Frozen: what it shows is what is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from masanalytics.argument_kinds import LENGTH, WHOLE, takes
from masanalytics.clock import Clock
from masanalytics.errors import InputError
from masanalytics.formatting import duration, money
from masanalytics.i18n import Text, _, ngettext, speaks
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.near_names import suggests_names
from masanalytics.phones import REASONS
from masanalytics.planning.batching import Limits
from masanalytics.planning.contact_caps import CapRule
from masanalytics.planning.held_out import HeldOut
from masanalytics.planning.kept_columns import KeptColumns
from masanalytics.planning.number_lists import SuppressionList
from masanalytics.planning.pace import Pace
from masanalytics.planning.plan_view import PlanView
from masanalytics.planning.plan_warnings import PlanWarning
from masanalytics.planning.planned_messages import (
    Excluded,
    PlannedBatch,
    PlannedMessages,
    as_str,
    batches_frame,
    excluded_frame,
    in_parts,
    messages_frame,
    row_labels,
)
from masanalytics.planning.window import Window
from masanalytics.segments import bracketed
from masanalytics.sheets import write_sheet
from masanalytics.sheets.receipt import receipt_lines
from masanalytics.timezone import format_instant, format_near
from masanalytics.vocabulary import EXCLUSIONS, MODE_WORDS, MODES

if TYPE_CHECKING:
    from masanalytics.account import Account, Period

__all__ = ["Plan", "SendingAccount"]

_PREVIEW: Final = 1_000
_MOST_ARMS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class SendingAccount:
    """What a plan takes from the account it is made for, and whoever gets the messages sees."""

    name: str
    signature: str
    add_serial: str
    service_code: str
    signs: tuple[str, str]

    @classmethod
    def of(cls, account: Account) -> SendingAccount:
        """Return what an account has of it."""
        signs = (str(account.sign or ""), str(account.template_sign or ""))
        return cls(account.name, account.signature or "", account.add_serial or "", account.service_code or "", signs)

    def words(self) -> Text:
        """Return it for an error."""
        return Text(
            "{account} (signature {signature}, code {sign}, extension {extension})",
            account=self.name,
            signature=self.signature or "-",
            sign=self.signs[0] or "-",
            extension=self.add_serial or "-",
        )


_SELDOM = frozenset(
    (
        "add_serial", "batch", "budget", "cap_rule", "clock", "cost_of", "html", "identities", "iter_batches", "key", "kin", "left_out",
        "limits", "new_store", "pace", "planned", "receipt", "shown", "signature", "suppression", "template_id", "template_text", "window",
    )
)  # fmt: skip
"""What completion does not offer."""


@suggests_names
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan:
    """What a campaign will send, made by `masanalytics.plan`.

    Show it as the last line of a cell. Nothing about it can change: every property that is a frame is a copy.

    Attributes
    ----------
    campaign : str
        Under this name a number gets a message at most once.
    round : str
        The name of the round; empty for the first.
    key : str or None
        The column that tells several messages to one number apart, where there is one.
    rows : int
        Rows of the frame it was made from: planned and excluded together.
    template_id : str or None
        The platform's template, where one is used.
    signature : str
        What phones show in front of the text, in 【】; empty where it is not known.
    add_serial : str, mapping from arm to str, or None
        The extension of the service code; None for the account's own.
    price : float or None
        Price of a segment.
    pace : Pace or None
        How many messages may leave in a minute, and in which requests; None where neither rate nor spread was said.
    window : (str, str) or None
        Hours of the day outside which nothing is sent, where `spread` named them.
    limits : Limits
        The sizes of requests.
    account : SendingAccount or None
        The account it was made for, if one was given: `send` refuses another signature, extension or service code.
    receipt : mapping or None
        What was read of the file that the rows come from, and what was not (``.attrs["read"]`` of `read_sheet`).
    suppression : SuppressionList or None
        The do-not-send list: its numbers, entries and unreadable entries.
    warnings : tuple of PlanWarning
        What should be looked at; none of it hinders sending.
    cap_rule : CapRule
        How often somebody may be written to, by which column, and whether the plan is transactional.
    kin : mapping of str to sequence of str
        Number -> all numbers of the same person, for people who have several.
    budget : tuple of Period
        What the account's budget had left when the plan was made: the day, the month, those that have a limit.
    new_store : str
        The path of the store, where that was just made and so knows nobody; else empty.
    held_out : HeldOut or None
        The people of silent arms, who get nothing, and the shares that the arms were meant to have; None where nothing says so.
    clock : Clock
        What time it is where the plan says when it ends: the store's, where one was given.
    """

    campaign: str
    round: str
    key: str | None
    rows: int
    template_id: str | None
    signature: str
    add_serial: str | Mapping[str, str] | None
    price: float | None
    pace: Pace | None
    window: tuple[str, str] | None
    limits: Limits
    account: SendingAccount | None
    receipt: Mapping[str, Any] | None
    suppression: SuppressionList | None
    warnings: tuple[PlanWarning, ...]
    new_store: str
    cap_rule: CapRule
    kin: Mapping[str, Sequence[str]]
    budget: tuple[Period, ...]
    held_out: HeldOut | None
    clock: Clock
    _sent: PlannedMessages
    _left: Excluded
    _memo: dict[str, str] = field(default_factory=dict)

    def __dir__(self) -> list[str]:
        """Offer what is read by hand; what sending takes is there all the same."""
        return sorted({*object.__dir__(self)} - _SELDOM)

    def __len__(self) -> int:
        """Return how many messages will be sent."""
        return len(self._sent.rows)

    @property
    def planned(self) -> PlannedMessages:
        """The messages as arrays, read-only; `messages` has them as a frame."""
        return self._sent

    @property
    def left_out(self) -> Excluded:
        """The rows left out as arrays, read-only; `excluded` has them as a frame."""
        return self._left

    @property
    def requests(self) -> int:
        """How many requests carry the messages."""
        return len(self._sent.modes)

    @property
    def seconds(self) -> float:
        """How long sending takes: the longer of what the pace and `Limits.requests_per_second` make of it."""
        by_requests = self.requests / self.limits.requests_per_second
        if self.pace is None:
            return by_requests
        return max(by_requests, self.pace.seconds(np.diff(self._sent.starts).tolist()))

    @property
    def rate(self) -> float | None:
        """Messages a second it will be sent at, where that was said."""
        return None if self.pace is None else self.pace.rate

    @property
    def template_text(self) -> str | None:
        """What the template says, where that is known: as it was said, or as the store remembers it."""
        return self._sent.template_text

    @property
    def segments(self) -> int | None:
        """How many segments are billed; None for a template whose text only the platform knows."""
        counts = self._sent.segments
        return None if counts is None else int(counts.sum())

    @property
    def cost(self) -> float | None:
        """`segments` × `price`; None where either is not known."""
        return self.cost_of(self.segments)

    def cost_of(self, segments: int | None) -> float | None:
        """Return what so many segments cost; None where that is not known."""
        if segments is None or self.price is None:
            return None
        return float(Decimal(str(self.price)) * segments)

    @property
    def messages(self) -> pd.DataFrame:
        """The planned messages, in the order of the rows: one row a message.

        Columns: ``row`` (index label), ``phone``, ``content`` (missing for a template whose text is not known), ``params`` (JSON list, missing without a
        template), ``segments`` (Int64), ``carrier``, ``province``, ``city``, ``arm``, ``key``, ``batch`` (int64).
        """
        return messages_frame(self._sent)

    @property
    def excluded(self) -> pd.DataFrame:
        """The rows left out, in their order; with `messages` they are all rows.

        Columns: ``row`` (index label), ``position`` (int64, from 0), ``phone`` (as it was found, missing where the cell was blank),
        ``reason`` (a key of `masanalytics.vocabulary.EXCLUSIONS`), ``meaning`` (the same in words, in the user's language);
        of rows over the cap ``last_campaign`` and ``last_sent_at`` (Asia/Shanghai), what the person got last, and when.
        """
        return excluded_frame(self._left)

    @property
    def batches(self) -> pd.DataFrame:
        """The requests, in the order they are sent in.

        Columns: ``batch`` (int64), ``mode``, ``messages`` (int64), ``segments`` (Int64), ``content`` (the one text of the whole
        request, else missing), ``template_id``, ``params`` (JSON list), ``arm``.
        """
        return batches_frame(self._sent, self.template_id)

    @property
    def summary(self) -> pd.DataFrame:
        """How the rows come out: ``planned``, then every reason that occurs, most frequent first.

        Columns: ``what``, ``meaning``, ``rows`` (int64), ``segments`` (Int64; of excluded rows: saved), ``cost`` (float). The rows add
        up to `rows`.
        """
        lines: list[tuple[str, str, int, int | None]] = [("planned", _("will be sent"), len(self), self.segments)]
        counts = np.bincount(self._left.reasons, minlength=len(REASONS))
        for code in sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], code)):
            reason, saved = REASONS[code], self._saved(code)
            lines.append((reason, _(EXCLUSIONS[reason]), int(counts[code]), saved))
        costs = [self.cost_of(segments) for *_others, segments in lines]
        return pd.DataFrame(
            {
                "what": as_str([what for what, *_others in lines]),
                "meaning": as_str([meaning for _what, meaning, *_others in lines]),
                "rows": np.array([rows for *_others, rows, _segments in lines], dtype=np.int64),
                "segments": pd.array([pd.NA if line[3] is None else line[3] for line in lines], dtype="Int64"),
                "cost": np.array([np.nan if cost is None else cost for cost in costs], dtype=np.float64),
            }
        )

    def _saved(self, code: int) -> int | None:
        """Return the segments of the rows left out for one reason; None where they are not known."""
        segments = self._left.segments
        return None if segments is None else int(segments[self._left.reasons == code].sum())

    @property
    def hash(self) -> str:
        """SHA-256 over everything that is sent, and in which requests. Equal plans have equal hashes."""
        if "hash" not in self._memo:
            digest = hashlib.sha256(_line([self.campaign, self.round, self.key, self.template_id]))
            for batch in self.iter_batches():
                body = batch.params_text if batch.mode == "template" else batch.content or batch.contents
                digest.update(_line([batch.mode, batch.arm, batch.add_serial, body, batch.phones, batch.keys]))
            if self.held_out:
                digest.update(_line([self.held_out.numbers.tolist(), self.held_out.arms.tolist()]))
            self._memo["hash"] = digest.hexdigest()
        return self._memo["hash"]

    def iter_batches(self) -> Iterator[PlannedBatch]:
        """Yield the requests in order, each written out when it is asked for."""
        return map(self.batch, range(self.requests))

    def identities(self, at_once: int = 100_000) -> Iterator[tuple[list[str], list[str] | None]]:
        """Yield the numbers, and the keys where there are any, of so many messages at once, in sending order."""
        return in_parts(self._sent.numbers, self._sent.keys, at_once)

    @takes(index=WHOLE)
    def batch(self, index: int) -> PlannedBatch:
        """Return request number `index`, from 0."""
        if not 0 <= index < self.requests:
            raise IndexError(_("the plan has no batch {index}: it has {batches}", index=index, batches=self.requests))
        return self._sent.batch(index, template_id=self.template_id, add_serial=self.add_serial)

    @takes(position=WHOLE)
    def shown(self, position: int) -> str:
        """Return message number `position`, in sending order, as the phone will show it; of a template, its parameters."""
        if position >= len(self):
            raise InputError("the plan has no message {position}: it has {count:,}", position=position, count=len(self))
        sent = self._sent
        contents = sent.contents or sent.shown
        if contents is not None:
            return bracketed(self.signature) + contents.render(position, position + 1)[0]
        params = "" if sent.params is None else sent.params.render(position, position + 1)[0]
        return f"{self.template_id} {params}"

    @takes(n=WHOLE, seed=WHOLE)
    def sample(self, n: int = 5, *, seed: int = 0) -> pd.DataFrame:
        """Return some messages as phones will show them, drawn at random and again the same for the same `seed`.

        Returns
        -------
        DataFrame
            ``row`` (index label), ``phone`` (masked), ``arm`` where there are arms (then some of each, `n` in all and at least one
            an arm), ``shown`` (with the signature; a template's parameters), ``segments``.
        """
        sent = self._sent
        drawn = np.random.default_rng(seed).permutation(len(self))
        arms = sent.arms_of_messages()
        if arms is not None:  # one of each arm first, then the next of each
            turn = pd.Series(arms[drawn]).groupby(arms[drawn], sort=False).cumcount().to_numpy()
            drawn = drawn[np.argsort(turn, kind="stable")]
            n = max(n, len(set(arms.tolist()))) if n else 0
        drawn = drawn[:n]
        positions = drawn[np.argsort(sent.rows[drawn], kind="stable")]
        segments = [pd.NA] * len(positions) if sent.segments is None else sent.segments[positions]
        return pd.DataFrame(
            {
                "row": row_labels(sent.labels, positions),
                "phone": as_str([mask_phone(number) for number in sent.numbers[positions].tolist()]),
                **({} if arms is None else {"arm": as_str(arms[positions].tolist())}),
                "shown": as_str([_bounded(mask_phones_in(self.shown(position))) for position in positions.tolist()]),
                "segments": pd.array(segments, dtype="Int64"),
            }
        )

    @speaks
    def excluded_to_excel(self, path: str | Path, *, language: str | None = None) -> Path:
        """Write the rows left out to ``.xlsx`` (or ``.csv``), to be given back to whoever owns the sheet; return the path."""
        frame = self.excluded
        words = [_("row"), _("position"), _("phone"), _("reason"), _("meaning"), _("last campaign"), _("last sent at")]
        frame.columns = pd.Index(words)
        if frame.iloc[:, 5:].isna().all(axis=None):
            frame = frame.iloc[:, :5]
        return write_sheet(frame, path, sheet="excluded")

    @takes(now=LENGTH)
    @speaks
    def text(self, language: str | None = None, *, now: float | None = None) -> str:
        """Return the plan as plain text, phones masked; with `now` (epoch seconds) also when sending would end."""
        return _view(self, now).text()

    @takes(now=LENGTH)
    @speaks
    def html(self, language: str | None = None, *, now: float | None = None) -> str:
        """Return the plan as HTML, phones masked; with `now` (epoch seconds) also when sending would end."""
        return _view(self, now).html()

    def __repr__(self) -> str:
        return self.text(now=self.clock.now())

    def _repr_html_(self) -> str:
        return self.html(now=self.clock.now())


def _bounded(text: str) -> str:
    """Return a text as a preview shows it: its beginning, where it is longer than any message."""
    if len(text) <= _PREVIEW:
        return text
    return _("{text}… ({count:,} characters more)", text=text[:_PREVIEW], count=len(text) - _PREVIEW)


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _view(plan: Plan, now: float | None) -> PlanView:
    messages = ngettext("{count:,} message", "{count:,} messages", len(plan))
    title = _(
        "Plan “{campaign}”: {messages}, {requests}, about {time}",
        campaign=plan.campaign,
        messages=messages,
        requests=_request_count(plan.requests),
        time=duration(plan.seconds),
    )
    if plan.round:
        title = _("{plan} (round {round})", plan=title, round=plan.round)
    warnings = [str(warning) for warning in plan.warnings]
    return PlanView(title, _facts(plan, now), _excluded_lines(plan), _examples(plan), warnings)


def _facts(plan: Plan, now: float | None) -> list[tuple[str, str]]:
    counts = {"rows": plan.rows, "planned": len(plan), "excluded": plan.rows - len(plan)}
    facts = [(_("read"), line) for line in receipt_lines(plan.receipt)] if plan.receipt else []
    facts += [
        (_("rows"), _("{rows:,} = {planned:,} planned + {excluded:,} left out", **counts)),
        (_("segments"), _segments(plan)),
    ]
    cost = plan.cost
    if cost is not None:
        facts.append((_("cost"), _("{cost} at ¥{price:g} a segment", cost=money(cost), price=plan.price)))
    facts += [(_("requests"), _requests(plan)), (_("time"), _time(plan))]
    if plan.window is not None:
        facts.append((_("hours"), _("{start}-{end} China time", start=plan.window[0], end=plan.window[1])))
    if now is not None and len(plan):
        facts.append((_("ends"), _ends(plan, now)))
    facts += _rule_facts(plan, now)
    if plan.planned.kept is not None:
        facts.append((_("columns kept"), _kept(plan.planned.kept)))
    if plan.suppression is not None:
        facts.append((_("suppression list"), _suppression(plan.suppression)))
    if plan.template_id is not None:
        facts += _template_facts(plan, plan.template_id)
    if plan.new_store:
        facts.append((_("store"), _("new file {path}", path=plan.new_store)))
    return [*facts, (_("hash"), plan.hash[:12])]


def _ends(plan: Plan, now: float) -> str:
    """Say when sending would end: from now on, or from when the hours that it stays in next hold it."""
    hours = Window.parse(plan.window)
    later_s = 0.0 if hours is None else hours.start_s(now, plan.seconds)
    end = format_near(now + later_s + plan.seconds, now)
    if not later_s:
        return _("about {time} China time, if it starts now", time=end)
    return _("about {time} China time, if it starts on {start}", time=end, start=format_near(now + later_s, now))


def _rule_facts(plan: Plan, now: float | None) -> list[tuple[str, str]]:
    """Say what keeps people from getting more, or anything."""
    facts = []
    if plan.budget:
        facts.append((_("budget"), _("; ").join(str(period.words()) for period in plan.budget)))
    if plan.cap_rule.cap is not None:
        facts.append((_("cap"), str(plan.cap_rule.cap.words())))
    if plan.held_out:
        facts.append((_("held out"), _held_out(plan.held_out, now)))
    return facts


def _template_facts(plan: Plan, template_id: str) -> list[tuple[str, str]]:
    facts = [(_("template"), template_id)]
    as_texts = -(-len(plan) // plan.limits.many_to_many)
    if plan.requests > as_texts:
        words = _(
            "{requests}, about {time} (a template needs a request for each set of parameters)",
            requests=_request_count(as_texts),
            time=duration(as_texts / plan.limits.requests_per_second),
        )
        facts.append((_("as plain texts"), words))
    return facts


def _held_out(held: HeldOut, now: float | None) -> str:
    """Say how many get nothing, and until when other campaigns leave them out too."""
    count = ngettext("{count:,} person gets nothing", "{count:,} people get nothing", len(held))
    if held.rule.seconds is not None and now is None:
        until = _("for {time} after sending", time=duration(held.rule.seconds))
    else:
        until = _("until {time}", time=format_instant(held.rule.end(now or 0))[:16])
    return _("{count}, and nothing of other campaigns {until}", count=count, until=until)


def _kept(kept: KeptColumns) -> str:
    counts = [ngettext("{count:,} value", "{count:,} values", count) for count in kept.distinct]
    return ", ".join(
        _("{column} ({values})", column=mask_phones_in(name), values=count)
        for name, count in zip(kept.names, counts, strict=True)
    )


def _suppression(listed: SuppressionList) -> str:
    entries = ngettext("{count:,} entry", "{count:,} entries", listed.entries)
    numbers = ngettext("{count:,} number", "{count:,} numbers", len(listed.numbers))
    return _(
        "{entries}, {numbers}, {unreadable:,} unreadable",
        entries=entries,
        numbers=numbers,
        unreadable=listed.unreadable,
    )


def _request_count(count: int) -> str:
    return ngettext("{count:,} request", "{count:,} requests", count)


def _segments(plan: Plan) -> str:
    counts = plan.planned.segments
    if counts is None:
        return _("not known (only the platform has the template's text: say it with template_text=)")
    if not len(counts):
        return "0"
    sizes = np.bincount(counts)
    return _with_parts(int(counts.sum()), [f"{sizes[each]:,} × {each}" for each in np.flatnonzero(sizes).tolist()])


def _requests(plan: Plan) -> str:
    sizes = np.bincount(plan.planned.modes, minlength=len(MODES))
    parts = [f"{sizes[mode]:,} × {_(MODE_WORDS[MODES[mode]])}" for mode in np.flatnonzero(sizes).tolist()]
    return _with_parts(plan.requests, parts) if parts else f"{plan.requests:,}"


def _with_parts(total: int, parts: list[str]) -> str:
    listed = parts[0]
    for part in parts[1:]:
        listed = _("{first}, {second}", first=listed, second=part)
    return _("{total:,} ({parts})", total=total, parts=listed)


def _time(plan: Plan) -> str:
    """Say how long it takes, and what that rests on."""
    requests, about = plan.limits.requests_per_second, duration(plan.seconds)
    pace = plan.pace
    if pace is not None:
        return ngettext(
            "about {time}, a request every {gap}; at most {count:,} message in any minute",
            "about {time}, a request every {gap}; at most {count:,} messages in any minute",
            pace.per_minute,
            time=about,
            gap=duration(round(pace.gap_s, 1)),
        )
    return _("about {time}, at an assumed {rate:g} requests a second", time=about, rate=requests)


def _excluded_lines(plan: Plan) -> list[tuple[str, str, str]]:
    table = plan.summary.iloc[1:]
    lines = []
    for rows, meaning, segments in zip(table["rows"], table["meaning"], table["segments"], strict=True):
        saved = 0 if plan.segments is None else int(segments)
        cost = plan.cost_of(saved)
        words = ngettext("{count:,} segment", "{count:,} segments", saved) if saved else ""
        if saved and cost is not None:
            words = _("{first}, {second}", first=words, second=money(cost))
        lines.append((f"{rows:,}", str(meaning), words))
    return lines


def _examples(plan: Plan) -> list[tuple[str, str, str]]:
    lines: list[tuple[str, str, str]] = []
    chosen = list(zip((_("first"), _("shortest"), _("longest")), plan.planned.examples, strict=False))
    arms = plan.planned.arms_of_messages()
    if arms is not None:  # the texts of all arms are seen before they leave
        names = sorted(set(arms.tolist()))[:_MOST_ARMS_SHOWN]
        firsts = [int(np.flatnonzero(arms == name)[0]) for name in names]
        chosen = [(_("arm {arm}", arm=name), place) for name, place in zip(names, firsts, strict=True)] + chosen[1:]
    for which, position in chosen:
        phone = mask_phone(int(plan.planned.numbers[position]))
        shown = _bounded(mask_phones_in(plan.shown(position)))
        if not any(phone == other and shown == text for _which, other, text in lines):
            lines.append((which, phone, shown))
    return lines
