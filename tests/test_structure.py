"""The shape of the house: nothing imports in a circle, files and functions keep their size, public names their file.

Layers between packages are import-linter's, in pyproject.toml; here is what holds inside them.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import masanalytics as mas
from masanalytics import analysis, plot

PACKAGE = Path(mas.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

SMALLEST, LARGEST, LONGEST = 40, 400, 40
SMALL_ON_PURPOSE = {
    "analysis/hidden_numbers.py": "one refusal under every result and number_health",
    "stats/enough_clusters.py": "one rule under rates, comparisons and changes",
    "analysis/sources/rows_by_number.py": "what a store and the questions to the messages of each number agree on",
    "store/number_parts.py": "one cut of the file, under its source of messages",
    "analysis/sources/lent_rows.py": "what a source and a question by windows agree on",
    "store/exported_uplinks.py": "replies, kept apart from messages, which come by millions",
    "store/exported_reports.py": "the evidence that goes with archived messages",
    "store/part_rules.py": "the rule under outcomes, columns and filters",
    "account/turn_rule.py": "one rule under the store and the machine",
    "account/account_key.py": "what an account is told by, below everything that keeps something of one",
    "store/account_merging.py": "one rule, kept apart to be read as one",
    "progress_bar.py": "one bar under both sending and collecting",
    "__main__.py": "an entry point",
    "_version.py": "what the build reads",
    "analysis/_funnel.py": "the file of a public function",
    "collecting/side_work.py": "the rule under everything that is said or written beside collecting",
    "store/archived_counts.py": "under batches and progress, which share nothing else",
    "analysis/sources/counted_tables.py": "what an engine gives back, under narwhals and under DuckDB",
    "analysis/known_holes.py": "one sentence for the results of the analysis and the card of the store",
    "stats/means.py": "one formula, which is of no proportion",
    "stats/confidence_sequence.py": "one formula, kept apart from those for a single look",
    "analysis/number_places.py": "one rule under number_health and suppression_value",
    "analysis/prices.py": "one rule of money under costs and suppression_value",
    "sheets/appearance.py": "under the readers of every kind of workbook",
    "sheets/_sample_path.py": "the file of a public function",
    "sheets/values_as_read.py": "one rule, under the texts of a plan and the writing of sheets",
    "report/sanitise.py": "the one rule for what strangers wrote, kept apart to be read as one",
    "stats/power.py": "one rule under both planning and analysis",
    "account/frequency_cap.py": "under the account, planning and the store",
    "store/contacts.py": "one count, for the plan that looks ahead and the claim that looks again",
    "store/spending.py": "one sum, for the job that is weighed and the batch that is claimed",
    "process_identity.py": "what the system tells of a process, system by system",
    "aliases.py": "types that every package shares",
    "masking.py": "below everything that shows a number",
    "own_columns.py": "one rule under planning, the store and every frame",
    "opt_outs.py": "words and the rule to read them",
    "plot/masked.py": "what every text of a chart passes",
    "cli/outlet.py": "what every command writes through",
    "secret.py": "the only thing that holds the password",
    "text.py": "below everything that reads or writes a text",
    "lengths.py": "under both planning and analysis",
    "paths.py": "below everything that opens a file",
    "timezone.py": "the only place that knows China's time",
    "store/file_version.py": "one question to a file, asked as it is opened and by the doctor",
    "store/push_log.py": "the side of pushes of the log of polls, which is long",
    "store/kept_texts.py": "one form of kept sentences, for the log of polls, the log of sends and the schema",
    "simulator/random_keys.py": "chance that repeats, drawn by six modules that share nothing else",
    "simulator/settings.py": "what can be set, each with its reason; no logic",
    "store/archive_renames.py": "which files name an account that is another one now: a table of its own",
}
TOGETHER = {
    "analysis/_funnel.py": "funnel, and the name it had",
    "paths.py": "one path, and the same where it is written",
    "codes.py": "one code and the catalogue of all",
    "errors.py": "the errors are one family",
    "clock.py": "the clocks that stand in for one another",
    "masking.py": "one number, and every number in a text",
    "planning/batching.py": "the batches and how large they may be",
    "simulator/faults.py": "a fault and what it does to an answer",
    "analysis/_number_health.py": "number_health and the rule it judges by",
    "collecting/collector.py": "a collector, and reading again what it kept",
    "analysis/results.py": "what every result carries, and how it is read",
    "plot/fonts.py": "finding a Chinese font, and using it",
    "phones.py": "one rule, for one number and for a column of them",
    "store/store.py": "the Store, and two of its methods that are said as functions too",
    "planning/planned.py": "a file plan.py would hide plan()",
}
"""Files that hold several public names, because these are one thing."""


def judge(rule: str, found: Iterable[str]) -> None:
    """Fail for what breaks a rule, naming all of it."""
    assert sorted(set(found)) == [], rule


@cache
def tree_of(name: str) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def module_of(name: str) -> str:
    """Return the module's name of a file."""
    return ".".join(("masanalytics", *name.removesuffix(".py").split("/"))).removesuffix(".__init__")


# ---- imports ---------------------------------------------------------------------------------------------------------


def imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield every import below a node, inside functions too, as a module and a name; those for type checkers left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):  # an import is a statement, and there are far more expressions
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (found for other in child.orelse for found in imports(other))
        elif isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from ((child.module or "", alias.name) for alias in child.names)
        else:
            yield from imports(child)


@cache
def graph() -> dict[str, set[str]]:
    """Return for every module of the package those that it imports by name."""
    modules = {module_of(name): name for name in FILES}
    found: dict[str, set[str]] = {}
    for module, name in modules.items():
        asked = {f"{base}.{part}" if f"{base}.{part}" in modules else base for base, part in imports(tree_of(name))}
        found[module] = asked & set(modules) - {module}
    return found


def circles(edges: dict[str, set[str]]) -> Iterator[str]:
    """Yield the groups of modules that reach one another."""
    reached = {module: _reach(edges, module) for module in edges}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in edges
        if module in reached[module]
    }
    yield from (" ↔ ".join(sorted(group)) for group in groups)


def _reach(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(edges[start])
    while ahead:
        module = ahead.pop()
        if module not in seen:
            seen.add(module)
            ahead.extend(edges[module])
    return seen


def test_nothing_imports_in_a_circle() -> None:
    """Neither between packages nor inside them, imports inside functions included."""
    judge("circles", circles(graph()))


def test_a_circle_is_found() -> None:
    """Two modules that reach each other over a third are one; a chain is none."""
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()})) == ["a ↔ b ↔ c"]
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": set()})) == []


def test_a_chart_knows_the_frame_of_all_charts_and_no_other_chart() -> None:
    """Only the overview is made of them."""
    edges = graph()
    charts = {module for module in edges if module.startswith("masanalytics.plot._")} - {"masanalytics.plot._overview"}
    judge("charts", (f"{chart}: {other}" for chart in charts for other in edges[chart] & charts))


# ---- sizes -----------------------------------------------------------------------------------------------------------


@cache
def code_lines(name: str) -> frozenset[int]:
    """Return the numbers of the lines that hold code: no blank line, no comment, no docstring."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    text = FILES[name].read_text(encoding="utf-8")
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in skipped]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return frozenset(lines)


def test_files_have_a_size_that_is_read_at_one_sitting() -> None:
    """Between 40 and 400 lines of code; what is smaller says why in SMALL_ON_PURPOSE, packages' faces aside."""
    lines = {name: len(code_lines(name)) for name in FILES if not name.endswith("__init__.py")}
    small = (name for name, n in lines.items() if n < SMALLEST and name not in SMALL_ON_PURPOSE)
    large = (name for name, n in lines.items() if n > LARGEST)
    judge("sizes", [*small, *large])


def functions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function and method below a node with its name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}.{child.name}".lstrip(".")
            if not isinstance(child, ast.ClassDef):
                yield name, child
            yield from functions(child, name)
        else:
            yield from functions(child, inside)


def test_functions_are_short() -> None:
    """At most 40 lines of code in the body, docstring aside."""
    found = []
    for name in FILES:
        for function, node in functions(tree_of(name)):
            body = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
            if len(code_lines(name) & set(body)) > LONGEST:
                found.append(f"{name}: {function}")
    judge("functions", found)


# ---- names -----------------------------------------------------------------------------------------------------------


def snake(name: str) -> str:
    """Return a class's name as a file is written: PollSchedule is poll_schedule."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_a_public_function_or_class_lives_in_a_file_of_its_name() -> None:
    """With an underscore where the name would be shadowed; one thing with several names shares a file (TOGETHER)."""
    found = []
    for face in (mas, analysis, plot):
        for name in face.__all__:
            thing = getattr(face, name)
            if not (inspect.isfunction(thing) or inspect.isclass(thing)):
                continue
            file = thing.__module__.removeprefix("masanalytics.").replace(".", "/") + ".py"
            if file not in TOGETHER and Path(file).stem.lstrip("_") != snake(name):
                found.append(f"{file}: {name}")
    judge("places", found)


def test_no_list_of_exceptions_names_what_is_not_there() -> None:
    """A file that is gone leaves the lists above."""
    assert [name for name in (*SMALL_ON_PURPOSE, *TOGETHER) if name not in FILES] == []


def test_no_test_imports_another_test() -> None:
    """What several tests use is a module of its own."""
    tests = {path.name: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))}
    judge(
        "tests",
        (name for name, text in tests.items() if re.search(r"^\s*from tests\.test_\w+ import", text, re.MULTILINE)),
    )


# ---- the map ---------------------------------------------------------------------------------------------------------


def test_the_map_leads_everywhere() -> None:
    """Every path in CONTRIBUTING.md is there, and every package and module of the root is on it."""
    root = PACKAGE.parent
    named = set(
        re.findall(r"`([\w./-]+(?:/|\.(?:py|pyi|csv|md|toml)))`", (root / "CONTRIBUTING.md").read_text("utf-8"))
    )
    rooms = {name if "/" not in name else name.split("/")[0] + "/" for name in FILES}

    assert sorted(path for path in named if not (root / path).exists() and not (PACKAGE / path).exists()) == []
    assert sorted(rooms - named - {"__main__.py", "_version.py"}) == []
