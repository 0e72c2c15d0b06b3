"""Markdown from strangers' pages: what may be shown of it, and what a file of it may do."""

import json
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pecia_ui.markup import html, inert

HOSTILE = json.loads((Path(__file__).parents[3] / "tests/hostile_markup.json").read_text())
SHOWN = {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"}
SHOWN |= {"em", "strong", "b", "i", "u", "s", "sub", "sup", "a"}
SHOWN |= {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}
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
    "<td colspan=2>",
    "&lt;",
    "&#33;",
    "|",
    "-",
]


class Seen(HTMLParser):
    """What a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def wrong(markup: str) -> list[tuple[str, dict[str, str | None]]]:
    """Tags that nothing harmless needs."""
    seen = Seen()
    seen.feed(markup)
    return [found for found in seen.tags if not harmless(*found)]


def harmless(tag: str, attributes: dict[str, str | None]) -> bool:
    """Whether it only shows."""
    for name, value in attributes.items():
        match tag, name:
            case "a", "href":
                good = (value or "").lower().startswith(("http://", "https://", "mailto:"))
            case "a", "target" | "rel":
                good = value in {"_blank", "noopener noreferrer nofollow"}
            case "td" | "th", "style":
                good = (value or "").removeprefix("text-align:") in {"left", "center", "right"}
            case ("td" | "th", "colspan" | "rowspan") | ("ol", "start"):
                good = (value or "").isdecimal()
            case _:
                good = False
        if not good:
            return False
    return tag in SHOWN


class Trusting(MarkdownIt):
    """As viewers that look at no address."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - its own name
        """Any will do."""
        return True


def active(markdown: str) -> list[str]:
    """What a viewer of files would fetch, run or follow somewhere else than to the web."""
    found = []
    for block in Trusting("commonmark", {"html": True}).enable("table").parse(markdown):
        for token in [block, *(block.children or [])]:
            target = str(token.attrGet("src") or token.attrGet("href") or "")
            if token.type == "image" and not target.startswith("figure-"):
                found.append(f"picture {target}")
            if token.type == "link_open" and not target.lower().startswith(
                ("http", "mailto:", "#", "figure-")
            ):
                found.append(f"link {target}")
            if token.type.startswith("html"):
                found += [f"tag {tag}" for tag in wrong(token.content)]
    return found


@pytest.mark.parametrize("hostile", HOSTILE)
def test_only_harmless_tags_are_left(hostile: str) -> None:
    """Of each known way to run something or to be fetched."""
    assert wrong(html(hostile)) == []
    assert wrong(html(f"<table><tr><td>{hostile}</td></tr></table>")) == []
    assert active(inert(hostile)) == []


def test_the_check_itself_sees_what_is_wrong() -> None:
    """Untreated, most of the list is found wrong."""
    assert sum(bool(active(hostile) or wrong(hostile)) for hostile in HOSTILE) > 0.8 * len(HOSTILE)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_nothing_active_can_be_pieced_together(markdown: str) -> None:
    """However signs follow each other."""
    assert wrong(html(markdown)) == []
    assert active(inert(markdown)) == []
    assert inert(inert(markdown)) == inert(markdown)


def test_what_was_read_is_shown() -> None:
    """Headings, tables in both spellings, alignment, spans; the words of a picture; a script as text."""
    shown = html("# Nota\n\n| a | b |\n| :-: | - |\n| 1 | 2 |\n\n![Logo](https://hostile.test/x.png)")
    assert "<h1>Nota</h1>" in shown
    assert '<th style="text-align:center">a</th>' in shown
    assert "<p>Logo</p>" in shown
    assert html('<table><tr><td colspan="3">a</td></tr></table>').count('<td colspan="3">a</td>') == 1
    assert "colspan" not in html('<table><tr><td colspan="999999999">a</td></tr></table>')
    assert html("<script>alert(1)</script>") == "alert(1)"
    assert html("from $5 to $6 at 10:30 :smile:") == "<p>from $5 to $6 at 10:30 :smile:</p>\n"


def test_a_file_keeps_what_is_harmless() -> None:
    """Tables, simple tags, links to the web and the places of pictures on the page."""
    kept = "![](figure-1) [b](https://b.test) <b>c</b> 5 < 6 !\n<table><tr><td colspan=2>d</td></tr></table>"
    assert inert(kept) == kept


@pytest.mark.parametrize(
    "hostile",
    ["![" * 40_000, "<b>" * 30_000, "a`" * 40_000, "|a|\n|-|\n" * 10_000, "\\" * 90_000, "](" * 40_000],
)
def test_nested_signs_take_no_time(hostile: str) -> None:
    """Seconds of computing are bounded, whatever a page of a hundred thousand signs looks like."""
    began = time.process_time()
    html(hostile)
    inert(hostile)
    assert time.process_time() - began < 20


def test_what_is_very_long_is_shown_as_text() -> None:
    """Parsing it would hold up everybody else."""
    assert html("<b>" * 50_000) == f"<pre>{'&lt;b&gt;' * 50_000}</pre>"
