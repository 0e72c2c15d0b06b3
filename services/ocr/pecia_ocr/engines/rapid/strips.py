"""A quadrangle of the page, made straight and as high as the recognition model wants it."""

from math import ceil

import cv2
import numpy as np

from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.rapid.quads import Quad, sides

STRIP_HEIGHT = 48
_MIN_WIDTH, _MAX_WIDTH = 8, 6400  # longer lines are squeezed


def strip(pixels: Pixels, quad: Quad) -> Pixels:
    """The text inside `quad`, upright: STRIP_HEIGHT x true width x 3."""
    across, down = sides(quad)
    width, height = max(1, int(across)), max(1, int(down))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    straighten = cv2.getPerspectiveTransform(quad, corners)
    cut = cv2.warpPerspective(
        pixels, straighten, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    size = min(max(ceil(STRIP_HEIGHT * width / height), _MIN_WIDTH), _MAX_WIDTH)
    return np.asarray(cv2.resize(cut, (size, STRIP_HEIGHT)), np.uint8)
