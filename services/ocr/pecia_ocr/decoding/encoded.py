"""An encoded picture to the pixels a reader sees: upright, in colour, on white paper."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from pecia_core.errors import InvalidDocument, PeciaError, TooLarge
from pecia_core.header import sniff
from PIL import Image, ImageOps

from pecia_ocr.engines.base import Pixels

_BAND = 256  # rows copied at a time: Pillow needs a second copy of what it hands over
_MAX_PIXELS = 100_000_000
# A4 at 300 dots per inch has 8.7 million; lines are read 48 pixels high.
ENOUGH_PIXELS = 8_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture's pixels, and its true width and height, of which the pixels may be a reduction.

    `turned`: degrees clockwise by which the pixels were turned since; width and height are those from before.
    """

    pixels: Pixels
    width: int
    height: int
    turned: int = 0

    @property
    def as_sent(self) -> Pixels:
        """The pixels as they were before they were turned."""
        return np.rot90(self.pixels, self.turned // 90)

    def turn(self, degrees: int) -> "Decoded":
        """The same picture, turned clockwise by right angles."""
        if not degrees:
            return self
        pixels = np.ascontiguousarray(np.rot90(self.pixels, -(degrees // 90)))
        return replace(self, pixels=pixels, turned=(self.turned + degrees) % 360)


# Where pixels go, by height and width.
Paper = Callable[[int, int], Pixels]


def new_paper(height: int, width: int) -> Pixels:
    """Memory of this process."""
    return np.empty((height, width, 3), np.uint8)


def decode(data: bytes, max_pixels: int = _MAX_PIXELS) -> Pixels:
    """All pixels of the picture, or of its first frame, after its EXIF rotation.

    Raises:
        InvalidDocument: damaged, cut short, or empty.
        UnsupportedDocument: not a JPEG, PNG, WEBP, BMP or TIFF.
        TooLarge: more than `max_pixels`, or more than memory holds.
    """
    return decode_for_reading(data, max_pixels, enough=max_pixels).pixels


def decode_for_reading(
    data: bytes, max_pixels: int = _MAX_PIXELS, enough: int = ENOUGH_PIXELS, paper: Paper = new_paper
) -> Decoded:
    """The same, but a JPEG much larger than reading needs is decoded at a half, a quarter or an eighth.

    Args:
        data: the file.
        max_pixels: of the picture as it is.
        enough: pixels that stay at least.
        paper: gives room for the pixels, or raises where there is none for so many.

    Raises:
        InvalidDocument: damaged, cut short, or empty.
        UnsupportedDocument: not a JPEG, PNG, WEBP, BMP or TIFF.
        TooLarge: more than `max_pixels`, or more than memory holds.
    """
    header = sniff(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns at 89 million pixels (ours is the limit that counts) and of odd metadata.
            warnings.simplefilter("ignore")
            return _pixels(data, header.format, (max_pixels, enough), paper)
    except PeciaError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise _too_large(header.width, header.height) from error
    except Exception as error:  # decoders that meet hostile bytes raise whatever they stumble on
        raise InvalidDocument(
            f"The {header.format} picture is damaged or cut short: send the original file again."
        ) from error


def _pixels(data: bytes, name: str, bounds: tuple[int, int], paper: Paper) -> Decoded:
    max_pixels, enough = bounds
    with Image.open(BytesIO(data), formats=[name]) as picture:
        if picture.width * picture.height > max_pixels:
            raise _too_large(picture.width, picture.height)
        width, height = picture.size
        picture.draft(None, _reduced(width, height, enough))  # only the JPEG decoder can
        picture.load()
        reduced = picture.size
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.size != reduced:  # it lay on its side; a square one is as wide as high
            width, height = height, width
        return Decoded(_copied(_coloured(picture), paper), width, height)


def _reduced(width: int, height: int, enough: int) -> tuple[int, int]:
    """Half, a quarter or an eighth of the size, while enough pixels are left."""
    divisor = next(d for d in (8, 4, 2, 1) if d == 1 or width * height >= enough * d * d)
    return width // divisor, height // divisor


def _too_large(width: int, height: int) -> TooLarge:
    return TooLarge(
        f"{width} x {height} pixels are too many: send a smaller picture.", code="image_too_large"
    )


def _coloured(picture: Image.Image) -> Image.Image:
    """The same picture as RGB; what is transparent shows white paper."""
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.float32) / 257)
    if picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float64)
        darkest, brightest = float(values.min()), float(values.max())
        return _grey((values - darkest) * (255 / max(brightest - darkest, 1e-9)))
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _grey(values: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]") -> Image.Image:
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _copied(picture: Image.Image, paper: Paper) -> Pixels:
    pixels = paper(picture.height, picture.width)
    for top in range(0, picture.height, _BAND):
        bottom = min(top + _BAND, picture.height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, picture.width, bottom)))
    return pixels
