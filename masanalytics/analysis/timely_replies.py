"""Which replies answer which message, and how long after it: the one matching that every question about replies uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from masanalytics.aliases import Messages
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import MessageSource, RememberedMessages, uplinks_of
from masanalytics.analysis.sources.ids_apart import TellsIdsApart, are_told_apart
from masanalytics.analysis.sources.pandas import epoch_seconds
from masanalytics.errors import InputError, missing_columns
from masanalytics.i18n import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REPLY_WINDOW", "first_answers", "timely_replies"]

REPLY_WINDOW: Final = "7d"
"""A reply later than this after the message is not counted as its answer, unless another length is asked for."""

_UPLINK_COLUMNS = ("message_id", "phone", "content", "sent_at", "opt_out")


def timely_replies(
    data: Messages, source: MessageSource, uplinks: pd.DataFrame | None, within: int, *, where: Filters | None = None
) -> tuple[pd.DataFrame, int]:
    """Return the replies that came within so many seconds of a message (that passes `where`), and how many answer none.

    Returns
    -------
    DataFrame, int
        ``_message_id, _content, _opt_out, _after_s`` (seconds after submission), a row a reply: names of their own, since
        messages may be asked about by content or any other column. The number is of replies to no known message, or dated
        before it.

    Raises
    ------
    InputError
        If there are no replies in `data` and none are given, or a column of theirs is missing.
    """
    said = _uplinks(data, uplinks, source)
    known = said["_message_id"].notna()
    said, strangers = said[known].astype({"_message_id": "int64"}), int((~known).sum())
    ids = said["_message_id"].unique().tolist()
    among = Filters({"message_id": tuple(ids)}) if where is None else where.among(ids)
    by_account = "_account" in said and "account" in source.message_columns()
    messages = source.message_rows(["message_id", "submitted_at", *(["account"] if by_account else [])], where=among)
    at = messages[["message_id"]].astype("int64").set_axis(["_message_id"], axis=1)
    at["_message_at"] = epoch_seconds(messages["submitted_at"])
    if by_account:
        at["_message_account"] = messages["account"].astype("object")
    table = said.merge(at.drop_duplicates("_message_id"), on="_message_id", how="inner")
    if by_account:  # the same number may be a message of another account, which is not asked about
        whose, account = table.pop("_account"), table.pop("_message_account")
        table = table[whose.isna() | account.isna() | (whose == account)]
    table["_after_s"] = epoch_seconds(table.pop("_sent_at")) - table.pop("_message_at")
    early = table["_after_s"] < 0
    timely = table[~early & ~(table["_after_s"] > within)].reset_index(drop=True)
    return timely, strangers + int(early.sum())


def first_answers(said: pd.DataFrame, *, only_opt_outs: bool) -> Mapping[int, float]:
    """Return message_id -> seconds to its first answer, from what `timely_replies` returns.

    Parameters
    ----------
    said : DataFrame
        Replies.
    only_opt_outs : bool
        Whether only an opt-out is an answer.
    """
    said = said[said["_opt_out"] == "opt_out"] if only_opt_outs else said
    first = said.groupby("_message_id")["_after_s"].min()
    return dict(zip(first.index.tolist(), first.tolist(), strict=True))


def _uplinks(data: Messages, uplinks: pd.DataFrame | None, source: MessageSource) -> pd.DataFrame:
    is_given = uplinks is not None
    if uplinks is None:
        uplinks = uplinks_of(data)
        if uplinks is None:
            raise InputError(
                "the data has no replies: an export has them with store.export_parquet(folder, uplinks=True) where its folder is"
                " given, and beside a frame of messages they are given as uplinks=store.uplinks()"
            )
    error = missing_columns(_UPLINK_COLUMNS, uplinks.columns, frame=Text("the uplinks"))
    if error is not None:
        raise error
    named = uplinks[["message_id", "content", "sent_at", "opt_out"]]
    if is_given:
        account = {"account": uplinks["account"].astype("object")} if "account" in uplinks else {}
        named = named.assign(message_id=_ids_of(uplinks, source), **account)
    return named.rename(columns={name: f"_{name}" for name in named.columns})


def _ids_of(uplinks: pd.DataFrame, source: MessageSource) -> pd.Series:
    """Return the ids of the messages that replies answer, as the source has them; missing where it has none of their account.

    Raises
    ------
    InputError
        If messages of several stores have the same ids, and nothing tells of which the replies are.
    """
    ids = uplinks["message_id"]
    if are_told_apart(ids):  # as a table by message_id shows them
        return ids
    plain = source.plain if isinstance(source, RememberedMessages) else source
    shifts = plain.shifts_of_accounts() if isinstance(plain, TellsIdsApart) else {}
    if not shifts:
        return ids
    if "account" not in uplinks.columns:
        raise InputError(
            "messages of several stores have the same message_id, so of which a reply is has to be told by its account: give uplinks"
            " with the column 'account', as store.uplinks() has it"
        )
    return ids.astype("Int64") + uplinks["account"].astype("object").map(shifts).astype("Int64")
