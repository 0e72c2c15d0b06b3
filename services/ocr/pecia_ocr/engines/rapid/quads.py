"""Boxes around text that need not lie level: four corners."""

import numpy as np
from numpy.typing import NDArray

# 4 x 2, pixels, clockwise from the top-left corner of the text as it stands on the picture.
Quad = NDArray[np.float32]


def sides(quad: Quad) -> tuple[float, float]:
    """Width and height in pixels: the longer of each pair of opposite sides."""
    edges = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(max(edges[0], edges[2])), float(max(edges[1], edges[3]))


def turned(quad: Quad, rotation: int) -> Quad:
    """The corners from the text's top-left one, where the text reads after `rotation` degrees clockwise."""
    return np.roll(quad, rotation // 90, axis=0)
