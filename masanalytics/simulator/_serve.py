"""A simulator that runs for long, for clients in any language: with whose account, and started in one call."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from masanalytics.account.config import environment_settings
from masanalytics.errors import ConfigError, InputError
from masanalytics.i18n import _
from masanalytics.simulator.faults import Fault
from masanalytics.simulator.settings import DEFAULT_ACCOUNT, PlatformAccount
from masanalytics.simulator.simulator import Simulator
from masanalytics.text import nearest

__all__ = ["account_of", "asked_accounts", "asked_fault", "closing_lines", "read_accounts", "serve"]

# Settings of a client that say nothing of the account at the platform.
_OF_THE_CLIENT: Final = ("url", "tls", "add_serial", "poll_interval", "allow_only", "budget", "budget_unit", "cap")
_NAMES: Final = tuple(field.name for field in fields(PlatformAccount))
_OF_A_FAULT: Final[Mapping[str, type[str] | type[int] | type[float]]] = {
    "endpoint": str, "times": int, "every": int, "probability": float, "after": int, "seconds": float, "status": int, "megabytes": float,
}  # fmt: skip


def serve(host: str = "127.0.0.1", port: int = 0, **options: Any) -> Simulator:
    """Start a simulator and return it running; it prints nothing. `options` are those of `Simulator`.

    Made to run for long: it keeps counts only, unless ``keep_ledger=True``.

    Examples
    --------
    >>> sim = serve(https=False, seed=7)
    >>> sim.url.startswith("http://127.0.0.1:")
    True
    >>> sim.stop()
    """
    return Simulator(host=host, port=port, **{"keep_ledger": False, **options}).start()


def account_of(settings: Mapping[str, Any], where: str) -> PlatformAccount:
    """Return the account that a client's settings name, as its platform would keep it.

    Parameters
    ----------
    settings : mapping
        An account's settings as `masanalytics.Account` and its profiles have them (``sign``, ``template_sign``), or as
        `PlatformAccount` has them (``signs``, ``templates``, ``exact``). What only the client needs is passed over.
    where : str
        Where they were read, for the error.

    Examples
    --------
    >>> account_of({"ap_id": "demo0", "sign": "DWItALe3A", "url": "https://…"}, "profiles.toml").signs
    ('DWItALe3A',)
    """
    own = {key: value for key, value in settings.items() if key not in _OF_THE_CLIENT}
    codes = [own.pop(key, "") for key in ("sign", "template_sign")]
    signs = tuple(dict.fromkeys([*own.pop("signs", ()), *(code for code in codes if code)]))
    unknown = [key for key in own if key not in _NAMES]
    if unknown:
        raise ConfigError(
            "{where}: an account of the simulator has no setting {key!r}; did you mean {near}?",
            where=where,
            key=unknown[0],
            near=", ".join(nearest(unknown[0], (*_NAMES, "sign"), count=1) or _NAMES),
        )
    if own.get("signature"):
        own["signature"] = f"【{own['signature'].strip('【】')}】"
    return PlatformAccount(**{**own, "signs": signs or DEFAULT_ACCOUNT.signs})


def read_accounts(path: Path) -> tuple[PlatformAccount, ...]:
    """Return the accounts of a TOML file: its one account, or one for each of its tables.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has a setting that an account does not have.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigError("{path} is not readable TOML: {detail}", path=str(path), detail=detail) from None
    several = tables and all(isinstance(table, dict) for table in tables.values())
    return tuple(account_of(table, str(path)) for table in (tables.values() if several else [tables]))


def asked_accounts(
    file: Path | None = None, *, mine: bool = False, changes: Mapping[str, Any] | None = None
) -> tuple[PlatformAccount, ...]:
    """Return the accounts of a file, or the user's own of ``MAS_*`` and ``.env``, or else the simulator's own.

    Parameters
    ----------
    changes : mapping, optional
        Settings of `PlatformAccount` that the first account has otherwise; ``templates`` are added to its own.

    Raises
    ------
    ConfigError
        If the file cannot be read, or variables are missing.

    Examples
    --------
    >>> asked_accounts(changes={"ap_id": "shop", "templates": {"t1": "{1}，您好"}})[0].templates
    {'t1': '{1}，您好'}
    """
    if file is not None:
        accounts = read_accounts(file)
    elif mine:
        accounts = (account_of(environment_settings(need_url=False), "MAS_*"),)
    else:
        accounts = (DEFAULT_ACCOUNT,)
    changes = {name: value for name, value in (changes or {}).items() if value}
    if "templates" in changes:
        changes["templates"] = {**accounts[0].templates, **changes["templates"]}
    return (replace(accounts[0], **changes), *accounts[1:])


def asked_fault(written: str) -> Fault:
    """Return a fault as a command line names it: its kind, and parameters of `Fault` after commas.

    Raises
    ------
    InputError
        If there is no such kind, parameter or endpoint, or a value is no number.

    Examples
    --------
    >>> fault = asked_fault("drop_after,endpoint=submit,every=20")
    >>> fault.kind, fault.endpoint, fault.every
    ('drop_after', 'submit', 20)
    """
    kind, *named = (part.strip() for part in written.split(","))
    options: dict[str, Any] = {}
    for name, value in (
        (name.strip(), value.strip()) for name, _equals, value in (one.partition("=") for one in named)
    ):
        if name not in _OF_A_FAULT:
            names = ", ".join(_OF_A_FAULT)
            raise InputError("{written}: a fault has no {name!r}: use {names}", written=written, name=name, names=names)
        try:
            options[name] = _OF_A_FAULT[name](value)
        except ValueError:
            raise InputError(
                "{written}: {name} takes a number, not {value!r}", written=written, name=name, value=value
            ) from None
    return Fault(kind, **options)


def closing_lines(simulator: Simulator) -> list[str]:
    """Return what a simulator saw, as it is said when it ends: how much, and what was wrong with requests, each kind once.

    Examples
    --------
    >>> with serve(https=False) as sim:
    ...     closing_lines(sim)
    ['Requests: 0; messages taken: 0; polls: 0; reports handed out: 0; replies: 0']
    """
    counts = simulator.counts
    seen = {name: counts[name] for name in ("requests", "accepted", "polls", "reports", "uplinks")}
    wrong = [
        f"{one.endpoint}: {one.times:,} × {one.kind} ({one.detail})" for one in simulator.platform.audit_log.remarks()
    ]
    return [
        _(
            "Requests: {requests:,}; messages taken: {accepted:,}; polls: {polls:,}; reports handed out: {reports:,}; "
            "replies: {uplinks:,}",
            **seen,
        ),
        *wrong,
    ]
