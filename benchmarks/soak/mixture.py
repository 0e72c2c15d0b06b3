"""Pages without end, no two alike: the pictures of a data set in sizes that vary from page to page."""

from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from benchmarks.quality.dataset import DataSet

_SMALLEST, _LARGEST = 0.5, 1.3
_MOST_PIXELS = 6_000_000
_UNTOUCHED_EVERY = 10


def page(data: DataSet, number: int) -> bytes:
    """Page `number`, the same each time. Every tenth is a file as it is, huge scans included."""
    path = data.samples[number % len(data.samples)].picture
    if number // len(data.samples) % _UNTOUCHED_EVERY == 0:
        return path.read_bytes()
    return _resized(path, Random(number).uniform(_SMALLEST, _LARGEST))  # noqa: S311 - nothing secret


def _resized(path: Path, factor: float) -> bytes:
    with Image.open(path) as picture:
        factor *= min(1.0, (_MOST_PIXELS / (picture.width * picture.height)) ** 0.5)
        size = (max(32, round(picture.width * factor)), max(32, round(picture.height * factor)))
        picture.draft("RGB", size)
        buffer = BytesIO()
        picture.convert("RGB").resize(size).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
