"""Loops are found early and only where there are any; blank pages are blank and nothing else is."""

from random import Random
from time import process_time

import numpy as np
import pytest
from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.guard import LoopDetector, LoopLimits, is_blank
from PIL import Image, ImageDraw, ImageFont


def tokens_until_found(ids: list[int], limits: LoopLimits | None = None) -> int | None:
    """After how many tokens a loop is reported; None = never."""
    detector = LoopDetector(limits)
    for count, token in enumerate(ids, 1):
        if detector.feed([token], ""):
            return count
    return None


def lines_until_found(lines: list[str], limits: LoopLimits | None = None) -> int | None:
    """After how many lines of text a loop is reported; None = never."""
    detector = LoopDetector(limits)
    for count, line in enumerate(lines, 1):
        if detector.feed([], line + "\n"):
            return count
    return None


@pytest.mark.parametrize("period", [1, 2, 3, 7, 31, 48, 63, 64])
def test_a_loop_of_tokens_is_found_when_it_counts(period: int) -> None:
    """Any unit of up to 64 tokens, exactly when it has come eight times and made 384 tokens."""
    random = Random(period)  # noqa: S311 - a test, the same every time
    before = [random.randrange(1000, 100_000) for _ in range(500)]
    unit = [100_000 + place for place in range(period)]
    found = tokens_until_found(before + unit * 600)
    assert found == 500 + max(8 * period, 384)


def test_a_longer_unit_is_no_loop_of_tokens() -> None:
    """65 tokens that repeat are beyond what is looked at; blocks of text are compared instead."""
    assert tokens_until_found(list(range(65)) * 100) is None


def test_one_change_begins_the_count_anew() -> None:
    """Rows that differ by a number are a table, not a loop."""
    rows = [[7, 8, 9, 1000 + number, 7, 8, 9, 10] for number in range(500)]
    assert tokens_until_found([token for row in rows for token in row]) is None
    almost = ([5, 6, 7] * 127 + [8]) * 5
    assert tokens_until_found(almost) is None
    assert tokens_until_found([*almost, *[5, 6, 7] * 128]) is not None


def test_limits_are_what_they_say() -> None:
    """Fewer repeats and tokens are enough where the limits say so, and not one token earlier."""
    limits = LoopLimits(period=4, repeats=3, tokens=10)
    assert tokens_until_found([1, 2, 3, 4] * 5, limits) == 12
    assert tokens_until_found([1] * 20, limits) == 10
    assert tokens_until_found([1, 2, 3, 4, 5] * 20, limits) is None


@pytest.mark.parametrize("size", [1, 3, 50])
def test_pieces_of_any_size_find_the_same_loop(size: int) -> None:
    """However many tokens and letters come at once."""
    ids, text = [9, 8, 7] * 200, "the same line\n" * 100
    by_tokens, by_text = LoopDetector(), LoopDetector()
    for at in range(0, len(ids), size):
        by_tokens.feed(ids[at : at + size], "")
    for at in range(0, len(text), size):
        by_text.feed([], text[at : at + size])
    assert by_tokens.feed([], "")
    assert by_text.feed([], "")


def test_what_was_a_loop_stays_one() -> None:
    """A model that finds its way out later has lost the page all the same."""
    detector = LoopDetector()
    assert detector.feed([1] * 400, "")
    assert detector.feed(list(range(100)), "")


def test_the_same_region_again_and_again_is_a_loop() -> None:
    """Four times the same words in the same place; also where two regions take turns."""
    one = "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nTotal 5.00"
    lines = [f"line {number}" for number in range(50)]
    region = "<|ref|>Total<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>"
    other = "<|ref|>5.00<|/ref|><|det|>[[5, 2, 9, 4]]<|/det|>"
    assert lines_until_found([*lines, *[region] * 10]) == 54
    assert lines_until_found([region, other] * 10) == 8
    assert lines_until_found((one + "\n").splitlines() * 3) is None


def test_the_same_words_in_other_places_are_a_column() -> None:
    """Thirty times the same price is a receipt; a hundred times is a loop."""

    def region(number: int) -> str:
        return f"<|ref|>5.00<|/ref|><|det|>[[1, {number}, 3, {number + 4}]]<|/det|>"

    assert lines_until_found([region(number) for number in range(60)]) is None
    assert lines_until_found([region(number) for number in range(100)]) == 64
    assert lines_until_found(["Present", ""] * 60) is None


def test_ordinary_text_is_no_loop() -> None:
    """Words by how often words are used, tables with empty cells and dots that lead to a page number."""
    random = Random(3)  # noqa: S311 - a test, the same every time
    words = [int(random.paretovariate(1.0)) for _ in range(8000)]
    empty_rows = [20, *[21, 22] * 5, 23] * 30
    dots = [5] * 300
    assert tokens_until_found(words) is None
    assert tokens_until_found([*words[:100], *empty_rows, *words[:100], *dots, 1, *dots, 2]) is None


@pytest.mark.parametrize("vocabulary", [1, 2, 64, 100_000])
def test_the_cost_of_a_token_does_not_grow(vocabulary: int) -> None:
    """The last tokens of a long answer cost what the first ones did."""
    random = Random(vocabulary)  # noqa: S311 - a test, the same every time
    detector = LoopDetector(LoopLimits(tokens=10**9))

    def seconds(count: int) -> float:
        ids = [random.randrange(vocabulary) for _ in range(count)]
        begin = process_time()
        detector.feed(ids, "x" * count)
        return process_time() - begin

    seconds(100)
    first = max(min(seconds(1000) for _ in range(3)), 0.001)
    seconds(8_000)
    assert min(seconds(1000) for _ in range(3)) < 5 * first


def paper(width: int = 1240, height: int = 1754, colour: int = 255) -> Pixels:
    """An empty sheet."""
    return np.full((height, width, 3), colour, np.uint8)


def with_text(sheet: Pixels, words: str, colour: tuple[int, int, int], size: int = 20) -> Pixels:
    """The same with a few words on it."""
    picture = Image.fromarray(sheet)
    place = (picture.width // 3, picture.height // 3)
    ImageDraw.Draw(picture).text(place, words, colour, ImageFont.load_default(size))
    return np.asarray(picture)


def scanned(sheet: Pixels) -> Pixels:
    """Shading from corner to corner, and noise."""
    height, width = sheet.shape[:2]
    shade = np.linspace(0, -40, width)[None, :, None] + np.linspace(0, -20, height)[:, None, None]
    noise = np.random.default_rng(1).normal(0, 4, sheet.shape)
    return (sheet + shade + noise).clip(0, 255).astype(np.uint8)


def specked(sheet: Pixels) -> Pixels:
    """A speck of dust and the black edge of the scanner."""
    dusty = sheet.copy()
    dusty[500:502, 300:302] = 60
    dusty[:, :8] = 0
    return dusty


EMPTY = {
    "white": paper(),
    "grey": paper(colour=120),
    "black": paper(colour=0),
    "small": paper(50, 40),
    "one pixel": paper(1, 1),
    "large": paper(2480, 3508),
    "scanned": scanned(paper()),
    "specked": specked(paper()),
}


@pytest.mark.parametrize("sheet", EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_sheet_is_blank(sheet: Pixels) -> None:
    """White, grey or black, scanned with noise, shading, dust and an edge."""
    assert is_blank(sheet)


INKED = {
    "a number": with_text(paper(), "7", (90, 90, 90), 14),
    "faint": with_text(paper(), "Total", (200, 200, 200)),
    "yellow": with_text(paper(), "Total", (255, 255, 120)),
    "white on black": with_text(paper(colour=0), "Total", (255, 255, 255)),
    "scanned": with_text(scanned(paper()), "Total", (60, 60, 60), 14),
    "large": with_text(paper(2480, 3508), "Total", (120, 120, 120), 30),
    "a crop": with_text(paper(120, 40), "Total", (0, 0, 0), 14),
    "a page": with_text(paper(), "\n".join(["Words in lines"] * 20), (0, 0, 0)),
}


@pytest.mark.parametrize("sheet", INKED.values(), ids=INKED.keys())
def test_a_sheet_with_a_word_is_not_blank(sheet: Pixels) -> None:
    """One small or faint word, in any colour, on any ground, is something to read."""
    assert not is_blank(sheet)


def test_a_photo_is_not_blank() -> None:
    """Strong texture may hold text."""
    assert not is_blank(np.random.default_rng(2).integers(0, 256, (600, 800, 3)).astype(np.uint8))
