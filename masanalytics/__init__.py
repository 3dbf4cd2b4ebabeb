"""Send, collect and analyse SMS campaigns over China Mobile Cloud MAS (云MAS).

``import masanalytics as mas``, then: ``mas.plan`` → ``mas.send`` → ``mas.Collector`` → ``mas.delivery_rates`` →
``mas.plot``. Every name is loaded when it is first used, so that the import itself costs nothing. The names stand in
``__init__.pyi``, once, for this module and for type checkers.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from masanalytics._version import __version__

_LINES = re.findall(
    r"^from masanalytics(?:\.(\w+))? import (\w+) as \2$",
    Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"),
    re.MULTILINE,
)
_HOMES: dict[str, str] = {name: home for home, name in _LINES if home not in ("", "_version")}
_MODULES: tuple[str, ...] = tuple(name for home, name in _LINES if not home)

__all__ = ["__version__", "plot", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"masanalytics.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"masanalytics.{name}")
    from masanalytics.near_names import no_name

    raise no_name("masanalytics", name, __all__)


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, *(key for key in globals() if key.startswith("__"))})
