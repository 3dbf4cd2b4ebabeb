"""The few things a person must be told while collecting, what gives rise to one of them, and where they go by default."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from pathlib import Path

from masanalytics.account import Account, state_folder
from masanalytics.i18n import Text
from masanalytics.paths import alone_with, replace_file

__all__ = [
    "another_address",
    "first_collection",
    "interrupted",
    "no_data",
    "other_store",
    "reports_stay_away",
    "shared_account",
    "to_stderr",
]

_RECENT_S = 3600.0


def another_address(account: Account, known: str) -> Text:
    """Say that the store knows the account at another address, and that this is another account until somebody says otherwise."""
    return Text(
        "This store knows {account} at {known}, and not at {address}: it is kept as an account of its own, {name}. If the platform has"
        " only moved, say so: store.merge_accounts({name!r}, into={account!r}).",
        code="another_address",
        account=account.name,
        known=known,
        address=account.key.address,
        name=account.key.shown_apart,
    )


def first_collection(account: str) -> Text:
    """Say that the reports of an account are handed out once."""
    return Text(
        "First collection of account {account} into this store. The platform hands each report out once: if another system "
        "polls the same account, each gets a part. Reports that belong to others are kept and listed by "
        "store.foreign_reports().",
        code="first_collection",
        account=account,
    )


def interrupted(done: Text | str) -> Text:
    """Say what a call had done when it was interrupted."""
    return Text(
        "Interrupted: {done}. Whatever came is in the store; run it again to go on.", code="interrupted", done=done
    )


def no_data(notice: Text | None, *, unreadable: bool = False) -> Text:
    """Say that the platform answered a poll with something else; a host that does not know polls is told from the others."""
    if re.match(r"HTTP (404|405|415)\b", "" if notice is None else notice.text("en")):
        return Text(
            "That host does not know the path of polls ({notice}). If host and port are right, the interface account was made "
            "for HTTP, whose reports are pushed: give protocol='http' (MAS_PROTOCOL=http) and run `masanalytics receive`.",
            code="other_protocol",
            notice=notice,
        )
    if unreadable:
        return Text(
            "The platform's answer to a poll cannot be read ({notice}), and may have held reports: it is kept, and counts as missing "
            "(store.missing_answers()). Asking less often now.",
            code="unreadable_answer",
            notice=notice or "-",
        )
    return Text(
        "The platform answered a poll with something that is not data ({notice}): too soon, or rejected. Asking less often "
        "now.",
        code="no_data",
        notice=notice or "-",
    )


def shared_account(account: str, other: str) -> Text:
    """Say that another store collects the account too."""
    return Text(
        "Another store on this machine, {other}, collects account {account} too: each gets a part of its reports. They "
        "take turns, so that together they ask no more often than the platform allows. Use one store for one account.",
        code="shared_account",
        account=account,
        other=other,
    )


def reports_stay_away(batch_id: int, share: float, others_share: float) -> Text:
    """Say that a batch lags far behind the others of its campaign."""
    return Text(
        "Batch {batch}: only {share:.0%} reported, while the campaign's other batches have {others:.0%}. Somebody else may "
        "be taking your reports: does another system poll this account?",
        code="reports_stay_away",
        batch=batch_id,
        share=share,
        others=others_share,
    )


def other_store(account: Account, store: Path, now: float) -> str | None:
    """Note that this store collects the account, and return another one that did within the last hour.

    The note is a small file in the user's state folder; where that cannot be written, nothing is noticed.
    """
    path = state_folder() / "collecting" / f"{account.key.digest}.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone_with(path):  # two stores that begin in one moment must not both find nobody
            return _noted(path, str(store.resolve()), now)
    except OSError:
        return None


def _noted(path: Path, this: str, now: float) -> str | None:
    """Add this store to the note; return another one of the last hour."""
    collected_at: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError):
        collected_at = {str(key): float(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    # Either side of now: whoever wrote first may have read the clock later.
    recent = {name: at for name, at in collected_at.items() if abs(now - at) <= _RECENT_S}
    others = [name for name in recent if name != this and Path(name).exists()]
    with contextlib.suppress(OSError):
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(recent | {this: now}, ensure_ascii=False), encoding="utf-8")
        replace_file(draft, path)
    return others[0] if others else None


def to_stderr(text: str) -> None:
    """Show a line to whoever sits at the notebook or terminal; in a notebook not in the red box, which looks like an error."""
    in_notebook = type(sys.stderr).__module__.startswith("ipykernel")
    print(text, file=sys.stdout if in_notebook else sys.stderr)
