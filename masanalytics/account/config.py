"""Where an account's settings come from: the environment, a ``.env`` file, a profile."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from masanalytics.account.validation import BUDGET_VARIABLES, CAP_VARIABLE, REQUIRED, VARIABLES
from masanalytics.errors import ConfigError
from masanalytics.paths import full_path
from masanalytics.secret import Secret
from masanalytics.text import nearest

__all__ = ["config_folder", "environment_settings", "profile_settings", "state_folder"]

_ALL_VARIABLES: Final = (*VARIABLES.values(), *BUDGET_VARIABLES.values(), CAP_VARIABLE)


def config_folder() -> Path:
    """Return the folder of this user's settings: ``MAS_CONFIG_DIR``, or the system's own place for them."""
    own = os.environ.get("MAS_CONFIG_DIR")
    if own:
        return full_path(own, "MAS_CONFIG_DIR")
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return full_path(base) / "masanalytics"


def state_folder() -> Path:
    """Return the folder of what this machine remembers for this user: ``MAS_STATE_DIR``, or the system's own place for it.

    Where ``MAS_CONFIG_DIR`` alone is set, it is the folder ``state`` there. On Windows it is in ``%LOCALAPPDATA%``: what lies in
    ``%APPDATA%`` follows a user to other machines.
    """
    own, config = os.environ.get("MAS_STATE_DIR"), os.environ.get("MAS_CONFIG_DIR")
    if own:
        return full_path(own, "MAS_STATE_DIR")
    if config:
        return config_folder() / "state"
    if sys.platform == "win32":
        return full_path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "masanalytics"
    return full_path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "masanalytics"


def environment_settings(env_file: str | os.PathLike[str] | None = None, *, need_url: bool = True) -> dict[str, Any]:
    """Return an account's settings from ``MAS_…`` variables and a ``.env`` file; the real environment wins.

    Without `need_url` the address may be missing.

    Raises
    ------
    ConfigError
        If variables are missing (it names all of them), or the file cannot be read.
    """
    file_values = _read_env_file(env_file)
    given = {
        **file_values,
        **{name: _kept(name, os.environ[name]) for name in _ALL_VARIABLES if name in os.environ},
    }
    values = {key: given.get(variable) or "" for key, variable in VARIABLES.items()}
    needed = [key for key in REQUIRED if need_url or key != "url"]
    missing = [VARIABLES[key] for key in needed if not values[key].strip()]
    if missing:
        raise ConfigError(
            "not set: {names}. Set them in the environment or in a .env file in {folder}.",
            names=", ".join(missing),
            folder=str(Path.cwd()),
        )
    budget = {period: given[variable] for period, variable in BUDGET_VARIABLES.items() if given.get(variable)}
    return {key: value for key, value in {**values, "budget": budget, "cap": given.get(CAP_VARIABLE)}.items() if value}


def profile_settings(name: str, known: Collection[str]) -> dict[str, Any]:
    """Return the settings of the profile `name`; `known` are those an account has.

    Raises
    ------
    ConfigError
        If there is no such profile (it names those that exist), or it is incomplete or has an unknown setting.
    """
    path = config_folder() / "profiles.toml"
    profiles = _read_profiles(path)
    if name not in profiles:
        names = ", ".join(profiles) or "-"
        raise ConfigError("no profile {name!r} in {path}; there are: {names}", name=name, path=str(path), names=names)
    _check_profile(name, profiles[name], known)
    return dict(profiles[name])


def _kept(name: str, value: Any) -> Any:
    """Return the value of a variable or of a profile's setting; a password as what shows in no traceback."""
    return Secret(value) if name in ("secret_key", VARIABLES["secret_key"]) and isinstance(value, str) else value


def _read_env_file(env_file: str | os.PathLike[str] | None) -> Mapping[str, str | Secret | None]:
    path = full_path(".env" if env_file is None else env_file, "env_file")
    if not path.is_file():
        if env_file is None:
            return {}
        raise ConfigError("no file {path}: give the path of a .env file.", path=str(path))
    from dotenv import dotenv_values

    try:
        # Without interpolation: a secret may hold ${…}. With a BOM: Windows' Notepad writes one.
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("{path} cannot be read: save it as UTF-8 text, readable by you.", path=str(path)) from None
    return {name: _kept(name, value) for name, value in values.items()}


def _read_profiles(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            "no file {path}: create it with one table for each account, such as [shop].", path=str(path)
        ) from None
    except (OSError, ValueError) as error:
        # A TOML error names a line and column, never the text there; a decoding error would quote bytes.
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigError("{path} is not readable TOML: {detail}", path=str(path), detail=detail) from None
    return {
        name: {key: _kept(key, value) for key, value in table.items()}
        for name, table in tables.items()
        if isinstance(table, dict)
    }


def _check_profile(name: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            near = nearest(key, known, count=1)
            if near:
                raise ConfigError(
                    "profile {name!r} has a setting {key!r} that an account does not have. Did you mean {near}?",
                    name=name,
                    key=key,
                    near=near[0],
                )
            raise ConfigError(
                "profile {name!r} has a setting {key!r} that an account does not have.", name=name, key=key
            )
    missing = [key for key in REQUIRED if key not in table]
    if missing:
        raise ConfigError("profile {name!r} lacks: {names}", name=name, names=", ".join(missing))
