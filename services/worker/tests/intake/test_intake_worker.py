"""The intake in a whole worker: from an id in the list to the message in the channel."""

from collections.abc import Awaitable, Callable
from typing import Any

from pecia_core.testing import sample_receipt
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_worker.intake_settings import IntakeGroups
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import until, working


async def test_ids_come_through_the_worker_that_runs_anyway(
    settings: Settings,
    world: World,
    ocr: ScriptedOcr,
    backend: Any,
    table: Any,
    groups: Callable[..., dict[str, Any]],
    put_file: Callable[[str, bytes], Awaitable[object]],
) -> None:
    """With a Redis address a worker takes ids, reads the documents, writes rows and tells the channel."""
    ocr.play = lambda _picture, _asked: Script(("TOTAL 77.145",), confidence=0.95)
    await put_file("receipt.png", sample_receipt()[0])
    document_id = await table.add("receipt.png")
    queue = dict(IntakeGroups.model_validate(groups()))
    async with working(settings.model_copy(update=queue), world):
        await backend.push(document_id)
        await until(lambda: backend.heard_of(document_id))
    (message,) = backend.heard_of(document_id)
    assert message["success"]
    assert "77.145" in message["ocrText"]
    assert (await table.row(document_id))["status"] == "completed"
