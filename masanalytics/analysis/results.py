"""What every result carries in ``.attrs``: as of when, under which coverage, of what, and what to mind.

The attrs are plain texts, numbers, lists and dicts, so that a result can be written to Parquet with them.

=================  =====================================================================================
``as_of``          end of coverage as text in China time (``"-"`` where unknown)
``coverage``       ``end``: the end of coverage by account; ``gaps``: when nobody polled, though reports could come;
                   ``holes``: answers known to be missing
``denominator``    what the rates are shares of
``filters``        which messages were asked about
``notes``          what to mind when reading the numbers: a list of ``{"code", "message", "many", "parameters"}``, which
                   `notes_of` puts into words
``small_groups``   index labels of the rows that rest on fewer than 30 messages
=================  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masanalytics.analysis.empty_answers import why_empty
from masanalytics.analysis.filters import Filters, to_instant
from masanalytics.analysis.hidden_numbers import refuse_hidden_numbers
from masanalytics.analysis.known_holes import holes_text
from masanalytics.analysis.sources import MessageSource
from masanalytics.analysis.sources.coverage import of_accounts
from masanalytics.argument_kinds import is_number
from masanalytics.errors import InputError
from masanalytics.i18n import Text, speaks
from masanalytics.masking import mask_phones_in
from masanalytics.stats.rhythm import LEAST_WEEKS
from masanalytics.text import nearest, plain_name
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import (
    CARRIERS,
    DERIVED,
    MESSAGE_COLUMNS,
    MODES,
    UNREPORTED_AFTER_S,
    Status,
    carrier_of_name,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MINUTES_ONLY",
    "NO_RHYTHM",
    "SMALL_GROUP",
    "finished",
    "note_texts",
    "notes_of",
    "refuse_taken_names",
    "refuse_unknown_names",
]

SMALL_GROUP = 30
"""Rows on fewer messages than this are marked as small."""

MINUTES_ONLY = Text(
    "the reports' times have no seconds: latencies are true to a minute either way (±60 s); quantiles are the ends of minutes, so that 60 s is within a minute",
    code="minutes_only",
)

NO_RHYTHM = Text(
    "no rhythm of the week is known from fewer than {least} weeks: weekends are judged as other days are",
    code="no_rhythm",
    least=LEAST_WEEKS,
)

_NAMES = ("campaign", "account", "arm", "province", "city", "template_id", "carrier", "status", "mode")
# Words of which a store may hold no message yet.
_KNOWN: dict[str, Collection[Any]] = {
    "carrier": CARRIERS,
    "status": {*(status.name for status in Status), *Status},
    "mode": MODES,
}
_SHOWN = 5
_DAY_S = 86_400


@speaks
def notes_of(result: pd.DataFrame, language: str | None = None) -> list[str]:
    """Return what to mind when reading `result`, in the language asked for.

    Parameters
    ----------
    result : DataFrame
        What a function of the analysis returned; `notes` stands in its ``attrs``.
    language : {"en", "zh"}, optional
        By default the user's own.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame()
    >>> frame.attrs["notes"] = [Text("all reports are in: the rates are final", code="settled").as_json()]
    >>> notes_of(frame, "zh")
    ['回执均已到齐：比率为最终值']
    """
    return [str(note) for note in note_texts(result.attrs)]


def note_texts(attrs: Mapping[Any, Any]) -> list[Text]:
    """Return the notes in the `attrs` of a result, each with its ``code``, to be said by `str`."""
    return [Text.from_json(note) for note in attrs.get("notes") or ()]


def finished(
    frame: pd.DataFrame,
    source: MessageSource,
    *,
    where: Filters,
    denominator: str = "accepted",
    notes: Iterable[Text] = (),
    counted: Sequence[int] | None = None,
    is_empty: bool | None = None,
) -> pd.DataFrame:
    """Return `frame` with its attrs set, and, where it is empty, why.

    Parameters
    ----------
    counted : sequence of int, optional
        How many messages each row rests on.
    is_empty : bool, optional
        Whether there were no messages to answer from; by default whether `frame` has no rows.

    Raises
    ------
    InputError
        If it is empty because no message has a name it is narrowed to, or it is narrowed to a whole number where numbers are hidden.
    """
    is_empty = frame.empty if is_empty is None else is_empty
    refuse_unknown_names(source, where, is_empty=is_empty)
    refuse_hidden_numbers(source, where.values.get("phone", ()))
    coverage = of_accounts(source.coverage_summary(where.of_columns(source.message_columns())), where)
    frame.attrs["as_of"] = format_instant(coverage.get("as_of"))
    frame.attrs["coverage"] = {name: _plain(coverage.get(name)) for name in ("end", "gaps", "holes")}
    frame.attrs["denominator"] = denominator
    frame.attrs["filters"] = where.describe()
    all_notes = [*([why_empty(source, where)] if is_empty else []), *notes]
    missing = holes_text(coverage.get("holes") or ())
    if missing is not None:
        all_notes.append(missing)
    if "pending" in frame and frame["pending"].sum() > 0:
        all_notes.extend(_behind(coverage))
    all_notes.extend(coverage.get("notes") or ())
    repeated = source.repeated_messages()
    if repeated:
        all_notes.append(
            Text(
                "{count:,} row shows a message (message_id) that another row shows too: it is counted as often as it is there",
                "{count:,} rows show messages (message_id) that other rows show too: they are counted as often as they are there",
                code="repeated",
                count=repeated,
            )
        )
    if counted is not None:
        small = [_plain(label) for label, n in zip(frame.index, counted, strict=True) if n < SMALL_GROUP]
        frame.attrs["small_groups"] = small
        if small:
            all_notes.append(
                Text(
                    "{count:,} of {total:,} rows rest on fewer than {least} messages: read their intervals",
                    code="small_groups",
                    count=len(small),
                    total=len(frame),
                    least=SMALL_GROUP,
                )
            )
    frame.attrs["notes"] = [note.as_json() for note in all_notes]
    return frame


def _behind(coverage: Mapping[str, Any]) -> list[Text]:
    """Return whose reports were fetched until days before those of the others: messages that are pending there stay so."""
    ends = {name: to_instant(end) for name, end in (coverage.get("end") or {}).items()}
    latest = max(ends.values(), default=0)
    late = {name: end for name, end in ends.items() if latest - end > UNREPORTED_AFTER_S}
    if not late:
        return []
    first = min(late.values())
    return [
        Text(
            "reports of {accounts} were last fetched until {until}, {days} days before those of others: what is pending there is as of"
            " then",
            code="accounts_behind",
            accounts=", ".join([*sorted(late)[:_SHOWN], *["…"] * (len(late) > _SHOWN)]),
            until=format_instant(first),
            days=(latest - first) // _DAY_S,
        )
    ]


def refuse_taken_names(by: Sequence[str], columns: Sequence[str]) -> None:
    """Raise if a dimension has the name of a column of the result."""
    taken = [name for name in by if name in columns]
    if taken:
        raise InputError(
            "by={name!r} is also a column of the result: rename that column first",
            name=taken[0],
        )


def refuse_unknown_names(source: MessageSource, where: Filters, *, is_empty: bool = True) -> None:
    """Raise if `where` asks for a campaign, a carrier or another name that no message of `source` has.

    It asks the source again: of answers that came out empty, and for each name of a list.

    Parameters
    ----------
    is_empty : bool
        Whether the answer came out empty: else a single name has been found.

    Raises
    ------
    InputError
        Naming the value, and those that come near.
    """
    available = source.message_columns()
    for name in [*_NAMES, *(set(where.values) - set(MESSAGE_COLUMNS) - set(DERIVED))]:
        options = _unproved(name, where.values.get(name, ()))
        if name not in available or not options or (not is_empty and len(where.values[name]) == 1):
            continue
        found = source.grouped_count([name], where=Filters({name: options}), seconds=None)[0][name]
        there = {value if isinstance(value, str) else _said(value) for value in found.dropna().tolist()}
        missing = [option for option in options if _said(option) not in there]
        # A carrier may be named in either language: one of the two spellings is enough.
        spelled = {carrier_of_name(option) for option in options if _said(option) in there}
        missing = [option for option in missing if carrier_of_name(option) not in spelled]
        if not missing:
            continue
        known = source.grouped_count([name], where=Filters(), seconds=None)[0][name]
        if len(known):
            notes = source.coverage_summary(Filters()).get("notes") or ()
            archived = next((note for note in notes if note.code == "archived"), None)
            raise _unknown(name, tuple(missing), sorted(set(known.dropna().astype(str))), archived)


def _unproved(name: str, options: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the names asked for that are not known to exist whether or not a message has them."""
    return tuple(
        option for option in options if option is not None and carrier_of_name(option) not in _KNOWN.get(name, ())
    )


def _said(option: Any) -> str:
    if is_number(option):  # 1 and 1.0 are one
        return f"{float(option):.15g}"
    return plain_name(option) if isinstance(option, str) else str(option)


def _unknown(name: str, options: tuple[Any, ...], there: list[str], archived: Text | None) -> InputError:
    asked = mask_phones_in(
        ", ".join([*(repr(option) for option in options[:_SHOWN]), *["…"] * (len(options) > _SHOWN)])
    )
    near = [text for option in options[:_SHOWN] for text in nearest(option, there, cutoff=0.3)]
    listed = [mask_phones_in(text) for text in list(dict.fromkeys(near)) or there[:_SHOWN]] or ["-"]
    known = [*listed, *["…"] * (len(there) > len(listed))]
    if archived is not None:
        return InputError(
            "no message has {column} {value}; there is: {known}. But {archived}",
            column=name,
            value=asked,
            known=known,
            archived=archived,
        )
    return InputError("no message has {column} {value}; there is: {known}", column=name, value=asked, known=known)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
