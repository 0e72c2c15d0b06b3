"""The files of a model: whether they are what was published, and a name for exactly these."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pecia_core.errors import Unavailable
from safetensors import SafetensorError, safe_open

MANIFEST = "sha256sums"
_READ = 1 << 22
# Of each large file this many pieces name it: fine-tuned weights differ all over.
_PIECES = 64
_PIECE = 1 << 16
_REVISION = 12


def verify(folder: Path, progress: Callable[[float], None]) -> bool:
    """Compare the files with the manifest beside them, where there is one: lines as `sha256sum` writes them.

    Args:
        folder: the model's.
        progress: told 0.0 to 1.0 of the bytes read.

    Returns:
        Whether there was a manifest.

    Raises:
        Unavailable: a file differs, is missing, or is weights that the manifest does not know.
    """
    if not (folder / MANIFEST).exists():
        return False
    listed = dict(_listed(folder / MANIFEST))
    known = {name for name, _ in listed.items()}
    if strange := sorted({path.name for path in folder.glob("*.safetensors")} - known):
        raise Unavailable(f"{MANIFEST} does not list {', '.join(strange)}: remove them, or fetch it again.")
    if absent := sorted(name for name in known if not (folder / name).is_file()):
        raise Unavailable(f"{', '.join(absent)} of {MANIFEST} are missing: fetch the model again.")
    total, done = sum((folder / name).stat().st_size for name in known), 0
    for name, expected in sorted(listed.items()):
        digest = hashlib.sha256()
        for piece in _pieces(folder / name):
            digest.update(piece)
            progress((done := done + len(piece)) / total)
        if digest.hexdigest() != expected:
            raise Unavailable(f"{name} is not the file that {MANIFEST} lists: fetch the model again.")
    return True


def _listed(manifest: Path) -> Iterator[tuple[str, str]]:
    for line in manifest.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.strip().partition(" ")
        name = name.lstrip(" *").removeprefix("./")
        if not digest:
            continue
        if not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unavailable(f"{MANIFEST} has a line that names no file of the model: {line.strip()!r}.")
        yield name, digest.lower()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_READ):
            yield piece


def revision(folder: Path) -> str:
    """Twelve hexadecimal digits that other weights, another config or tokenizer would not have.

    From the manifest where there is one, else from samples of the files, so that it takes milliseconds.
    """
    if (manifest := folder / MANIFEST).exists():
        return hashlib.sha256(manifest.read_bytes()).hexdigest()[:_REVISION]
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for start in range(0, size, max(_PIECE, size // _PIECES)):
                file.seek(start)
                digest.update(file.read(_PIECE))
    return digest.hexdigest()[:_REVISION]


def tensor_names(folder: Path) -> set[str]:
    """The names of all tensors.

    Raises:
        Unavailable: there are none, or a file of them is damaged.
    """
    names: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as tensors:
                names.update(tensors.keys())
        except (OSError, SafetensorError) as error:
            raise Unavailable(f"{path.name} cannot be read: {error}. Fetch the model again.") from error
    if not names:
        raise Unavailable("The model's folder holds no *.safetensors: fetch the model.")
    return names
