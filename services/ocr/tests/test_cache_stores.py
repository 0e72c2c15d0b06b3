"""Where results are kept: in this process, bounded, and in a real Redis that may be slow, full or gone."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_ocr.cache import LayeredStore, MemoryStore, RedisLink, SharedStore, Store
from pecia_ocr.cache import link as link_module
from pecia_ocr.cache import shared as shared_module
from redis.asyncio import Redis

KEY, OTHER = "a" * 64, "b" * 64


@asynccontextmanager
async def connected(url: str, ttl_s: float = 60.0) -> AsyncIterator[SharedStore]:
    """A store in Redis that is closed in the end."""
    link = RedisLink(url)
    store = SharedStore(link, ttl_s)
    try:
        yield store
    finally:
        await store.close()
        await link.close()


async def kept(store: SharedStore, key: str, value: bytes) -> None:
    """Put it and wait until Redis has it."""
    await store.put(key, value)
    await store.written()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6000)), max_size=200))
def test_memory_is_bounded(puts: list[tuple[int, int]]) -> None:
    """Whatever comes, the bytes stay under the bound; what is returned is what was put last."""

    async def run() -> None:
        store = MemoryStore(max_bytes=20_000, ttl_s=60)
        last: dict[str, bytes] = {}
        for number, size in puts:
            value = bytes([number]) * size
            await store.put(str(number), value)
            last[str(number)] = value
            assert store.held_bytes <= 20_000
            assert len(store) <= 20_000 // 512
            assert await store.get(str(number)) == value
        for key, value in last.items():
            assert await store.get(key) in (None, value)

    asyncio.run(run())


async def test_memory_forgets_what_was_used_longest_ago() -> None:
    """A result that is asked for stays; one larger than all room is not taken."""
    store = MemoryStore(max_bytes=3000, ttl_s=60)
    await store.put("old", b"x" * 800)
    await store.put("used", b"x" * 800)
    await store.get("old")
    await store.put("new", b"x" * 800)
    assert await store.get("used") is None
    assert await store.get("old")
    await store.put("huge", b"x" * 3000)
    assert await store.get("huge") is None
    assert await store.get("old")


async def test_memory_forgets_with_time() -> None:
    """After ttl_s a result is gone."""
    store = MemoryStore(max_bytes=10_000, ttl_s=0.05)
    await store.put(KEY, b"text")
    assert await store.get(KEY) == b"text"
    await asyncio.sleep(0.1)
    assert await store.get(KEY) is None
    assert len(store) == 0


async def test_redis_keeps_for_a_while_only(redis: Any) -> None:
    """Another process finds the result; its name tells nothing, and it is never there without an end."""
    async with connected(redis.url) as store, connected(redis.url) as other:
        await kept(store, KEY, b"text")
        assert await other.get(KEY) == b"text"
        assert await other.get(OTHER) is None
    async with aclosing(Redis.from_url(redis.url)) as looking:
        names: list[Any] = await looking.keys()
        assert [name.decode().rpartition(":")[2] for name in names] == [KEY]
        assert 0 < await looking.pttl(names[0]) <= 60_000


async def test_redis_forgets(redis: Any) -> None:
    """After ttl_s nothing is left."""
    async with connected(redis.url, ttl_s=0.05) as store:
        await kept(store, KEY, b"text")
        await asyncio.sleep(0.2)
        assert await store.get(KEY) is None


async def test_redis_with_too_much_is_not_believed(redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value beyond what a result can be is a miss, and no more than the bound is fetched."""
    monkeypatch.setattr(shared_module, "MAX_BYTES", 100)
    async with connected(redis.url) as store:
        await kept(store, KEY, b"x" * 100)
        assert await store.get(KEY) == b"x" * 100
        async with aclosing(Redis.from_url(redis.url)) as looking:
            await looking.append((await looking.keys())[0], "y" * 1000)
        assert await store.get(KEY) is None
        await kept(store, OTHER, b"x" * 101)
        assert await store.get(OTHER) is None
        assert not store._link.resting


async def test_redis_that_holds_something_else_is_a_miss(redis: Any) -> None:
    """A list where a result should be fails nobody."""
    async with connected(redis.url) as store, aclosing(Redis.from_url(redis.url)) as looking:
        await kept(store, KEY, b"text")
        name = (await looking.keys())[0]
        await looking.delete(name)
        await looking.lpush(name, "text")
        assert await store.get(KEY) is None


async def test_redis_that_is_gone_is_left_alone_and_found_again(
    start_redis: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One log line however many ask; no waiting while it rests; results are shared again afterwards."""
    monkeypatch.setattr(link_module, "_REST_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with caplog.at_level(logging.WARNING, link_module.__name__):
        async with connected(f"redis://:secret@127.0.0.1:{port}/0") as store:
            assert await asyncio.gather(*(store.get(KEY) for _ in range(50))) == [None] * 50
            assert store._link.resting
            await kept(store, KEY, b"lost")
            assert len(caplog.records) == 1
            assert "secret" not in caplog.text
    started = await asyncio.to_thread(start_redis, port)
    async with connected(started.url) as store:
        await kept(store, KEY, b"text")
        started.process.send_signal(signal.SIGKILL)
        started.process.wait()
        assert await store.get(KEY) is None
        again = await asyncio.to_thread(start_redis, port)
        assert again.process.pid != started.process.pid
        await asyncio.sleep(0.6)
        await kept(store, KEY, b"new text")
        assert await store.get(KEY) == b"new text"


async def test_redis_that_hangs_costs_a_moment_once(redis: Any) -> None:
    """A stopped Redis is waited for a quarter of a second, then not at all."""
    async with connected(redis.url) as store:
        await kept(store, KEY, b"text")
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            began = monotonic()
            assert await store.get(KEY) is None
            assert monotonic() - began < 1.25
            began = monotonic()
            for _ in range(1000):
                assert await store.get(KEY) is None
            assert monotonic() - began < 0.5
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)


async def test_a_cancelled_look_up_mixes_up_no_answers(redis: Any) -> None:
    """A caller who leaves in the middle of a question does not leave its answer to the next."""
    async with connected(redis.url) as store:
        await kept(store, KEY, b"mine")
        await kept(store, OTHER, b"another's")
        for turns in range(30):
            left = asyncio.create_task(store.get(OTHER))
            for _ in range(turns % 6):
                await asyncio.sleep(0)
            left.cancel()
            assert await store.get(KEY) == b"mine"
        assert not store._link.resting


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "127.0.0.1:6379", "redis://:pass word@host:x"])
def test_an_address_that_is_none_is_refused_without_being_told(url: str) -> None:
    """The service does not start with it, and says which setting it is; a password in it is not printed."""
    with pytest.raises(ValueError, match="PECIA_CACHE__REDIS_URL") as caught:
        RedisLink(url)
    assert "pass word" not in str(caught.value)


async def test_what_is_read_here_meanwhile_is_found() -> None:
    """A page kept near while the far store was asked is no miss: nobody reads it any more."""
    near = MemoryStore(10_000, 60)

    class Slow:
        async def get(self, key: str) -> bytes | None:
            await near.put(key, b"text")
            return None

        async def put(self, key: str, value: bytes) -> None: ...

        async def forget(self, beginning: str) -> int:  # noqa: ARG002 - nothing is kept
            return 0

        async def close(self) -> None: ...

    far: Store = Slow()
    assert await LayeredStore(near, far).get(KEY) == b"text"


async def test_both_stores_keep(redis: Any) -> None:
    """What was read here is found here without Redis, and elsewhere through it."""
    near = MemoryStore(10_000, 60)
    async with connected(redis.url) as far, connected(redis.url) as other:
        both = LayeredStore(near, far)
        await both.put(KEY, b"text")
        await far.written()
        assert await near.get(KEY) == b"text"
        assert await LayeredStore(MemoryStore(10_000, 60), other).get(KEY) == b"text"
        await both.close()
    assert len(near) == 0
