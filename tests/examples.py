"""How many examples the tests of properties try: a third with the README's command, all of them in ``.ci/run slow``."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["ALL", "examples"]

ALL: Final = os.environ.get("MAS_EXAMPLES") == "all"
"""Whether all are tried; the tests of properties are slow ones then."""

_FEWEST: Final = 10


def examples(count: int) -> int:
    """Return how many of `count` examples are tried in this run."""
    return count if ALL else max(count // 3, min(count, _FEWEST))
