"""Feeds files to what opens them in the services: the pool that draws PDFs and the decoder of pictures."""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pecia_core import tiff
from pecia_core.errors import InvalidDocument, InvalidRequest, PeciaError, TooLarge, UnsupportedDocument
from pecia_core.kinds import PDF, TIFF, kind_of
from pecia_core.pdf import PdfRenderer, RenderLimits
from pecia_core.upload import Upload
from pecia_ocr.decoding import DecodeLimits, Decoder
from pecia_ocr.engines.base import CancelToken

from benchmarks.hostile import documents, pictures

# Less than in service, so that what goes wrong does so sooner.
_DRAWING = RenderLimits(page_timeout_s=2.0, memory_bytes=700 << 20, max_pixels=1_000_000)
_DECODING = DecodeLimits(seconds=2, memory_bytes=1 << 30)
_PAGES = 3
_DPI = 36
# Refusals that say what is wrong with the file. Anything else is a fault of ours.
_REFUSALS = (InvalidDocument, InvalidRequest, UnsupportedDocument, TooLarge)

Case = tuple[str, bytes]


@dataclass(slots=True)
class Found:
    """What became of the files. `faults` name the cases and what happened."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Kitchen:
    """Renderers and decoders, one of each for every file that is opened at once, and looked after."""

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._renderer = PdfRenderer(at_once, _DRAWING)
        self._decoders = [Decoder(_DECODING) for _ in range(at_once)]
        self._free = list(self._decoders)
        self._files = _left()
        self._others = set(_children())
        self.found = Found()

    async def feed(self, cases: Iterable[Case]) -> None:
        """All of them, a few at once: whoever is done takes the next, whatever it is."""
        coming = iter(cases)
        await asyncio.gather(*(self._line(coming) for _ in range(self._at_once)))

    async def _line(self, cases: Iterator[Case]) -> None:
        for name, data in cases:
            try:
                self.found.outcomes[await self._opened(data)] += 1
            except _REFUSALS as error:
                self.found.outcomes[_outcome(error)] += 1
            except PeciaError as error:
                self.found.faults.append(f"{name}: {error.code}, {error.message}")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                self.found.faults.append(f"{name}: {type(error).__name__}, {error}")

    async def _opened(self, data: bytes) -> str:
        kind = kind_of(Upload(data, ""), param="file")
        if kind == PDF:
            async with self._renderer.open(data) as document:
                for index in range(min(document.page_count, _PAGES)):
                    await document.render(index, _DPI)
                    await document.text(index, _DPI)
            return "drawn"
        pages = tiff.pages(data, _PAGES) if kind == TIFF else [data]
        decoder = self._free.pop()
        try:
            for page in pages[:_PAGES]:
                await asyncio.to_thread(decoder.decode, page, CancelToken())
        finally:
            self._free.append(decoder)
        return "decoded"

    async def check(self) -> None:
        """Honest files are still read, no process is left over, no file either.

        Raises:
            AssertionError: one of them is not so; the message says which.
        """
        for name, data in (*pictures.seeds().items(), *documents.seeds().items()):
            assert await self._opened(data) in ("drawn", "decoded"), f"{name} is not read any more"
        # Those that wait for PDFs and those that wait for pictures; a document's ends when it is closed.
        most = 2 * self._at_once
        living = set(_children()) - self._others
        for _ in range(100):
            if len(living) <= most:
                break
            await asyncio.sleep(0.05)
            living = set(_children()) - self._others
        assert len(living) <= most, f"processes are left: {living}"
        assert _left() <= self._files, f"files are left: {_left() - self._files}"

    async def close(self) -> None:
        """End both."""
        await self._renderer.close()
        for decoder in self._decoders:
            decoder.close()

    @staticmethod
    def resident_mb() -> int:
        """Of this process, which is what the service would be."""
        return int(psutil.Process().memory_info().rss) >> 20


def _outcome(error: PeciaError) -> str:
    """Its code; what took a process with it, or too long, is counted apart."""
    cost_a_process = any(words in error.message for words in ("breaks the program", "takes longer"))
    return f"{error.code}, at the price of a process" if cost_a_process else error.code


def _children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if any("pecia" in word for word in child.cmdline()):
                found.append(child)
    return found


def _left() -> set[str]:
    """Files that a process of ours may have left, in the places where any process may."""
    places = (Path(tempfile.gettempdir()), Path("/dev/shm"))  # noqa: S108 - looked at, not written
    return {
        entry.path
        for place in places
        if place.is_dir()
        for entry in os.scandir(place)
        if "pecia" in entry.name
    }
