"""What one person got, what became of it, and what came back: the page for the customer who calls."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from masanalytics.codes import describe_code
from masanalytics.errors import InputError
from masanalytics.formatting import card, duration, plain_card, shorten
from masanalytics.i18n import Text, _, speaks
from masanalytics.masking import mask_phone, mask_phones_in, shown_value
from masanalytics.phones import normalise_phones
from masanalytics.store import forgetting, frames
from masanalytics.store.archived_rows import archived_to
from masanalytics.store.message_columns import Condition
from masanalytics.store.messages import read_messages
from masanalytics.vocabulary import EXCLUSIONS, STATUS_WORDS, UNREPORTED_AFTER_S

__all__ = ["History", "one_number", "read_history"]

_SHOWN: Final = 60
_TEXT: Final = 60
_EVENTS: Final = (
    "at", "what", "campaign", "round", "content", "status", "error_code", "meaning", "advice", "received_at", "latency_s",
    "opt_out", "message_id",
)  # fmt: skip
_UPLINKS: Final = (
    "SELECT u.sent_at AS at, c.campaign, r.round, u.content, u.opt_out, u.message_id FROM uplinks u LEFT JOIN messages m USING"
    " (message_id) LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id LEFT JOIN rounds r ON r.round_id = m.round_id"
    " WHERE u.phone IN (?, ?)"
)


@dataclass(frozen=True, repr=False, eq=False)
class History:
    """One person's messages and replies. Shows itself as a card in a notebook, as lines of text elsewhere.

    Attributes
    ----------
    phone : str
        The number, its middle hidden unless it was asked for.
    events : DataFrame
        One row a message or reply, oldest first: ``at`` (submission of a message, time of a reply; Asia/Shanghai), ``what``
        (``message`` or ``reply``), ``campaign, round, content, status, error_code``, ``meaning`` (the status in words, of
        failures the code's) and ``advice``, ``received_at, latency_s``, ``opt_out`` (of replies), ``message_id`` (Int64), ``carrier``.
    opted_out_at : Timestamp or None
        Since when the person is not to be written to; None where they may be.
    opt_out_reason : str or None
        Why, as the opt-out list has it.
    is_forgotten : bool
        Whether number and texts were erased with `Store.forget`.
    silent_in : tuple of str
        The campaigns in which the person is in a silent arm, and got nothing on purpose.
    archived : Text or None
        How many messages to them have left the file for an archive and are not in ``events``; its ``parameters["count"]`` is the
        number. None where none is, and of `Archive.history`, which has them.
    """

    phone: str
    events: pd.DataFrame
    opted_out_at: pd.Timestamp | None
    opt_out_reason: str | None
    is_forgotten: bool
    silent_in: tuple[str, ...] = ()
    archived: Text | None = None

    def __len__(self) -> int:
        return len(self.events)

    @speaks
    def text(self, language: str | None = None) -> str:
        """Return what the card says, as plain text.

        Parameters
        ----------
        language : {"en", "zh"}, optional
            By default the user's own.
        """
        title, figures, notes = self._shown()
        return plain_card(title, figures, [*notes, *(" · ".join(filter(None, line)) for line in self._lines())])

    @speaks
    def html(self, language: str | None = None) -> str:
        """Return the card as HTML; `language` as for `text`."""
        rows = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left;vertical-align:top">{html.escape(cell)}</td>' for cell in line)
            + "</tr>"
            for line in self._lines()
        )
        return card(*self._shown()) + (f"<table>{rows}</table>" if rows else "")

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _shown(self) -> tuple[str, dict[str, object], list[str]]:
        events = self.events
        messages = events[events["what"] == "message"]
        figures: dict[str, object] = {_("messages"): len(messages)}
        for status, count in messages["status"].value_counts().items():
            figures[_(STATUS_WORDS[str(status)])] = int(count)
        figures[_("replies")] = int((events["what"] == "reply").sum())
        notes = []
        if self.opted_out_at is not None:
            notes.append(
                _(
                    "opted out since {time} ({reason})",
                    time=f"{self.opted_out_at:%Y-%m-%d %H:%M}",
                    reason=self.opt_out_reason,
                )
            )
        if self.is_forgotten:
            notes.append(_("number and texts were erased at this person's wish or for their age"))
        if self.silent_in:
            notes.append(
                _("in a silent arm of {campaigns}: got nothing, to be compared with", campaigns=list(self.silent_in))
            )
        if self.archived is not None:
            notes.append(str(self.archived))
        elif not len(events):
            notes.append(_("nothing was sent to this number, and nothing came from it"))
        if len(events) > _SHOWN:
            notes.append(_("the last {shown} of {count:,}; all are in .events", shown=_SHOWN, count=len(events)))
        return _("History of {phone}", phone=self.phone), figures, notes

    def _lines(self) -> list[tuple[str, str, str, str]]:
        """Return the newest events, oldest first: when, which campaign, what became of it, and the text."""
        lines = []
        for event in self.events.tail(_SHOWN).to_dict("records"):
            at = "-" if pd.isna(event["at"]) else f"{event['at']:%Y-%m-%d %H:%M}"
            campaign = "" if pd.isna(event["campaign"]) else str(event["campaign"])
            if event["round"] and not pd.isna(event["round"]):
                campaign = _("{campaign} (round {round})", campaign=campaign, round=event["round"])
            content = "" if pd.isna(event["content"]) else shorten(str(event["content"]), _TEXT)
            lines.append((at, campaign, _what_became(event), content))
        return lines


def _what_became(event: dict[Any, Any]) -> str:
    if event["what"] == "reply":
        return _("reply: opt-out") if event["opt_out"] == "opt_out" else _("reply")
    word = _(STATUS_WORDS[event["status"]])
    if event["status"] == "delivered" and not pd.isna(event["latency_s"]):
        return _("{status} after {time}", status=word, time=duration(int(event["latency_s"])))
    if event["status"] == "failed":
        code = "" if pd.isna(event["error_code"]) else str(event["error_code"])
        return _("{status}: {code} ({meaning})", status=word, code=code or _("no code"), meaning=_meaning(event))
    return word


def _meaning(event: dict[Any, Any]) -> str:
    code = None if pd.isna(event["error_code"]) else event["error_code"]
    return describe_code(code, carrier=event["carrier"]).meaning


def one_number(phone: object) -> str:
    """Return a number, in any form, as eleven digits.

    Raises
    ------
    InputError
        If it is no mobile number.
    """
    found = normalise_phones(pd.Series([phone], dtype=object)).iloc[0]
    if pd.isna(found["phone"]):
        raise InputError(
            "{phone}: {reason}. Give one mobile number, in any form",
            phone=shown_value(phone),
            reason=Text(EXCLUSIONS[str(found["reason"])]),
        )
    return str(found["phone"])


def read_history(
    conn: sqlite3.Connection,
    phone: str,
    *,
    reveal: bool,
    archived: Callable[[list[str]], pd.DataFrame] | None = None,
) -> History:
    """Return the history of a number of eleven digits; `archived` returns the messages to given names that have left the file."""
    name = forgetting.names_of(conn, [phone]).get(phone)
    named = [phone, name or phone]
    messages = read_messages(conn, Condition("m.phone IN (?, ?)", named))
    replies = frames.read_view(conn, _UPLINKS, named, times=("at",), integers=("message_id",))
    if archived is not None:
        moved = archived(named)
        if name is not None:  # the folder is written anew by the next archiving
            moved = moved.assign(content=pd.Series(None, index=moved.index, dtype="str"))
        messages = _together(messages, moved)
        replies = _of_their_rounds(replies, moved)
    events = pd.concat([_messages(messages), replies.assign(what="reply")], ignore_index=True)
    events = events.reindex(columns=[*_EVENTS, "carrier"]).sort_values(
        ["at", "what"], ignore_index=True, na_position="first"
    )
    texts = ["what", "campaign", "round", "content", "status", "error_code", "meaning", "advice", "opt_out", "carrier"]
    events = events.astype({**dict.fromkeys(texts, "str"), "latency_s": "Int64", "message_id": "Int64"})
    if not reveal:
        events["content"] = events["content"].map(mask_phones_in, na_action="ignore").astype("str")
    row = conn.execute("SELECT since, reason FROM opt_outs WHERE phone IN (?, ?) AND until IS NULL", named).fetchone()
    since = None if row is None else pd.Timestamp(row[0], unit="s", tz="UTC").tz_convert("Asia/Shanghai")
    silent = conn.execute(
        "SELECT DISTINCT c.campaign FROM held_out h JOIN rounds r USING (round_id) JOIN campaigns c USING (campaign_id)"
        " WHERE h.phone IN (?, ?) ORDER BY h.held_out_id",
        named,
    )
    silent_in = tuple(campaign for (campaign,) in silent)
    number = phone if reveal else mask_phone(phone)
    left = archived_to(conn, named) if archived is None else None
    return History(number, events, since, row and row[1], name is not None, silent_in, left)


def _together(messages: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """Return live and archived messages in the order in which they were kept."""
    if moved.empty:
        return messages
    both = pd.concat([moved.reindex(columns=messages.columns).astype(messages.dtypes), messages], ignore_index=True)
    return both.sort_values("message_id", ignore_index=True)


def _of_their_rounds(replies: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """Return the replies with campaign and round of the archived messages that they answer."""
    place = pd.Index(moved["message_id"]).get_indexer(replies["message_id"].fillna(-1))
    known = {
        name: replies[name].where(
            place < 0, pd.Series(moved[name].to_numpy(dtype=object), dtype="str").reindex(place).to_numpy()
        )
        for name in ("campaign", "round")
    }
    return replies.assign(**known)


def _messages(messages: pd.DataFrame) -> pd.DataFrame:
    """Return messages as events, what waited for its report too long as unreported, with what each status means."""
    late = messages["status"].eq("pending") & messages["waited_s"].ge(UNREPORTED_AFTER_S).fillna(value=False)
    status = messages["status"].mask(late.to_numpy(dtype=bool), "unreported")
    failed = messages["status"].eq("failed")
    known = [
        describe_code(None if pd.isna(code) else code, carrier=carrier) if fails else None
        for code, carrier, fails in zip(messages["error_code"], messages["carrier"], failed, strict=True)
    ]
    words = [_(STATUS_WORDS[one]) if code is None else code.meaning for one, code in zip(status, known, strict=True)]
    return messages.assign(
        at=messages["submitted_at"],
        what="message",
        status=status,
        error_code=messages["error_code"].where(failed),
        meaning=words,
        advice=pd.Series([None if code is None else code.advice for code in known], index=messages.index, dtype="str"),
    )
