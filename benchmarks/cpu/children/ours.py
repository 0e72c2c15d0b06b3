"""One worker's worth of pecia: `python -m benchmarks.cpu.children.ours ENGINE CONFIG PLACES`."""

import json
import sys
from pathlib import Path

from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName
from pecia_ocr.decoding import decode
from pecia_ocr.engines import catalogue
from pecia_ocr.engines.base import CancelToken, Engine, PlacedLine

from benchmarks.cpu.children.protocol import Line, Mouth, serve


def main(name: str, config: str, places: str) -> None:
    """Load the engine, then read what is asked for."""
    mouth = Mouth()
    engine = catalogue.build(EngineName(name), json.loads(config))
    engine.load(lambda _: None)
    serve(lambda file, languages: read(engine, file, languages), mouth, int(places))


def read(engine: Engine, file: str, languages: list[str]) -> list[Line]:
    """From the file to its lines, as a worker of the service does it."""
    pixels = decode(Path(file).read_bytes())
    events = engine.read(pixels, RecognizeOptions(languages=tuple(languages)), CancelToken())
    lines = [event.line for event in events if isinstance(event, PlacedLine)]
    boxes = [line.polygon.bbox for line in lines]
    return [
        (line.text, line.confidence, box.x0, box.y0, box.x1, box.y1)
        for line, box in zip(lines, boxes, strict=True)
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
