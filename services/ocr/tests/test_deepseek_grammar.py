"""What the model's answer means: text, blocks and boxes in pixels, however it arrives."""

import pytest
from pecia_core.document import Block
from pecia_core.vocabulary import BlockKind, TaskType
from pecia_ocr.engines.deepseek.grammar import BlockPiece, Grammar, PagePiece, Piece, TextPiece
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family

V1 = PROFILES[Family.V1]
UNLIMITED = PROFILES[Family.UNLIMITED]
WIDTH, HEIGHT = 999, 1998  # one grid step is 1 x 2 pixels


def grammar(family: Family = Family.V1, task: TaskType = TaskType.MARKDOWN) -> Grammar:
    """For a page on which the grid is easy to follow."""
    return Grammar(PROFILES[family], WIDTH, HEIGHT, task)


def read(answer: str, family: Family = Family.V1, task: TaskType = TaskType.MARKDOWN) -> list[Piece]:
    """All pieces of an answer that comes at once."""
    reader = grammar(family, task)
    return [*reader.feed(answer), *reader.finish()]


def text_of(pieces: list[Piece]) -> str:
    """The text pieces joined."""
    return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))


def blocks_of(pieces: list[Piece]) -> list[Block]:
    """The blocks."""
    return [piece.block for piece in pieces if isinstance(piece, BlockPiece)]


def box(block: Block) -> tuple[float, ...]:
    """Where a block stands."""
    around = block.polygon.bbox
    return (around.x0, around.y0, around.x1, around.y1)


def tag(label: str, *boxes: tuple[int, int, int, int]) -> str:
    """A reference as the first model writes it."""
    return f"<|ref|>{label}<|/ref|><|det|>[{', '.join(map(str, map(list, boxes)))}]<|/det|>"


PAGE = (
    tag("title", (10, 20, 500, 60))
    + "\n# Annual report\n\n"
    + tag("text", (10, 80, 900, 200))
    + "\nSales rose\nby 5 %.\n\n"
    + tag("image", (100, 220, 400, 400))
    + "\n\n"
    + tag("image_caption", (100, 410, 400, 430))
    + "\nFigure 1\n\n\n\n"
    + tag("table", (10, 500, 900, 800))
    + "\n<table><tr><td>a</td><td>1</td></tr></table>\n\n"
    + tag("equation", (10, 850, 900, 900))
    + "\n\\[ a \\coloneqq b \\]\n"
)


def test_a_figure_without_a_place_is_not_named() -> None:
    """There is nothing to show; its region is told, on the page as a whole."""
    pieces = read("<|ref|>image<|/ref|><|det|>[[9, 9, 9, 9]]<|/det|>\nFig. 1")
    assert text_of(pieces) == "Fig. 1"
    (block,) = blocks_of(pieces)
    assert (block.kind, block.content) == (BlockKind.FIGURE, "Fig. 1")


def test_a_page_of_the_first_model() -> None:
    """Text without tags, and a block for each region with its kind, label, place and content."""
    pieces = read(PAGE)
    assert text_of(pieces) == (
        "# Annual report\n\nSales rose\nby 5 %.\n\n![](figure-1)\n\nFigure 1\n\n"
        "<table><tr><td>a</td><td>1</td></tr></table>\n\n\\[ a := b \\]"
    )
    blocks = blocks_of(pieces)
    assert [(block.kind, block.label, box(block), block.content) for block in blocks] == [
        (BlockKind.TITLE, "title", (10, 40, 500, 120), "# Annual report"),
        (BlockKind.PARAGRAPH, "text", (10, 160, 900, 400), "Sales rose\nby 5 %."),
        (BlockKind.FIGURE, "image", (100, 440, 400, 800), "![](figure-1)"),
        (BlockKind.CAPTION, "image_caption", (100, 820, 400, 860), "Figure 1"),
        (BlockKind.TABLE, "table", (10, 1000, 900, 1600), "<table><tr><td>a</td><td>1</td></tr></table>"),
        (BlockKind.FORMULA, "equation", (10, 1700, 900, 1800), "a := b"),
    ]
    assert [block.reading_order for block in blocks] == list(range(6))


def test_blocks_know_what_was_written_for_them() -> None:
    """From behind a block's tag to the next tag: where its tokens are, for its confidence."""
    spans = [(piece.begin, piece.end) for piece in read(PAGE) if isinstance(piece, BlockPiece)]
    assert [PAGE[begin:end].strip() for begin, end in spans] == [
        "# Annual report",
        "Sales rose\nby 5 %.",
        "",
        "Figure 1",
        "<table><tr><td>a</td><td>1</td></tr></table>",
        "\\[ a \\coloneqq b \\]",
    ]


def test_blocks_come_when_their_text_is_complete() -> None:
    """Text flows while a block is written; the block follows it at once when the next begins."""
    reader = grammar()
    assert reader.feed(tag("text", (1, 2, 3, 4))) == []
    assert reader.feed("one ") == [TextPiece("one ")]
    assert reader.feed("two\n") == [TextPiece("two")]
    (piece,) = reader.feed(tag("text", (5, 6, 7, 8)))
    assert isinstance(piece, BlockPiece)
    assert piece.block.content == "one two"
    assert [block.content for block in blocks_of(reader.finish())] == [""]


def test_a_page_of_unlimited() -> None:
    """The label stands in the box's tag; a mark stands before the page."""
    pieces = read(
        "<PAGE>\n<|det|>title [10, 20, 500, 60]<|/det|># Report\n<|det|>image [1, 2, 30, 40]<|/det|>\n"
        "<|det|>text [10, 80, 900, 200]<|/det|>Body",
        Family.UNLIMITED,
    )
    assert text_of(pieces) == "# Report\n![](figure-1)\nBody"
    assert [(block.kind, box(block), block.content) for block in blocks_of(pieces)] == [
        (BlockKind.TITLE, (10, 40, 500, 120), "# Report"),
        (BlockKind.FIGURE, (1, 4, 30, 80), "![](figure-1)"),
        (BlockKind.PARAGRAPH, (10, 160, 900, 400), "Body"),
    ]
    assert not any(isinstance(piece, PagePiece) for piece in pieces)


def test_several_pages_of_unlimited() -> None:
    """Each page has its own size, text, order and count of figures; a page too many is more text."""
    reader = Grammar(UNLIMITED, 999, 999, TaskType.MARKDOWN, [(1998, 3996)])
    region = "<PAGE>\n<|det|>text [10, 20, 30, 40]<|/det|>{}\n<|det|>image [1, 1, 9, 9]<|/det|>\n"
    pieces = [*reader.feed("".join(map(region.format, "abc"))), *reader.finish()]
    turn = pieces.index(PagePiece(1))
    assert text_of(pieces[:turn]) == "a\n![](figure-1)"
    assert text_of(pieces[turn:]) == "b\n![](figure-1)\n\nc\n![](figure-2)"
    assert [box(block) for block in blocks_of(pieces)[::2]] == [
        (10, 20, 30, 40),
        (20, 80, 60, 160),
        (20, 80, 60, 160),
    ]
    assert [block.reading_order for block in blocks_of(pieces)] == [0, 1, 0, 1, 2, 3]
    assert sum(isinstance(piece, PagePiece) for piece in pieces) == 1


def test_lines_are_what_the_references_say() -> None:
    """The words are in the reference: a line with its box, one row for what stands side by side."""
    answer = "\n".join(
        [
            tag("Kopi susu", (10, 10, 200, 20)),
            tag("36.000", (700, 11, 900, 21)),
            tag("TOTAL", (10, 30, 200, 40)),
        ]
    )
    pieces = read(answer, task=TaskType.LINES)
    assert text_of(pieces) == "Kopi susu\n36.000\nTOTAL"
    lines = [line for block in blocks_of(pieces) for line in block.lines]
    assert [(line.text, line.row) for line in lines] == [("Kopi susu", 0), ("36.000", 0), ("TOTAL", 1)]
    assert [box(block) for block in blocks_of(pieces)][1] == (700, 22, 900, 42)
    assert [line.polygon for line in lines] == [block.polygon for block in blocks_of(pieces)]
    spans = [answer[piece.begin : piece.end] for piece in pieces if isinstance(piece, BlockPiece)]
    assert "\n".join(spans) == answer


def test_lines_without_breaks_between_them_get_some() -> None:
    """Two lines never run into one word."""
    answer = tag("one", (1, 1, 9, 9)) + tag("two", (1, 11, 9, 19)) + "three"
    assert text_of(read(answer, task=TaskType.LINES)) == "one\ntwo\nthree"


def test_locate_finds_every_place() -> None:
    """One block for each box, none where the model found nothing."""
    pieces = read(tag("Total", (10, 20, 30, 40), (50, 60, 70, 80)), task=TaskType.LOCATE)
    assert [(box(block), [line.text for line in block.lines]) for block in blocks_of(pieces)] == [
        ((10, 40, 30, 80), ["Total"]),
        ((50, 120, 70, 160), ["Total"]),
    ]
    assert text_of(pieces) == "Total\nTotal"
    assert read(tag("Total", (5, 5, 5, 5)), task=TaskType.LOCATE) == []
    assert read("I see no such text.", task=TaskType.LOCATE) == [TextPiece("I see no such text.")]


@pytest.mark.parametrize("task", [TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LINES])
def test_text_without_a_place_is_on_the_page(task: TaskType) -> None:
    """Free text that was read is one block over the whole page; a description is no part of it."""
    (block,) = blocks_of(read("\n\nTOKO\n\n\nPECIA\n", task=task))
    assert (block.content, box(block), block.label) == ("TOKO\n\nPECIA", (0, 0, WIDTH, HEIGHT), "")
    for other in (TaskType.DESCRIBE, TaskType.PARSE_FIGURE, TaskType.LOCATE):
        assert read("A shop.", task=other) == [TextPiece("A shop.")]


def test_words_in_place_of_a_label_are_not_lost() -> None:
    """Asked for markdown, the model sometimes refers to words, as if asked for lines."""
    pieces = read(tag("Total: 5.00", (1, 2, 3, 4)))
    assert text_of(pieces) == "Total: 5.00"
    assert [line.text for block in blocks_of(pieces) for line in block.lines] == ["Total: 5.00"]


def test_an_unknown_label_is_a_paragraph() -> None:
    """The kind is the nearest there is, the label stays what the model said."""
    (block,) = blocks_of(read(tag("aside_text", (1, 2, 3, 4)) + "Note"))
    assert (block.kind, block.label, block.content) == (BlockKind.PARAGRAPH, "aside_text", "Note")


def test_boxes_are_clamped_sorted_and_whole_pixels() -> None:
    """Corners in any order, numbers beyond the grid, several boxes around one region, none with area."""
    reader = Grammar(V1, 100, 50, TaskType.MARKDOWN)
    pieces = [
        *reader.feed(tag("text", (999, 500, 0, 1500)) + "a" + tag("text", (1, 1, 2, 2), (500, 3, 600, 9)))
    ]
    pieces += [*reader.feed("b" + tag("text", (7, 7, 7, 9)) + "c"), *reader.finish()]
    assert [box(block) for block in blocks_of(pieces)] == [
        (0, int(500 / 999 * 50), 100, 50),
        (int(1 / 999 * 100), 0, int(600 / 999 * 100), 0),
        (0, 0, 100, 50),
    ]


MALFORMED = [
    "<|ref|>",
    "<|ref|>text",
    "<|ref|>text<|/ref|>",
    "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]",
    "<|ref|>text<|/ref|> <|det|>[[1, 2, 3, 4]]<|/det|>",
    "<|ref|>text<|/ref|><|det|><|/det|>",
    "<|ref|>text<|/ref|><|det|>[1, 2, 3, 4]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[1, 2, 3]]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4],]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[1.5, 2, 3, 4]]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[-1, 2, 3, 4]]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 99999]]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[__import__('os'), 2, 3, 4]]<|/det|>",
    "<|ref|>text<|/ref|><|det|>[[\u0661, 2, 3, 4]]<|/det|>",
    "<|det|>[[1, 2, 3, 4]]<|/det|>",
    "<|/ref|><|/det|>",
    "<|det|>title [1, 2, 3, 4]<|/det|>",
    "<PAGE>",
    "<|grounding|>",
    "<|ref|" + "a" * 9000,
    "<|ref|>" + "a" * 9000 + "<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>",
]


@pytest.mark.parametrize("answer", MALFORMED)
def test_what_is_no_tag_is_text(answer: str) -> None:
    """Half a tag, boxes of another form, programs in place of numbers: passed on as they are."""
    pieces = read(answer)
    assert text_of(pieces) == answer
    assert [block.label for block in blocks_of(pieces)] == [""]
    followed = read(answer + tag("title", (1, 2, 3, 4)) + "Head")
    assert text_of(followed) == answer + "\nHead"
    assert [block.label for block in blocks_of(followed)] == ["", "title"]


@pytest.mark.parametrize(
    "answer",
    ["<|det|>[[1, 2, 3, 4]]<|/det|>", "<|det|>a b [1, 2, 3, 4]<|/det|>", "<|det|>text<|/det|>", "<PAGE"],
)
def test_what_is_no_tag_of_unlimited_is_text(answer: str) -> None:
    """Its own forms are as strict."""
    assert text_of(read(answer, Family.UNLIMITED)) == answer
