"""The scripted engine: what its scenes do, how a page chooses one, and that answers stay apart."""

import multiprocessing
import multiprocessing.synchronize
import threading
import time

import numpy as np
import pytest
from pecia_core.errors import InvalidRequest, PeciaError, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import FinishReason
from pecia_ocr.engines.base import (
    CancelToken,
    EngineEvent,
    Finished,
    Interrupted,
    Oriented,
    Pixels,
    PlacedLine,
)
from pecia_ocr.engines.scripted import ScriptedEngine, digest_of


def picture(red: int = 255, green: int = 255, blue: int = 255) -> Pixels:
    """A small page of one colour."""
    return np.full((20, 30, 3), (red, green, blue), np.uint8)


def loaded(script: str = "") -> ScriptedEngine:
    """An engine ready to play."""
    engine = ScriptedEngine(script)
    engine.load(lambda _: None)
    return engine


def play(pixels: Pixels, ref_text: str = "", script: str = "") -> list[EngineEvent]:
    """All events of a page."""
    return list(loaded(script).read(pixels, RecognizeOptions(ref_text=ref_text), CancelToken()))


def texts(events: list[EngineEvent]) -> list[str]:
    """What the lines say."""
    return [event.line.text for event in events if isinstance(event, PlacedLine)]


def test_says_the_digest_of_the_picture() -> None:
    """By default a page's text is the digest of its pixels, and ends with a proper finish."""
    events = play(picture())
    assert texts(events) == [digest_of(picture())]
    assert events[0] == Oriented(0)
    assert events[-1] == Finished(FinishReason.STOP)


def test_pictures_that_differ_in_one_pixel_or_in_shape_have_different_digests() -> None:
    """A caller who gets another's answer would see it."""
    other = picture()
    other[19, 29, 2] = 254
    assert len({digest_of(picture()), digest_of(other), digest_of(picture().reshape(30, 20, 3))}) == 3


def test_the_reference_text_chooses_and_changes_a_scene() -> None:
    """A name picks the scene; words of the form setting=value change it."""
    pixels = picture()
    assert texts(play(pixels, "lines count=3")) == [f"{digest_of(pixels)} {number}" for number in (1, 2, 3)]
    assert texts(play(pixels, "blank")) == []


def test_the_top_left_pixel_chooses_a_scene() -> None:
    """Callers who cannot send a reference text choose by colour."""
    assert len(texts(play(picture(0, 255, 0)))) == 10


def test_a_setting_that_does_not_exist_is_refused() -> None:
    """A typing error in a test is not passed over."""
    with pytest.raises(InvalidRequest, match="colour"):
        play(picture(), "lines colour=red")


def test_a_scene_may_fail_with_any_code() -> None:
    """The error is the one of the code, after the lines."""
    with pytest.raises(PeciaError) as caught:
        play(picture(), "fail error=gpu_out_of_memory")
    assert caught.value.code == "gpu_out_of_memory"


def test_a_wrong_script_says_what_is_wrong() -> None:
    """The engine does not load, and the message names the place."""
    with pytest.raises(Unavailable, match="count"):
        loaded('[default]\ncount = "many"')


def test_own_scripts_replace_the_default_one() -> None:
    """A script of one's own decides what is said."""
    assert texts(play(picture(), script='[default]\ntext = "page {number}"\ncount = 2')) == [
        "page 1",
        "page 2",
    ]


def test_a_cancel_ends_the_waiting() -> None:
    """A slow scene stops at once, not after its delay."""
    cancel = CancelToken()
    threading.Timer(0.1, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        list(loaded().read(picture(), RecognizeOptions(ref_text="slow delay_s=60"), cancel))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("scene", "exit_code"), [("crash", 70), ("hang", None)])
def test_disasters_need_a_process_to_themselves(scene: str, exit_code: int | None) -> None:
    """A crash ends the process with its own code; a hang does not listen to a cancel."""
    context = multiprocessing.get_context("spawn")
    cancelled = context.Event()
    process = context.Process(target=_suffer, args=(scene, cancelled))
    process.start()
    try:
        assert scene == "crash" or cancelled.wait(60)
        process.join(1 if scene == "hang" else 60)
        assert process.exitcode == exit_code
    finally:
        process.kill()
        process.join()


def _suffer(scene: str, cancelled: "multiprocessing.synchronize.Event") -> None:
    cancel = CancelToken()
    cancel.on_cancel(cancelled.set)
    threading.Timer(0.1, cancel.cancel).start()
    list(loaded().read(picture(), RecognizeOptions(ref_text=scene), cancel))
