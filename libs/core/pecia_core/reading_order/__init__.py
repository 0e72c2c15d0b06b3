"""In which order a person reads the lines of a page: columns, then paragraphs, then rows.

Geometry alone decides; nothing here knows what the lines say.
"""

from collections.abc import Sequence

from pecia_core.geometry import BBox
from pecia_core.reading_order.columns import zones
from pecia_core.reading_order.paragraphs import paragraphs
from pecia_core.reading_order.rows import rows

__all__ = ["arrange"]


def arrange(boxes: Sequence[BBox]) -> list[list[list[int]]]:
    """Put boxes in reading order.

    Args:
        boxes: of the page's lines, upright, in pixels; in any order.

    Returns:
        Blocks of rows of indices into `boxes`. Each index stands in it exactly once. Boxes side by
        side (a label and its price, the cells of a table row) share a row; columns of running text
        do not.
    """
    return [
        block
        for zone in zones(boxes)
        for block in paragraphs(boxes, [row.members for row in rows(boxes, zone)])
    ]
