"""Where the text is: one quadrangle per run of text, by PP-OCR's DB detector."""

from dataclasses import dataclass
from itertools import islice, pairwise
from math import log, sqrt
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.base import CancelToken, Pixels
from pecia_ocr.engines.rapid.networks import Network, Tensor
from pecia_ocr.engines.rapid.quads import Quad, sides
from pecia_ocr.engines.rapid.turns import Turns

_STRIDE = 32  # the network halves its input five times
_MIN_SIDE = 3.0
_OVERLAP = 192  # pixels two bands of a large page share: some lines of print
_READABLE = 22.0  # pixels; the height of a line of ordinary print at the usual area


@dataclass(frozen=True, slots=True)
class DetectionLimits:
    """What counts as text; thresholds are the ones the model was published with.

    `max_area` is in pixels: above it, more resolution costs time and finds no more text, unless the text
    is so small that half of its boxes are less than `tiny` pixels high there. Such a page is looked at
    again, up to twice the area, in two bands: what the network once took of memory it keeps.
    """

    max_area: int = 1_200_000
    tiny: float = 16.0
    pixel_threshold: float = 0.3
    box_threshold: float = 0.5
    growth: float = 1.6
    max_candidates: int = 3000


class Detector:
    """Finds text on a page, turned by a right angle if need be."""

    def __init__(self, network: Network, limits: DetectionLimits, turns: Turns) -> None:
        """Use a loaded network that gives logits; `turns` is shared with whatever else computes."""
        self._network = network
        self._limits = limits
        self._turns = turns
        self._least_logit = log(limits.pixel_threshold / (1 - limits.pixel_threshold))

    def find(self, pixels: Pixels, rotation: int, cancel: CancelToken) -> list[Quad]:
        """All runs of text, in no order, in pixels of the page turned clockwise by `rotation`."""
        area = pixels.shape[0] * pixels.shape[1]
        ratio = min(1.0, sqrt(self._limits.max_area / area))
        quads = self._find(pixels, rotation, ratio, cancel)
        if not quads or ratio == 1.0:
            return quads
        height = median(min(sides(quad)) for quad in quads) * ratio
        if height >= self._limits.tiny:
            return quads
        closer = min(1.0, sqrt(2 * self._limits.max_area / area), ratio * _READABLE / max(height, 1.0))
        return self._find(pixels, rotation, closer, cancel)

    def _find(self, pixels: Pixels, rotation: int, ratio: float, cancel: CancelToken) -> list[Quad]:
        small = np.ascontiguousarray(np.rot90(_shrunk(pixels, ratio), -rotation // 90))
        blob = cv2.dnn.blobFromImage(small, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        heat = self._heat(np.asarray(blob, np.float32), cancel)
        height, width = pixels.shape[:2] if rotation % 180 == 0 else pixels.shape[1::-1]
        scale = np.array([width / heat.shape[1], height / heat.shape[0]])
        quads = (self._quad(contour, heat) for contour in self._contours(heat))
        return [_ordered(quad * scale, width, height) for quad in quads if quad is not None]

    def _heat(self, blob: Tensor, cancel: CancelToken) -> Tensor:
        """Logits of the whole picture, [height, width]."""
        if blob.shape[2] < blob.shape[3]:
            across = self._banded(blob.swapaxes(2, 3), cancel, turned=True)
            return across.T
        return self._banded(blob, cancel, turned=False)

    def _banded(self, blob: Tensor, cancel: CancelToken, *, turned: bool) -> Tensor:
        """The logits, in bands from top to bottom where the picture is larger than usual."""
        length = blob.shape[2]
        count = max(1, round(length * blob.shape[3] / self._limits.max_area))
        edges = [round(length * part / count / _STRIDE) * _STRIDE for part in range(count)] + [length]
        heat = np.empty((length, blob.shape[3]), np.float32)
        for top, bottom in pairwise(edges):
            first, last = max(0, top - _OVERLAP // 2), min(length, bottom + _OVERLAP // 2)
            band = blob[:, :, first:last]
            with self._turns.mine(cancel):
                said = self._network.run(
                    np.ascontiguousarray(band.swapaxes(2, 3) if turned else band), cancel
                )[0, 0]
            # Where a band is blank the network sees specks everywhere, none of them sure to be text.
            inked = said if said.max() > 0 else np.full_like(said, -np.inf)
            heat[top:bottom] = (inked.T if turned else inked)[top - first : bottom - first]
        return heat

    def _contours(self, heat: Tensor) -> list[NDArray[np.int32]]:
        mask = cv2.dilate((heat > self._least_logit).astype(np.uint8), np.ones((2, 2), np.uint8))
        found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        # A blank band is full of specks, which must not take the places of text.
        large = (contour for contour in found if min(cv2.boundingRect(contour)[2:]) > _MIN_SIDE)
        return [np.asarray(contour, np.int32) for contour in islice(large, self._limits.max_candidates)]

    def _quad(self, contour: NDArray[np.int32], heat: Tensor) -> NDArray[np.float64] | None:
        """The rectangle around a contour, grown to the text the detector shrank; None = not text."""
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _MIN_SIDE:
            return None
        core = np.asarray(cv2.boxPoints((centre, (width, height), angle)), np.float32)
        if _mean_inside(core, heat) < self._limits.box_threshold:
            return None
        # A rectangle offset outwards is a rectangle: no polygon clipping library is needed.
        margin = width * height * self._limits.growth / (width + height)
        grown = cv2.boxPoints((centre, (width + margin, height + margin), angle))
        return np.asarray(grown, np.float64)


def _shrunk(pixels: Pixels, ratio: float) -> Pixels:
    height, width = pixels.shape[:2]
    size = (_multiple(width * ratio), _multiple(height * ratio))
    method = cv2.INTER_AREA if ratio < 0.6 else cv2.INTER_LINEAR  # noqa: PLR2004 - measured
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def _multiple(length: float) -> int:
    return max(_STRIDE, round(length / _STRIDE) * _STRIDE)


def _mean_inside(corners: NDArray[np.float32], heat: Tensor) -> float:
    height, width = heat.shape
    left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int), [width - 1, height - 1])
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - [left, top]).astype(np.int32)], 1)
    chances = 1 / (1 + np.exp(-heat[top : bottom + 1, left : right + 1]))
    return float(cv2.mean(chances, mask)[0])


def _ordered(quad: NDArray[np.float64], width: int, height: int) -> Quad:
    """Inside the page, clockwise from the top-left corner."""
    inside = np.clip(quad, 0, [width, height]).astype(np.float32)
    by_x = inside[np.argsort(inside[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
