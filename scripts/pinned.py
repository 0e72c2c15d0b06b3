"""What the hash-locked requirement files name: packages, versions, hashes, and their licences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\\\n]*)(?:\\)?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pinned:
    """One package of one file; `marker` says on which machines it is installed, "" = on all."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its name among all packages of all ecosystems."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def read(file: Path) -> list[Pinned]:
    """Every package of a file.

    Raises:
        ValueError: one of them has no hash, so that anybody could send another.
    """
    found = list(_entries(file.read_text(encoding="utf-8")))
    if bare := [one.name for one in found if not one.hashes]:
        raise ValueError(f"{file}: no hash for {', '.join(bare)}: make lock")
    return found


def of_images() -> dict[str, list[Pinned]]:
    """The packages of each image, by its name."""
    files = sorted((REQUIREMENTS / "images").glob("*.txt"))
    return {file.stem: read(file) for file in files if file.stem != "build"}


def licence(name: str) -> str:
    """What the installed package says of itself; "" = nothing, or it is not installed here."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    if expression := said.get("License-Expression"):
        return str(expression)
    classified = [
        one.rpartition(" :: ")[2] for one in said.get_all("Classifier", []) if one.startswith("License ::")
    ]
    return "; ".join(classified) or next(iter((said.get("License") or "").strip().splitlines()), "")


def _entries(text: str) -> Iterator[Pinned]:
    pieces = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    for piece in pieces:
        if found := _PIN.match(piece.partition("\n")[0].rstrip()):
            name, version, marker = (part.strip(" ;") for part in found.groups())
            yield Pinned(name, version, marker, tuple(_HASH.findall(piece)))
