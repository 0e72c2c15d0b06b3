"""docs/requirements.md is complete and true: every id, and only tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/requirements.md"
COUNTS = {
    "A": 21,  # the OpenAI-style API
    "M": 14,  # the model engine
    "C": 18,  # the CPU engine
    "H": 11,  # health
    "J": 18,  # jobs
    "Q": 14,  # the queue worker
    "U": 17,  # the page for people
    "I": 10,  # infrastructure
    "E": 10,  # errors
    "T": 14,  # metrics, logs, targets
    "V": 9,  # tests asked for by name
    "D": 9,  # documents
    "K": 12,  # conflicts that were settled
}
EXPECTED = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")


def rows(text: str) -> list[tuple[str, str, str]]:
    """The table rows of the page: id, what, shown by."""
    cells = (re.split(r"(?<!\\)\|", line.strip().strip("|"), maxsplit=2) for line in text.splitlines())
    return [
        (row[0].strip(), row[1].strip(), row[2].strip())
        for row in cells
        if len(row) == 3 and re.fullmatch(r"[A-Z]\d+", row[0].strip())
    ]


def complaints(text: str) -> list[str]:
    """What is wrong with a page of requirements."""
    found = rows(text)
    ids = [row[0] for row in found]
    wrong = [f"{name} is missing" for name in EXPECTED if name not in ids]
    wrong += [f"{name} is nothing that was asked for" for name in ids if name not in EXPECTED]
    wrong += [f"{name} stands there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    for name, what, shown in found:
        named = NAMED.findall(shown)
        if not what:
            wrong.append(f"{name} does not say what was asked")
        if not named and "not yet" not in shown:
            wrong.append(f"{name} has neither a test nor 'not yet'")
        wrong += [f"{name} names {path}::{test}" for path, test in named if test not in names_of_tests(path)]
    return wrong


@cache
def names_of_tests(path: str) -> set[str]:
    """Names of the tests in a file, without running it; none where there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return set()
    functions = (
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_requirement_is_shown_or_admitted() -> None:
    """Each id has one line, and a test that exists or the words 'not yet'."""
    assert complaints(PAGE.read_text()) == []


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("", "A1 is missing"),
        ("| A1 | something | |", "A1 has neither a test nor 'not yet'"),
        (
            "| A1 | something | `tests/test_house.py::test_of_dreams` |",
            "A1 names tests/test_house.py::test_of_dreams",
        ),
        (
            "| A1 | something | `tests/test_of_dreams.py::test_it` |",
            "A1 names tests/test_of_dreams.py::test_it",
        ),
        ("| A1 | | not yet |", "A1 does not say what was asked"),
        ("| A99 | something | not yet |", "A99 is nothing that was asked for"),
    ],
)
def test_a_gap_is_noticed(row: str, complaint: str) -> None:
    """A missing id, an empty cell and a test that does not exist are each complained about."""
    page = re.sub(r"(?m)^\| A1 \|.*$", lambda _: row, PAGE.read_text())
    assert complaint in complaints(page)
