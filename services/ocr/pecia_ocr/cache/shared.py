"""Results in Redis, for all processes of the ocr service. Redis may be slow, full or gone: nobody waits."""

import asyncio
import logging
from collections.abc import Awaitable
from time import monotonic
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pecia_ocr.cache.entry import FORMAT, MAX_BYTES

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
# A page takes a second: what Redis saves is worth a quarter of that, once, before it is left alone.
_PATIENCE_S = 0.25
_REST_S = 10.0
_CONNECTIONS = 16
_WRITES_AT_ONCE = 64


class SharedStore:
    """A store in Redis. After a failure it is left alone for a while, and one log line says so."""

    def __init__(self, url: str, ttl_s: float) -> None:
        """Connect to nothing yet.

        Args:
            url: redis://, rediss:// or unix://, with what password it needs.
            ttl_s: seconds after which Redis forgets a result; none is ever written without.

        Raises:
            ValueError: no such address.
        """
        try:
            self._redis = Redis.from_pool(_pool(url))
        except ValueError:  # its message may hold the password
            raise ValueError("PECIA_CACHE__REDIS_URL is no redis://, rediss:// or unix:// address.") from None
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._rests_until = 0.0
        self._writes: set[asyncio.Task[object]] = set()

    @property
    def resting(self) -> bool:
        """Whether it is being left alone."""
        return monotonic() < self._rests_until

    async def get(self, key: str) -> bytes | None:
        """What Redis has; None also when it does not answer in time, or has more than a result can be."""
        # Never more than the bound comes over the wire, whatever lies there.
        value = await self._ask(self._redis.getrange(_name(key), 0, MAX_BYTES))
        return value if isinstance(value, bytes) and 0 < len(value) <= MAX_BYTES else None

    async def put(self, key: str, value: bytes) -> None:
        """Write it beside everything else; passed over while too much is being written."""
        if len(value) > MAX_BYTES or len(self._writes) >= _WRITES_AT_ONCE or self.resting:
            return
        written = self._ask(self._redis.set(_name(key), value, px=self._ttl_ms))
        task: asyncio.Task[object] = asyncio.create_task(written)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def written(self) -> None:
        """Wait until nothing is being written."""
        await asyncio.gather(*self._writes)

    async def close(self) -> None:
        """Finish writing and disconnect."""
        await self.written()
        await self._redis.aclose()

    async def _ask(self, command: Awaitable[_Answer]) -> _Answer | None:
        if self.resting:
            _forget(command)
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            self._rest(error)
            return None

    def _rest(self, error: Exception) -> None:
        if not self.resting:  # several may be waiting when it stops answering
            said = {"reason": type(error).__name__, "seconds": _REST_S}
            log.warning("Redis does not answer: results are not shared for a while", extra=said)
        self._rests_until = monotonic() + _REST_S


def _pool(url: str) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_PATIENCE_S,
        socket_timeout=_PATIENCE_S,
        socket_connect_timeout=_PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )


def _name(key: str) -> str:
    return f"pecia:result:{FORMAT}:{key}"


def _forget(command: Awaitable[Any]) -> None:
    """Drop a command that was never begun."""
    if asyncio.iscoroutine(command):
        command.close()
