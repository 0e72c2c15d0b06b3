"""Pictures for tests, samples and demonstrations, drawn here so that what they say is known exactly."""

from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

_INK, _PAPER = "black", "white"
_MARGIN = 40

_RECEIPT: list[tuple[str, str]] = [
    ("TOKO PECIA", ""),
    ("Jl. Merdeka No. 17, Bandung", ""),
    ("Tel 022-555-0117", ""),
    ("Nota 000481", "21/11/2026"),
    ("Kopi susu 2 x 18.000", "36.000"),
    ("Roti bakar 1 x 15.500", "15.500"),
    ("Teh manis 3 x 6.000", "18.000"),
    ("Subtotal", "69.500"),
    ("PPN 11%", "7.645"),
    ("TOTAL", "77.145"),
    ("Tunai", "100.000"),
    ("Kembali", "22.855"),
    ("Terima kasih, datang lagi!", ""),
]

_INDONESIAN = (
    "Rapat Tahunan",
    "Rapat tahunan koperasi dibuka pada hari Senin pagi di balai kota.",
    "Ketua menyampaikan laporan keuangan dan rencana kerja tahun depan.",
    "Seluruh anggota menyetujui pembagian sisa hasil usaha sebesar 12%.",
)
_ENGLISH = (
    "Annual Meeting",
    "The annual meeting was opened on Monday morning in the town hall.",
    "The chair presented the accounts and the plan for the coming year.",
    "All members agreed to share 12% of the surplus among themselves.",
)


def sample_receipt() -> tuple[bytes, list[str]]:
    """A receipt as PNG, 640 pixels wide, and its rows as a reader would write them down."""
    size, pitch, width = 28, 46, 640
    sheet, draw = _sheet(width, 2 * _MARGIN + pitch * len(_RECEIPT))
    font = ImageFont.load_default(size)
    for number, (left, right) in enumerate(_RECEIPT):
        top = _MARGIN + number * pitch
        draw.text((_MARGIN, top), left, _INK, font)
        draw.text((width - _MARGIN - draw.textlength(right, font), top), right, _INK, font)
    return png(sheet), [" ".join(filter(None, row)) for row in _RECEIPT]


def sample_page() -> tuple[bytes, list[str]]:
    """A page of one Indonesian and one English paragraph as PNG, 1240 x 700 pixels, and its lines."""
    sheet, draw = _sheet(1240, 700)
    font = ImageFont.load_default(30)
    for first, lines in ((_MARGIN, _INDONESIAN), (380, _ENGLISH)):
        for number, line in enumerate(lines):
            draw.text((80, first + number * 56), line, _INK, font)
    return png(sheet), [*_INDONESIAN, *_ENGLISH]


def blank_page(width: int = 800, height: int = 600) -> bytes:
    """White paper as PNG."""
    return png(_sheet(width, height)[0])


def png(picture: Image.Image) -> bytes:
    """The picture's bytes; the same picture gives the same bytes."""
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _sheet(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("RGB", (width, height), _PAPER)
    return sheet, ImageDraw.Draw(sheet)
