"""The events of a page that was read before, told again."""

from collections.abc import Iterator
from dataclasses import replace

from pecia_core.document import Block, Line
from pecia_core.formats import line_text, separator
from pecia_core.recognition import Delta, Event, Recognition, Started
from pecia_core.vocabulary import TaskType


def replayed(recognition: Recognition, task: TaskType, *, cached: bool = True) -> Iterator[Event]:
    """Started, deltas and blocks, the Recognition; all deltas joined are its text.

    Lines are told one by one, as when they were read. Where they do not make up the text, as with
    engines that write text of their own, it comes in one piece. `cached` is what they say of themselves.
    """
    yield Started(recognition.engine, recognition.model, cached=cached)
    told = [list(deltas) for deltas in _by_block(recognition.page.blocks, task)]
    by_line = "".join(delta.text for deltas in told for delta in deltas) == recognition.text
    if not by_line:
        yield Delta(recognition.text)
    for block, deltas in zip(recognition.page.blocks, told, strict=True):
        if by_line:
            yield from deltas
        yield block
    yield replace(recognition, cached=cached)


def _by_block(blocks: tuple[Block, ...], task: TaskType) -> Iterator[Iterator[Delta]]:
    previous: Line | None = None
    for block in blocks:
        yield iter([*_deltas(block, previous, task)])
        previous = block.lines[-1] if block.lines else previous


def _deltas(block: Block, previous: Line | None, task: TaskType) -> Iterator[Delta]:
    for place, line in enumerate(block.lines):
        before = separator(previous, line, new_block=place == 0, task=task)
        yield Delta(before + line_text(line, task), line)
        previous = line
