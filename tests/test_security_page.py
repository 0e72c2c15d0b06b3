"""SECURITY.md is true as far as a machine can tell: every wall says what passes it, and names its tests."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")
BOUNDARIES = 7


def walls() -> list[list[str]]:
    """The cells of each row of the table of walls."""
    lines = (ROOT / "SECURITY.md").read_text().partition("## Walls")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def named_in(path: str) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_wall_says_what_it_does_not_stop_and_what_shows_it() -> None:
    """Four cells, none empty, and at least one test that exists."""
    rows = walls()
    assert len(rows) > 10
    for name, stops, lets, shown in rows:
        assert stops, name
        assert lets, name
        found = NAMED.findall(shown)
        assert found, name
        assert [(path, test) for path, test in found if test not in named_in(path)] == [], name


def test_every_boundary_has_a_wall() -> None:
    """Each number of the picture begins the name of a row."""
    numbered = {int(name.split()[0]) for name, *_ in walls() if name[:1].isdigit()}
    assert numbered == set(range(1, BOUNDARIES + 1))
