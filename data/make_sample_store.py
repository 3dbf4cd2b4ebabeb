"""Make the sample store: 200,000 invented messages over four weeks, with a story in them.

A shop sends a reminder every day and an offer every Tuesday and Thursday. In between there are an old list that somebody
found, a campaign late at night, a comparison of two texts, a night in which nobody collected, and one bad Thursday.
Nobody in it exists: the numbers are drawn, and what becomes of messages comes from the simulator's `Population`.

Run ``python data/make_sample_store.py sample.db``; it takes a few seconds and gives the same rows on every machine.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from masanalytics.carriers import carrier_codes
from masanalytics.opt_outs import match_opt_out
from masanalytics.segments import count_segments
from masanalytics.simulator.behaviour import Draw, Fates
from masanalytics.simulator.population import Incident, Population
from masanalytics.simulator.random_keys import message_keys, number_keys, uniform
from masanalytics.store import Store
from masanalytics.store.sql_views import explain_codes
from masanalytics.timezone import to_platform_time
from masanalytics.vocabulary import Status

__all__ = ["AS_OF", "make_sample_store"]

SEED, AUDIENCE_SEED = 20260302, 7  # of fates, and of who is chosen: the one must not know the other
CHINA = timezone(timedelta(hours=8))
DAY_S, POLL_S = 86_400, 300
ACCOUNT, SERVICE_CODE, SIGNATURE = "云麓商城/yunlu01", "106575001234", "云麓商城"

# city -> province, then prefixes of seven digits by carrier: China Mobile, China Unicom, China Telecom.
CITIES = {
    "杭州": ("浙江", "1380057 1395811", "1860571 1302367", "1890571 1339571"),
    "宁波": ("浙江", "1380580 1395837", "1860574 1300379", "1890574 1333403"),
    "南京": ("江苏", "1380025 1391446", "1860140 1301694", "1890066 1338202"),
    "苏州": ("江苏", "1380154 1391361", "1860142 1302451", "1890060 1338211"),
    "广州": ("广东", "1380020 1392244", "1860200 1300068", "1890088 1332280"),
    "深圳": ("广东", "1380220 1392525", "1860300 1300668", "1890231 1338039"),
    "郑州": ("河南", "1380371 1393859", "1860371 1300751", "1890371 1330381"),
    "成都": ("四川", "1380028 1398094", "1860280 1300811", "1890800 1330807"),
}
USUAL_MIX, THURSDAY_MIX = (0.60, 0.22, 0.18), (0.52, 0.30, 0.18)
CUSTOMERS = (22_000, 9_500, 6_500)


def china(text: str) -> int:
    """Return an instant given in China time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp())


START, AS_OF = china("2026-03-02 00:00"), china("2026-03-29 17:40")
GAP = (china("2026-03-11 01:10"), china("2026-03-11 06:50"))
INCIDENT = Incident(
    start=china("2026-03-26 09:50"), end=china("2026-03-26 11:30"), share=0.62, code="MI:0043", slowdown=6.0,
    prefixes=tuple(prefix for province, _, unicom, _ in CITIES.values() if province == "江苏" for prefix in unicom.split()),
)  # fmt: skip


@dataclass(frozen=True)
class Campaign:
    """One campaign: what is sent to how many, when, and whom from."""

    name: str
    at: int
    size: int
    text: str
    mix: Sequence[float] = USUAL_MIX
    stale: float = 0.0
    arms: dict[str, str] = field(default_factory=dict)
    personal: bool = False


def campaigns() -> list[Campaign]:
    """Return the four weeks' campaigns in the order of time."""
    first, found = datetime(2026, 3, 2, tzinfo=CHINA), []
    for day in (first + timedelta(days=number) for number in range(28)):
        on, short = f"{day:%Y-%m-%d}", f"{day:%m-%d}"
        points = f"您有{{points}}积分将于{day:%m}月31日到期，可在商城兑换好礼。拒收请回复R"
        found.append(Campaign(f"积分到期提醒 {short}", china(f"{on} 17:30"), 1_800, points, personal=True))
        if day.weekday() in (1, 3):
            offer = f"会员{'周二' if day.weekday() == 1 else '周四'}特惠：{day:%m月%d日}全场满200减40，到店出示本短信。拒收请回复R"
            mix = THURSDAY_MIX if short == "03-26" else USUAL_MIX
            found.append(Campaign(f"会员特惠 {short}", china(f"{on} 10:00"), 14_000, offer, mix))
    brief = "春季新品到店，会员先享九折。拒收请回复R"
    full = "春季新品到店，会员先享九折。轻薄风衣、亚麻衬衫、通勤长裤等三十余款已上架，门店与商城同价，到店可免费搭配试穿，另有限量礼品，送完即止。拒收请回复R"
    found += [
        Campaign("深夜闪购", china("2026-03-14 23:30"), 12_000, "今夜零点闪购，限时两小时，低至五折。拒收请回复R"),
        Campaign(
            "老客户唤回", china("2026-03-18 15:00"), 13_600, "好久不见，回来看看，送您20元券。拒收请回复R", stale=0.27
        ),
        Campaign("春季上新", china("2026-03-20 10:30"), 12_000, "", arms={"短文案": brief, "长文案": full}),
    ]
    return sorted(found, key=lambda one: one.at)


class People:
    """The shop's customers, and the strangers on the old list. All chance comes from keys, so it repeats anywhere."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.places: dict[int, tuple[str, str]] = {}
        self.blocks: tuple[list[int], list[int], list[int]] = ([], [], [])
        for city, (province, *by_carrier) in CITIES.items():
            for carrier, texts in enumerate(by_carrier):
                self.blocks[carrier].extend(map(int, texts.split()))
                self.places.update({int(prefix): (province, city) for prefix in texts.split()})
        self.gone: set[int] = set()
        self.own = [self._drawn(carrier, count, carrier) for carrier, count in enumerate(CUSTOMERS)]

    def audience(self, campaign: Campaign, number: int) -> np.ndarray:
        """Return whom a campaign goes to: nobody twice, and nobody who has opted out."""
        sizes = [round(campaign.size * share) for share in campaign.mix[:2]]
        parts = []
        for carrier, size in enumerate([*sizes, campaign.size - sum(sizes)]):
            there = self.own[carrier][~np.isin(self.own[carrier], list(self.gone))]
            stale = round(size * campaign.stale)
            parts.append(_some(there, size - stale, number))
            if stale:
                parts.append(self._dead(carrier, stale, there))
        phones = np.concatenate(parts)
        return _some(phones, len(phones), 500 + number)

    def _drawn(self, carrier: int, count: int, stream: int) -> np.ndarray:
        """Return about `count` different numbers of a carrier."""
        keys = number_keys(np.arange(count), AUDIENCE_SEED)
        blocks = np.array(self.blocks[carrier])[(uniform(keys, 10 + stream) * len(self.blocks[carrier])).astype(int)]
        return np.unique(blocks * 10_000 + (uniform(keys, 20 + stream) * 10_000).astype(int))

    def _dead(self, carrier: int, count: int, taken: np.ndarray) -> np.ndarray:
        """Return numbers that no longer exist, as a list of years ago is full of."""
        drawn = np.setdiff1d(self._drawn(carrier, 140 * count, 5 + carrier), taken)
        states = np.array(self.population.state_of(drawn, SEED))
        return _some(drawn[states == "empty"], count, 900)


def _some(phones: np.ndarray, count: int, stream: int) -> np.ndarray:
    """Return `count` of the numbers in random order."""
    return phones[np.argsort(uniform(number_keys(phones, AUDIENCE_SEED), stream), kind="stable")[:count]]


class Writer:
    """Writes campaigns into a store's tables, as sending and collecting would have."""

    def __init__(self, conn: sqlite3.Connection, people: People) -> None:
        self.conn, self.people = conn, people
        self.population = people.population
        self.codes: dict[str, int] = {}
        self.regions = {place: number for number, place in enumerate(sorted(set(people.places.values())), start=1)}
        self.polls: dict[tuple[str, int], int] = {}
        self.replies: list[tuple[int, int, int, str]] = []
        self.messages = self.batches = self.campaigns = 0
        conn.execute("INSERT INTO accounts VALUES (1, ?)", [ACCOUNT])
        conn.executemany("INSERT INTO regions VALUES (?, ?, ?)", [(n, *place) for place, n in self.regions.items()])
        conn.executemany("INSERT INTO coverage VALUES (1, ?, ?)", [(START, GAP[0]), (GAP[1], AS_OF)])

    def write(self, campaign: Campaign) -> None:
        """Write one campaign: its run, its batches, and what became of every message."""
        self.campaigns += 1
        self.conn.execute("INSERT INTO campaigns VALUES (?, ?)", [self.campaigns, campaign.name])
        self.conn.execute("INSERT INTO rounds (round_id, campaign_id, round) VALUES (?, ?, '')", [self.campaigns] * 2)
        phones = self.people.audience(campaign, self.campaigns)
        arms = campaign.arms or {"": campaign.text}
        asked = campaign.at
        for number, (arm, text) in enumerate(arms.items()):
            for part in _cut(phones[number :: len(arms)], 999 if campaign.personal else 5_000):
                self._write_batch(campaign, arm, text, part, asked)
                asked += 2
        run = [self.campaigns, self.campaigns, "sample", "sample", campaign.at - 5, asked]
        columns = "run_id, campaign_id, account_id, plan_hash, process, started_at, ended_at, ended_because"
        self.conn.execute(f"INSERT INTO runs ({columns}) VALUES (?, ?, 1, ?, ?, ?, ?, 'done')", run)

    def _write_batch(self, campaign: Campaign, arm: str, text: str, phones: np.ndarray, asked: int) -> None:
        self.batches += 1
        ids = np.arange(self.messages + 1, self.messages + len(phones) + 1)
        self.messages += len(phones)
        numbers = number_keys(phones, SEED)
        points = (1 + 399 * uniform(number_keys(phones, AUDIENCE_SEED), 30)).astype(int).tolist()
        texts = [text.format(points=10 * each) for each in points] if campaign.personal else None
        keys = message_keys(numbers, texts or text, (asked - START) // DAY_S)
        fates = self.population.draw(Draw(phones, keys, numbers, float(asked)))
        batch = {
            "batch_id": self.batches, "campaign_id": self.campaigns, "account_id": 1, "run_id": self.campaigns,
            "round_id": self.campaigns, "mode": "many_to_many" if campaign.personal else "many_to_one", "state": "accepted",
            "msg_group": f"{to_platform_time(asked)[4:]}{4_000_000_000 + self.batches:012d}", "rspcod": "success",
            "content": None if campaign.personal else text, "add_serial": "", "arm": arm or None, "messages": len(phones),
            "process": "sample", "planned_at": campaign.at - 3, "requested_at": asked, "answered_at": asked + 1,
        }  # fmt: skip
        self.conn.execute(_insert("batches", batch), list(batch.values()))
        self._write_messages(ids, phones, (texts, text), fates, asked)
        self._note_replies(ids, phones, fates, asked)

    def _write_messages(
        self, ids: np.ndarray, phones: np.ndarray, words: tuple[list[str] | None, str], fates: Fates, asked: int
    ) -> None:
        texts, text = words
        finite = np.isfinite(fates.latency)
        received = asked + np.where(finite, fates.latency, 0).astype(np.int64)
        polled = np.where(finite, _polled(received + np.ceil(fates.lag).astype(np.int64)), AS_OF + 1)
        heard = polled <= AS_OF
        status = np.where(heard, np.where(fates.code == 0, Status.delivered, Status.failed), Status.pending)
        codes = np.array([self._code(code) for code in fates.codes])[fates.code].tolist()
        errors = [code if failed else None for code, failed in zip(codes, (fates.code != 0).tolist(), strict=True)]
        known = heard.tolist()
        places = [self.regions[self.people.places[block]] for block in (phones // 10_000).tolist()]
        parts = [count_segments(one, SIGNATURE) for one in texts or [text]]
        columns = (
            ids.tolist(), map(str, phones.tolist()), carrier_codes(phones).tolist(), places,
            parts if texts else parts * len(ids), texts or [None] * len(ids), status.tolist(),
            _where(known, received.tolist()), _where(known, codes), _where(known, errors), map(int, known),
        )  # fmt: skip
        self.conn.executemany(
            "INSERT INTO messages (batch_id, campaign_id, account_id, round_id, submitted_at, message_id, phone, carrier_id,"
            " region_id, segments, content, status_id, received_at, report_status_id, error_code_id, reports)"
            f" VALUES ({self.batches}, {self.campaigns}, 1, {self.campaigns}, {asked}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            zip(*columns, strict=True),
        )
        nothing, sent = self._code(""), to_platform_time(asked)
        polls = {at: self._poll("report", at) for at in np.unique(polled[heard]).tolist()}
        dates = {at: to_platform_time(at) for at in np.unique(received[heard]).tolist()}
        reports = (
            (polls[at], message, code, nothing if why is None else why, asked, then, sent, dates[then])
            for at, message, code, why, then, there in zip(
                polled.tolist(), ids.tolist(), codes, errors, received.tolist(), known, strict=True
            )
            if there
        )
        self.conn.executemany("INSERT INTO reports VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, 1)", reports)

    def _note_replies(self, ids: np.ndarray, phones: np.ndarray, fates: Fates, asked: int) -> None:
        for index, after, text in fates.replies:
            sent = asked + int(after)
            if sent < AS_OF:
                self.replies.append((sent, int(ids[index]), int(phones[index]), text))
            if match_opt_out(text) == "opt_out":
                self.people.gone.add(int(phones[index]))

    def finish(self) -> None:
        """Write replies, opt-outs, polls and codes."""
        opted: dict[str, tuple[str, int, int]] = {}
        for uplink, (sent, message, number, text) in enumerate(sorted(self.replies), start=1):
            verdict = match_opt_out(text)
            poll = self._poll("deliver", min(int(_polled(np.array(sent + 1))), AS_OF))
            stamp = f"{datetime.fromtimestamp(sent, CHINA):%Y-%m-%d %H:%M:%S}"
            values = [uplink, poll, message, str(number), text, SERVICE_CODE, sent, stamp, verdict]
            self.conn.execute("INSERT INTO uplinks VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)", values)
            if verdict == "opt_out":
                opted.setdefault(str(number), (str(number), sent, uplink))
        self.conn.executemany("INSERT INTO opt_outs VALUES (?, ?, NULL, 'reply', ?)", opted.values())
        self._write_polls()
        self.conn.executemany(
            "INSERT INTO codes VALUES (?, ?)", [(number, code) for code, number in self.codes.items()]
        )
        explain_codes(self.conn, [(number, code) for code, number in self.codes.items()])

    def _write_polls(self) -> None:
        brought = {
            poll: count
            for table in ("reports", "uplinks")
            for poll, count in self.conn.execute(f"SELECT poll_id, count(*) FROM {table} GROUP BY poll_id")
        }
        self.conn.executemany(
            "INSERT INTO polls (poll_id, account_id, endpoint, state, asked_at, answered_at, http_status, complete, records, set_aside,"
            " process) VALUES (?, 1, ?, 'parsed', ?, ?, 200, 1, ?, 0, 'sample')",
            [(poll, endpoint, at, at, brought[poll]) for (endpoint, at), poll in self.polls.items()],
        )

    def _code(self, code: str) -> int:
        return self.codes.setdefault(code, len(self.codes) + 1)

    def _poll(self, endpoint: str, at: int) -> int:
        return self.polls.setdefault((endpoint, at), len(self.polls) + 1)


def _polled(ready: np.ndarray) -> np.ndarray:
    """Return when what is ready at these instants was fetched: every five minutes, but not in the gap."""
    at = -(-ready // POLL_S) * POLL_S
    return np.where((at > GAP[0]) & (at < GAP[1]), GAP[1], at)


def _cut(phones: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (phones[start : start + size] for start in range(0, len(phones), size))


def _insert(table: str, row: dict[str, object]) -> str:
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"


def _where(known: Sequence[bool], values: Sequence[int | None]) -> list[int | None]:
    return [value if there else None for there, value in zip(known, values, strict=True)]


def make_sample_store(path: str | Path) -> Path:
    """Write the sample store to `path`, which must not exist yet, and return it."""
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already: remove it, or give another name")
    draft = path.with_name(f"{path.stem}-draft.db")  # so that a file of this name is always a whole store
    for end in ("", "-wal", "-shm"):
        draft.with_name(draft.name + end).unlink(missing_ok=True)
    with Store(draft) as store, store.db.conn as conn:
        writer = Writer(conn, People(Population(incidents=(INCIDENT,))))
        for campaign in campaigns():
            writer.write(campaign)
        writer.finish()
    return draft.rename(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", default="sample.db", help="the file that is written (default: %(default)s)")
    try:
        target = make_sample_store(parser.parse_args().path)
    except FileExistsError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.0f} MB\n")
