"""Reading a whole checkpoint once, and keeping it where it is wanted. It may be killed and run again."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pecia_operator.weights.failures import WeightsChecksumMismatch, WeightsInterrupted
from pecia_operator.weights.inventory import Entry, inventory
from pecia_operator.weights.settings import WeightsSettings
from pecia_operator.weights.source import Source

if TYPE_CHECKING:
    from hashlib import _Hash

_log = logging.getLogger(__name__)
_READ = 4 << 20


async def fetch(settings: WeightsSettings) -> int:
    """Compare every file with what it has to be, and keep them in `settings.folder` if there is one.

    The manifest, or the signature, is written last: a folder with one is complete. Files that are there and
    right are not asked for again, and of one that is half there only the rest.

    Returns:
        Bytes that came over the line.

    Raises:
        WeightsFailure: a subclass says how it failed.
    """
    source = Source(settings)
    wanted = await inventory(settings, source)
    turn = asyncio.Semaphore(settings.files_at_once)

    async def in_turn(entry: Entry) -> int:
        async with turn:
            return await _patiently(settings, source, entry)

    came = 0
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(entry)) for entry in wanted.entries]
        came = sum(task.result() for task in tasks)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None  # one reason is enough, and the others were cancelled
    if settings.folder:
        with _disk():
            await asyncio.to_thread(_write_whole, settings.folder / wanted.seal, wanted.text)
    return came


async def _patiently(settings: WeightsSettings, source: Source, entry: Entry) -> int:
    """One file, over lines that break."""
    wait_s, came = settings.wait_s, 0
    for attempt in range(1, settings.attempts + 1):
        try:
            if settings.folder is None:
                return came + await _look(source, entry)
            return came + await _bring(source, entry, settings.folder)
        except WeightsInterrupted as error:
            if attempt == settings.attempts:
                raise
            _log.warning("Fetching goes on", extra={"file": entry.name, "reason": error.message})
            await asyncio.sleep(wait_s)
            wait_s *= 2
    raise AssertionError  # the last attempt returned or raised


async def _look(source: Source, entry: Entry) -> int:
    """Read it and let it go."""
    digest, came = sha256(), 0
    async for piece in source.pieces(entry.name, 0):
        await asyncio.to_thread(digest.update, piece)
        came += len(piece)
    _compare(entry, digest)
    return came


async def _bring(source: Source, entry: Entry, folder: Path) -> int:
    """Read what is not there yet, compare all of it, and only then give it its name."""
    path = folder / entry.name
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        if (await asyncio.to_thread(_digest, path)).hexdigest() == entry.sha256:
            return 0
        path.unlink()
    with _disk():
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    size = await source.size(entry.name)
    if part.stat().st_size > size:
        part.unlink()
        part.touch()
    digest, began = await asyncio.to_thread(_digest, part), part.stat().st_size
    came = await _append(_rest(source, entry, began, size), part, digest)
    try:
        _compare(entry, digest)
    except WeightsChecksumMismatch:
        part.unlink()  # what was there before may have been the wrong half
        if began:
            return came + await _bring(source, entry, folder)
        raise
    with _disk():
        await asyncio.to_thread(_name, part, path)
    return came


async def _rest(source: Source, entry: Entry, start: int, size: int) -> AsyncIterator[bytes]:
    if start < size:
        async for piece in source.pieces(entry.name, start):
            yield piece


async def _append(pieces: AsyncIterator[bytes], part: Path, digest: "_Hash") -> int:
    came = 0
    with _disk(), part.open("ab") as file:
        async for piece in pieces:
            await asyncio.to_thread(_take, piece, file.fileno(), digest)
            came += len(piece)
    return came


def _take(piece: bytes, file: int, digest: "_Hash") -> None:
    digest.update(piece)
    while piece:
        piece = piece[os.write(file, piece) :]


def _digest(path: Path) -> "_Hash":
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ):
            digest.update(piece)
    return digest


def _compare(entry: Entry, digest: "_Hash") -> None:
    if digest.hexdigest() != entry.sha256:
        raise WeightsChecksumMismatch(
            f"{entry.name} has the sha256 {digest.hexdigest()}, and has to have {entry.sha256}. It was "
            "changed or damaged: upload it again, or make the manifest, or the signature, of what is to run."
        )


def _name(part: Path, path: Path) -> None:
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _write_whole(path: Path, text: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(text)
    _name(part, path)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _disk:  # noqa: N801  reads as a word: with _disk()
    """What a disk says, in words that help."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            advice = "Raise spec.resources.weightsDisk, or the size of spec.weights.cache." if full else ""
            raise WeightsInterrupted(f"The weights cannot be written: {error.strerror}. {advice}") from error
