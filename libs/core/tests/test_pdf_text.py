"""The text layer of honest pages: every word, in reading order, where it stands on the drawn page."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from pecia_core.errors import InvalidRequest
from pecia_core.pdf import PdfRenderer, TextLayer, Verdict
from pecia_core.sample_pdf import PROSE, Parts, digital_pdf, prose, text_at
from PIL import Image


@pytest.fixture
async def renderer() -> AsyncIterator[PdfRenderer]:
    """One child."""
    async with PdfRenderer() as renderer:
        yield renderer


async def layer_of(renderer: PdfRenderer, data: bytes, dpi: float = 150) -> TextLayer:
    """Of the first page."""
    async with renderer.open(data) as document:
        return await document.text(0, dpi)


async def test_an_honest_page_is_trusted(renderer: PdfRenderer) -> None:
    """Every line comes out as it was written, with its words."""
    layer = await layer_of(renderer, digital_pdf(prose()))
    assert (layer.verdict, layer.trusted) == (Verdict.TRUSTED, True)
    assert layer.text.split("\n") == list(PROSE)
    assert layer.page
    assert [word.text for line in layer.page.lines() for word in line.words] == " ".join(PROSE).split()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
async def test_words_are_where_their_ink_is(renderer: PdfRenderer, rotate: int) -> None:
    """However the page is turned, each word's polygon holds ink of the drawn page, and its rim does not."""
    turns = {0: b"1 0 0 1 0 0", 90: b"0 1 -1 0 300 0", 180: b"-1 0 0 -1 400 300", 270: b"0 -1 1 0 0 400"}
    size = (300, 400) if rotate % 180 else (400, 300)
    content = b"q %s cm\n%sQ" % (turns[rotate], prose())
    data = digital_pdf(content, Parts(size=size, page=b"/Rotate %d" % rotate))
    async with renderer.open(data) as document:
        layer, drawn = await document.text(0, 150), await document.render(0, 150)
    picture = Image.open(BytesIO(drawn.jpeg)).convert("L")
    assert layer.page
    assert (layer.page.width, layer.page.height) == picture.size
    assert layer.text.split("\n") == list(PROSE)
    for word in (word for line in layer.page.lines() for word in line.words):
        box = word.polygon.bbox
        inside = picture.crop((int(box.x0), int(box.y0), int(box.x1) + 1, int(box.y1) + 1))
        assert min(inside.tobytes()) < 80
        left = picture.crop((int(box.x0) - 6, int(box.y0), int(box.x0) - 3, int(box.y1)))
        assert min(left.tobytes()) > 180


async def test_columns_are_read_one_after_the_other(renderer: PdfRenderer) -> None:
    """Written row by row into the file, two columns of running text are still read as columns."""
    left = [f"Kolom kiri baris nomor {row} berisi kalimat panjang" for row in range(1, 9)]
    right = [f"Kolom kanan baris nomor {row} berisi kalimat lain" for row in range(1, 9)]
    content = b"".join(
        text_at(30, 270 - 16 * row, left[row], 9) + text_at(290, 270 - 16 * row, right[row], 9)
        for row in range(8)
    )
    layer = await layer_of(renderer, digital_pdf(content, Parts(size=(540, 300))))
    assert layer.text.replace("\n\n", "\n").split("\n") == left + right


async def test_what_is_off_the_page_is_left_out(renderer: PdfRenderer) -> None:
    """A printer's marks beside the sheet are seen by nobody and said by nobody."""
    content = prose() + text_at(30, -40, "rahasia di luar halaman") + text_at(900, 100, "juga ini")
    layer = await layer_of(renderer, digital_pdf(content))
    assert layer.text.split("\n") == list(PROSE)


async def test_a_huge_page_is_placed_as_it_is_drawn(renderer: PdfRenderer) -> None:
    """Where pixels are capped, layer and picture have the same size and the same dots per inch."""
    data = digital_pdf(prose(3000, 8000), Parts(size=(8400, 8400)))
    async with renderer.open(data) as document:
        layer, drawn = await document.text(0, 200), await document.render(0, 200)
    assert layer.dpi == drawn.dpi < 200
    assert not layer.page or (layer.page.width, layer.page.height) == (drawn.width, drawn.height)


@pytest.mark.parametrize("content", [b"", text_at(30, 200, "Halaman 7")])
async def test_a_page_with_hardly_any_text_is_not_trusted(renderer: PdfRenderer, content: bytes) -> None:
    """A page number under a scan is no text layer."""
    layer = await layer_of(renderer, digital_pdf(content))
    assert (layer.verdict, layer.page, layer.text) == (Verdict.TOO_LITTLE, None, "")
    assert layer.reason.endswith(".")


async def test_soft_hyphens_are_no_damage(renderer: PdfRenderer) -> None:
    """A word parted at the end of a line keeps the hyphen that is drawn there."""
    content = prose() + text_at(30, 140, "pembagian sisa hasil usaha koper-") + text_at(30, 124, "asi daerah")
    layer = await layer_of(renderer, digital_pdf(content))
    assert layer.trusted
    assert "usaha koper-\nasi daerah" in layer.text


async def test_there_is_no_text_of_a_page_that_is_not_there(renderer: PdfRenderer) -> None:
    """As with drawing, that is the caller's mistake."""
    async with renderer.open(digital_pdf(prose())) as document:
        with pytest.raises(InvalidRequest, match="no such page"):
            await document.text(1, 150)
