"""From features to words: CTC, scripts, batches over pages, and whose turn it is."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pytest
from pecia_core.errors import InvalidRequest
from pecia_ocr.engines.base import CancelToken, Interrupted
from pecia_ocr.engines.rapid.head import Head, Script
from pecia_ocr.engines.rapid.languages import LANGUAGES, script_for
from pecia_ocr.engines.rapid.networks import Tensor
from pecia_ocr.engines.rapid.parts import Trunk
from pecia_ocr.engines.rapid.recognition import Reading, Recognizer, Span
from pecia_ocr.engines.rapid.turns import Turns

ALPHABET = ("", "a", "b", "c", "字", "、", " ")
BLANK, A, B, C, HAN, COMMA, SPACE = range(7)

Step = Sequence[tuple[int, float]]


def step(*scores: tuple[int, float]) -> Step:
    """The scores of one step; classes not named have -30."""
    return scores


def sure(index: int) -> Step:
    """A step that leaves no doubt."""
    return step((index, 25.0))


def head() -> Head:
    """A classifier whose features are its scores."""
    size = len(ALPHABET)
    return Head(Trunk(b"", np.eye(size, dtype=np.float32), np.zeros(size, np.float32), ALPHABET))


class Said:
    """A network that gives the same steps for every strip, and remembers what it was asked."""

    def __init__(self, *steps: Step) -> None:
        """One step for each eighth column of the strip."""
        self.features = np.full((len(steps), len(ALPHABET)), -30, np.float32)
        for row, scores in zip(self.features, steps, strict=True):
            for index, score in scores:
                row[index] = score
        self.asked: list[Tensor] = []
        self.gate = Event()
        self.gate.set()
        self.busy = Event()

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """Answer when the gate is open."""
        self.asked.append(tensor)
        self.busy.set()
        assert self.gate.wait(10)
        cancel.check()
        return np.stack([self.features] * len(tensor))


def read(network: Said, width: int, script: Script = Script.AUTO) -> Reading:
    """One strip of this width."""
    strip = np.zeros((48, width, 3), np.uint8)
    return next(Recognizer(network, head(), Turns()).read([strip], script, CancelToken()))


def test_repeated_classes_are_one_character_and_blanks_part_them() -> None:
    """CTC: a a - a b is "aab"; its certainty is the mean over the kept steps."""
    half = step((B, 20.0), (C, 20.0))
    reading = read(Said(sure(A), sure(A), sure(BLANK), sure(A), half, *[sure(BLANK)] * 3), 64)
    assert reading.text == "aab"
    assert reading.confidence == pytest.approx((1 + 1 + 0.5) / 3)


def test_words_have_their_share_of_the_strip() -> None:
    """The cut between two words is half way through the space."""
    reading = read(Said(*map(sure, (A, B, BLANK, SPACE, BLANK, BLANK, C, BLANK))), 64)
    assert reading.text == "ab c"
    assert reading.words == (Span("ab", 1.0, 0.0, 2.5 / 8), Span("c", 1.0, 5 / 8, 1.0))


def test_padding_does_not_move_the_words() -> None:
    """Columns count in the padded strip, words in the true one."""
    network = Said(*map(sure, (A, SPACE, B, BLANK, BLANK, BLANK, BLANK, BLANK)))
    words = read(network, 40).words
    assert network.asked[0].shape == (1, 3, 48, 64)
    assert words[0].end == pytest.approx(8 / 40)
    assert words[1].start == pytest.approx(16 / 40)


def test_only_blanks_are_no_text() -> None:
    """A strip of paper says nothing, with no certainty."""
    assert read(Said(sure(BLANK)), 8) == Reading("", 0.0, ())


def test_the_model_sees_blue_first_between_minus_one_and_one() -> None:
    """Channel order and range are those it was trained with; padding is grey."""
    network = Said(sure(A))
    strip = np.zeros((48, 33, 3), np.uint8)
    strip[:, :, 0] = 255
    next(Recognizer(network, head(), Turns()).read([strip], Script.AUTO, CancelToken()))
    assert network.asked[0][0, :, 0, 0].tolist() == pytest.approx([-1, -1, 1])
    assert network.asked[0][0, :, 0, 63].tolist() == [0, 0, 0]


def test_an_ideograph_among_latin_letters_is_read() -> None:
    """Latin classes are not sure of that step, so that every class is asked, and one of them is."""
    assert read(Said(sure(A), sure(BLANK), sure(HAN), sure(B)), 32).text == "a字b"


def test_a_speck_that_looks_a_little_like_an_ideograph_is_none() -> None:
    """On a Latin line a foreign letter needs more than a guess; what is read instead says it is unsure."""
    speck = step((HAN, 10.0), (C, 9.7))
    reading = read(Said(sure(A), speck, sure(B), sure(A), sure(B), sure(BLANK), sure(A), sure(BLANK)), 64)
    assert reading.text == "acbaba"
    assert reading.confidence < 0.95


def test_foreign_punctuation_alone_is_not_meant() -> None:
    """Between Latin letters an ideographic comma is a badly printed Latin sign."""
    assert read(Said(sure(A), step((COMMA, 12.0), (C, 11.0)), sure(B), sure(BLANK)), 32).text == "acb"


def test_a_line_of_doubtful_ideographs_stays_one() -> None:
    """Where most letters are foreign, the reading is not bent into Latin ones."""
    doubtful = step((HAN, 9.0), (A, 8.5))
    blank = sure(BLANK)
    assert read(Said(doubtful, blank, doubtful, blank), 32).text == "字字"


def test_scripts_can_be_chosen() -> None:
    """Latin alone never gives an ideograph; all of them give it wherever it scores best."""
    line = Said(sure(A), step((HAN, 12.0), (C, 11.9)), sure(B), sure(BLANK))
    assert read(line, 32, Script.LATIN).text == "acb"
    assert read(line, 32, Script.ALL).text == "a字b"


def test_a_line_is_as_sure_in_auto_as_among_all_classes() -> None:
    """Leaving classes out must not make a doubtful step look certain."""
    doubt = step((A, 6.0), (HAN, 5.9))
    quiet = [sure(BLANK)] * 3
    assert read(Said(doubt, *quiet), 32).confidence == pytest.approx(
        read(Said(doubt, *quiet), 32, Script.ALL).confidence
    )


@pytest.mark.parametrize(
    ("languages", "script"),
    [
        ((), Script.AUTO),
        (("id", "eng"), Script.LATIN),
        (("zh-Hans",), Script.ALL),
        (("en", "JPN"), Script.ALL),
        (("chi_sim",), Script.ALL),
    ],
)
def test_languages_pick_the_script(languages: tuple[str, ...], script: Script) -> None:
    """By whichever of their names."""
    assert script_for(languages, Script.AUTO) is script


def test_a_language_it_cannot_read_is_refused() -> None:
    """A page of Cyrillic is not read as if it were Latin; the message lists what can be read."""
    with pytest.raises(InvalidRequest, match="'ru'") as caught:
        script_for(("en", "ru"), Script.AUTO)
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "languages")
    assert all(language in caught.value.message for language in LANGUAGES)


def strips(*widths: int) -> list["np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]:
    """Empty strips."""
    return [np.zeros((48, width, 3), np.uint8) for width in widths]


def test_strips_of_one_width_are_computed_together() -> None:
    """In reading order as far as it goes; none is padded to the width of a wider one."""
    network = Said(sure(A))
    recognizer = Recognizer(network, head(), Turns())
    readings = recognizer.read(strips(100, 300, 120, 100), Script.AUTO, CancelToken())
    assert [reading.text for reading in readings] == ["a"] * 4
    assert [tensor.shape[0::3] for tensor in network.asked] == [(2, 128), (1, 320), (1, 128)]


def test_pages_share_batches() -> None:
    """While one page is computed another one's strips come along, and nobody waits for a batch to fill."""
    network = Said(sure(A))
    network.gate.clear()
    recognizer = Recognizer(network, head(), Turns())

    def page(count: int) -> list[str]:
        readings = recognizer.read(strips(*[100] * count), Script.AUTO, CancelToken())
        return [reading.text for reading in readings]

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(page, 1)
        assert network.busy.wait(10)
        others = [pool.submit(page, 2), pool.submit(page, 2)]
        while recognizer.waiting < 4:
            time.sleep(0.001)
        network.gate.set()
        assert first.result(10) == ["a"]
        assert [other.result(10) for other in others] == [["a"] * 2] * 2
    assert [len(tensor) for tensor in network.asked] == [1, 4]


def test_a_page_that_leaves_takes_its_strips_along() -> None:
    """What nobody wants any more is not computed."""
    network = Said(sure(A))
    recognizer = Recognizer(network, head(), Turns())
    readings = recognizer.read(strips(100, 200, 300), Script.AUTO, CancelToken())
    next(readings)
    readings.close()
    assert not recognizer.waiting


def test_a_page_cancelled_while_it_waits_for_its_turn_is_interrupted() -> None:
    """It does not wait for the page that computes."""
    turns, cancel = Turns(), CancelToken()
    entered, interrupted = Event(), Event()

    def wait() -> None:
        entered.set()
        try:
            with turns.mine(cancel):
                pass
        except Interrupted:
            interrupted.set()

    with turns.mine(CancelToken()):
        Thread(target=wait).start()
        assert entered.wait(10)
        cancel.cancel()
        assert interrupted.wait(1)


def test_turns_are_taken_in_the_order_of_asking() -> None:
    """A page with many strips cannot keep another one out."""
    turns = Turns()
    order: list[int] = []

    def take(number: int) -> None:
        with turns.mine(CancelToken()):
            order.append(number)

    with turns.mine(CancelToken()):
        threads = []
        for number in range(5):
            threads.append(Thread(target=take, args=(number,)))
            threads[-1].start()
            while turns.length < number + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == list(range(5))
