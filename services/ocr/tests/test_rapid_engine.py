"""The rapid engine on pictures drawn here: what it reads, in which order, which way up, and how it stops."""

import logging
import multiprocessing
import multiprocessing.connection
import resource
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from pecia_core.geometry import Polygon
from pecia_core.recognition import RecognizeOptions
from pecia_core.testing import blank_page, sample_page, sample_receipt
from pecia_core.vocabulary import TaskType
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import CancelToken, EngineEvent, Interrupted, Oriented, Pixels, PlacedLine
from pecia_ocr.engines.rapid import RapidEngine
from PIL import Image, ImageDraw, ImageFont

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine() -> RapidEngine:
    """One loaded engine for all."""
    return loaded()


@pytest.fixture(scope="module")
def receipt(engine: RapidEngine) -> list[EngineEvent]:
    """The upright receipt, read once for several tests."""
    return read(engine, decode(sample_receipt()[0]))


def loaded() -> RapidEngine:
    """An engine ready to read."""
    engine = RapidEngine()
    engine.load(lambda _: None)
    return engine


def read(engine: RapidEngine, pixels: Pixels, options: RecognizeOptions | None = None) -> list[EngineEvent]:
    """All events of a page."""
    return list(engine.read(pixels, options or RecognizeOptions(), CancelToken()))


def placed(events: Sequence[EngineEvent]) -> list[PlacedLine]:
    """The lines among the events."""
    return [event for event in events if isinstance(event, PlacedLine)]


def rows_of(events: Sequence[EngineEvent]) -> list[str]:
    """What was read, one string a row."""
    rows: dict[int, list[str]] = {}
    for event in placed(events):
        rows.setdefault(event.line.row, []).append(event.line.text)
    return [" ".join(texts) for texts in rows.values()]


def turned(pixels: Pixels, rotation: int) -> Pixels:
    """The page as it looks when it has to be turned clockwise by `rotation` to be read."""
    return np.ascontiguousarray(np.rot90(pixels, rotation // 90))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_reads_the_receipt_whichever_way_up_it_lies(engine: RapidEngine, rotation: int) -> None:
    """The same rows are read in all four positions, the turn is reported, the boxes stay on the page."""
    data, expected = sample_receipt()
    pixels = turned(decode(data), rotation)
    events = read(engine, pixels)
    assert events[0] == Oriented(rotation)
    assert rows_of(events) == expected
    for line in (event.line for event in placed(events)):
        for polygon in (line.polygon, *(word.polygon for word in line.words)):
            assert_on_ink(polygon, pixels)


def assert_on_ink(polygon: Polygon, pixels: Pixels) -> None:
    """The polygon lies inside the page as received and has something dark in it."""
    box = polygon.bbox
    assert 0 <= box.x0 < box.x1 <= pixels.shape[1]
    assert 0 <= box.y0 < box.y1 <= pixels.shape[0]
    assert pixels[int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1].min() < 100


def test_polygons_start_where_the_text_starts(engine: RapidEngine) -> None:
    """On an upside-down page the first corner is at the bottom right."""
    pixels = turned(decode(sample_receipt()[0]), 180)
    first = placed(read(engine, pixels))[0].line.polygon
    assert first.points[0].x == pytest.approx(first.bbox.x1, abs=3)
    assert first.points[0].y == pytest.approx(first.bbox.y1, abs=3)
    assert first.bbox.y0 > pixels.shape[0] / 2


def test_reads_indonesian_and_english(engine: RapidEngine) -> None:
    """Every line of both paragraphs is right, and the paragraphs are blocks."""
    data, expected = sample_page()
    events = read(engine, decode(data))
    assert [event.line.text for event in placed(events)] == expected
    assert {event.block for event in placed(events)} == {0, 1}


def test_lines_carry_words_and_certainty(receipt: list[EngineEvent]) -> None:
    """A line's words say what the line says, each in its own place from left to right."""
    for line in (event.line for event in placed(receipt)):
        assert line.confidence is not None
        assert line.confidence > 0.8
        assert " ".join(word.text for word in line.words) == line.text
        assert all(before.polygon.bbox.x1 <= after.polygon.bbox.x0 for before, after in pairwise(line.words))


def test_a_word_stands_where_it_was_drawn(receipt: list[EngineEvent]) -> None:
    """The boxes of words follow the letters, not the number of characters."""
    line = next(event.line for event in placed(receipt) if event.line.text.startswith("Jl."))
    font = ImageFont.load_default(28)
    before = 40 + font.getlength("Jl. Merdeka No. 17, ")
    assert line.words[-1].text == "Bandung"
    assert line.words[-1].polygon.bbox.x0 == pytest.approx(before, abs=14)


def test_rows_and_blocks_never_fall(receipt: list[EngineEvent]) -> None:
    """Lines come in the order of their final places, so that what was streamed needs no reordering."""
    places = [(event.block, event.line.row) for event in placed(receipt)]
    assert places == sorted(places)
    assert {row for _, row in places} == set(range(len(sample_receipt()[1])))


def test_lines_are_given_as_they_are_read(engine: RapidEngine) -> None:
    """After a cancel no further line is read: nothing was read ahead."""
    cancel = CancelToken()
    events = engine.read(decode(sample_receipt()[0]), RecognizeOptions(), cancel)
    while not isinstance(next(events), PlacedLine):
        pass
    cancel.cancel()
    with pytest.raises(Interrupted):
        for _ in range(6):  # the voters' lines are known already and may still come
            next(events)


def test_a_cancel_stops_a_running_detection(engine: RapidEngine) -> None:
    """The search for text on a large page takes a second and more; a cancel ends it in the middle."""
    pixels = np.full((2400, 2400, 3), 255, np.uint8)
    whole = duration(lambda: read(engine, pixels))
    cancel = CancelToken()
    cancelled_at: list[float] = []
    cancel.on_cancel(lambda: cancelled_at.append(time.perf_counter()))
    threading.Timer(whole / 3, cancel.cancel).start()
    with pytest.raises(Interrupted):
        list(engine.read(pixels, RecognizeOptions(), cancel))
    assert time.perf_counter() - cancelled_at[0] < 0.2 * 5


def duration(act: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def test_a_page_cancelled_beforehand_costs_nothing(engine: RapidEngine) -> None:
    """A page that waited too long is not begun."""
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Interrupted):
        next(engine.read(decode(sample_page()[0]), RecognizeOptions(), cancel))


def test_a_cancelled_page_leaves_the_engine_usable(engine: RapidEngine) -> None:
    """The next caller's page is read as if nothing had happened."""
    cancel = CancelToken()
    threading.Timer(0.05, cancel.cancel).start()
    with pytest.raises(Interrupted):
        list(engine.read(decode(sample_page()[0]), RecognizeOptions(), cancel))
    assert rows_of(read(engine, decode(sample_receipt()[0]))) == sample_receipt()[1]


@pytest.mark.parametrize("size", [(600, 800), (1, 1), (2, 3000), (3000, 2), (33, 31)])
def test_a_page_without_text_has_no_lines(engine: RapidEngine, size: tuple[int, int]) -> None:
    """Blank paper of any shape is an empty result, not an error."""
    height, width = size
    assert read(engine, decode(blank_page(width, height))) == [Oriented(0)]


def test_noise_is_not_text(engine: RapidEngine) -> None:
    """A picture of nothing in particular says nothing."""
    noise = np.random.default_rng(3).integers(0, 256, (400, 500, 3), np.uint8)
    assert not rows_of(read(engine, noise))


def drawn(text: str, size: int, margin: int) -> Pixels:
    """A picture just around a text."""
    font = ImageFont.load_default(size)
    width = int(font.getlength(text)) + 2 * margin
    picture = Image.new("RGB", (width, size + 2 * margin), "white")
    ImageDraw.Draw(picture).text((margin, margin - size // 8), text, "black", font)
    return np.asarray(picture)


@pytest.mark.parametrize(("size", "margin"), [(14, 2), (20, 2), (40, 8), (120, 20)])
def test_reads_small_cuttings(engine: RapidEngine, size: int, margin: int) -> None:
    """One line cut out of a page is read at any size."""
    assert rows_of(read(engine, drawn("TOTAL 77.145", size, margin))) == ["TOTAL 77.145"]


@pytest.mark.parametrize("text", ["NOON", "8008", "A", "69.500", "1961"])
def test_short_texts_are_not_turned_around(engine: RapidEngine, text: str) -> None:
    """What looks alike both ways up stays as it was sent."""
    assert read(engine, drawn(text, 40, 20))[0] == Oriented(0)


def test_reads_a_long_narrow_receipt(engine: RapidEngine) -> None:
    """A till roll four times as long as a page is read to its end."""
    pixels = np.vstack([decode(sample_receipt()[0])] * 5)
    assert rows_of(read(engine, pixels)) == sample_receipt()[1] * 5


def test_reads_text_that_runs_up_the_margin(engine: RapidEngine) -> None:
    """A sideways note on an upright page is read in its own direction."""
    page = decode(sample_page()[0]).copy()
    note = np.rot90(drawn("Salinan arsip 2026", 28, 4))
    page[60 : 60 + note.shape[0], 8 : 8 + note.shape[1]] = note
    events = read(engine, page)
    assert events[0] == Oriented(0)
    texts = [event.line.text for event in placed(events)]
    assert "Salinan arsip 2026" in texts
    assert set(sample_page()[1]) <= set(texts)


def test_reads_small_print_on_a_large_sheet(engine: RapidEngine) -> None:
    """Shrunk to the usual area its lines would be a few pixels high: it is looked at more closely."""
    rows = [f"Article {n}. The tenant pays {n * 137 + 1000} on day {n % 28 + 1}." for n in range(1, 41)]
    sheet = Image.new("L", (4000, 5600), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for place, row in enumerate(rows):
        pen.text((100, 100 + place * 48), row, 0, font)
    assert rows_of(read(engine, np.asarray(sheet.convert("RGB")))) == rows


@pytest.mark.parametrize("angle", [-7, 4])
def test_a_skewed_receipt_keeps_its_rows(engine: RapidEngine, angle: int) -> None:
    """A label and its price stay together on a page that was scanned askew."""
    picture = Image.fromarray(decode(sample_receipt()[0])).rotate(
        angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    assert rows_of(read(engine, np.asarray(picture))) == sample_receipt()[1]


def test_locate_gives_only_the_lines_looked_for(engine: RapidEngine) -> None:
    """The task locate passes over what does not speak of the text."""
    options = RecognizeOptions(task_type=TaskType.LOCATE, ref_text="total")
    events = read(engine, decode(sample_receipt()[0]), options)
    assert [event.line.text for event in placed(events)] == ["Subtotal", "TOTAL"]


def test_the_same_page_gives_the_same_answer(engine: RapidEngine, receipt: list[EngineEvent]) -> None:
    """Nothing of one page stays in the engine for the next."""
    read(engine, drawn("something else", 40, 8))
    assert read(engine, decode(sample_receipt()[0])) == receipt


def test_a_very_large_page_takes_bounded_memory() -> None:
    """A4 at 600 dpi is read, and takes less than a gigabyte beyond its own pixels."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    reader = context.Process(target=_read_large, args=(theirs,))
    reader.start()
    try:
        assert ours.poll(120)
        rows, before_mib, after_mib = ours.recv()
    finally:
        reader.kill()
        reader.join()
    assert rows == sample_page()[1]
    assert after_mib - before_mib < 1000


def _read_large(answer: "multiprocessing.connection.Connection") -> None:
    page = Image.fromarray(decode(sample_page()[0]))
    large = Image.new("RGB", (4961, 7016), "white")
    large.paste(page.resize((3720, 2100), Image.Resampling.BICUBIC), (600, 1500))
    pixels = np.asarray(large)
    engine = loaded()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = rows_of(read(engine, pixels))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((rows, before // 1024, after // 1024))


def test_says_when_it_loads_and_has_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """Operators watch for these two events; the progress goes from nothing to all."""
    progress: list[float] = []
    with caplog.at_level(logging.INFO):
        RapidEngine().load(progress.append)
    said = [record.message for record in caplog.records]
    assert (said[0], said[-1]) == ("Loading PaddleOCR models...", "Models loaded successfully")
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0.0, 1.0)


def test_an_engine_that_is_not_loaded_says_so() -> None:
    """The order of calls is a matter for programmers, and clear."""
    with pytest.raises(RuntimeError, match="load"):
        next(RapidEngine().read(decode(blank_page()), RecognizeOptions(), CancelToken()))
