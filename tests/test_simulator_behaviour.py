"""What becomes of messages: believable, lasting where numbers are dead, and the same in every run."""

from __future__ import annotations

import csv
from importlib import resources
from typing import Any

import numpy as np
import phonenumbers
import pytest
from phonenumbers import carrier as oracle

from masanalytics.simulator.behaviour import Draw, Fates, Scripted
from masanalytics.simulator.failure_codes import CODES, carrier_index
from masanalytics.simulator.population import REPLY_TEXTS, Incident, Population
from masanalytics.simulator.random_keys import message_keys, normal, number_keys, uniform
from masanalytics.vocabulary import CARRIERS

NOON = 1_767_240_000.0  # 2026-01-01 12:00 in China
NIGHT = NOON - 10 * 3600


def draw(population: Population, phones: Any, instant: float = NOON, seed: int = 1, text: str = "你好") -> Fates:
    numbers = number_keys(phones, seed)
    return population.draw(Draw(phones, message_keys(numbers, text, 0), numbers, instant))


def some(prefix: int, count: int = 20_000) -> Any:
    return np.arange(count, dtype=np.int64) * 4_999 + int(str(prefix).ljust(11, "0"))


def said(fates: Fates) -> Any:
    return np.array(fates.codes)[fates.code]


def test_prefixes_belong_to_the_carrier_that_libphonenumber_names() -> None:
    """For every four-digit prefix that libphonenumber knows, the carrier is the same."""
    names = {"中国移动": 0, "中国联通": 1, "中国电信": 2, "中国广电": 3}
    wrong = {}
    for prefix in range(1300, 2000):
        number = phonenumbers.parse(f"{prefix}0001234", "CN")
        name = oracle.name_for_number(number, "zh", "CN") if phonenumbers.is_valid_number(number) else ""
        found = int(carrier_index(np.array([int(f"{prefix}0001234")]))[0])
        if name in names and names[name] != found:
            wrong[prefix] = (name, CARRIERS[found])
    assert wrong == {}


def test_every_code_is_in_the_catalogue() -> None:
    """Reports carry only codes that the catalogue lists."""
    text = resources.files("masanalytics").joinpath("data/error_codes.csv").read_text(encoding="utf-8-sig")
    listed = {row["code_or_prefix"] for row in csv.DictReader(text.splitlines())}
    assert set(CODES) - listed == set()


@pytest.mark.parametrize("prefix", [138, 177, 192, 174])
def test_bare_numbers_are_codes_of_unicom_only(prefix: int) -> None:
    """Only China Unicom's numbers fail with codes made of digits alone."""
    fates = draw(Population(empty=0.3, suspended=0.3, off=0.2, fault=0.2), some(prefix))
    assert not [code for code in set(said(fates)) if code.lstrip("-").isdigit()]
    unicom = draw(Population(empty=0.3, suspended=0.3, off=0.2, fault=0.2), some(186))
    assert {"1", "5", "-43"} <= set(said(unicom))


def test_most_arrive_within_seconds_and_some_much_later() -> None:
    """By day nine in ten arrive; half of them within ten seconds, some after an hour, a few are never reported."""
    fates = draw(Population(), some(138))
    told = np.isfinite(fates.latency)
    arrived = fates.latency[told & (fates.code == 0)]
    assert 0.90 < len(arrived) / len(told) < 0.96
    assert np.median(arrived) < 10
    assert 0.005 < (arrived > 3600).mean() < 0.05
    assert 0.001 < (~told).mean() < 0.02
    assert fates.latency[told].min() >= 1
    assert fates.latency[told].max() <= 72 * 3600
    assert (fates.latency[told] % 1 == 0).all()


def test_nights_are_slow() -> None:
    """At two in the morning a fifth of the phones are off until the morning."""
    day, night = draw(Population(), some(138)), draw(Population(), some(138), instant=NIGHT)

    def late(fates: Any) -> Any:
        return (np.isfinite(fates.latency) & (fates.latency > 4 * 3600) & (fates.code == 0)).mean()

    assert late(day) < 0.02
    assert 0.1 < late(night) < 0.3


def test_carriers_and_prefixes_differ() -> None:
    """Carriers have their own rate of failures, and so have places (the first seven digits)."""
    population = Population(empty=0, suspended=0, blocked=0, off=0, fault=0.05)
    failed = [float((draw(population, some(prefix)).code != 0).mean()) for prefix in (138, 186, 192)]
    assert failed[0] < failed[1] < failed[2]
    places = [
        float((draw(population, np.arange(n, n + 10_000)).code != 0).mean())
        for n in range(13_800_000_000, 13_800_200_000, 10_000)
    ]
    assert max(places) > 1.5 * min(places)


def test_dead_numbers_stay_dead_with_their_code() -> None:
    """A number that does not exist fails in every campaign with the same code; a fault on the way does not last."""
    population, phones = Population(unreported=0), some(138)
    states = np.array(population.state_of(phones, seed=1))
    campaigns = [draw(population, phones, text=text) for text in ("一", "二", "三")]
    dead = states == "empty"
    assert 0.015 < dead.mean() < 0.035
    assert (said(campaigns[0])[dead] == said(campaigns[1])[dead]).all()
    assert set(said(campaigns[0])[dead]) == {"MK:0001", "MK:0012", "MI:0011"}
    alive = states == "alive"
    failed = [(fates.code != 0) & alive for fates in campaigns]
    assert 0 < (failed[0] & failed[1]).sum() < 0.2 * failed[0].sum()


def test_an_incident_hits_whom_and_when_it_says() -> None:
    """During it a carrier's numbers fail with its code; other carriers and other hours are as ever."""
    incident = Incident(NOON - 60, NOON + 60, share=0.5, carrier="China Unicom", code="MI:0999", slowdown=10)
    troubled, calm = Population(incidents=(incident,)), Population()
    unicom, mobile = some(186), some(138)
    share = (said(draw(troubled, unicom)) == "MI:0999").mean()
    assert 0.4 < share < 0.5
    assert (said(draw(troubled, mobile)) == said(draw(calm, mobile))).all()
    after = NOON + 60
    assert (said(draw(troubled, unicom, after)) == said(draw(calm, unicom, after))).all()
    slowed = np.median(draw(troubled, unicom).latency) / np.median(draw(calm, unicom).latency)
    assert slowed > 1.5


def test_an_incident_can_hit_prefixes() -> None:
    """Prefixes narrow it down to a place."""
    incident = Incident(0, 2 * NOON, share=1.0, prefixes=("1380000", "139"))
    phones = np.array([13800001234, 13800011234, 13912345678, 13712345678])
    fates = draw(Population(0, 0, 0, 0, 0, 0, 0, incidents=(incident,)), phones)
    assert said(fates).tolist() == ["MI:0043", "DELIVRD", "MI:0043", "DELIVRD"]


def test_people_write_back() -> None:
    """About one in forty of those reached replies: opt-outs, thanks, questions, and texts that are no plain text."""
    fates = draw(Population(), some(138, 100_000))
    assert 2000 < len(fates.replies) < 3000
    written = {reply.text for reply in fates.replies}
    assert written == set(REPLY_TEXTS)
    assert {"T", "TD", "退订", "R", "ＴＤ", "别再发了"} <= written
    assert any(text.startswith("=HYPERLINK(") for text in written)
    assert any("<script>" in text for text in written)
    assert all(fates.code[reply.message] == 0 for reply in fates.replies)
    assert all(
        reply.after > fates.latency[reply.message]
        for reply in fates.replies
        if np.isfinite(fates.latency[reply.message])
    )


def test_a_draw_repeats_and_does_not_depend_on_its_neighbours() -> None:
    """The same message has the same fate alone and among others."""
    phones = some(138, 3000)
    together, alone = draw(Population(), phones), draw(Population(), phones[1234:1235])
    assert together.code[1234] == alone.code[0]
    assert together.latency[1234] == alone.latency[0]
    assert (draw(Population(), phones).latency == together.latency).all()
    assert (draw(Population(), phones, seed=2).latency != together.latency).any()


def test_texts_that_are_no_text() -> None:
    """Half an emoji, and a number that is none, have a fate too."""
    phones = np.array([-1, 13800138000])
    numbers = number_keys(phones, 1)
    fates = Population().draw(Draw(phones, message_keys(numbers, ["\ud83d", "好"], 0), numbers, NOON))
    assert fates.code[0] != 0


def test_chance_is_even_and_streams_are_independent() -> None:
    """Means, variances and correlation of what is drawn are those of the distributions."""
    keys = number_keys(np.arange(13_800_000_000, 13_800_200_000), 5)
    first, second = uniform(keys, 1), uniform(keys, 2)
    assert abs(first.mean() - 1 / 2) < 0.003
    assert abs(first.var() - 1 / 12) < 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    drawn = normal(keys, 3)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert np.isfinite(drawn).all()


def test_a_script_is_followed() -> None:
    """A script names outcomes, silences and replies; everybody else has the default."""
    script = Scripted({"13800138001": ("MK:0001", 3), "13800138002": None}, replies={"13800138000": (9, "T")})
    phones = np.array([13800138000, 13800138001, 13800138002])
    keys = phones.astype(np.uint64)
    fates = script.draw(Draw(phones, keys, keys, 0.0))
    assert said(fates).tolist()[:2] == ["DELIVRD", "MK:0001"]
    assert fates.latency.tolist() == [1.0, 3.0, np.inf]
    assert fates.replies == ((0, 9, "T"),)
