"""Results in Redis, for all processes of the ocr service."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from redis.asyncio import Redis

from pecia_ocr.cache.entry import FORMAT, MAX_BYTES
from pecia_ocr.cache.link import RedisLink

_WRITES_AT_ONCE = 64
_SCAN = 1000


class SharedStore:
    """A store in Redis."""

    def __init__(self, link: RedisLink, ttl_s: float) -> None:
        """Keep over `link`; Redis forgets a result after `ttl_s` seconds, none is ever written without."""
        self._link = link
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._writes: set[asyncio.Task[object]] = set()

    async def get(self, key: str) -> bytes | None:
        """What Redis has; None also when it does not answer in time, or has more than a result can be."""
        # Never more than the bound comes over the wire, whatever lies there.
        value = await self._link.ask(lambda redis: redis.getrange(_name(key), 0, MAX_BYTES))
        return value if isinstance(value, bytes) and 0 < len(value) <= MAX_BYTES else None

    async def put(self, key: str, value: bytes) -> None:
        """Write it beside everything else; passed over while too much is being written."""
        if len(value) > MAX_BYTES or len(self._writes) >= _WRITES_AT_ONCE:
            return
        written = self._link.ask(lambda redis: redis.set(_name(key), value, px=self._ttl_ms))
        task: asyncio.Task[object] = asyncio.create_task(written)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def forget(self, beginning: str) -> int:
        """What Redis has of it. While it does not answer, time does it: nothing is kept without an end."""
        await self.written()
        found, cursor = 0, 0
        while True:
            answer = await self._link.ask(partial(_named, beginning=beginning, cursor=cursor))
            if answer is None:
                return found
            cursor, names = answer
            if names:
                found += int(await self._link.ask(partial(_unlinked, names=names)) or 0)
            if not cursor:
                return found

    async def written(self) -> None:
        """Wait until nothing is being written."""
        await asyncio.gather(*self._writes)

    async def close(self) -> None:
        """Finish writing."""
        await self.written()


def _name(key: str) -> str:
    return f"pecia:result:{FORMAT}:{key}"


def _named(redis: Redis, beginning: str, cursor: int) -> Awaitable[Any]:
    return redis.scan(cursor, match=f"{_name(beginning)}*", count=_SCAN)


def _unlinked(redis: Redis, names: list[bytes]) -> Awaitable[Any]:
    return redis.unlink(*names)
