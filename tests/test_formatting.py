"""How charts and reports write numbers, times and names."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.formatting import by_phrase, count, display_width, duration, group_label, percent, shorten, wrap
from masanalytics.i18n import use_language


def in_both_languages(write: Any, *values: Any) -> Any:
    said = []
    for language in ("en", "zh"):
        with use_language(language):
            said.append(write(*values))
    return tuple(said)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.0004, "<0.1%"),
        (0.9996, ">99.9%"),
        (0.9994, "99.9%"),
        (0.5, "50.0%"),
        (0.0005, "0.1%"),
    ],
)
def test_percent_never_rounds_to_nothing_or_all(share: Any, text: Any) -> None:
    """A share that is not quite 0 or 1 is not written as 0 % or 100 %."""
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 s", "0 秒"),
        (0.02, "<0.1 s", "<0.1 秒"),
        (59.6, "1 min", "1 分钟"),
        (89.6, "1 min 30 s", "1 分钟 30 秒"),
        (661.6, "11 min", "11 分钟"),
        (3600, "1 h", "1 小时"),
        (3661, "1 h 1 min", "1 小时 1 分钟"),
        (86400 + 5, "24 h", "24 小时"),
        (259200, "72 h", "72 小时"),
        (259200 + 7200, "3 d 2 h", "3 天 2 小时"),
        (0.5, "0.5 s", "0.5 秒"),
        (-90, "-1 min 30 s", "-1 分钟 30 秒"),
    ],
)
def test_durations(seconds: Any, en: Any, zh: Any) -> None:
    """Seconds are written up to ten minutes, then minutes, and days from 72 hours on: the time that reports can take."""
    assert in_both_languages(duration, seconds) == (en, zh)


@pytest.mark.parametrize(
    ("column", "value", "en", "zh"),
    [
        ("weekday", 6, "Sun", "周日"),
        ("weekday", "周三", "Wed", "周三"),
        ("hour", 9.0, "09:00", "09:00"),
        ("day", pd.Timestamp("2026-01-03"), "2026-01-03", "2026-01-03"),
        ("day", dt.date(2026, 1, 3), "2026-01-03", "2026-01-03"),
        ("time", pd.Timestamp("2026-01-03 09:15", tz="Asia/Shanghai"), "2026-01-03 09:15", "2026-01-03 09:15"),
        ("carrier", "China Broadnet", "China Broadnet", "中国广电"),
        ("category", "blacklist", "On a blocklist", "号码在黑名单中"),
        ("status", "pending", "pending", "待回执"),
        ("campaign", float("nan"), "unknown", "未知"),
        ("campaign", "total", "total", "合计"),
        ("prefix", "138", "138", "138"),
        ("campaign", "   ", "(blank)", "（空白）"),
    ],
)
def test_groups_are_named_in_both_languages(column: Any, value: Any, en: Any, zh: Any) -> None:
    """Weekdays, hours, days, carriers, categories and missing values have names in both languages."""
    assert in_both_languages(group_label, [column], [value]) == (en, zh)


def test_counts_and_groupings() -> None:
    """Thousands are separated, a missing count is a dash, several columns are joined."""
    missing: Any = None
    assert (count(1234567.0), count(missing)) == ("1,234,567", "–")
    assert in_both_languages(by_phrase, ["carrier", "客户等级"]) == (
        " by carrier and 客户等级",
        "（按运营商、客户等级）",
    )
    assert in_both_languages(group_label, ["carrier", "hour"], ["China Mobile", 8])[0] == "China Mobile · 08:00"


@given(st.text(alphabet="ab 中文，。（）-é\n", max_size=80), st.integers(4, 40), st.integers(1, 4))
def test_wrapped_text_keeps_its_width_and_its_letters(text: Any, width: Any, lines: Any) -> None:
    """No line is wider than asked, there are no more lines than asked, and what was not cut is all there in order."""
    wrapped = wrap(text, width, lines)
    assert wrapped.count("\n") < lines
    assert all(display_width(line) <= max(width, 4) for line in wrapped.split("\n"))
    joined = "".join(wrapped.split())
    assert "".join(text.split()).startswith(joined.removesuffix("…").rstrip("，。：）、；,;:")) or "…" not in wrapped
    if "…" not in wrapped:
        assert joined == "".join(text.split())


@given(st.text(alphabet="ab 中文第-é", max_size=80), st.integers(6, 40))
def test_shortened_names_keep_both_ends(text: Any, width: Any) -> None:
    """A long name keeps its beginning and its end and fits; a short one stays as it is."""
    line, short = " ".join(text.split()), shorten(text, width)
    assert display_width(short) <= width
    if display_width(line) <= width:
        assert short == line
    else:
        head, tail = short.split("…")
        assert line.startswith(head)
        assert line.endswith(tail)
        assert head
        assert tail
