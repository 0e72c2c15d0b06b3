"""Pixels that arrive as they are, from a caller who has decoded them already."""

import numpy as np
from pecia_core.errors import InvalidDocument

from pecia_ocr.engines.base import Pixels

_GREY, _RGB, _RGBA = 1, 3, 4


def from_raw(width: int, height: int, channels: int, stride: int, data: bytes) -> Pixels:
    """Check the shape against the bytes and copy the pixels.

    Args:
        width: pixels.
        height: pixels.
        channels: 1 = grey, 3 = RGB, 4 = RGBA on white paper; 8 bits each.
        stride: bytes from one row to the next; 0 = no gap.
        data: the rows, from the top; the last one may end with its last pixel.

    Raises:
        InvalidDocument: the numbers and the bytes do not fit together.
    """
    if width < 1 or height < 1:
        raise InvalidDocument(f"Raw pixels need a width and a height, not {width} x {height}.", param="raw")
    if channels not in (_GREY, _RGB, _RGBA):
        raise InvalidDocument(f"Raw pixels have 1, 3 or 4 channels, not {channels}.", param="raw.channels")
    packed = width * channels
    step = stride or packed
    if step < packed:
        raise InvalidDocument(
            f"A stride of {stride} bytes is too short for a row of {packed}.", param="raw.stride"
        )
    if not step * (height - 1) + packed <= len(data) <= step * height:
        raise InvalidDocument(
            f"{width} x {height} pixels, {channels} channels, {step} bytes a row need {step * height} bytes,"
            f" not {len(data)}.",
            param="raw.data",
        )
    rows = np.ndarray((height, width, channels), np.uint8, data, strides=(step, channels, 1))
    return _coloured(rows)


def _coloured(rows: Pixels) -> Pixels:
    if rows.shape[2] == _GREY:
        return np.repeat(rows, 3, axis=2)
    if rows.shape[2] == _RGB:
        return rows.copy()
    cover = rows[:, :, 3:].astype(np.uint16)
    return ((rows[:, :, :3] * cover + 255 * (255 - cover)) // 255).astype(np.uint8)
