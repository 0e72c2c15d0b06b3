"""What both runtimes offer: one loaded network that computes, and stops when told."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.base import CancelToken

Tensor = NDArray[np.float32]


class Network(Protocol):
    """A loaded network with one input and one output. One thread computes at a time."""

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """Compute; a cancel stops it within a layer. The caller may keep the answer.

        Raises:
            Interrupted: it was cancelled.
        """
        ...
