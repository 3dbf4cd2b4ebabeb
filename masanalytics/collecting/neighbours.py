"""Noticing that another store on this machine collects the same account, so that each gets only a part."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from masanalytics.account import Account, config_folder

__all__ = ["other_store"]

_RECENT_S = 3600.0


def other_store(account: Account, store: Path, now: float) -> str | None:
    """Note that this store collects the account, and return another one that did within the last hour.

    The note is a small file in the user's config folder; where that cannot be written, nothing is noticed.
    """
    name = hashlib.sha256(f"{account.url} {account.name}".encode()).hexdigest()[:16]
    path = config_folder() / "collecting" / f"{name}.json"
    known: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError):
        known = {str(key): float(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    mine = str(store.resolve())
    others = [name for name, at in known.items() if name != mine and 0 <= now - at <= _RECENT_S and Path(name).exists()]
    recent = {name: at for name, at in known.items() if abs(now - at) <= _RECENT_S}
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(recent | {mine: now}, ensure_ascii=False), encoding="utf-8")
        os.replace(draft, path)  # noqa: PTH105
    return others[0] if others else None
