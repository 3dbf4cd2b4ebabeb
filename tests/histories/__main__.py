"""Play many histories: ``python -m tests.histories FIRST COUNT`` prints what each kind of violation looks like, shrunk.

``python -m tests.histories FIRST COUNT SHOWN http`` plays them in the HTTP flavour of the interface.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
from collections import Counter

from tests.histories.chance import history
from tests.histories.shrinking import script, shrink
from tests.histories.world import replay

_SAID_EVERY = 100


def main(first: int, count: int, shown: int, *, http: bool = False) -> None:
    """Play the histories of `count` seeds and print the first `shown` of each kind of violation."""
    logging.disable(logging.CRITICAL)
    names: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(first, first + count):
        with contextlib.redirect_stderr(io.StringIO()):
            found = replay(history(seed, http=http))
        if (seed + 1) % _SAID_EVERY == 0:
            print(f"up to {seed} after {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
        for violation in found:
            names[violation.name] += 1
            print(seed, violation.name, violation.detail[:150], flush=True)  # noqa: T201
            if shown and names[violation.name] <= shown:
                with contextlib.redirect_stderr(io.StringIO()):
                    short = shrink(history(seed, http=http), violation)
                    shown_by = replay(short)
                print(script(short, shown_by, seed), flush=True)  # noqa: T201
                print("-" * 60)  # noqa: T201
    print(f"{count} histories in {time.monotonic() - began:.0f} s:", dict(names.most_common()))  # noqa: T201


if __name__ == "__main__":
    shown_of_each = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    main(int(sys.argv[1]), int(sys.argv[2]), shown_of_each, http=sys.argv[4:] == ["http"])
