"""The engine as the service sees it: it finds text, decides which way is up, and reads line by line."""

import logging
from collections.abc import Callable, Iterator

import cv2
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName, TaskType

from pecia_ocr.engines.base import CancelToken, EngineEvent, EngineInfo, Oriented, Pixels
from pecia_ocr.engines.locating import mentions
from pecia_ocr.engines.rapid.detection import DetectionLimits, Detector
from pecia_ocr.engines.rapid.orientation import vote
from pecia_ocr.engines.rapid.recognition import Recognizer
from pecia_ocr.engines.rapid.session import Session
from pecia_ocr.engines.rapid.sheet import Sheet
from pecia_ocr.engines.rapid.weights import packaged

log = logging.getLogger(__name__)


class RapidEngine:
    """PP-OCRv6 (small) on onnxruntime."""

    def __init__(self, threads: int = 1, max_detection_area: int = 1_600_000) -> None:
        """Nothing is loaded yet.

        Args:
            threads: cores one page may use.
            max_detection_area: pixels of the picture in which text is looked for; larger pages are
                shrunk for the search, never for the reading.
        """
        self._threads = threads
        self._limits = DetectionLimits(max_area=max_detection_area)
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
        )

    def load(self, progress: Callable[[float], None]) -> None:
        """Read both models into memory: about a second."""
        log.info("Loading PaddleOCR models...")
        progress(0.0)
        cv2.setNumThreads(self._threads)
        detector = Detector(Session(self._weights.detection, self._threads), self._limits)
        progress(0.5)
        self._models = detector, Recognizer(Session(self._weights.recognition, self._threads))
        progress(1.0)
        log.info("Models loaded successfully")

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page; a page without text has no lines.

        Raises:
            Interrupted: `cancel` said so; a running computation is stopped, too.
        """
        if self._models is None:
            raise RuntimeError("load() comes before read()")
        detector, recognizer = self._models
        sheet = Sheet(pixels, recognizer, cancel)
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
