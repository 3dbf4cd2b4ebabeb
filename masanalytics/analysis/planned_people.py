"""Everybody a round was planned for, told or not, with the moment from which on what they do is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.results import refuse_unknown_names
from masanalytics.analysis.sources.base import HoldsMessages, LacksArchived
from masanalytics.analysis.sources.pandas import epoch_seconds
from masanalytics.clock import Clock
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phone
from masanalytics.vocabulary import ACCEPTED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HoldsSilentArms", "PlannedPeople", "planned_people"]


@runtime_checkable
class HoldsSilentArms(HoldsMessages, Protocol):
    """What also knows who got nothing, as a Store does and a frame of messages does not."""

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    def held_out(self, campaign: str | None = None, round: str | None = None) -> pd.DataFrame:  # noqa: A002
        """Return the people of silent arms."""
        ...


@dataclass(frozen=True)
class PlannedPeople:
    """The people of a round.

    Attributes
    ----------
    table : DataFrame
        One row a person: ``phone, arm, silent, delivered`` (bool: a message arrived), ``segments`` (accepted), ``at`` (epoch
        seconds: when the message was sent; of those without one, when it would have been).
    where : Filters
        The campaign and the round.
    shares : mapping
        The shares that the arms were meant to have.
    notes : list of Text
        Who is in none of it.
    """

    table: pd.DataFrame
    where: Filters
    shares: dict[str, float]
    notes: list[Text]


def planned_people(store: HoldsSilentArms, campaign: str, label: str) -> PlannedPeople:
    """Return everybody a round was planned for.

    Raises
    ------
    InputError
        If there is no such round, nothing of it was sent, or somebody is in two arms.
    """
    import pandas as pd

    where = Filters.parse({"campaign": campaign, "round": label})
    source = store.message_source
    if isinstance(source, LacksArchived):
        source.refuse_archived(campaign)
    columns = ["message_id", "phone", "arm", "status", "submitted_at", "segments"]
    messages = source.message_rows(columns, where=where).sort_values("message_id", ignore_index=True)
    refuse_unknown_names(source, where, is_empty=messages.empty)
    held = store.held_out(campaign, label)
    at = epoch_seconds(messages["submitted_at"])
    if np.isnan(at).all():
        raise InputError(
            "nothing of campaign {campaign!r}, round {round!r}, has been sent yet", campaign=campaign, round=label
        )
    messages = messages.assign(at=pd.Series(at).ffill().bfill().to_numpy(), silent=False)
    messages["delivered"] = messages["status"].eq("delivered").to_numpy(dtype=bool)
    accepted = messages["status"].isin(ACCEPTED).to_numpy(dtype=bool)
    messages["segments"] = messages["segments"].fillna(1).astype("int64").where(accepted, 0)
    silent = held[["phone", "arm"]].assign(
        silent=True, delivered=False, segments=0, at=_as_if_sent(messages["at"], len(held))
    )
    everybody = pd.concat([messages[list(silent.columns)], silent], ignore_index=True)
    kept, notes = _named(everybody)
    if kept.empty:
        raise InputError(
            "nobody of campaign {campaign!r}, round {round!r}, is in an arm, or all were forgotten: plan(df, arm=…), or send what split"
            " returned",
            campaign=campaign,
            round=label,
        )
    _refuse_two_arms(kept)
    people = kept.groupby("phone", sort=False).agg(
        arm=("arm", "first"), silent=("silent", "first"), delivered=("delivered", "any"), segments=("segments", "sum"),
        at=("at", "min"),
    )  # fmt: skip
    return PlannedPeople(people.reset_index(), where, dict(held.attrs.get("shares") or {}), notes)


def _as_if_sent(sent: pd.Series, count: int) -> Figures:
    """Return when people without a message would have got one: at the same times as the others, in the same order."""
    times = np.sort(sent.to_numpy(dtype=float))
    return times[((np.arange(count) + 0.5) / max(count, 1) * len(times)).astype(np.int64)]


def _named(everybody: pd.DataFrame) -> tuple[pd.DataFrame, list[Text]]:
    """Leave out who is in no arm, and whose number was forgotten: nothing can be matched with them."""
    notes = []
    armless, gone = everybody["arm"].isna(), everybody["phone"].str.contains("~", regex=False)
    if armless.any():
        notes.append(
            Text(
                "{count:,} message of the round has no arm, and is left out",
                "{count:,} messages of the round have no arm, and are left out",
                code="no_arm",
                count=int(armless.sum()),
            )
        )
    if gone.any():
        notes.append(
            Text(
                "{count:,} message is to somebody who was forgotten since, and is left out",
                "{count:,} messages are to people who were forgotten since, and are left out",
                code="forgotten",
                count=int(gone.sum()),
            )
        )
    return everybody[~armless & ~gone].reset_index(drop=True), notes


def _refuse_two_arms(everybody: pd.DataFrame) -> None:
    pairs = everybody[["phone", "arm"]].drop_duplicates()
    twice: Any = pairs[pairs["phone"].duplicated(keep=False)]
    if len(twice):
        phone = twice["phone"].iloc[0]
        raise InputError(
            "{phone} is in two arms ({arms}): what they did cannot be put down to one of them",
            phone=mask_phone(phone),
            arms=twice.loc[twice["phone"] == phone, "arm"].tolist(),
        )
