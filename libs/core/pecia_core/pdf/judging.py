"""Whether the text layer of a page may stand for it. In doubt it may not: there is always OCR.

A layer can be wrong by accident (a scan with somebody's OCR, a font that does not say what its signs
are) or on purpose (text nobody can see, or that says other than it shows). So the page is drawn with
and without its text, and what the text draws is compared with what it says.
"""

import ctypes
import unicodedata
from collections.abc import Sequence
from random import Random

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageDraw

from pecia_core.pdf import glyphs
from pecia_core.pdf.characters import Character, drawn_objects
from pecia_core.pdf.ink import Ink, Pixels
from pecia_core.pdf.layer import Verdict
from pecia_core.pdf.writing import writing

MOST_CHARACTERS = 30_000
MOST_OBJECTS = 60_000
_FEWEST = 50
_MOST_DAMAGED = 0.02
_MOST_TURNED = 0.10
_MOST_FOREIGN = 0.10
_MOST_COVERED = 0.8
# Pixels a point when looking closely, and the pixels of the largest picture made for it.
_SCALE = 3.0
_PIXELS = 12_000_000
# Pixels of a letter or digit below which it is too small to be read by people (1.5 points), and compared.
_LOWEST, _COMPARED = 4.5, 9
# One digit that looks like another is enough; letters come in many faces, so many have to.
_DIGIT_DOUBT = 10
_LETTER_DOUBT, _MOST_DOUBTED = 20, 0.15
_LETTERS_COMPARED = 200
# Spots of ink that no character claims, and the share of the page that may look like other writing: a line.
_MOST_SPOTS = 2
_MOST_WRITING = 0.003


def judge(page: pdfium.PdfPage, signs: Sequence[Character]) -> Verdict:
    """Look at the page; its text cannot be drawn afterwards.

    Args:
        page: just loaded.
        signs: what its text layer says is on it, white space left out.

    Raises:
        TooMuch: it has too many objects.
    """
    if (verdict := _by_what_it_says(signs)) is not Verdict.TRUSTED:
        return verdict
    objects = list(drawn_objects(page, MOST_OBJECTS))
    width, height = page.get_size()
    images = [item for item, kind in objects if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE]
    if _covered(images, width, height) > _MOST_COVERED:
        return Verdict.SCANNED
    scale = min(_SCALE, (_PIXELS / (width * height)) ** 0.5)
    texts = (item for item, kind in objects if kind == pdfium_c.FPDF_PAGEOBJ_TEXT)
    return _by_its_looks(Ink(page, texts, scale), scale, signs)


def _by_what_it_says(signs: Sequence[Character]) -> Verdict:
    count = len(signs)
    if count < _FEWEST:
        return Verdict.TOO_LITTLE
    if sum(map(_is_damaged, signs)) >= _MOST_DAMAGED * count:
        return Verdict.DAMAGED
    if sum(not sign.level for sign in signs) > _MOST_TURNED * count:
        return Verdict.TURNED
    strange = [_is_foreign(sign.text) for sign in signs]
    if sum(strange) > _MOST_FOREIGN * count or any(map(_is_foreign_digit, signs)):
        return Verdict.FOREIGN
    return Verdict.TRUSTED


def _by_its_looks(ink: Ink, scale: float, signs: Sequence[Character]) -> Verdict:
    places = [ink.pixels(sign.box) for sign in signs]
    if any(map(_is_hidden, signs, places, [ink] * len(signs))):
        return Verdict.HIDDEN
    if not _are_true(ink, signs, places):
        return Verdict.UNTRUE
    if ink.unclaimed(places) >= _MOST_SPOTS:
        return Verdict.INCOMPLETE
    factor = 2 / scale
    rest = ink.rest.resize((round(ink.rest.width * factor) or 1, round(ink.rest.height * factor) or 1))
    return Verdict.INCOMPLETE if writing(rest) > _MOST_WRITING else Verdict.TRUSTED


def _is_damaged(sign: Character) -> bool:
    return (
        sign.damaged or sign.text == "\ufffd" or unicodedata.category(sign.text) in {"Cc", "Co", "Cs", "Cn"}
    )


def _is_foreign(text: str) -> bool:
    return text.isalpha() and "LATIN" not in unicodedata.name(unicodedata.normalize("NFKD", text)[0], "")


def _is_foreign_digit(sign: Character) -> bool:
    return sign.text.isdecimal() and not sign.text.isascii()


def _is_hidden(sign: Character, place: Pixels, ink: Ink) -> bool:
    too_small = (sign.box[3] - sign.box[1]) * ink.text.height < _LOWEST and sign.level
    return sign.text.isalnum() and (too_small or not ink.shows(place))


def _are_true(ink: Ink, signs: Sequence[Character], places: Sequence[Pixels]) -> bool:
    """Every digit looks like itself, and nearly every letter of a sample does."""
    clear = [
        (sign.text, place)
        for sign, place in zip(signs, places, strict=True)
        if sign.level and sign.text.isascii() and place[3] - place[1] >= _COMPARED
    ]
    digits = [(text, place) for text, place in clear if text in glyphs.DIGITS]
    letters = [(text, place) for text, place in clear if text in glyphs.LETTERS]
    sample = Random(len(letters)).sample(letters, min(len(letters), _LETTERS_COMPARED))  # noqa: S311  no secret
    doubted = sum(_doubt(ink, *letter) > _LETTER_DOUBT for letter in sample)
    return doubted <= _MOST_DOUBTED * len(sample) and all(_doubt(ink, *one) <= _DIGIT_DOUBT for one in digits)


def _doubt(ink: Ink, text: str, place: Pixels) -> int:
    sign = glyphs.signature(ink.text.crop(place))
    return 0 if sign is None else glyphs.doubt(sign, text)


def _covered(images: Sequence[object], width: float, height: float) -> float:
    """Share of the page that lies under pictures, 0 to 1."""
    fine = 200
    map_ = Image.new("L", (fine, fine))
    draw = ImageDraw.Draw(map_)
    edges = tuple(ctypes.c_float() for _ in range(4))
    for image in images:
        pdfium_c.FPDFPageObj_GetBounds(image, *map(ctypes.byref, edges))
        left, bottom, right, top = (edge.value for edge in edges)
        draw.rectangle(
            (left / width * fine, bottom / height * fine, right / width * fine, top / height * fine), 255
        )
    return sum(map_.tobytes()) / 255 / fine**2
