"""Hostile PDFs through the pool: a clear error or a partial result, never a hang, and the next call works."""

import time
import zlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from pecia_core.errors import InvalidDocument
from pecia_core.pdf import PdfRenderer, RenderedPage, RenderLimits, TextLayer
from pecia_core.pdf.maker import document, stream
from pecia_core.sample_pdf import Parts, digital_pdf, long_pdf, prose, text_at

# Some of these would work for hours: they are given up after this time, by a child of their own.
_PATIENCE_S = 3.0
GOOD = digital_pdf(prose())


@pytest.fixture
async def renderer() -> AsyncIterator[PdfRenderer]:
    """One child."""
    async with PdfRenderer() as renderer:
        yield renderer


@pytest.fixture
async def impatient() -> AsyncIterator[PdfRenderer]:
    """One child that gives up soon."""
    async with PdfRenderer(limits=RenderLimits(page_timeout_s=_PATIENCE_S)) as renderer:
        yield renderer


def image(entries: bytes, data: bytes) -> Parts:
    """A page's image /Bomb that claims to be a hundred thousand pixels wide and high."""
    about = b"/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /BitsPerComponent %s" % entries
    return Parts(resources=b"/XObject << /Bomb 6 0 R >>", more=(stream(about, data),))


def deflated(megabytes: int) -> bytes:
    """Zeros that unpack to so much."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def nested(depth: int) -> bytes:
    """A page whose content is a form that draws itself."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /Me 6 0 R >> >>"
    parts = Parts(resources=b"/XObject << /Me 6 0 R >>", more=(stream(form, b"/Me Do " * depth),))
    return digital_pdf(b"/Me Do", parts)


SHOW = b"q 400 0 0 300 0 0 cm /Bomb Do Q"
# A JPEG 2000 and a JBIG2 header with sides of two thousand million.
JPX = bytes.fromhex(
    "ff4fff5100290000 7fffffff7fffffff 0000000000000000 7fffffff7fffffff 0000000000000000 0001 070101 ffd9"
)
JBIG2 = bytes.fromhex("00000000 30 00 01 00000013 7fffffff 7fffffff 00000000 00000000 00 0000")
BOMBS = {
    "image of zeros": lambda: digital_pdf(
        SHOW, image(b"8 /ColorSpace /DeviceRGB /Filter /FlateDecode", deflated(64))
    ),
    "zeros packed twice": lambda: digital_pdf(
        SHOW,
        image(
            b"8 /ColorSpace /DeviceRGB /Filter [/FlateDecode /FlateDecode]", zlib.compress(deflated(256), 9)
        ),
    ),
    "jpeg 2000": lambda: digital_pdf(SHOW, image(b"8 /ColorSpace /DeviceRGB /Filter /JPXDecode", JPX)),
    "jbig2": lambda: digital_pdf(SHOW, image(b"1 /ColorSpace /DeviceGray /Filter /JBIG2Decode", JBIG2)),
    "inline image": lambda: digital_pdf(
        b"q 400 0 0 300 0 0 cm BI /W 60000 /H 60000 /BPC 8 /CS /RGB ID " + bytes(5000) + b" EI Q"
    ),
    "inline image of megabytes": lambda: digital_pdf(
        b"q 9 0 0 9 0 0 cm BI /W 4000 /H 3000 /BPC 8 /CS /G ID " + bytes(12_000_000) + b" EI Q"
    ),
    "form in itself": lambda: nested(1),
    "form in itself many times": lambda: nested(50),
    "brackets": lambda: digital_pdf(b"[" * 2_000_000),
    "saved states": lambda: digital_pdf(b"q " * 1_000_000),
    "dictionaries": lambda: digital_pdf(
        prose(), Parts(page=b"/X " + b"<< /X " * 50_000 + b"1 " + b">>" * 50_000)
    ),
    "a huge sheet": lambda: digital_pdf(prose(), Parts(size=(14_400_000, 14_400_000))),
    "no sheet": lambda: digital_pdf(prose(), Parts(size=(0, 0))),
}


async def outcome(call: Awaitable[object]) -> object:
    """What a call gives, or the refusal of a broken PDF; anything else is a failure."""
    try:
        return await call
    except InvalidDocument as error:
        return (error.code, error.message[-1])


REFUSED = ("invalid_pdf", ".")


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_costs_its_own_page_alone(impatient: PdfRenderer, bomb: str) -> None:
    """Drawn, or refused as a broken PDF, in its time; its text is read or refused as well."""
    data = BOMBS[bomb]()
    began = time.monotonic()
    try:
        async with impatient.open(data) as pdf:
            found = [await outcome(pdf.render(0, 200)), await outcome(pdf.text(0, 200))]
    except InvalidDocument as error:
        found = [(error.code, error.message[-1])]
    assert all(one == REFUSED or isinstance(one, RenderedPage | TextLayer) for one in found)
    assert time.monotonic() - began < 40 * _PATIENCE_S
    assert await impatient.page_count(GOOD) == 1


async def test_a_page_that_hangs_among_good_ones_fails_alone(impatient: PdfRenderer) -> None:
    """The pages before and after it are read, from a child that has opened the document again."""
    pattern = stream(
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.001 "
        b"/YStep 0.001 /Resources << >>",
        b"1 0 0 rg 0 0 1 1 re f",
    )
    contents = [prose(), prose(), b"/Pattern cs /P scn 0 0 400 300 re f", prose(), prose()]
    last = 3 + 2 * len(contents) + 1
    data = long_pdf(contents, Parts(resources=b"/Pattern << /P %d 0 R >>" % last, more=(pattern,)))
    async with impatient.open(data) as pdf:
        found = [await outcome(pdf.render(index, 72)) for index in range(pdf.page_count)]
    assert found.pop(2) == REFUSED
    assert all(isinstance(page, RenderedPage) for page in found)
    assert len(found) == 4


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
async def test_a_truncated_file_is_read_or_refused(renderer: PdfRenderer, kept: float) -> None:
    """What arrived of a long document may be read page by page, or not at all; nothing else."""
    whole = long_pdf([prose()] * 40)
    found = await outcome(all_pages(renderer, whole[: int(kept * len(whole))]))
    assert found == REFUSED or isinstance(found, list)
    assert await renderer.page_count(GOOD) == 1


async def all_pages(renderer: PdfRenderer, data: bytes) -> list[object]:
    """Every page or its refusal."""
    async with renderer.open(data) as pdf:
        return [await outcome(pdf.render(index, 20)) for index in range(pdf.page_count)]


async def test_no_pages_are_said_to_be_none(renderer: PdfRenderer) -> None:
    """An empty list of pages is a document without pages."""
    data = document((b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"))
    with pytest.raises(InvalidDocument) as refused:
        await renderer.page_count(data)
    assert refused.value.code == "invalid_pdf"


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param((b"<< /Type /Pages /Kids [2 0 R] /Count 5 >>",), id="its own child"),
        pytest.param(
            (
                b"<< /Type /Pages /Kids [3 0 R] /Count 1000000000 >>",
                b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 1000000000 >>",
            ),
            id="a ring",
        ),
        pytest.param(
            (b"<< /Type /Pages /Kids [3 0 R] /Count 900000 >>", b"<< /Type /Page /Parent 2 0 R >>"),
            id="a lie",
        ),
    ],
)
async def test_a_tree_of_pages_without_end_is_bounded(renderer: PdfRenderer, tree: tuple[bytes, ...]) -> None:
    """Counting ends, and so does each page that is not there."""
    data = document((b"<< /Type /Catalog /Pages 2 0 R >>", *tree))
    found = await outcome(last_page(renderer, data))
    assert found == REFUSED
    assert await renderer.page_count(GOOD) == 1


async def last_page(renderer: PdfRenderer, data: bytes) -> RenderedPage:
    """The page that the document says is its last."""
    async with renderer.open(data) as pdf:
        assert pdf.page_count <= 1 << 20
        return await pdf.render(pdf.page_count - 1, 72)


async def test_ten_thousand_pages_are_counted_and_read_in_any_order(renderer: PdfRenderer) -> None:
    """The last page costs no more than the first, but for finding it."""
    data = long_pdf([text_at(30, 100, f"halaman {number}") for number in range(10_000)])
    async with renderer.open(data) as pdf:
        assert pdf.page_count == 10_000
        for index in (9_999, 0, 5_000):
            assert (await pdf.render(index, 20)).width
            assert (await pdf.text(index, 72)).characters == len(f"halaman{index}")


async def test_actions_are_not_taken(renderer: PdfRenderer, tmp_path: Path) -> None:
    """Scripts, programs and addresses in a document are data: the page is drawn, nothing else happens."""
    target = tmp_path / "launched"
    actions = (
        b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\); while \\(true\\) {}) >> "
        b"/AA << /WC << /S /Launch /F (%s) >> >> /AcroForm << /Fields [] /XFA (<xdp/>) >>"
    ) % str(target).encode()
    page = b"/AA << /O << /S /Launch /Win << /F (touch) /P (%s) >> >> >>" % str(target).encode()
    async with renderer.open(digital_pdf(prose(), Parts(catalog=actions, page=page))) as pdf:
        assert (await pdf.render(0, 72)).width == 400
        assert (await pdf.text(0, 72)).characters
    assert not target.exists()
