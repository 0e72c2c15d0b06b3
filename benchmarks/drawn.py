"""Pictures of the project's own making, as a data set: what they say, and where, is known exactly.

Receipts and a page in Latin script are always drawn; a Chinese and a mixed page where a font for them is
installed (Debian: fonts-wqy-zenhei). The same pictures each time.
"""

# ruff: noqa: RUF001 - Chinese has signs of its own
import json
from dataclasses import asdict
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.scoring import Placed

CHINESE_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")
_MARGIN = 50
_GOODS = ("Kopi susu", "Roti bakar", "Teh manis", "Nasi goreng", "Air mineral", "Sabun mandi", "Beras 5 kg")
_PROSE = (
    "rapat tahunan koperasi dibuka pada hari Senin pagi di balai kota ketua menyampaikan laporan keuangan "
    "dan rencana kerja tahun depan seluruh anggota menyetujui pembagian sisa hasil usaha the chair presented "
    "accounts plan for coming year all members agreed to share surplus among themselves"
)
_CHINESE = (
    "公司年度报告",
    "本公司二〇二六年营业收入增长百分之十二。",
    "董事会于十一月二十一日在北京召开会议。",
    "请将填妥的表格寄回本处，逾期不予受理。",
    "商品名称：绿茶；数量：三盒；单价：人民币二十五元。",
    "联系电话：北京市海淀区中关村大街一号。",
    "感谢您的惠顾，欢迎再次光临。",
)
_MIXED = (
    "发票 Invoice No. 2026-1121",
    "客户 Customer: PT Pecia Nusantara",
    "地址 Address: Jl. Merdeka 17, Bandung",
    "商品 Item: 绿茶 Green tea 250 g",
    "数量 Quantity: 12",
    "总计 TOTAL: IDR 1.250.000",
    "付款方式 Payment: transfer bank",
    "谢谢 Thank you for your order",
)


class Sheet:
    """White paper that remembers what was written where."""

    def __init__(self, width: int, height: int) -> None:
        """Blank."""
        self.picture = Image.new("RGB", (width, height), "white")
        self.lines: list[Placed] = []
        self._draw = ImageDraw.Draw(self.picture)

    def write(self, text: str, left: float, top: float, font: "Font") -> None:
        """One line, in black."""
        self._draw.text((left, top), text, "black", font)
        self.lines.append(Placed(text, *self._draw.textbbox((left, top), text, font)))

    def write_right(self, text: str, right: float, top: float, font: "Font") -> None:
        """One line that ends at `right`."""
        self.write(text, right - self._draw.textlength(text, font), top, font)


Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def receipt(number: int) -> Sheet:
    """A receipt; another one for each number."""
    dice = Random(number)  # noqa: S311 - nothing secret
    count, size = dice.randint(8, 16), dice.choice((22, 26, 30))
    pitch, width = round(1.7 * size), 24 * size
    font = ImageFont.load_default(size)
    sheet = Sheet(width, 2 * _MARGIN + pitch * (count + 3))
    sheet.write(f"TOKO PECIA {number}", _MARGIN, _MARGIN, font)
    for row in range(1, count + 1):
        top, price = _MARGIN + row * pitch, f"{dice.randint(2, 99)}.{dice.choice(('000', '500'))}"
        sheet.write(f"{dice.choice(_GOODS)} x {dice.randint(1, 9)}", _MARGIN, top, font)
        sheet.write_right(price, width - _MARGIN, top, font)
    sheet.write("Terima kasih, datang lagi!", _MARGIN, _MARGIN + (count + 1) * pitch, font)
    return sheet


def page(number: int) -> Sheet:
    """A page of prose, 1240 x 1754 pixels: A4 at 150 dots per inch."""
    dice = Random(number)  # noqa: S311 - nothing secret
    sheet, font, words = Sheet(1240, 1754), ImageFont.load_default(26), _PROSE.split()
    for row in range(36):
        text = " ".join(dice.choice(words) for _ in range(10))
        sheet.write(text[:78].strip().capitalize(), 90, 90 + row * 44, font)
    return sheet


def foreign(lines: tuple[str, ...]) -> Sheet:
    """Lines in a font that has Chinese."""
    sheet, font = Sheet(1000, 2 * _MARGIN + 70 * len(lines)), ImageFont.truetype(CHINESE_FONT, 34)
    for row, text in enumerate(lines):
        sheet.write(text, 70, _MARGIN + 70 * row, font)
    return sheet


def latin(folder: Path, receipts: int = 3, pages: int = 1) -> Path:
    """Write a data set in Latin script; gives the folder."""
    sheets = [(f"receipt_{n}", "receipt", receipt(n)) for n in range(1, receipts + 1)]
    return _save(folder, sheets + [(f"page_{n}", "page", page(n)) for n in range(1, pages + 1)])


def chinese(folder: Path) -> Path | None:
    """Write a data set of Chinese and mixed pages; None where the font is missing."""
    if not CHINESE_FONT.exists():
        return None
    return _save(folder, [("chinese", "chinese", foreign(_CHINESE)), ("mixed", "mixed", foreign(_MIXED))])


def _save(folder: Path, sheets: list[tuple[str, str, Sheet]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, kind, sheet in sheets:
        sheet.picture.save(folder / f"{name}.png")
        truth = [{"text": line["text"], "box": [line[edge] for edge in ("x0", "y0", "x1", "y1")]}
                 for line in map(asdict, sheet.lines)]  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(truth), "utf-8")
        entries.append({"id": name, "cat": kind, "file": f"{name}.png", "gt": f"{name}.json"})
    (folder / "manifest.json").write_text(json.dumps(entries), "utf-8")
    return folder
