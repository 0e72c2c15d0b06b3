"""Measured speed: what waits and Retry-After are computed from."""

import pytest
from pecia_ocr.scheduling.pace import Pace


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_before_the_first_page_a_wait_is_guessed_and_no_speed_is_claimed() -> None:
    """An unmeasured speed is 0, an unmeasured page two seconds."""
    pace = Pace(slots=2)
    assert pace.pages_per_second == 0
    assert pace.wait_s(4) == pytest.approx(4.0)


def test_speed_and_wait_follow_what_was_measured() -> None:
    """Two slots at half a second a page read four pages a second."""
    pace = Pace(slots=2)
    pace.record(0.4)
    pace.record(0.6)
    assert pace.pages_per_second == pytest.approx(4.0)
    assert pace.wait_s(8) == pytest.approx(2.0)


def test_old_pages_are_forgotten() -> None:
    """What happened more than five minutes ago says nothing about now."""
    clock = _Clock()
    pace = Pace(slots=1, clock=clock)
    pace.record(60.0)
    clock.now = 301.0
    assert pace.pages_per_second == 0
    pace.record(1.0)
    assert pace.seconds_a_page == pytest.approx(1.0)
