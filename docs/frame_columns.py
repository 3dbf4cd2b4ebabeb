"""The columns of every returned frame with their dtypes, for the reference: read off frames that the sample store gives."""

from __future__ import annotations

import inspect
import runpy
import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pandas as pd

import masanalytics as mas

_SAMPLE: Final = Path(__file__).resolve().parent.parent / "data" / "make_sample_store.py"
_PEOPLE: Final = pd.DataFrame({"手机号": ["13800138000", "13900139000", None], "姓名": ["张三", "李四", "王五"]})
_OFFER: Final = "会员特惠 03-26"
_ORDERS: Final = pd.DataFrame({"手机号": ["13800138000"], "下单时间": ["2026-03-20 12:00"]})
_OWN_FORM: Final = frozenset({"read_sheet", "split"})
"""What returns the columns of the user's own sheet."""


def _plan(_store: mas.Store) -> mas.Plan:
    return mas.plan(_PEOPLE, phone="手机号", text="{姓名}，您好", campaign="问候")


def _archive(store: mas.Store) -> mas.Archive:
    return mas.Archive(store.path.with_name("archive"), store)


FRAMES: Final[dict[str, Callable[[mas.Store], pd.DataFrame | None]]] = {
    "Plan.messages": lambda store: _plan(store).messages,
    "Plan.excluded": lambda store: _plan(store).excluded,
    "Plan.batches": lambda store: _plan(store).batches,
    "Plan.summary": lambda store: _plan(store).summary,
    "Plan.sample": lambda store: _plan(store).sample(),
    "Archive.messages": lambda store: _archive(store).messages(_OFFER),
    "Archive.uplinks": lambda store: _archive(store).uplinks(),
    "Archive.batches": lambda store: _archive(store).batches(),
    "Archive.campaigns": lambda store: _archive(store).campaigns(price=0.05),
    "Archive.held_out": lambda store: _archive(store).held_out(),
    "Store.messages": lambda store: store.messages(_OFFER),
    "Store.campaigns": lambda store: store.campaigns(price=0.05),
    "Store.reports": lambda store: store.reports(_OFFER),
    "Store.foreign_reports": lambda store: store.foreign_reports(),
    "Store.uplinks": lambda store: store.uplinks(),
    "Store.batches": lambda store: store.batches(),
    "Store.templates": lambda store: store.templates(),
    "Store.polls": lambda store: store.polls(),
    "Store.coverage": lambda store: store.coverage(),
    "Store.missing_answers": lambda store: store.missing_answers(),
    "Store.opt_outs": lambda store: store.opt_outs(),
    "Store.held_out": lambda store: store.held_out(),
    "anomalies": lambda store: mas.anomalies(store, freq="D"),
    "backtest": mas.backtest,
    "code_catalogue": lambda _store: mas.code_catalogue(),
    "compare": lambda store: mas.compare(store, "arm"),
    "costs": lambda store: mas.costs(store, 0.05),
    "delivery_rates": mas.delivery_rates,
    "error_codes": mas.error_codes,
    "fatigue": lambda store: mas.fatigue(store, campaign=_OFFER),
    "explain_change": lambda store: mas.explain_change(store, by="carrier", at="2026-03-26"),
    "latency": mas.latency,
    "normalise_phones": lambda _store: mas.normalise_phones(_PEOPLE["手机号"]),
    "number_health": lambda store: mas.number_health(store, campaign=_OFFER),
    "outcomes": lambda store: mas.outcomes(_PEOPLE, store, phone="手机号", campaign=_OFFER),
    "reconciliation": lambda store: mas.reconciliation(
        store, pd.DataFrame({"day": ["2026-03-26"], "carrier": ["中国移动"], "count": [1000]})
    ),
    "replies": mas.replies,
    "retryable": lambda store: mas.retryable(store, _OFFER),
    "sample_size": lambda _store: mas.sample_size(0.95, -0.01),
    "suppression_value": lambda store: mas.suppression_value(store, 0.05, campaign=_OFFER),
    "timeline": lambda store: mas.timeline(store, freq="D"),
    "uplift": lambda store: mas.uplift(
        store, _ORDERS, phone="手机号", at="下单时间", campaign="春季上新", against="短文案"
    ),
    "analysis.arrivals": mas.analysis.arrivals,
    "analysis.funnel": mas.analysis.funnel,
}
"""A frame of each function, method and property that returns one, by its name behind ``masanalytics.``."""


def returning_frames() -> Iterator[str]:
    """Yield what returns a frame: functions of the package, methods and properties of its classes."""
    for name in mas.__all__:
        value = getattr(mas, name)
        members = vars(value).items() if inspect.isclass(value) else [("", value)]
        for member, one in members:
            function = one.fget if isinstance(one, property) else one
            if member.startswith("_") or not inspect.isfunction(function):
                continue
            returned = str(inspect.signature(function).return_annotation)
            if returned.startswith("pd.DataFrame") and name not in _OWN_FORM:
                yield f"{name}.{member}" if member else name


def columns_of(frame: pd.DataFrame) -> list[str]:
    """Return the lines that say which columns a frame has, those of one dtype after each other on one line."""
    dtypes = [(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]
    lines = [
        (", ".join(name for name, _ in group), dtype) for dtype, group in groupby(dtypes, key=lambda each: each[1])
    ]
    return [f"{dtype:<30}  {names}" for names, dtype in lines]


def all_columns() -> dict[str, list[str]]:
    """Return the lines of every frame, from the sample store."""
    with tempfile.TemporaryDirectory() as folder:
        path = runpy.run_path(str(_SAMPLE))["make_sample_store"](Path(folder) / "sample.db")
        with mas.Store(path) as store:
            frames = {name: make(store) for name, make in FRAMES.items()}
    return {f"masanalytics.{name}": columns_of(frame) for name, frame in frames.items() if frame is not None}


def add_columns(columns: dict[str, list[str]]) -> Callable[..., None]:
    """Return what writes the columns of a frame below the docstring of what returns it."""

    def add(_app: Any, _what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
        if name in columns:
            lines += [
                "",
                ".. rubric:: dtype",
                "",
                ".. code-block:: text",
                "",
                *(f"   {line}" for line in columns[name]),
                "",
            ]

    return add
