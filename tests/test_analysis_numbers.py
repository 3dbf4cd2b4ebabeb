"""Number health, replies and costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.analysis import HealthRule
from masanalytics.errors import InputError

EMPTY, OFF, BLACK, BLOCKED_TEXT = "MK:0001", "MN:0090", "DB:0141", "REJECT:content"


def history(*messages: tuple[str, str, str | None, str]) -> pd.DataFrame:
    """Return messages from (phone, status, error code, day of submission)."""
    found = pd.DataFrame(messages, columns=["phone", "status", "error_code", "submitted_at"])
    found["submitted_at"] = pd.to_datetime(found["submitted_at"]).dt.tz_localize("Asia/Shanghai")
    return found.astype({"phone": "str", "status": "str", "error_code": "str"})


def verdicts(*messages: tuple[str, str, str | None, str], **options: Any) -> dict[str, str]:
    found = analysis.number_health(history(*messages), **options)
    return dict(zip(found["phone"], found["verdict"], strict=True))


def test_a_number_that_does_not_exist_three_times_in_a_row_is_dead() -> None:
    """Two such failures leave a doubt; the third does not; a delivery in between wipes it out."""
    assert verdicts(("1", "failed", EMPTY, "2026-01-01"), ("1", "failed", EMPTY, "2026-01-02")) == {"1": "doubtful"}
    assert verdicts(*(("1", "failed", EMPTY, f"2026-01-0{day}") for day in (1, 2, 3))) == {"1": "dead"}
    days = [("1", "failed", EMPTY, "2026-01-01"), ("1", "failed", EMPTY, "2026-01-02")]
    assert verdicts(*days, ("1", "delivered", None, "2026-01-03"), ("1", "failed", EMPTY, "2026-01-04")) == {
        "1": "doubtful"
    }


def test_a_phone_that_is_off_is_given_up_only_after_weeks() -> None:
    """Six failures within a week leave a doubt, over two weeks they do not."""
    week = [("1", "failed", OFF, f"2026-01-0{day}") for day in range(1, 7)]
    fortnight = [("1", "failed", OFF, f"2026-01-{day:02d}") for day in range(1, 19, 3)]

    assert verdicts(*week) == {"1": "doubtful"}
    assert verdicts(*fortnight) == {"1": "dead"}


def test_a_number_on_a_blocklist_is_blocked_until_something_arrives() -> None:
    """One such failure last is enough."""
    assert verdicts(("1", "failed", BLACK, "2026-01-01")) == {"1": "blocked"}
    assert verdicts(("1", "failed", BLACK, "2026-01-01"), ("1", "delivered", None, "2026-01-02")) == {"1": "good"}


def test_failures_that_are_not_the_numbers_fault_do_not_count() -> None:
    """A signature that was not registered says nothing about the number."""
    from masanalytics.codes import category_of

    code = "DB:0114"
    assert category_of(code) not in {*HealthRule().gone_by, *HealthRule().away_by, *HealthRule().blocked_by}
    found = analysis.number_health(history(*(("1", "failed", code, f"2026-01-0{day}") for day in (1, 2, 3, 4))))

    assert found[["failed", "failed_in_a_row", "last_code", "verdict"]].values.tolist() == [[4, 0, code, "good"]]


def test_the_whole_row_of_a_number() -> None:
    """Sent, delivered, failed, the run, the last code, when it was last written to and last seen alive."""
    messages = history(
        ("1", "delivered", None, "2026-01-01"),
        ("1", "failed", EMPTY, "2026-01-02"),
        ("1", "pending", None, "2026-01-03"),
        ("1", "unknown", None, "2026-01-04"),
        ("1", "rejected", None, "2026-01-05"),
    ).assign(
        received_at=pd.to_datetime(["2026-01-01 08:00", "2026-01-02 08:00", None, None, None]).tz_localize(
            "Asia/Shanghai"
        )
    )

    found = analysis.number_health(messages)

    assert found.columns.tolist() == [
        "phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code", "last_category", "last_sent_at",
        "last_seen_alive_at", "verdict",
    ]  # fmt: skip
    row = found.iloc[0]
    assert row[["phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code"]].tolist() == [
        "1",
        3,
        1,
        1,
        1,
        EMPTY,
    ]
    assert row["last_sent_at"] == pd.Timestamp("2026-01-03", tz="Asia/Shanghai")
    assert row["last_seen_alive_at"] == pd.Timestamp("2026-01-01 08:00", tz="Asia/Shanghai")
    assert found.attrs["verdicts"] == {"doubtful": 1}


def test_the_rule_can_be_set() -> None:
    """One failure can be made enough."""
    assert verdicts(("1", "failed", EMPTY, "2026-01-01"), rule=HealthRule(dead_after=1)) == {"1": "dead"}


def test_a_sheet_gets_a_row_a_number_in_its_order() -> None:
    """Also for numbers never written to."""
    found = analysis.number_health(
        history(("2", "delivered", None, "2026-01-01"), ("1", "delivered", None, "2026-01-01")), phones=["9", "1"]
    )

    assert found[["phone", "sent", "verdict"]].values.tolist() == [["9", 0, "unseen"], ["1", 1, "good"]]


def test_health_does_not_mind_the_order_of_rows_and_of_nothing_there_is_none() -> None:
    """Shuffled messages give the same table, no messages the same columns."""
    messages = history(
        *((str(i % 5), ["failed", "delivered"][i % 3 == 0], EMPTY, f"2026-01-{i + 1:02d}") for i in range(25))
    )

    found = analysis.number_health(messages)

    pd.testing.assert_frame_equal(found, analysis.number_health(messages.sample(frac=1, random_state=3)))
    assert analysis.number_health(messages[:0]).columns.tolist() == found.columns.tolist()


# ---- costs ------------------------------------------------------------------------------------------------------------

BILLED = pd.DataFrame(
    {
        "campaign": ["a", "a", "a", "a", "b"],
        "carrier": ["China Mobile", "China Mobile", "China Unicom", "China Mobile", "China Mobile"],
        "status": ["delivered", "failed", "pending", "rejected", "failed"],
        "error_code": [None, EMPTY, None, None, OFF],
        "segments": pd.array([2, 1, 3, 9, None], dtype="Int64"),
    }
).astype({"error_code": "str"})


def test_costs_worked_by_hand() -> None:
    """Six segments at 5 fen, of which two arrived and one went to a number that does not exist."""
    found = analysis.costs(BILLED, 0.05, by="campaign")

    assert found.columns.tolist() == [
        "campaign", "accepted", "segments", "cost", "delivered", "cost_per_delivered", "cost_not_delivered",
        "cost_dead_numbers",
    ]  # fmt: skip
    assert found.iloc[0].tolist()[1:] == pytest.approx([3, 6, 0.30, 1, 0.30, 0.20, 0.05])
    assert found.iloc[1, 1:5].tolist() == [1, 0, 0, 0]
    assert np.isnan(found.loc[1, "cost_per_delivered"])
    assert found.attrs["notes"][0]["code"] == "no_segments"


def test_prices_and_contracts_differ() -> None:
    """A price a carrier, and contracts that bill only what arrived."""
    by_carrier = analysis.costs(BILLED, {"China Mobile": 0.04, "China Unicom": 0.06}).iloc[0]

    assert by_carrier["cost"] == pytest.approx(3 * 0.04 + 3 * 0.06)
    assert analysis.costs(BILLED, 0.05, billed="delivered")["cost"].tolist() == pytest.approx([0.10])
    with pytest.raises(InputError, match="no price for China Unicom"):
        analysis.costs(BILLED, {"China Mobile": 0.04})


@pytest.mark.parametrize("price", [-1, "x", None, float("nan"), float("inf"), [0.05]])
def test_what_is_no_price_is_refused(price: Any) -> None:
    """A price below 0, or none at all, is refused, alone and by carrier, where the carrier is named."""
    with pytest.raises(InputError, match="is not an amount of money"):
        analysis.costs(BILLED, price)
    with pytest.raises(InputError, match="of China Unicom is not an amount of money"):
        analysis.costs(BILLED, {"China Mobile": 0.04, "China Unicom": price})


def test_only_the_functions_are_offered() -> None:
    """What completion offers is what is meant for use, none of the modules behind it."""
    assert sorted(dir(analysis)) == sorted(analysis.__all__)
    assert "packing" not in dir(analysis)


# ---- replies ----------------------------------------------------------------------------------------------------------


def test_replies_worked_by_hand() -> None:
    """Of four delivered, two people answered (one twice), one opted out; a late reply and a stranger do not count."""
    at = pd.Timestamp("2026-01-31 09:00", tz="Asia/Shanghai")
    messages = pd.DataFrame(
        {
            "message_id": [1, 2, 3, 4, 5],
            "phone": ["1", "2", "3", "4", "5"],
            "campaign": ["a", "a", "a", "a", "b"],
            "status": ["delivered"] * 4 + ["pending"],
            "submitted_at": at,
        }
    )
    said = pd.DataFrame(
        {
            "message_id": pd.array([1, 1, 2, 3, None], dtype="Int64"),
            "phone": ["1", "1", "2", "3", "9"],
            "content": ["好的", "TD", " 好的 ", "收到", "?"],
            "sent_at": [at + pd.Timedelta(delay) for delay in ("60s", "90s", "120s", "8D", "5s")],
            "opt_out": [None, "opt_out", None, None, None],
        }
    )

    found = analysis.replies(messages, uplinks=said, keywords=["好的"])

    assert found["campaign"].tolist() == ["a", "b"]
    row = found.iloc[0]
    assert row[["delivered", "replies", "people", "opt_outs", "says_好的"]].tolist() == [4, 3, 2, 1, 2]
    assert row[["response_rate", "opt_out_rate", "p50_s", "p90_s"]].tolist() == pytest.approx([0.5, 0.25, 90, 114])
    assert (row["low"], row["high"]) == pytest.approx((0.150039, 0.849961), abs=1e-6)
    assert found.loc[1, "delivered"] == 0
    assert np.isnan(found.loc[1, "response_rate"])
    assert found.attrs["unmatched"] == 1


def test_replies_of_a_frame_need_the_uplinks() -> None:
    """A frame of messages alone cannot be asked for replies."""
    with pytest.raises(InputError, match="give them as uplinks="):
        analysis.replies(
            pd.DataFrame(
                {"message_id": [1], "phone": ["1"], "status": ["delivered"], "submitted_at": [0], "campaign": "a"}
            )
        )
