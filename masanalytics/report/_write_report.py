"""Writing a report: the file is replaced whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping
from pathlib import Path

from masanalytics.aliases import Columns, Filter, Instant, Length, Messages, PathName
from masanalytics.analysis.prices import checked_price
from masanalytics.analysis.sources import asks_once
from masanalytics.errors import InputError
from masanalytics.i18n import speaks
from masanalytics.near_names import named_arguments
from masanalytics.paths import path_in_folder, private_file, remove_file, replace_file
from masanalytics.report.build import gather
from masanalytics.report.contents import Request
from masanalytics.report.period import period_of

__all__ = ["write_report"]


@named_arguments
@asks_once
@speaks
def write_report(
    data: Messages,
    path: PathName,
    *,
    campaign: str | None = None,
    title: str | None = None,
    language: str | None = None,
    reveal: bool = False,
    by: Columns | None = None,
    since: Instant | Length | None = None,
    until: Instant | None = None,
    against: str | None = None,
    price: float | Mapping[str, float] | None = None,
    **where: Filter,
) -> Path:
    """Write what became of the messages as one file to hand on: delivery rates, failures, speed, and what each means.

    The page needs nothing from the network, prints on A4, and holds aggregates only. The Excel file holds the same
    figures as numbers, percentages as percentages, with Excel's own charts.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        As ``delivery_rates`` takes it.
    path : str or Path
        Ends in ``.html`` or ``.xlsx`` (which needs the extra ``excel``). An existing file is replaced; its folder must
        exist.
    campaign : str, optional
        Report on this campaign only.
    title : str, optional
        By default the campaign's name.
    language : {"en", "zh"}, optional
        By default the user's own.
    reveal : bool
        Show phone numbers that occur in names and titles whole; by default their middle is hidden.
    by : str or sequence of str, optional
        Breakdowns of the delivery rate, one a column; by default campaign, carrier and province, where there are several.
    since, until : str, date, datetime or epoch seconds, optional
        Only what was submitted from `since` on, before `until`, China time. `since` may be a length, ``"7d"``: so long before
        `until`, or before now by the store's clock.
    against : {"previous"}, optional
        Set the period against the equally long one before it: at equal age, with the interval of each change, and which
        groups account for it.
    price : float or mapping of str to float, optional
        Of one segment, or carrier -> price: what it cost, and what of it bought nothing.
    **where
        Further filters, as for ``delivery_rates``: any column.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If the file name ends in something else, there is no such folder, it cannot be written, or the messages lack a column.
    MissingExtraError
        If an Excel file is asked for and xlsxwriter is not installed.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> messages = pd.DataFrame({"status": ["delivered", "failed"], "error_code": [None, "MK:0001"],
    ...                          "latency_s": [3, 9], "waited_s": [900, 900]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_report(messages, f"{folder}/report.html", language="en")
    ...     "Of 2 accepted messages, 1 was delivered" in written.read_text(encoding="utf-8")
    True
    """
    target = path_in_folder(path)
    kind = target.suffix.lower()
    if kind not in (".html", ".htm", ".xlsx"):
        raise InputError("{file}: a report is an .html or an .xlsx file", file=target.name)
    if target.is_dir():  # said before anything is computed
        raise _not_written(target, os.strerror(errno.EISDIR))
    period = period_of(data, since, until, against)
    ends = {"since": since, "until": until} if period is None else {"since": period.start, "until": until}
    if period is not None and period.is_compared:
        ends["until"] = period.end
    filters = {**where, **ends, "campaign": campaign}
    filters = {name: value for name, value in filters.items() if value is not None}
    dimensions = [by] if isinstance(by, str) else by
    price = None if price is None else checked_price(price)
    request = Request(title=title, reveal=reveal, by=dimensions, where=filters, price=price, period=period)
    content = _as_excel(data, request) if kind == ".xlsx" else _as_page(data, request)
    _replace(target, content, private=reveal)
    return target


def _as_excel(data: Messages, request: Request) -> bytes:
    from masanalytics.report.excel import excel, need_library

    need_library()
    return excel(gather(data, request), request.clean)


def _as_page(data: Messages, request: Request) -> bytes:
    from masanalytics.report.html import page

    return page(gather(data, request), request.clean).encode("utf-8")


def _replace(target: Path, content: bytes, *, private: bool) -> None:
    """Write `content` so that what was there before stays whole until all of it is written."""
    part = target.with_name(f".{target.name}.part")
    try:
        try:
            if private:
                private_file(part)
            part.write_bytes(content)
            replace_file(part, target)
        finally:
            with contextlib.suppress(OSError):  # what went wrong before is what is said
                remove_file(part)
    except OSError as error:
        raise _not_written(target, error.strerror) from error


def _not_written(target: Path, reason: str | None) -> InputError:
    return InputError(
        "{path} cannot be written ({reason}): close it where it is open, or choose another place",
        path=target,
        reason=reason,
    )
