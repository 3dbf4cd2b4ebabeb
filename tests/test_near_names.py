"""What was meant: a misspelt name of anything public is answered with the one that comes near."""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.errors import InputError
from masanalytics.i18n import use_language
from masanalytics.near_names import check_arguments, suggests_names
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.charts import MESSAGES

FUNCTIONS = sorted(name for name in mas.__all__ if inspect.isfunction(getattr(mas, name)))
CLASSES = sorted(
    name
    for name in mas.__all__
    if inspect.isclass(getattr(mas, name)) and not issubclass(getattr(mas, name), Exception) and name != "FastClock"
)
PLAIN = {"mask_phone", "replay", "notes_of", "code_catalogue", "settle"}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - PLAIN))
def test_every_public_function_says_which_argument_was_meant(name: str) -> None:
    """Whether it takes only its own arguments or columns too; before it looks at anything else."""
    function = getattr(mas, name)
    parameters = inspect.signature(function).parameters.values()
    required = {one.name: MESSAGES for one in parameters if one.default is one.empty and one.kind is one.KEYWORD_ONLY}
    if any(one.kind is one.VAR_KEYWORD and one.name != "gone" for one in parameters):
        return
    own = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)][-1]
    with pytest.raises(InputError, match=rf"has no argument '{own}z' .did you mean '{own}'"):
        function(**required, **{f"{own}z": 1})


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_says_which_argument_was_meant(name: str) -> None:
    """Not the error of Python, which says only what is not there."""
    cls = getattr(mas, name)
    own = [one for one in inspect.signature(cls).parameters if one != "self"][-1]
    with pytest.raises(InputError, match=rf"{name}\(\) has no argument '{own}z' .did you mean '{own}'"):
        cls(**{f"{own}z": 1})


@pytest.mark.parametrize(
    ("owner", "wrong", "right"),
    [
        (mas, "delivry_rates", "delivery_rates"),
        (mas.plot, "time_line", "timeline"),
        (mas.analysis, "latencies", "latency"),
    ],
)
def test_a_module_says_which_name_was_meant(owner: Any, wrong: str, right: str) -> None:
    """As an AttributeError still, which is what everybody asks for."""
    with pytest.raises(AttributeError, match=rf"has no '{wrong}' .did you mean '{right}'"):
        getattr(owner, wrong)
    assert not hasattr(owner, "_repr_mimebundle_")


def test_a_store_says_which_method_was_meant(store: Store) -> None:
    """In the reader's language, and for a name that comes near nothing simply that there is none."""
    with pytest.raises(AttributeError, match=r"Store has no 'campaign' .did you mean 'campaigns'"):
        store.campaign()  # type: ignore[attr-defined]
    with use_language("zh"), pytest.raises(AttributeError, match="Store 没有 'mesages'（是否想写 'messages'？）"):
        store.mesages()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"Store has no 'quux'$"):
        store.quux  # type: ignore[attr-defined]  # noqa: B018


def test_a_property_that_fails_says_itself_what_is_wrong() -> None:
    """It is there: nothing else was meant."""

    @suggests_names
    class Card:
        @property
        def figures(self) -> str:
            return str(self.figure)  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match=r"Card has no 'figure' .did you mean 'figures'"):
        Card().figures  # noqa: B018


def test_filters_lend_the_functions_own_arguments() -> None:
    """A report's title and a comparison's outcome are no columns, and come near all the same."""
    with pytest.raises(InputError, match=r"unknown argument 'titel' .did you mean 'title'"):
        mas.write_report(MESSAGES, "report.html", titel="March")
    with pytest.raises(InputError, match=r"unknown argument 'outcom' .did you mean 'outcome'"):
        mas.compare(MESSAGES, "carrier", outcom="replied")


def test_what_is_handed_on_to_the_plan_is_looked_at_there(sim: Simulator, store: Store) -> None:
    """A campaign that was misspelt is not called missing."""
    people = pd.DataFrame({"p": ["13800138000"]})
    with pytest.raises(InputError, match=r"plan\(\) has no argument 'campagn' .did you mean 'campaign'"):
        mas.send(people, sim.client(), store, phone="p", campagn="spring", text="hi")


def test_names_that_are_gone_are_left_to_who_explains_them() -> None:
    """`again=` has a sentence of its own."""
    check_arguments(mas.plan, ["again", "duplicates", "campaign"])


def test_completion_of_a_plan_offers_what_is_read_by_hand() -> None:
    """Twenty names; what sending takes is found all the same."""
    made = mas.plan(pd.DataFrame({"p": ["13800138000"]}), phone="p", text="hi", campaign="spring")
    offered = [name for name in dir(made) if not name.startswith("_")]

    assert len(offered) <= 20
    assert {"messages", "excluded", "batches", "summary", "sample", "cost", "segments", "warnings"} <= set(offered)
    assert made.window is None
