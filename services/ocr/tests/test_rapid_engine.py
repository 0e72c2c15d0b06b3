"""The rapid engine on pictures drawn here: what it reads, in which order, which way up."""

import numpy as np
import pytest
from pecia_core.recognition import RecognizeOptions
from pecia_core.testing import sample_receipt
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import CancelToken, EngineEvent, Oriented, Pixels, PlacedLine
from pecia_ocr.engines.rapid import RapidEngine

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine() -> RapidEngine:
    """One loaded engine for all."""
    engine = RapidEngine()
    engine.load(lambda _: None)
    return engine


def rows_of(events: list[EngineEvent]) -> list[str]:
    """What was read, one string a row."""
    rows: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, PlacedLine):
            rows.setdefault(event.line.row, []).append(event.line.text)
    return [" ".join(texts) for texts in rows.values()]


def read(engine: RapidEngine, pixels: Pixels, options: RecognizeOptions | None = None) -> list[EngineEvent]:
    """All events of a page."""
    return list(engine.read(pixels, options or RecognizeOptions(), CancelToken()))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_reads_the_receipt_whichever_way_up_it_lies(engine: RapidEngine, rotation: int) -> None:
    """The same rows are read from the page in all four positions, and the turn is reported."""
    data, expected = sample_receipt()
    pixels = np.ascontiguousarray(np.rot90(decode(data), rotation // 90))
    events = read(engine, pixels)
    assert events[0] == Oriented(rotation)
    assert rows_of(events) == expected
