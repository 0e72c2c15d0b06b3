"""One document: the verdict on each page, and what it costs."""

import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pecia_core.pdf import Verdict
from pecia_core.pdf.frames import ReadText, Render
from pecia_core.pdf.layer import received
from pecia_core.pdf.opened import CannotRead, Opened
from pecia_core.pdf.source import Source

_DPI, _MAX_PIXELS = 200, 25_000_000


@dataclass(frozen=True, slots=True)
class PageFound:
    """One page; `said` is a person's word, or empty; times are CPU-ms."""

    name: str
    said: str
    verdict: Verdict
    characters: int
    text_ms: float
    render_ms: float

    @property
    def falsely_trusted(self) -> bool:
        """The error that matters."""
        return self.verdict is Verdict.TRUSTED and self.said in {"scan", "mixed"}

    @property
    def falsely_doubted(self) -> bool:
        """The error that costs an OCR."""
        return self.verdict is not Verdict.TRUSTED and self.said == "digital"


def measure(path: Path, said: Sequence[str], most: int) -> list[PageFound]:
    """Every page, up to `most`; a document that cannot be opened has none."""
    with closing(Source.of(path, None)) as source:
        try:
            document = Opened(os.dup(source.descriptor), None)
        except CannotRead as error:
            print(f"{path.name}: {error.why}")
            return []
    with closing(document):
        # The first page pays for what is learnt once.
        document.answer(ReadText(0, _DPI, _MAX_PIXELS))
        return [_page(document, index, path.name, said) for index in range(min(most, document.pages))]


def _page(document: Opened, index: int, name: str, said: Sequence[str]) -> PageFound:
    began = time.process_time()
    _, payload = document.answer(ReadText(index, _DPI, _MAX_PIXELS))
    read = time.process_time()
    document.answer(Render(index, _DPI, _MAX_PIXELS))
    drawn = time.process_time()
    layer = received(payload, index)
    word = said[index] if index < len(said) else ""
    found = PageFound(
        f"{name} p. {index + 1}",
        word,
        layer.verdict,
        layer.characters,
        1000 * (read - began),
        1000 * (drawn - read),
    )
    print(f"{found.name}: {found.verdict}, {found.text_ms:.0f} ms", flush=True)
    return found
