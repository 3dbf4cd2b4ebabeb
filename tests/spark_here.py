"""Whether Spark can run here, and which notebooks need it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

__all__ = ["NEEDS_SPARK", "says_spark"]


def lacking() -> str:
    """Return in words what Spark lacks here, or nothing."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed: .ci/run spark installs it and runs this"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Java is not installed, and Spark needs it (17 or newer)"
    return ""


NEEDS_SPARK = pytest.mark.skipif(bool(lacking()), reason=lacking())
"""Skips a test where Spark cannot run, and says what is missing."""


def says_spark(notebook: Path) -> bool:
    """Whether a notebook asks for a Spark session."""
    return "from pyspark" in notebook.read_text(encoding="utf-8")
