"""TIFFs of several pages: a picture a page, within the limit."""

import io
from collections.abc import AsyncIterator

import pytest
from pecia_core.errors import PeciaError
from pecia_fetch.settings import FetchSettings
from pecia_gateway.intake import Intake, Upload
from pecia_gateway.settings import LimitSettings, PdfSettings
from PIL import Image


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
