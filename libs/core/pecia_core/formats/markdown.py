"""A page as Markdown: titles, lists, formulas and tables keep their kind."""

from pecia_core.document import Block, Document, Page
from pecia_core.formats.inert import formula, inert, table_markdown
from pecia_core.formats.plain import line_text, separator
from pecia_core.vocabulary import BlockKind, TaskType

_BETWEEN_BLOCKS = "\n\n"


def page_markdown(page: Page) -> str:
    """Blocks in reading order, a blank line between them.

    On a page of paragraphs it equals `page_text(page, TaskType.MARKDOWN)`.
    """
    return _BETWEEN_BLOCKS.join(text for block in page.blocks if (text := _block(block)))


def document_markdown(document: Document) -> str:
    """All pages, a blank line between them."""
    return _BETWEEN_BLOCKS.join(text for page in document.pages if (text := page_markdown(page)))


def _block(block: Block) -> str:
    if block.content or not block.lines:
        return _content(block)
    match block.kind:
        case BlockKind.TITLE:
            return "# " + _joined(block).replace("\n", " ")
        case BlockKind.LIST:
            return "\n".join("- " + row for row in _joined(block).split("\n"))
        case BlockKind.CAPTION:
            return f"*{_joined(block)}*"
        case _:
            return _joined(block)


def _content(block: Block) -> str:
    if block.kind is BlockKind.FORMULA and block.content:
        return formula(block.content)
    if block.kind is BlockKind.TABLE and block.content:
        return table_markdown(block.content)
    return inert(block.content)


def _joined(block: Block) -> str:
    text, previous = "", None
    for line in block.lines:
        before = separator(previous, line, new_block=False, task=TaskType.MARKDOWN)
        text += before + line_text(line, TaskType.MARKDOWN)
        previous = line
    return text
