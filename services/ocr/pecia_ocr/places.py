"""Places on the picture as it was sent, where an engine has seen a reduction of it, or seen it turned."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pecia_core.document import Block, Line
from pecia_core.geometry import Polygon
from pecia_core.recognition import Delta

from pecia_ocr.decoding import Decoded
from pecia_ocr.engines.base import EngineEvent, Oriented, PlacedLine

Place = Callable[[Polygon], Polygon]


def placed(event: EngineEvent, page: Decoded) -> EngineEvent:
    """The same event, its polygons in pixels of the picture as sent, its rotation counted from there."""
    height, width = page.as_sent.shape[:2]
    if not page.turned and (width, height) == (page.width, page.height):
        return event
    place = partial(_place, page, width, height)
    match event:
        case Oriented():
            return Oriented((page.turned + event.rotation) % 360)
        case PlacedLine():
            return replace(event, line=_line(event.line, place))
        case Delta() if event.line is not None:
            return replace(event, line=_line(event.line, place))
        case Block():
            lines = tuple(_line(line, place) for line in event.lines)
            return replace(event, polygon=place(event.polygon), lines=lines)
        case _:
            return event


def _place(page: Decoded, width: int, height: int, polygon: Polygon) -> Polygon:
    """`width` and `height` are of the reduction before it was turned."""
    return polygon.unrotated(page.turned, width, height).scaled(page.width / width, page.height / height)


def _line(line: Line, place: Place) -> Line:
    words = tuple(replace(word, polygon=place(word.polygon)) for word in line.words)
    return replace(line, polygon=place(line.polygon), words=words)
