"""What a page's reader is told, and how often."""

from time import monotonic

import pytest
from pecia_core.document import Block
from pecia_core.errors import Unavailable
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta
from pecia_core.vocabulary import BlockKind, FinishReason
from pecia_ocr.engines.deepseek.answer import joined
from pecia_ocr.engines.deepseek.tickets import Request, Ticket
from pecia_ocr.engines.deepseek.transcript import NextPage, Said

BLOCK = Block(BlockKind.PARAGRAPH, Polygon.from_bbox(BBox(0, 0, 9, 9)))


def ticket(*tokens: int) -> Ticket:
    """One that nobody computes for; these have come."""
    made = Ticket(Request([1]), lambda: None)
    for token in tokens:
        made.give(token, -0.5)
    return made


def test_what_comes_meanwhile_comes_together() -> None:
    """The first at once; then no sooner than asked, and all of it."""
    read = ticket(0)
    steps = read.steps(0.3)
    assert next(steps).token_ids == (0,)
    began = monotonic()
    read.give(1, -0.5)
    read.give(2, -0.25)
    step = next(steps)
    assert monotonic() - began >= 0.3
    assert (step.token_ids, step.logprobs) == ((1, 2), (-0.5, -0.25))


def test_nobody_waits_for_what_has_ended() -> None:
    """Neither at its end, nor when it failed."""
    began = monotonic()
    done, failed = ticket(5, 6), ticket(7)
    done.finish(FinishReason.STOP)
    assert [step.token_ids for step in done.steps(60.0)] == [(5, 6)]
    steps = failed.steps(60.0)
    next(steps)
    failed.fail(Unavailable("gone"))
    with pytest.raises(Unavailable):
        next(steps)
    assert monotonic() - began < 30


def test_nobody_waits_for_what_was_given_up() -> None:
    """Cancelling alone ends the pause; what comes then comes at once."""
    began = monotonic()
    given_up = ticket(7)
    steps = given_up.steps(60.0)
    next(steps)
    given_up.cancel()
    given_up.give(8, -0.5)
    assert next(steps).token_ids == (8,)
    assert monotonic() - began < 30


def test_text_that_follows_text_is_one_piece() -> None:
    """What stands between stays where it was."""
    said: list[Said] = [Delta("a"), Delta("b"), BLOCK, NextPage(), Delta("c"), Delta("d"), Delta("e")]
    assert list(joined(said)) == [Delta("ab"), BLOCK, NextPage(), Delta("cde")]
    assert list(joined([])) == []
