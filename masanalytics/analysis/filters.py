"""What a question is narrowed to, in plain values that every source of messages can push down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from masanalytics.analysis.dimensions import is_column, is_derived, unknown_argument
from masanalytics.analysis.filter_values import as_kept
from masanalytics.errors import InputError
from masanalytics.lengths import to_seconds
from masanalytics.masking import shown_value
from masanalytics.timezone import format_instant, to_instant
from masanalytics.vocabulary import carrier_of_name

__all__ = ["Filters", "to_instant", "to_seconds"]


@dataclass(frozen=True)
class Filters:
    """Which messages are asked about.

    Attributes
    ----------
    values : mapping of str to tuple
        Column -> the values it may have; ``None`` among them means missing.
    since, until : int, optional
        Of ``submitted_at``, epoch seconds: from `since` on, before `until`.
    waited_at_least : int, optional
        Of ``waited_s``: only messages that have been observed this long.
    waited_in : tuple of pairs of int, optional
        Of ``waited_s`` in whole seconds: only messages that have been observed for one of these, each from its first number on and
        shorter than its second.
    every : int
        One message in so many is enough; a source that cannot leave any out counts all.
    named : frozenset of str
        The columns that were given as keyword arguments: what is no column is an unknown argument.
    keeps_proofs_out : bool
        Whether proofs stay out although single messages are named.
    """

    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    waited_at_least: int | None = None
    waited_in: tuple[tuple[int, int], ...] | None = None
    every: int = 1
    named: frozenset[str] = frozenset()
    keeps_proofs_out: bool = False

    @classmethod
    def parse(cls, conditions: Mapping[str, Any], *, waited_at_least: int | None = None) -> Filters:
        """Read the keyword arguments of an analysis function: ``since``, ``until``, ``where`` and any column.

        Examples
        --------
        >>> found = Filters.parse({"campaign": "spring", "since": "2026-01-01", "where": {"carrier": ["a", "b"]}})
        >>> found.values, found.since
        ({'carrier': ('a', 'b'), 'campaign': ('spring',)}, 1767196800)
        """
        named = dict(conditions)
        since, until = named.pop("since", None), named.pop("until", None)
        values = {**(named.pop("where", None) or {}), **named}
        options = {name: _options(value) for name, value in values.items() if value is not None}
        if "carrier" in options:
            options["carrier"] = _either_language(options["carrier"])
        start, end = _window(since, until)
        return cls(
            values=options,
            since=start,
            until=end,
            waited_at_least=waited_at_least,
            named=frozenset(named),
        )

    @property
    def is_without_proofs(self) -> bool:
        """Whether proofs are left out: they are, unless a campaign, a round, a number or a message is named."""
        named = ("campaign", "round", "phone", "message_id", "batch_id")
        return self.keeps_proofs_out or self.values.keys().isdisjoint(named)

    def among(self, message_ids: Iterable[int]) -> Filters:
        """Return the same of these messages only, of which proofs stay out as they did.

        Examples
        --------
        >>> found = Filters.parse({"message_id": [1, 2]}).among([2, 3])
        >>> found.values, found.is_without_proofs, Filters().among([2]).is_without_proofs
        ({'message_id': (2,)}, False, True)
        """
        return self.also_in("message_id", message_ids)

    def written_to(self, phones: Iterable[Any]) -> Filters:
        """Return the same of messages to these numbers only, of which proofs stay out as they did.

        Examples
        --------
        >>> found = Filters.parse({"campaign": "a"}).written_to(["13800138000"])
        >>> found.values["phone"], found.is_without_proofs, Filters().written_to([]).is_without_proofs
        (('13800138000',), False, True)
        """
        return self.also_in("phone", phones)

    def also_in(self, name: str, values: Iterable[Any]) -> Filters:
        """Return the same of messages of which the column is one of these too, of which proofs stay out as they did.

        Examples
        --------
        >>> found = Filters().also_in("campaign", ["a", "b"]).also_in("campaign", ["b", "c"])
        >>> found.values, found.is_without_proofs
        ({'campaign': ('b',)}, True)
        >>> Filters({"phone": ("138 0013 8000",)}).also_in("phone", ["+8613800138000", "13900139000"]).values
        {'phone': ('+8613800138000',)}
        """
        chosen = list(values)
        if name in self.values:
            wanted = {*self.values[name], *as_kept(name, self.values[name])}
            kept = dict(zip(spelled := [one for one in chosen if one is not None], as_kept(name, spelled), strict=True))
            chosen = [one for one in chosen if one in wanted or kept.get(one) in wanted]
        return replace(self, values={**self.values, name: tuple(chosen)}, keeps_proofs_out=self.is_without_proofs)

    def divided(self, available: Sequence[str]) -> tuple[Filters, dict[str, tuple[Any, ...]]]:
        """Return what a source with these columns can be narrowed to itself, and the values of derived dimensions.

        Raises
        ------
        InputError
            If a keyword argument is no column.

        Examples
        --------
        >>> pushed, derived = Filters.parse({"campaign": "spring", "hour": 9}).divided(["campaign", "submitted_at"])
        >>> pushed.values, derived
        ({'campaign': ('spring',)}, {'hour': (9,)})
        """
        unknown = [name for name in self.values if name in self.named and not is_column(name, available)]
        if unknown:
            raise unknown_argument(unknown[0], available)
        derived = {name: options for name, options in self.values.items() if is_derived(name, available)}
        pushed = {name: options for name, options in self.values.items() if name not in derived}
        return replace(self, values=pushed), derived

    def of_columns(self, available: Sequence[str]) -> Filters:
        """Return the first of what `divided` returns: what a source with these columns can be asked, which may be wider.

        Examples
        --------
        >>> Filters.parse({"campaign": "spring", "hour": 9}).of_columns(["campaign", "submitted_at"]).values
        {'campaign': ('spring',)}
        """
        return self.divided(available)[0]

    @property
    def age_s(self) -> int:
        """For how long messages must have been watched to be among those asked about."""
        return max(self.waited_at_least or 0, *(start for start, _ in self.waited_in or ()), 0)

    def describe(self) -> dict[str, Any]:
        """Return the filters as plain values, for `.attrs`."""
        described: dict[str, Any] = {
            name: [
                None if value is None else str(value)
                for value in values
                if carrier_of_name(value) == value or carrier_of_name(value) not in values
            ]
            for name, values in self.values.items()
        }
        if self.since is not None:
            described["since"] = format_instant(self.since)
        if self.until is not None:
            described["until"] = format_instant(self.until)
        return described


def _window(since: Any, until: Any) -> tuple[int | None, int | None]:
    """Return both ends as epoch seconds.

    Raises
    ------
    InputError
        If the window ends before it begins.
    """
    start, end = (None if value is None else to_instant(value) for value in (since, until))
    if start is not None and end is not None and end <= start:
        raise InputError(
            "until={until!r} is not after since={since!r}: no message can be between", since=since, until=until
        )
    return start, end


def _either_language(carriers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return carriers with the English name beside a Chinese one: frames hold it, charts and reports show the other."""
    return tuple(dict.fromkeys(either for name in carriers for either in (name, carrier_of_name(name))))


def _options(value: Any) -> tuple[Any, ...]:
    """Return the allowed values as a tuple, missing ones as None."""
    import pandas as pd

    if isinstance(value, Mapping):
        raise InputError("a filter is a value, or a list of them: {value} is a mapping", value=shown_value(value))
    several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, date))
    # An array of Arrow hands out values of its own kind.
    options = (value.to_pylist() if hasattr(value, "to_pylist") else list(value)) if several else [value]
    return tuple(
        None if option is None or (pd.api.types.is_scalar(option) and pd.isna(option)) else option for option in options
    )
