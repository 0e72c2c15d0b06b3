"""The way to Redis: one server, or a cluster whose keys lie together."""

import logging
from collections.abc import Sequence
from typing import Any

from pecia_core.errors import InvalidRequest, Unavailable
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterCrossSlotError, MovedError, RedisError

from pecia_worker.intake.scripts import PROBE
from pecia_worker.intake_settings import RedisSettings

_log = logging.getLogger(__name__)


class RedisLink:
    """Asks Redis. The log says once when it goes away, and once when it is back."""

    def __init__(self, settings: RedisSettings) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidRequest: the address is none.
        """
        self._settings = settings
        self._away = False
        self._redis: Redis | RedisCluster = _single(settings)

    async def check(self, keys: Sequence[str]) -> None:
        """Touch all these keys in one step, as everything here does.

        Raises:
            InvalidRequest: they lie in several parts of a Redis Cluster.
            Unavailable: Redis is away.
        """
        try:
            await self._redis.execute_command("EVAL", PROBE, len(keys), *keys)
        except MovedError:
            await self._redis.aclose()
            self._redis = _cluster(self._settings)
            await self.ask("EVAL", PROBE, len(keys), *keys)
        except ClusterCrossSlotError as error:
            raise _apart(keys) from error
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    async def ask(self, *command: str | bytes | int) -> Any:  # noqa: ANN401 - whatever Redis answers
        """The answer to one command, as bytes.

        Raises:
            Unavailable: there is none.
        """
        try:
            answer = await self._redis.execute_command(*command)
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error
        if self._away:
            self._away = False
            _log.info("Redis answers again")
        return answer

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def _unavailable(self, error: Exception) -> Unavailable:
        if not self._away:
            self._away = True
            _log.warning("Redis does not answer or refuses", extra={"reason": type(error).__name__})
        return Unavailable(
            f"Redis, with the queue of documents, does not answer or refuses ({type(error).__name__}). Jobs "
            "go on; see that REDIS_URL is right and Redis is up.",
            code="store_unavailable",
            retry_after=5,
        )


def _single(settings: RedisSettings) -> "Redis":
    try:
        return Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            retry=Retry(NoBackoff(), 0),
            **_password(settings),
        )
    except ValueError:  # its message may hold the password
        raise InvalidRequest(
            "REDIS_URL is no redis://, rediss:// or unix:// address: correct it.", code="unsupported_value"
        ) from None


def _cluster(settings: RedisSettings) -> RedisCluster:
    return RedisCluster.from_url(
        settings.url.get_secret_value(), socket_timeout=settings.timeout_s, **_password(settings)
    )


def _password(settings: RedisSettings) -> dict[str, Any]:
    secret = settings.password.get_secret_value()
    return {"password": secret} if secret else {}


def _apart(keys: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        f"This Redis is a cluster and keeps {keys[0]!r} and {keys[1]!r} in different places, where no step "
        "can touch both. Give all keys one tag, here and in the backend: "
        "OCR_GPU_QUEUE_KEY={filot}:ocr:gpu:queue, OCR_GPU_PROCESSING_KEY={filot}:ocr:gpu:processing, "
        "OCR_GPU_ATTEMPTS_KEY={filot}:ocr:gpu:attempts.",
        code="unsupported_value",
    )
