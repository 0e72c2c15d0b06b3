"""`python -m benchmarks.walls DATA`: what walls cost a picture and a page, beside reading a receipt."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import psutil
from pecia_core.pdf import PdfRenderer, process
from pecia_core.recognition import RecognizeOptions
from pecia_core.sample_pdf import digital_pdf, prose
from pecia_ocr.decoding import DecodeLimits, Decoder, decode_for_reading, decoder
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.rapid import RapidEngine

from benchmarks import machine
from benchmarks.spread import Spread, spread

_RESULT = machine.ROOT / "benchmarks" / "results" / "walls.md"
# The same programs, whose walls are not put up.
_OPEN = (
    "from pecia_wall import Bearing, Narrower, Wall\n"
    "Wall.enter = lambda *_, **__: Bearing()\nNarrower.enter = lambda _: None\n"
    "from pecia_{package}.{module} import child\nchild.main()\n"
)
_TIMES = 5  # a picture or page, in each round


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser("make bench-walls", description=__doc__)
    parser.add_argument("data", type=Path, help="a folder with receipts/*.jpg")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved (default 5)")
    parser.add_argument("--most", type=int, default=6, help="receipts (default 6)")
    options = parser.parse_args()
    before = machine.load()
    receipts = [path.read_bytes() for path in sorted(options.data.glob("receipts/*.jpg"))[: options.most]]
    with tempfile.TemporaryDirectory() as folder:
        pictures = _pictures(receipts, options.rounds, Path(folder))
        pages = asyncio.run(_pages(options.rounds, Path(folder)))
    _RESULT.write_text(_report(pictures, pages, options.rounds, (before, machine.load())), "utf-8")


def _pictures(receipts: Sequence[bytes], rounds: int, folder: Path) -> dict[str, list[float]]:
    """Milliseconds a receipt: decoded in this process, in another without walls, behind them; and read."""
    found: dict[str, list[float]] = {}
    with _program(decoder, folder, "ocr", "decoding"):
        unwalled = Decoder(DecodeLimits())
        unwalled.start()
    walled = Decoder(DecodeLimits())
    walled.start()
    engine = RapidEngine()
    engine.load(lambda _: None)
    ways: dict[str, Callable[[bytes], object]] = {
        "in the engine's process, as before": decode_for_reading,
        "in a process of its own, no walls": lambda data: unwalled.decode(data, CancelToken()),
        "in a process of its own, behind walls": lambda data: walled.decode(data, CancelToken()),
        "reading it": lambda data: list(
            engine.read(decode_for_reading(data).pixels, RecognizeOptions(), CancelToken())
        ),
    }
    for _ in range(rounds):
        for name, way in ways.items():
            times = 1 if name == "reading it" else _TIMES
            spent = [_spent(way, data) for data in receipts for _ in range(times)]
            found.setdefault(name, []).append(fmean(wall for wall, _ in spent))
            found.setdefault(f"{name} (cpu)", []).append(fmean(cpu for _, cpu in spent))
    unwalled.close()
    walled.close()
    return found


def _spent(way: Callable[[bytes], object], data: bytes) -> tuple[float, float]:
    """Milliseconds on the clock, and of the processor in this process and all below it."""
    cpu, began = _cpu_s(), time.perf_counter()
    way(data)
    return (time.perf_counter() - began) * 1000, (_cpu_s() - cpu) * 1000


def _cpu_s() -> float:
    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


async def _pages(rounds: int, folder: Path) -> dict[str, list[float]]:
    """Milliseconds a PDF of one page, opened and drawn, without walls and behind them."""
    found: dict[str, list[float]] = {}
    data = digital_pdf(prose())
    async with PdfRenderer() as walled, PdfRenderer() as unwalled:
        with _program(process, folder, "core", "pdf"):
            await unwalled.page_count(data)
        await walled.page_count(data)
        for _ in range(rounds):
            for name, renderer in (("no walls", unwalled), ("behind walls", walled)):
                began = time.perf_counter()
                for _ in range(_TIMES * 4):
                    await renderer.render(data, 0, 200)
                found.setdefault(name, []).append((time.perf_counter() - began) * 1000 / (_TIMES * 4))
    return found


@contextmanager
def _program(module: object, folder: Path, package: str, name: str) -> Iterator[None]:
    """Children started meanwhile put up no walls."""
    place = folder / f"{package}.py"
    place.write_text(_OPEN.format(package=package, module=name))
    honest = vars(module)["_PROGRAM"]
    vars(module)["_PROGRAM"] = ("-I", str(place))
    try:
        yield
    finally:
        vars(module)["_PROGRAM"] = honest


def _report(
    pictures: dict[str, list[float]], pages: dict[str, list[float]], rounds: int, load: tuple[float, float]
) -> str:
    before, read = pictures["in the engine's process, as before"], pictures["reading it"]
    walled = pictures["in a process of its own, behind walls"]
    cost = spread([one - other for one, other in zip(walled, before, strict=True)])
    share = spread([(one - was) / all_ * 100 for one, was, all_ in zip(walled, before, read, strict=True)])
    cpu = [pictures[f"{name} (cpu)"] for name in ("in a process of its own, behind walls", "reading it")]
    was = pictures["in the engine's process, as before (cpu)"]
    of_cpu = spread([(one - w) / all_ * 100 for one, w, all_ in zip(cpu[0], was, cpu[1], strict=True)])
    rows = "\n".join(
        f"| {name} | {_shown(values)} | {_shown(pictures[f'{name} (cpu)'])} |"
        for name, values in pictures.items()
        if not name.endswith("(cpu)")
    )
    drawn = "\n".join(f"| {name} | {_shown(values)} |" for name, values in pages.items())
    return f"""# What walls cost

`make bench-walls DATA=<folder>`. Middle of the rounds and, in brackets, the least and the most.

| a receipt | ms on the clock | ms of the processor |
|---|---|---|
{rows}

A process of its own, with its walls, costs a receipt {cost.shown(1)} ms on the clock: {share.shown(1)} % of
the time it takes to read, and {of_cpu.shown(1)} % of the processor's. The goal is 5 % at most.

| a PDF of one page, opened and drawn | ms |
|---|---|
{drawn}

{rounds} rounds, interleaved. Load {load[0]:.1f} before, {load[1]:.1f} after: other work on the machine.
Processor time of children is counted in steps of 10 ms.
{machine.circumstances()}"""


def _shown(values: Sequence[float]) -> str:
    found: Spread = spread(values)
    return found.shown(1)


if __name__ == "__main__":
    main()
