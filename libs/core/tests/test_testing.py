"""The project's own sample pictures."""

from io import BytesIO
from pathlib import Path

import pytest
from pecia_core.testing import blank_page, sample_page, sample_receipt
from PIL import Image

COMMITTED = Path(__file__).parents[3] / "examples" / "sample-receipt.png"


@pytest.mark.parametrize("sample", [sample_receipt, sample_page])
def test_samples_are_pictures_that_never_change(sample: object) -> None:
    """Drawn twice, a sample has the same bytes, and says as many lines as it promises."""
    assert callable(sample)
    data, lines = sample()
    assert sample() == (data, lines)
    assert Image.open(BytesIO(data)).format == "PNG"
    assert len(lines) >= 8


def test_the_committed_picture_is_the_drawn_one() -> None:
    """examples/sample-receipt.png shows what sample_receipt() promises, pixel for pixel."""
    with Image.open(COMMITTED) as committed, Image.open(BytesIO(sample_receipt()[0])) as drawn:
        assert committed.tobytes() == drawn.tobytes()


def test_blank_pages_are_white() -> None:
    """Nothing stands on them."""
    with Image.open(BytesIO(blank_page(30, 20))) as picture:
        assert picture.size == (30, 20)
        assert picture.getextrema() == ((255, 255),) * 3
