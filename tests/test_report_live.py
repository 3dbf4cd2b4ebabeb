"""The view that redraws itself while reports come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

from masanalytics.clock import ManualClock
from masanalytics.plot.fonts import bundled_font
from masanalytics.report._watch import Glance, glance, watch


@pytest.fixture(autouse=True)
def _one_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAS_FONT", str(bundled_font()))
    yield
    assert not plt.get_fignums()


def messages(pending: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "campaign": "春节 13800138000",
            "status": ["pending"] * pending + ["delivered"] * (10 - pending),
            "latency_s": pd.array([None] * pending + [4] * (10 - pending), dtype="Int64"),
            "waited_s": 60,
        }
    )


class Changing:
    """A frame of messages that has fewer pending at every look."""

    def __init__(self, *pending: int) -> None:
        self.pending = list(pending)

    def __call__(self) -> pd.DataFrame:
        return messages(self.pending.pop(0) if len(self.pending) > 1 else self.pending[0])


def test_it_stops_by_itself_when_every_report_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view is shown whenever something changed, and the last one is the settled one."""
    source, clock = Changing(6, 6, 3, 0), ManualClock()
    shown: list[Any] = []
    monkeypatch.setattr("masanalytics.report._watch.glance", lambda _data, *a, **k: glance(source(), *a, **k))
    last = watch(messages(6), every=5, clock=clock, show=shown.append, language="en")
    assert [int(seen.rates["pending"].iloc[0]) for seen in shown] == [6, 3, 0]
    assert last.settled
    assert clock.monotonic() == 15


def test_it_stops_when_time_is_up() -> None:
    """With timeout= it ends although messages are pending, and returns what it saw."""
    clock = ManualClock()
    last = watch(messages(2), every=5, timeout=12, clock=clock, show=lambda _seen: None)
    assert not last.settled
    assert clock.monotonic() == 15


def test_interrupting_is_no_error() -> None:
    """Ctrl-C ends it and returns what was seen last."""

    class Interrupted(ManualClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    assert watch(messages(1), clock=Interrupted(), show=lambda _seen: None).accepted == 10


def test_it_shows_itself_as_html_and_as_a_line() -> None:
    """A view has counts, rate with interval and the curve as HTML, the same in one line, and no whole number of a person."""
    seen = glance(messages(2), campaign="春节 13800138000", language="zh")
    assert repr(seen) == "春节 138****8000: 受理 10, 送达 8, 失败 0, 待回执 2, 送达率 80.0% (49.0%–94.3%)."
    html = seen._repr_html_()
    assert "<svg" in html
    assert "49.0%–94.3%" in html
    assert "13800138000" not in html


def test_nothing_accepted_yet_is_no_error() -> None:
    """Before anything is accepted the view says 0 and does not count as settled."""
    seen = glance(messages(2).head(0), language="en")
    assert (seen.accepted, seen.settled, seen.curve) == (0, False, "")
    assert isinstance(seen, Glance)
    assert repr(seen) == "all messages: accepted 0."


def test_a_terminal_gets_a_line_a_view(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a notebook each view is one line."""
    monkeypatch.delitem(__import__("sys").modules, "IPython", raising=False)
    watch(messages(0), language="en")
    assert capsys.readouterr().out.startswith("all messages: accepted 10, delivered 10")


class Shell:
    """What is asked of IPython."""

    execution_count = 7


def test_the_last_view_is_not_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the result of the cell that watched, the view is not displayed once more; in a later cell it is."""
    monkeypatch.setattr("masanalytics.report._watch._shell", lambda: Shell)
    monkeypatch.setattr("masanalytics.report._watch._output", lambda: lambda _seen: None)
    last: Any = watch(messages(0), language="en")
    assert (last.accepted, last._ipython_display_()) == (10, None)
    monkeypatch.setattr(Shell, "execution_count", 8)
    with pytest.raises(NotImplementedError):
        last._ipython_display_()


def test_interrupting_the_first_drawing_is_no_error() -> None:
    """Ctrl-C while the first view is being shown ends it too."""

    def interrupted(_seen: Glance) -> None:
        raise KeyboardInterrupt

    assert watch(messages(1), clock=ManualClock(), show=interrupted).accepted == 10
