"""Make ``data/customers.xlsx``: 2,000 invented customers, in a sheet as offices have them.

Run ``python data/make_customers.py``; it makes the same file every time. Names, numbers and points are drawn at random; a number
that belongs to somebody is a coincidence, and nothing here is ever sent to a real platform.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import xlsxwriter

ROWS = 2_000
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文晨宇欣怡子涵梓轩浩然雨桐思远佳琪俊杰诗雅"
CITIES = {
    "杭州": 30,
    "宁波": 18,
    "温州": 14,
    "绍兴": 9,
    "嘉兴": 8,
    "金华": 8,
    "台州": 7,
    "湖州": 4,
    "丽水": 1,
    "舟山": 1,
}
LEVELS = {"普通": 62, "银卡": 24, "金卡": 11, "钻石": 3}
PREFIXES = {
    "134 135 136 137 138 139 150 151 152 157 158 159 178 182 183 184 187 188 195 198": 60,
    "130 131 132 155 156 166 175 176 185 186": 19,
    "133 153 173 177 180 181 189 191 199": 19,
    "192": 2,
}
WIDE = str.maketrans("0123456789+", "０１２３４５６７８９＋")


def split_up(number: str, mark: str) -> str:
    """Return a number in groups of three, four and four."""
    return f"{number[:3]}{mark}{number[3:7]}{mark}{number[7:]}"


# How a number is written -> how often, in 2,000.
GOOD: dict[Callable[[str], str | float], int] = {
    lambda number: number: 1_250,
    float: 330,
    lambda number: f"+86 {split_up(number, ' ')}": 60,
    lambda number: f"+86{number}": 50,
    lambda number: f"86-{number}": 20,
    lambda number: f"0086{number}": 12,
    lambda number: split_up(number, "-"): 60,
    lambda number: split_up(number, " "): 60,
    lambda number: f" {number} ": 20,
    lambda number: number.translate(WIDE): 12,
    lambda number: f"\u202d{number}\u202c": 10,
    lambda number: f"'{number}": 8,
    lambda number: f"{number}.0": 6,
    lambda number: f"{number[0]}.{number[1:]}E+10": 2,
}
BAD: dict[Callable[[str, random.Random], str | float | None], int] = {
    lambda _, __: None: 14,
    lambda _, __: "无": 3,
    lambda number, _: number[:-1]: 9,
    lambda number, chance: number + str(chance.randrange(10)): 7,
    lambda number, _: "12" + number[2:]: 3,
    lambda number, _: float(number[:-1]): 2,
    lambda _, chance: f"0571-8{chance.randrange(10**7):07d}": 9,
    lambda _, chance: f"0574{chance.choice('2678')}{chance.randrange(10**7):07d}": 4,
    lambda _, chance: f"400-{chance.randrange(1000):03d}-{chance.randrange(10**4):04d}": 2,
    lambda number, _: f"{number[0]}.{number[1:6]}E+10": 5,
    lambda number, chance: f"{number}/139{chance.randrange(10**8):08d}": 5,
    lambda _, chance: f"+852 9{chance.randrange(1000):03d} {chance.randrange(10**4):04d}": 3,
}
DUPLICATES = 34


def draw_number(chance: random.Random) -> str:
    """Return an eleven-digit number, its carrier by the weights above."""
    prefixes = chance.choices(list(PREFIXES), weights=list(PREFIXES.values()))[0].split()
    return chance.choice(prefixes) + f"{chance.randrange(10**8):08d}"


def make_phones(chance: random.Random) -> list[str | float | None]:
    """Return the phone column: good numbers in all their forms, bad ones, and some that are there twice."""
    drawn: dict[str, None] = {}
    while len(drawn) < ROWS:
        drawn[draw_number(chance)] = None
    numbers = list(drawn)
    good = [form for form, count in GOOD.items() for _ in range(count)]
    bad = [form for form, count in BAD.items() for _ in range(count)]
    good = (good + [str] * ROWS)[: ROWS - len(bad) - DUPLICATES]
    written: list[str | float | None] = [form(number) for form, number in zip(good, numbers, strict=False)]
    written += [spoil(number, chance) for spoil, number in zip(bad, numbers[len(good) :], strict=False)]
    chance.shuffle(written)
    for number in chance.sample(numbers[: len(good)], DUPLICATES):
        form = chance.choice(list(GOOD)[:8])
        written.insert(chance.randrange(ROWS // 2, len(written)), form(number))
    return written


def draw(chance: random.Random, weights: dict[str, int]) -> str:
    """Return one of the keys, by weight."""
    return chance.choices(list(weights), weights=list(weights.values()))[0]


def make_customers(path: Path) -> None:
    """Write the sheet."""
    chance = random.Random(20260101)  # noqa: S311 - invented people
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False}) as book:
        book.set_properties({"title": "客户名单", "created": datetime(2026, 1, 1)})  # noqa: DTZ001
        page = book.add_worksheet("客户名单")
        head = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
        dated = book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(0, 0, ["客户编号", "姓名", "手机号", "城市", "会员等级", "积分", "到期日"], head)
        for line, phone in enumerate(make_phones(chance), start=1):
            name = chance.choice(SURNAMES) + "".join(chance.choice(GIVEN) for _ in range(chance.choice((1, 2, 2))))
            page.write_string(line, 0, f"{line:06d}")
            if chance.random() > 0.003:
                page.write_string(line, 1, name)
            if isinstance(phone, float):
                page.write_number(line, 2, phone)
            elif phone is not None:
                page.write_string(line, 2, phone)
            page.write_string(line, 3, draw(chance, CITIES))
            page.write_string(line, 4, draw(chance, LEVELS))
            if chance.random() > 0.006:
                page.write_number(line, 5, chance.randrange(1, 400) * 10)
            page.write_datetime(line, 6, date(2026, 1, 31) + timedelta(days=30 * chance.randrange(3)), dated)
        page.set_column(0, 6, 13)
        page.set_column(2, 2, 22)
        page.freeze_panes(1, 0)


if __name__ == "__main__":
    make_customers(Path(__file__).with_name("customers.xlsx"))
