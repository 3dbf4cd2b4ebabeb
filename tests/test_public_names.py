"""Every documented name works after ``import masanalytics as mas`` alone, in a fresh process as in a used one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import masanalytics as mas

ROOT = Path(__file__).resolve().parent.parent
HEADINGS = [
    name
    for page in sorted((ROOT / "docs" / "reference").glob("*.rst"))
    for name in re.findall(r"^\.\. auto\w+:: masanalytics\.([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
MODULES = sorted(set(dir(mas)) - set(mas.__all__) - {name for name in dir(mas) if name.startswith("__")})
READ_EACH = """
import sys
import masanalytics as mas
assert not {"pandas", "matplotlib", "requests", "numpy"} & set(sys.modules), "import masanalytics loads heavy libraries"
for name in sys.argv[1:]:
    for module in [other for other in vars(mas) if other in mas._MODULES]:
        delattr(mas, module)  # as if nothing had been used before
    thing = mas
    for part in name.split("."):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            print(name)
            break
"""


def unreadable(*names: str) -> list[str]:
    """Return those of `names` that cannot be read in a process that has used nothing else."""
    asked = [sys.executable, "-c", READ_EACH, *names]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout.split()


@pytest.mark.parametrize("part", range(2))
def test_every_documented_name_works_in_a_fresh_process(part: int) -> None:
    """Each heading of the reference is read as it is written there, as if it were the first cell of a notebook."""
    assert len(HEADINGS) > 50
    assert unreadable(*HEADINGS[part::2]) == []


def test_public_modules_and_names_work_in_a_fresh_process() -> None:
    """``mas.analysis.arrivals``, ``mas.simulator.Fault`` and the like need no import of their own."""
    deep = ["analysis.arrivals", "simulator.Fault", "clock.FastClock", "planning.Limits", "codes.category_of"]
    assert unreadable(*MODULES, *deep) == []


def test_a_name_that_is_not_there_is_not_read() -> None:
    """The check itself tells a name that is missing."""
    assert unreadable("analysis.arrival", "Store") == ["analysis.arrival"]


def test_the_table_is_written_once() -> None:
    """Every line of the table of public names is one that the module reads."""
    table = Path(mas.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line and not line.startswith(("#", "__all__"))]

    assert sum(name in line.split() for name in [*mas.__all__, *MODULES] for line in lines) >= len(lines)
    assert all(re.fullmatch(r"from masanalytics(\.\w+)? import (\w+) as \2", line) for line in lines)
