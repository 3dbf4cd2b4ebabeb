"""Options that several commands share: which account, which store, which language."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from masanalytics.account import Account

__all__ = ["find_account", "with_account", "with_existing_store", "with_language", "with_store"]

_F = TypeVar("_F", bound=Callable[..., Any])


def with_account(command: _F) -> _F:
    """Add ``--profile`` and ``--env-file``: where the account's settings come from."""
    command = click.option("--profile", help="A profile in your config folder; otherwise MAS_* and .env are read.")(
        command
    )
    return click.option("--env-file", type=click.Path(exists=True, dir_okay=False), help="A .env file.")(command)


def with_store(command: _F) -> _F:
    """Add ``--db``: the store's file."""
    return click.option(
        "--db", type=click.Path(dir_okay=False), default="mas.db", show_default=True, help="The store (a SQLite file)."
    )(command)


def with_existing_store(command: _F) -> _F:
    """Add ``--db`` for commands that only read: a mistyped name is an error, not a new file."""
    return click.option(
        "--db",
        type=click.Path(exists=True, dir_okay=False),
        default="mas.db",
        show_default=True,
        help="The store (a SQLite file).",
    )(command)


def with_language(command: _F) -> _F:
    """Add ``--language``."""
    return click.option("--language", type=click.Choice(["en", "zh"]), help="English or Chinese; yours by default.")(
        command
    )


def find_account(profile: str | None, env_file: str | None) -> Account:
    """Return the account the options name."""
    from masanalytics.account import Account

    return Account.from_profile(profile) if profile else Account.from_env(env_file)
