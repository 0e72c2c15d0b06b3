"""The engine as the service sees it: it finds text, decides which way is up, and reads line by line."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
from msgspec import convert
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName, TaskType

from pecia_ocr.engines.base import CancelToken, EngineEvent, EngineInfo, Oriented, Pixels
from pecia_ocr.engines.locating import mentions
from pecia_ocr.engines.rapid import parts
from pecia_ocr.engines.rapid.detection import DetectionLimits, Detector
from pecia_ocr.engines.rapid.head import Head, Script
from pecia_ocr.engines.rapid.languages import LANGUAGES, script_for
from pecia_ocr.engines.rapid.networks import Precision, Runtime, choose
from pecia_ocr.engines.rapid.orientation import vote
from pecia_ocr.engines.rapid.recognition import Recognizer
from pecia_ocr.engines.rapid.sheet import Sheet
from pecia_ocr.engines.rapid.turns import Turns
from pecia_ocr.engines.rapid.weights import packaged

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the engine uses the machine.

    `threads`: cores one computation may use. `max_detection_area`: pixels of the picture in which text
    is looked for; larger pages are shrunk for the search, never for the reading. `script`: for callers
    who name no language.
    """

    threads: int = 1
    max_detection_area: int = 1_200_000
    runtime: Runtime = Runtime.AUTO
    precision: Precision = Precision.AUTO
    script: Script = Script.AUTO


class RapidEngine:
    """PP-OCRv6 (small). Several threads may read with it, each its page."""

    def __init__(self, **tuning: object) -> None:
        """Nothing is loaded yet; `tuning` = fields of `Tuning`."""
        self._tuning = convert(tuning, Tuning)
        self._weights = packaged()
        self._models: tuple[Detector, Recognizer] | None = None

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return EngineInfo(
            name=EngineName.RAPID,
            models=("rapid", "ppocr"),
            revision=self._weights.revision,
            tasks=(TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LOCATE, TaskType.LINES),
            languages=LANGUAGES,
        )

    def load(self, progress: Callable[[float], None]) -> None:
        """Read both models into memory: about two seconds.

        Raises:
            Unavailable: the runtime or precision asked for cannot be had here.
        """
        log.info("Loading PaddleOCR models...")
        progress(0.0)
        tuning = self._tuning
        cv2.setNumThreads(tuning.threads)
        network = choose(tuning.runtime, tuning.precision, tuning.threads)
        turns = Turns()
        limits = DetectionLimits(max_area=tuning.max_detection_area)
        detector = Detector(network(parts.detector(self._weights.detection)), limits, turns)
        progress(0.5)
        trunk = parts.trunk(self._weights.recognition)
        self._models = detector, Recognizer(network(trunk.network), Head(trunk), turns)
        progress(1.0)
        log.info("Models loaded successfully")

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page; a page without text has no lines.

        Raises:
            Interrupted: `cancel` said so; a running computation is stopped, too.
            InvalidRequest: a language that the model does not read.
        """
        if self._models is None:
            raise RuntimeError("load() comes before read()")
        detector, recognizer = self._models
        sheet = Sheet(pixels, recognizer, script_for(options.languages, self._tuning.script), cancel)
        quads = detector.find(pixels, 0, cancel)
        verdict = vote(quads, sheet.read)
        yield Oriented(verdict.rotation)
        if verdict.rotation:
            # Upright text is found better, and in rows that reading order understands.
            quads = detector.find(pixels, verdict.rotation, cancel)
        known = {} if verdict.rotation else verdict.readings
        for placed in sheet.lines(quads, verdict.rotation, known):
            if options.task_type is not TaskType.LOCATE or mentions(placed.line.text, options.ref_text):
                yield placed
