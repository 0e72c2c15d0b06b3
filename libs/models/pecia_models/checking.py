"""The one question before a model is read: are these the files that somebody vouched for?"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from pecia_core.errors import Unavailable

from pecia_models.folder import SIGNATURE, compare, names
from pecia_models.listing import MANIFEST, listed
from pecia_models.signature import signed

# What a model is made of; texts about it need no listing.
_PARTS = (".safetensors", ".json", ".model", ".onnx", ".jinja", ".tiktoken")


class Trust(StrEnum):
    """Who says that these are the files: a signature, a list beside them, nobody."""

    SIGNED = "signed"
    LISTED = "listed"
    UNKNOWN = "unknown"


def check(folder: Path, progress: Callable[[float], None], public_key: str = "") -> Trust:
    """Compare every file with the signature, where a key is pinned, or else with the list beside it.

    Args:
        folder: of the model; nobody else may write there while it is loaded.
        progress: told 0.0 to 1.0 of the bytes read.
        public_key: PEM of whoever may sign; "" = no signature is asked for.

    Raises:
        Unavailable: a file differs, is missing, is not listed, or could run code; or nobody signed.
    """
    found = names(folder)
    if public_key:
        _judge(folder, found, signed(folder, public_key), SIGNATURE, progress)
        return Trust.SIGNED
    if MANIFEST in found:
        parts = [name for name in found if name.endswith(_PARTS)]
        _judge(folder, parts, listed((folder / MANIFEST).read_bytes()), MANIFEST, progress)
        return Trust.LISTED
    return Trust.UNKNOWN


def _judge(
    folder: Path, found: list[str], digests: dict[str, str], source: str, progress: Callable[[float], None]
) -> None:
    if strange := sorted(set(found) - digests.keys()):
        raise Unavailable(f"{source} does not list {', '.join(strange)}: remove them, or fetch it again.")
    compare(folder, digests, source, progress)
