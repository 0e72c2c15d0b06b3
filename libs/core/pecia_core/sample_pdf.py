"""Born-digital PDFs for tests, samples and demonstrations, written here so that what they say is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from pecia_core.pdf import maker

PROSE = (
    "Rapat tahunan koperasi dibuka pada hari Senin pagi",
    "Ketua menyampaikan laporan keuangan dan rencana",
    "Total tagihan 1.250.000 rupiah, jatuh tempo 21/11/2026",
    "Seluruh anggota menyetujui pembagian sisa hasil usaha",
)
_STEP = 24
_FIXED_OBJECTS = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What a page has beside its content; every entry in PDF's own words.

    Attributes:
        size: of the sheet, points.
        page: entries of the page's dictionary.
        resources: entries beside the font.
        font: entries of the font's dictionary.
        more: objects, after all others: from number 6 where there is one page.
        catalog: entries of the document's dictionary.
    """

    size: tuple[int, int] = (400, 300)
    page: bytes = b""
    resources: bytes = b""
    font: bytes = b""
    more: tuple[bytes, ...] = ()
    catalog: bytes = b""


def text_at(x: float, y: float, text: str, size: float = 12, before: str = "") -> bytes:
    """Operators that write a line in Helvetica; `before` stands inside the text object."""
    safe = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size} Tf {before} {x} {y} Td ({safe}) Tj ET\n".encode("latin-1")


def prose(left: float = 30, top: float = 250) -> bytes:
    """Operators that write the lines of `PROSE`, from the top."""
    return b"".join(text_at(left, top - _STEP * row, line) for row, line in enumerate(PROSE))


def digital_pdf(content: bytes, parts: Parts = Parts()) -> bytes:
    """A page with a text layer: catalogue, pages, page 3, content 4, font 5 and then `parts.more`."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica %s >>" % parts.font
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R %s %s >>" % (
        *parts.size,
        b"/Resources << /Font << /F1 5 0 R >> %s >>" % parts.resources,
        parts.page,
    )
    catalogue = b"<< /Type /Catalog /Pages 2 0 R %s >>" % parts.catalog
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return maker.document((catalogue, pages, page, maker.stream(b"", content), font, *parts.more))


def long_pdf(contents: Sequence[bytes], parts: Parts = Parts()) -> bytes:
    """A page for each content, all alike but for that."""
    first = _FIXED_OBJECTS + 1
    places = range(first, first + 2 * len(contents), 2)
    kids = b" ".join(b"%d 0 R" % place for place in places)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % parts.catalog,
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 %d %d] >>" % (kids, len(contents), *parts.size),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica %s >>" % parts.font,
    ]
    for place, content in zip(places, contents, strict=True):
        resources = b"/Resources << /Font << /F1 3 0 R >> %s >>" % parts.resources
        about = b"/Type /Page /Parent 2 0 R /Contents %d 0 R %s %s" % (place + 1, resources, parts.page)
        objects += [b"<< %s >>" % about, maker.stream(b"", content)]
    return maker.document((*objects, *parts.more))
