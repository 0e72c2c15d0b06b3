"""Pages as boxes: what a person would read first is first."""

import random
from math import radians, tan
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.geometry import BBox
from pecia_core.reading_order import arrange

HEIGHT, PITCH = 24.0, 36.0


def column(left: float, right: float, top: float, lines: int) -> list[BBox]:
    """Running text: full lines, the last of every seven shorter."""
    return [
        BBox(left, y, left + (right - left) * (0.5 if number % 7 == 6 else 1.0), y + HEIGHT)
        for number in range(lines)
        for y in (top + number * PITCH,)
    ]


def cells(lefts: list[float], widths: list[float], top: float, rows: int) -> list[BBox]:
    """A table: cells side by side, row by row."""
    return [
        BBox(left, top + row * PITCH, left + width, top + row * PITCH + HEIGHT)
        for row in range(rows)
        for left, width in zip(lefts, widths, strict=True)
    ]


def order(boxes: list[BBox]) -> list[int]:
    """Indices as they are read."""
    return [index for block in arrange(boxes) for row in block for index in row]


def rows(boxes: list[BBox]) -> list[list[int]]:
    """Rows as they are read, whatever their block."""
    return [row for block in arrange(boxes) for row in block]


def shuffled(boxes: list[BBox], seed: int = 7) -> list[BBox]:
    """As a detector may give them."""
    mixed = list(boxes)
    random.Random(seed).shuffle(mixed)  # noqa: S311  no secret
    return mixed


def read(boxes: list[BBox]) -> list[BBox]:
    """The boxes as they are read when they come in no order at all."""
    mixed = shuffled(boxes)
    return [mixed[index] for index in order(mixed)]


@given(boxes=st.lists(st.from_type(BBox), max_size=40))
def test_every_box_is_read_exactly_once(boxes: list[BBox]) -> None:
    """Whatever the boxes, none is lost and none is read twice, and no row or block is empty."""
    blocks = arrange(boxes)
    assert sorted(index for block in blocks for row in block for index in row) == list(range(len(boxes)))
    assert all(block and all(block) for block in blocks)


# Small integers make boxes touch, overlap, coincide and line up.
_CROWDED = st.builds(
    lambda x, y, width, height: BBox(x, y, x + width, y + height),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 40),
    st.integers(0, 6),
)


@given(boxes=st.lists(_CROWDED, max_size=40), seed=st.integers(0, 1000))
def test_the_order_in_which_boxes_come_does_not_matter(boxes: list[BBox], seed: int) -> None:
    """The same boxes in another order are read in the same order."""
    mixed = shuffled(boxes, seed)
    as_given = [[[boxes[index] for index in row] for row in block] for block in arrange(boxes)]
    as_mixed = [[[mixed[index] for index in row] for row in block] for block in arrange(mixed)]
    assert as_mixed == as_given


@given(boxes=st.lists(_CROWDED, max_size=30))
def test_a_row_is_read_from_left_to_right(boxes: list[BBox]) -> None:
    """Inside a row, left edges never go back."""
    for row in rows(boxes):
        lefts = [boxes[index].x0 for index in row]
        assert lefts == sorted(lefts)


def test_a_page_without_text_has_nothing_to_read() -> None:
    """No boxes, no blocks."""
    assert arrange([]) == []


def test_one_line_is_one_block() -> None:
    """The smallest page there is."""
    assert arrange([BBox(5, 5, 50, 20)]) == [[[0]]]


class TestRows:
    def test_a_label_and_its_price_are_one_row(self) -> None:
        """A receipt is read along its rows, although white space runs down its middle."""
        receipt = cells([40, 500], [300, 90], 0, 20)
        assert rows(receipt) == [[2 * row, 2 * row + 1] for row in range(20)]

    def test_long_prices_do_not_make_a_column(self) -> None:
        """Rupiah amounts are wide for prices and still no running text."""
        receipt = cells([40, 460], [330, 170], 0, 30)
        assert rows(receipt) == [[2 * row, 2 * row + 1] for row in range(30)]

    def test_a_table_is_read_row_by_row(self) -> None:
        """Description, quantity, price and sum stay together."""
        table = cells([0, 500, 600, 750], [420, 50, 100, 120], 0, 12)
        assert rows(table) == [[4 * row + cell for cell in range(4)] for row in range(12)]

    @pytest.mark.parametrize("seed", range(8))
    def test_ragged_cells_of_text_are_a_table(self, seed: int) -> None:
        """Two columns of phrases of every length are read across: they belong together by row."""
        lengths = random.Random(seed)  # noqa: S311  no secret
        table = [
            BBox(left, row * PITCH, left + lengths.uniform(60, 420), row * PITCH + HEIGHT)
            for row in range(20)
            for left in (0, 480)
        ]
        assert rows(table) == [[2 * row, 2 * row + 1] for row in range(20)]

    def test_a_form_keeps_names_and_values_together(self) -> None:
        """Short names on the left and long values on the right are one row each."""
        form = cells([0, 260], [180, 600], 0, 10)
        assert rows(form) == [[2 * row, 2 * row + 1] for row in range(10)]

    @pytest.mark.parametrize("degrees", [-2.0, -1.0, 1.0, 2.0])
    def test_a_skewed_receipt_keeps_its_rows(self, degrees: float) -> None:
        """A photographed receipt is never quite upright."""
        slope = tan(radians(degrees))
        receipt = [
            BBox(left, top + left * slope, left + width, top + left * slope + HEIGHT)
            for row in range(20)
            for top in (100 + row * PITCH,)
            for left, width in ((0, 260), (300, 60), (400, 90))
        ]
        assert rows(receipt) == [[3 * row, 3 * row + 1, 3 * row + 2] for row in range(20)]

    def test_half_of_the_smaller_height_must_be_shared(self) -> None:
        """Just over half is one row, just under half is two."""
        assert rows([BBox(0, 0, 10, 20), BBox(20, 9, 30, 29)]) == [[0, 1]]
        assert rows([BBox(0, 0, 10, 20), BBox(20, 11, 30, 31)]) == [[0], [1]]

    def test_a_comma_stays_in_its_row(self) -> None:
        """A low small box between words shares little with its neighbours and enough with the row."""
        words = [BBox(0, 0, 100, 24), BBox(104, 16, 108, 30), BBox(114, 0, 220, 30)]
        assert rows(words) == [[0, 1, 2]]

    def test_lines_beside_a_tall_logo_stay_apart(self) -> None:
        """What stands above each other is never one row, whatever stands beside it."""
        logo = BBox(0, 0, 80, 3 * PITCH)
        address = column(120, 500, 0, 3)
        found = rows([logo, *address])
        assert len(found) == 3
        assert [index for row in found for index in row if index] == [1, 2, 3]

    def test_boxes_of_no_height_break_nothing(self) -> None:
        """A detector's degenerate box is a row of its own."""
        assert sorted(map(len, rows([BBox(0, 5, 10, 5), BBox(20, 5, 30, 5), BBox(40, 0, 50, 10)]))) == [
            1,
            1,
            1,
        ]


class TestColumns:
    def test_two_columns_are_read_one_after_the_other(self) -> None:
        """The left column to its end, then the right one, although their lines stand side by side."""
        page = column(0, 450, 0, 20) + column(500, 950, 0, 20)
        assert read(page) == page

    def test_columns_need_no_common_baselines(self) -> None:
        """Columns whose lines interleave are columns all the same."""
        page = column(0, 450, 0, 20) + column(500, 950, PITCH / 2, 19)
        assert read(page) == page

    def test_three_columns_of_a_newspaper(self) -> None:
        """A cut may be cut again."""
        page = column(0, 300, 0, 25) + column(340, 640, 0, 25) + column(680, 980, 0, 25)
        assert read(page) == page

    def test_a_title_over_two_columns_comes_first(self) -> None:
        """What spans the columns is read where it stands: title, left, right, heading, left, right."""
        page = [
            BBox(100, 0, 850, 40),
            *column(0, 450, 60, 10),
            *column(500, 950, 60, 10),
            BBox(0, 460, 950, 490),
            *column(0, 450, 520, 10),
            *column(500, 950, 520, 10),
        ]
        assert read(page) == page

    def test_a_head_and_a_foot_do_not_join_the_columns(self) -> None:
        """Journal and page number above and below the columns are read before and after both."""
        page = [
            BBox(0, 0, 200, HEIGHT),
            BBox(850, 0, 950, HEIGHT),
            *column(0, 450, 100, 20),
            *column(500, 950, 100, 20),
            BBox(440, 900, 480, 900 + HEIGHT),
        ]
        assert read(page) == page

    def test_columns_of_different_length(self) -> None:
        """The last page of an article has a short right column."""
        page = column(0, 450, 0, 30) + column(500, 950, 0, 6)
        assert read(page) == page

    def test_a_table_inside_a_column_leaves_the_columns_alone(self) -> None:
        """The left column holds a small table between its paragraphs; the right one is text."""
        table = cells([0, 170, 330], [120, 120, 100], 12 * PITCH, 6)
        left = [*column(0, 450, 0, 11), *table, *column(0, 450, 19 * PITCH, 11)]
        right = column(500, 950, 0, 30)
        assert read([*left, *right]) == [*left, *right]

    def test_one_column_with_a_ragged_edge_is_one_zone(self) -> None:
        """Short lines are no reason to cut."""
        page = column(0, 900, 0, 40)
        assert read(page) == page


class TestParagraphs:
    def test_space_above_a_line_begins_a_block(self) -> None:
        """Two paragraphs with an empty line between them are two blocks."""
        page = [*column(0, 600, 0, 5), *column(0, 600, 7 * PITCH, 4)]
        assert [len(block) for block in arrange(page)] == [5, 4]

    def test_an_indent_begins_a_block(self) -> None:
        """Books part paragraphs by an indent alone."""
        page = [
            BBox(40 if number in (4, 9) else 0, number * PITCH, 900, number * PITCH + HEIGHT)
            for number in range(14)
        ]
        assert [len(block) for block in arrange(page)] == [4, 5, 5]

    def test_a_large_title_is_a_block_of_its_own(self) -> None:
        """Another size of type is another block, even with no space between."""
        page = [BBox(0, 0, 500, 60), *column(0, 900, 64, 6)]
        assert [len(block) for block in arrange(page)] == [1, 6]

    def test_evenly_set_lines_are_one_block(self) -> None:
        """Nothing parts lines at a regular pitch."""
        assert len(arrange(column(0, 900, 0, 30))) == 1

    def test_centred_short_rows_are_one_block(self) -> None:
        """Left edges that wander (the head of a receipt) are no indents."""
        head = [BBox(200 - 20 * (n % 3), n * PITCH, 300 + 20 * (n % 3), n * PITCH + HEIGHT) for n in range(6)]
        assert len(arrange(head)) == 1


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param(cells([100.0 * n for n in range(20)], [60.0] * 20, 0, 100), id="cells"),
        pytest.param([b for n in range(3) for b in column(700 * n, 700 * n + 600, 0, 667)], id="columns"),
        pytest.param([BBox(0, n, 10, n + 5000) for n in range(2000)], id="stacked"),
        pytest.param([BBox(n, 0, n + 5000, 30) for n in range(2000)], id="side by side"),
        pytest.param([BBox(5, 5, 10, 10)] * 2000, id="the same"),
    ],
)
def test_two_thousand_boxes_take_no_time(boxes: list[BBox]) -> None:
    """A page full of small print, or of nonsense, is arranged in well under what reading it takes."""
    began = perf_counter()
    assert len(order(shuffled(boxes))) == len(boxes)
    assert perf_counter() - began < 5.0
