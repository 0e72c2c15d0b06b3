"""CPU time of a page's way: drawn, packed, carried to another process, unpacked."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pypdfium2 as pdfium
from pecia_core.pdf import PdfRenderer
from pecia_core.sample_pdf import PROSE, Parts, digital_pdf, text_at
from PIL import Image

from benchmarks.handover.encodings import Encoding

DPI = 200
A4 = (595, 842)
_PASSES = 4


@dataclass(slots=True)
class Costs:
    """Milliseconds of CPU (user and system) a page, one value a round; bytes a page."""

    pack: list[float] = field(default_factory=list)
    carry: list[float] = field(default_factory=list)
    unpack: list[float] = field(default_factory=list)
    size: int = 0

    @property
    def whole(self) -> list[float]:
        """All of it, round by round."""
        return [sum(parts) for parts in zip(self.pack, self.carry, self.unpack, strict=True)]


def documents(folder: Path) -> list[bytes]:
    """Full pages of text drawn here, and the PDFs of the folder."""
    rows = (text_at(50, 790 - 15 * row, f"{PROSE[row % 4]} {row}", 11) for row in range(50))
    return [
        digital_pdf(b"".join(rows), Parts(size=A4)),
        *(path.read_bytes() for path in sorted(folder.glob("pdfs/*.pdf"))),
    ]


def pages(found: Sequence[bytes]) -> tuple[list[Image.Image], float]:
    """The first pages at 200 dots per inch, of the area of A4 at most; CPU-ms a page."""
    drawn, began = [], time.process_time()
    for data in found:
        with pdfium.PdfDocument(data) as document:
            for index in range(min(3, len(document))):
                page = document[index]
                width, height = page.get_size()
                fit = min(1.0, (A4[0] * A4[1] / (width * height)) ** 0.5)
                drawn.append(page.render(scale=DPI / 72 * fit, rev_byteorder=True).to_pil().copy())
                page.close()
    return drawn, 1000 * (time.process_time() - began) / len(drawn)


async def measure(
    encodings: Sequence[Encoding], drawn: Sequence[Image.Image], rounds: int
) -> dict[str, Costs]:
    """Every encoding in every round, so that a slow minute slows all of them."""
    costs = {encoding.name: Costs() for encoding in encodings}
    for number in range(rounds):
        for encoding in encodings:
            await _round(encoding, drawn, costs[encoding.name])
        print(f"round {number + 1} of {rounds}", flush=True)
    return costs


async def _round(encoding: Encoding, drawn: Sequence[Image.Image], costs: Costs) -> None:
    began = time.process_time()
    packed = [encoding.pack(page) for page in drawn]
    costs.pack.append(_each(began, drawn))
    costs.carry.append(await _carried(packed) / len(drawn))
    began = time.process_time()
    for page, data in zip(drawn, packed, strict=True):
        encoding.unpack(data, page.size)
    costs.unpack.append(_each(began, drawn))
    costs.size = sum(map(len, packed)) // len(packed)


def _each(began: float, drawn: Sequence[Image.Image]) -> float:
    return 1000 * (time.process_time() - began) / len(drawn)


async def _carried(packed: Sequence[bytes]) -> float:
    """CPU-ms to send all of them through a pipe, both sides together."""
    program = (
        "import os, sys\n"
        "for size in map(int, sys.argv[1:]):\n"
        "    data = sys.stdin.buffer.read(size)\n"
        "    sys.stdout.buffer.write(b'1'); sys.stdout.flush()\n"
    )
    pipe = asyncio.subprocess.PIPE
    sizes = [str(len(data)) for data in packed]
    python = await asyncio.create_subprocess_exec("python3", "-c", program, *sizes, stdin=pipe, stdout=pipe)
    assert python.stdin
    assert python.stdout
    python.stdin.write(packed[0])
    await python.stdout.readexactly(1)
    process = psutil.Process(python.pid)
    before, began = _used(process), time.process_time()
    for data in packed[1:]:
        python.stdin.write(data)
        await python.stdout.readexactly(1)
    spent = 1000 * (time.process_time() - began) + 1000 * (_used(process) - before)
    python.stdin.close()
    await python.wait()
    return spent * len(packed) / max(1, len(packed) - 1)


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


async def through_the_pool(found: Sequence[bytes], rounds: int) -> list[float]:
    """CPU-ms a page of `OpenPdf.render`, parent and child together: drawing, packing, carrying."""
    values = []
    async with PdfRenderer() as renderer, renderer.open(found[0]) as document:
        await document.render(0, DPI)
        child = psutil.Process(next(iter(renderer._children)).pid)  # noqa: SLF001  its CPU time is asked for
        for _ in range(rounds):
            before, began = _used(child), time.process_time()
            for _ in range(_PASSES):
                await document.render(0, DPI)
            used = time.process_time() - began + _used(child) - before
            values.append(1000 * used / _PASSES)
    return values
