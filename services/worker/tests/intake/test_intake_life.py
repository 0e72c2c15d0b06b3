"""An intake while the world around it comes and goes, and when it is told to stop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from pecia_core.errors import InvalidRequest
from pecia_dispatch.testing import Script
from pecia_worker.intake import requeue
from pecia_worker.intake_settings import IntakeGroups
from pecia_worker.testing import scanned

NOTHING: dict[str, Any] = {"queue": [], "processing": set(), "stamps": {}, "pushes": {}, "dead": []}
Open = Callable[..., Awaitable[Any]]
Put = Callable[[str, bytes], Awaitable[object]]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Until something is true."""
    end = time.monotonic() + 90
    while not await condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)


async def test_a_bucket_that_comes_back(open_office: Open, backend: Any, table: Any, put_file: Put) -> None:
    """While it is away nothing is refused and no try counts, however long; then the document is read."""
    away = ThreadedMotoServer("127.0.0.1", 0)
    away.start()
    host, port = away.get_host_and_port()
    away.stop()
    await put_file("late.png", scanned(1, "PNG"))  # what moto keeps is of all its servers in this process
    document_id = await table.add("late.png")
    await backend.push(document_id)
    quick = {"stuck_timeout_ms": 400, "poll_interval_ms": 50, "max_retries": 2}
    await open_office(intake=quick, originals={"endpoint": f"http://{host}:{port}", "retry_s": 0.2})
    await asyncio.sleep(4)
    assert (await backend.left())["dead"] == []
    back = ThreadedMotoServer(host, port)
    back.start()

    async def read() -> bool:
        return bool((await table.row(document_id))["status"] == "completed")

    await until(read)
    assert "failed" not in await table.changes(document_id)
    back.stop()


@pytest.mark.usefixtures("receipt")
async def test_a_redis_that_comes_back(
    open_office: Open, backend: Any, table: Any, redis_server: Any, ocr: Any
) -> None:
    """Jobs that were made go on while it is away, and their rows are written; later pushes are taken."""
    first, second = await table.add("receipt.png"), await table.add("receipt.png")
    ocr.play = lambda _picture, _asked: Script(wait_s=2.0)
    await backend.push(first)
    await open_office()

    async def being_read() -> bool:
        return bool(ocr.seen)

    await until(being_read)
    redis_server.stop()

    async def written(document_id: str) -> bool:
        return bool((await table.row(document_id))["status"] == "completed")

    await until(lambda: written(first))
    redis_server.start()
    await backend.push(second)
    await until(lambda: written(second))
    assert (await table.changes(first)).count("completed") == 1


async def test_a_stop_ends_what_was_begun(office: Open, backend: Any, table: Any, put_file: Put) -> None:
    """Told to stop, it takes nothing more and returns; told again by a cancel, it gives back what it has."""
    await put_file("receipt.png", scanned(1, "PNG"))
    opened = await office()
    running = opened.open()
    opened.stop.set()
    async with asyncio.timeout(60):
        await running
    document_id = await table.add("receipt.png")
    await backend.push(document_id)
    assert (await backend.left())["queue"] == [document_id]

    waiting = await office(originals={"endpoint": "http://127.0.0.1:9"}, intake={"stuck_timeout_ms": 60_000})
    running = waiting.open()

    async def taken() -> bool:
        return bool((await backend.left())["processing"] == {document_id})

    await until(taken)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    left = await backend.left()
    assert (left["queue"], left["processing"]) == ([document_id], set())


async def test_a_table_that_does_not_fit_ends_the_intake(office: Open) -> None:
    """Settings that can never work are said at the start."""
    opened = await office(documents={"file": "path"})
    with pytest.raises(InvalidRequest, match="PECIA_DOCUMENTS__FILE"):
        await opened.parts.intake.run(asyncio.Event())


def command(groups: Callable[..., dict[str, Any]], *arguments: str) -> int:
    """`python -m pecia_worker requeue ...`, in this process."""
    return requeue.main(arguments, IntakeGroups(**groups()))


async def test_ids_are_put_back_by_hand(
    groups: Any, backend: Any, open_queue: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dead are listed and go back, one or all; an id in hand is left alone, one left by others is not."""
    await backend.redis.rpush("filot:ocr:gpu:dead", "a", "b", "c")
    await backend.redis.sadd("filot:ocr:gpu:processing", "of an older worker")
    await backend.push("d")
    assert (await open_queue().take()).document_id == "d"
    run = asyncio.to_thread
    assert await run(command, groups) == 0
    assert capsys.readouterr().out.split() == ["a", "b", "c"]
    assert await run(command, groups, "b", "d", "of an older worker") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "b: back in the queue"
    assert said[1].startswith("d: left alone")
    assert await run(command, groups, "--dead") == 0
    left = await backend.left()
    assert left["queue"] == ["b", "of an older worker", "a", "c"]
    assert (left["processing"], left["dead"]) == ({"d"}, [])


async def test_the_command_says_that_redis_is_away(
    groups: Any, redis_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, with an exit code."""
    redis_server.stop()
    assert await asyncio.to_thread(command, groups, "--dead") == 1
    assert "REDIS_URL" in capsys.readouterr().err
