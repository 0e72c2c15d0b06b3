"""What the documents name exists: files, folders, links, make targets, modules, classes and functions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "pecia_core": ROOT / "libs/core",
    "pecia_client": ROOT / "libs/client",
    "pecia_identity": ROOT / "libs/identity",
    "pecia_models": ROOT / "libs/models",
    "pecia_ocr": ROOT / "services/ocr",
    "pecia_gateway": ROOT / "services/gateway",
    "pecia_worker": ROOT / "services/worker",
    "pecia_operator": ROOT / "services/operator",
    "pecia_ui": ROOT / "services/ui",
    "pecia_standalone": ROOT / "services/standalone",
}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
DOTTED = re.compile(r"(pecia_[a-z]+)((?:\.\w+)*)(?:\(\))?")
FILE = re.compile(
    r"[\w./-]+\.(?:py|md|proto|toml|txt|png|binpb|importlinter)|\.importlinter|[\w.-]+/[\w./-]+"
)
TARGET = re.compile(r"make ([a-z][a-z-]*)")


def quoted(page: Path) -> Iterator[str]:
    """What stands between single backticks, outside of code blocks."""
    yield from QUOTED.findall(re.sub(r"(?ms)^```.*?^```", "", page.read_text()))


def exists_as_file(name: str, page: Path) -> bool:
    """Whether a path exists, seen from the root, from a package, or from inside one."""
    roots = [ROOT, page.parent, *FOLDERS.values(), *(folder / package for package, folder in FOLDERS.items())]
    return any((root / name).exists() for root in roots)


def exists_as_name(package: str, rest: str) -> bool:
    """Whether a dotted name is a module, or something defined in one."""
    path, parts = FOLDERS[package] / package, rest.strip(".").split(".") if rest else []
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").is_file():
        path /= f"{parts.pop(0)}.py"
    else:
        path /= "__init__.py"
    return path.is_file() and defines(ast.parse(path.read_text()), parts)


def defines(scope: ast.AST, parts: list[str]) -> bool:
    """Whether a module or class holds a name, and that one the next, and so on."""
    if not parts:
        return True
    first, *others = parts
    for node in ast.iter_child_nodes(scope):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found = name == first
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = name == first
            case ast.Assign(targets=targets):
                found = any(isinstance(target, ast.Name) and target.id == first for target in targets)
            case ast.ImportFrom(names=names):
                found = any((alias.asname or alias.name) == first for alias in names)
            case _:
                found = False
        if found:
            return defines(node, others)
    return False


def complaints(page: Path) -> list[str]:
    """What a page names that does not exist."""
    wrong = []
    for name in quoted(page):
        dotted = DOTTED.fullmatch(name)
        if dotted and dotted[1] in FOLDERS and not name.endswith(".py"):
            if not exists_as_name(dotted[1], dotted[2]):
                wrong.append(name)
        elif FILE.fullmatch(name) and not exists_as_file(name, page) and is_ours(name):
            wrong.append(name)
    wrong += [
        link
        for link in LINK.findall(page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
    wrong += [f"make {name}" for text in quoted(page) for name in TARGET.findall(text) if name not in targets]
    return wrong


def is_ours(name: str) -> bool:
    """Whether a path can be meant as one of this repository: addresses and media types cannot."""
    first = name.split("/", maxsplit=1)[0]
    return (
        first in {path.name for path in ROOT.iterdir()} or name.endswith((".py", ".md")) or first in FOLDERS
    )


def test_there_are_pages() -> None:
    """The pages this file is about are there."""
    assert {"request-flow.md", "architecture.md", "CONTRIBUTING.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_everything_named_exists(page: Path) -> None:
    """Files, names, links and targets of a page are there."""
    assert complaints(page) == []


@pytest.mark.parametrize(
    "text",
    [
        "`pecia_ocr.pipeline.Pipeline.dream`",
        "`pecia_ocr.dreams`",
        "`pecia_core.formats.dream`",
        "`services/ocr/dreams.py`",
        "`scheduling/dreams.py`",
        "[a link](dreams.md)",
        "`make dreams`",
    ],
)
def test_what_does_not_exist_is_noticed(tmp_path: Path, text: str) -> None:
    """A function, module, file, link or target that is gone is complained about."""
    page = tmp_path / "page.md"
    page.write_text(
        f"{text} and `pecia_ocr.pipeline.Pipeline.recognize` in `services/ocr/pecia_ocr/pipeline.py`\n"
    )
    assert len(complaints(page)) == 1
