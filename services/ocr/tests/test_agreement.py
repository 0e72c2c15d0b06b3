"""A model's text beside a CPU engine's lines: places, how far they agree, what only one of them has."""

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import BlockKind
from pecia_ocr.agreement import compared
from pecia_ocr.agreement.comparing import LONGEST_TEXT, MOST_LINES

HEIGHT = 20.0


def _box(row: int, left: float = 0.0, right: float = 100.0) -> Polygon:
    return Polygon.from_bbox(BBox(left, row * HEIGHT, right, (row + 1) * HEIGHT))


def _seen(*texts: str, confidence: float = 0.95) -> Page:
    """What the CPU engine read, line under line."""
    lines = tuple(Line(text, _box(row), confidence, row=row) for row, text in enumerate(texts))
    return Page(100, 1000, (Block(BlockKind.PARAGRAPH, _box(0), lines),))


def _written(*texts: str | Block) -> Recognition:
    """What the model wrote, a block each."""
    blocks = tuple(
        text if isinstance(text, Block) else Block(BlockKind.PARAGRAPH, _box(40), (), number, content=text)
        for number, text in enumerate(texts)
    )
    return Recognition(Page(100, 1000, blocks), "the whole text", "deepseek")


def _lines(read: Recognition) -> list[tuple[str, float, float]]:
    """Text, top edge in rows, and confidence of each line."""
    return [
        (line.text, line.polygon.bbox.y0 / HEIGHT, round(line.confidence or 0.0, 2))
        for line in read.page.lines()
    ]


def test_a_paragraph_is_parted_into_the_lines_it_was_printed_in() -> None:
    """A model writes it as one; each line gets the place of the one that says the same."""
    read = compared(
        _written("# Annual report\n\nSales rose by five per cent in the\nlast **quarter** of the year."),
        _seen("Annual report", "Sales rose by five per", "cent in the last quarter", "of the year."),
    )
    assert _lines(read) == [
        ("Annual report", 0, 1.0),
        ("Sales rose by five per", 1, 1.0),
        ("cent in the last **quarter**", 2, 1.0),
        ("of the year.", 3, 1.0),
    ]
    assert read.agreement == 1.0
    assert read.text == "the whole text"
    assert not read.warnings


def test_another_order_is_no_disagreement() -> None:
    """Two columns: the model goes down one and then the other, the CPU engine across both."""
    read = compared(
        _written(
            "the first column says\nmany things at length", "the second column has\nanother story to tell"
        ),
        _seen(
            "the first column says", "the second column has", "many things at length", "another story to tell"
        ),
    )
    assert [(row, sure) for _, row, sure in _lines(read)] == [(0, 1.0), (2, 1.0), (1, 1.0), (3, 1.0)]
    assert read.agreement == 1.0


def test_a_line_read_differently_is_less_sure() -> None:
    """One wrong digit of a price costs what it is of the line; its place stays."""
    read = compared(_written("Grand total 150.000\nThank you"), _seen("Grand total 160.000", "Thank you"))
    assert _lines(read) == [("Grand total 150.000", 0, 0.94), ("Thank you", 1, 1.0)]
    assert read.agreement == pytest.approx(1 - 1 / 25, abs=0.001)


def test_words_that_nobody_saw_stand_alone() -> None:
    """An invented sentence: no agreement at all, in the place of its block, and the page's sinks."""
    read = compared(
        _written("Invoice 2031\nThe customer is entitled to a full refund without any reason."),
        _seen("Invoice 2031"),
    )
    assert _lines(read) == [
        ("Invoice 2031", 0, 1.0),
        ("The customer is entitled to a full refund without any reason.", 40, 0.0),
    ]
    assert read.agreement is not None
    assert read.agreement < 0.4


def test_lines_the_model_left_out_are_told() -> None:
    """How many, where the other engine is sure of them; of what it guesses itself nothing is said."""
    read = compared(_written("Invoice 2031"), _seen("Invoice 2031", "Tax 12.50", "Total 140.00"))
    assert [(notice.code, notice.message.endswith(": 2.")) for notice in read.warnings] == [
        ("lines_missing", True)
    ]
    assert read.agreement is not None
    assert read.agreement < 0.8
    unsure = compared(_written("Invoice 2031"), _seen("Invoice 2031", "1i;l!", confidence=0.4))
    assert not unsure.warnings


def test_a_table_keeps_its_form_and_gets_places() -> None:
    """Cells are found in rows of the page; the content stays HTML."""
    html = "<table><tr><td>Tea</td><td>2.50</td></tr><tr><td>Bread</td><td>3.10</td></tr></table>"
    table = Block(BlockKind.TABLE, _box(0), content=html, label="table")
    read = compared(_written(table), _seen("Tea 2.50", "Bread 3.10"))
    assert _lines(read) == [("Tea 2.50", 0, 1.0), ("Bread 3.10", 1, 1.0)]
    assert read.page.blocks[0].content == html


def test_the_same_line_many_times_is_found_in_order() -> None:
    """A column of equal prices: each line stands where its own is."""
    read = compared(_written("\n".join(["0.00"] * 6)), _seen(*["0.00"] * 6))
    assert [row for _, row, _ in _lines(read)] == [0, 1, 2, 3, 4, 5]


def test_a_short_line_is_no_part_of_a_long_word() -> None:
    """`Rp` stands alone or not at all: being in `Rpl` or `corps` is chance."""
    read = compared(_written("corps of Rplus engineers"), _seen("Rp"))
    assert [notice.code for notice in read.warnings] == ["lines_missing"]
    assert read.agreement == 0.0


def test_text_without_spaces_is_parted_too() -> None:
    """Chinese: a line ends between any two signs."""
    read = compared(
        _written("合同的双方在此同意以下条款并签字确认"), _seen("合同的双方在此同意", "以下条款并签字确认")
    )
    assert [(text, row) for text, row, _ in _lines(read)] == [
        ("合同的双方在此同意", 0),
        ("以下条款并签字确认", 1),
    ]


def test_figures_and_formulas_are_not_compared() -> None:
    """What stands in a figure is not the model's to read, and LaTeX looks like nothing on the page."""
    figure = Block(BlockKind.FIGURE, _box(1), content="![](figure-1)", label="image")
    formula = Block(BlockKind.FORMULA, _box(2), (), 1, content=r"\frac{a}{b}")
    text = Block(BlockKind.PARAGRAPH, _box(0), (), 2, content="Words on the page")
    read = compared(_written(figure, formula, text), _seen("Words on the page", "axis 1 2 3", "a/b"))
    assert _lines(read) == [("Words on the page", 0, 1.0)]
    assert (read.agreement, read.warnings) == (1.0, ())


def test_lines_with_places_of_their_own_keep_them() -> None:
    """What the model located stays there; only how sure it is comes from the other."""
    own = tuple(Line(text, _box(row + 10)) for row, text in enumerate(("Total 150", "***", "Cash 200")))
    read = compared(_written(Block(BlockKind.PARAGRAPH, _box(10), own)), _seen("Total 150", "Cash 300"))
    assert _lines(read) == [("Total 150", 10, 1.0), ("***", 11, 0.0), ("Cash 200", 12, 0.86)]


def test_two_blank_pages_agree() -> None:
    """Nothing to read, and nothing read."""
    assert compared(_written(), _seen()).agreement == 1.0


def test_a_hostile_length_is_not_compared() -> None:
    """Beyond what a page holds the reading stays as it was; up to there it takes a moment."""
    long = _written("a b " * LONGEST_TEXT)
    assert compared(long, _seen("a")) is long
    words = " ".join(f"{number * 7919 % 100003:05d}" for number in range(LONGEST_TEXT // 6))
    lines = [f"{number * 104729 % 100003:05d} x{number}" for number in range(MOST_LINES)]
    began = monotonic()
    compared(_written(words), _seen(*lines))
    assert monotonic() - began < 60


@given(
    st.lists(st.text(max_size=30), max_size=6),
    st.lists(st.text(max_size=30), max_size=6),
)
def test_whatever_both_say_nothing_breaks(written: list[str], seen: list[str]) -> None:
    """No exception; numbers between 0 and 1; no letter of the model's is lost or made up."""
    read = compared(_written(*written), _seen(*seen))
    assert read.agreement is not None
    assert 0.0 <= read.agreement <= 1.0
    assert all(0.0 <= (line.confidence or 0.0) <= 1.0 for line in read.page.lines())
    assert [block.content for block in read.page.blocks] == written
