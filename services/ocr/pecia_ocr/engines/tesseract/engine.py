"""The engine as the service sees it: which way up, read, put in order."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import sqrt

import cv2
import numpy as np
from pecia_core.document import Line, Word
from pecia_core.errors import InvalidRequest, Unavailable
from pecia_core.geometry import Polygon
from pecia_core.reading_order import arrange
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName, TaskType

from pecia_ocr.engines.base import CancelToken, EngineEvent, EngineInfo, Oriented, Pixels, PlacedLine
from pecia_ocr.engines.locating import mentions
from pecia_ocr.engines.tesseract import table
from pecia_ocr.engines.tesseract.program import Program, installed

# What callers say -> what Tesseract's files are called.
_NAMES = {"id": "ind", "en": "eng"}
_ORIENTATION_DATA = "osd"
# Below it, Tesseract turned upright receipts around; above it, none.
_SURE_ENOUGH = 2.0
_ORIENTATION_AREA = 3_000_000
_ORIENTATION = re.compile(r"Rotate: (\d+)\nOrientation confidence: ([\d.]+)")


class TesseractEngine:
    """Tesseract 5 with the language data of the system."""

    def __init__(
        self,
        languages: Sequence[str] = ("ind", "eng"),
        timeout_s: float = 120.0,
        max_area: int = 12_000_000,
    ) -> None:
        """Nothing is looked for yet.

        Args:
            languages: Tesseract's names, the first one leading.
            timeout_s: seconds one page may take.
            max_area: pixels; larger pages are shrunk first. A4 at 300 dpi has 9 million, and more
                resolution costs minutes and reads no better.
        """
        self._languages = tuple(languages)
        self._timeout_s = timeout_s
        self._max_area = max_area
        self._program: Program | None = None

    @property
    def info(self) -> EngineInfo:
        """What it is; the version is known once it is loaded."""
        return EngineInfo(
            name=EngineName.TESSERACT,
            models=("tesseract",),
            revision=f"tesseract-{self._program.version}" if self._program else "tesseract",
            tasks=(TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LOCATE, TaskType.LINES),
            languages=tuple(sorted(self._program.languages - {_ORIENTATION_DATA})) if self._program else (),
        )

    def load(self, progress: Callable[[float], None]) -> None:
        """Look for the program and its languages.

        Raises:
            Unavailable: something is not installed; the message has the command that installs it.
        """
        progress(0.0)
        program = installed(self._timeout_s)
        if missing := [name for name in self._languages if name not in program.languages]:
            packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in missing)
            raise Unavailable(
                f"Tesseract lacks {', '.join(missing)}: apt-get install {packages}.",
                code="engine_unavailable",
            )
        self._program = program
        progress(1.0)

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page; a page without text has no lines.

        Raises:
            Interrupted: `cancel` said so; the program has been killed.
            InvalidRequest: a language that is not installed.
        """
        if self._program is None:
            raise RuntimeError("load() comes before read()")
        languages = "+".join(self._chosen(self._program, options.languages))
        rotation = _rotation(self._program, pixels, cancel)
        yield Oriented(rotation)
        seen = np.ascontiguousarray(np.rot90(_shrunk(pixels, self._max_area), -rotation // 90))
        printed = self._program.run(seen, ["-l", languages, "--psm", "3", "tsv"], cancel)
        found = table.lines(printed or "")
        place = _placer(pixels, seen, rotation)
        for number, row, index in _ordered(found):
            line = replace(_moved(found[index], place), row=row)
            if options.task_type is not TaskType.LOCATE or mentions(line.text, options.ref_text):
                yield PlacedLine(line, number)

    def _chosen(self, program: Program, wanted: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(_NAMES.get(name.casefold(), name) for name in wanted) or self._languages
        for name in names:
            if name not in program.languages:
                raise InvalidRequest(
                    f"Tesseract has no language {name!r} here, only {', '.join(self.info.languages)}.",
                    code="unsupported_value",
                    param="languages",
                )
        return names


def _rotation(program: Program, pixels: Pixels, cancel: CancelToken) -> int:
    """Degrees clockwise to turn the page; 0 where Tesseract cannot tell."""
    if _ORIENTATION_DATA not in program.languages:
        return 0
    printed = program.run(_shrunk(pixels, _ORIENTATION_AREA), ["--psm", "0"], cancel)
    found = _ORIENTATION.search(printed or "")
    return int(found[1]) if found and float(found[2]) >= _SURE_ENOUGH else 0


def _shrunk(pixels: Pixels, max_area: int) -> Pixels:
    height, width = pixels.shape[:2]
    ratio = sqrt(max_area / (height * width))
    if ratio >= 1:
        return pixels
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _placer(pixels: Pixels, seen: Pixels, rotation: int) -> Callable[[Polygon], Polygon]:
    """From the picture Tesseract saw to the page as received."""
    height, width = pixels.shape[:2]
    turned_width, turned_height = (width, height) if rotation % 180 == 0 else (height, width)
    across, down = turned_width / seen.shape[1], turned_height / seen.shape[0]

    def place(polygon: Polygon) -> Polygon:
        return polygon.scaled(across, down).unrotated(rotation, width, height).clipped(width, height)

    return place


def _ordered(lines: Sequence[Line]) -> Iterator[tuple[int, int, int]]:
    """Block, row and index of each line, in reading order."""
    row = -1
    for number, block in enumerate(arrange([line.polygon.bbox for line in lines])):
        for members in block:
            row += 1
            for index in members:
                yield number, row, index


def _moved(line: Line, place: Callable[[Polygon], Polygon]) -> Line:
    words = tuple(Word(word.text, place(word.polygon), word.confidence) for word in line.words)
    return Line(line.text, place(line.polygon), line.confidence, words)
