"""How readings are scored for docs/quality.md."""

import json
from pathlib import Path

import pytest

from benchmarks.quality import dataset, report
from benchmarks.quality.readers import STOCK
from benchmarks.quality.scoring import (
    Placed,
    Score,
    character_error_rate,
    difference,
    in_rows,
    normalised,
    score,
    word_f1,
)


def test_normalising_forgives_typography_only() -> None:
    """Case, spaces, quotes, dashes and ligatures are forgiven; letters and digits are not."""
    assert normalised(" \u201cﬁve\u201d \u2013\n six\u00a0") == '"FIVE" - SIX'
    assert normalised("O") != normalised("0")


def test_rows_are_read_from_left_to_right_and_top_to_bottom() -> None:
    """A price printed a little lower than its label still belongs to it."""
    pieces = [
        Placed("5.00", 200, 34, 240, 54),
        Placed("Total", 0, 30, 60, 50),
        Placed("Shop", 0, 0, 60, 20),
        Placed("  ", 0, 15, 60, 35),
    ]
    assert in_rows(pieces) == "Shop\nTotal 5.00"


def test_measures_are_over_the_whole_set() -> None:
    """Long pictures weigh more than short ones."""
    scores = [score("abcdefgh ij", "abcdefgh ij"), score("xy", "xz")]
    assert character_error_rate(scores) == pytest.approx(100 * 1 / 13)
    assert word_f1(scores) == pytest.approx(100 * 2 * 2 / 6)


def test_words_count_as_often_as_they_stand_there() -> None:
    """Saying a word twice earns nothing where it stands once."""
    assert score("a b", "b b a a").shared_words == 2


def test_no_text_and_no_reading_is_no_division_by_zero() -> None:
    """A blank picture, read as blank."""
    assert character_error_rate([score("", "")]) == 0


def many(edits: int, spread: int) -> list[Score]:
    """Twenty pictures with about so many errors in a hundred characters."""
    return [Score(edits + (number % 3) * spread, 100, 10, 20, 20) for number in range(20)]


def test_a_difference_counts_when_chance_cannot_make_it() -> None:
    """The same few errors more on every picture leave out zero; a toss-up does not."""
    clear = difference(character_error_rate, many(5, 1), many(2, 1))
    assert clear.mean == pytest.approx(3)
    assert clear.low > 0
    mixed = [Score(3 + 4 * (-1) ** number, 100, 10, 20, 20) for number in range(20)]
    open_ = difference(character_error_rate, mixed, many(3, 0))
    assert open_.low < 0 < open_.high


def test_the_report_names_what_is_worse() -> None:
    """Fewer errors are better, fewer words are worse, and a draw is neither."""
    good, bad = many(2, 1), many(9, 1)
    fewer = [Score(2, 100, 4, 20, 20)] * 20
    results = {
        "receipt": {"rapid": bad, STOCK: good},
        "indonesian": {"rapid": good, STOCK: bad},
        "page": {"rapid": fewer, STOCK: good},
        "table": {"rapid": good, STOCK: good},
    }
    assert report.worse_than_stock(results) == ["receipt", "page"]


def test_one_picture_proves_nothing() -> None:
    """Where there is too little to resample, no verdict is given."""
    results = {"table": {"rapid": many(9, 0)[:1], STOCK: many(2, 0)[:1]}}
    assert report.worse_than_stock(results) == []


def test_a_folder_with_a_manifest_is_a_data_set(tmp_path: Path) -> None:
    """Text files and boxes are truths; entries without one are left out."""
    boxes = [{"box": [50, 0, 90, 10], "text": "2"}, {"box": [0, 0, 40, 10], "text": "1"}]
    (tmp_path / "a.json").write_text(json.dumps(boxes))
    (tmp_path / "b.txt").write_text("three")
    entries = [
        {"id": "a", "cat": "receipt", "file": "a.png", "gt": "a.json"},
        {"id": "b", "cat": "page", "file": "b.png", "gt": "b.txt"},
        {"id": "c", "cat": "pdf", "file": "c.pdf", "gt": None},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    data = dataset.load(tmp_path)
    assert [(sample.name, sample.truth) for sample in data.samples] == [("a", "1 2"), ("b", "three")]
    assert data.kinds() == {"page": 1, "receipt": 1}
