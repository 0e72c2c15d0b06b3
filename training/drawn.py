"""Printed strings on small pages: what they say is known, and where each character stands.

The same seed and level give the same page on one machine. One string in ten, by its hash, is held out: it
is drawn only to examine with.
"""

import hashlib
import math
import string
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

# Looked for beside the font that comes with Pillow.
_INSTALLED = Path("/usr/share/fonts/truetype/dejavu")
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf")
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without those that look like digits
_LOWER = string.ascii_lowercase.replace("l", "")
_MARKS = "-./:"
ALPHABET = " " + string.digits + string.ascii_uppercase + string.ascii_lowercase + _MARKS + ","
SHORTEST_HELD_OUT = 3
_HELD_OUT = 26  # of the 256 values of a hash's first byte
_MARGIN = 0.03
_PITCH = 1.45
_SPARSE = 0.13
_MIDDLE = 0.62  # of the print, from its upper edge: between capitals and lower case


@dataclass(frozen=True, slots=True)
class Level:
    """How hard a page is.

    `length`: characters of a line, fewest and most. `em`: of the print, as a share of the page's side.
    `kinds`: of strings, see `_word`. `lines`: fewest and most. `turn`: degrees, either way. `noise`: the
    greatest standard deviation, of 255. `fonts`: at most so many of those there are.
    """

    length: tuple[int, int]
    em: tuple[float, float]
    kinds: tuple[str, ...]
    lines: tuple[int, int] = (1, 1)
    turn: float = 0.0
    noise: float = 0.0
    fonts: int = 9


_ALL = ("number", "amount", "capitals", "code", "lower", "name")
LEVELS = (
    Level((1, 1), (0.16, 0.20), ("number",)),
    Level((2, 3), (0.14, 0.20), ("number",)),
    Level((2, 5), (0.13, 0.20), ("number", "capitals", "code")),
    Level((1, 8), (0.11, 0.20), _ALL, turn=1.0, noise=4.0),
    Level((1, 8), (0.10, 0.20), _ALL, turn=2.0, noise=8.0),
)
# For eyes alone: many characters a page, so that each costs little. What a digit is, in one font, comes
# first: from all at once nothing is learnt for long.
SHEETS = (
    Level((6, 9), (0.12, 0.15), ("number",), lines=(5, 6), fonts=1),
    Level((4, 9), (0.11, 0.16), ("number", "capitals", "code"), lines=(4, 6), fonts=2),
    Level((3, 9), (0.10, 0.18), _ALL, lines=(3, 6), turn=1.0, noise=4.0),
    Level((3, 9), (0.10, 0.18), _ALL, lines=(1, 6), turn=2.0, noise=8.0),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A character and its middle, as shares of the page's width and height.

    `y` is that of the whole line: the end of one that rises is not to be read before its beginning.
    """

    character: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A page before it is painted: lines with their upper left corners, in pixels."""

    text: str
    marks: tuple[Mark, ...]
    width: int
    height: int
    lines: tuple[tuple[str, float, float], ...]
    font: int
    em: int
    turn: float
    seed: int
    level: Level


def held_out(text: str) -> bool:
    """Whether a string is never trained on; very short ones always are, there being so few."""
    if len(text) < SHORTEST_HELD_OUT:
        return False
    return hashlib.sha256(text.encode()).digest()[0] < _HELD_OUT


def lay_out(seed: int, level: Level, *, unseen: bool = False) -> Layout:
    """Decide on a page; `unseen`: of strings that are held out, else of none of them."""
    dice = Random(seed)  # noqa: S311 - nothing secret
    width = dice.randint(280, 480)
    height = min(480, max(280, round(width * dice.uniform(0.75, 1.33))))
    number = dice.randrange(min(level.fonts, _fonts()))
    em = round(dice.uniform(*level.em) * min(width, height))
    turn = dice.uniform(-level.turn, level.turn)
    count = dice.randint(*level.lines)
    lines: list[tuple[str, float, float]] = []
    # No two lines in one row of tokens.
    pitch = max(_PITCH * em, _SPARSE * height)
    top = dice.uniform(_MARGIN * height, max(_MARGIN * height, height * (1 - _MARGIN) - pitch * count))
    for row in range(count):
        text = _fitting(dice, level, (number, em, width), unseen=unseen)
        room = width * (1 - 2 * _MARGIN) - _font(number, em).getlength(text)
        y = top + row * pitch
        if y + pitch <= height:
            lines.append((text, _MARGIN * width + dice.uniform(0, max(0.0, room)), y))
    marks = [mark for line in lines for mark in _marks(line, (number, em), (width, height), turn)]
    text = "\n".join(line for line, _, _ in lines)
    return Layout(text, tuple(marks), width, height, tuple(lines), number, em, turn, seed, level)


def paint(layout: Layout) -> Pixels:
    """The page: [height, width, 3]."""
    dice = np.random.default_rng(layout.seed)
    paper, ink = int(dice.integers(215, 256)), int(dice.integers(0, 90))
    page = Image.new("L", (layout.width, layout.height), paper)
    draw = ImageDraw.Draw(page)
    for text, x, y in layout.lines:
        draw.text((x, y), text, ink, _font(layout.font, layout.em))
    if layout.turn:
        page = page.rotate(layout.turn, Image.Resampling.BILINEAR, fillcolor=paper)
    values = np.asarray(page, np.float32)
    values += dice.normal(0, dice.uniform(0, layout.level.noise), values.shape).astype(np.float32)
    grey = np.clip(values, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, 2)


def _fitting(dice: Random, level: Level, page: tuple[int, int, int], *, unseen: bool) -> str:
    """A string that this font has room for, and that may be drawn."""
    number, em, width = page
    most = level.length[1]
    while True:
        length = dice.randint(min(level.length[0], most), most)
        text = _word(dice, dice.choice(level.kinds), length)
        if _font(number, em).getlength(text) > width * (1 - 2 * _MARGIN):
            most = max(1, most - 1)
        elif held_out(text) == unseen:
            return text
        elif unseen:
            most = max(most, SHORTEST_HELD_OUT)


def _word(dice: Random, kind: str, length: int) -> str:
    letters = {
        "number": string.digits,
        "amount": string.digits,
        "capitals": _CAPITALS,
        "code": _CAPITALS + string.digits,
        "lower": _LOWER,
        "name": _LOWER,
    }[kind]
    text = "".join(dice.choice(letters) for _ in range(length))
    if kind == "name":
        return dice.choice(_CAPITALS) + text[1:]
    if kind == "amount" and length > SHORTEST_HELD_OUT:
        middle = dice.randint(1, length - 2)
        return text[:middle] + dice.choice(_MARKS) + text[middle + 1 :]
    return text


def _marks(
    line: tuple[str, float, float], font: tuple[int, int], page: tuple[int, int], turn: float
) -> list[Mark]:
    """Where characters are after the page was turned about its middle, anticlockwise."""
    (text, left, top), (number, em), (width, height) = line, font, page
    face = _font(number, em)
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    y = top + _MIDDLE * em - height / 2
    middle = left + face.getlength(text) / 2 - width / 2
    down = (y * cosine - middle * sine) / height + 0.5
    places = [
        left + face.getlength(text[:index]) + face.getlength(character) / 2 - width / 2
        for index, character in enumerate(text)
    ]
    return [
        Mark(character, (x * cosine + y * sine) / width + 0.5, down)
        for character, x in zip(text, places, strict=True)
    ]


def _fonts() -> int:
    return 1 + sum((_INSTALLED / name).exists() for name in _FONTS)


@lru_cache(maxsize=512)
def _font(number: int, em: int) -> ImageFont.FreeTypeFont:
    if number:
        present = [name for name in _FONTS if (_INSTALLED / name).exists()]
        return ImageFont.truetype(_INSTALLED / present[number - 1], em)
    font = ImageFont.load_default(em)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType: install a wheel of it.")
    return font
