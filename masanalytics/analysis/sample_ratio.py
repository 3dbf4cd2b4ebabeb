"""Whether the arms of a comparison are as large as they were meant to be: a share lost on the way may have been lost by choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final

from masanalytics.aliases import Messages
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.sources.base import HoldsMessages, KnowsShares
from masanalytics.errors import InputError
from masanalytics.formatting import group_label, percent
from masanalytics.i18n import Text
from masanalytics.stats.proportions import share_p_value

__all__ = ["checked_sizes", "kept_shares", "sample_ratio"]

_LEVEL: Final = 0.001


def kept_shares(data: Messages, where: Filters, by: str, arms: Sequence[Any]) -> Mapping[Any, float] | None:
    """Return the shares that a plan kept of its arms, where these arms and no others are there; None where none did."""
    source = data.message_source if isinstance(data, HoldsMessages) else data
    if by != "arm" or not isinstance(source, KnowsShares):
        return None
    meant = dict(source.meant_shares(where))
    asked = where.values.get("arm")
    if asked is not None:
        meant = {arm: share for arm, share in meant.items() if arm in asked}
    known = [arm for arm in arms if isinstance(arm, str)]
    return meant if len(meant) > 1 and set(known) <= meant.keys() else None


def checked_sizes(
    data: Messages, by: str, filters: Filters, shares: Mapping[Any, float] | None
) -> tuple[list[Text], dict[str, Any] | None]:
    """Hold the accepted messages of the arms against their shares, as they are given or as the plan kept them."""
    if shares is None and (by != "arm" or not isinstance(data, HoldsMessages)):
        return [], None
    sizes, _ = count_messages(data, Question([by], (), filters, None))
    sizes = sizes.taken(sizes.accepted())
    if shares is None:
        shares = kept_shares(data, filters, by, sizes.groups[by].tolist())
    return sample_ratio(sizes, by, shares)


def sample_ratio(
    counts: Counts, by: str, shares: Mapping[Any, float] | None
) -> tuple[list[Text], dict[str, Any] | None]:
    """Return the note that arms are not as large as they were meant to be, if they are not, and what was found.

    Parameters
    ----------
    counts : Counts
        Accepted messages, grouped by `by`.
    by : str
        The column of arms.
    shares : mapping, optional
        Arm -> its meant share of the messages (any positive numbers).

    Raises
    ------
    InputError
        If a share is not above 0, or the messages have an arm that was never meant.
    """
    if shares is None:
        return [], None
    meant = _checked(shares)
    found = dict(zip(counts.groups[by].tolist(), counts.tally(counts.accepted()).tolist(), strict=True))
    strange = [arm for arm in found if arm == arm and arm not in meant]
    if strange:
        raise InputError(
            "the messages have {by} = {value!r}, which shares= does not have; it has {known}",
            by=by,
            value=strange[0],
            known=list(meant),
        )
    sizes = [int(found.get(arm, 0)) for arm in meant]
    total = sum(sizes)
    p_value = share_p_value(sizes, list(meant.values()))
    result = {
        "counts": {str(arm): size for arm, size in zip(meant, sizes, strict=True)},
        "shares": {str(arm): share for arm, share in meant.items()},
        "p_value": p_value,
    }
    if not p_value < _LEVEL:
        return [], result
    arm, size = min(zip(meant, sizes, strict=True), key=lambda pair: pair[1] - meant[pair[0]] * total)
    note = Text(
        "{arm} has {count:,} of {total:,} messages where {share} was meant: what was left out differs between the arms, and the "
        "comparison may be biased",
        code="sample_ratio",
        arm=group_label([by], [arm]),
        count=size,
        total=total,
        share=percent(meant[arm]),
    )
    return [note], result


def _checked(shares: Mapping[Any, float]) -> dict[Any, float]:
    """Return the shares, adding up to 1."""
    bad = [
        value
        for value in shares.values()
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf")
    ]
    if bad or len(shares) < 2:
        raise InputError("shares={shares!r}: give each arm's share, above 0, as it was meant", shares=dict(shares))
    whole = sum(shares.values())
    return {arm: float(share) / whole for arm, share in shares.items()}
