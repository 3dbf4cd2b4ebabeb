"""Where the sample files lie."""

from __future__ import annotations

from pathlib import Path

from masanalytics.errors import InputError
from masanalytics.near_names import named_arguments

__all__ = ["sample_path"]


@named_arguments
def sample_path(name: str = "customers.xlsx") -> Path:
    """Return where a sample file lies, in the installed package or in a checkout.

    Parameters
    ----------
    name : str
        ``customers.xlsx``: 2,000 invented customers, with phones as a real sheet has them.

    Raises
    ------
    InputError
        If there is no such sample.

    Examples
    --------
    >>> sample_path("customers.xlsx").name
    'customers.xlsx'
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        "there is no sample file {name!r} here: samples but customers.xlsx are in the data folder of the repository",
        name=name,
    )
