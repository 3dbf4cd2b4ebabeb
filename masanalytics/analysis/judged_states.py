"""What was known of a number before each message, and what became of the messages in each state, counted where the data is.

Messages (when they left) and reports (when they came) of a number are one line, in the order of time; in the same second a message left
before anything was heard, and failures count before deliveries. Windows over the line tell the state in which each message left, and only
a row a state comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from masanalytics.analysis._number_health import HealthRule
from masanalytics.analysis.grouped_count import group_rows
from masanalytics.analysis.prices import parts_of, price_of_each
from masanalytics.analysis.sources.lent_rows import DELIVERED, FAILED, OPEN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MONTH_S", "MOST", "JudgedStates", "StateTotals", "judged_states"]

MONTH_S: Final = 30 * 86_400
MOST: Final = 12
"""So many failures in a row, or months, and more are one."""
_NEVER: Final = -(10**12)
_ORDER: Final = ("sent", "heard", "outcome", "category", "amount", "message_id")
_LINE: Final = ("at", "kind", *_ORDER)


@dataclass(frozen=True)
class StateTotals:
    """What became of messages, by what was known before.

    Attributes
    ----------
    states : DataFrame
        The states, one a row: ``verdict`` (0 unseen, 1 good, 2 doubtful, 3 dead, 4 blocked), ``last_category``, ``failed_in_a_row``,
        ``months_since_alive``, as far as they were asked for.
    totals : DataFrame
        Of the same rows: ``numbers, sent, delivered, cost``; ``lost, saved`` (deliveries and money of these and all later messages
        to the same numbers); ``both, squares, sent_squares`` (sums over numbers of delivered times sent, and of the squares of
        either).
    open_yet, unpriced : int
        Messages that are still open, and of the others those of unknown length.
    """

    states: pd.DataFrame
    totals: pd.DataFrame
    open_yet: int
    unpriced: int

    @classmethod
    def added_up(cls, parts: Sequence[StateTotals]) -> StateTotals:
        """Return the totals of several parts, none of which shares a number with another."""
        import pandas as pd

        if len(parts) == 1:
            return parts[0]
        place, states = group_rows(pd.concat([part.states for part in parts], ignore_index=True))
        totals = pd.concat([part.totals for part in parts], ignore_index=True).groupby(place).sum()
        return cls(states, totals, sum(part.open_yet for part in parts), sum(part.unpriced for part in parts))


@dataclass(frozen=True)
class JudgedStates:
    """The question.

    Attributes
    ----------
    names : sequence of str
        What was known: which of the four.
    rule : HealthRule
        What the verdicts rest on.
    price : float or mapping of str to float
        Of one segment; or carrier -> price.
    """

    names: Sequence[str]
    rule: HealthRule
    price: float | Mapping[str, float]

    def __call__(self, rows: Any, collect: Callable[[Any], pd.DataFrame]) -> StateTotals | None:
        """Ask; None where numbers are spelled in several ways, so that they have to be read one by one."""
        import narwhals as nw

        flags = ["error_code", "carrier", "outcome", "odd"]
        unknown = nw.when(nw.col("segments").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
        kinds = collect(
            rows.with_columns(unknown=unknown)
            .group_by(*flags, "unknown")
            .agg(n=nw.len(), fewest=nw.col("segments").min())
        )
        if (kinds["odd"] > 0).any():
            return None
        parts_of(kinds["fewest"])
        by_carrier = None
        if isinstance(self.price, Mapping):  # by the carriers' names as these messages have them
            prices = price_of_each(kinds["carrier"], self.price, (kinds["n"] > 0).to_numpy(dtype=bool))
            by_carrier = dict(zip(kinds["carrier"].fillna("unknown"), prices.tolist(), strict=True))
        names, codes = _categories(kinds[kinds["outcome"] == FAILED])
        kept = rows.filter(nw.col("outcome") != OPEN)
        kept = kept.with_columns(amount=_amount(by_carrier), category=_category_number(codes, len(names)))
        found = collect(judged_states(kept, names, self.names, self.rule))
        ended = kinds["outcome"] != OPEN
        states, totals = self._shown(found, names)
        return StateTotals(
            states, totals, int(kinds["n"][~ended].sum()), int(kinds["n"][ended & (kinds["unknown"] > 0)].sum())
        )

    def _shown(self, found: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the states as they are shown, and their totals with money."""
        import pandas as pd

        each = 1.0 if isinstance(self.price, Mapping) else self.price
        states: dict[str, Any] = {}
        for name in self.names:
            numbers = found[name].astype("int64")
            if name == "last_category":
                texts = [names[one] if one >= 0 else None for one in numbers.tolist()]
                states[name] = pd.array(texts, dtype="str")
            else:
                states[name] = numbers.astype("Int64").mask(numbers < 0) if name == "months_since_alive" else numbers
        totals = found.drop(columns=list(self.names)).astype("float64")
        return pd.DataFrame(states), totals.assign(cost=totals["cost"] * each, saved=totals["saved"] * each)


def _categories(failures: pd.DataFrame) -> tuple[list[str], dict[tuple[Any, Any], int]]:
    """Return the categories of failures in their order, and the place of each pair of code and carrier among them."""
    import pandas as pd

    from masanalytics.codes import category_of

    pairs = {
        tuple(None if pd.isna(value) else value for value in pair)
        for pair in failures[["error_code", "carrier"]].itertuples(index=False)
    }
    of = {(code, carrier): category_of(code, carrier) for code, carrier in pairs}
    names = sorted(set(of.values()))
    return names, {pair: names.index(name) for pair, name in of.items()}


def _amount(prices: Mapping[str, float] | None) -> Any:
    """Return what a message costs by the prices of its carrier, or its segments, which one price makes money of."""
    import narwhals as nw

    segments = nw.when(~nw.col("segments").is_null()).then(nw.col("segments")).otherwise(nw.lit(0))
    if prices is None:
        return segments
    carrier = nw.when(~nw.col("carrier").is_null()).then(nw.col("carrier")).otherwise(nw.lit("unknown"))
    price: Any = nw.lit(0.0)
    for name, one in prices.items():
        price = nw.when(carrier == name).then(nw.lit(float(one))).otherwise(price)
    return segments * price


def _category_number(codes: Mapping[tuple[Any, Any], int], other: int) -> Any:
    """Return the place of each failure's category; `other` of what is no failure."""
    import narwhals as nw

    by_carrier: dict[tuple[int, Any], list[Any]] = {}
    for (code, carrier), number in codes.items():
        by_carrier.setdefault((number, carrier), []).append(code)
    category: Any = nw.lit(other)
    for (number, carrier), some in by_carrier.items():
        inside = (nw.col("outcome") == FAILED) & _is_one("carrier", [carrier]) & _is_one("error_code", some)
        category = nw.when(inside).then(nw.lit(number)).otherwise(category)
    return category


def _is_one(name: str, options: Sequence[Any]) -> Any:
    import narwhals as nw

    there = [one for one in options if one is not None]
    tests = [nw.col(name).is_null()] if None in options else []
    tests += [~nw.col(name).is_null() & nw.col(name).is_in(there)] if there else []
    return reduce(or_, tests)


def judged_states(rows: Any, categories: Sequence[str], names: Sequence[str], rule: HealthRule) -> Any:
    """Return the totals of each state, not yet collected.

    Parameters
    ----------
    rows : narwhals frame
        Messages whose end is known: ``phone, sent, heard, outcome, category, amount, message_id``.
    categories : sequence of str
        What the numbers of ``category`` mean; one more stands for what is no failure.
    """
    import narwhals as nw

    later = {"over": "phone", "order_by": _ORDER}
    arrived = nw.when(nw.col("outcome") == DELIVERED).then(nw.lit(1)).otherwise(nw.lit(0))
    messages = rows.select("phone", *_ORDER).with_columns(arrived=arrived)
    messages = messages.with_columns(
        lost=_window(nw.col("arrived").cum_sum(reverse=True), **later),
        saved=_window(nw.col("amount").cum_sum(reverse=True), **later),
    )
    columns = ["phone", *_ORDER, "arrived", "lost", "saved"]
    left = messages.select(*columns, at=nw.col("sent"), kind=nw.lit(0))
    came = messages.filter(nw.col("outcome") >= FAILED).select(*columns, at=nw.col("heard"), kind=nw.col("outcome"))
    line = _known_before(nw.concat([left, came], how="vertical"), categories, rule)
    states = line.filter(nw.col("kind") == 0).with_columns(**_state(categories, rule))
    by_number = states.group_by(*names, "phone").agg(
        n=nw.len(),
        k=nw.col("arrived").sum(),
        amount=nw.col("amount").sum(),
        lost=nw.col("lost").max(),
        saved=nw.col("saved").max(),
    )
    n, k = nw.col("n").cast(nw.Int64), nw.col("k").cast(nw.Int64)
    by_number = by_number.with_columns(n=n, k=k).with_columns(both=n * k, squares=k * k, sent_squares=n * n)
    return by_number.group_by(*names).agg(
        numbers=nw.len(), sent=nw.col("n").sum(), delivered=nw.col("k").sum(), cost=nw.col("amount").sum(),
        lost=nw.col("lost").sum(), saved=nw.col("saved").sum(), both=nw.col("both").sum(),
        squares=nw.col("squares").sum(), sent_squares=nw.col("sent_squares").sum(),
    )  # fmt: skip


def _window(expression: Any, over: str | Sequence[str], order_by: Sequence[str]) -> Any:
    return expression.over(*([over] if isinstance(over, str) else over), order_by=list(order_by))


def _known_before(line: Any, categories: Sequence[str], rule: HealthRule) -> Any:
    """Return the line with what is known at each of its places, this one included."""
    import narwhals as nw

    delivered, failed = nw.col("kind") == DELIVERED, nw.col("kind") == FAILED

    def among(*lists: Sequence[str]) -> Any:
        inside = [number for number, name in enumerate(categories) if any(name in one for one in lists)]
        return failed & nw.col("category").is_in(inside) if inside else failed & (nw.lit(1) == nw.lit(0))

    def flag(test: Any) -> Any:
        return nw.when(test).then(nw.lit(1)).otherwise(nw.lit(0))

    line = line.with_columns(
        one=nw.lit(1), is_delivered=flag(delivered), is_failed=flag(failed),
        own=flag(among(rule.blocked_by, rule.gone_by, rule.away_by)), own_gone=flag(among(rule.gone_by)),
        alive_at=nw.when(delivered).then(nw.col("at")).otherwise(nw.lit(_NEVER)),
    )  # fmt: skip
    line = line.with_columns(
        place=_window(nw.col("one").cum_sum(), "phone", _LINE), stretch=_window(nw.col("is_delivered").cum_sum(), "phone", _LINE),
        alive_at=_window(nw.col("alive_at").cum_max(), "phone", _LINE),
    )  # fmt: skip
    marked = nw.col("place") * (len(categories) + 1) + nw.col("category")
    is_own = nw.col("own") == 1
    line = line.with_columns(
        fault=nw.when(nw.col("is_failed") == 1).then(marked).otherwise(nw.lit(-1)),
        own_fault=nw.when(is_own).then(marked).otherwise(nw.lit(-1)),
        first_own=nw.when(is_own).then(nw.col("at")).otherwise(nw.lit(-_NEVER)),
        last_own=nw.when(is_own).then(nw.col("at")).otherwise(nw.lit(_NEVER)),
    )
    run = (["phone", "stretch"], _LINE)
    return line.with_columns(
        fault=_window(nw.col("fault").cum_max(), "phone", _LINE), own_fault=_window(nw.col("own_fault").cum_max(), *run),
        run=_window(nw.col("own").cum_sum(), *run), gone=_window(nw.col("own_gone").cum_sum(), *run),
        first_own=_window(nw.col("first_own").cum_min(), *run), last_own=_window(nw.col("last_own").cum_max(), *run),
    )  # fmt: skip


def _state(categories: Sequence[str], rule: HealthRule) -> dict[str, Any]:
    """Return what was known when a message left: numbers, below 0 where there is nothing."""
    import narwhals as nw

    marks = len(categories) + 1
    run, gone, own_fault, fault, alive = (nw.col(name) for name in ("run", "gone", "own_fault", "fault", "alive_at"))
    blockers = [number for number, name in enumerate(categories) if name in rule.blocked_by]
    over = nw.when(run > 0).then(nw.col("last_own") - nw.col("first_own")).otherwise(nw.lit(0))
    is_gone = (run >= rule.dead_after) & (gone == run)
    is_given_up = (run >= rule.dead_after_any) & (over >= rule.dead_over_days * 86_400)
    verdict: Any = nw.when(run > 0).then(nw.lit(2)).otherwise(nw.lit(1))
    verdict = nw.when(is_gone | is_given_up).then(nw.lit(3)).otherwise(verdict)
    if blockers:
        is_blocked = (own_fault >= 0) & (own_fault % marks).is_in(blockers)
        verdict = nw.when(is_blocked).then(nw.lit(4)).otherwise(verdict)
    months = (nw.col("at") - alive) // MONTH_S
    return {
        "verdict": nw.when(nw.col("place") == 1).then(nw.lit(0)).otherwise(verdict),
        "last_category": nw.when(fault >= 0).then(fault % marks).otherwise(nw.lit(-1)),
        "failed_in_a_row": nw.when(run > MOST).then(nw.lit(MOST)).otherwise(run),
        "months_since_alive": nw.when(alive == _NEVER).then(nw.lit(-1)).otherwise(
            nw.when(months > MOST).then(nw.lit(MOST)).otherwise(months)
        ),
    }  # fmt: skip
