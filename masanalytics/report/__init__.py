"""A report to hand to someone who has no Python: one HTML page, or one Excel file; and a view that follows a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from masanalytics.errors import InputError
from masanalytics.report.live import watch

__all__ = ["watch", "write_report"]


def write_report(
    data: Any,
    path: str | Path,
    *,
    campaign: str | None = None,
    title: str | None = None,
    language: str | None = None,
    reveal: bool = False,
    by: Sequence[str] | None = None,
    **where: Any,
) -> Path:
    """Write what became of the messages as one file to hand on: delivery rates, failures, speed, and what each means.

    The page needs nothing from the network, prints on A4, and holds aggregates only. The Excel file holds the same
    figures as numbers, with the charts as pictures.

    Parameters
    ----------
    data : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        As ``delivery_rates`` takes it.
    path : str or Path
        Ends in ``.html`` or ``.xlsx`` (which needs the extra ``excel``). An existing file is replaced,
        a missing folder is made.
    campaign : str, optional
        Report on this campaign only.
    title : str, optional
        By default the campaign's name.
    language : {"en", "zh"}, optional
        By default the user's own.
    reveal : bool
        Show phone numbers that occur in names and titles whole; by default their middle is hidden.
    by : sequence of str, optional
        Breakdowns of the delivery rate; by default campaign, carrier and province, where there are several.
    **where
        Further filters, as for ``delivery_rates``: ``since=``, ``until=``, any column.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If the file name ends in something else, its folder cannot be made, or the messages lack a column.
    MissingExtraError
        If an Excel file is asked for and xlsxwriter is not installed.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> messages = pd.DataFrame({"status": ["delivered", "failed"], "error_code": [None, "MK:0001"],
    ...                          "latency_s": [3, 9], "waited_s": [900, 900]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_report(messages, f"{folder}/report.html", language="en")
    ...     "Of 2 accepted messages, 1 were delivered" in written.read_text(encoding="utf-8")
    True
    """
    from masanalytics.report.contents import gather
    from masanalytics.report.sections import Request

    target = Path(path)
    kind = target.suffix.lower()
    if kind not in (".html", ".htm", ".xlsx"):
        raise InputError(
            f"{target.name}: a report is an .html or an .xlsx file", zh=f"{target.name}：报告文件应为 .html 或 .xlsx"
        )
    given = {**where, **({} if campaign is None else {"campaign": campaign})}
    request = Request(language=language, title=title, reveal=reveal, by=by, where=given)
    if kind == ".xlsx":
        from masanalytics.report.excel import write_excel

        told = gather(data, request)
        _make_folder(target.parent)
        write_excel(told, request, target)
        return target
    from masanalytics.report.page import page

    text = page(gather(data, request), request)
    _make_folder(target.parent)
    target.write_text(text, encoding="utf-8", newline="\n")
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be made ({error.strerror}): choose another one for the report",
            zh=f"无法创建文件夹 {folder}（{error.strerror}）：请为报告选择其他文件夹",
        ) from error
