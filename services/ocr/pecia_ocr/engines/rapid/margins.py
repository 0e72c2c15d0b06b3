"""The part of a page that has anything on it: empty margins need no search for text."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.base import Pixels

_LOOK = 768  # pixels of the longer side of the copy that is looked at
_FLAT = 8  # grey levels; a single faint character makes more, the noise of a good scan less
_SPARE = 0.02  # of the longer side, left around: the detector wants paper about a line


@dataclass(frozen=True, slots=True)
class Content:
    """A box on the page as received, in pixels; `right` and `bottom` are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    def corner(self, rotation: int, width: int, height: int) -> tuple[int, int]:
        """Where its top-left corner lies (x, y) on the page of this size after a turn clockwise."""
        return {
            0: (self.left, self.top),
            90: (height - self.bottom, self.left),
            180: (width - self.right, height - self.bottom),
            270: (self.top, width - self.right),
        }[rotation]


def content(pixels: Pixels) -> Content:
    """All but the margins whose rows or columns are of one shade; the whole page where all of it is."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _LOOK / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).mean(2)
    top, bottom = _marked(np.ptp(grey, axis=1))
    left, right = _marked(np.ptp(grey[top:bottom], axis=0))
    spare = _SPARE * max(height, width)
    x, y = width / size[0], height / size[1]
    return Content(
        max(0, int(left * x - spare)),
        max(0, int(top * y - spare)),
        min(width, int(right * x + spare) + 1),
        min(height, int(bottom * y + spare) + 1),
    )


def _marked(ranges: NDArray[np.floating]) -> tuple[int, int]:
    """From the first to the last line that is not of one shade."""
    marked = np.flatnonzero(ranges >= _FLAT)
    return (int(marked[0]), int(marked[-1]) + 1) if len(marked) else (0, len(ranges))
