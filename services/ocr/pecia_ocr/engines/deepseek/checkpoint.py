"""The files of a checkpoint: a name for exactly these, and what is in them."""

import hashlib
from pathlib import Path

from pecia_core.errors import Unavailable
from pecia_models.listing import MANIFEST
from safetensors import SafetensorError, safe_open

# Of each large file this many pieces name it: fine-tuned weights differ all over.
_PIECES = 64
_PIECE = 1 << 16
_REVISION = 12


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
