"""Pictures far larger than reading needs: decoded smaller, told in the pixels that were sent."""

from io import BytesIO

import pytest
from pecia_core.geometry import Polygon
from pecia_core.recognition import Delta, RecognizeOptions
from pecia_ocr.decoding import Decoded, decode_for_reading
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.scripted import ScriptedEngine
from pecia_ocr.reading import read_page
from PIL import Image

TURNED = 0x0112


def jpeg(width: int, height: int, mode: str = "RGB", orientation: int = 1) -> bytes:
    """A white picture with a black top-left quarter."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste("black", (0, 0, width // 2, height // 2))
    exif = Image.Exif()
    exif[TURNED] = orientation
    buffer = BytesIO()
    picture.convert(mode).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((400, 300), (400, 300)),
        ((800, 600), (400, 300)),
        ((799, 599), (799, 599)),
        ((801, 601), (401, 301)),
        ((1600, 1200), (400, 300)),
        ((3200, 2400), (400, 300)),
        ((6400, 4800), (800, 600)),
    ],
)
def test_large_jpegs_are_decoded_at_a_fraction(size: tuple[int, int], seen: tuple[int, int]) -> None:
    """A half, a quarter or an eighth, as long as enough pixels stay; the true size is remembered."""
    page = decode_for_reading(jpeg(*size), enough=400 * 300)
    assert page.pixels.shape[1::-1] == seen
    assert (page.width, page.height) == size


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_modes_are_reduced_too(mode: str) -> None:
    """Grey and printers' colours come out as before."""
    page = decode_for_reading(jpeg(800, 600, mode), enough=400 * 300)
    assert page.pixels.shape == (300, 400, 3)
    corners = [int(page.pixels[10, 10].mean()), int(page.pixels[290, 390].mean())]
    assert corners == pytest.approx([0, 255], abs=12)


def test_a_picture_on_its_side_has_its_upright_size() -> None:
    """The EXIF rotation swaps width and height, reduced or not."""
    page = decode_for_reading(jpeg(800, 600, orientation=6), enough=400 * 300)
    assert page.pixels.shape == (400, 300, 3)
    assert (page.width, page.height) == (600, 800)
    assert page.pixels[10, 290].mean() < 12


def test_other_formats_are_not_reduced() -> None:
    """Only the JPEG decoder can leave pixels out without decoding them."""
    buffer = BytesIO()
    Image.new("RGB", (800, 600), "white").save(buffer, "PNG")
    assert decode_for_reading(buffer.getvalue(), enough=100).pixels.shape == (600, 800, 3)


def test_places_are_told_in_the_pixels_that_were_sent() -> None:
    """Size of the page, lines and blocks, whatever the engine saw."""
    engine = ScriptedEngine()
    engine.load(lambda _: None)
    said: list[object] = []

    def decode() -> Decoded:
        return decode_for_reading(jpeg(1600, 1200), enough=400 * 300)

    options = RecognizeOptions(ref_text="lines count=2")
    page = read_page(engine, decode, options, CancelToken(), said.append).page
    assert (page.width, page.height) == (1600, 1200)
    lower = page.blocks[0].lines[1].polygon
    assert lower == Polygon.of([(0, 600), (1600, 600), (1600, 1200), (0, 1200)])
    assert page.blocks[0].polygon.bbox.y1 == 1200
    deltas = [event for event in said if isinstance(event, Delta)]
    assert deltas[1].line is not None
    assert deltas[1].line.polygon == lower
