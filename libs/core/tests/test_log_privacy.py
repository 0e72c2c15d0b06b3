"""No log call anywhere hands over document text, file names or keys."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path
    for folder in ("libs", "services")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts and ".venv" not in path.parts
)
_LOGGERS = {"log", "_log", "logger", "_logger", "logging"}
_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
# Names that hold what people wrote, how they called it, or how they are let in.
_PRIVATE = {
    "text",
    "content",
    "ref_text",
    "lines",
    "words",
    "filename",
    "file_name",
    "password",
    "secret",
    "key",
    "bearer",
    "bearer_key",
    "api_key",
    "presented",
    "authorization",
    "prompt",
    "data",
    "body",
    "encoded",
    "jpeg",
    "url",
}


def log_calls(source: str) -> Iterator[ast.Call]:
    """Every call of a logger's method."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _METHODS
            and _name(node.func.value) in _LOGGERS
        ):
            yield node


def told(call: ast.Call) -> set[str]:
    """The names whose values a log call writes; what is only measured (`len(text)`) does not count."""
    names: set[str] = set()
    todo: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call) and _name(node.func) in {"len", "type", "bool"}:
            continue
        names.add(_name(node))
        todo += ast.iter_child_nodes(node)
    return names - {""}


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_log_call_tells_what_is_private(path: Path) -> None:
    """Scans every module of every service and library."""
    for call in log_calls(path.read_text()):
        private = told(call) & _PRIVATE
        assert not private, f"line {call.lineno} logs {sorted(private)}"


@pytest.mark.parametrize(
    "source",
    [
        "log.info(line.text)",
        "log.warning('read %s', upload.filename)",
        "_log.info('x', extra={'a': request.body})",
        "logging.getLogger",
        "log.error(f'{len(data)} bytes: {data[:10]}')",
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str) -> None:
    """A scan that finds nothing anywhere would pass as well."""
    found = [call for call in log_calls(source) if told(call) & _PRIVATE]
    assert bool(found) is ("(" in source)


def test_the_scan_lets_measures_pass() -> None:
    """Lengths and types are no secrets."""
    (call,) = log_calls("log.info('%d bytes of %s', len(data), type(data))")
    assert not told(call) & _PRIVATE
    assert SOURCES
