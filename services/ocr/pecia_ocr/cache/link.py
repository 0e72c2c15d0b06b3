"""The way to Redis, which may be slow, full or gone: nobody waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# A page takes a second: what Redis saves is worth a quarter of that, once, before it is left alone.
_PATIENCE_S = 0.25
_REST_S = 10.0
_CONNECTIONS = 16


class RedisLink:
    """Asks Redis. After a failure it is left alone for a while, and one log line says so."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Args:
            url: redis://, rediss:// or unix://, with what password it needs.

        Raises:
            ValueError: no such address.
        """
        try:
            self._redis = Redis.from_pool(_pool(url))
        except ValueError:  # its message may hold the password
            raise ValueError("PECIA_CACHE__REDIS_URL is no redis://, rediss:// or unix:// address.") from None
        self._rests_until = 0.0
        self._asked: set[asyncio.Future[Any]] = set()

    @property
    def resting(self) -> bool:
        """Whether it is being left alone."""
        return monotonic() < self._rests_until

    async def ask(self, command: Callable[["Redis"], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever Redis says
        """The answer to one command; None where Redis has none in time."""
        if self.resting:
            return None
        # In a task of its own: the library may swallow a cancel, and then its caller would never end.
        asked = asyncio.ensure_future(command(self._redis))
        self._asked.add(asked)
        asked.add_done_callback(self._answered)
        if not (await asyncio.wait({asked}, timeout=_PATIENCE_S))[0]:
            asked.cancel()
            self._rest(TimeoutError())
            return None
        try:
            return asked.result()
        except (RedisError, OSError, TimeoutError) as error:
            self._rest(error)
            return None

    async def close(self) -> None:
        """Hear what was asked to the end, and disconnect."""
        await asyncio.gather(*self._asked, return_exceptions=True)
        await self._redis.aclose()

    def _answered(self, asked: asyncio.Future[Any]) -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()  # its caller may have left: nobody else looks

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
