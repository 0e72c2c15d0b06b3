"""The pictures that tests and samples use are what they say they are."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pecia_core.testing import blank_page, png, sample_page, sample_receipt
from PIL import Image


@pytest.mark.parametrize("sample", [sample_receipt, sample_page])
def test_a_sample_is_the_same_every_time(sample: Callable[[], object]) -> None:
    """Caches, digests and comparisons may rely on its bytes."""
    assert sample() == sample()


def test_samples_are_pictures_with_ink_where_text_is_said_to_be() -> None:
    """Each sample has as many separate bands of ink as it says it has rows."""
    for data, rows in (sample_receipt(), sample_page()):
        grey = np.asarray(Image.open(BytesIO(data)).convert("L"))
        inked = [bool(row.min() < 128) for row in grey]
        bands = sum(here and not above for above, here in zip([False, *inked], inked, strict=False))
        assert bands >= len(rows)
        assert all(rows)


def test_a_blank_page_has_no_ink() -> None:
    """White from corner to corner, in the size asked for."""
    page = Image.open(BytesIO(blank_page(30, 20))).convert("L")
    assert page.size == (30, 20)
    assert page.getextrema() == (255, 255)


def test_png_keeps_every_pixel() -> None:
    """Tests compare pixels, so nothing may be lost."""
    picture = Image.effect_noise((40, 30), 80)
    assert Image.open(BytesIO(png(picture))).tobytes() == picture.tobytes()
