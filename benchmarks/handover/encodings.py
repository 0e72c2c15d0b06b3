"""The ways in which a drawn page can be packed for its way to the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

Pixels = Image.Image


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to pack pixels; `exact` = they come out as they went in."""

    name: str
    pack: Callable[[Pixels], bytes]
    unpack: Callable[[bytes, tuple[int, int]], Pixels]
    exact: bool = False


DEFAULT = "JPEG q92 4:4:4"


def all_encodings() -> list[Encoding]:
    """The default first."""
    return [
        _jpeg(92, 0),
        _jpeg(85, 0),
        _jpeg(95, 0),
        _jpeg(92, 2),
        Encoding("PNG level 6", lambda page: _saved(page, "PNG"), _opened, exact=True),
        Encoding("PNG level 1", lambda page: _saved(page, "PNG", compress_level=1), _opened, exact=True),
        Encoding(
            "WEBP lossless, fastest",
            lambda page: _saved(page, "WEBP", lossless=True, quality=0, method=0),
            _opened,
            exact=True,
        ),
        Encoding(
            "raw",
            lambda page: page.tobytes(),
            lambda data, size: Image.frombytes("RGB", size, data),
            exact=True,
        ),
    ]


def _jpeg(quality: int, subsampling: int) -> Encoding:
    colours = {0: "4:4:4", 2: "4:2:0"}[subsampling]
    return Encoding(
        f"JPEG q{quality} {colours}",
        lambda page: _saved(page, "JPEG", quality=quality, subsampling=subsampling),
        _opened,
    )


def _saved(page: Pixels, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    page.save(buffer, kind, **options)
    return buffer.getvalue()


def _opened(data: bytes, _: tuple[int, int]) -> Pixels:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture.convert("RGB") if picture.mode != "RGB" else picture
