"""HTML tables of a model become rows of cells and Markdown, whatever is printed in them."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pecia_core.document import Block, Page
from pecia_core.formats import page_markdown
from pecia_core.geometry import BBox, Polygon
from pecia_core.tables import table_rows
from pecia_core.vocabulary import BlockKind


def markdown(html: str) -> str:
    """A page with only this table on it."""
    place = Polygon.from_bbox(BBox(0, 0, 10, 10))
    return page_markdown(Page(10, 10, (Block(BlockKind.TABLE, place, content=html),)))


@pytest.mark.parametrize(
    ("html", "rows"),
    [
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", (("a", "b"), ("c", ""))),
        (
            "<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
            (("x",), ("1",)),
        ),
        (
            '<table><tr><td colspan="2">sum</td><td>5</td></tr><tr><td>a<td>b<td>c</table>',
            (("sum", "", "5"), ("a", "b", "c")),
        ),
        (
            '<table><tr><td rowspan="2">a</td><td>b</td></tr><tr><td>c</td></tr></table>',
            (("a", "b"), ("", "c")),
        ),
        (
            '<table><tr><td rowspan="2" colspan="2">a</td><td>b</td></tr><tr><td>c</td></tr></table>',
            (("a", "", "b"), ("", "", "c")),
        ),
        ('<table><tr><td rowspan="9">a</td></tr></table>', (("a",),)),
        ("<table><tr><td>a<br>b\n <b>c</b></td></tr></table>", (("a b c",),)),
        ("<table><tr><td>5 < 6 &amp; 7 &gt; 6</td></tr></table>", (("5 < 6 & 7 > 6",),)),
        ("<table><caption>Prices</caption><tr><td>a</td></tr></table>", (("a",),)),
        ("<table><tr><td>a</td><td>b", (("a", "b"),)),
        ("<table></table>", ()),
        ("  <table><tr></tr></table>\n", ()),
    ],
)
def test_cells_stand_in_their_places(html: str, rows: tuple[tuple[str, ...], ...]) -> None:
    """Spans are laid out, short rows filled up, ends that are missing assumed."""
    assert table_rows(html) == rows


@pytest.mark.parametrize(
    "html",
    [
        "",
        "no table",
        "<td>a</td>",
        "<table><td>a</td></table>",
        "before <table><tr><td>a</td></tr></table>",
        "<table><tr><td>a</td></tr></table> after",
        "<table><tr><td>a</td></tr></table><table><tr><td>b</td></tr></table>",
        "<table><tr><td><table><tr><td>a</td></tr></table></td></tr></table>",
        "<table>" + '<tr><td colspan="200">a</td><td>b</td></tr>' + "</table>",
        "<table>" + "<tr>" * 20_001 + "<td>a</td></table>",
        "<table>" + '<tr><td rowspan="200" colspan="150">a</td></tr>' * 200 + "</table>",
    ],
)
def test_what_is_not_one_table_is_refused(html: str) -> None:
    """Text around it, two tables, one in another, one too large: the caller keeps the text."""
    assert table_rows(html) is None


@pytest.mark.parametrize(
    "cell", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!-- x -->", "<a href='j:x'>y</a>"]
)
def test_other_tags_are_text(cell: str) -> None:
    """What a stranger printed as HTML is shown, not run: not as a cell and not as text."""
    rows = table_rows(f"<table><tr><td>{cell}</td></tr></table>")
    assert rows == ((cell,),)
    for html in (f"<table><tr><td>{cell}</td></tr></table>", f"{cell}<table>"):
        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(html))
        assert "<script" not in rendered
        assert "<img" not in rendered
        assert "<a " not in rendered
        assert "<!--" not in rendered


def test_a_table_becomes_pipes() -> None:
    """The first row is the head; signs that would end a cell are escaped."""
    html = "<table><tr><td>a|b</td><td>*</td></tr><tr><td colspan='2'>c</td></tr></table>"
    assert markdown(html) == "| a\\|b | \\* |\n| --- | --- |\n| c |  |"


CELLS = st.text(st.sampled_from("ab|*<>&\\`_ 1.-#~["), max_size=12)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=4))
def test_markdown_shows_the_same_cells(cells: list[list[str]]) -> None:
    """Rendered, every cell says what it said in HTML."""

    def written(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    html = "".join("<tr>" + "".join(f"<td>{written(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    rows = table_rows(f"<table>{html}</table>")
    assert rows is not None
    assert [[" ".join(cell.split()) for cell in row] for row in cells] == [
        list(row[: len(given_row)]) for row, given_row in zip(rows, cells, strict=True)
    ]
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown(f"<table>{html}</table>"))
    shown = [
        "".join(part.content for part in token.children or ()) for token in tokens if token.type == "inline"
    ]
    assert shown == [cell for row in rows for cell in row]


@pytest.mark.parametrize(
    "part", ["<", "<td", "<td ", "<!", "<!--", "</", "&", "<td>", "<tr>", "<a b ", "<td a='"]
)
def test_hostile_html_costs_no_more_than_its_length(part: str) -> None:
    """Ten times the text takes about ten times as long, and never an exception."""

    def seconds(count: int) -> float:
        html = "<table><tr><td>" + part * (count // len(part))
        begin = process_time()
        table_rows(html)
        return process_time() - begin

    small = max(min(seconds(20_000) for _ in range(3)), 0.002)
    assert seconds(200_000) < 50 * small
