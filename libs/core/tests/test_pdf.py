"""PDFs become pictures, or errors that say what to do."""

import os
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, closing, suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.errors import InvalidDocument, InvalidRequest, PeciaError
from pecia_core.locked_pdf import locked
from pecia_core.pdf import PdfRenderer, RenderedPage, RenderLimits
from pecia_core.pdf.frames import Drawn, Render
from pecia_core.pdf.opened import CannotRead, Opened
from pecia_core.pdf.source import Source
from PIL import Image, JpegImagePlugin

BLACK_SQUARE = b"0 0 0 rg 50 50 100 100 re f"
MOST_PIXELS = 25_000_000


@pytest.fixture
async def renderer() -> AsyncIterator[PdfRenderer]:
    """One child, as the gateway has it."""
    async with PdfRenderer() as renderer:
        yield renderer


def opened(data: bytes) -> AbstractContextManager[Opened]:
    """As a child opens it, but in this process."""
    source = Source.of(data, None)
    try:
        return closing(Opened(os.dup(source.descriptor), None))
    finally:
        source.close()


def pages_of(*colours: str) -> bytes:
    """A PDF of A6-like pages, 300 x 400 points, each of one colour."""
    pictures = [Image.new("RGB", (300, 400), colour) for colour in colours]
    buffer = BytesIO()
    pictures[0].save(buffer, "PDF", resolution=72, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def seen(page: RenderedPage) -> Image.Image:
    """The picture as whoever gets it sees it."""
    picture = Image.open(BytesIO(page.jpeg))
    assert picture.format == "JPEG"
    assert picture.size == (page.width, page.height)
    return picture.convert("RGB")


def close(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """As close as a JPEG of quality 92 keeps a plain area."""
    return all(abs(one - two) <= 4 for one, two in zip(colour, other, strict=True))


class TestDrawing:
    async def test_pages_are_counted(self, renderer: PdfRenderer) -> None:
        """One, and more than one."""
        assert await renderer.page_count(pages_of("white")) == 1
        assert await renderer.page_count(pages_of("white", "red", "blue")) == 3

    async def test_each_page_is_drawn_as_itself(self, renderer: PdfRenderer) -> None:
        """Pages come by their index and in their own colours: red is not blue."""
        data = pages_of("red", "lime", "blue")
        for index, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
            pixel = seen(await renderer.render(data, index, 72)).getpixel((150, 200))
            assert isinstance(pixel, tuple)
            assert close(pixel, colour)

    @pytest.mark.parametrize(("dpi", "size"), [(72, (300, 400)), (144, (600, 800)), (200, (834, 1112))])
    async def test_size_follows_from_dots_per_inch(
        self, renderer: PdfRenderer, dpi: float, size: tuple[int, int]
    ) -> None:
        """A point is a 72nd of an inch; a part of a pixel is a whole one."""
        page = await renderer.render(pages_of("white"), 0, dpi)
        assert (page.width, page.height) == pytest.approx(size, abs=1)
        assert page.dpi == dpi

    async def test_pictures_are_fit_for_ocr(self, renderer: PdfRenderer) -> None:
        """Quality 92 with colours in full resolution: red print on white stays sharp."""
        page = await renderer.render(pages_of("white"), 0, 72)
        reference = BytesIO()
        Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=92, subsampling=0)
        with Image.open(BytesIO(page.jpeg)) as ours, Image.open(reference) as wanted:
            assert isinstance(ours, JpegImagePlugin.JpegImageFile)
            assert isinstance(wanted, JpegImagePlugin.JpegImageFile)
            assert ours.quantization == wanted.quantization
            assert JpegImagePlugin.get_sampling(ours) == 0

    async def test_a_turned_page_is_drawn_upright(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """/Rotate is obeyed: what is at the bottom left of the sheet is at the top left of the picture."""
        data = pdf_of(b"0 0 0 rg 0 0 50 50 re f", size=(200, 100), page=b"/Rotate 90")
        picture = seen(await renderer.render(data, 0, 72))
        assert picture.size == (100, 200)
        assert picture.getpixel((5, 5)) == (0, 0, 0)
        assert picture.getpixel((90, 190)) == (255, 255, 255)

    async def test_what_was_typed_into_a_form_is_drawn(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """The value of a form field is part of the page, as people see it."""
        field = (
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (x) /F 4 /Rect [50 50 150 150] "
            b"/AP << /N 6 0 R >> >>"
        )
        look = b"<< /Type /XObject /Subtype /Form /BBox [0 0 100 100] /Length 26 >>\nstream\n"
        look += b"0 0 0 rg 0 0 100 100 re f \nendstream"
        data = pdf_of(page=b"/Annots [5 0 R]", catalog=b"/AcroForm << /Fields [5 0 R] >>", more=[field, look])
        assert seen(await renderer.render(data, 0, 72)).getpixel((100, 100)) == (0, 0, 0)

    async def test_a_repr_shows_no_picture(self, renderer: PdfRenderer) -> None:
        """A page in a log or a traceback is its size, not its bytes."""
        page = await renderer.render(pages_of("white"), 0, 72)
        assert repr(page) == f"RenderedPage(300 x 400, {len(page.jpeg)} bytes)"


class TestPixelBombs:
    async def test_a_huge_page_is_drawn_with_fewer_dots(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """8400 points a side would be 544 megapixels at 200 dpi: pixels are capped, the shape is kept."""
        page = await renderer.render(pdf_of(BLACK_SQUARE, size=(8400, 8400)), 0, 200)
        assert page.width == page.height
        assert 0.99 * MOST_PIXELS < page.width * page.height <= MOST_PIXELS
        assert page.dpi == pytest.approx(72 * page.width / 8400, rel=0.01)

    @given(
        size=st.tuples(st.integers(3, 14_400), st.integers(3, 14_400)),
        dpi=st.integers(10, 1200),
        most=st.integers(10_000, 200_000),
    )
    def test_no_page_has_more_pixels_than_allowed(
        self, pdf_of: Callable[..., bytes], size: tuple[int, int], dpi: int, most: int
    ) -> None:
        """Whatever the size of the sheet, even where sides are rounded up to whole pixels."""
        with opened(pdf_of(size=size)) as document:
            drawn, jpeg = document.answer(Render(0, dpi, most))
        assert isinstance(drawn, Drawn)
        assert 0 < drawn.width * drawn.height <= most
        assert drawn.dpi <= dpi
        assert jpeg

    async def test_an_endless_strip_still_fits_a_jpeg(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """A till roll of 500 m has few pixels across and is held to what decoders take along."""
        page = await renderer.render(pdf_of(size=(20, 1_400_000)), 0, 200)
        assert page.height <= 32_001


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"%PDF-1.7\n", id="only a header"),
            pytest.param(b"<html><body>not found</body></html>", id="a web page"),
            pytest.param(pages_of("red")[:400], id="cut off"),
            pytest.param(bytes(range(256)) * 40, id="noise"),
        ],
    )
    async def test_what_is_no_pdf_is_refused(self, renderer: PdfRenderer, data: bytes) -> None:
        """Counting and drawing alike give a clean error with the next step, and the pool goes on."""
        for call in (renderer.page_count(data), renderer.render(data, 0, 72)):
            with pytest.raises(InvalidDocument, match="damaged or cut off") as refused:
                await call
            assert refused.value.code == "invalid_pdf"
        assert await renderer.page_count(pages_of("white")) == 1

    async def test_a_page_that_is_not_there_is_the_callers_mistake(self, renderer: PdfRenderer) -> None:
        """The document is fine; the request is not."""
        with pytest.raises(InvalidRequest, match="no such page"):
            await renderer.render(pages_of("white"), 1, 72)

    @pytest.mark.parametrize(("index", "dpi"), [(-1, 72), (0, 0), (0, -1), (0, float("nan"))])
    async def test_impossible_arguments_are_a_bug(
        self, renderer: PdfRenderer, index: int, dpi: float
    ) -> None:
        """They are refused before a child is asked."""
        with pytest.raises(ValueError, match="page_index"):
            await renderer.render(pages_of("white"), index, dpi)

    @pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
    async def test_an_encrypted_pdf_needs_its_password(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes], algorithm: str
    ) -> None:
        """Without it and with a wrong one there is a clear error; with the right one the page is read."""
        data = locked(pdf_of(BLACK_SQUARE), "open sesame", algorithm)
        for call in (renderer.page_count(data), renderer.render(data, 0, 72)):
            with pytest.raises(InvalidDocument, match="Save a copy without a password") as refused:
                await call
            assert refused.value.code == "pdf_encrypted"
        with pytest.raises(InvalidDocument, match="password does not open") as refused:
            await renderer.page_count(data, password="please")
        assert refused.value.code == "pdf_encrypted"
        assert await renderer.page_count(data, password="open sesame") == 1
        page = await renderer.render(data, 0, 72, password="open sesame")
        assert seen(page).getpixel((100, 100)) == (0, 0, 0)

    async def test_a_pdf_that_only_forbids_changes_is_read(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """Encrypted with an empty password, as bank statements are, it opens for everybody."""
        page = await renderer.render(locked(pdf_of(BLACK_SQUARE), ""), 0, 72)
        assert seen(page).getpixel((100, 100)) == (0, 0, 0)

    @pytest.mark.slow
    async def test_a_memory_bomb_costs_its_own_call_alone(
        self, renderer: PdfRenderer, pdf_of: Callable[..., bytes]
    ) -> None:
        """A megabyte that unpacks to half a gigabyte of drawing ends at the limit; the pool goes on."""
        packer = zlib.compressobj(9)
        content = b"".join(packer.compress(b"1 1 1 1 re f\n" * 80_000) for _ in range(500)) + packer.flush()
        with pytest.raises(InvalidDocument) as refused:
            await renderer.render(pdf_of(content, filter=b"/Filter /FlateDecode"), 0, 72)
        assert refused.value.code == "invalid_pdf"
        assert await renderer.page_count(pages_of("white")) == 1

    async def test_an_endless_page_is_given_up(self, endless_pdf: bytes) -> None:
        """Time is limited by page; the error says so and the pool goes on."""
        async with PdfRenderer(limits=RenderLimits(page_timeout_s=1.0)) as renderer:
            with pytest.raises(InvalidDocument, match="longer than 1 s") as refused:
                await renderer.render(endless_pdf, 0, 72)
            assert refused.value.code == "invalid_pdf"
            assert await renderer.page_count(endless_pdf) == 1

    @given(place=st.integers(0, 5000), junk=st.binary(min_size=1, max_size=20))
    def test_a_damaged_file_is_read_or_refused(self, place: int, junk: bytes) -> None:
        """Junk anywhere in a PDF gives a page count or a refusal, never another exception."""
        data = bytearray(pages_of("red", "blue"))
        data[place % len(data) : place % len(data) + len(junk)] = junk
        with suppress(CannotRead), opened(bytes(data)) as document:
            assert document.pages > 0

    async def test_every_error_says_what_to_do(self, renderer: PdfRenderer) -> None:
        """Messages are sentences for people, not what a library said."""
        with pytest.raises(PeciaError) as refused:
            await renderer.page_count(b"x")
        assert refused.value.message.endswith(".")
        assert "pdfium" not in refused.value.message.lower()
