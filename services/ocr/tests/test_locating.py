"""Which lines speak of a text."""

import pytest
from pecia_ocr.engines.locating import mentions


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("TOTAL 77.145", "total"),
        ("T0TAL 77.145", "TOTAL 77.145"),
        ("Jumlah  yang\u00a0dibayar", "jumlah yang dibayar"),
        ("ﬁnal amount", "final"),
        ("The annual meeting was opened", "annual meeting was opened on Monday"),
    ],
)
def test_finds_text_in_spite_of_case_spaces_and_reading_errors(line: str, wanted: str) -> None:
    """What a person would point at is found."""
    assert mentions(line, wanted)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Subtotal", "kembali"),
        ("a", "a total of many"),
        ("anything", ""),
        ("", "total"),
        ("Teh manis", "Roti bakar"),
    ],
)
def test_passes_over_the_rest(line: str, wanted: str) -> None:
    """A word in common is not enough, and nothing is looked for in vain."""
    assert not mentions(line, wanted)
