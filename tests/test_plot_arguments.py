"""What all charts take: a title, a size, an order; what they are narrowed to is in the picture; what is no argument is said."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

mpl.use("Agg")

import matplotlib.pyplot as plt

import masanalytics as mas
from masanalytics import plot
from masanalytics.errors import InputError
from masanalytics.plot.chart import SOURCE_GID
from tests.charts import MESSAGES, OF_MESSAGES, untried


@pytest.fixture(autouse=True)
def closed_figures() -> Any:
    """Close what a test has drawn."""
    yield
    plt.close("all")


def source_line(ax: Axes) -> str:
    """Return what stands below the charts of a figure."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return " ".join(text.get_text() for one in figure.axes for text in one.texts if text.get_gid() == SOURCE_GID)


def test_every_chart_is_tried() -> None:
    """But the overview, which is made of others, in a size and under titles of its own."""
    assert untried(OF_MESSAGES) == {"overview"}


@pytest.mark.parametrize("name", OF_MESSAGES)
def test_title_size_and_filters(name: str) -> None:
    """The title and the size are the user's own; the campaign stands in the picture all the same."""
    ax = OF_MESSAGES[name](MESSAGES, campaign="spring", title="My title", figsize=(7, 5), language="en")
    figure = ax.get_figure(root=True)

    assert ax.get_title() == "My title"
    assert figure.get_size_inches().tolist() == [7, 5]
    assert "campaign spring" in source_line(ax).replace("\n", " ")


@pytest.mark.parametrize("name", OF_MESSAGES)
def test_what_is_no_argument_is_not_called_a_column(name: str) -> None:
    """With what comes near; size belongs to the figure where an Axes is given."""
    with pytest.raises(InputError, match=r"unknown argument 'figsiz' .did you mean 'figsize'"):
        OF_MESSAGES[name](MESSAGES, figsiz=(3, 4))
    with pytest.raises(InputError, match="unknown argument 'color'"):
        OF_MESSAGES[name](MESSAGES, color="red")
    _figure, ax = plt.subplots()
    with pytest.raises(InputError, match=r"give the size to plt.subplots"):
        OF_MESSAGES[name](MESSAGES, ax=ax, figsize=(3, 4))


def test_analysis_and_reports_say_unknown_argument_too(tmp_path: Any) -> None:
    """A price is none of a report's, a misspelt campaign none of anybody's."""
    with pytest.raises(InputError, match=r"unknown argument 'camapign' .did you mean 'campaign'"):
        mas.delivery_rates(MESSAGES, camapign="spring")
    with pytest.raises(InputError, match="unknown argument 'colour'"):
        mas.write_report(MESSAGES, tmp_path / "r.html", colour="red")
    with pytest.raises(InputError, match="no column 'carier'"):
        mas.delivery_rates(MESSAGES, by="carier")


def test_the_largest_group_comes_first_unless_asked_otherwise() -> None:
    """By size, by rate, by name; a result that was given keeps its own order."""

    def names(data: pd.DataFrame, **options: Any) -> list[str]:
        ax = plot.delivery_rates(data, language="en", **options)
        return [label.get_text() for label in ax.get_yticklabels()]

    by_size, by_name = ["China Unicom", "China Mobile"], ["China Mobile", "China Unicom"]
    assert names(MESSAGES, by="carrier") == by_size
    assert names(MESSAGES, by="carrier", sort="name") == by_name
    assert names(MESSAGES, by="carrier", sort="rate") == by_size
    assert names(mas.delivery_rates(MESSAGES, by="carrier")) == by_name
    with pytest.raises(InputError, match="sort='best'"):
        plot.delivery_rates(MESSAGES, by="carrier", sort="best")


def test_tight_layout_keeps_what_stands_beside_a_chart() -> None:
    """Two charts side by side, laid out once more by the user: neither reaches into the other, or out of the figure."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 5))
    for ax in axes:
        plot.delivery_rates(MESSAGES, by="carrier", ax=ax, language="en")
    figure.tight_layout()
    left, right = (ax.get_tightbbox() for ax in axes)

    assert left.x1 <= right.x0
    assert Bbox.union([left, right]).y0 >= 0
    assert right.x1 <= figure.bbox.x1


def test_the_axis_of_a_comparison_names_its_arms_in_the_order_given() -> None:
    """The first on the left, the second on the right."""
    ax = OF_MESSAGES["compare"](MESSAGES, language="en")

    assert ax.get_xlabel() == "← short delivers more · percentage points · long delivers more →"


TWO_ARMS = MESSAGES.assign(arm=["short"] * 100 + ["long"] * 200)


@pytest.mark.parametrize("name", ["delivery_rates", "latency", "timeline", "error_codes", "heatmap", "overview"])
def test_charts_of_groups_take_an_order(name: str) -> None:
    """And say what orders there are."""
    chart = getattr(plot, name)
    by = ["weekday", "carrier"] if name == "heatmap" else "arm"
    for sort in ("size", "rate", "name"):
        assert chart(TWO_ARMS, by=by, sort=sort) is not None
    with pytest.raises(InputError, match="say 'size', 'rate' or 'name'"):
        chart(TWO_ARMS, by=by, sort="best")


@pytest.mark.parametrize(
    "name", ["compare", "explain_change", "funnel", "fatigue", "anomalies", "number_health", "backtest"]
)
def test_charts_with_an_order_of_their_own_say_so(name: str) -> None:
    """Not that `sort` is no column."""
    with pytest.raises(InputError, match=f"{name} has an order of its own: sort= is for the charts of groups"):
        getattr(plot, name)(MESSAGES, sort="size")


def test_lines_and_columns_stand_in_the_order_that_was_asked_for() -> None:
    """The arm of 200 is the larger; of its messages 10 of 200 failed, of the other's 10 of 100."""
    lines = plot.timeline(TWO_ARMS, by="arm", sort="name", language="en").get_legend_handles_labels()[1]
    by_size = plot.timeline(TWO_ARMS.assign(arm=["a"] * 100 + ["b"] * 200), by="arm", language="en")
    columns = plot.error_codes(TWO_ARMS, by="arm", sort="rate", language="en").get_xticklabels()

    assert [line.split()[0] for line in lines] == ["long", "short"]
    assert [line.split()[0] for line in by_size.get_legend_handles_labels()[1]] == ["b", "a"]
    assert [label.get_text() for label in columns] == ["long", "short"]
