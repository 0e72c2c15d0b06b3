"""The formats that are read, and nothing else that Pillow could open."""

from importlib import import_module
from io import BytesIO

from PIL import Image

READ = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
# A photograph with a preview beside it is a JPEG whose reader Pillow fetches when it meets one.
_MODULES = ("Bmp", "Jpeg", "Mpo", "Png", "Tiff", "WebP")


def only_these() -> None:
    """Load the readers of these formats and forget all others: PSD, FITS, EPS and the rest.

    Call it once, before any picture: Pillow loads every reader it has when it meets a format it does not
    know yet.
    """
    Image.preinit()
    for name in _MODULES:
        import_module(f"PIL.{name}ImagePlugin")
    for name in set(Image.OPEN) - set(READ):
        del Image.OPEN[name]
    Image.ID[:] = READ


def samples() -> list[bytes]:
    """A small picture of each kind that is read in a way of its own; decoded, they load what is needed."""
    kinds = (
        *(("BMP", "RGB"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16")),
        *(("TIFF", "1"), ("TIFF", "F"), ("TIFF", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA")),
    )
    return [_encoded(name, mode) for name, mode in kinds]


def _encoded(name: str, mode: str) -> bytes:
    buffer = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"compression": "tiff_lzw"} if name == "TIFF" else {"exif": exif} if name != "BMP" else {}
    Image.new(mode, (8, 9)).save(buffer, name, **options)
    return buffer.getvalue()
