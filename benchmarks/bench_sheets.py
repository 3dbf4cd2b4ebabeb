"""Reading a sheet of 200,000 rows against pandas, which guesses where `read_sheet` is sure or stops.

Run it as ``python benchmarks/bench_sheets.py [rows] [checkout]``. Six columns (numbers as text, names, cities, whole numbers, amounts, dates)
are written once as ``.csv`` in UTF-8 and in GB18030 and as ``.xlsx`` with number formats, and read by both in turn. Reported are

- ``read_sheet ÷ read_csv``: seconds of processor time over those of ``pandas.read_csv(path, dtype=str)``, which is told the encoding
  and finds neither types nor swallowed rows;
- ``read_sheet ÷ read_excel``: the same over ``pandas.read_excel(path, engine="calamine")``, the same library for the values, without
  number formats and hidden rows.

With the folder of another checkout of this project (``git worktree add --detach /tmp/before COMMIT``), ``÷ checkout`` is the same over
what its `read_sheet` takes for the same files in the same Python: both read in processes of their own, in turn.

The best of three counts: what else the machine does only adds.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from masanalytics.sheets import read_sheet

HEADER = ["手机号", "姓名", "城市", "积分", "余额", "到期日"]


def make_rows(count: int) -> list[list[Any]]:
    """Return invented customers."""
    chance = random.Random(20260101)
    names = [front + back for front in "王李张刘陈杨黄赵周吴" for back in "伟芳娜敏静丽强磊军洋"]
    return [
        [f"138{row:08d}", chance.choice(names), chance.choice(["北京", "上海", "广州"]), chance.randrange(10_000),
         round(chance.random() * 1_000, 2), dt.date(2026, 1 + row % 12, 1 + row % 28)]
        for row in range(count)
    ]  # fmt: skip


def write_workbook(path: Path, rows: list[list[Any]]) -> None:
    """Write the rows with the formats an office would give them."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet()
        shapes = [book.add_format({"num_format": one}) for one in ("General", "0.00", "yyyy/m/d")]
        page.write_row(0, 0, HEADER)
        for line, row in enumerate(rows, 1):
            for place, cell in enumerate(row):
                page.write(line, place, cell, shapes[max(0, place - 3)])


def best(read: Callable[[], object]) -> float:
    """Return the processor seconds of the fastest of three."""
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        read()
        seconds.append(time.process_time() - begun)
    return min(seconds)


_READ = """
import gc, sys, time
from masanalytics import read_sheet
for _ in range(2):
    begun = time.process_time()
    frame = read_sheet(sys.argv[1])
    print(time.process_time() - begun)
    del frame
    gc.collect()
"""


def against(checkout: Path, path: Path) -> str:
    """Return how much longer this checkout's `read_sheet` takes for a file than that of another; nothing without another."""
    own: list[float] = []
    other: list[float] = []
    for _ in range(3):
        for root, seconds in ((Path(__file__).resolve().parents[1], own), (checkout, other)):
            command = [sys.executable, "-c", _READ, str(path)]
            environment = os.environ | {"PYTHONPATH": str(root)}
            printed = subprocess.run(
                command, env=environment, cwd=root, check=True, capture_output=True, text=True
            ).stdout
            seconds.extend(map(float, printed.split()))
    return f", {min(own):.2f} s against {min(other):.2f} s: ÷ checkout {min(own) / min(other):.2f}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    checkout = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    rows = make_rows(count)
    with tempfile.TemporaryDirectory() as folder:
        for encoding in ("utf-8", "gb18030"):
            path = Path(folder, f"{encoding}.csv")
            pd.DataFrame(rows, columns=HEADER).to_csv(path, index=False, encoding=encoding)
            own = best(partial(read_sheet, path))
            other = best(partial(pd.read_csv, path, dtype=str, encoding=encoding))
            compared = against(checkout, path) if checkout else ""
            print(f"{count:,} rows, .csv in {encoding}: {own:.2f} s, read_sheet ÷ read_csv {own / other:.1f}{compared}")
        path = Path(folder, "list.xlsx")
        write_workbook(path, rows)
        own, other = best(partial(read_sheet, path)), best(partial(pd.read_excel, path, engine="calamine"))
        compared = against(checkout, path) if checkout else ""
        print(f"{count:,} rows, .xlsx: {own:.2f} s, read_sheet ÷ read_excel {own / other:.1f}{compared}")


if __name__ == "__main__":
    main()
