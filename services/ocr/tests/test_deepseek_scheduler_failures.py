"""What happens to the others when memory runs out, the device is lost or the engine is closed."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from pecia_core.errors import EngineFailed, OutOfMemory, Unavailable
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.rehearsal import failing, generated, said, settled, shown, words
from pecia_ocr.engines.deepseek.scheduler import Scheduler

Start = Callable[..., Scheduler]


def test_a_page_too_large_for_memory_fails_alone(start: Start, tiny_model: LoadedModel) -> None:
    """While its picture is encoded; the pages beside it are read."""

    def full(positional: Any, _named: Any) -> Exception | None:
        return torch.OutOfMemoryError("full") if positional[0].shape[-1] == 640 else None

    requests = [shown(tiny_model, size, 1, max_new_tokens=5) for size in (ModelSize.SMALL, ModelSize.TINY)]
    scheduler = start()
    with failing(tiny_model.model.model.vision_tower, full):
        small, tiny = [scheduler.submit(request) for request in requests]
        with pytest.raises(OutOfMemory):
            said(small)
        assert len(said(tiny)) == 5
    assert scheduler.broken is None
    assert settled(scheduler)


def test_prompts_too_large_for_memory_are_computed_one_by_one(start: Start, tiny_model: LoadedModel) -> None:
    """The one that does not fit even alone fails; the others say what they always say."""

    def full(_positional: Any, named: Any) -> Exception | None:
        rows, tokens, _ = named["inputs_embeds"].shape
        many = tokens > 1 and (rows > 1 or tokens > 20)
        return torch.OutOfMemoryError("full") if many else None

    requests = [words(*range(10, 10 + count), max_new_tokens=4) for count in (4, 40, 7)]
    expected = [generated(tiny_model, request) for request in requests]
    scheduler = start()
    with failing(tiny_model.model.model.language_model, full):
        tickets = [scheduler.submit(request) for request in requests]
        assert said(tickets[0]) == expected[0]
        assert said(tickets[2]) == expected[2]
        with pytest.raises(OutOfMemory):
            said(tickets[1])
    assert settled(scheduler)


def test_a_step_too_large_for_memory_loses_its_newest(start: Start, tiny_model: LoadedModel) -> None:
    """The older ones go on as if nothing had been."""

    def full(_positional: Any, named: Any) -> Exception | None:
        rows, tokens, _ = named["inputs_embeds"].shape
        return torch.OutOfMemoryError("full") if tokens == 1 and rows > 2 else None

    requests = [words(10 + index, max_new_tokens=12) for index in range(3)]
    expected = [generated(tiny_model, request) for request in requests[:2]]
    scheduler = start()
    with failing(tiny_model.model.model.language_model, full):
        tickets = [scheduler.submit(request) for request in requests]
        assert [said(ticket) for ticket in tickets[:2]] == expected
        with pytest.raises(OutOfMemory):
            said(tickets[2])
    assert settled(scheduler)


@pytest.mark.parametrize("part", ["language_model", "vision_tower"])
def test_a_lost_device_fails_everybody(
    start: Start, tiny_model: LoadedModel, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Those who run, those who wait and those who come; `broken` says so, and no thread is left."""
    scheduler = start(slots=1)
    runs = scheduler.submit(words(5, max_new_tokens=400))
    steps = runs.steps()
    next(steps)
    waits = scheduler.submit(shown(tiny_model, ModelSize.TINY, 1))
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    with failing(getattr(tiny_model.model.model, part), lambda _positional, _named: lost):
        runs.cancel()
        with suppress(EngineFailed):
            said(runs)
        with pytest.raises(EngineFailed):
            said(waits)
    assert scheduler.broken is lost
    with pytest.raises(EngineFailed, match="started anew"):
        scheduler.submit(words(5))
    scheduler._thread.join(10)
    assert not scheduler._thread.is_alive()
    assert "cannot go on" in caplog.text


def test_closing_tells_everybody(start: Start) -> None:
    """Who runs, who waits and who comes later: come again, elsewhere."""
    scheduler = start(slots=1)
    tickets = [scheduler.submit(words(5, max_new_tokens=400)) for _ in range(2)]
    steps = tickets[0].steps()
    next(steps)
    scheduler.close()
    with pytest.raises(Unavailable) as caught:
        said(tickets[1])
    assert (caught.value.code, caught.value.retryable) == ("draining", True)
    with pytest.raises(Unavailable):
        scheduler.submit(words(5))
