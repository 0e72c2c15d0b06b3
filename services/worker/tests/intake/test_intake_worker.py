"""The intake as part of a whole worker: from an id in the list to the message in the channel."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pecia_core.testing import sample_receipt
from pecia_worker.intake_settings import IntakeGroups
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import until, working


@pytest.fixture
def with_queue(settings: Settings, groups: Callable[..., dict[str, Any]]) -> Settings:
    """Settings of a worker that takes ids."""
    return settings.model_copy(update=dict(IntakeGroups.model_validate(groups())))


async def test_ids_come_through_the_worker_that_runs_anyway(
    with_queue: Settings,
    world: World,
    backend: Any,
    table: Any,
    put_file: Callable[[str, bytes], Awaitable[object]],
) -> None:
    """With a Redis address a worker takes ids, reads the documents, writes rows and tells the channel."""
    await put_file("receipt.png", sample_receipt()[0])
    document_id = await table.add("receipt.png")
    async with working(with_queue, world):
        await backend.push(document_id)
        await until(lambda: backend.heard_of(document_id))
    (message,) = backend.heard_of(document_id)
    assert message["success"]
    assert "hello" in message["ocrText"]
    assert (await table.row(document_id))["status"] == "completed"
