"""The list of a model's files, as `sha256sum` writes it."""

import re
from pathlib import PurePosixPath

from pecia_core.errors import Unavailable

MANIFEST = "sha256sums"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)")
_AGAIN = f"Make it again in the model's folder: sha256sum * > {MANIFEST}"


def listed(text: bytes) -> dict[str, str]:
    """Names, with / between folders, and their sha256 in small hexadecimal digits.

    Args:
        text: lines of a sum, two signs and a name; empty ones are passed over.

    Raises:
        Unavailable: it names no file, one outside the folder, itself, or one of two sums.
    """
    said: dict[str, str] = {}
    for line in text.decode(errors="replace").splitlines():
        if not line.strip():
            continue
        name, digest = _understood(line.strip())
        if said.setdefault(name, digest) != digest:
            raise Unavailable(f"{MANIFEST} has two sums of {name}. {_AGAIN}")
    if not said:
        raise Unavailable(f"{MANIFEST} names no file. {_AGAIN}")
    return said


def is_inside(name: str) -> bool:
    """Whether it names a file of a folder, not one elsewhere."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _understood(line: str) -> tuple[str, str]:
    parsed = _LINE.fullmatch(line)
    if parsed is None or not is_inside(parsed[2]) or str(PurePosixPath(parsed[2])) == MANIFEST:
        raise Unavailable(f"{MANIFEST} has a line that names no file of the model: {line[:100]!r}. {_AGAIN}")
    return str(PurePosixPath(parsed[2])), parsed[1].lower()
