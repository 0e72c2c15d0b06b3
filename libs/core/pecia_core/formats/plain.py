"""Lines joined to text: what a stream sends line by line is exactly what a page becomes as a whole."""

from collections.abc import Iterator

from pecia_core.document import Document, Line, Page
from pecia_core.formats.escaping import escaped
from pecia_core.vocabulary import TaskType

_BETWEEN_PAGES = "\n\n"


def separator(previous: Line | None, line: Line, *, new_block: bool, task: TaskType) -> str:
    """What stands between a line and the one before it.

    Args:
        previous: the line before on this page; None = `line` is the first.
        line: the line about to be written.
        new_block: whether `line` is the first of its block.
        task: markdown parts blocks by a blank line; all others know rows only.
    """
    if previous is None:
        return ""
    if new_block:
        return "\n\n" if task is TaskType.MARKDOWN else "\n"
    return " " if previous.row == line.row else "\n"


def line_text(line: Line, task: TaskType) -> str:
    """The line as the task writes it: in markdown, signs that would become markup are escaped."""
    return escaped(line.text) if task is TaskType.MARKDOWN else line.text


def page_text(page: Page, task: TaskType = TaskType.FREE_OCR) -> str:
    """Every line of the page in reading order: rows on lines of their own, one space inside a row.

    It is exactly `separator` and `line_text` of each line joined, so it equals what was streamed.
    A block with `content` gives that, on lines of its own: its lines only say where it stands.
    """
    return "".join(_pieces(page, task))


def document_text(document: Document) -> str:
    """All pages, a blank line between them."""
    return _BETWEEN_PAGES.join(page_text(page) for page in document.pages)


def _pieces(page: Page, task: TaskType) -> Iterator[str]:
    previous: Line | None = None
    written = False
    for block in page.blocks:
        if block.content:
            yield _block_break(task) if written else ""
            yield block.content
            previous, written = None, True
            continue
        for place, line in enumerate(block.lines):
            if previous is None and written:
                yield _block_break(task)
            yield separator(previous, line, new_block=place == 0, task=task)
            yield line_text(line, task)
            previous, written = line, True


def _block_break(task: TaskType) -> str:
    return "\n\n" if task is TaskType.MARKDOWN else "\n"
