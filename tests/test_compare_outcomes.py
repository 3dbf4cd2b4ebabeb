"""Comparing what people did: replies, opt-outs, and a column that says yes or no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from masanalytics import analysis, plot
from masanalytics.analysis import notes_of
from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.random_messages import as_duckdb, as_lazy_polars, as_polars, shuffled
from tests.rows import Rows

DAY = 86_400
AT = pd.Timestamp("2026-03-01 09:00", tz="Asia/Shanghai")


def sent(*arms: tuple[str, int, int], waited_s: int = 9 * DAY, **columns: Any) -> pd.DataFrame:
    """Return the messages of arms from (name, delivered, failed)."""
    rows = [(arm, status) for arm, k, failed in arms for status in ["delivered"] * k + ["failed"] * failed]
    frame = pd.DataFrame(rows, columns=["arm", "status"]).assign(
        submitted_at=AT, latency_s=5, waited_s=waited_s, campaign="c"
    )
    phones = [f"138{n:08d}" for n in range(len(frame))]
    return frame.assign(message_id=range(1, len(frame) + 1), phone=phones, **columns)


def said(message_ids: Any, after_s: Any = 3600, *, opt_out: bool = False) -> pd.DataFrame:
    """Return a reply to each of these messages, so many seconds after they were sent."""
    frame = pd.DataFrame({"message_id": list(message_ids)})
    return frame.assign(
        phone="x", content="退订" if opt_out else "好的", sent_at=AT + pd.to_timedelta(after_s, unit="s"),
        opt_out=pd.Series("opt_out" if opt_out else None, index=frame.index, dtype="str"),
    )  # fmt: skip


def test_replies_are_compared_among_the_delivered() -> None:
    """40 of 1,000 delivered against 70 of 900, whatever was not delivered: Newcombe's interval, the pooled z-test."""
    messages = sent(("A", 1000, 100), ("B", 900, 200))
    answers = pd.concat([said(range(1, 41)), said(range(1101, 1171)), said([1001, 2001])])

    found = analysis.compare(messages, "arm", "A", "B", outcome="replied", uplinks=answers, language="en")

    row = found.iloc[0]
    assert row[["delivered_a", "replied_a", "delivered_b", "replied_b"]].tolist() == [1000, 40, 900, 70]
    low, high = confint_proportions_2indep(70, 900, 40, 1000, method="newcomb")
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((70 / 900 - 0.04, low, high))
    pooled = 110 / 1900
    z = row["difference"] / np.sqrt(pooled * (1 - pooled) * (1 / 1000 + 1 / 900))
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(z))
    assert row["sentence"] == "B has 3.78 points more replies than A within 7 d (1.67 to 5.98), p = 0.0004."
    assert found.attrs["denominator"] == "delivered"
    assert "compared at equal age: answered within 7 d (after which no reply counts)" in notes_of(found, "en")


def test_arms_of_different_age_are_compared_at_the_younger_ones() -> None:
    """A was watched for nine days, B for two: what A answered on the third does not count."""
    messages = pd.concat(
        [sent(("A", 200, 0)), sent(("B", 200, 0), waited_s=2 * DAY).assign(message_id=range(201, 401))]
    )
    answers = pd.concat([said(range(1, 11)), said(range(11, 21), 3 * DAY), said(range(201, 211))])

    row = analysis.compare(messages, "arm", "A", "B", outcome="replied", uplinks=answers).iloc[0]

    assert row[["within_s", "replied_a", "replied_b"]].tolist() == [2 * DAY, 10, 10]
    assert row[["median_a_s", "median_b_s"]].tolist() == [3600, 3600]


def test_opt_outs_are_those_that_replies_counts() -> None:
    """The counts and rates of the arms are those of `replies`, proofs left out."""
    messages = sent(("A", 300, 0), ("B", 300, 0)).assign(round="")
    messages.loc[[0, 300], ["campaign", "round"]] = ["c (proof)", "proof"]
    answers = pd.concat(
        [said(range(1, 31)), said(range(20, 40), 7200, opt_out=True), said(range(301, 311), opt_out=True)]
    )

    row = analysis.compare(messages, "arm", "A", "B", outcome="opted_out", uplinks=answers).iloc[0]

    counted = analysis.replies(messages, "arm", uplinks=answers)
    assert [row["opted_out_a"], row["opted_out_b"]] == counted["opt_outs"].tolist() == [20, 9]
    assert [row["delivered_a"], row["delivered_b"]] == counted["delivered"].tolist() == [299, 299]
    assert [row["rate_a"], row["rate_b"]] == counted["opt_out_rate"].tolist()


def test_batches_that_answer_together_widen_the_interval() -> None:
    """Six batches of 100 an arm, of which half answer 2 % and half 12 %: Rao and Scott's design effect, in both functions."""
    messages = sent(("A", 600, 0), ("B", 600, 0))
    messages["batch_id"] = (messages["message_id"] - 1) // 100
    answers = said([100 * batch + n for batch in range(12) for n in range(1, 1 + (2, 12)[batch % 2])])

    row = analysis.compare(messages, "arm", "A", "B", outcome="replied", uplinks=answers).iloc[0]
    rates = analysis.replies(messages, "arm", uplinks=answers)

    # p = 0.07, cluster residuals ±5: v = 6/5 · 6 · 25 / 600², over p (1 − p) / 600.
    effect = (6 / 5 * 6 * 25 / 600**2) / (0.07 * 0.93 / 600)
    assert row["design_effect"] == pytest.approx(effect)
    assert rates["design_effect"].tolist() == pytest.approx([effect, effect])
    assert rates["clusters"].tolist() == [6, 6]
    naive = analysis.replies(messages, "arm", uplinks=answers, cluster=None)
    assert (rates["high"] - rates["low"] > 2 * (naive["high"] - naive["low"])).all()


def test_a_column_of_ones_own_is_a_share_of_the_accepted() -> None:
    """30 of 200 accepted bought against 20 of 200, written 是/否, 1/0 or True/False."""
    bought = np.array([True] * 30 + [False] * 170 + [True] * 20 + [False] * 180)
    messages = sent(("A", 150, 50), ("B", 150, 50), bought=bought)
    expected = analysis.compare(messages, "arm", "A", "B", outcome="bought", language="en")

    assert expected.iloc[0][["accepted_a", "yes_a", "accepted_b", "yes_b"]].tolist() == [200, 30, 200, 20]
    assert expected["sentence"][0].startswith("No difference in messages with 'bought' shown between A and B (")
    for yes, no in (("是", "否"), (1, 0), (1.0, 0.0), ("yes", "No")):
        other = messages.assign(bought=[yes if one else no for one in bought])
        pd.testing.assert_frame_equal(
            analysis.compare(other, "arm", "A", "B", outcome="bought", language="en"), expected
        )


def test_several_arms_are_corrected_and_adjusted() -> None:
    """Three arms with a stratum: Holm over the pairs, Sato's adjusted difference, sizes against the meant shares."""
    messages = sent(("A", 1000, 0), ("B", 1000, 0), ("C", 400, 600))
    messages["vip"] = messages["message_id"] % 2
    answers = said([*range(1, 41), *range(1001, 1101), *range(2001, 2021)])

    found = analysis.compare(
        messages, "arm", outcome="replied", uplinks=answers, adjust="vip", shares={"A": 1, "B": 1, "C": 1}
    )

    assert found[["a", "b"]].values.tolist() == [["A", "B"], ["A", "C"], ["B", "C"]]
    assert found["p_adjusted"][0] == pytest.approx(3 * found["p_value"][0])
    assert found["adjusted_difference"].tolist() == pytest.approx(found["difference"].tolist(), abs=1e-9)
    assert found.attrs["sample_ratio"]["counts"] == {"A": 1000, "B": 1000, "C": 1000}


OUTCOMES = ("replied", "opted_out", "bought")


def crowd() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(8)
    messages = sent(("A", 400, 40), ("B", 380, 60)).assign(
        bought=lambda frame: rng.integers(0, 2, len(frame)).astype(str)
    )
    messages["batch_id"] = messages["message_id"] // 60
    answered = messages.sample(200, random_state=1)["message_id"].tolist()
    answers = pd.concat([said(answered[:120], rng.integers(1, 8 * DAY, 120)), said(answered[100:], 60, opt_out=True)])
    return messages, answers


@pytest.mark.parametrize("make", [shuffled, as_polars, as_lazy_polars, as_duckdb])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_kind_of_frame_answers_alike(make: Callable[[pd.DataFrame], Any], outcome: str) -> None:
    """The same numbers, clusters and sentences wherever the messages are."""
    messages, answers = crowd()
    within = None if outcome == "bought" else "2d"
    ask: dict[str, Any] = {
        "outcome": outcome,
        "uplinks": answers,
        "within": within,
        "adjust": "hour",
        "always_valid": True,
    }

    found = analysis.compare(make(messages), "arm", "A", "B", **ask)

    pd.testing.assert_frame_equal(
        found, analysis.compare(messages, "arm", "A", "B", **ask), check_dtype=make is shuffled
    )


def test_a_store_and_its_parquet_answer_like_its_frame(tmp_path: Path) -> None:
    """Replies come from the store's own uplinks; a kept column is read as it was kept."""
    messages, answers = crowd()
    messages = messages.assign(
        carrier="China Mobile", error_code=None, segments=1, phone=[f"138{n:08d}" for n in range(len(messages))]
    )
    with Store(tmp_path / "mas.db") as store:
        rows = Rows(store, "ours")
        ids = {row["message_id"]: rows.message(row) for row in messages.to_dict("records")}
        for row in answers.to_dict("records"):
            phone, at = messages["phone"][row["message_id"] - 1], int(row["sent_at"].timestamp())
            opt_out = None if pd.isna(row["opt_out"]) else row["opt_out"]
            rows.uplink(phone, f"{row['content']}{at}", at, ids[row["message_id"]], opt_out=opt_out)
        rows.covered(int(AT.timestamp()) - DAY, int(AT.timestamp()) + 9 * DAY)
        store.export_parquet(tmp_path / "parquet")
        exported = pytest.importorskip("duckdb").read_parquet(str(tmp_path / "parquet" / "*" / "*.parquet"))
        for outcome in ("replied", "opted_out"):
            found = analysis.compare(store, "arm", "A", "B", outcome=outcome)

            frame = analysis.compare(
                messages.drop(columns="batch_id"), "arm", "A", "B", outcome=outcome, uplinks=answers, cluster=None
            )
            counts = [
                name for name in found.columns if name.startswith(("delivered_", "replied_", "opted_out_", "rate_"))
            ]
            pd.testing.assert_frame_equal(found[counts], frame[counts])
            other = analysis.compare(exported, "arm", "A", "B", outcome=outcome, uplinks=store.uplinks())
            pd.testing.assert_frame_equal(other, found, check_dtype=False)


def test_only_counts_and_who_answered_travel() -> None:
    """Of the 880 messages the source is asked for rows of those only that were answered."""
    from masanalytics.analysis.sources.pandas import PandasMessages

    messages, answers = crowd()
    handed: list[int] = []

    class Watched(PandasMessages):
        def message_rows(self, columns: Any, *, where: Any) -> pd.DataFrame:
            rows = super().message_rows(columns, where=where)
            handed.append(len(rows))
            return rows

        def grouped_count(self, by: Any, *, where: Any, seconds: Any = "outcome") -> Any:
            counts = super().grouped_count(by, where=where, seconds=seconds)
            handed.append(len(counts.n))
            return counts

    analysis.compare(Watched(messages), "arm", "A", "B", outcome="replied", uplinks=answers)

    assert max(handed) <= 200


def test_what_cannot_be_compared_is_said() -> None:
    """Amounts, blanks, a column of the messages themselves, an age of what has none, replies that are not there."""
    messages = sent(("A", 10, 0), ("B", 10, 0), amount=12.5, bought=[1.0] * 19 + [None])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"outcome": "amount"}, "outcome='amount' holds '12.5': it must say yes or no of each message"),
        ({"outcome": "bought"}, "outcome='bought' is blank in 1 message"),
        ({"outcome": "status"}, "outcome='status': say 'delivered', 'replied', 'opted_out', or a column of your own"),
        ({"outcome": "buoght"}, "buoght"),
        ({"outcome": "replied"}, "they are given as uplinks=store.uplinks()"),
    ]
    for asked, sentence in cases:
        with pytest.raises(InputError) as caught:
            analysis.compare(messages, "arm", "A", "B", **asked)
        assert sentence in caught.value.text("en")
    with pytest.raises(InputError, match="has no age"):
        analysis.compare(messages.assign(bought=1), "arm", "A", "B", outcome="bought", within="1d")


def test_the_chart_names_what_is_compared() -> None:
    """Title, sizes and both ends of the axis say that it is about replies."""
    messages = sent(("A", 1000, 0), ("B", 900, 0))
    answers = said([*range(1, 41), *range(1001, 1071)])

    ax = plot.compare(messages, "arm", "A", "B", outcome="replied", uplinks=answers, language="en")

    assert ax.get_title(loc="left") or ax.get_title() == "Difference in replies within 7 d"
    assert ax.get_xlabel() == "← more replies: A · percentage points · B →"
    assert any("n=900, 1,000" in text.get_text() for text in ax.texts)
    two = plot.compare(
        messages.assign(arm=messages["message_id"] % 3), "arm", outcome="replied", uplinks=answers, language="zh"
    )
    assert "回复" in two.get_xlabel()
