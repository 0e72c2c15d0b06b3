"""Who is compared: pecia's engines as the service runs them, and RapidOCR as it comes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pecia_core.recognition import RecognizeOptions
from pecia_ocr.engines.base import CancelToken, Engine, Pixels, PlacedLine
from pecia_ocr.engines.rapid import RapidEngine
from pecia_ocr.engines.tesseract import TesseractEngine

from benchmarks.quality.scoring import Placed

Reader = Callable[[Pixels], list[Placed]]

STOCK = "stock RapidOCR"


def all_readers() -> dict[str, Reader]:
    """Every reader by name, loaded; `rapid` comes first and is what the others are compared with."""
    return {"rapid": ours(), "tesseract": _engine(TesseractEngine()), STOCK: _stock()}


def ours() -> Reader:
    """The engine `rapid`, loaded."""
    return _engine(RapidEngine())


def _engine(engine: Engine) -> Reader:
    engine.load(lambda _: None)

    def read(pixels: Pixels) -> list[Placed]:
        events = engine.read(pixels, RecognizeOptions(), CancelToken())
        lines = [event.line for event in events if isinstance(event, PlacedLine)]
        boxes = [line.polygon.bbox for line in lines]
        return [
            Placed(line.text, box.x0, box.y0, box.x1, box.y1) for line, box in zip(lines, boxes, strict=True)
        ]

    return read


def _stock() -> Reader:
    """RapidOCR with its default settings, but silent."""
    from rapidocr import RapidOCR  # noqa: PLC0415 - it sets up logging when it is imported

    stock: Callable[[Pixels], Any] = RapidOCR(params={"Global.log_level": "critical"})

    def read(pixels: Pixels) -> list[Placed]:
        result = stock(np.ascontiguousarray(pixels[:, :, ::-1]))
        if result.boxes is None:
            return []
        return [
            Placed(text, *map(float, (*np.min(box, 0), *np.max(box, 0))))
            for box, text in zip(result.boxes, result.txts, strict=True)
        ]

    return read
