"""A picture to try the page with, drawn here."""

from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

NAME = "sample-receipt.png"
_WIDTH, _MARGIN, _PITCH = 720, 56, 50
_INK, _PAPER, _RULE = "#1b1b1f", "#fffdf7", "#b8b4a8"
_ROWS: tuple[tuple[str, str], ...] = (
    ("WARUNG PECIA", ""),
    ("Jl. Merdeka No. 17, Bandung", ""),
    ("Nota 000481", "21/11/2026"),
    ("", ""),
    ("Kopi susu  2 x 18.000", "36.000"),
    ("Roti bakar  1 x 15.500", "15.500"),
    ("Teh manis  3 x 6.000", "18.000"),
    ("", ""),
    ("Subtotal", "69.500"),
    ("PPN 11%", "7.645"),
    ("TOTAL", "77.145"),
    ("", ""),
    ("Terima kasih, datang lagi!", ""),
)


def sample_picture() -> bytes:
    """A receipt as PNG, a few kilobytes."""
    sheet = Image.new("RGB", (_WIDTH, 2 * _MARGIN + _PITCH * len(_ROWS)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (left, right) in enumerate(_ROWS):
        _row(draw, _MARGIN + number * _PITCH, left, right)
    buffer = BytesIO()
    sheet.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _row(draw: ImageDraw.ImageDraw, top: int, left: str, right: str) -> None:
    font = ImageFont.load_default(40 if left.isupper() and not right else 30)
    if not left:
        draw.line((_MARGIN, top + _PITCH // 2, _WIDTH - _MARGIN, top + _PITCH // 2), _RULE, 2)
    draw.text((_MARGIN, top), left, _INK, font)
    draw.text((_WIDTH - _MARGIN - draw.textlength(right, font), top), right, _INK, font)
