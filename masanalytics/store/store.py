"""The SQLite file as one object: what was sent, what came back, and what is known of every message."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Never

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Instant
from masanalytics.analysis.filters import Filters, to_instant
from masanalytics.argument_kinds import CLOCK, LENGTH, NAME, SEVERAL, STORE, TEXT, TRUTH, WHOLE, WHOLES, WORDS, takes
from masanalytics.clock import Clock, SystemClock
from masanalytics.errors import InputError, StoreError, unknown_name
from masanalytics.formatting import card, plain_card
from masanalytics.i18n import Text, speaks
from masanalytics.near_names import suggests_names
from masanalytics.paths import folder_in_folder, full_path, path_in_folder
from masanalytics.store import (
    forgetting,
    frames,
    held_out,
    holes,
    kept_columns,
    messages,
    poll_log,
    showing,
    template_texts,
    uplink_ingestion,
)
from masanalytics.store.archived_rows import REPORTS_ARCHIVED, note_archived
from masanalytics.store.database import Connections
from masanalytics.store.forgetting import Forgotten, Wish
from masanalytics.store.intake import Intake
from masanalytics.store.parts import check_rule
from masanalytics.store.sends import Sends
from masanalytics.store.sql_count import StoredMessages
from masanalytics.store.uplink_rows import read_uplinks

if TYPE_CHECKING:
    from sqlite_utils import Database

    from masanalytics.store.archiving import Archived
    from masanalytics.store.history import History

__all__ = ["Store", "replay", "settle"]

_SELDOM = frozenset(
    (
        "accept_older_copy", "archive", "clock", "compress_answers", "give_up_answers", "intake", "is_new", "message_source", "missing_answers",
        "opt_out_words", "prune_answers", "raw_answer", "sends", "merge_accounts",
    )
)  # fmt: skip
"""What completion does not offer."""


@suggests_names
class Store:
    """The SQLite file that sending, collecting and analysing share.

    Parameters
    ----------
    path : str or Path
        The file; made where it does not exist, in a folder that does. ``~`` is the home folder, and a relative path is of the
        folder that is the working folder now. ``":memory:"`` gives a temporary one that goes with the object.
    busy_s : float, optional
        How long to wait while another program writes, in seconds.
    opt_out_words : collection of str, optional
        The replies that mean "no more"; by default those of `masanalytics.opt_outs`.
    clock : Clock, optional
        Where the time comes from.
    parts : {"auto", "any", "all"}, optional
        How the reports of long messages come: one a message (``any``), one a part (``all``: delivered when every part is, or when no
        report can come any more), or as is learned of each account (``auto``). By default what was said last of this file, at
        first ``auto``.

    Attributes
    ----------
    sends, intake, message_source
        What sending, collecting and the analysis functions use; not meant to be called by hand.

    Raises
    ------
    InputError
        If the path is none, or its folder does not exist.
    StoreError
        If the file cannot be opened, or belongs to another program.

    Examples
    --------
    >>> store = Store(":memory:")
    >>> list(store.messages().columns[:4])
    ['message_id', 'campaign', 'round', 'key']
    >>> store
    Store(…): 0 messages, 0 batches, nothing collected yet
    """

    @takes(busy_s=LENGTH, opt_out_words=WORDS, clock=CLOCK, parts=TEXT)
    def __init__(
        self,
        path: str | Path,
        *,
        busy_s: float = 90.0,
        opt_out_words: Collection[str] | None = None,
        clock: Clock | None = None,
        parts: Literal["auto", "any", "all"] | None = None,
    ) -> None:
        check_rule(parts)
        self._remove: Callable[[], object] | None = None
        if str(path) == ":memory:":
            folder = tempfile.mkdtemp(prefix="masanalytics-")
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / "store.db"
        self.path = path_in_folder(full_path(path))
        self.opt_out_words = opt_out_words
        self.clock = clock or SystemClock()
        self._connections = Connections(self.path, busy_s=busy_s)
        self.sends = Sends(self._connections, is_kept=self._remove is None)
        self.intake = Intake(self._connections, opt_out_words)
        self.intake.disbelieve(self.clock.now())
        if parts is not None:
            self.intake.set_rule_of_parts(parts)
        self.message_source = StoredMessages(self._connections)

    @property
    def db(self) -> Database:
        """The connection of this thread as a sqlite-utils ``Database``, for SQL of your own."""
        return self._connections.db

    @property
    def is_new(self) -> bool:
        """Whether this object made its file: it knew nobody then, and nobody had been sent to by it. Never of a temporary one."""
        return self._connections.is_new and self._remove is None

    def accept_older_copy(self) -> None:
        """Go on with a file that was put back from an older copy, which `send` refuses on the machine that wrote the newer one.

        The file does not know who was sent to since the copy was made, and sends to them again. From here on it is a ledger of
        its own: the newer one, where it still exists, is another, and asks for the same word before it sends.
        """
        self.sends.begin_own_ledger()

    def close(self) -> None:
        """Close the file; a temporary store is removed."""
        self._connections.close()
        if self._remove is not None:
            self._connections.is_gone = True
            self._remove()

    def __reduce__(self) -> Never:
        """Refuse to be copied or pickled: an open file belongs to its process."""
        raise InputError(
            "an open store stays in its process, and so does whatever uses it: hand its path on and open Store(path) there"
        )

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        """Offer what is used by hand; machinery and rare repairs are there all the same."""
        return sorted({*object.__dir__(self)} - _SELDOM)

    # ---- what is in it -------------------------------------------------------------------------------------------

    def messages(self, campaign: str | Iterable[str] | None = None, **filters: object) -> pd.DataFrame:
        """Return messages, one row a recipient, with their latest outcome.

        Parameters
        ----------
        campaign : str or list of str, optional
            Only these campaigns.
        **filters
            What the analysis functions take: ``since``, ``until`` (of submission, China time where no zone is given),
            ``where``, and any column, such as ``status="failed"`` or ``carrier="中国联通"`` (one value or several); ``phone`` takes any
            form of a number.

        Returns
        -------
        DataFrame
            The columns of `masanalytics.vocabulary.MESSAGE_COLUMNS`; times in Asia/Shanghai, latencies in seconds. Then the columns
            of your own sheets that any plan kept; ``not kept`` where this one's plan did not. Archived messages are not among them,
            which a note says (`masanalytics.notes_of`): ``mas.Archive(folder, store).messages()`` has them too.

        Raises
        ------
        InputError
            If there is no such campaign, naming those that are near.
        """
        where = Filters.parse({"campaign": campaign, **filters})
        self.sends.check_campaigns(where)
        with self._connections.reading() as conn:
            return note_archived(conn, messages.read_messages(conn, messages.conditions(conn, where)))

    @takes(by=TEXT)
    def campaigns(
        self,
        *,
        by: Literal["campaign", "month"] = "campaign",
        price: float | Mapping[str, float] | None = None,
        **where: object,
    ) -> pd.DataFrame:
        """Return the campaigns, one row a round, oldest first: when, which text, how many, how it went, what it cost, who answered.

        Parameters
        ----------
        by : {"campaign", "month"}
            ``"month"``: one row a month, in which ``campaigns`` counts the rounds of which something was accepted then.
        price : float or mapping of str to float, optional
            Of one segment, or carrier -> price, for ``cost``.
        **where
            As for `masanalytics.delivery_rates`: ``since``, ``until``, any column. Proofs (``send(to=)``) are left out unless
            their campaign is named; what no campaign of this store sent is left out.

        Returns
        -------
        DataFrame
            ``campaign, round, first_sent_at, last_sent_at`` (Asia/Shanghai; missing where nothing was tried), ``text`` (of the
            round's first message, phones masked; of a template its id), ``messages`` (planned and sent),
            ``segments`` (billed), ``accepted, delivered, failed, pending, unreported, delivery_rate, low, high`` (as
            `masanalytics.delivery_rates`), ``cost`` (NaN without a price), ``replies`` (messages answered within 7 days),
            ``opt_outs``. By month: ``month`` (such as ``2026-03``, China time) and ``campaigns`` in place of the first five.

        Examples
        --------
        >>> Store(":memory:").campaigns().columns[:5].tolist()
        ['campaign', 'round', 'first_sent_at', 'last_sent_at', 'text']
        """
        from masanalytics.store.campaigns import campaign_table

        return campaign_table(self, self._connections.reading, by, price, where)

    @takes(reveal=TRUTH)
    @speaks
    def history(self, phone: object, *, reveal: bool = False, language: str | None = None) -> History:
        """Return what one person got, what became of it and what they answered: the page for "I got nothing".

        Parameters
        ----------
        phone : object
            The number, in any form.
        reveal : bool
            Show the number, and those in texts, whole; by default their middle is hidden.
        language : {"en", "zh"}, optional
            Of ``meaning`` and ``advice`` in its ``events``; by default the user's own.

        Returns
        -------
        History
            A card in a notebook, lines of text elsewhere; ``.events`` is the frame behind it. Of messages that are archived it says
            how many there are: ``mas.Archive(folder, store).history(phone)`` lists them too.

        Raises
        ------
        InputError
            If it is no mobile number.

        Examples
        --------
        >>> store = Store(":memory:")
        >>> print(store.history("138 0013 8000").text("en"))
        History of 138****8000
          messages: 0
          replies: 0
          nothing was sent to this number, and nothing came from it
        """
        from masanalytics.store.history import one_number, read_history

        number = one_number(phone)
        with self._connections.reading() as conn:
            return read_history(conn, number, reveal=reveal)

    @takes(campaign=NAME)
    def reports(self, campaign: str | None = None) -> pd.DataFrame:
        """Return every status report as it was handed out, one row each, oldest first.

        Returns
        -------
        DataFrame
            ``report_id, poll_id, message_id, campaign, account, msg_group, phone, report_status, error_code,
            submitted_at, received_at`` (Asia/Shanghai) and the platform's own ``submit_date, receive_date``. Those of archived
            messages are with them, under ``_reports`` in the folder of the archive, which a note says.
        """
        with self._connections.reading() as conn:
            return note_archived(conn, frames.read_reports(conn, campaign), REPORTS_ARCHIVED)

    def foreign_reports(self) -> pd.DataFrame:
        """Return reports of batches this store did not send: another system polls or sends with the same account.

        Returns
        -------
        DataFrame
            As `reports`; hand it to whoever owns the messages, since the platform will not give these reports again.
        """
        with self._connections.reading() as conn:
            return note_archived(conn, frames.read_foreign_reports(conn), REPORTS_ARCHIVED)

    @takes(campaign=NAME)
    def uplinks(self, campaign: str | None = None) -> pd.DataFrame:
        """Return replies, one row each, oldest first.

        Returns
        -------
        DataFrame
            ``uplink_id, poll_id, message_id, campaign, account, phone, content, add_serial, sent_at`` (Asia/Shanghai),
            ``send_time`` (the platform's text) and ``opt_out``: ``opt_out``, ``review`` (only mentions it) or missing.
            ``content`` is whatever a stranger wrote: hand it on with `masanalytics.write_sheet`, in whose files no formula runs.
        """
        with self._connections.reading() as conn:
            return read_uplinks(conn, campaign)

    @takes(campaign=NAME, state=TEXT)
    @speaks
    def batches(
        self, campaign: str | None = None, *, state: str | None = None, language: str | None = None
    ) -> pd.DataFrame:
        """Return batches (submit requests), one row each, oldest first.

        Parameters
        ----------
        state : str, optional
            One of `masanalytics.vocabulary.BATCH_STATES`.
        language : {"en", "zh"}, optional
            Language of ``notice`` and ``verdict``.

        Returns
        -------
        DataFrame
            ``batch_id, campaign, round, account, mode, state, msg_group, rspcod``, ``notice`` (why it is in this state, in
            words) and ``notice_code`` (the same to group by), ``inferred`` (1 where reports showed that it was accepted),
            ``messages, delivered, failed, template_id, params, content, add_serial, arm``, ``canary`` (1 where it is part of its round's),
            ``planned_at, requested_at, answered_at`` (Asia/Shanghai), and of a batch of unknown outcome: ``named``, how many
            of its numbers unmatched reports of one msgGroup name, and ``verdict``, what its silence says (see `settle`).
        """
        with self._connections.reading() as conn:
            return frames.read_batches(conn, campaign, state)

    def templates(self) -> pd.DataFrame:
        """Return the templates that were used, one row a text: what each says, as ``plan(template_text=)`` was told, and how often.

        Returns
        -------
        DataFrame
            ``account, template_id``, ``text`` (missing where nobody has said it), ``placeholders`` (how many parameters the text has;
            Int64), ``first_used, last_used`` (Asia/Shanghai), ``messages`` (accepted). A template whose text has changed has a row for
            each, the last used last.

        Examples
        --------
        >>> Store(":memory:").templates().columns.tolist()
        ['account', 'template_id', 'text', 'placeholders', 'first_used', 'last_used', 'messages']
        """
        with self._connections.reading() as conn:
            return template_texts.read_templates(conn)

    @takes(state=TEXT)
    @speaks
    def polls(self, *, state: str | None = None, language: str | None = None) -> pd.DataFrame:
        """Return polls, one row each, oldest first, without the raw answers.

        Parameters
        ----------
        state : str, optional
            ``parsed``, ``unparsed`` (some or all of it could not be read), ``rejected`` (not data), ``lost`` (the answer
            never arrived), ``failed`` (the request never left), ``stored``, ``asked``.
        language : {"en", "zh"}, optional
            Language of ``notice``.
        """
        with self._connections.reading() as conn:
            return frames.read_polls(conn, state)

    @takes(poll_id=WHOLE)
    def raw_answer(self, poll_id: int) -> bytes | None:
        """Return a poll's answer as it came over the wire, or None where there is none."""
        with self._connections.reading() as conn:
            answer = poll_log.read_answer(conn, poll_id)
        return answer.raw if answer else None

    def compress_answers(self, before: Instant | None = None) -> int:
        """Compress raw answers received before a time (by default all) that were fully read; return how many.

        `replay` reads compressed answers as well. SQLite gives the space back to the file system with ``VACUUM``.
        """
        limit = to_instant(before) if before is not None else int(self.clock.now()) + 1
        total = 0
        while True:
            with self._connections.writing() as conn:
                done = poll_log.compress_answers(conn, limit)
            if not done:
                return total
            total += done

    def prune_answers(self, before: Instant) -> int:
        """Drop the raw answers received before a time that were fully read; return how many.

        What they brought stays, but `replay` cannot rebuild it any more. Never done by itself.
        """
        with self._connections.writing() as conn:
            return poll_log.prune_answers(conn, to_instant(before))

    @takes(account=NAME)
    def coverage(self, account: str | None = None) -> pd.DataFrame:
        """Return the times during which every report was fetched as it came.

        Returns
        -------
        DataFrame
            ``account, started_at, ended_at`` (Asia/Shanghai), ``gap_before_s`` (seconds in which nobody polled; missing
            for an account's first interval).
        """
        with self._connections.reading() as conn:
            return frames.read_coverage(conn, account)

    def missing_answers(self) -> pd.DataFrame:
        """Return the answers that are known to be missing from the numbers: lost, waiting to be taken in, or not readable.

        Messages that were open then are not called unreported, and rates say that they may have arrived. What is kept is read
        again by `replay`; what is lost can be given up with `give_up_answers`.

        Returns
        -------
        DataFrame
            ``poll_id, account, endpoint, state``, ``since`` (up to when everything had been fetched before) and ``until``
            (Asia/Shanghai), ``records`` (how many it can hold).
        """
        with self._connections.reading() as conn:
            return frames.read_missing_answers(conn)

    @takes(poll_ids=WHOLES)
    def give_up_answers(self, poll_ids: Iterable[int] | None = None) -> int:
        """Say that missing answers held nothing of interest, or are gone for good; return how many.

        From then on messages that were open when they were asked for are counted as unreported like any others.

        Parameters
        ----------
        poll_ids : iterable of int, optional
            From ``missing_answers()``; by default all that are missing now.
        """
        with self._connections.writing(durable=True) as conn:
            return holes.give_up(conn, poll_ids, self.clock.now())

    @takes(phones=TEXT, reveal=TRUTH)
    @takes(reveal=TRUTH, phones=TEXT, uplinks=TRUTH)
    def export_parquet(
        self,
        folder: str | Path,
        *,
        reveal: bool = False,
        phones: Literal["masked", "whole", "hashed"] | None = None,
        key: str | bytes | None = None,
        uplinks: bool = False,
    ) -> list[Path]:
        """Bring a folder of Parquet up to date, a file an account and month, which the analysis functions take as it is.

        Only what has changed is written again, late reports included. It can be interrupted, repeated and run twice at once: each
        file is there whole, and each message once. A program that lists the folder while files are replaced may miss a message that
        has just moved to another month, and never sees it twice; one state of the whole folder is what
        ``mas.delivery_rates(folder)`` reads.

        Parameters
        ----------
        folder : str or Path
            Where ``month=YYYY-MM/ACCOUNT.parquet`` go (of submission, China time; ``month=unsent`` for what was not submitted), with
            the manifest ``_manifest.json`` beside them. One store a folder.
        reveal : bool, optional
            ``phones="whole"``.
        phones : {"masked", "whole", "hashed"}, optional
            How mobile numbers stand there: with their middle hidden (the default), whole, or as an HMAC-SHA256 by which people can be
            told apart and followed; hidden in texts and params too unless they are whole. Files with whole numbers can be read by
            their owner only.
        key : str or bytes, optional
            The secret of the hashes, 16 characters or more; the same key gives the same hashes. It is not kept.
        uplinks : bool, optional
            Whether replies are written too, to ``_uplinks/month=YYYY-MM/ACCOUNT.pq``, where ``**/*.parquet`` does not find them.

        Returns
        -------
        list of Path
            The files of messages, also those that were up to date. They have the columns of ``messages()``; ``waited_s`` is as of the
            export in months younger than a week, and at least seven days in others.

        Raises
        ------
        InputError
            If an argument is of no use.
        StoreError
            If the folder cannot be written, or holds the export of another store.
        """
        from masanalytics.store.export import Export, export_parquet
        from masanalytics.store.phone_styles import PhoneStyle

        style = PhoneStyle.asked(phones, reveal=reveal, key=key)
        return export_parquet(self._connections, folder_in_folder(folder), Export(style, uplinks, self.clock.now()))

    def archive(self, before: object, folder: str | Path) -> Archived:
        """Move settled months out of the file into Parquet, where `masanalytics.Archive` analyses them with the live ones.

        What leaves are accepted messages of whole months (of submission, China time) with their reports, once their account's coverage
        reaches a week beyond the month, no answer of that time is missing and no batch is in doubt. Numbers and texts go as they
        are, to files that only their owner can read. The file keeps who got which round, so that nobody is sent one twice, and caps,
        replies and opt-outs count as before; a report that comes late is kept and counted by the archive. Killed at any moment, each
        message is in one place. The room is used again by new messages; ``store.db.vacuum()`` gives it back to the disk.

        Parameters
        ----------
        before : date or time
            Months that end before it; or an age: ``"180d"``.
        folder : str or Path
            The archive: one folder for this store, always the same. It is part of the ledger: keep it as you keep the file.

        Returns
        -------
        Archived
            How many messages of which months, and which months wait; ``reasons`` says why.

        Raises
        ------
        InputError
            If the time is none, or is to come.
        StoreError
            If the folder cannot be written, or is not the archive of this store.
        """
        from masanalytics.store.archiving import archive, check_before

        now = self.clock.now()
        limit = forgetting.instant_before(before, int(now))
        check_before(limit, now)
        return archive(self._connections, folder_in_folder(folder), limit, now)

    # ---- who is not to be written to ------------------------------------------------------------------------------

    def opt_outs(self) -> pd.DataFrame:
        """Return who has opted out: ``phone, since`` (Asia/Shanghai), ``reason, content`` (the reply, where there is one)."""
        with self._connections.reading() as conn:
            return frames.read_opt_outs(conn)

    @takes(reason=TEXT)
    def opt_out(self, phones: Iterable[object], *, reason: str = "by hand") -> int:
        """Put numbers on the opt-out list, which every plan of this store respects; return how many were not on it."""
        good = uplink_ingestion.mobile_numbers(phones)
        with self._connections.writing() as conn:
            return uplink_ingestion.opt_out(conn, good, reason, self.clock.now())

    @takes(phones=SEVERAL)
    def opted_out(self, phones: Iterable[object]) -> npt.NDArray[np.bool_]:
        """Return, number by number (11 digits), whether it is on the opt-out list.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     store.opt_out(["13800138000"])
        ...     store.opted_out(["13800138000", "13900139000"]).tolist()
        1
        [True, False]
        """
        return self.sends.opted_out([str(phone) for phone in phones])

    def held_out(self, campaign: str | None = None, round: str | None = None) -> pd.DataFrame:  # noqa: A002
        """Return the people of silent arms, who got nothing to be compared with, one row a person and round.

        Parameters
        ----------
        campaign, round : str, optional
            Only this campaign, and this round of it; ``""`` is the first.

        Returns
        -------
        DataFrame
            ``campaign, round, arm, phone``, ``held_at`` (when sending began; Asia/Shanghai), ``until`` (up to when other campaigns leave
            them out). Of the round itself they stay left out. Of one round ``.attrs["shares"]`` has the shares that its arms, these
            included, were meant to have.

        Examples
        --------
        >>> Store(":memory:").held_out().columns.tolist()
        ['campaign', 'round', 'arm', 'phone', 'held_at', 'until']
        """
        with self._connections.reading() as conn:
            return held_out.read_held_out(conn, campaign, round)

    def opt_in(self, phones: Iterable[object]) -> int:
        """Take numbers off the opt-out list; return how many were on it."""
        good = uplink_ingestion.mobile_numbers(phones)
        with self._connections.writing() as conn:
            return uplink_ingestion.opt_in(conn, good, self.clock.now())

    @takes(keep_opt_outs=TRUTH, dry_run=TRUTH, force=TRUTH)
    def forget(
        self,
        before: object = None,
        phones: Iterable[object] = (),
        *,
        columns: Iterable[str] = (),
        keep_opt_outs: bool = True,
        dry_run: bool = False,
        force: bool = False,
    ) -> Forgotten:
        """Erase the numbers and texts of people; counts, times, prefixes, carriers and outcomes stay, so analysis does too.

        A round that was sent to somebody stays sent, and an opt-out stays one: the file knows both by a salted hash of the
        number. Whoever is written to again after `before` counts as another person from then on (`number_health`, `fatigue`,
        `suppression_value`). The file is rewritten, so that no free page holds what was erased. The files of an archive are written anew, without them, by the
        next ``archive()``, also one that moves nothing, and those of an export by the next ``export_parquet()`` into that folder.

        Parameters
        ----------
        before : date or time, optional
            Everything submitted, replied and fetched before it, China time where no zone is given; or an age: ``"90d"``.
        phones : iterable, optional
            People, by their numbers. They are also kept from being written to.
        columns : iterable of str, optional
            The columns of your own sheets that tell who it was, such as a name: what messages have in them goes too; other
            columns that were kept stay, for the analysis.
        keep_opt_outs : bool, optional
            Whether opt-outs stay, by their hash; otherwise those people can be written to again.
        dry_run : bool, optional
            Only say what would be erased.
        force : bool, optional
            Also messages whose reports may still come.

        Returns
        -------
        Forgotten
            How many messages, replies, raw answers and opt-outs; also logged in the table ``forgettings``, with the time.

        Raises
        ------
        InputError
            If neither or both of `before` and `phones` are given, a column was never kept, or messages are still open and it is not forced.
        """
        numbers = uplink_ingestion.mobile_numbers(phones)
        if (before is None) == (not numbers):
            raise InputError("forget: give either before= (a time, or an age such as '90d') or phones= (numbers)")
        now = int(self.clock.now())
        limit = None if before is None else forgetting.instant_before(before, now)
        wish = Wish(now, limit, numbers, self._kept_columns(columns), keep_opt_outs=keep_opt_outs, force=force)
        done = self._connections.erase(lambda conn: forgetting.forget(conn, wish), dry_run=dry_run)
        return replace_fields(done, dry_run=dry_run)

    def _kept_columns(self, names: Iterable[str]) -> list[str]:
        """Return the names of columns, each of which some plan kept."""
        asked = [names] if isinstance(names, str) else list(names)
        with self._connections.reading() as conn:
            there = kept_columns.column_names(conn)
        for name in asked:
            if name not in there:
                raise unknown_name(Text("column kept with messages"), name, there)
        return asked

    # ---- what became of it -------------------------------------------------------------------------------------------

    @takes(batch_id=WHOLE, state=TEXT)
    def settle(self, batch_id: int, state: Literal["accepted", "not_sent"]) -> None:
        """Say what became of a batch whose outcome is unknown, or was inferred from reports, or said by you before.

        Parameters
        ----------
        batch_id : int
            From ``batches(state="unknown")``, or one with ``inferred``: its reports are nobody's then.
        state : {"accepted", "not_sent"}
            ``not_sent`` lets the next `masanalytics.send` of the campaign send it. The platform's own word, an answer or
            reports, however late, is believed before yours.

        Raises
        ------
        InputError
            If the batch's outcome is the platform's own word, or there is no such batch.
        """
        self.sends.settle(batch_id, state)

    @takes(campaign=NAME, round=NAME)
    def release(self, campaign: str, round: str = "") -> bool:  # noqa: A002
        """Let the rest of a round go although its canary was not found normal: ``send(..., canary="go on")`` as a method.

        Parameters
        ----------
        campaign, round : str
            The campaign, and the name of the round; empty for the first.

        Returns
        -------
        bool
            Whether a canary had held it back.

        Raises
        ------
        InputError
            If there is no such round.
        """
        return self.sends.release(campaign, round, self.clock.now())

    def replay(self) -> int:
        """Rebuild reports, replies and the outcomes of messages from the raw answers alone; return how many were read.

        Doing it twice gives the same tables as doing it once. Answers whose raw text was pruned keep what they brought.
        """
        return self.intake.replay()

    @takes(account=NAME, into=NAME)
    def merge_accounts(self, account: str, into: str) -> None:
        """Say that two accounts of this store are one: the platform's address has changed.

        An account is its names and the platform's address, so that a platform for tests does not stand in for the real one. At a new
        address it is therefore another account, shown as ``ec_name/ap_id @ address``, until you say this. Then the reports
        that came there are matched with what was sent before.

        Parameters
        ----------
        account : str
            The one that is no account of its own, as frames name it.
        into : str
            The one it belongs to.

        Raises
        ------
        InputError
            If the store does not know one of them.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     store.merge_accounts("shop/ap @ https://new.example", into="shop/ap")
        Traceback (most recent call last):
        masanalytics.errors.InputError: there is no account 'shop/ap @ https://new.example' in this store; it has -
        """
        self.intake.merge_accounts(account, into)

    # ---- how it shows itself ----------------------------------------------------------------------------------------

    @speaks
    def text(self, language: str | None = None) -> str:
        """Return what its card in a notebook says, as plain text: the messages by status, and how far reports were fetched.

        Parameters
        ----------
        language : {"en", "zh"}, optional
            By default the user's own.
        """
        return plain_card(*self._shown())

    def __repr__(self) -> str:
        try:
            with self._connections.reading() as conn:
                return showing.in_one_line(conn, self._name, is_new=self.is_new)
        except StoreError as error:  # a temporary store that was closed, a folder that is gone
            return f"Store({self._name}): {error}"

    def _repr_html_(self) -> str:
        try:
            return card(*self._shown())
        except StoreError:
            return card(repr(self), {})

    @property
    def _name(self) -> str:
        return "…" if self._remove else str(self.path)

    def _shown(self) -> tuple[str, dict[str, object], list[str]]:
        with self._connections.reading() as conn:
            return showing.shown(conn, self._name, is_new=self.is_new)


@takes(store=STORE)
def settle(store: Store, batch_id: int, state: Literal["accepted", "not_sent"]) -> None:
    """Say what became of a batch whose outcome is unknown: `Store.settle` as a function.

    Parameters
    ----------
    store : Store
        Where the batch is recorded.
    batch_id : int
        From ``store.batches(state="unknown")``, whose ``verdict`` says what the silence means.
    state : {"accepted", "not_sent"}
        ``not_sent`` lets the next `send` of the campaign send it: be sure. ``accepted`` waits for its reports.

    Raises
    ------
    InputError
        If there is no such batch of unknown outcome.
    """
    store.settle(batch_id, state)


def replay(store: Store) -> int:
    """Rebuild reports, replies and the outcomes of messages from the raw answers alone: `Store.replay` as a function.

    Parameters
    ----------
    store : Store
        Whose answers are read again.

    Returns
    -------
    int
        How many answers were read.
    """
    return store.replay()
