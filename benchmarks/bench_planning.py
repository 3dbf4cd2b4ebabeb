"""Planning a million rows with a text of two placeholders, against the straightforward loop over the rows.

Run it as ``python benchmarks/bench_planning.py [rows]``. Both sides do the same work in the same run: bring numbers to eleven
digits, leave out bad numbers, blank values and duplicates with a reason, fill in the text, count the parts with the signature, find
carrier and region, and cut requests of at most 999. Reported are

- ``loop ÷ plan``: seconds of the loop over seconds of `plan` (at least 5 is asked for);
- ``loop ÷ plan + all requests``: the same, with every text of every request written out, as sending does;
- ``peak ÷ frame``: the most memory that `plan` holds at one time over the memory of the DataFrame (under 4 is asked for), once as
  the operating system sees it (resident memory, sampled in a process of its own) and once as tracemalloc does.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

import masanalytics.planning as planning
from masanalytics.carriers import load_regions

TEXT = "尊敬的{姓名}，您的{积分:,d}积分将于本月底到期，请登录网上营业厅兑换。"
SIGNATURE = "【示例公司】"
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文"
PREFIXES = [
    134,
    135,
    136,
    137,
    138,
    139,
    150,
    151,
    152,
    158,
    159,
    187,
    188,
    130,
    131,
    155,
    186,
    133,
    153,
    189,
    177,
    192,
]


def make_frame(rows: int, *, arrow: bool, distinct: bool = False) -> pd.DataFrame:
    """Return an invented sheet: mostly clean numbers, one in ten written otherwise, some bad, blank and twice."""
    chance = np.random.default_rng(20260101)
    numbers = chance.choice(PREFIXES, rows) * 100_000_000 + chance.integers(0, 100_000_000, rows)
    twice = chance.choice(rows, rows // 50, replace=False)
    numbers[twice] = numbers[(twice + 1) % rows]
    phones = list(map(str, numbers.tolist()))
    for place in chance.choice(rows, rows // 10, replace=False).tolist():
        digits = phones[place]
        forms = (
            f"+86 {digits[:3]} {digits[3:7]} {digits[7:]}",
            f"{digits[:3]}-{digits[3:7]}-{digits[7:]}",
            digits[:10],
            "010-66668888",
            "",
        )
        phones[place] = forms[place % 5]
    given = chance.integers(0, len(GIVEN), (rows, 2))
    surnames = chance.integers(0, len(SURNAMES), rows)
    names = [SURNAMES[a] + GIVEN[b] + GIVEN[c] for a, (b, c) in zip(surnames.tolist(), given.tolist(), strict=True)]
    if distinct:
        names = [f"{name}{place}" for place, name in enumerate(names)]
    points = chance.integers(0, 30_000, rows).astype(float)
    points[chance.choice(rows, rows // 100, replace=False)] = np.nan
    cities = chance.choice(["杭州", "宁波", "温州", "绍兴", "湖州"], rows)
    kind = "str" if arrow else pd.StringDtype("python", na_value=np.nan)
    return pd.DataFrame(
        {
            "手机号": pd.array(phones, dtype=kind),
            "姓名": pd.array(names, dtype=kind),
            "积分": points,
            "城市": pd.array(cities.tolist(), dtype=kind),
        }
    )


def row_loop(df: pd.DataFrame) -> tuple[list[list[tuple[str, str, int, str, str, str]]], Counter[str]]:
    """Do by the row what `plan` does: return requests of (phone, text, parts, carrier, province, city), and reasons."""
    pattern = re.compile(r"(?:(?:\+|00)?86)?(1[3-9]\d{9})")
    carriers = {
        "13": "China Mobile",
        "15": "China Mobile",
        "18": "China Mobile",
        "19": "China Broadnet",
        "17": "China Telecom",
    }
    regions = load_regions()
    seen: set[str] = set()
    reasons: Counter[str] = Counter()
    requests: list[list[tuple[str, str, int, str, str, str]]] = [[]]
    for raw, name, points, _ in df.itertuples(index=False):
        digits = re.sub(r"[\s-]", "", raw) if isinstance(raw, str) else ""
        found = pattern.fullmatch(digits)
        if found is None:
            reasons["empty_number" if not digits else "invalid_number"] += 1
            continue
        if pd.isna(name) or pd.isna(points):
            reasons["missing_value"] += 1
            continue
        phone = found[1]
        if phone in seen:
            reasons["duplicate"] += 1
            continue
        seen.add(phone)
        text = TEXT.format(姓名=name, 积分=int(points))
        units = len((SIGNATURE + text).encode("utf-16-le")) // 2
        parts = 1 if units <= 70 else -(-units // 67)
        block = int(phone[:7]) - 1_300_000
        province, city = regions.places[regions.block[block]]
        if len(requests[-1]) == 999:
            requests.append([])
        requests[-1].append((phone, text, parts, carriers.get(phone[:2], "unknown"), province, city))
    return requests, reasons


def make_plan(df: pd.DataFrame) -> planning.Plan:
    return planning.plan(df, phone="手机号", text=TEXT, campaign="积分到期", signature=SIGNATURE, price=0.035)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def resident_peak(path: str, answers: multiprocessing.Queue[float]) -> None:
    """Put on the queue by how much resident memory grows at most while the frame in a file is planned."""
    df = pd.read_pickle(path)
    make_plan(df.head(1_000))
    before, most, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    made = make_plan(df)
    done.set()
    watcher.join()
    answers.put(float(max(most[0], resident()) - before))
    del made


def peak_in_a_process_of_its_own(df: pd.DataFrame) -> float:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[float] = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "frame.pickle"))
        df.to_pickle(path)
        worker = context.Process(target=resident_peak, args=(path, answers))
        worker.start()
        grown = answers.get()
        worker.join()
    return grown


def traced_peak(df: pd.DataFrame) -> int:
    tracemalloc.start()
    make_plan(df)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def measure(rows: int, *, arrow: bool, distinct: bool) -> None:
    df = make_frame(rows, arrow=arrow, distinct=distinct)
    names = "every name different" if distinct else "names as people have them"
    print(f"\n{rows:,} rows, {names}, text columns {'as pandas chooses' if arrow else 'as Python objects'}")
    make_plan(df.head(1_000))
    start = time.perf_counter()
    made = make_plan(df)
    planned = time.perf_counter() - start
    written = sum(len(batch.contents or ()) for batch in made.iter_batches())
    everything = time.perf_counter() - start
    start = time.perf_counter()
    requests, reasons = row_loop(df)
    looped = time.perf_counter() - start
    by_hand = sum(map(len, requests))
    if (
        by_hand != len(made)
        or written != by_hand
        or reasons["duplicate"] != int((made.excluded["reason"] == "duplicate").sum())
    ):
        raise SystemExit(f"the two sides disagree: {by_hand:,} and {len(made):,} messages")
    print(f"  {len(made):,} messages, {made.requests:,} requests; the loop's {len(requests):,}")
    print(f"  loop {looped:.2f} s · plan {planned:.2f} s · plan and all requests {everything:.2f} s")
    print(f"  loop ÷ plan                 {looped / planned:5.1f}")
    print(f"  loop ÷ plan + all requests  {looped / everything:5.1f}")
    del requests, made
    size = float(df.memory_usage(deep=True).sum())
    grown, traced = peak_in_a_process_of_its_own(df), traced_peak(df)
    print(
        f"  peak ÷ frame of {size / 1e6:.0f} MB     {grown / size:5.2f} (resident), {traced / size:.2f} (tracemalloc)"
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for objects, different in ((False, False), (True, False), (False, True)):
        measure(count, arrow=not objects, distinct=different)
