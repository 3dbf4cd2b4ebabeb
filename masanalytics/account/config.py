"""Where an account's settings come from: the environment, a ``.env`` file, a profile."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from masanalytics.account.validation import REQUIRED, VARIABLES
from masanalytics.errors import ConfigError

__all__ = ["config_folder", "environment_settings", "profile_settings"]


def config_folder() -> Path:
    """Return the folder of this user's settings: ``MAS_CONFIG_DIR``, or the system's own place for them."""
    own = os.environ.get("MAS_CONFIG_DIR")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base).expanduser() / "masanalytics"


def environment_settings(env_file: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return an account's settings from ``MAS_…`` variables and a ``.env`` file; the real environment wins.

    Raises
    ------
    ConfigError
        If variables are missing (it names all of them), or the file cannot be read.
    """
    written = _read_env_file(env_file)
    values = {key: os.environ.get(variable, written.get(variable) or "") for key, variable in VARIABLES.items()}
    missing = [VARIABLES[key] for key in REQUIRED if not values[key].strip()]
    if missing:
        raise ConfigError(
            f"not set: {', '.join(missing)}. Set them in the environment or in a .env file in {Path.cwd()}.",
            zh=f"尚未设置：{'、'.join(missing)}。请在环境变量或 {Path.cwd()} 下的 .env 文件中设置。",
        )
    return {key: value for key, value in values.items() if value}


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
        exist = ", ".join(profiles) or "-"
        raise ConfigError(
            f"no profile {name!r} in {path}; there are: {exist}", zh=f"{path} 中没有名为 {name!r} 的配置；现有：{exist}"
        )
    _check_profile(name, profiles[name], known)
    return dict(profiles[name])


def _read_env_file(env_file: str | os.PathLike[str] | None) -> Mapping[str, str | None]:
    path = Path(".env") if env_file is None else Path(env_file).expanduser()
    if not path.is_file():
        if env_file is None:
            return {}
        raise ConfigError(
            f"no file {path}: give the path of a .env file.", zh=f"找不到文件 {path}：请给出 .env 文件的路径。"
        )
    from dotenv import dotenv_values

    try:
        # Without interpolation: a secret may hold ${…}. With a BOM: Windows' Notepad writes one.
        return dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"{path} cannot be read: save it as UTF-8 text, readable by you.",
            zh=f"无法读取 {path}：请存为 UTF-8 文本，并确认有读取权限。",
        ) from None


def _read_profiles(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"no file {path}: create it with one table for each account, such as [shop].",
            zh=f"找不到 {path}：请创建它，每个账号写成一个表，例如 [shop]。",
        ) from None
    except (OSError, ValueError) as error:
        # A TOML error names a line and column, never the text there; a decoding error would quote bytes.
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigError(f"{path} is not readable TOML: {where}", zh=f"{path} 不是可读取的 TOML：{where}") from None
    return {key: value for key, value in tables.items() if isinstance(value, dict)}


def _check_profile(name: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            hint_zh = f"是否想写 {near[0]}？" if near else ""
            raise ConfigError(
                f"profile {name!r} has a setting {key!r} that an account does not have.{hint}",
                zh=f"配置 {name!r} 中的 {key!r} 不是账号的设置项。{hint_zh}",
            )
    missing = [key for key in REQUIRED if key not in table]
    if missing:
        raise ConfigError(
            f"profile {name!r} lacks: {', '.join(missing)}", zh=f"配置 {name!r} 缺少：{'、'.join(missing)}"
        )
