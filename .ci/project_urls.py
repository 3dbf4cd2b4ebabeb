"""Say which addresses of ``[project.urls]`` are missing, no address, or do not answer: ``python .ci/project_urls.py``.

An address that leads nowhere is worse on a package's page than none, so there is none until there is a host, and no release without them.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
NEEDED = ("Homepage", "Changelog", "Issues")
_SECONDS = 20


def faults(urls: Mapping[str, str], schemes: tuple[str, ...] = ("https",)) -> list[str]:
    """Return a sentence for each address that a release needs and that is not real."""
    missing = [f"{name}: missing in [project.urls] of pyproject.toml" for name in NEEDED if name not in urls]
    return missing + [f"{name}: {url} {fault}" for name, url in urls.items() if (fault := _fault(url, schemes))]


def _fault(url: str, schemes: tuple[str, ...]) -> str:
    if urlsplit(url).scheme not in schemes or not urlsplit(url).hostname:
        return f"is no address of {' or '.join(schemes)}"
    try:
        with urlopen(Request(url, headers={"User-Agent": "masanalytics-release"}), timeout=_SECONDS):  # noqa: S310
            return ""
    except HTTPError as error:
        with error:  # it holds the connection
            return f"does not answer: {error}"
    except (URLError, OSError, ValueError) as error:
        return f"does not answer: {error}"


if __name__ == "__main__":
    found = faults(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"].get("urls", {}))
    print(*(found or ["Every address answers."]), sep="\n")
    sys.exit(bool(found))
