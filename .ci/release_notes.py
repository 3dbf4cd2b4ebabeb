"""Print what the changelog says of a version, as its release notes: ``python .ci/release_notes.py 0.1.0``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def release_notes(version: str, changelog: str) -> str:
    """Return the section of a version, without its heading."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    named = {re.split(r"[\s(]", section, maxsplit=1)[0]: section.partition("\n")[2].strip() for section in sections}
    if version not in named:
        raise SystemExit(f"CHANGELOG.md has no section {version}: there are {', '.join(named)}.")
    return named[version] + "\n"


if __name__ == "__main__":
    print(release_notes(sys.argv[1], CHANGELOG.read_text(encoding="utf-8")), end="")
