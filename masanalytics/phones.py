"""Mobile numbers as they come in sheets, brought to eleven digits or left out with a reason.

A cell is read the same way whatever dtype pandas chose for its column: ``13800138000`` as text, integer, float (because
one cell was blank) or category is one number. What cannot be read for certain is left out, never guessed: a wrong guess is
a stranger who gets the message.

Two levels of strictness: *sendable* is eleven digits from 13 to 19 (the default); *valid* is what libphonenumber's
table for mainland China calls a mobile number, which leaves out data cards (146, 148, 149).
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.near_names import named_arguments
from masanalytics.text import BLANK_WORDS, MOBILE, fold
from masanalytics.vocabulary import EXCLUSIONS

__all__ = [
    "REASONS",
    "Level",
    "cell_text",
    "holds_mobile",
    "is_example",
    "mobiles_in",
    "normalise_phones",
    "parse_phones",
    "phone_texts",
    "read_phone",
    "stood_for_mobile",
]

Level = Literal["sendable", "valid"]

REASONS: Final = tuple(EXCLUSIONS)
"""The reasons of `masanalytics.vocabulary.EXCLUSIONS` in their order: `parse_phones` answers positions in it."""

_LOWEST, _BEYOND = 13_000_000_000, 20_000_000_000
_CHUNK: Final = 65_536
_FLOAT_INTEGERS = {"float16": 2**11, "float32": 2**24}

# libphonenumber 9.0.43, metadata for CN, mobile.national_number_pattern.
_VALID = re.compile(r"1(?:610\d|740[0-5])\d{6}|1(?:[38]\d|4[57]|[59][0-35-9]|6[25-7]|7[0-35-8])\d{8}")

# What nearly every number of a messy sheet is, once separators are gone: (what stands before it, what stands behind).
_COMMON = ((b"", b""), (b"86", b""), (b"+86", b""), (b"0086", b""), (b"", b".0"))
_SEPARATORS = b" -'\t\r"
_TWO_NUMBERS: Final = 22
_SHORTEST: Final = 7
_LONGEST: Final = 200
"""No cell with one number is longer; the patterns below take time with the square of the length."""
_POWERS = 10 ** np.arange(10, -1, -1, dtype=np.int64)

_QUOTES = dict.fromkeys(map(ord, "'\"`´‘’‚‛“”„‟′″＇＂"))
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⁃﹘~_"), "-")
_BLANK: Final = BLANK_WORDS | {"无", "空", "暂无", "没有"}
_LABEL = re.compile(
    r"(?:本人|联系|移动)?(?:手机|电话|号码|联系方式|telephone|mobile|phone|cell|tel|mob)(?:号码|号|电话)?\.?\s*:?\s*",
    re.I,
)
_LOST_MOBILE = re.compile(r"\+?1\.[3-9]\d*e\+?10|(?:\+?86[ -]?)?1[3-9]\d[ -]?[*xX×•]{3,6}[ -]?\d{2,4}", re.I)
_SCIENTIFIC = re.compile(r"\+?(\d+)(?:\.(\d*))?e\+?(\d{1,2})", re.I)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.0*)?")
_DATE = re.compile(r"\d{4}[ -]\d{1,2}[ -]\d{1,2}")
_ONE_NUMBER = re.compile(r"\(?\+?[\d\s()\[\]][\d\s()\[\]-]*(?:\.0*)?|\+?(?:86[\s.-]*)?1\d\d\.\d{4}\.\d{4}", re.ASCII)
_AMERICAN = re.compile(r"1[ .-]\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}")
_MOBILE = re.compile(rf"(?:(?:\+|00)?86)?(?:0|12593|17951|17911|17909)?({MOBILE})", re.ASCII)
_LANDLINE = re.compile(
    r"(?:(?:\+|00)?86)?(?:0?(?:10[2-8]\d{7}|2\d[2-9]\d{7}|[3-9]\d{2}[2-9]\d{6,7})|[48]00\d{7})|[2-9]\d{6,7}", re.ASCII
)
_EXTENSION = re.compile(r"(.*\d)\)?[\s,-]*(?:转|分机|ext\.?|x|#|-)[\s:-]*\d{1,6}", re.I)
_FOREIGN = re.compile(r"(?:\+|00)(?!86)[1-9]\d{6,14}|852[4-9]\d{7}|853[68]\d{7}|886[2-9]\d{7,8}", re.ASCII)
_BETWEEN = re.compile(r"[,;/\\|&、，；\n]+|\bor\b|\band\b|和|或|及|与")
_BETWEEN_WORDS = re.compile(r"[,;/\\|&、，；\s]+")
_EXAMPLE = re.compile(r"[(（\[【].{0,4}(?:如|例|e\.g\.?|example)[:：]?\s?\+?[\d ]{11}", re.I)
_MOBILE_INSIDE = re.compile(rf"(?<!\d)(?:\+?86)?{MOBILE}(?!\d)", re.ASCII)


@named_arguments
def normalise_phones(column: pd.Series[Any], level: Level = "sendable") -> pd.DataFrame:
    """Return for each cell its eleven-digit number, or the reason why it has none.

    Parameters
    ----------
    column : Series
        Numbers in any dtype: text with +86, 0086, 86, spaces, dashes, brackets, full-width digits, apostrophes or
        invisible characters, integers, floats, missing values. Not changed.
    level : {"sendable", "valid"}
        *sendable* takes every eleven digits from 13 to 19; *valid* only what libphonenumber calls a mobile number.

    Returns
    -------
    DataFrame
        With the index of `column`: ``phone`` (str, eleven digits, missing where there is none) and ``reason`` (str, missing
        where there is a number, otherwise a key of `masanalytics.vocabulary.EXCLUSIONS`). Scientific notation is read only
        where its mantissa carries every digit.

    Examples
    --------
    >>> cells = ["+86 138-0013-8000", 13800138000.0, "1.38001E+10", "010-66668888", None]
    >>> normalise_phones(pd.Series(cells, dtype=object))
             phone            reason
    0  13800138000               NaN
    1  13800138000               NaN
    2          NaN  lossy_scientific
    3          NaN          landline
    4          NaN      empty_number
    """
    numbers, reasons = parse_phones(column, level)
    names = np.array([*REASONS, None], dtype=object)[reasons]
    return pd.DataFrame(
        {"phone": pd.array(phone_texts(numbers), dtype="str"), "reason": pd.array(names, dtype="str")},
        index=column.index,
    )


def phone_texts(numbers: npt.NDArray[np.int64]) -> list[str | None]:
    """Return eleven-digit texts for `numbers`; None where a number is 0.

    Examples
    --------
    >>> phone_texts(np.array([13800138000, 0]))
    ['13800138000', None]
    """
    return [str(number) if number else None for number in numbers.tolist()]


def parse_phones(
    column: pd.Series[Any], level: Level = "sendable"
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """Return `normalise_phones` as two arrays: numbers (0 where there is none) and positions in `REASONS` (-1 where taken).

    Examples
    --------
    >>> numbers, reasons = parse_phones(pd.Series(["138 0013 8000", "10086"]))
    >>> numbers.tolist(), [REASONS[code] if code >= 0 else None for code in reasons]
    ([13800138000, 0], [None, 'invalid_number'])
    """
    if level not in ("sendable", "valid"):
        raise InputError("level={level!r}: use 'sendable' or 'valid'", level=level)
    numbers = np.zeros(len(column), dtype=np.int64)
    reasons = np.full(len(column), -1, dtype=np.int8)
    for start in range(0, len(column), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        _parse_chunk(column.iloc[chunk], numbers[chunk], reasons[chunk])
    if level == "valid":
        for index in np.flatnonzero(numbers):
            if not _VALID.fullmatch(str(numbers[index])):
                numbers[index], reasons[index] = 0, REASONS.index("invalid_number")
    return numbers, reasons


def read_phone(text: str) -> tuple[str, str]:
    """Return the eleven-digit number in one text and ``""``, or ``""`` and the reason why there is none.

    The rule of `normalise_phones`, for what is no column: the mobile of a report, a reply or a setting.

    Examples
    --------
    >>> read_phone("(+86) 138-0013-8000"), read_phone("10086")
    (('13800138000', ''), ('', 'invalid_number'))
    """
    return _read(text)


def holds_mobile(text: str) -> bool:
    """Return whether a mobile number stands anywhere in `text`.

    Examples
    --------
    >>> holds_mobile("张三 +8613800138000"), holds_mobile("231101138001380001")
    (True, False)
    """
    return _MOBILE_INSIDE.search(text) is not None


def is_example(label: str) -> bool:
    """Return whether a header names a number as an example of what belongs below it; such a label is no entry of a list.

    Examples
    --------
    >>> is_example("手机号（如13800138000）"), is_example("张如 13800138000"), is_example("13800138000")
    (True, False, False)
    """
    return _EXAMPLE.search(label) is not None


def stood_for_mobile(label: str) -> bool:
    """Return whether a label was a mobile number before its digits were lost or hidden; such a label is an entry of a list too.

    Examples
    --------
    >>> [stood_for_mobile(label) for label in ("1.38E+10", "138****8000", "1.38E+13", "2.5E+10")]
    [True, True, False, False]
    """
    return _LOST_MOBILE.fullmatch(label.strip()) is not None


def mobiles_in(text: str) -> list[str]:
    """Return every mobile number that can be read in a cell, each once, however the cell writes them.

    For lists of people who must not be written to: there a cell with two numbers means both.

    Examples
    --------
    >>> mobiles_in("13800138000/139 0013 9000"), mobiles_in("请勿打扰 +86 138-0013-8000"), mobiles_in("10086")
    (['13800138000', '13900139000'], ['13800138000'], [])
    """
    number, _ = _read(text)
    if number:
        return [number]
    body = _fold(text)
    digits = re.sub(r"[\s-]", "", body)
    if re.fullmatch(rf"(?:{MOBILE}){{2,}}", digits, re.ASCII):  # side by side
        return list(dict.fromkeys(re.findall(MOBILE, digits)))
    parts = [*_BETWEEN.split(body), *_BETWEEN_WORDS.split(body)]
    read = [_MOBILE.fullmatch(_digits_only(part)) for part in parts]
    inside = [
        re.sub(r"^\+?86", "", match[0]) for match in _MOBILE_INSIDE.finditer(re.sub(r"(?<=\d)[ -](?=\d{4})", "", body))
    ]
    return list(dict.fromkeys([*(match[1] for match in read if match), *inside]))


def _parse_chunk(cells: pd.Series[Any], numbers: npt.NDArray[np.int64], reasons: npt.NDArray[np.int8]) -> None:
    """Fill `numbers` and `reasons` (views into the whole result) for one stretch of cells."""
    dtype = cells.dtype
    whole = dtype.kind in "iu" and isinstance(dtype, np.dtype)
    if not whole and dtype != np.float64:
        _parse_texts(_cell_texts(cells), np.arange(len(cells)), numbers, reasons)
        return
    values = cells.to_numpy()
    in_range = (values >= _LOWEST) & (values < _BEYOND)
    if not whole:
        in_range &= values == np.floor(values)
    numbers[in_range] = values[in_range]
    others = np.flatnonzero(~in_range)
    _parse_texts([cell_text(value) or "" for value in values[others].tolist()], others, numbers, reasons)


def _cell_texts(cells: pd.Series[Any]) -> list[str]:
    """Return each cell's text, empty where it is missing."""
    values = cells.to_numpy(dtype=object, copy=True)
    if isinstance(cells.dtype, pd.StringDtype):
        values[cells.isna().to_numpy()] = ""
        return cast("list[str]", values.tolist())
    limit = _FLOAT_INTEGERS.get(str(cells.dtype).lower())
    if limit is not None:  # half and single floats cannot hold a number: what they hold has lost digits
        big = [isinstance(value, float) and abs(value) >= limit for value in values]
        values[big] = [f"{value:.5e}" for value in values[big]]
    return [cell_text(value) or "" for value in values.tolist()]


def cell_text(value: Any) -> str | None:
    """Return a cell as the text it stands for; None where it is missing.

    Examples
    --------
    >>> [cell_text(v) for v in ("138 ", 13800138000, 13800138000.0, float("nan"), None, 1.5)]
    ['138 ', '13800138000', '13800138000', None, None, '1.5']
    """
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (np.float16, np.float32)):
        limit = _FLOAT_INTEGERS[str(value.dtype)]
        if abs(value) >= limit:
            return f"{float(value):.5e}"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if number != number:
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    text = str(value)
    return None if text in ("NaN", "NaT") else text


def _parse_texts(
    texts: list[str],
    positions: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    reasons: npt.NDArray[np.int8],
) -> None:
    if not texts:
        return
    values = _common_numbers(texts)
    uncommon = np.flatnonzero(values == 0)
    # Sheets repeat what is not a number: 无, a hotline, the same dash.
    known: dict[str, tuple[int, int]] = {}
    codes = np.full(len(texts), -1, dtype=np.int8)
    for index in uncommon.tolist():
        text = texts[index]
        if text not in known:
            number, reason = _read(text)
            known[text] = int(number or 0), REASONS.index(reason) if reason else -1
        values[index], codes[index] = known[text]
    numbers[positions], reasons[positions] = values, codes


def _common_numbers(texts: list[str]) -> npt.NDArray[np.int64]:
    """Return the numbers of the texts in one of the common forms, all at once; 0 for every other text."""
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:
        joined = "\n".join(["" if "\n" in text else text for text in texts])
    if not joined.isascii():
        joined = _fold(joined)
    written = joined.encode("utf-8", "replace") + b"\n\n\n"
    raw = np.frombuffer(written.translate(None, _SEPARATORS), dtype=np.uint8)[:-2]
    ends = np.flatnonzero(raw == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    plain = ~_doubtful_starts(np.frombuffer(written, dtype=np.uint8))
    values = np.zeros(len(texts), dtype=np.int64)
    for before, behind in _COMMON:
        length = len(before) + 11 + len(behind)
        rows = np.flatnonzero((ends - starts == length) & plain)
        cells = raw[starts[rows][:, None] + np.arange(length)]
        well_formed = (cells[:, : len(before)] == np.frombuffer(before, np.uint8)).all(axis=1)
        well_formed &= (cells[:, length - len(behind) :] == np.frombuffer(behind, np.uint8)).all(axis=1)
        digits = cells[:, len(before) : len(before) + 11] - np.uint8(
            ord("0")
        )  # what is no digit wraps round to 10 or more
        well_formed &= (digits.max(axis=1, initial=0) <= 9) & (digits[:, 0] == 1) & (digits[:, 1] >= 3)
        values[rows[well_formed]] = digits[well_formed].astype(np.int64) @ _POWERS
    return values


def _doubtful_starts(written: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which lines begin with a sign, with space, or with one digit on its own: it may be a country code."""
    ends = np.flatnonzero(written == ord("\n"))[:-2]
    starts = np.concatenate(([0], ends[:-1] + 1))
    first = written[starts]
    second = written[starts + 1 + (first == ord("'"))]
    return np.isin(first, np.frombuffer(b"- \t", np.uint8)) | np.isin(second, np.frombuffer(b"- ", np.uint8))


def _fold(text: str) -> str:
    """Fold full-width and other compatibility forms, and take out what cannot be seen."""
    return fold(text.translate(_QUOTES)).translate(_QUOTES).translate(_DASHES)


def _read(text: str) -> tuple[str, str]:
    """Return (number, "") or ("", reason) for one cell, whatever it holds."""
    if text.isascii() and text.isdigit() and len(text) < _TWO_NUMBERS:
        return _read_digits(text)
    if len(text) > _LONGEST:
        text = text.strip()[:_LONGEST]
        return ("", "two_numbers") if len(mobiles_in(text)) > 1 else ("", "invalid_number" if text else "empty_number")
    folded = _fold(text).strip()
    if folded.casefold() in _BLANK or not any(map(str.isalnum, folded)):
        return "", "empty_number"
    folded = folded.removeprefix("=").strip(" \t\r\n,;/、|*。.")
    label = _LABEL.match(folded)
    # A remark behind the number may say "do not write to me": only a label in front of it is passed over.
    body = folded[label.end() :] if label else folded
    if _THOUSANDS.fullmatch(body):
        body = body.replace(",", "")
    scientific = _SCIENTIFIC.fullmatch(body)
    if scientific:
        return _from_scientific(scientific)
    if _AMERICAN.fullmatch(body):
        return "", "foreign"
    if _ONE_NUMBER.fullmatch(body) and not _DATE.fullmatch(body):
        number, reason = _read_digits(_digits_only(body))
        if reason != "invalid_number":
            return number, reason
    return "", _why_not(body)


def _digits_only(body: str) -> str:
    return re.sub(r"[\s()\[\].-]", "", re.sub(r"(?<!\.\d{4})\.0*$", "", body))


def _read_digits(digits: str) -> tuple[str, str]:
    mobile = _MOBILE.fullmatch(digits)
    if mobile:
        return mobile[1], ""
    if _FOREIGN.fullmatch(digits):
        return "", "foreign"
    if _LANDLINE.fullmatch(digits):
        return "", "landline"
    return "", "invalid_number"


def _from_scientific(match: re.Match[str]) -> tuple[str, str]:
    """Read ``1.3800138000E+10``; a mantissa with fewer digits than the number has lost some, and is a stranger's number."""
    whole, fraction, exponent = match[1], match[2] or "", int(match[3])
    if len(fraction) < exponent:
        return "", "lossy_scientific"
    if fraction[exponent:].strip("0"):
        return "", "invalid_number"
    return _read_digits(whole + fraction[:exponent])


def _why_not(body: str) -> str:
    """Return the reason for a text that is not one plain number."""
    if _holds_several(body):
        return "two_numbers"
    extension = _EXTENSION.fullmatch(body)
    if extension and _read_digits(_digits_only(extension[1]))[1] == "landline":
        return "landline"
    return "invalid_number"


def _holds_several(body: str) -> bool:
    """Return whether more than one number can be read in a text: between commas and the like, between spaces, or side by side."""
    if re.fullmatch(rf"(?:{MOBILE}){{2,}}", re.sub(r"[\s-]", "", body), re.ASCII):
        return True
    for between in (_BETWEEN, _BETWEEN_WORDS):
        numbers = [
            piece
            for piece in between.split(body)
            if len(piece) >= _SHORTEST and _read_digits(_digits_only(piece))[1] != "invalid_number"
        ]
        if len(numbers) > 1:
            return True
    return len(_MOBILE_INSIDE.findall(body)) > 1
