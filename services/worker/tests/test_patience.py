"""What is waited for, what is not, and for how long."""

import asyncio
import logging

import pytest
from pecia_core import errors
from pecia_worker.metrics import Metrics
from pecia_worker.patience import Draining, Patience
from pecia_worker.verdicts import Verdict, verdict_of
from prometheus_client import CollectorRegistry


class Away:
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: errors.PeciaError | None = None) -> None:
        self.times = times
        self.asked = 0
        self.error = error or errors.Unavailable("It is away. Try again.")

    async def __call__(self) -> str:
        """Asked once more."""
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return "there"


def patience(most_s: float = 60, stopping: asyncio.Event | None = None) -> Patience:
    """With metrics of its own."""
    return Patience(Metrics(CollectorRegistry()), most_s, stopping)


async def test_what_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """Until it answers; the log says that it began and that it is over, however many wait."""
    caplog.set_level(logging.INFO)
    waiting = patience()
    away = [Away(2), Away(2), Away(2)]
    assert await asyncio.gather(*(waiting.through("ocr", one) for one in away)) == ["there"] * 3
    assert [one.asked for one in away] == [3, 3, 3]
    said = [record.message for record in caplog.records]
    assert said == ["waiting", "no longer waiting"]


async def test_a_fault_is_not_waited_for() -> None:
    """What would fail again is told at once."""
    fault = Away(1, errors.InvalidDocument("The picture is broken."))
    with pytest.raises(errors.InvalidDocument):
        await patience().through("ocr", fault)
    assert fault.asked == 1


async def test_it_has_an_end() -> None:
    """After the time that is set, the failure is told."""
    with pytest.raises(errors.Unavailable):
        await patience(most_s=0.3).through("ocr", Away(1000))


async def test_a_stop_ends_the_waiting_at_once() -> None:
    """A page that waits is given back, not kept until the grace is over."""
    stopping = asyncio.Event()
    away = Away(1000, errors.Overloaded("Full.", retry_after=60))
    task = asyncio.create_task(patience(stopping=stopping).through("ocr", away))
    await asyncio.sleep(0.05)
    stopping.set()
    with pytest.raises(Draining):
        await asyncio.wait_for(task, 30)
    assert away.asked == 1


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("invalid_pdf", Verdict.PERMANENT),
        ("unsupported_value", Verdict.PERMANENT),
        ("image_too_large", Verdict.PERMANENT),
        ("model_not_found", Verdict.PERMANENT),
        ("queue_full", Verdict.WAIT),
        ("model_loading", Verdict.WAIT),
        ("store_unavailable", Verdict.WAIT),
        ("invalid_api_key", Verdict.WAIT),
        ("inference_timeout", Verdict.RETRY),
        ("gpu_out_of_memory", Verdict.RETRY),
        ("server_error", Verdict.RETRY),
    ],
)
def test_every_failure_has_its_verdict(code: str, verdict: Verdict) -> None:
    """The page's fault, somebody's who will be back, or bad luck."""
    assert verdict_of(errors.from_code(code, "Something is wrong.")) is verdict
