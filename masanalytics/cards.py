"""How objects show themselves: a heading, a few figures, a few lines; as HTML, everything escaped, and as plain text."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

__all__ = ["card", "plain_card"]

_BOX = "border:1px solid #d8dee4;border-radius:6px;padding:.6em .9em;display:inline-block;max-width:60em"
_FIGURE = "display:inline-block;margin:.3em 1.4em .3em 0"
_NOTE = "color:#57606a;font-size:92%"


def card(title: str, figures: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """Return an HTML card.

    Parameters
    ----------
    title : str
        What it is.
    figures : mapping of str to object
        Label -> value; whole numbers get separators.
    notes : sequence of str
        Lines below.

    Examples
    --------
    >>> print(card("<Store>", {"messages": 1234}))  # doctest: +ELLIPSIS
    <div style="..."><b>&lt;Store&gt;</b><div><span style="..."><span style="...">messages</span><br><b>1,234</b></span></div></div>
    """
    shown = "".join(
        f'<span style="{_FIGURE}"><span style="{_NOTE}">{html.escape(label)}</span><br><b>{html.escape(_value(value))}</b></span>'
        for label, value in figures.items()
    )
    lines = "".join(f'<div style="{_NOTE}">{html.escape(note)}</div>' for note in notes if note)
    return f'<div style="{_BOX}"><b>{html.escape(title)}</b><div>{shown}</div>{lines}</div>'


def plain_card(title: str, figures: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """Return the same as plain text.

    Examples
    --------
    >>> print(plain_card("<Store>", {"messages": 1234, "batches": 2}, ["collected"]))
    <Store>
      messages: 1,234
      batches: 2
      collected
    """
    lines = [title, *(f"{label}: {_value(value)}" for label, value in figures.items()), *filter(None, notes)]
    return "\n  ".join(lines)


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
