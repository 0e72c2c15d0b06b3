"""Large pages of small print are looked at in bands: as much is found, and memory stays what it was."""

import cv2
import numpy as np
import pytest
from pecia_ocr.engines.base import CancelToken, Pixels
from pecia_ocr.engines.rapid import parts, weights
from pecia_ocr.engines.rapid.detection import DetectionLimits, Detector
from pecia_ocr.engines.rapid.networks import Network, Precision, Runtime, Tensor, choose
from pecia_ocr.engines.rapid.turns import Turns

AREA = 300_000
LINES = 34

pytestmark = pytest.mark.engine


class Watched:
    """A network that remembers how large a picture it was given."""

    def __init__(self, network: Network) -> None:
        """Nothing yet."""
        self._network = network
        self.areas: list[int] = []

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """As the network does."""
        self.areas.append(tensor.shape[2] * tensor.shape[3])
        return self._network.run(tensor, cancel)


@pytest.fixture(scope="module")
def network() -> Watched:
    """The real detector."""
    make = choose(Runtime.AUTO, Precision.F32, threads=1)
    return Watched(make(parts.detector(weights.packaged().detection)))


def small_print(*, wide: bool = False) -> Pixels:
    """A page of lines a dozen pixels high; `wide`: two columns of half as many."""
    page = np.full((1000, 700, 3), 255, np.uint8)
    for line in range(LINES):
        words = f"{line:02d} the quick brown fox jumps over it"
        cv2.putText(
            page, words, (40, 40 + 28 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
        )
    if wide:
        half = page.shape[0] // 2 - 10
        page = np.hstack([page[:half], page[half : 2 * half]])
    return page


@pytest.mark.parametrize("wide", [False, True])
def test_bands_find_what_one_look_finds(network: Watched, *, wide: bool) -> None:
    """Every line, wherever the bands meet, in the same place; no band is much larger than the first look."""
    page = small_print(wide=wide)
    whole = Detector(network, DetectionLimits(max_area=page.shape[0] * page.shape[1]), Turns())
    expected = whole.find(page, 0, CancelToken())
    network.areas.clear()
    banded = Detector(network, DetectionLimits(max_area=AREA, tiny=1000.0), Turns())
    found = banded.find(page, 0, CancelToken())
    assert len(network.areas) >= 3
    assert max(network.areas) < 1.35 * AREA
    assert len(expected) >= LINES
    apart = [min(np.abs(quad - other).max() for other in found) for quad in expected]
    assert len(found) == len(expected)
    assert max(apart) < 12
