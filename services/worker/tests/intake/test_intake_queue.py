"""The queue in Redis: what workers do to it, and what a backend that knows nothing of them does meanwhile."""

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, Unavailable
from pecia_worker.intake.link import RedisLink
from pecia_worker.intake.queue import DocumentQueue, Ending, Stale, Take
from pecia_worker.intake_settings import IntakeSettings, RedisSettings
from pydantic import SecretStr

QUEUE, PROCESSING = "filot:ocr:gpu:queue", "filot:ocr:gpu:processing"
NOTHING: dict[str, Any] = {"queue": [], "processing": set(), "stamps": {}, "pushes": {}, "dead": []}
Open = Callable[..., DocumentQueue]


async def found(queue: DocumentQueue, silent_s: float) -> list[Stale]:
    """Members that were silent for so long."""
    return [stale async for stale in queue.stale(silent_s)]


async def taken(queue: DocumentQueue) -> Take:
    """An id that is there."""
    take = await queue.take()
    assert take is not None
    return take


async def test_an_id_is_taken_in_one_step(open_queue: Open, backend: Any) -> None:
    """It leaves the list, and stands in the set with a stamp and a count, so that nobody pushes it again."""
    await backend.push("a")
    take = await taken(open_queue())
    left = await backend.left()
    assert (take.document_id, take.takes, len(take.token)) == ("a", 1, 16)
    assert (left["queue"], left["processing"], set(left["stamps"])) == ([], {"a"}, {"a"})
    assert not await backend.push("a")


async def test_every_id_is_taken_once(open_queue: Open, backend: Any) -> None:
    """Four workers share a hundred ids; none has two, and a last look finds nothing."""
    for number in range(100):
        await backend.push(str(number))

    async def work(queue: DocumentQueue) -> list[str]:
        ids = []
        while take := await queue.take():
            ids.append(take.document_id)
        return ids

    of_workers = await asyncio.gather(*(work(open_queue()) for _ in range(4)))
    assert sorted(chain(*of_workers), key=int) == [str(number) for number in range(100)]


async def test_a_backend_that_resets_the_count_late_changes_nothing(open_queue: Open, backend: Any) -> None:
    """The id is taken between the push and the reset: what counts is kept elsewhere."""
    queue = open_queue()
    pushing = asyncio.create_task(backend.push("a", pause_s=0.5))
    while not (take := await queue.take()):
        await asyncio.sleep(0.01)
    assert await pushing
    assert await backend.redis.hget("filot:ocr:gpu:attempts", "a") == "0"
    await queue.release(take)
    await queue.take()
    await asyncio.sleep(0.05)
    [stale] = await found(queue, 0.01)
    await queue.give_back(stale)
    assert (await taken(queue)).takes == 2


async def test_an_id_that_was_pushed_twice_is_one(open_queue: Open, backend: Any) -> None:
    """Two backends may look at once and both push: while the first is in hand, the second is dropped."""
    queue = open_queue()
    await backend.redis.rpush(QUEUE, "a", "a")
    assert (await taken(queue)).token
    assert (await taken(queue)).token == ""
    assert await queue.take() is None
    assert (await backend.left())["processing"] == {"a"}


async def test_the_silent_go_back_and_keep_their_name(open_queue: Open, backend: Any) -> None:
    """Early nobody is found, late everybody; only one reaper gives an id back; the next take counts on."""
    queue, other = open_queue(), open_queue()
    for number in range(100):
        await backend.push(str(number))
    takes = {take.raw: take async for take in _all(queue)}
    assert await found(queue, 60) == []
    await asyncio.sleep(0.05)
    late = await found(queue, 0.01)
    assert len(late) == 100
    given = [(await queue.give_back(stale), await other.give_back(stale)) for stale in late]
    assert given == [(True, False)] * 100
    again = [take async for take in _all(other)]
    assert {take.raw: take.token for take in again} == {raw: take.token for raw, take in takes.items()}
    assert {take.takes for take in again} == {2}


async def _all(queue: DocumentQueue) -> Any:
    while take := await queue.take():
        yield take


async def test_a_sign_of_life_is_enough(open_queue: Open, backend: Any) -> None:
    """Who says in time that an id is being worked on keeps it; a word for one that is gone does nothing."""
    queue = open_queue()
    await backend.push("a")
    take = await taken(queue)
    for _ in range(5):
        await asyncio.sleep(0.1)
        await queue.beat([take])
        assert await found(queue, 5) == []
    await queue.end(take, Ending())
    await queue.beat([take])
    assert await backend.left() == NOTHING


@pytest.mark.parametrize("stamp", [None, "yesterday", "99999999999999"])
async def test_members_of_others_get_their_time(open_queue: Open, backend: Any, stamp: str | None) -> None:
    """A member without a stamp of Redis's clock, as older workers leave it, gets one and all its time."""
    await backend.redis.sadd(PROCESSING, "a")
    if stamp:
        await backend.redis.hset(f"{PROCESSING}:timestamps", "a", stamp)
    queue = open_queue()
    assert await found(queue, 0.2) == []
    assert await found(queue, 60) == []
    await asyncio.sleep(0.3)
    [stale] = await found(queue, 0.2)
    assert await queue.give_back(stale)
    assert (await taken(queue)).takes == 1


async def test_the_end_cleans_up_and_is_heard(open_queue: Open, backend: Any) -> None:
    """Nothing is left, the message was heard, and the next push of the same id has a name of its own."""
    queue = open_queue(stream_key="filot:ocr:gpu:kept", stream_length=5)
    await backend.push("a")
    first = await taken(queue)
    assert await queue.end(first, Ending('{"documentId": "a"}'))
    assert await backend.left() == NOTHING
    assert await backend.push("a")
    second = await taken(queue)
    assert second.token != first.token
    assert not await queue.end(first, Ending('{"documentId": "late"}'))
    assert (await backend.left())["processing"] == {"a"}
    async with asyncio.timeout(20):
        while not backend.heard:
            await asyncio.sleep(0.01)
    assert backend.heard == [{"documentId": "a"}]
    [(_, kept)] = await backend.redis.xrange("filot:ocr:gpu:kept")
    assert kept == {"result": '{"documentId": "a"}'}


async def test_the_dead_are_listed_once_and_begin_anew(open_queue: Open, backend: Any) -> None:
    """An id that was given up is dead until somebody requeues it, and then has all its retries."""
    queue = open_queue()
    await backend.push("a")
    take = await taken(queue)
    assert await queue.end(take, Ending(dead=True))
    assert await queue.end(take, Ending(dead=True))
    assert await queue.dead() == [b"a"]
    await queue.requeue(b"a")
    await queue.requeue(b"a")
    assert (await backend.left())["queue"] == ["a"]
    assert await queue.dead() == []
    again = await taken(queue)
    assert (again.takes, again.token != take.token) == (1, True)


async def test_no_more_are_open_than_allowed(open_queue: Open, backend: Any) -> None:
    """With as many members as may be open, the list is left alone."""
    queue = open_queue(max_open=2)
    for name in "abc":
        await backend.push(name)
    takes = [await taken(queue), await taken(queue)]
    assert await queue.take() is None
    await queue.end(takes[0], Ending())
    assert (await taken(queue)).document_id == "c"


async def test_a_count_that_is_no_number_stops_nothing(open_queue: Open, backend: Any) -> None:
    """Whatever stands in the backend's own hash, the id is taken, and what cannot be taken is not lost."""
    queue = open_queue()
    await backend.push("a")
    await backend.redis.hset("filot:ocr:gpu:attempts", "a", "many")
    assert (await taken(queue)).takes == 1
    await backend.push("b")
    await backend.redis.delete(PROCESSING)
    await backend.redis.set(PROCESSING, "no set")
    with pytest.raises(Unavailable):
        await queue.take()
    assert await backend.redis.lrange(QUEUE, 0, -1) == ["b"]


async def test_a_cluster_is_refused_until_the_keys_lie_together(start_redis: Callable[..., Any]) -> None:
    """With the backend's names the worker says what to do; with a tag in all of them it works there."""
    server = start_redis("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
    async with server.client() as client:
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(60):
            while b"cluster_state:ok" not in await client.execute_command("CLUSTER", "INFO"):
                await asyncio.sleep(0.05)
        link = RedisLink(RedisSettings(url=SecretStr(server.url)))
        apart, together = DocumentQueue(link, IntakeSettings()), DocumentQueue(link, _tagged())
        with pytest.raises(InvalidRequest, match=r"OCR_GPU_QUEUE_KEY=\{filot\}"):
            await apart.check()
        await together.check()
        await client.rpush("{filot}:queue", "a")
        take = await taken(together)
        assert await together.end(take, Ending("{}", dead=True))
        assert await together.dead() == [b"a"]
        await link.close()


def _tagged() -> IntakeSettings:
    return IntakeSettings(
        queue_key="{filot}:queue", processing_key="{filot}:processing", attempts_key="{filot}:attempts"
    )
