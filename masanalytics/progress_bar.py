"""The bar of what takes long: a widget where the notebook has them, else plain text."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(total: int, *, title: str, initial: int = 0, shown: bool = True) -> Any:
    """Return tqdm's bar, which is a context manager. Where a notebook has no ipywidgets it is a plain one, without a warning.

    Parameters
    ----------
    total, initial : int
        How many there are, and how many of them are done.
    title : str
        What stands in front of it.
    shown : bool, optional
        Whether it is shown at all.

    Examples
    --------
    >>> with progress_bar(3, title="sent", shown=False) as bar:
    ...     bar.update(3)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm warns when it is imported, once a process, and draws a plain bar then
        from tqdm.auto import tqdm

    return tqdm(total=total, initial=initial, desc=title, unit="", disable=not shown)
