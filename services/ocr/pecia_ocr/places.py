"""Places on the picture as it was sent, where an engine has seen a reduction of it."""

from dataclasses import replace

from pecia_core.document import Block, Line
from pecia_core.recognition import Delta

from pecia_ocr.decoding import Decoded
from pecia_ocr.engines.base import EngineEvent, PlacedLine


def enlarged(event: EngineEvent, page: Decoded) -> EngineEvent:
    """The same event, its polygons in pixels of the picture as sent."""
    height, width = page.pixels.shape[:2]
    if (width, height) == (page.width, page.height):
        return event
    x, y = page.width / width, page.height / height
    match event:
        case PlacedLine():
            return replace(event, line=_line(event.line, x, y))
        case Delta() if event.line is not None:
            return replace(event, line=_line(event.line, x, y))
        case Block():
            lines = tuple(_line(line, x, y) for line in event.lines)
            return replace(event, polygon=event.polygon.scaled(x, y), lines=lines)
        case _:
            return event


def _line(line: Line, x: float, y: float) -> Line:
    words = tuple(replace(word, polygon=word.polygon.scaled(x, y)) for word in line.words)
    return replace(line, polygon=line.polygon.scaled(x, y), words=words)
