"""Markdown documents of what strangers print: they fetch, run and lead to nothing."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pecia_core.document import Block, Page
from pecia_core.formats import inert, page_markdown, page_text
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind, TaskType

HOSTILE = json.loads((Path(__file__).parents[3] / "tests/hostile_markup.json").read_text())
PLACE = Polygon.from_bbox(BBox(0, 0, 10, 10))
HARMLESS = {
    f"<{end}{tag}>" for tag in ["br", "b", "i", "u", "em", "strong", "sub", "sup"] for end in ("", "/")
}
PIECES = [
    "!",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "\\",
    ":",
    "img",
    "a",
    "/",
    "x",
    " ",
    "\n",
    '"',
    "=",
    "javascript",
]
PIECES += [
    "<b>\n",
    "<img src=x>",
    "https://h.test",
    "figure-1",
    "`",
    "<table>",
    "<td>",
    "</table>",
    "&lt;",
    "&#33;",
    "|",
    "-",
    "$$",
]


class Trusting(MarkdownIt):
    """As viewers that look at no address."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - its own name
        """Any will do."""
        return True


def active(markdown: str) -> list[str]:
    """What a viewer would fetch, run or follow somewhere else than to the web."""
    found = []
    for block in Trusting("commonmark", {"html": True}).enable("table").parse(markdown):
        for token in [block, *(block.children or [])]:
            target = str(token.attrGet("src") or token.attrGet("href") or "").lower()
            if token.type == "image" and not target.startswith("figure-"):
                found.append(f"picture {target}")
            if token.type == "link_open" and not target.startswith(("http", "mailto:", "#", "figure-")):
                found.append(f"link {target}")
            if token.type.startswith("html"):
                tags = re.findall("<[A-Za-z/!?][^>]*>?", token.content)
                found += [f"tag {tag}" for tag in tags if tag not in HARMLESS]
    return found


def page(content: str, kind: BlockKind) -> Page:
    """A page that a vision model wrote."""
    return Page(10, 10, (Block(kind, PLACE, content=content),))


@pytest.mark.parametrize("kind", list(BlockKind))
def test_no_block_makes_a_document_active(kind: BlockKind) -> None:
    """Whatever the model called what it wrote; the text of the API stays what it said."""
    for hostile in HOSTILE:
        assert active(page_markdown(page(hostile, kind))) == [], hostile
        assert page_text(page(hostile, kind), TaskType.MARKDOWN) == hostile


def test_the_check_itself_sees_what_is_wrong() -> None:
    """Untreated, most of the list is active."""
    assert sum(bool(active(hostile)) for hostile in HOSTILE) > 0.8 * len(HOSTILE)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_nothing_active_can_be_pieced_together(markdown: str) -> None:
    """However signs follow each other; and twice is once."""
    assert active(inert(markdown)) == []
    assert inert(inert(markdown)) == inert(markdown)


def test_what_is_harmless_stays() -> None:
    """Simple tags, links to the web, the places of pictures, and signs that are no mark-up."""
    kept = "# a\n\n![](figure-1) [b](https://b.test) <b>c</b> 5 < 6 ! [1] (x): y"
    assert inert(kept) == kept


def test_a_table_in_running_text_becomes_rows() -> None:
    """Models write tables where no block says so."""
    assert inert("a\n<table><tr><td>1</td><td>![x](y)</td></tr></table>\nb") == (
        "a\n\n\n| 1 | !\\[x\\](y) |\n| --- | --- |\n\n\nb"
    )


def test_a_formula_stays_one() -> None:
    """It cannot end itself, and spaces change none."""
    assert page_markdown(page("a<b", BlockKind.FORMULA)) == "$$\na< b\n$$"
    assert page_markdown(page("x$$\n\n![a](b)", BlockKind.FORMULA)) == "$$\nx$ $\n\n! [a] (b)\n$$"


@pytest.mark.parametrize("sign", ["\\", "<table>", "<table ", "](", "]( ", "<", "![", "$$"])
def test_long_rows_of_signs_take_no_time(sign: str) -> None:
    """Seconds of computing grow with the length, not with its square."""
    began = time.process_time()
    inert(sign * (200_000 // len(sign)))
    assert time.process_time() - began < 10
