"""The sample store is the same everywhere, sound, and tells the story that the documents tell of it."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.carriers import carriers_of, load_regions, place_names, region_codes
from masanalytics.cli import main
from masanalytics.vocabulary import MESSAGE_COLUMNS

SCRIPT = Path(__file__).resolve().parent.parent / "data" / "make_sample_store.py"

pytestmark = pytest.mark.slow  # half a year of messages is made first


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mas.Store]:
    """The sample store, made once."""
    path = runpy.run_path(str(SCRIPT))["make_sample_store"](tmp_path_factory.mktemp("sample") / "sample.db")
    with mas.Store(path) as store:
        yield store


def test_it_is_the_same_everywhere(sample: mas.Store) -> None:
    """The same numbers get the same outcome on every machine."""
    rows = sample.db.query("SELECT phone, status_id FROM messages ORDER BY message_id")
    digest = hashlib.sha256("".join(f"{row['phone']}{row['status_id']}" for row in rows).encode()).hexdigest()

    assert digest[:16] == "7e64e365869663ce"


def test_its_counts_are_known(sample: mas.Store) -> None:
    """200,000 messages of 39 campaigns, nearly all of them settled."""
    row = mas.delivery_rates(sample)[["accepted", "delivered", "failed", "pending", "unreported"]].iloc[0]

    assert row.tolist() == [200_000, 180_291, 18_464, 116, 1_129]
    assert len(mas.delivery_rates(sample, by="campaign")) == 39


def test_its_batches_fail_together(sample: mas.Store) -> None:
    """How many people a comparison needs is the same of the store and of its frame."""
    of_store, of_frame = (mas.sample_size(0.95, [0.01, -0.02], data=data) for data in (sample, sample.messages()))

    pd.testing.assert_frame_equal(of_store, of_frame)
    assert of_store["design_effect"][0] > 1
    assert of_store["days"].notna().all()


def test_its_old_list_and_its_incident_are_unusual(sample: mas.Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The old list of the 18th and the incident of the 26th are found, and the campaign that was held at night."""
    found = mas.anomalies(sample, by=["carrier", "province"], language="en")

    assert found["subject"].tolist() == ["China Unicom · 江苏", "all", "all"]
    days = [[f"{row['time']:%m-%d}", f"{row['until']:%m-%d}"] for row in found.to_dict("records")]
    assert [first <= day < last for day, (first, last) in zip(("03-26", "03-18", "03-14"), days, strict=True)] == [
        True
    ] * 3
    assert "MI:0043" in found["sentence"][0]
    assert "MK:0001" in found["sentence"][1]
    assert "without a report by then" in found["sentence"][2]

    with pytest.raises(SystemExit) as ended:
        main(["alerts", "--db", str(sample.path), "--freq", "D", "--recent", "all", "--json", "--language", "en"])
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 4
    assert [alert["subject"] for alert in document["alerts"]] == ["China Unicom", "all", "all"]
    assert document["alerts"][0]["until"].endswith("+08:00")

    with pytest.raises(SystemExit) as ended:
        main(["alerts", "--db", str(sample.path), "--freq", "D", "--at", "2026-03-12", "--language", "en"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("nothing unusual up to 2026-03-11 00:00")


def test_two_days_are_outside_the_limits_and_no_other(sample: mas.Store) -> None:
    """The old list and the incident; by carrier the incident is one carrier's."""
    days, lines = mas.timeline(sample, "D"), mas.timeline(sample, "D", by="carrier")

    assert days.loc[days["outside"], "time"].dt.strftime("%m-%d").tolist() == ["03-18", "03-26"]
    found = lines[lines["outside"]]
    assert [f"{time:%m-%d} {carrier}" for time, carrier in zip(found["time"], found["carrier"], strict=True)] == [
        "03-18 China Mobile",
        "03-18 China Telecom",
        "03-18 China Unicom",
        "03-26 China Unicom",
    ]


def test_it_is_sound(sample: mas.Store) -> None:
    """SQLite finds no fault, no reference leads nowhere, and every outcome is the one its report says."""
    conn = sample.db.conn

    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
    differing = (
        "SELECT count(*) FROM messages m LEFT JOIN reports r USING (message_id) WHERE m.reports != (r.report_id IS NOT NULL)"
        " OR m.report_status_id IS NOT r.report_status_id OR m.received_at IS NOT r.received_at"
    )
    assert conn.execute(differing).fetchone() == (0,)
    counted = "SELECT sum(records) - (SELECT count(*) FROM reports) - (SELECT count(*) FROM uplinks) FROM polls"
    assert conn.execute(counted).fetchone() == (0,)


def test_it_reads_like_any_store(sample: mas.Store) -> None:
    """Its frames have the columns and values that collecting would have made, and a replay changes nothing."""
    messages = sample.messages("会员特惠 03-26")
    assert list(messages.columns) == list(MESSAGE_COLUMNS)
    assert messages["carrier"].tolist() == carriers_of(messages["phone"]).astype(str).tolist()
    regions = load_regions()
    codes = region_codes(np.array(messages["phone"], dtype=np.int64), regions)
    provinces, cities = (place_names(codes, regions.places, part) for part in (0, 1))
    assert messages["province"].tolist() == provinces.astype(str).tolist()
    assert messages["city"].tolist() == cities.astype(str).tolist()

    assert mas.replay(sample) == 0
    assert sample.messages("会员特惠 03-26").equals(messages)


def test_nobody_is_written_to_after_opting_out(sample: mas.Store) -> None:
    """No message was submitted to a number after it had opted out."""
    late = "SELECT count(*) FROM messages m JOIN opt_outs o USING (phone) WHERE m.submitted_at > o.since"
    assert sample.db.conn.execute(late).fetchone() == (0,)


def test_the_bad_thursday_is_found(sample: mas.Store) -> None:
    """One call names the cell and the code, with the figures that the README tells."""
    pair = ["会员特惠 03-24", "会员特惠 03-26"]
    why = mas.explain_change(sample, at="2026-03-25", by=["carrier", "province"], campaign=pair)
    change, worst = why.attrs["change"], why.iloc[0]

    assert (round(change["rate_before"], 3), round(change["rate_after"], 3)) == (0.918, 0.874)
    assert (worst["carrier"], worst["province"]) == ("China Unicom", "江苏")
    assert round(worst["contribution"], 3) == -0.041
    assert (round(worst["rate_before"], 2), round(worst["rate_after"], 2)) == (0.90, 0.34)
    assert worst["leading_codes"].startswith("MI:0043 +56.5")


def test_the_other_stories_are_found_too(sample: mas.Store) -> None:
    """The old list, the night, the two texts and the last ten minutes read as the notebook says."""
    stale = mas.delivery_rates(sample, campaign="老客户唤回")["delivery_rate"][0]
    assert round(stale, 2) == 0.68
    night = mas.latency(sample, campaign="深夜闪购").iloc[0]
    assert night["p50_s"] < 10 < 8 * 3600 < night["p90_s"]
    arms = mas.compare(sample, "arm", "短文案", "长文案", campaign="春季上新", language="en")
    assert arms["sentence"][0].startswith("No difference shown")
    now = mas.delivery_rates(sample, campaign="积分到期提醒 03-29").iloc[0]
    assert now["delivery_rate"] < now["expected_low"] < 0.92 < now["expected_high"] < 0.95
    assert np.isfinite(now["expected_rate"])


def test_it_overwrites_nothing(sample: mas.Store) -> None:
    """An existing file is left alone."""
    with pytest.raises(FileExistsError, match="is there already"):
        runpy.run_path(str(SCRIPT))["make_sample_store"](sample.path)
