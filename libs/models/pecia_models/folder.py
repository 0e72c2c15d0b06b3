"""The files of a model, and whether they are the ones somebody listed."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pecia_core.errors import Unavailable

SIGNATURE = "model.sig"
# What runs code when it is read. Weights in them say the same in safetensors, which cannot.
_PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras"})
_READ = 1 << 22

Digests = Mapping[str, str]
"""Names with / between folders, and their sha256 in hexadecimal."""


def names(folder: Path) -> list[str]:
    """Every file but the signature and hidden ones, which nothing reads.

    Raises:
        Unavailable: one of them could run code.
    """
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    refuse_code(found)
    return [name for name in found if name != SIGNATURE]


def refuse_code(names: Iterable[str]) -> None:
    """Nothing, but where one of these files could run code.

    Raises:
        Unavailable: the message names it.
    """
    if pickled := [name for name in names if Path(name).suffix.lower() in _PICKLED]:
        raise Unavailable(
            f"{', '.join(pickled)} can run code when read: only *.safetensors are loaded. Remove what the "
            "model has twice, or convert it where nothing is to be lost."
        )


def compare(folder: Path, digests: Digests, source: str, progress: Callable[[float], None]) -> None:
    """Read every file named in `digests`; `source` is the name of what lists them.

    Raises:
        Unavailable: a file is missing or another; the message names it.
    """
    if absent := sorted(name for name in digests if not (folder / name).is_file()):
        raise Unavailable(f"{', '.join(absent)} of {source} are missing: fetch the model again.")
    total, done = sum((folder / name).stat().st_size for name in digests) or 1, 0
    for name, expected in sorted(digests.items()):
        digest = hashlib.sha256()
        for piece in _pieces(folder / name):
            digest.update(piece)
            progress((done := done + len(piece)) / total)
        if digest.hexdigest() != expected:
            raise Unavailable(f"{name} is not the file that {source} lists: fetch the model again.")


def digest_of(path: Path) -> str:
    """Of the whole file, in hexadecimal."""
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_READ):
            yield piece
