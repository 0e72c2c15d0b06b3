"""Which files a checkpoint has to have, and who says so: its list, or the signature over it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from pecia_core.errors import Unavailable
from pecia_models.folder import SIGNATURE, refuse_code
from pecia_models.listing import MANIFEST, listed
from pecia_models.signature import LARGEST, signed_by, too_large

from pecia_operator.weights.failures import WeightsChecksumMismatch, WeightsNotFound
from pecia_operator.weights.settings import WeightsSettings
from pecia_operator.weights.source import Source


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All files of a checkpoint.

    Attributes:
        entries: each file but the seal.
        seal: name of the file that says so. It is written last: a folder with one is complete.
        text: what stands in it.
    """

    entries: tuple[Entry, ...]
    seal: str
    text: bytes


async def inventory(settings: WeightsSettings, source: Source) -> Inventory:
    """What there has to be. Where a key is pinned its signature decides, and a list has to agree with it.

    Raises:
        WeightsChecksumMismatch: the list or the signature is not what it should be; the message says why.
        WeightsFailure: as `Source` does.
    """
    if settings.signing_key_file is None:
        text = await _manifest(settings, source)
        return Inventory(_entries(_understood(listed, text)), MANIFEST, text)
    key = await asyncio.to_thread(settings.signing_key_file.read_text, "utf-8")
    signature = await _signature(source)
    digests = _understood(lambda text: signed_by(text, key), signature)
    _understood(refuse_code, digests)
    if settings.manifest_file or settings.manifest_sha256:
        _agree(_understood(listed, await _manifest(settings, source)), digests)
    return Inventory(_entries(digests), SIGNATURE, signature)


async def _manifest(settings: WeightsSettings, source: Source) -> bytes:
    if settings.manifest_file:
        text = await asyncio.to_thread(settings.manifest_file.read_bytes)
    else:
        text = await source.whole(MANIFEST)
    found = sha256(text).hexdigest()
    if settings.manifest_sha256 and found != settings.manifest_sha256.lower():
        raise WeightsChecksumMismatch(
            f"The manifest has the sha256 {found}, and spec.weights.manifest.sha256 says "
            f"{settings.manifest_sha256}. Somebody has changed the model: look at it, then change the spec, "
            "or put the former files back."
        )
    return text


async def _signature(source: Source) -> bytes:
    try:
        if await source.size(SIGNATURE) > LARGEST:
            raise WeightsChecksumMismatch(too_large().message)
        return await source.whole(SIGNATURE)
    except WeightsNotFound as error:
        raise WeightsNotFound(
            f"{error.message} The operator asks for a signature of every model: python -m pecia_models sign."
        ) from error


def _understood(read: Callable[..., Mapping[str, str] | None], text: object) -> Mapping[str, str]:
    """What is wrong with a list or a signature, in the words of its library and with our exit status."""
    try:
        return read(text) or {}
    except Unavailable as error:
        raise WeightsChecksumMismatch(error.message) from error


def _agree(said: Mapping[str, str], signed: Mapping[str, str]) -> None:
    if other := sorted(name for name, digest in said.items() if signed.get(name) != digest):
        raise WeightsChecksumMismatch(
            f"{', '.join(other)} of the manifest are not what {SIGNATURE} lists. Sign the model anew, or "
            "name the manifest of the one that was signed."
        )


def _entries(digests: Mapping[str, str]) -> tuple[Entry, ...]:
    return tuple(Entry(name, digest) for name, digest in sorted(digests.items()))
