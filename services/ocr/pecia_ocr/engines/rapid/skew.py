"""A page that lies a little askew, put straight for the reading order."""

from collections.abc import Sequence
from math import atan2, cos, sin

import numpy as np
from pecia_core.geometry import BBox

from pecia_ocr.engines.rapid.quads import Quad, sides

_WIDE = 3.0  # shorter runs of text have no slope to speak of


def levelled(quads: Sequence[Quad]) -> list[BBox]:
    """Upright boxes around the quads after the page's skew is taken out.

    The boxes are right relative to each other; they are not places on the page.
    """
    angle = _skew(quads)
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    level = [quad @ turn for quad in quads]
    return [BBox(*map(float, (*points.min(0), *points.max(0)))) for points in level]


def _skew(quads: Sequence[Quad]) -> float:
    """Radians clockwise: the median slope of the long lines."""
    slopes = []
    for quad in quads:
        across, down = sides(quad)
        if across >= _WIDE * down:
            (x0, y0), (x1, y1) = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
            slopes.append(atan2(y1 - y0, x1 - x0))
    return float(np.median(slopes)) if slopes else 0.0
