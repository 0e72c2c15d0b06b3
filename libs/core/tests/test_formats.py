"""Text, Markdown and JSON of a page, and that a stream of lines adds up to them."""

import json
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pecia_core.document import Block, Document, Line, Page
from pecia_core.formats import (
    document_from_json,
    document_json,
    document_markdown,
    document_text,
    line_text,
    page_from_json,
    page_json,
    page_markdown,
    page_text,
    separator,
)
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind, TaskType

PLACE = Polygon.from_bbox(BBox(0, 0, 10, 10))


def line(text: str, row: int) -> Line:
    """A line somewhere."""
    return Line(text, PLACE, row=row)


def block(*lines: Line, kind: BlockKind = BlockKind.PARAGRAPH, content: str = "") -> Block:
    """A block somewhere."""
    return Block(kind, PLACE, lines, content=content)


def page(*blocks: Block) -> Page:
    """A page of these blocks."""
    return Page(100, 100, blocks)


def streamed(of: Page, task: TaskType) -> str:
    """What a caller sees who joins the deltas of a page of lines."""
    text, previous = "", None
    for part in of.blocks:
        for place, item in enumerate(part.lines):
            text += separator(previous, item, new_block=place == 0, task=task) + line_text(item, task)
            previous = item
    return text


RECEIPT = page(
    block(line("TOKO PECIA", 0)),
    block(line("Kopi susu", 1), line("36.000", 1), line("TOTAL", 2), line("77.145", 2)),
)


class TestText:
    def test_rows_are_lines_and_lines_are_words(self) -> None:
        """Rows stand on lines of their own; what stands side by side has one space between."""
        assert page_text(RECEIPT) == "TOKO PECIA\nKopi susu 36.000\nTOTAL 77.145"

    def test_markdown_parts_blocks_by_a_blank_line(self) -> None:
        """The markdown task shows paragraphs, the others rows only."""
        assert page_text(RECEIPT, TaskType.MARKDOWN) == "TOKO PECIA\n\nKopi susu 36.000\nTOTAL 77.145"

    def test_columns_begin_new_rows(self) -> None:
        """The first line of a block is never appended to the row before, even with its number."""
        columns = page(block(line("left", 0)), block(line("right", 0)))
        assert page_text(columns) == "left\nright"

    def test_a_blank_page_is_an_empty_text(self) -> None:
        """Nothing read is an answer."""
        assert page_text(page()) == page_markdown(page()) == ""

    def test_a_block_without_lines_gives_its_content(self) -> None:
        """A table of a generating engine stands in the text where it is read."""
        mixed = page(block(line("before", 0)), block(content="<table></table>"), block(line("after", 1)))
        assert page_text(mixed) == "before\n<table></table>\nafter"

    @given(of=st.from_type(Page), task=st.sampled_from(TaskType))
    def test_deltas_joined_are_the_text(self, of: Page, task: TaskType) -> None:
        """Separators and lines joined, as a stream sends them, are exactly the page's text."""
        lines_only = page(*(part for part in of.blocks if part.lines and not part.content))
        assert page_text(lines_only, task) == streamed(lines_only, task)

    @given(of=st.from_type(Page))
    def test_no_character_of_a_line_is_changed(self, of: Page) -> None:
        """Outside the markdown task, a line is written as it was read."""
        assert all(line_text(item, TaskType.FREE_OCR) == item.text for item in of.lines())

    def test_pages_have_a_blank_line_between_them(self) -> None:
        """A document is its pages one after the other."""
        document = Document((RECEIPT, page(block(line("second", 0)))))
        assert document_text(document) == page_text(RECEIPT) + "\n\nsecond"
        assert document_markdown(document) == page_markdown(RECEIPT) + "\n\nsecond"


def rendered(markdown: str) -> list[Token]:
    """All tokens of a document as GitHub would see it, inline ones included."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    return [leaf for token in tokens for leaf in (token.children or [token])]


# Signs that mean something to Markdown, far more often than chance would have them.
_SIGNS = st.text(st.sampled_from("#*_`[]()<>!|~\\&;:+-=.1 ax\t'\""), max_size=24)


class TestMarkdown:
    def test_kinds_keep_their_look(self) -> None:
        """Titles, lists, captions, formulas and tables are Markdown's own."""
        rich = page(
            block(line("Annual", 0), line("report", 1), kind=BlockKind.TITLE),
            block(line("one", 2), line("two", 3), kind=BlockKind.LIST),
            block(line("Figure 1", 4), kind=BlockKind.CAPTION),
            block(kind=BlockKind.FORMULA, content="a^2"),
            block(kind=BlockKind.TABLE, content="<table><tr><td>a</td></tr></table>"),
            block(kind=BlockKind.FIGURE),
        )
        assert page_markdown(rich) == (
            "# Annual report\n\n- one\n- two\n\n*Figure 1*\n\n$$\na^2\n$$\n\n| a |\n| --- |"
        )

    @pytest.mark.parametrize(
        ("read", "written"),
        [
            ("# of guests", "\\# of guests"),
            ("- 10%", "\\- 10%"),
            ("+ tax", "\\+ tax"),
            ("> see over", "\\> see over"),
            ("1. Nasi goreng", "1\\. Nasi goreng"),
            ("2) Teh", "2\\) Teh"),
            ("*** TOTAL ***", "\\*\\*\\* TOTAL \\*\\*\\*"),
            ("-----", "\\-----"),
            ("=====", "\\====="),
            ("[x](y)", "\\[x](y)"),
            ("a <b> c", "a \\<b> c"),
            ("_kept_", "\\_kept\\_"),
            ("`code`", "\\`code\\`"),
            ("a | b", "a \\| b"),
            ("~~gone~~", "\\~\\~gone\\~\\~"),
            ("&copy; 2026", "\\&copy; 2026"),
            ("end\\", "end\\\\"),
        ],
    )
    def test_markup_in_the_text_is_escaped(self, read: str, written: str) -> None:
        """What would turn text into markup gets a backslash."""
        assert line_text(line(read, 0), TaskType.MARKDOWN) == written

    @pytest.mark.parametrize(
        "read",
        [
            "INV_2024_01",
            "Rp 15.500,00",
            "10.5 kg",
            "-5",
            "a < b & c",
            "C:\\Users x",
            "#1",
            "(c) 2026 - 2027",
            "e-mail: a.b@c.id",
            "50% + 3",
        ],
    )
    def test_what_cannot_be_mistaken_stays_readable(self, read: str) -> None:
        """Numbers, codes and prices are not littered with backslashes."""
        assert line_text(line(read, 0), TaskType.MARKDOWN).replace("\\\\U", "\\U") == read

    @given(text=_SIGNS)
    def test_a_renderer_shows_the_line_as_it_was_read(self, text: str) -> None:
        """Rendered by CommonMark with GitHub's tables, a line is one paragraph of exactly its characters."""
        tokens = rendered(line_text(line(text, 0), TaskType.MARKDOWN))
        shown = "".join(token.content for token in tokens)
        kinds = {token.type for token in tokens}
        assert kinds <= {"paragraph_open", "paragraph_close", "text", "text_special"}
        assert shown == text.strip()

    @given(texts=st.lists(_SIGNS.filter(str.strip), min_size=1, max_size=4))
    def test_rows_below_each_other_make_no_markup_either(self, texts: list[str]) -> None:
        """No row turns the one above it into a heading or a table."""
        lines = [line(text, row) for row, text in enumerate(texts)]
        tokens = rendered(page_markdown(page(block(*lines))))
        assert {token.type for token in tokens} <= {
            "paragraph_open",
            "paragraph_close",
            "text",
            "text_special",
            "softbreak",
        }
        rows = [
            "".join(t.content for t in group)
            for kind, group in groupby(tokens, lambda t: t.type == "softbreak")
            if not kind
        ]
        assert rows == [text.strip() for text in texts]

    @given(texts=st.lists(_SIGNS, max_size=5))
    def test_a_page_of_paragraphs_is_what_the_markdown_task_streams(self, texts: list[str]) -> None:
        """The exporter and the task's text agree where no engine says more than paragraphs."""
        paragraphs = page(*(block(line(text, row)) for row, text in enumerate(texts) if text.strip()))
        assert page_markdown(paragraphs) == page_text(paragraphs, TaskType.MARKDOWN)


class TestJson:
    @given(of=st.from_type(Page))
    def test_a_page_comes_back_as_it_was(self, of: Page) -> None:
        """Nothing is rounded or lost in JSON text."""
        assert page_from_json(json.loads(json.dumps(page_json(of)))) == of

    @given(document=st.from_type(Document))
    def test_a_document_comes_back_as_it_was(self, document: Document) -> None:
        """Pages keep their order and places."""
        assert document_from_json(json.loads(json.dumps(document_json(document)))) == document

    def test_the_fields_are_the_documented_ones(self) -> None:
        """Clients read these names; another one would break them."""
        made = page_json(Page(100, 50, (block(line("a", 3)),), index=1, rotation=90))
        assert {key: value for key, value in made.items() if key != "blocks"} == {
            "index": 1,
            "number": 2,
            "width": 100,
            "height": 50,
            "rotation": 90,
            "confidence": None,
        }
        corners = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]]
        where = {"polygon": corners, "bbox": [0.0, 0.0, 10.0, 10.0], "confidence": None}
        assert made["blocks"] == [
            {
                "kind": "paragraph",
                "reading_order": 0,
                "label": "",
                "content": "",
                "lines": [{"text": "a", "row": 3, "words": [], **where}],
                **where,
            }
        ]

    @given(of=st.from_type(Page))
    def test_what_can_be_derived_is_ignored_on_the_way_back(self, of: Page) -> None:
        """`number`, `bbox` and the page's confidence are for readers; unknown fields do no harm."""
        made = {**page_json(of), "number": -1, "confidence": "?", "new": True}
        assert page_from_json(made) == of

    @pytest.mark.parametrize("broken", [{}, {**page_json(RECEIPT), "blocks": [{"kind": "poem"}]}])
    def test_what_is_no_page_is_refused(self, broken: dict[str, object]) -> None:
        """Missing fields and unknown kinds raise; half a page is never made."""
        with pytest.raises((KeyError, ValueError)):
            page_from_json(broken)
