"""The house rules that no linter knows: sizes, one noun a file, a docstring a module."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 300
LONGEST_TESTS = 350
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 5
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}


def git_files(*patterns: str) -> list[Path]:
    """Files that git knows or would add, generated stubs excluded."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    return [
        ROOT / name
        for name in sorted(set(listed))
        if not name.startswith("protos/gen") and (ROOT / name).exists()
    ]


PYTHON = git_files("*.py")
CODE = [
    path
    for path in PYTHON
    if path.parts[len(ROOT.parts)] in {"libs", "services"} and "tests" not in path.parts
]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last statement, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many arguments a caller may give, self and cls not counted."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def where(path: Path, line: int = 1) -> str:
    """A place as an editor understands it."""
    return f"{path.relative_to(ROOT)}:{line}"


def test_there_is_code_to_measure() -> None:
    """The lists these tests walk over are not empty."""
    assert len(CODE) > 50
    assert len(PYTHON) > len(CODE)


def test_files_are_short() -> None:
    """No Python file has more than 300 lines; a file of tests may have 350: one subject, one file."""
    long = {}
    for path in PYTHON:
        most = LONGEST_TESTS if path.name.startswith("test_") else LONGEST_FILE
        if (lines := len(path.read_text().splitlines())) > most:
            long[where(path)] = lines
    assert long == {}


def test_functions_are_short() -> None:
    """No function has more than 60 lines."""
    long = [
        f"{where(path, function.lineno)} {function.name}: {length(function)} lines"
        for path in PYTHON
        for function in functions(path)
        if length(function) > LONGEST_FUNCTION
    ]
    assert long == []


def test_functions_take_few_parameters() -> None:
    """No function takes more than five parameters; more of them belong together in a dataclass."""
    wide = [
        f"{where(path, function.lineno)} {function.name}: {parameters(function)} parameters"
        for path in PYTHON
        for function in functions(path)
        if parameters(function) > MOST_PARAMETERS and not is_framework_signature(path, function)
    ]
    assert wide == []


def is_framework_signature(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command, route or test whose parameters are filled in by the framework that its decorator names.

    Where there is no decorator, the opt-out from ruff's own rule stands there with its reason.
    """
    first_line = path.read_text().splitlines()[function.lineno - 1]
    explained = re.search(r"noqa: [\w, ]*PLR0913[\w, ]* - \w", first_line)
    return bool(explained) or any(isinstance(decorator, ast.Call) for decorator in function.decorator_list)


def test_names_say_what_is_inside() -> None:
    """No module or folder is a drawer for everything."""
    drawers = [
        where(path)
        for path in PYTHON
        for part in (path.stem, path.parent.name)
        if part.lower() in FORBIDDEN_NAMES
    ]
    assert drawers == []


def test_modules_say_what_they_are() -> None:
    """Every module of the product, of the benchmarks and of the examples begins with a docstring."""
    product = [path for path in PYTHON if "tests" not in path.parts or path.parent == ROOT / "tests"]
    silent = [where(path) for path in product if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_tests_say_what_they_show() -> None:
    """Every test has a sentence."""
    tests = [path for path in PYTHON if path.name.startswith("test_")]
    silent = [
        where(path, function.lineno)
        for path in tests
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_medians_stay_small(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the files have at most 120 lines, half of the functions at most 10."""
    lines = statistics.median(len(path.read_text().splitlines()) for path in CODE)
    sizes = statistics.median(length(function) for path in CODE for function in functions(path))
    with capsys.disabled():
        print(f" [{len(CODE)} files, median {lines:.0f} lines; median function {sizes:.0f} lines]", end="")  # noqa: T201 - shown beside the test's name
    assert lines <= 120
    assert sizes <= 10
