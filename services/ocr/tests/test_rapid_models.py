"""The models: where they are found, how a computation stops, how classes become words."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pecia_core.errors import Unavailable
from pecia_ocr.engines.base import CancelToken, Interrupted
from pecia_ocr.engines.rapid import weights
from pecia_ocr.engines.rapid.recognition import Recognizer, Span
from pecia_ocr.engines.rapid.session import Session, Tensor

ALPHABET = "abc"
BLANK, A, B, C, SPACE = range(5)


class Classes(Session):
    """A recognition model that has made up its mind."""

    def __init__(self, *classes: tuple[int, float]) -> None:
        """One class with its probability for each eighth column of the strip."""
        self.chances = np.zeros((1, len(classes), 5), np.float32)
        for column, (index, certainty) in enumerate(classes):
            self.chances[0, column, index] = certainty

    @property
    def metadata(self) -> dict[str, str]:
        """The alphabet, one character a line."""
        return {"character": "\n".join(ALPHABET)}

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """The same for every strip."""
        cancel.check()
        self.seen = tensor
        return self.chances


def test_repeated_classes_are_one_character_and_blanks_part_them() -> None:
    """CTC: a a - a b is "aab"; its certainty is the mean over the kept steps."""
    session = Classes(
        (A, 0.9), (A, 0.1), (BLANK, 1.0), (A, 0.7), (B, 0.5), (BLANK, 1.0), (BLANK, 1.0), (BLANK, 1.0)
    )
    reading = Recognizer(session).read(np.zeros((48, 64, 3), np.uint8), CancelToken())
    assert reading.text == "aab"
    assert reading.confidence == pytest.approx(0.7)


def test_words_have_their_share_of_the_strip() -> None:
    """The cut between two words is half way through the space."""
    session = Classes(*((index, 1.0) for index in (A, B, BLANK, SPACE, BLANK, BLANK, C, BLANK)))
    reading = Recognizer(session).read(np.zeros((48, 64, 3), np.uint8), CancelToken())
    assert reading.text == "ab c"
    assert reading.words == (Span("ab", 1.0, 0.0, 2.5 / 8), Span("c", 1.0, 5 / 8, 1.0))


def test_padding_does_not_move_the_words() -> None:
    """Columns count in the padded strip, words in the true one."""
    session = Classes(*((index, 1.0) for index in (A, SPACE, B, BLANK, BLANK, BLANK, BLANK, BLANK)))
    words = Recognizer(session).read(np.zeros((48, 40, 3), np.uint8), CancelToken()).words
    assert session.seen.shape == (1, 3, 48, 64)
    assert words[0].end == pytest.approx(8 / 40)
    assert words[1].start == pytest.approx(16 / 40)


def test_only_blanks_are_no_text() -> None:
    """A strip of paper says nothing, with no certainty."""
    reading = Recognizer(Classes((BLANK, 1.0))).read(np.zeros((48, 8, 3), np.uint8), CancelToken())
    assert (reading.text, reading.confidence, reading.words) == ("", 0.0, ())


def test_the_model_sees_blue_first_between_minus_one_and_one() -> None:
    """Channel order and range are those it was trained with; padding is grey."""
    session = Classes((A, 1.0))
    strip = np.zeros((48, 33, 3), np.uint8)
    strip[:, :, 0] = 255
    Recognizer(session).read(strip, CancelToken())
    assert session.seen[0, :, 0, 0].tolist() == pytest.approx([-1, -1, 1])
    assert session.seen[0, :, 0, 63].tolist() == [0, 0, 0]


def test_the_wheel_holds_both_models() -> None:
    """They are found without importing the package that carries them."""
    found = weights.packaged()
    assert found.detection.is_file()
    assert found.recognition.is_file()
    assert "3.10.0" in found.revision


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is unavailable, and the message has the command."""
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"pip install rapidocr==3\.10\.0") as caught:
        weights.packaged()
    assert caught.value.code == "engine_unavailable"


def test_a_package_without_models_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another version of the package may lack these models."""
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unavailable, match=r"PP-OCRv6_det_small\.onnx"):
        weights.packaged()


@pytest.mark.engine
def test_a_running_computation_stops() -> None:
    """A cancel from another thread ends it at the next operator, and the session stays usable."""
    session = Session(weights.packaged().detection, threads=1)
    large, small = np.zeros((1, 3, 1600, 1600), np.float32), np.zeros((1, 3, 64, 64), np.float32)
    cancel = CancelToken()
    cancelled_at: list[float] = []
    cancel.on_cancel(lambda: cancelled_at.append(time.perf_counter()))
    threading.Timer(0.2, cancel.cancel).start()
    with pytest.raises(Interrupted):
        session.run(large, cancel)
    assert time.perf_counter() - cancelled_at[0] < 0.2 * 5
    assert session.run(small, CancelToken()).shape == (1, 1, 64, 64)


@pytest.mark.engine
def test_an_error_of_the_model_is_not_taken_for_a_cancel() -> None:
    """A tensor of the wrong shape is a defect, and looks like one."""
    session = Session(weights.packaged().detection, threads=1)
    with pytest.raises(Exception, match="rank"):
        session.run(np.zeros((3, 64), np.float32), CancelToken())
