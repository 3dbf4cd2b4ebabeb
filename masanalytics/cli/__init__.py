"""The command line: ``masanalytics COMMAND``. Each command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

from masanalytics.cli.main import main

__all__ = ["main"]
