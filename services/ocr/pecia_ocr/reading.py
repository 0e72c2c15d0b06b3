"""Pages inside a worker process, from bytes to recognition: decode -> engine -> assemble -> annotate."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, sqrt
from time import perf_counter
from typing import cast

import numpy as np
from pecia_core.document import Block, Line, Page
from pecia_core.formats import line_text, separator
from pecia_core.geometry import Polygon
from pecia_core.recognition import Delta, Notice, Recognition, RecognizeOptions, Timings, Usage
from pecia_core.telemetry import memory_usage_event, processing_time_event, resident_bytes
from pecia_core.vocabulary import BlockKind
from PIL import Image

from pecia_ocr import figures
from pecia_ocr.annotating import annotated
from pecia_ocr.decoding import Decoded
from pecia_ocr.engines.base import (
    CancelToken,
    Engine,
    EngineEvent,
    Finished,
    Oriented,
    PlacedLine,
    ReadsTogether,
    blaming,
)
from pecia_ocr.places import placed

log = logging.getLogger(__name__)

# Pixels in which lines of text can still be told from lines upside down.
_GLANCE_AREA = 1_200_000

Emit = Callable[[Delta | Block], None]


@dataclass(slots=True)
class _Assembly:
    """The page as far as it is read."""

    options: RecognizeOptions
    rotation: int = 0
    blocks: list[Block] = field(default_factory=list)
    open_lines: list[Line] = field(default_factory=list)
    open_block: int = 0
    last_line: Line | None = None
    deltas: list[str] = field(default_factory=list)
    finished: Finished = field(default_factory=Finished)

    def place(self, placed: PlacedLine) -> Iterator[Delta | Block]:
        """A line joins the open block, or closes it and opens its own."""
        new_block = self.last_line is not None and placed.block != self.open_block
        if new_block:
            yield from self.close_block()
        self.open_block = placed.block
        task = self.options.task_type
        before = separator(self.last_line, placed.line, new_block=new_block, task=task)
        self.open_lines.append(placed.line)
        self.last_line = placed.line
        yield self.say(Delta(before + line_text(placed.line, task), placed.line))

    def say(self, delta: Delta) -> Delta:
        """Remember what was said, so that the final text is exactly its sum."""
        self.deltas.append(delta.text)
        return delta

    def close_block(self) -> Iterator[Block]:
        """The open lines become a block."""
        if self.open_lines:
            block = _paragraph(self.open_lines, len(self.blocks))
            self.blocks.append(block)
            self.open_lines = []
            yield block

    def add_block(self, block: Block) -> Iterator[Block]:
        """A block an engine made itself."""
        yield from self.close_block()
        self.blocks.append(block)
        yield block


def _paragraph(lines: list[Line], reading_order: int) -> Block:
    box = lines[0].polygon.bbox
    for line in lines[1:]:
        box = box.union(line.polygon.bbox)
    known = [line.confidence for line in lines if line.confidence is not None]
    return Block(
        kind=BlockKind.PARAGRAPH,
        polygon=Polygon.from_bbox(box),
        lines=tuple(lines),
        reading_order=reading_order,
        confidence=sum(known) / len(known) if known else None,
    )


def read_page(
    engine: Engine, decode: Callable[[], Decoded], options: RecognizeOptions, cancel: CancelToken, emit: Emit
) -> Recognition:
    """Decode a page, let the engine read it, and put what it says together.

    Args:
        engine: loaded.
        decode: gives the picture; called here so that its time is measured and its errors are the page's.
        options: what the caller wants.
        cancel: stops the engine between lines.
        emit: told of each delta and block as it comes.

    Raises:
        Interrupted: the page was cancelled.
        pecia_core.errors.PeciaError: the page cannot be read.
    """
    began = perf_counter()
    page = decode()
    decoded = perf_counter()
    cancel.check()
    assembly = _Assembly(options, rotation=page.turned)
    _hear(engine.read(page.pixels, options, cancel), page, assembly, emit)
    ended = perf_counter()
    log.info(processing_time_event((ended - began) * 1000))
    log.info(memory_usage_event(resident_bytes()))
    timings = Timings(decode_ms=(decoded - began) * 1000, engine_ms=(ended - decoded) * 1000)
    return _recognition(engine, page, assembly, timings)


def read_together(
    engine: Engine,
    decodes: Sequence[Callable[[], Decoded]],
    options: RecognizeOptions,
    cancel: CancelToken,
    emit: Emit,
) -> Iterator[Recognition]:
    """Decode several pages, let the engine read them as one document, and put together each as it ends.

    Args, raises: as `read_page`; `decodes` gives the pictures, and `options.page_index` is the first page's.

    Returns:
        One Recognition a page, in order, of as many as the engine came to.
    """
    began = perf_counter()
    pages = []
    for number, decode in enumerate(decodes):
        with blaming(number):
            pages.append(decode())
    decode_ms = (perf_counter() - began) * 1000 / len(pages)
    cancel.check()
    # Only engines that say they can are asked: see `together.Together`.
    events = cast("ReadsTogether", engine).read_together([page.pixels for page in pages], options, cancel)
    for number, page in enumerate(pages, options.page_index):
        began = perf_counter()
        assembly = _Assembly(replace(options, page_index=number), rotation=page.turned)
        if not _hear(events, page, assembly, emit):
            break
        engine_ms = (perf_counter() - began) * 1000
        yield _recognition(engine, page, assembly, Timings(decode_ms=decode_ms, engine_ms=engine_ms))
    log.info(memory_usage_event(resident_bytes()))


def _hear(events: Iterator[EngineEvent], page: Decoded, assembly: _Assembly, emit: Emit) -> bool:
    """Follow a page to its end; whether the engine said that it has come."""
    finished = False
    for event in events:
        for said in _follow(assembly, placed(event, page)):
            emit(said)
        if isinstance(event, Finished):
            finished = True
            break
    for block in assembly.close_block():
        emit(block)
    return finished


def glance(
    engine: Engine, decode: Callable[[], Decoded], options: RecognizeOptions, cancel: CancelToken
) -> Recognition:
    """Which way up a page stands, and nothing else: engines that can tell say it before they read.

    Args, raises: as `read_page`.
    """
    page = decode()
    cancel.check()
    step = ceil(sqrt(page.pixels.shape[0] * page.pixels.shape[1] / _GLANCE_AREA))
    seen = np.asarray(Image.fromarray(page.pixels).reduce(step), np.uint8)
    first = next(engine.read(seen, options, cancel), None)
    rotation = first.rotation if isinstance(first, Oriented) else 0
    info = engine.info
    return Recognition(Page(page.width, page.height, rotation=rotation), "", info.name, info.revision)


def _follow(assembly: _Assembly, event: object) -> Iterator[Delta | Block]:
    match event:
        case Oriented():
            assembly.rotation = event.rotation
        case PlacedLine():
            yield from assembly.place(event)
        case Delta():
            yield assembly.say(event)
        case Block():
            yield from assembly.add_block(event)
        case Finished():
            assembly.finished = event


def _recognition(engine: Engine, decoded: Decoded, assembly: _Assembly, timings: Timings) -> Recognition:
    page = Page(
        width=decoded.width,
        height=decoded.height,
        blocks=tuple(assembly.blocks),
        index=assembly.options.page_index,
        rotation=assembly.rotation,
    )
    text = "".join(assembly.deltas)
    info = engine.info
    cut = figures.cut_out(decoded.as_sent, page) if assembly.options.figures else ()
    left_out = figures.count(page) - len(cut) if assembly.options.figures else 0
    return Recognition(
        page=page,
        text=text,
        engine=info.name,
        model=info.revision,
        finish_reason=assembly.finished.finish_reason,
        warnings=(*assembly.finished.warnings, *_figures_left_out(left_out)),
        timings=timings,
        usage=assembly.finished.usage or Usage(completion_tokens=len(text.split())),
        annotated_png=annotated(decoded.as_sent, page) if assembly.options.annotate else b"",
        figures=cut,
    )


def _figures_left_out(count: int) -> tuple[Notice, ...]:
    if not count:
        return ()
    why = "Figures that are not in the answer, being too many, too large, or off the page"
    return (Notice("figures_left_out", f"{why}: {count}."),)
