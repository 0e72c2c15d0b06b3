"""TIFFs of several pages: parted where they can be, refused where they are broken."""

import io
import struct
from collections.abc import AsyncIterator

import pytest
from pecia_core import tiff
from pecia_core.errors import PeciaError
from pecia_fetch.settings import FetchSettings
from pecia_gateway.intake import Intake, Upload
from pecia_gateway.settings import LimitSettings, PdfSettings
from PIL import Image

REDUCED, PAGE_OF_MANY, MASK = 1, 2, 4


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    """With a limit of three pages."""
    intake = Intake(LimitSettings(max_pdf_pages=3), FetchSettings(), PdfSettings())
    yield intake
    await intake.close()


def pictures(count: int, mode: str = "L") -> list[Image.Image]:
    """Each of its own size and shade."""
    return [Image.new(mode, (30 + page, 20), 1 if mode == "1" else 10 + page) for page in range(count)]


def saved(pages: list[Image.Image], **options: object) -> bytes:
    """All of them in one file."""
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:], **options)
    return buffer.getvalue()


def directories(*kinds: int, order: str = "<", then: int = 0) -> bytes:
    """A TIFF of nothing but directories, each with its kind; the last one names `then` as its next."""
    size = 2 + 12 + 4
    places = [8 + size * index for index in range(len(kinds))]
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = (struct.pack(order + "HHHII", 1, 254, 4, 1, kind) for kind in kinds)
    nexts = (struct.pack(order + "I", place) for place in (*places[1:], then))
    return header + b"".join(entry + after for entry, after in zip(entries, nexts, strict=True))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
async def test_every_page_is_read(intake: Intake, compression: str) -> None:
    """However it is packed, each page's file holds that page alone, with its own size and pixels."""
    originals = pictures(3)
    data = saved(originals, compression=compression)
    pages = [Image.open(io.BytesIO(page)) for page in await intake.pages(Upload(data, ""), param="file")]
    assert [(page.n_frames, page.size) for page in pages] == [(1, page.size) for page in originals]  # type: ignore[attr-defined]
    assert [page.getpixel((5, 5)) for page in pages] == pytest.approx([10, 11, 12], abs=1)


async def test_fax_pages_are_read(intake: Intake) -> None:
    """Black and white, as scanners and fax machines write it."""
    data = saved(pictures(2, "1"), compression="group4")
    pages = await intake.pages(Upload(data, "image/tiff"), param="file")
    assert [Image.open(io.BytesIO(page)).size for page in pages] == [(30, 20), (31, 20)]


async def test_too_many_pages_are_refused(intake: Intake) -> None:
    """With the code of a PDF of too many pages."""
    with pytest.raises(PeciaError, match="more than 3 pages") as caught:
        await intake.pages(Upload(saved(pictures(4)), ""), param="file")
    assert (caught.value.code, caught.value.param) == ("pdf_too_many_pages", "file")


@pytest.mark.parametrize("order", ["<", ">"])
def test_copies_and_masks_are_no_pages(order: str) -> None:
    """A camera's preview is not read a second time."""
    data = directories(0, REDUCED, PAGE_OF_MANY, PAGE_OF_MANY | MASK, order=order)
    first, second = tiff.pages(data, 8)
    assert struct.unpack_from(order + "I", first, 4) == (8,)
    assert struct.unpack_from(order + "I", second, 4) == (8 + 2 * 18,)
    assert len(first) == len(second) == len(data)


@pytest.mark.parametrize("data", [b"II*\0", b"II*\0\0\0\0\0", b"MM\0*\xff\xff\xff\xff", directories(REDUCED)])
def test_a_file_without_pages_is_left_as_it_is(data: bytes) -> None:
    """The service that decodes it knows what to say."""
    assert tiff.pages(data, 8) == [data]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (directories(0, 0, then=8), "back to a former page"),
        (directories(0, then=2**32 - 1), "out of the file"),
        (directories(0, then=8 + 18 - 1), "out of the file"),
        (directories(*[REDUCED] * 257), "more than 256"),
    ],
)
def test_a_broken_list_of_pages_is_refused(data: bytes, why: str) -> None:
    """A document of which pages would be missing is not half read; nothing turns in circles."""
    with pytest.raises(PeciaError, match=why) as caught:
        tiff.pages(data, 8)
    assert caught.value.code == "invalid_image"
