"""The manifest of a checkpoint: which files it has, and their sha256, in lines as `sha256sum` writes them."""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from pecia_operator.weights.failures import WeightsChecksumMismatch

NAME = "sha256sums"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a checkpoint, and the bytes that say so."""

    entries: tuple[Entry, ...]
    text: bytes


def read_manifest(text: bytes, expected: str = "") -> Manifest:
    """Understand a manifest.

    Args:
        text: its bytes.
        expected: its own sha256, in hexadecimal digits; empty = whatever it is.

    Raises:
        WeightsChecksumMismatch: it is another one than expected, names no files, or names some outside.
    """
    found = sha256(text).hexdigest()
    if expected and found != expected.lower():
        raise WeightsChecksumMismatch(
            f"The manifest has the sha256 {found}, and spec.weights.manifest.sha256 says {expected}. "
            "Somebody has changed the model: look at it, then change the spec, or put the former files back."
        )
    entries = tuple(_entry(line) for line in text.decode(errors="replace").splitlines() if line.strip())
    if not entries:
        raise WeightsChecksumMismatch(f"The manifest names no file. Make it: sha256sum * > {NAME}")
    return Manifest(entries, text)


def _entry(line: str) -> Entry:
    parsed = _LINE.fullmatch(line.strip())
    path = PurePosixPath(parsed[2]) if parsed else None
    if path is None or parsed is None or path.is_absolute() or ".." in path.parts or path.name == NAME:
        raise WeightsChecksumMismatch(
            f"A line of the manifest names no file of the model: {line.strip()[:100]!r}. Make it again in "
            f"the model's folder: sha256sum * > {NAME}"
        )
    return Entry(str(path), parsed[1].lower())
