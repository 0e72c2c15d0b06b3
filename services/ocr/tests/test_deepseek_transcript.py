"""Small parts that follow an answer: where to stop, and how sure the model was."""

from math import exp, log

import pytest
from pecia_ocr.engines.deepseek.stops import Stops
from pecia_ocr.engines.deepseek.sureness import Sureness


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_stop_word_is_found_however_it_is_cut(cut: int) -> None:
    """What is before it comes out whole, what could have become one too, what follows does not."""
    text = "one EN two END three"
    stops = Stops(("END", "zz"))
    said = "".join(stops.feed(text[at : at + cut]) for at in range(0, len(text), cut))
    assert (said, stops.reached, stops.finish()) == ("one EN two ", True, "")


def test_a_beginning_that_no_word_came_of_is_text() -> None:
    """Held back, then given at the end; without words nothing is held back."""
    stops = Stops(("END",))
    assert (stops.feed("the EN"), stops.finish(), stops.reached) == ("the ", "EN", False)
    assert Stops(("",)).feed("text") == "text"


def test_sureness_is_the_mean_of_the_tokens_that_wrote_a_stretch() -> None:
    """Geometric; a token counts where part of it lies in the stretch; nothing written = not known."""
    sure = Sureness()
    assert sure.between(0, 5) is None
    for characters, chance in ((3, 0.5), (2, 0.25), (4, 1.0)):
        sure.add(characters, log(chance))
    assert sure.between(0, 3) == pytest.approx(0.5)
    assert sure.between(0, 5) == pytest.approx(exp((log(0.5) + log(0.25)) / 2))
    assert sure.between(4, 9) == pytest.approx(0.5)
    assert sure.between(5, 100) == pytest.approx(1.0)
    assert sure.between(9, 9) is None
