"""What the outputs of a notebook show that should not leave the house: whole phone numbers, and the account's password."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from masanalytics.hide_secret import hide_secret
from masanalytics.masking import mask_phones_in
from masanalytics.paths import replace_file
from masanalytics.secret import Secret
from masanalytics.text import fold

__all__ = ["Finding", "scan_notebook"]

_TAGS = re.compile(r"<[^<>]*>")
# Pictures and fonts are Base64, which holds any row of digits by chance; an SVG draws coordinates.
_NO_TEXT: Final = ("image/png", "image/jpeg", "application/pdf")
# The colours of a terminal, between the digits of a number too.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STANDS_ALONE = re.compile(r"(?<![\w.])(?:\+?(?:00)?86[\s-]?)?1[3-9]\d(?:[\s-]?\d{4}){2}(?![\w.]*\d)")


@dataclass(frozen=True)
class Finding:
    """What one cell's outputs show.

    Attributes
    ----------
    file : str
        The notebook.
    cell : int
        Its place among all cells, from 1.
    kind : {"mobile", "secret"}
        What was found.
    count : int
        How many times.
    shown : str
        The first of them, masked.
    """

    file: str
    cell: int
    kind: Literal["mobile", "secret"]
    count: int
    shown: str


def scan_notebook(path: Path, secret: Secret | None = None, *, strip: bool = False) -> list[Finding]:
    """Return what the outputs of a notebook show; with `strip`, clear the outputs that show something, and no others.

    Raises
    ------
    ValueError
        If the file is no notebook.
    """
    raw = path.read_text(encoding="utf-8")
    notebook = json.loads(raw)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a notebook")  # noqa: TRY004 - of the file, not of the argument
    findings: list[Finding] = []
    for place, cell in enumerate(cells, start=1):
        outputs = cell.get("outputs") or []
        showing = {index: list(_found(output, secret)) for index, output in enumerate(outputs)}
        for kind in ("mobile", "secret"):
            found = [text for texts in showing.values() for one, text in texts if one == kind]
            if found:
                findings.append(Finding(str(path), place, kind, len(found), found[0]))
        if strip and any(showing.values()):
            cell["outputs"] = [output for index, output in enumerate(outputs) if not showing[index]]
    if strip and findings:
        draft = path.with_name(path.name + ".draft")
        indent = 1 if raw.startswith("{\n") else None
        draft.write_text(json.dumps(notebook, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8", newline="\n")
        replace_file(draft, path)
    return findings


def _found(output: Any, secret: Secret | None) -> Iterator[tuple[str, str]]:
    """Yield kind and masked text of what an output shows; a frame is shown as text and as HTML, and counts once."""
    texts = list(_texts(output))
    numbers = [[mask_phones_in(found.group()) for found in _STANDS_ALONE.finditer(text)] for text in texts]
    yield from (("mobile", shown) for shown in max(numbers, key=len, default=[]))
    if secret and any(_holds(text, secret) for text in texts):
        yield "secret", "***"


def _holds(text: str, secret: Secret) -> bool:
    """Whether a text holds the password in whatever form: a traceback may show the Base64 of a request."""
    written = text.encode("utf-8", "replace")
    return secret.reveal() in text or hide_secret(written, secret) != written


def _texts(output: Any) -> Iterator[str]:
    if not isinstance(output, dict):
        return
    bundle = {"text/plain": output.get("text"), **(output.get("data") or {})}
    bundle |= {"error": output.get("evalue"), "traceback": output.get("traceback")}
    for kind, content in bundle.items():
        if content is None or kind in _NO_TEXT:
            continue
        lines = [content] if isinstance(content, str) else content
        text = (
            "".join(lines)
            if isinstance(lines, list) and all(isinstance(line, str) for line in lines)
            else json.dumps(content, ensure_ascii=False)
        )
        text = html.unescape(_TAGS.sub(" ", text)) if kind in ("text/html", "image/svg+xml") else text
        yield fold(_COLOURS.sub("", text))
