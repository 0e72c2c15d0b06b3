"""Data URLs, kinds, and pages: what is taken in and what is refused."""

import base64
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
    """With a limit of a megabyte and two pages."""
    intake = Intake(LimitSettings(max_upload_mb=1, max_pdf_pages=2), FetchSettings(), PdfSettings())
    yield intake
    await intake.close()


def _pdf(pages: int) -> bytes:
    buffer = io.BytesIO()
    first, *rest = [Image.new("RGB", (100, 140), "white") for _ in range(pages)]
    first.save(buffer, "PDF", save_all=True, append_images=rest)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,aGVsbG8=",
        "data:image/png;base64,aGVsbG8",
        "data:;base64,aGVs bG8=\n",
        "DATA:image/png;charset=x;BASE64,aGVsbG8=",
        "data:image/png;base64,aGVsbG8%3D",
        " \ndata:image/png;base64,aGVsbG8=\n",
    ],
)
async def test_a_data_url_is_decoded(intake: Intake, url: str) -> None:
    """With or without padding, media type and white space; escaped as in any URL."""
    assert (await intake.from_url(url, param="p")).data == b"hello"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,####", "invalid_base64_image"),
        ("data:image/png;base64,a", "invalid_base64_image"),
        ("data:image/png,hello", "invalid_image_url"),
        ("data:image/png;base64", "invalid_image_url"),
        ("", "invalid_image_url"),
        ("hello", "invalid_image_url"),
        ("data:image/png;base64," + "A" * 4_000_000, "image_file_too_large"),
        ("data:image/png;base64," + base64.b64encode(b"x" * (2**20 + 1)).decode(), "image_file_too_large"),
    ],
)
async def test_a_broken_url_names_its_field(intake: Intake, url: str, code: str) -> None:
    """Each refusal has its code and the parameter at fault."""
    with pytest.raises(PeciaError) as caught:
        await intake.from_url(url, param="messages[0].content[0]")
    assert (caught.value.code, caught.value.param) == (code, "messages[0].content[0]")


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        (Upload(b"", "image/png"), "empty_image_file"),
        (Upload(b"<html>", "image/png"), "unsupported_image_media_type"),
        (Upload(b"\x89PNG\r\n\x1a\n", "text/html"), "unsupported_image_media_type"),
        (Upload(b"x" * (2**20 + 1), "image/png"), "image_file_too_large"),
    ],
)
async def test_a_file_that_is_no_picture_is_refused(intake: Intake, upload: Upload, code: str) -> None:
    """By its bytes, and by a claim that contradicts them."""
    with pytest.raises(PeciaError) as caught:
        await intake.pages(upload, param="file")
    assert caught.value.code == code


async def test_a_picture_is_one_page_untouched(intake: Intake) -> None:
    """The gateway decodes nothing."""
    data = b"\xff\xd8\xff and whatever follows"
    assert await intake.pages(Upload(data, ""), param="file") == [data]


async def test_a_short_pdf_becomes_pictures(intake: Intake) -> None:
    """One JPEG a page."""
    pages = await intake.pages(Upload(_pdf(2), "application/pdf"), param="file")
    assert [Image.open(io.BytesIO(page)).format for page in pages] == ["JPEG", "JPEG"]


async def test_a_long_pdf_is_sent_to_jobs(intake: Intake) -> None:
    """The message says where it belongs."""
    with pytest.raises(PeciaError, match="/v1/jobs") as caught:
        await intake.pages(Upload(_pdf(3), ""), param="file")
    assert caught.value.code == "pdf_too_many_pages"
