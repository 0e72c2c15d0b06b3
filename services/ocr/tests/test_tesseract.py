"""The tesseract engine: what it reads, how it stops, what it says when something is not installed."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from pecia_core.document import Line
from pecia_core.errors import DeadlineExceeded, InvalidRequest, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_core.testing import blank_page, sample_page, sample_receipt
from pecia_core.vocabulary import TaskType
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import CancelToken, EngineEvent, Interrupted, Oriented, Pixels, PlacedLine
from pecia_ocr.engines.tesseract import TesseractEngine, table
from pecia_ocr.engines.tesseract.program import installed

HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


def loaded(**settings: Any) -> TesseractEngine:
    """An engine ready to read."""
    engine = TesseractEngine(**settings)
    engine.load(lambda _: None)
    return engine


def read(pixels: Pixels, options: RecognizeOptions | None = None) -> list[EngineEvent]:
    """All events of a page."""
    return list(loaded().read(pixels, options or RecognizeOptions(), CancelToken()))


def lines_of(events: list[EngineEvent]) -> list[Line]:
    """The lines among the events."""
    return [event.line for event in events if isinstance(event, PlacedLine)]


@pytest.fixture(scope="module")
def page_lines() -> list[Line]:
    """The sample page, read once for several tests."""
    return lines_of(read(decode(sample_page()[0])))


@pytest.mark.engine
def test_reads_indonesian_and_english(page_lines: list[Line]) -> None:
    """With its default languages every line of both paragraphs is right."""
    assert [line.text for line in page_lines] == sample_page()[1]
    assert all(line.confidence is not None and line.confidence > 0.5 for line in page_lines)


@pytest.mark.engine
def test_lines_have_their_words(page_lines: list[Line]) -> None:
    """Words stand inside their line, from left to right, and together say what it says."""
    for line in page_lines:
        assert " ".join(word.text for word in line.words) == line.text
        starts = [word.polygon.bbox.x0 for word in line.words]
        assert starts == sorted(starts)
        assert starts[0] >= line.polygon.bbox.x0


@pytest.mark.engine
def test_a_sideways_page_is_turned_and_its_boxes_stay_on_the_page() -> None:
    """Boxes are on the page as received, which is higher than wide once it lies on its side."""
    data, expected = sample_page()
    pixels = np.ascontiguousarray(np.rot90(decode(data)))
    events = read(pixels)
    assert events[0] == Oriented(90)
    assert [line.text for line in lines_of(events)] == expected
    for line in lines_of(events):
        box = line.polygon.bbox
        assert 0 <= box.x0 < box.x1 <= pixels.shape[1]
        assert 0 <= box.y0 < box.y1 <= pixels.shape[0]
        assert box.height > box.width


@pytest.mark.engine
def test_a_label_and_its_price_share_a_row() -> None:
    """What stands side by side is one row of the receipt."""
    rows: dict[int, list[str]] = {}
    for line in lines_of(read(decode(sample_receipt()[0]))):
        rows.setdefault(line.row, []).append(line.text)
    assert "TOTAL 77.145" in [" ".join(texts) for texts in rows.values()]


@pytest.mark.engine
def test_a_large_page_is_shrunk_and_its_boxes_are_not(page_lines: list[Line]) -> None:
    """Boxes fit the picture as received, whatever size Tesseract saw."""
    pixels = decode(sample_page()[0])
    engine = loaded(max_area=pixels.shape[0] * pixels.shape[1] // 3)
    shrunk = lines_of(list(engine.read(pixels, RecognizeOptions(), CancelToken())))
    assert shrunk[0].text == page_lines[0].text
    assert shrunk[0].polygon.bbox.x1 == pytest.approx(page_lines[0].polygon.bbox.x1, abs=8)


@pytest.mark.engine
@pytest.mark.parametrize("size", [(600, 800), (1, 1), (3, 2000), (2000, 3)])
def test_a_page_without_text_has_no_lines(size: tuple[int, int]) -> None:
    """Blank paper of any shape is an empty result, not an error."""
    height, width = size
    assert read(decode(blank_page(width, height))) == [Oriented(0)]


@pytest.mark.engine
def test_locate_gives_only_the_lines_looked_for() -> None:
    """The task locate passes over what does not speak of the text."""
    options = RecognizeOptions(task_type=TaskType.LOCATE, ref_text="subtotal")
    assert [line.text for line in lines_of(read(decode(sample_receipt()[0]), options))] == ["Subtotal 69.500"]


@pytest.mark.engine
def test_a_language_that_is_not_installed_is_refused_by_name() -> None:
    """The message lists what there is."""
    with pytest.raises(InvalidRequest, match=r"'tlh'.*eng.*ind"):
        read(decode(blank_page()), RecognizeOptions(languages=("tlh",)))


@pytest.mark.engine
def test_a_cancel_kills_the_program() -> None:
    """A page that takes seconds is let go as soon as nobody wants it."""
    pixels = np.tile(decode(sample_page()[0]), (3, 3, 1))
    cancel = CancelToken()
    cancelled_at: list[float] = []
    cancel.on_cancel(lambda: cancelled_at.append(time.monotonic()))
    threading.Timer(0.5, cancel.cancel).start()
    with pytest.raises(Interrupted):
        list(loaded().read(pixels, RecognizeOptions(), cancel))
    assert time.monotonic() - cancelled_at[0] < 1.0


@pytest.mark.engine
def test_the_program_dies_with_its_process() -> None:
    """When the process that reads is killed outright, no tesseract is left running."""
    reader = multiprocessing.get_context("spawn").Process(target=_read_for_long)
    reader.start()
    try:
        programs = _until(lambda: psutil.Process(reader.pid).children(recursive=True))
        reader.kill()
        reader.join()
        _, alive = psutil.wait_procs(programs, timeout=3)
        assert not alive
    finally:
        reader.kill()


def _read_for_long() -> None:
    pixels = np.tile(decode(sample_page()[0]), (3, 3, 1))
    installed(timeout_s=120).run(pixels, ["-l", "eng", "--psm", "3", "tsv"], CancelToken())


def _until(ask: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """The first answer that is not empty, once it has its picture and computes."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if running := [process for process in ask() if process.cpu_times().user > 2]:
            return running
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.engine
def test_a_page_that_takes_too_long_is_an_error() -> None:
    """The program is killed and the caller hears why."""
    with pytest.raises(DeadlineExceeded, match="smaller picture"):
        list(loaded(timeout_s=0.1).read(decode(sample_page()[0]), RecognizeOptions(), CancelToken()))


def test_a_missing_program_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tesseract on the PATH the engine does not load, and says how to get it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="apt-get install tesseract-ocr") as caught:
        loaded()
    assert caught.value.code == "engine_unavailable"


@pytest.mark.engine
def test_a_missing_language_says_what_to_install() -> None:
    """The message names the package of the language."""
    with pytest.raises(Unavailable, match="apt-get install tesseract-ocr-tlh"):
        TesseractEngine(languages=["eng", "tlh"]).load(lambda _: None)


def test_words_become_lines() -> None:
    """Words of one line are joined; its box is around them, its confidence weighs their lengths."""
    found = table.lines(
        HEAD
        + "4\t1\t1\t1\t1\t0\t10\t20\t90\t12\t-1\t\n"
        + "5\t1\t1\t1\t1\t1\t10\t20\t30\t10\t90\tabc\n"
        + "5\t1\t1\t1\t1\t2\t50\t22\t50\t10\t50\td\n"
        + "5\t1\t1\t1\t2\t1\t10\t40\t30\t10\t96.5\tx\ty\n"
    )
    assert [line.text for line in found] == ["abc d", "x\ty"]
    assert (found[0].polygon.bbox.x1, found[0].polygon.bbox.y1) == (100, 32)
    assert found[0].confidence == pytest.approx((0.9 * 3 + 0.5) / 4)
