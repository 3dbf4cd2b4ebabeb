"""Good files broken in one place: nobody gets another row's text, no listed person is written to, no row vanishes without a word.

Each row carries tokens of its own, so that a text that holds anything of another row is seen whatever swallowed it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from masanalytics.errors import InputError
from masanalytics.planning import plan
from masanalytics.sheets import read_sheet
from masanalytics.sheets.grid import Hidden

ROWS = 9
PHONES = [f"1380013800{row}" for row in range(ROWS)]
# MAS_MUTATIONS asks for more of them.
ROUNDS = int(os.environ.get("MAS_MUTATIONS", "40"))
some_and_all = pytest.mark.parametrize("rounds", [10, pytest.param(ROUNDS, marks=pytest.mark.slow)])
TEXT = "{姓名}，取件码{码}，地址{地址}"

Mutation = Callable[[random.Random, bytes, str], bytes]


def rows_of(generator: random.Random, *, silent: bool = False) -> list[list[str]]:
    """Return rows whose every cell names its row: name N0, code C0, address D0; with `silent` perhaps one without a number."""
    addresses = ("D{0}路", 'D{0}座5" 屏', "D{0}；x", "D{0}")
    without = generator.randrange(2 * ROWS) if silent else ROWS
    return [
        ["" if row == without else PHONES[row], f"N{row}张", f"C{row}", generator.choice(addresses).format(row)]
        for row in range(ROWS)
    ]


def inserted(mark: str) -> Mutation:
    def mutate(generator: random.Random, raw: bytes, encoding: str) -> bytes:
        text = raw.decode(encoding)
        place = generator.randrange(len(text) + 1)
        return (text[:place] + mark + text[place:]).encode(encoding)

    return mutate


def at_a_cell(mark: str) -> Mutation:
    """Insert `mark` where a cell begins: there a quote does the most harm."""

    def mutate(generator: random.Random, raw: bytes, encoding: str) -> bytes:
        text = raw.decode(encoding)
        places = [place + 1 for place, character in enumerate(text) if character in ",;\t\n"]
        place = generator.choice(places)
        return (text[:place] + mark + text[place:]).encode(encoding)

    return mutate


def one_byte(generator: random.Random, raw: bytes, _encoding: str) -> bytes:
    place = generator.randrange(len(raw))
    return raw[:place] + bytes([generator.randrange(0x80, 0x100)]) + raw[place + generator.randrange(2) :]


def two_quotes(generator: random.Random, raw: bytes, encoding: str) -> bytes:
    return at_a_cell('"')(generator, inserted('"')(generator, raw, encoding), encoding)


def cut(generator: random.Random, raw: bytes, _encoding: str) -> bytes:
    return raw[: generator.randrange(len(raw) // 3, len(raw))]


def a_line_break_gone(generator: random.Random, raw: bytes, encoding: str) -> bytes:
    lines = raw.decode(encoding).split("\n")
    place = generator.randrange(len(lines) - 2)
    return "\n".join([*lines[:place], lines[place] + lines[place + 1], *lines[place + 2 :]]).encode(encoding)


MUTATIONS: dict[str, Mutation] = {
    "quote": inserted('"'), "quote at a cell": at_a_cell('"'), "two quotes": two_quotes, "comma": inserted(","),
    "tab": inserted("\t"), "semicolon": inserted(";"), "line break": inserted("\n"), "byte": one_byte, "cut": cut,
    "line break gone": a_line_break_gone, "nothing": lambda _generator, raw, _encoding: raw,
}  # fmt: skip


@some_and_all
@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8", ","), ("gb18030", ","), ("utf-8", "\t"), ("gb18030", ";")]
)
def test_a_broken_file_harms_nobody(tmp_path: Path, name: str, encoding: str, separator: str, rounds: int) -> None:
    """It is read so that every text is its own row's and every row is planned, left out or told, or it is refused."""
    generator = random.Random(f"{name} {encoding} {separator}")
    for turn in range(rounds):
        rows = rows_of(generator, silent=True)  # where such a row is swallowed, no number is seen
        lines = [
            separator.join(cells).replace(f"；{separator}", "；") for cells in [["手机号", "姓名", "码", "地址"], *rows]
        ]
        raw = MUTATIONS[name](generator, ("\n".join(lines) + "\n").encode(encoding), encoding)
        path = tmp_path / f"{turn}.csv"
        path.write_bytes(raw)
        try:
            frame = read_sheet(path)
            made = plan(frame, phone="手机号", text=TEXT, campaign="c")
        except InputError:
            continue
        messages = made.messages  # made anew at each asking
        said = dict(zip(messages["phone"].tolist(), messages["content"].tolist(), strict=True))
        for phone, content in said.items():
            own = phone[-1]
            foreign = [
                f"{token}{row}"
                for token in "NCD"
                for row in range(ROWS)
                if str(row) != own and f"{token}{row}" in content
            ]
            assert not foreign, (name, turn, phone, content, raw.decode(encoding, "replace"))
        assert len(messages) + len(made.excluded) == len(frame)
        accounted = len(frame) + frame.attrs["read"]["blank"] + frame.attrs["read"]["above"]
        if name != "cut":
            assert accounted >= ROWS - (name == "line break gone"), (name, turn, raw.decode(encoding, "replace"))
        if name == "nothing":
            assert said.keys() == {row[0] for row in rows} - {""}


@some_and_all
@pytest.mark.parametrize("name", sorted(set(MUTATIONS) - {"cut"}))
def test_a_broken_suppression_list_still_suppresses(tmp_path: Path, name: str, rounds: int) -> None:
    """Whoever's number still stands in the list is not written to, header or not."""
    generator = random.Random(name)
    people = pd.DataFrame({"手机号": PHONES})
    for turn in range(rounds):
        header = generator.choice(["", "手机号\n", "手机号,备注\n"])
        listed = generator.sample(PHONES, 4)
        lines = [f"{phone},不要" if "备注" in header else phone for phone in listed]
        raw = MUTATIONS[name](generator, (header + "\n".join(lines) + "\n").encode(), "utf-8")
        path = tmp_path / f"{turn}.txt"
        path.write_bytes(raw)
        try:
            made = plan(people, phone="手机号", text="好", campaign="c", suppress=path)
        except InputError:
            continue
        whole = {phone for phone in listed if phone.encode() in raw}
        texted = whole & set(made.messages["phone"].tolist())
        doubtful = {phone for phone in texted if f"{phone}".encode() not in raw.replace(b'"', b"").replace(b"\t", b"")}
        assert not texted - doubtful, (name, turn, raw)


@pytest.mark.parametrize("seed", range(3))
def test_a_broken_workbook_harms_nobody(tmp_path: Path, seed: int) -> None:
    """Hidden rows and sheets, stray cells, blank rows: every visible row's text is its own, and the rest is told."""
    generator = random.Random(seed)
    for turn in range(ROUNDS // 10):
        hidden = set(generator.sample(range(1, ROWS + 1), generator.randrange(4)))
        path = tmp_path / f"{turn}.xlsx"
        with xlsxwriter.Workbook(str(path)) as book:
            if generator.random() < 0.3:
                other = book.add_worksheet("旧")
                other.write_column(0, 0, ["手机号", "13900139000"])
                other.hide()
            page = book.add_worksheet("名单")
            page.activate()
            page.set_first_sheet()
            page.write_row(0, 0, ["手机号", "姓名", "码", "地址"])
            for line, cells in enumerate(rows_of(generator), 1):
                page.write_row(line, 0, cells)
                if line in hidden:
                    page.set_row(line, None, None, {"hidden": True})
            if generator.random() < 0.3:
                page.write(generator.randrange(20, 900_000), generator.randrange(4, 9_000), " ")
        decided: Hidden | None = generator.choice((None, "skip", "keep"))
        frame = read_sheet(path, hidden=decided)
        made = plan(frame, phone="手机号", text=TEXT, campaign="c")
        kept = set(range(1, ROWS + 1)) - (hidden if decided == "skip" else set())
        assert {phone[-1] for phone in made.messages["phone"]} == {str(line - 1) for line in kept}
        assert all(
            f"N{phone[-1]}" in text
            for phone, text in zip(made.messages["phone"], made.messages["content"], strict=True)
        )
        assert ("hidden_rows" in {warning.code for warning in made.warnings}) == bool(hidden and decided is None)
