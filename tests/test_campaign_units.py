"""Units of history and forecast: which messages are one, and what is known of it before it is sent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from masanalytics.analysis.campaign_units import Features, features_of, kind_like, kind_of, units_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("otp 2026-03-24", "otp"),
        ("OTP_0324", "otp"),
        ("Mon 24 Mar offer", "offer"),
        ("国庆优惠0324", "国庆优惠"),
        ("3月24日", ""),
    ],
)
def test_a_kind_is_the_name_without_its_dates(name: str, kind: str) -> None:
    """Numbers, months and weekdays change from one campaign to the next of a kind."""
    assert kind_of(name) == kind


def test_a_name_with_one_word_more_is_still_of_its_kind() -> None:
    """Half of the words in common are enough; one of three is not."""
    assert kind_like("otp today", ["otp", "offer"]) == "otp"
    assert kind_like("big spring offer", ["otp", "offer"]) == "big spring offer"
    assert kind_like(None, ["otp"]) is None


def test_a_campaign_by_day_and_by_night_is_two_units() -> None:
    """What is submitted at 22:00 may wait until the morning; it is no measure of what is submitted at noon."""
    keys = pd.DataFrame({"campaign": ["a", "a", "a"], "day": [1, 1, 1], "hour": [12, 13, 22], "segments": [1, 3, 1]})
    n = np.array([30, 50, 40], dtype=np.int64)

    unit = units_of(keys, n, least=20)

    assert unit[0] == unit[1] != unit[2]
    assert sorted(features_of(keys, n, unit)) == [Features("a", False, 4, True), Features("a", True, 7, False)]


def test_small_campaigns_of_a_kind_and_day_are_one_unit() -> None:
    """Codes sent ten at a time are taken together, apart from the offers of the day."""
    keys = pd.DataFrame({"campaign": ["otp 1", "otp 2", "otp 3", "offer 1", "news 1"], "day": [1] * 5})
    n = np.array([10, 10, 10, 500, 3], dtype=np.int64)

    unit = units_of(keys, n, least=20)

    assert unit[0] == unit[1] == unit[2]
    assert len({*unit.tolist()}) == 3


def test_a_template_tells_the_kind_before_the_name_does() -> None:
    """Messages of one template are of one kind, whatever the campaign is called; hours may be unknown."""
    keys = pd.DataFrame({"campaign": ["march", "april"], "template_id": ["t1", None]})
    n = np.array([30, 30], dtype=np.int64)

    assert features_of(keys, n, units_of(keys, n, least=20)) == [
        Features("template:t1", None, None, None) if name == "march" else Features("", None, None, None)
        for name in ("april", "march")
    ]
