"""Several sources as one: stores of several accounts, exports of several stores, any mix of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

import numpy as np

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import ColumnKind, KnowsShares, MessageSource, RawCounts, Seconds
from masanalytics.analysis.sources.ids_apart import APART, IDS, TellsIdsApart, id_places
from masanalytics.analysis.sources.ledger_parts import (
    ARCHIVED,
    LedgerPart,
    check_once,
    late_words,
    ledger_part,
    with_archive,
)
from masanalytics.analysis.sources.lent_rows import Ask, LendsRows, Loan
from masanalytics.analysis.sources.number_totals import AddedUp, NumberTotals, TotalsNumbers
from masanalytics.analysis.sources.parquet_files import in_memory
from masanalytics.analysis.sources.remembered import TellsChanges
from masanalytics.analysis.sources.rows_by_number import ASKED, Bounds, ReadsByNumber
from masanalytics.analysis.sources.written_numbers import TellsNumberStyle, joined_styles, refuse_joined
from masanalytics.errors import InputError, StoreError
from masanalytics.i18n import Text
from masanalytics.timezone import CHINA
from masanalytics.vocabulary import MESSAGE_COLUMNS, NOT_KEPT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UnitedMessages"]

_T = TypeVar("_T")

_NONE: Final = Filters({"status": ()})
_TRIES: Final = 50
_WAIT_S: Final = 0.1


@runtime_checkable
class KnowsOfArchived(Protocol):
    """A source that knows the coverage of its whole store, and has not all of its messages."""

    def coverage_within(self, where: Filters, count: Callable[..., RawCounts]) -> Mapping[str, Any]:
        """Return the coverage that concerns messages, of which `count` says when they were submitted."""
        ...


class UnitedMessages:
    """Several sources as one source of messages.

    The ``message_id`` and ``batch_id`` of the second source have 10**12 added, those of the third 2 · 10**12, and so on: batches of two
    stores are two batches, and an export and the archive of one store have the same ids. A column of the user's own that one of them does not have is "not kept" there.

    Parameters
    ----------
    parts : sequence of MessageSource
        The sources; each message is in one of them.
    apart : int, optional
        By how much ids differ; 0 where the parts have ids of one store.

    Raises
    ------
    InputError, StoreError
        If a message would count twice (`check_once`).
    """

    def __init__(self, parts: Sequence[MessageSource], *, apart: int = APART) -> None:
        self._parts = list(parts)
        self._apart = apart
        self._ledgers = [ledger_part(part) if apart else None for part in self._parts]
        check_once(self._ledgers)
        self._places = id_places(self._ledgers)
        self._columns = [list(part.message_columns()) for part in self._parts]

    @property
    def parts(self) -> Sequence[MessageSource] | None:
        """Its sources; None where they are of one store."""
        return self._parts if self._apart else None

    @property
    def phone_style(self) -> str:
        """How numbers stand in it: such as ``whole``; of several styles the names of all."""
        return joined_styles(str(getattr(part, "phone_style", "whole")) for part in self._parts)

    def shifts_of_accounts(self) -> Mapping[str, int]:
        """Return account -> what its ids have added.

        Raises
        ------
        InputError
            If an account is in several of the sources, so that it does not tell of which a message is.
        """
        found: dict[str, int] = {}
        for number, part in enumerate(self._parts):
            within = part.shifts_of_accounts() if isinstance(part, TellsIdsApart) else {}
            by = ["account"] if "account" in self._columns[number] else []
            accounts = RawCounts(*part.grouped_count(by, where=Filters(), seconds=None)).keys
            for account in accounts["account"].dropna() if by else ():
                shift = self._places[number] * self._apart + within.get(account, 0)
                if found.setdefault(account, shift) != shift:
                    raise InputError(
                        "account {account!r} is in several of the sources, so which of them a reply answers is not known: give"
                        " stores, or exports made with uplinks=True, and no uplinks=",
                        account=account,
                    )
        return found if any(found.values()) else {}

    def state(self) -> Hashable | None:
        """Return what is equal as long as no message of any part changes; None where one cannot tell."""
        states = [part.state() if isinstance(part, TellsChanges) else None for part in self._parts]
        return None if None in states else ("united", self._apart, repr(self._ledgers), *states)

    def _of_one_state(self, question: Callable[[], _T]) -> _T:
        """Ask; where messages may move from one part to another, again until none has moved meanwhile."""
        if not with_archive(self._ledgers):
            return question()
        for _ in range(_TRIES):
            before = [ledger_part(part) for part in self._parts]
            check_once(before)
            answer = question()
            if [ledger_part(part) for part in self._parts] == before:
                return answer
            sleep(_WAIT_S)
        raise StoreError(
            "{folder} is being written all the time: ask again later",
            folder=", ".join(one.name for one in self._ledgers if one is not None),
            retryable=True,
        )

    def message_columns(self) -> Sequence[str]:
        """Return the columns that all have, and the user's own that any has."""
        every = dict.fromkeys(name for columns in self._columns for name in columns)
        return [
            name for name in every if name not in MESSAGE_COLUMNS or all(name in columns for columns in self._columns)
        ]

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count in each and put the counts together."""
        self._check_phones([*by, *where.values])
        return self._of_one_state(lambda: self._counted(by, where, seconds))

    def _counted(self, by: Sequence[str], where: Filters, seconds: Seconds | None) -> RawCounts:
        import pandas as pd

        found = []
        for number, (part, narrowed, lacking) in enumerate(self._asked(by, where)):
            if narrowed is None:
                continue
            there = [name for name in by if name not in lacking]
            raw = RawCounts(*part.grouped_count(there, where=narrowed, seconds=seconds))
            found.append(raw._replace(keys=self._shown(raw.keys, by, number)))
        if not found:
            where_nobody = Filters({by[0] if by else "status": ()})
            there = [name for name in by if name in self._columns[0] or name not in self.message_columns()]
            raw = RawCounts(*self._parts[0].grouped_count(there, where=where_nobody, seconds=seconds))
            return raw._replace(keys=self._shown(raw.keys, by, 0))
        keys = pd.concat([raw.keys for raw in found], ignore_index=True)
        status, counted, n = (np.concatenate([raw[place] for raw in found]) for place in (1, 2, 3))
        return RawCounts(keys, status, counted, n)

    def estimated_count(self, where: Filters) -> int:
        """Return about how many messages pass `where`; 0 where one cannot tell quickly."""
        counts = [
            part.estimated_count(narrowed) for part, narrowed, _ in self._asked((), where) if narrowed is not None
        ]
        return 0 if 0 in counts else sum(counts)

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages of all."""
        self._check_phones([*columns, *where.values])
        return self._of_one_state(lambda: self._rows(columns, where))

    def _rows(self, columns: Sequence[str], where: Filters) -> pd.DataFrame:
        import pandas as pd

        tables = []
        for number, (part, narrowed, lacking) in enumerate(self._asked(columns, where)):
            if narrowed is not None:
                rows = part.message_rows([name for name in columns if name not in lacking], where=narrowed)
                tables.append(_china_times(self._shown(rows, columns, number)))
        filled = [table for table in tables if len(table)] or tables[:1]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Let all that is read meanwhile be of one state of each part that can be read by numbers."""
        with ExitStack() as stack:
            for part in self._parts:
                if isinstance(part, ReadsByNumber):
                    stack.enter_context(part.one_state())
            yield

    def number_bounds(self, where: Filters) -> Sequence[str] | None:
        """Return the numbers at which any part is to be cut; None where one cannot be."""
        self._check_phones(["phone"])
        every: set[str] = set()
        for part, narrowed, _ in self._asked((), where):
            bounds = part.number_bounds(narrowed or _NONE) if isinstance(part, ReadsByNumber) else None
            if bounds is None:
                return None
            every.update(bounds)
        return sorted(every)

    def rows_between(self, columns: Sequence[str], bounds: Bounds, *, where: Filters, asked: Filters) -> pd.DataFrame:
        """Return these columns of the messages of all to numbers within the bounds, and ``#asked``."""
        import pandas as pd

        tables = []
        narrower = [narrowed or _NONE for _, narrowed, _ in self._asked((), asked)]
        for number, (part, narrowed, lacking) in enumerate(self._asked(columns, where)):
            if isinstance(part, ReadsByNumber):
                there = [name for name in columns if name not in lacking]
                rows = part.rows_between(there, bounds, where=narrowed or _NONE, asked=narrower[number])
                tables.append(_china_times(self._shown(rows, [*columns, ASKED], number)))
        filled = [table for table in tables if len(table)] or tables[:1]
        return pd.concat(filled, ignore_index=True)

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the totals of all together where they can be asked so, else of each; None where one makes none."""
        loan = Loan(where, ("heard", "error_code", "carrier"), optional=("heard", "carrier"), timed=False)
        together = self.lend_rows(loan, AddedUp(among))
        return self._of_one_state(lambda: self._totals(where, among)) if together is None else together

    def _totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the totals of each, a number that several have in several rows."""
        import pandas as pd

        found = []
        for part, narrowed, _ in self._asked((), where):
            if narrowed is None:
                continue
            totals = part.number_totals(narrowed, among) if isinstance(part, TotalsNumbers) else None
            if totals is None:
                return None
            found.append(totals)
        if not found:
            return None
        numbers, failures = (pd.concat([totals[place] for totals in found], ignore_index=True) for place in (0, 1))
        return NumberTotals(numbers, failures)

    def lend_rows(self, loan: Loan, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds out of the messages of all together; None where they are not in one place, or one lends none.

        A Store gives its rows to the engine of the others.
        """
        self._check_phones(["phone"])
        asked = [loan.asked] * len(self._parts)
        if loan.asked is not None:
            asked = [narrowed or _NONE for _, narrowed, _ in self._asked((), loan.asked)]
        loans = []
        for number, (part, narrowed, _) in enumerate(self._asked((), loan.where)):
            if narrowed is not None:
                loans.append((number, part, replace(loan, where=narrowed, asked=asked[number])))
        loans.sort(key=lambda one: not isinstance(one[1], LendsRows))
        if not loans or not isinstance(loans[0][1], LendsRows):
            return None
        return self._of_one_state(lambda: self._lent(loans, ask, []))

    def _lent(self, loans: Sequence[tuple[int, MessageSource, Loan]], ask: Ask[_T], lent: Sequence[Any]) -> _T | None:
        """Ask when all have lent theirs: each as it is until then."""
        (number, part, loan), *others = loans
        lender: MessageSource | None = part
        if not isinstance(part, LendsRows):
            lender = in_memory(part.message_rows(loan.columns_of(part.message_columns()), where=loan.where))

        def go_on(rows: Any, collect: Callable[[Any], pd.DataFrame]) -> _T | None:
            every = [*lent, self._numbered(rows, self._places[number])]
            if others:
                return self._lent(others, ask, every)
            together = _together(every)
            return None if together is None else ask(together, collect)

        return lender.lend_rows(loan, go_on) if isinstance(lender, LendsRows) else None

    def _numbered(self, rows: Any, place: int) -> Any:
        """Return lent rows with ids told apart."""
        import narwhals as nw

        if "message_id" not in rows.collect_schema().names():
            return rows
        return rows.with_columns(message_id=nw.col("message_id").cast(nw.Int64) + place * self._apart)

    def seen_number_style(self) -> str:
        """Return how numbers of those are hidden that can tell."""
        return " ".join(part.seen_number_style() for part in self._parts if isinstance(part, TellsNumberStyle))

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds, as the first says that has it."""
        holders = [part for part, columns in zip(self._parts, self._columns, strict=True) if name in columns]
        return holders[0].column_kind(name) if holders else None

    def meant_shares(self, where: Filters) -> Mapping[str, float]:
        """Return arm -> share, where all that know of shares say the same."""
        knowing = [part.meant_shares(where) for part in self._parts if isinstance(part, KnowsShares)]
        known = [dict(shares) for shares in knowing if shares]
        return known[0] if known and all(shares == known[0] for shares in known) else {}

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row of the same source shows too."""
        return sum(part.repeated_messages() for part in self._parts)

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return how far and when reports were fetched, account by account."""
        found = []
        for known, (part, narrowed, _) in zip(self._ledgers, self._asked((), where), strict=True):
            if narrowed is not None:
                summary = self._coverage_of(part, known, narrowed)
                found.append({**summary, "notes": self._notes(known, summary.get("notes") or ())})
        ends: dict[str, Any] = {}
        for one in found:
            for account, end in (one.get("end") or {}).items():
                ends[account] = max(end, ends.get(account, end))
        return {
            "as_of": max((one["as_of"] for one in found if one.get("as_of") is not None), default=None),
            "end": ends,
            "gaps": [gap for one in found for gap in one.get("gaps") or ()],
            "holes": [hole for one in found for hole in one.get("holes") or ()],
            "notes": _summed(note for one in found for note in one["notes"]),
        }

    def _coverage_of(self, part: MessageSource, known: LedgerPart | None, where: Filters) -> Mapping[str, Any]:
        """Return the coverage of a part; an export knows that of its store, whose messages may be in the archive beside it."""
        if known is None or not isinstance(part, KnowsOfArchived) or known.ledger not in with_archive(self._ledgers):
            return part.coverage_summary(where)
        of_store = [
            one
            for one, ledger in zip(self._parts, self._ledgers, strict=True)
            if ledger is not None and ledger.ledger == known.ledger
        ]
        return part.coverage_within(where, UnitedMessages(of_store, apart=0).grouped_count)

    def _notes(self, known: LedgerPart | None, notes: Iterable[Text]) -> list[Text]:
        """Return the notes of a part that are true of all together: what another part has is not left out."""
        beside = with_archive(self._ledgers).get(known.ledger) if known is not None else None
        if beside is None:
            return list(notes)
        late = late_words(**beside) if known is beside["export"] else None
        return [*(note for note in notes if note.code != ARCHIVED), *([late] if late is not None else [])]

    def _asked(
        self, columns: Sequence[str], where: Filters
    ) -> Iterable[tuple[MessageSource, Filters | None, set[str]]]:
        """Yield each part with what it is narrowed to (None: nothing of it passes), and the columns it does not have."""
        own = {name for each in self._columns for name in each if name not in MESSAGE_COLUMNS}
        for number, (part, there) in enumerate(zip(self._parts, self._columns, strict=True)):
            lacking = own - set(there)
            values = dict(where.values)
            passes = all(NOT_KEPT in values[name] for name in lacking & values.keys())
            values = {name: options for name, options in values.items() if name not in lacking}
            for name in {*IDS} & values.keys():
                values[name] = self._own_ids(values[name], self._places[number])
            yield part, replace(where, values=values) if passes else None, lacking & {*columns}

    def _own_ids(self, options: tuple[Any, ...], place: int) -> tuple[Any, ...]:
        if not self._apart:
            return options
        numbers = [(option, isinstance(option, (int, np.integer))) for option in options]
        return tuple(
            option % self._apart if is_number else option
            for option, is_number in numbers
            if not is_number or option // self._apart == place
        )

    def _shown(self, rows: pd.DataFrame, columns: Sequence[str], number: int) -> pd.DataFrame:
        """Return the rows with ids told apart and the columns they lack."""
        place = self._places[number]
        ids = {name: rows[name] + place * self._apart for name in IDS if name in rows.columns and place and self._apart}
        filled = rows.assign(**{name: NOT_KEPT for name in columns if name not in rows.columns}, **ids)
        return filled[list(columns)]

    def _check_phones(self, columns: Iterable[str]) -> None:
        """Raise if numbers are asked for that are written in several ways: one person would be several."""
        if "phone" in columns:
            refuse_joined(self.phone_style)


def _together(frames: Sequence[Any]) -> Any:
    """Return lent rows of one engine as one frame; None where they are of several, or of several connections of DuckDB."""
    import narwhals as nw

    frames = [frame.lazy() if frame.implementation.name == "POLARS" else frame for frame in frames]
    kinds = [(frame.implementation, frame.collect_schema()) for frame in frames]
    if any(kind != kinds[0] for kind in kinds):
        return None
    if kinds[0][0].name != "DUCKDB":
        return nw.concat(frames, how="vertical")
    from duckdb import InvalidInputException

    try:
        return nw.concat(frames, how="vertical")
    except InvalidInputException:
        return None


def _summed(notes: Iterable[Text]) -> list[Text]:
    """Return each note once; counts of one kind are added up."""
    kept: dict[Any, Text] = {}
    for note in notes:
        counts = set(note.parameters) == {"count"}
        key = (note.code, note.message) if counts else (note.message, repr(note.as_json()))
        if counts and key in kept:
            total = kept[key].parameters["count"] + note.parameters["count"]
            kept[key] = Text(note.message, note.many, code=note.code, count=total)
        else:
            kept.setdefault(key, note)
    return list(kept.values())


def _china_times(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with times of one kind, so that they can be put together; times without a zone are China time."""
    import pandas as pd

    shown: dict[str, Any] = {}
    for name in ("submitted_at", "received_at"):
        if name in rows.columns and pd.api.types.is_datetime64_any_dtype(rows[name].dtype):
            times = rows[name].dt
            is_zoned = isinstance(rows[name].dtype, pd.DatetimeTZDtype)
            shown[name] = (times.tz_convert(CHINA) if is_zoned else times.tz_localize(CHINA)).dt.as_unit("s")
    return rows.assign(**shown)
