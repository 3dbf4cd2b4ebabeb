"""Charts: what their artists hold, and that each can be drawn with no, one, three and forty groups in both languages."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.transforms import Bbox

mpl.use("Agg")

import matplotlib.pyplot as plt

from masanalytics import plot
from masanalytics.analysis import arrivals
from masanalytics.errors import InputError
from masanalytics.plot.chart import SOURCE_GID
from masanalytics.plot.fonts import bundled_font
from masanalytics.plot.layout import ROW_GID
from masanalytics.plot.theme import CELL_GID
from tests.charts import (
    CARRIERS,
    OF_GROUPS,
    backtested,
    changes,
    codes,
    course,
    curve,
    health,
    pairs,
    rates,
    untried,
    week,
)


@pytest.fixture(autouse=True)
def _one_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The carried font, whatever the machine has; and no figure left open."""
    monkeypatch.setenv("MAS_FONT", str(bundled_font()))
    yield
    plt.close("all")


charts = pytest.mark.parametrize("name", OF_GROUPS)


def test_every_chart_is_tried() -> None:
    """But the overview, which is made of others."""
    assert untried(OF_GROUPS) == {"overview"}


def texts(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def source(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.texts if text.get_gid() == SOURCE_GID)


@charts
@pytest.mark.parametrize(
    ("n", "language"), [(0, "en"), (1, "zh"), (3, "en"), pytest.param(40, "zh", marks=pytest.mark.slow)]
)
def test_every_chart_draws_any_number_of_groups(name: str, n: int, language: str) -> None:
    """No, one, three and forty groups are drawn without a warning (such as a missing glyph), with a title."""
    draw, make = OF_GROUPS[name]
    ax = draw(make(n), language=language)
    figure = ax.get_figure(root=True)
    figure.set_dpi(40)
    figure.canvas.draw()
    assert ax.get_title()
    assert n or "No " in texts(ax) or "Nothing" in texts(ax)


@charts
def test_no_chart_changes_matplotlib_or_its_data(name: str) -> None:
    """Drawing changes neither matplotlib's settings nor the frame it is given."""
    draw, make = OF_GROUPS[name]
    frame = make(3)
    before, same = dict(mpl.rcParams), frame.copy(deep=True)
    draw(frame, language="zh")
    assert dict(mpl.rcParams) == before
    pd.testing.assert_frame_equal(frame, same)


@charts
def test_charts_draw_where_they_are_told(name: str) -> None:
    """With ax= the chart goes there, that Axes comes back, and no further figure is opened."""
    draw, make = OF_GROUPS[name]
    figure, ax = plt.subplots()
    assert draw(make(3), ax=ax, language="en") is ax
    assert plt.get_fignums() == [figure.number]
    ax.set_title("我的标题：送达率")
    figure.savefig(io.BytesIO(), dpi=40)
    assert ax.get_title() == "我的标题：送达率"


@pytest.mark.slow
@charts
def test_charts_in_a_grid_keep_to_their_place(name: str) -> None:
    """In a plain grid of subplots what is drawn around an Axes stays on its own side of the figure."""
    draw, make = OF_GROUPS[name]
    figure, axes = plt.subplots(1, 2, figsize=(16, 7))
    draw(make(3), ax=axes[0], language="zh")
    figure.canvas.draw()
    drawn = axes[0].get_tightbbox().transformed(figure.transFigure.inverted())
    assert drawn.x0 > -0.005
    assert drawn.x1 < 0.56


def test_delivery_rates_draws_the_numbers_it_is_given() -> None:
    """Dots are the rates, whiskers Wilson's bounds, the band least to most, the diamond the expected end."""
    ax = plot.delivery_rates(rates(2), language="en")
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    whiskers = [list(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2][::2]
    diamonds = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    bands = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert dots == [0.9, 0.899]
    assert whiskers == [[0.88, 0.92], [0.879, 0.919]]
    assert diamonds == pytest.approx([0.93, 0.929])
    assert bands == [pytest.approx((0.9, 0.94)), pytest.approx((0.899, 0.939))]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["China Mobile", "China Unicom"]


def test_delivery_rates_says_denominator_pending_and_time() -> None:
    """Beside each rate stand its denominator and what is pending; below it the as-of time, gaps and notes."""
    ax = plot.delivery_rates(rates(1), language="en")
    assert "90.0%" in texts(ax)
    assert "n=1,000" in texts(ax)
    assert "40 pending" in texts(ax)
    assert source(ax).replace("\n", " · ") == (
        "State reports as of 2026-01-03 10:44:05 (China time) · 2 gaps in coverage · as asked"
    )
    chinese = plot.delivery_rates(rates(1), language="zh")
    assert chinese.get_title() == "送达率（按运营商）"
    assert "回执数据截至 2026-01-03 10:44:05（北京时间）" in source(chinese)
    assert "中国移动" in [label.get_text() for label in chinese.get_yticklabels()]


def test_small_groups_are_hollow() -> None:
    """A group of fewer than 30 messages is drawn hollow, and the chart says what that means."""
    frame = rates(2).assign(accepted=[1000, 29])
    ax = plot.delivery_rates(frame, language="en")
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert faces == ["#0072B2", "white"]
    assert "hollow: fewer than 30 messages" in source(ax)


def test_rates_at_equal_age_are_titled_so_and_expect_nothing() -> None:
    """A result at equal age names the age in the title, and shows no pending, bounds or expected end."""
    frame = rates(2)
    frame.attrs["within_s"] = 600
    ax = plot.delivery_rates(frame, language="en")
    assert ax.get_title() == "Delivered within 10 min, by carrier"
    assert not ax.patches
    assert "pending" not in texts(ax)


def test_error_codes_is_a_pareto() -> None:
    """Bars are shares of the failed, the line adds them up, and code and meaning name each row."""
    ax = plot.error_codes(codes(3), language="en")
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([8 / 14, 4 / 14, 2 / 14])
    assert list(ax.lines[0].get_xdata()) == pytest.approx([8 / 14, 12 / 14, 1.0])
    first = ax.get_yticklabels()[0].get_text()
    assert first.startswith("MK:0000")
    assert "空号" in first
    assert "\n" in first
    assert "8" in texts(ax)
    assert "0.1% of accepted" in texts(ax)


def test_error_codes_names_the_missing_and_the_others() -> None:
    """A missing code is called so, and the row that adds up the rest is named by what it says and drawn grey."""
    frame = codes(3).assign(error_code=["MK:0001", None, "other"], meaning=["a", None, "25 other codes"])
    ax = plot.error_codes(frame, language="en")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["MK:0001 a", "no code", "25 other codes"]
    assert ax.patches[2].get_facecolor() == mpl.colors.to_rgba("#8b949e", 0.85)


def test_error_codes_by_group_is_a_table() -> None:
    """With groups the cells are each group's shares; a pair that never occurred stays empty."""
    frame = pd.DataFrame(
        {"carrier": ["China Mobile", "China Mobile", None], "error_code": ["MK:0001", "DB:0141", "MK:0001"],
         "count": [30, 10, 5], "share": [0.03, 0.01, 0.05], "share_of_failed": [0.75, 0.25, 1.0]}
    )  # fmt: skip
    ax = plot.error_codes(frame, language="en")
    table = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    np.testing.assert_array_equal(table, [[0.03, 0.05], [0.01, np.nan]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["China Mobile", "unknown"]


def test_latency_draws_the_curve_on_an_axis_people_read() -> None:
    """The curve is drawn as steps over a log axis of seconds, minutes, hours and days, half and nine in ten marked."""
    ax = plot.latency(curve(1), language="en")
    steps_line = next(line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert list(steps_line.get_xdata()) == [1, 1, 10, 600, 86400]
    assert list(steps_line.get_ydata()) == [0, 0.2, 0.5, 0.9, 0.95]
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"]
    assert marks == [(10, 0.5), (600, 0.9)]
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[:6] == ["1 s", "10 s", "1 min", "10 min", "1 h", "24 h"]
    assert "50% after 10 s" in texts(ax)
    assert "90% after 10 min" in texts(ax)


def test_latency_that_has_not_been_reached_is_not_marked() -> None:
    """A curve that ends below half has no mark, and its last value is written where it ends."""
    ax = plot.latency(curve(1).head(2), language="en")
    assert not [line for line in ax.lines if line.get_marker() == "o"]
    assert "20.0%" in texts(ax)


def test_timeline_shows_limits_outliers_and_what_is_still_open() -> None:
    """Points outside the limits are ringed, mostly pending ones are no part of the solid line, volume is stacked."""
    ax = plot.timeline(course(4), language="en")
    rings = [line for line in ax.lines if line.get_markersize() == 11]
    assert list(rings[0].get_ydata()) == [0.6]
    solid = next(line for line in ax.lines if line.get_linestyle() == "-" and line.get_marker() == "o")
    np.testing.assert_array_equal(solid.get_ydata(), [0.95, 0.6, 0.95, np.nan])
    volume = ax.figure.axes[1]
    assert [bar.get_height() for bar in volume.patches] == [95, 60, 95, 38, 5, 40, 5, 2, 0, 0, 0, 60]
    ax.figure.canvas.draw()
    assert "01-04" in [label.get_text() for label in volume.get_xticklabels()]


def test_timeline_draws_no_line_across_a_time_without_messages() -> None:
    """Where nothing was sent for hours the line is broken."""
    frame = course(6).drop(index=[2, 3])
    ax = plot.timeline(frame.assign(pending=0), language="en")
    solid = next(line for line in ax.lines if line.get_linestyle() == "-" and line.get_marker() == "o")
    assert np.isnan(solid.get_ydata()).tolist() == [False, False, True, False, False]


def test_a_single_day_is_drawn_as_a_day() -> None:
    """Its bar is nine tenths of a day wide, as among others; so is each of days that lie apart."""
    for days in ([5], [5, 9]):
        messages = pd.concat(
            pd.DataFrame({"status": ["delivered"] * 40, "latency_s": 5, "waited_s": 300_000}).assign(
                submitted_at=pd.Timestamp(f"2026-01-{day:02d} 10:00", tz="Asia/Shanghai")
            )
            for day in days
        )

        ax = plot.timeline(messages, freq="D", language="en")

        volume = ax.figure.axes[1]
        assert [round(bar.get_width(), 3) for bar in volume.patches if bar.get_height() > 0] == [0.9] * len(days)


def test_timeline_of_groups_has_a_line_each() -> None:
    """Six groups get a line of their own, told apart by marks too; a seventh is grey in the volume, and said to be."""
    frame = pd.concat([course(4).assign(carrier=f"c{i}") for i in range(7)])
    ax = plot.timeline(frame[["carrier", *course(1)]], language="en")
    assert len(ax.get_legend_handles_labels()[1]) == 6
    assert "light grey: 1 smaller group, in the volume only" in source(ax.figure.axes[1])
    named = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_marker() for line in named] == ["o", "s", "^", "D", "v", "P"]
    assert sum(bar.get_height() for bar in ax.figure.axes[1].patches) == 7 * 4 * 100


def test_heatmap_writes_n_into_each_cell_and_hatches_thin_ones() -> None:
    """Each cell holds its rate and number; cells of fewer than 30 messages are hatched; no hour is called the best."""
    ax = plot.heatmap(week(3), language="en")
    cells = [text.get_text() for text in ax.texts if text.get_gid() != SOURCE_GID]
    assert cells == ["95\n400", "95\n12", "95\n400"]
    assert [patch.get_hatch() for patch in ax.patches] == ["////"]
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["Mon", "Tue"]
    assert "no cell is a recommendation" in source(ax)


def test_heatmap_wants_two_dimensions() -> None:
    """A result of one dimension cannot become a heat map, and the error says so."""
    with pytest.raises(InputError, match="two columns"):
        plot.heatmap(rates(3))


def test_compare_draws_intervals_around_nothing() -> None:
    """A difference that chance does not explain is solid, one that it may explain hollow and grey."""
    ax = plot.compare(pairs(2), language="en")
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [0.018, 0.001]
    assert [dot.get_markerfacecolor() for dot in dots] == ["#0072B2", "white"]
    assert ax.get_title() == "Difference in what was delivered within 10 min"
    assert "95.8% against 94.0%" in texts(ax)
    assert "p < 0.0001" in texts(ax)
    assert "in words" in source(ax)


def test_compare_marks_by_the_corrected_p_value() -> None:
    """An interval that leaves out zero is no proof where many were compared: hollow with p = 0.63 after Holm."""
    ax = plot.compare(pairs(1).assign(p_value=0.016, p_adjusted=0.63), language="en")
    assert [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"] == ["white"]
    assert "p = 0.63" in texts(ax)


def test_compare_without_a_p_value_is_drawn_by_its_interval_unless_that_leaves_clusters_out() -> None:
    """Clear beside 0, hollow around it, dashed where one batch an arm does not tell."""
    row = {"accepted_a": 200, "accepted_b": 200, "rate_a": 0.8, "rate_b": 0.9, "difference": 0.1, "p_value": np.nan}
    rows = [
        {**row, "a": "A", "b": name, "low": low, "high": 0.2, "design_effect": effect}
        for name, low, effect in (("beside", 0.01, 2.0), ("around", -0.1, 2.0), ("one batch", 0.01, np.nan))
    ]

    ax = plot.compare(pd.DataFrame(rows), language="en")

    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] != line.get_xdata()[1]]
    assert [(line.get_color() == "#0072B2", line.is_dashed()) for line in lines] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert "cannot be told" in [text.get_text() for text in ax.figure.findobj(mpl.text.Text)]


def test_compare_in_a_small_place_tells_long_names_apart() -> None:
    """By what they do not share; both rates keep their place, with the sizes below them."""
    names = {"a": "spring member offer, evening, short", "b": "spring member offer, evening, long"}
    _figure, ax = plt.subplots(figsize=(5, 3))
    plot.compare(pairs(1).assign(**names), ax=ax, language="en")
    beside = [text.get_text() for text in ax.texts if text.get_gid() == ROW_GID]

    assert [label.get_text() for label in ax.get_yticklabels()] == ["…long against …short"]
    assert ax.get_xlabel() == "← …short · points · …long →"
    assert beside == ["95.8% against 94.0%\nn=10,000, 10,000"]


def test_no_bar_of_a_course_is_thinner_than_a_point() -> None:
    """Hours of forty days: a bar of its own width would be half a point."""
    month = course(3).assign(time=pd.date_range("2026-03-01", periods=3, freq="20D", tz="Asia/Shanghai"))
    month.attrs["bucket_s"] = 3600
    widths = [
        {bar.get_linewidth() for bar in plot.timeline(result, language="en").figure.axes[1].patches}
        for result in (course(3), month)
    ]

    assert widths == [{0.4}, {1.0}]


def test_fatigue_in_a_small_place_has_fewer_rows() -> None:
    """Of messages it is asked again, with the last row for more."""
    messages = pd.DataFrame(
        {
            "message_id": range(400), "phone": [f"138{number % 40:08d}" for number in range(400)], "campaign": "c", "status": "delivered",
            "submitted_at": pd.Timestamp("2026-03-01", tz="Asia/Shanghai") + pd.to_timedelta(np.arange(400) // 40, unit="D"),
            "latency_s": 5, "waited_s": 300_000,
        }
    )  # fmt: skip
    replies = pd.DataFrame({"message_id": [1], "phone": ["13800000001"], "content": ["T"], "opt_out": ["opt_out"],
                            "sent_at": [pd.Timestamp("2026-03-01 01:00", tz="Asia/Shanghai")]})  # fmt: skip
    _figure, ax = plt.subplots(figsize=(5, 3))
    plot.fatigue(messages, uplinks=replies, ax=ax, language="en")
    names = [label.get_text() for label in ax.get_yticklabels()]

    assert (len(names), names[-1]) == (6, "5 before or more")


def test_an_empty_cell_is_dark_on_a_dark_page() -> None:
    """A light one would be the brightest of all."""
    with plt.style.context("dark_background"):
        ax = plot.heatmap(week(3), language="en")
    red, green, blue, _alpha = ax.images[0].cmap(float("nan"))

    assert max(red, green, blue) < 0.3


def test_the_first_mark_and_the_last_of_a_course_are_whole() -> None:
    """Hours of a month: the edge is more than the width of a bucket."""
    times = pd.date_range("2026-03-01", periods=2, freq="20D", tz="Asia/Shanghai")
    ax = plot.timeline(course(2).assign(time=times), language="en")
    low, high = ax.get_xlim()

    assert high - low > 20.4


def test_explain_change_is_a_waterfall_that_adds_up() -> None:
    """Each bar begins where the one before ended, and the last is the rate after."""
    ax = plot.explain_change(changes(3), language="en")
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars[0] == pytest.approx((0, 0.9))
    assert bars[1] == pytest.approx((0, 0.85))
    assert [bar[0] for bar in bars[2:]] == pytest.approx([0.9, 0.85, 0.85])
    assert bars[2][1] == pytest.approx(-0.05)
    assert "-5.0" in texts(ax)


def test_explain_change_adds_the_small_cells_up() -> None:
    """Beyond twelve cells the others are one bar."""
    ax = plot.explain_change(changes(20), language="en")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 15
    assert names[13] == "8 others"


def test_funnel_counts_messages_and_shows_what_is_pending() -> None:
    """Of messages the funnel counts planned, accepted and delivered, and says what is pending."""
    messages = pd.DataFrame(
        {"status": ["planned"] * 5 + ["rejected"] * 3 + ["pending"] * 2 + ["delivered"] * 8 + ["failed"] * 2,
         "latency_s": [None] * 10 + [5] * 10, "waited_s": 900}
    )  # fmt: skip
    ax = plot.funnel(messages, language="en")
    assert [float(bar.get_width()) for bar in ax.patches] == [20, 12, 8, 2]
    assert "60.0% of planned" in texts(ax)
    assert "66.7% of accepted, 2 pending" in texts(ax)


def test_number_health_shows_counts_and_no_number() -> None:
    """Bars are the numbers of each verdict; no phone number appears."""
    ax = plot.number_health(health(3), language="zh")
    assert [bar.get_width() for bar in ax.patches] == [3, 0, 0, 0]
    assert "138" not in texts(ax) + "".join(label.get_text() for label in ax.get_yticklabels())


def test_messages_are_analysed_where_no_result_is_given() -> None:
    """Given messages, a chart asks the analysis function of its name, with by= and filters handed on."""
    messages = pd.DataFrame(
        {"message_id": range(8), "campaign": ["x"] * 6 + ["y"] * 2, "carrier": ["China Mobile", "China Unicom"] * 4,
         "status": ["delivered", "failed"] * 4, "error_code": [None, "MK:0001"] * 4, "latency_s": 5, "waited_s": 300_000,
         "submitted_at": pd.Timestamp("2026-01-03 09:00", tz="Asia/Shanghai")}
    )  # fmt: skip
    ax = plot.delivery_rates(messages, by="carrier", campaign="x", language="en")
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"] == [1.0, 0.0]
    assert "n=3" in texts(ax)
    assert "MK:0001" in plot.error_codes(messages, language="en").get_yticklabels()[0].get_text()
    assert plot.latency(messages, by="carrier", language="en").get_title() == "How fast messages arrive, by carrier"
    assert len(plot.overview(messages, freq="h", language="zh").ravel()) == 4


@pytest.mark.parametrize(
    ("seconds", "title"),
    [(0, "From plan to handset"), (60, "Delivery rate over time"), (3600, "Delivery rate over time")],
)
def test_the_overview_of_a_campaign_sent_at_once_shows_steps_instead_of_a_course(seconds: int, title: str) -> None:
    """One point is no course: within one minute the steps are drawn, within one hour the minutes."""
    at = pd.Timestamp("2026-01-03 09:00", tz="Asia/Shanghai")
    messages = pd.DataFrame(
        {"status": ["delivered", "failed"], "submitted_at": [at, at + pd.Timedelta(seconds=seconds)],
         "latency_s": [10, 20], "waited_s": [9000, 9000], "carrier": "China Mobile", "error_code": [None, "MK:0001"]}
    )  # fmt: skip
    axes = plot.overview(messages, language="en")
    assert axes[1, 1].get_title() == title


def test_the_curve_of_arrivals_counts_pending_as_waiting() -> None:
    """Hand-worked: a message pending since 25 s leaves the two before it at a quarter each, and the last at a half."""
    messages = pd.DataFrame(
        {"status": ["delivered", "failed", "pending", "delivered"], "latency_s": [10, 20, None, 30],
         "waited_s": [90, 90, 25, 90]}
    )  # fmt: skip
    found = arrivals(messages)
    at = dict(zip(found["seconds"], found["share"], strict=True))
    assert [at[second] for second in (9, 10, 25, 30)] == pytest.approx([0, 0.25, 0.25, 0.75])
    assert max(at) == 30
    assert (found["low"] <= found["share"]).all()
    assert (found["share"] <= found["high"]).all()
    assert arrivals(messages.assign(carrier=list("abcd")), "carrier", most_groups=3) is None


def test_every_curve_ends_with_its_own_last_value() -> None:
    """A group whose last report came early ends there, at its own delivery rate."""
    messages = pd.DataFrame(
        {"carrier": ["a", "a", "b", "b"], "status": ["delivered", "failed", "delivered", "delivered"],
         "latency_s": [777, 3, 4, 50_000], "waited_s": 300_000}
    )  # fmt: skip
    found = arrivals(messages, "carrier")
    last = found.groupby("carrier").tail(1)
    assert last["seconds"].tolist() == [777, 50_000]
    assert last["share"].tolist() == pytest.approx([0.5, 1.0])


def test_a_result_cannot_be_grouped_again() -> None:
    """by= for a result that is computed already is refused, with what to do instead."""
    with pytest.raises(InputError, match="is a result of delivery_rates already"):
        plot.delivery_rates(rates(3), by="province")


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_chinese_shows_in_every_format(kind: str, tmp_path: Path) -> None:
    """PNG, SVG and PDF are written without a missing glyph, also for names with emoji, dollars and line breaks."""
    frame = rates(3).assign(carrier=["春节活动🎉 $5 减 $10", "喆堃祎䶮\n￥“”…", "=HYPERLINK(x)" + "很长" * 60])
    ax = plot.delivery_rates(frame, language="zh")
    path = tmp_path / f"chart.{kind}"
    ax.figure.savefig(path)
    assert path.stat().st_size > 5000


def test_intervals_of_one_point_are_a_line() -> None:
    """A timeline of one point shows its interval as a line, since a band would have no width."""
    ax = plot.timeline(course(1), language="en")
    whiskers = [part for part in ax.collections if isinstance(part, LineCollection)]
    assert whiskers[0].get_segments()[0][:, 1].tolist() == pytest.approx([0.9, 1.0])


@charts
def test_charts_fit_into_a_small_place(name: str) -> None:
    """In three by two inches nothing is cut off, and the names of rows do not run into each other."""
    draw, make = OF_GROUPS[name]
    figure, ax = plt.subplots(figsize=(3, 2), dpi=100)
    draw(make(40), ax=ax, language="en")
    figure.canvas.draw()
    drawn = Bbox.union([part.get_tightbbox() for part in figure.axes]).transformed(figure.transFigure.inverted())
    assert drawn.x0 > -0.02
    assert drawn.y0 > -0.02
    assert drawn.x1 < 1.02
    assert drawn.y1 < 1.02
    if ax.yaxis.get_tick_params().get("length") == 0:
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))


def test_a_chart_grows_until_its_rows_have_their_height() -> None:
    """Long sentences below a comparison make the figure higher instead of pushing its rows together."""
    frame = pairs(3).assign(sentence="a sentence that goes on " * 20)
    ax = plot.compare(frame, language="en")
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))
    assert ax.get_position().height * ax.figure.get_figheight() > 1.4


def test_of_too_many_groups_the_largest_are_shown() -> None:
    """Of a hundred groups the sixty largest are drawn, in their order, and the chart says so."""
    frame = rates(100).assign(accepted=np.arange(1000, 1100))
    ax = plot.delivery_rates(frame, language="en")
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.9 - place / 1000 for place in range(40, 100)])
    assert "the 60 largest of 100 groups" in source(ax)


def test_a_heat_map_of_many_groups_stays_drawable() -> None:
    """Of a thousand rows the sixty with most messages are drawn; messages of no group have a row too."""
    frame = pd.DataFrame({"campaign": [f"c{i:04d}" for i in range(1000)] + [None], "hour": 9})
    frame = frame.assign(accepted=[*range(30, 1030), 2000], delivered=30, delivery_rate=0.5, low=0.4, high=0.6)
    ax = plot.heatmap(frame, language="en")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [*(f"c{i:04d}" for i in range(941, 1000)), "unknown"]
    assert "the 60 largest of 1,001 groups by campaign" in source(ax)


def test_heatmap_at_equal_age_says_so() -> None:
    """The age a result is restricted to stands in the title."""
    frame = week(3)
    frame.attrs["within_s"] = 600
    assert plot.heatmap(frame, language="zh").get_title() == "提交后 10 分钟内的送达率（按星期、提交时段）"


def test_names_that_differ_at_their_end_stay_apart() -> None:
    """Long names that begin alike are cut in the middle, so that no two rows have the same name."""
    names = [f"{'春节客户回馈活动' * 10}第{i}批" for i in range(20)]
    ax = plot.delivery_rates(rates(20).assign(carrier=names), language="zh")
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert len(set(shown)) == 20
    assert all(name.endswith(f"第{i}批") for i, name in enumerate(shown))


def test_numbers_beside_rows_do_not_meet() -> None:
    """However large the counts, what stands beside a row is in columns that leave each other room."""
    frame = codes(3).assign(count=[1_234_567_890, 12, 3])
    ax = plot.error_codes(frame, language="en")
    ax.figure.canvas.draw()
    beside = [text for text in ax.texts if text.get_gid() == ROW_GID]
    numbers, shares = beside[:3], beside[3:]
    ends = max(text.get_window_extent().x1 for text in numbers)
    assert ends < min(text.get_window_extent().x0 for text in shares)


def test_a_change_needs_both_sides() -> None:
    """Where one side has no messages the waterfall says what is missing."""
    frame = changes(1).assign(rate_before=np.nan, contribution=np.nan)
    frame.attrs["change"] = {"rate_before": np.nan, "rate_after": 0.9}
    assert "Messages of both times are needed" in texts(plot.explain_change(frame, language="en"))


def test_curves_of_groups_differ_by_dashes() -> None:
    """In grey print the curves of groups can be told apart: each has dashes of its own."""
    ax = plot.latency(curve(3), language="en")
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 3


def test_curves_say_how_many_messages_they_rest_on() -> None:
    """Where the curve carries the number of accepted messages, the legend says it."""
    ax = plot.latency(curve(1).assign(accepted=1234), language="en")
    assert ax.get_legend().get_texts()[0].get_text() == "delivered so far, n=1,234"


def test_cells_of_codes_hold_share_and_count() -> None:
    """With groups each cell says the share of accepted and how many messages that is."""
    frame = codes(2).assign(carrier=CARRIERS[:2])[["carrier", *codes(0)]]
    ax = plot.error_codes(frame, language="en")
    cells = [text.get_text() for text in ax.texts if text.get_gid() != SOURCE_GID]
    assert cells == ["<0.1%\n4", "<0.1%\n2"]


@charts
def test_charts_can_be_read_on_dark_pages(name: str) -> None:
    """In matplotlib's dark style no text is dark on dark, neither in a figure of its own nor in one that is given."""
    draw, make = OF_GROUPS[name]
    with plt.style.context("dark_background"):
        for ax in (draw(make(3), language="en"), draw(make(3), ax=plt.subplots(figsize=(12, 8))[1], language="en")):
            figure = ax.get_figure(root=True)
            assert mpl.colors.to_hex(figure.get_facecolor()) == "#000000"
            written = [ax.title, ax.xaxis.label, *ax.get_yticklabels(), *ax.get_xticklabels(), *ax.texts]
            for text in written:
                if text.get_text() and text.get_gid() != CELL_GID:
                    assert sum(mpl.colors.to_rgb(text.get_color())) > 0.9, text


def test_a_dark_page_leaves_other_charts_alone() -> None:
    """What else is drawn on a dark figure keeps its colours."""
    with plt.style.context("dark_background"):
        _, (mine, other) = plt.subplots(1, 2, figsize=(12, 5))
        band = other.fill_between([0, 1], [0, 1], alpha=0.1)
        other.tick_params(labelcolor="red")
        plot.delivery_rates(rates(2), ax=mine, language="en")
    assert band.get_alpha() == 0.1
    assert other.get_xticklabels()[0].get_color() == "red"


def test_a_chart_that_fails_leaves_no_figure_open() -> None:
    """An error while drawing closes the figure that was made for it."""
    broken = course(3).assign(time="yesterday")
    with pytest.raises(AttributeError):
        plot.timeline(broken, language="en")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("days", [0.02, 1, 26, 60, 200, 900])
@pytest.mark.parametrize("width", [3, 5.3, 10])
def test_times_on_an_axis_are_few_and_more_than_one(days: float, width: float) -> None:
    """Over an hour or three years, in narrow charts and wide ones, two to eight times are written."""
    times = pd.date_range("2025-12-17 03:00", periods=5, freq=pd.Timedelta(days=days / 5), tz="Asia/Shanghai")
    _, ax = plt.subplots(figsize=(width, 4))
    plot.timeline(course(5).assign(time=times), ax=ax, language="en")
    volume = ax.figure.axes[1]
    low, high = volume.get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in volume.get_xticks()) <= 8


def test_a_comparison_at_several_ages_names_none() -> None:
    """Where some pairs are compared at an age and others are settled, the title claims no age for all."""
    ax = plot.compare(pairs(2).assign(within_s=[600.0, np.nan]), language="en")
    assert ax.get_title() == "Difference in delivery rate"


def test_only_the_charts_are_offered() -> None:
    """What completion offers of the charts is what is meant for use, none of the modules behind them."""
    assert sorted(dir(plot)) == sorted(plot.__all__)
    assert "chart" not in dir(plot)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [3, 5, 8, 10])
def test_times_on_a_log_axis_do_not_run_into_each_other(width: float, language: str) -> None:
    """Where there is little room some of the times are left out; the first stays."""
    figure, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    plot.latency(curve(1), ax=ax, language=language)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert len(boxes) > 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_backtest_shows_every_campaign_and_what_was_missed() -> None:
    """A dot is expected less final rate in points; of seven campaigns one was outside, and one had bounds only."""
    ax = plot.backtest(backtested(7), language="en")

    dots = ax.collections[1].get_offsets()
    assert np.asarray(dots)[:, 0].round(6).tolist() == [-1.0, -1.0, -1.0, -1.0, -1.0, 4.0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["after 10 min", "after 2 h", "after 24 h"]
    assert texts(ax).count("6 of 7 held") == 3


def test_a_small_figure_keeps_room_for_the_chart() -> None:
    """In 5 by 3 inches three lines stand below at most, and of the course the legend keeps what it cannot be read without."""
    for draw, frame in ((plot.timeline, course(20)), (plot.explain_change, changes(3))):
        small = draw(frame, figsize=(5, 3), language="en")
        small.figure.canvas.draw()
        assert source(small).count("\n") <= 2
        assert small.get_window_extent().height > 0.25 * small.figure.bbox.height / (2 if draw is plot.timeline else 1)
    legend = plot.timeline(course(20), figsize=(5, 3), language="en").figure.axes[-1].get_legend()
    assert legend is not None
    assert "95% interval" not in [text.get_text() for text in legend.get_texts()]
