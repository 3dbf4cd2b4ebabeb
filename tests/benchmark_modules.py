"""The scripts of ``benchmarks/`` as modules: what they simulate is tested too."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["benchmark_module"]

_FOLDER = str(Path(__file__).parent.parent / "benchmarks")


def benchmark_module(name: str) -> ModuleType:
    """Return one of the scripts, which import each other by name."""
    sys.path.insert(0, _FOLDER)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(_FOLDER)
