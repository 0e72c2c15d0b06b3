"""The figures of a page, cut out: what the text names as `![](figure-1)`.

Where a figure stands is what a model says, so that boxes are not believed: they are cut off at the page's
edges, those without pixels are left out, and neither their number nor their size fills memory or an answer.
"""

import re
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from pecia_core.document import Block, Page
from pecia_core.recognition import Figure
from pecia_core.vocabulary import BlockKind
from PIL import Image

from pecia_ocr.engines.base import Pixels

MOST = 32
# A page of a book at 200 dpi; with the quality below a photograph of this size has half a megabyte.
MAX_SIDE = 1600
# Of all figures of a page together; base64 adds a third.
MAX_BYTES = 6 * 1024 * 1024
_LEAST_SIDE = 4  # pixels
_QUALITY = 90
_NAME = re.compile(r"!\[\]\((figure-\d+)\)")


def cut_out(pixels: Pixels, page: Page) -> tuple[Figure, ...]:
    """JPEGs of the page's figures, at most `MOST`, of `MAX_BYTES` together, in reading order.

    Args:
        pixels: height x width x 3, the page as received, or a reduction of it.
        page: its polygons are in pixels of `page.width` x `page.height`.
    """
    figures: list[Figure] = []
    left = MAX_BYTES
    for block, name in _named(page):
        figure = _figure(pixels, page, block, name)
        if figure is None:
            continue
        left -= len(figure.jpeg)
        if left < 0 or len(figures) == MOST:
            break
        figures.append(figure)
    return tuple(figures)


def count(page: Page) -> int:
    """How many figures the text of a page names."""
    return sum(1 for _ in _named(page))


def _named(page: Page) -> Iterator[tuple[Block, str]]:
    for block in page.blocks:
        if block.kind is BlockKind.FIGURE and (found := _NAME.match(block.content)):
            yield block, found[1]


def _figure(pixels: Pixels, page: Page, block: Block, name: str) -> Figure | None:
    crop = _crop(pixels, page, block)
    if min(crop.shape[:2]) < _LEAST_SIDE:
        return None
    # Thinned out before it is copied: every figure may be the whole page.
    step = max(1, max(crop.shape[:2]) // (2 * MAX_SIDE))
    upright = np.rot90(crop[::step, ::step], -(page.rotation // 90))
    picture = Image.fromarray(np.ascontiguousarray(upright))
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    file = BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return Figure(name, block.reading_order, picture.width, picture.height, file.getvalue())


def _crop(pixels: Pixels, page: Page, block: Block) -> Pixels:
    height, width = pixels.shape[:2]
    x, y = width / max(page.width, 1), height / max(page.height, 1)
    box = block.polygon.scaled(x, y).clipped(width, height).bbox
    return pixels[int(box.y0) : round(box.y1), int(box.x0) : round(box.x1)]
