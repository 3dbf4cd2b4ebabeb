"""Options that several commands share: which account, which store, which language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from masanalytics.cli.spoken import Command, Option
from masanalytics.i18n import _
from masanalytics.paths import full_path

if TYPE_CHECKING:
    from masanalytics.account import Account

__all__ = [
    "UserPath",
    "command",
    "find_account",
    "option",
    "with_account",
    "with_existing_store",
    "with_existing_stores",
    "with_language",
    "with_store",
]


class UserPath(click.Path):
    """A path of which ``~`` is the home folder, also where the shell did not say so (in quotes, behind ``=``)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the whole path, after it was checked."""
        return super().convert(full_path(value) if str(value).startswith("~") else value, param, ctx)


_F = TypeVar("_F", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """Add an option whose help is a sentence of the catalogue."""
    return click.option(*names, cls=Option, **settings)


def command(function: Callable[..., Any]) -> click.Command:
    """Make a function a command, called as it is, with its docstring as help and the option ``--language``."""
    made = click.command(function.__name__, cls=Command)(with_language(function))
    made.params.append(made.params.pop(0))  # what all have in common comes last
    return made


def with_account(function: _F) -> _F:
    """Add ``--profile`` and ``--env-file``: where the account's settings come from."""
    profile = option("--profile", help="A profile in your config folder; otherwise MAS_* and .env are read.")
    return option("--env-file", type=UserPath(exists=True, dir_okay=False), help="A .env file.")(profile(function))


def with_store(function: _F) -> _F:
    """Add ``--db``: the store's file."""
    return _store(function, UserPath(dir_okay=False))


class _StorePath(UserPath):
    """The path of a store that is there: an empty file is none, and would become one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if Path(path).is_file() and not Path(path).stat().st_size:
            self.fail(_("{file} is empty: no store", file=str(path)), param, ctx)
        return path


def with_existing_store(function: _F) -> _F:
    """Add ``--db`` for commands that only read: a mistyped name is an error, not a new file."""
    return _store(function, _StorePath(exists=True, dir_okay=False))


def with_existing_stores(function: _F) -> _F:
    """Add ``--db`` for commands that analyse: also the folder of an export, and several of these."""
    several = option(
        "--db",
        type=_StorePath(exists=True),
        multiple=True,
        default=["mas.db"],
        show_default=True,
        help="The store (a SQLite file), or the folder of an export; several count as one.",
    )
    return several(function)


def _store(function: _F, kind: UserPath) -> _F:
    return option("--db", type=kind, default="mas.db", show_default=True, help="The store (a SQLite file).")(function)


def with_language(function: _F) -> _F:
    """Add ``--language``, which is read before the command is (see `masanalytics.cli.spoken.asked_language`)."""
    return option(
        "--language",
        type=click.Choice(["en", "zh"]),
        expose_value=False,
        help="English or Chinese; by default MAS_LANGUAGE, or the system's language.",
    )(function)


def find_account(profile: str | None, env_file: str | None) -> Account:
    """Return the account the options name."""
    from masanalytics.account import Account

    return Account.from_profile(profile) if profile else Account.from_env(env_file)
