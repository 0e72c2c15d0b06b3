"""How often and how much at once a key may call. For one event loop; the clock is handed in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic

from pecia_core.errors import Overloaded
from pecia_core.keys import KeyRecord

# Clients give up on a Retry-After above a minute instead of waiting for it.
_MAX_RETRY_AFTER_S = 60
# When a place among the calls in flight comes free is not known; a second is a fair guess.
_IN_FLIGHT_RETRY_S = 1.0
_MINUTE = 60.0

Clock = Callable[[], float]


def clamp_retry_after(seconds: float) -> int:
    """Whole seconds for a Retry-After header: 1 to 60, rounded up; what is no number is 60."""
    if not seconds < _MAX_RETRY_AFTER_S:
        return _MAX_RETRY_AFTER_S
    return max(1, ceil(seconds))


class TokenBucket:
    """A minute's worth of requests, filling evenly: bursts pass, the mean holds."""

    def __init__(self, rate_per_minute: int, clock: Clock = monotonic) -> None:
        """Start full.

        Args:
            rate_per_minute: requests; at least 1.
            clock: seconds that never go back.
        """
        if rate_per_minute < 1:
            raise ValueError(f"a rate is at least 1 request a minute, not {rate_per_minute}")
        self.rate_per_minute = rate_per_minute
        self._clock = clock
        self._tokens = float(rate_per_minute)
        self._filled_at = clock()

    @property
    def remaining(self) -> int:
        """Requests that would pass now."""
        return int(self._fill())

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is full again."""
        return (self.rate_per_minute - self._fill()) * _MINUTE / self.rate_per_minute

    def take(self) -> float:
        """Take one request out.

        Returns:
            0.0 if it passes, else the seconds until one would (and nothing was taken).
        """
        tokens = self._fill()
        if tokens < 1.0:
            return (1.0 - tokens) * _MINUTE / self.rate_per_minute
        self._tokens = tokens - 1.0
        return 0.0

    def _fill(self) -> float:
        now = self._clock()
        gained = max(0.0, now - self._filled_at) * self.rate_per_minute / _MINUTE
        self._tokens = min(float(self.rate_per_minute), self._tokens + gained)
        self._filled_at = now
        return self._tokens


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left. `reset_s` = seconds until the whole limit is free again; limit 0 = none."""

    limit: int = 0
    remaining: int = 0
    reset_s: float = 0.0

    def headers(self) -> dict[str, str]:
        """The x-ratelimit headers; none where there is no limit."""
        if not self.limit:
            return {}
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{self.reset_s:.3f}s",
        }


class TenantLimits:
    """Counts by key: each key of a tenant has a rate and a number of calls at once of its own."""

    def __init__(self, clock: Clock = monotonic) -> None:
        """Nobody has called yet."""
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._in_flight: dict[str, int] = {}

    @contextmanager
    def admit(self, record: KeyRecord) -> Iterator[Allowance]:
        """Hold one of the key's places until the answer is out.

        Raises:
            Overloaded: the key's rate or places are used up; `retry_after` says when to come back.
        """
        running = self._in_flight.get(record.id, 0)
        if record.max_in_flight and running >= record.max_in_flight:
            raise Overloaded(
                f"This key may have {record.max_in_flight} requests running at once. "
                "Wait for one of them to end, then try again.",
                code="rate_limit_exceeded",
                retry_after=_IN_FLIGHT_RETRY_S,
            )
        self._take(record)
        self._in_flight[record.id] = running + 1
        try:
            yield self.allowance(record)
        finally:
            self._leave(record)

    def allowance(self, record: KeyRecord) -> Allowance:
        """What the key has left, without taking any of it."""
        bucket = self._bucket(record)
        if bucket is None:
            return Allowance()
        return Allowance(bucket.rate_per_minute, bucket.remaining, bucket.reset_s)

    def _take(self, record: KeyRecord) -> None:
        bucket = self._bucket(record)
        wait_s = bucket.take() if bucket else 0.0
        if wait_s:
            retry_after = clamp_retry_after(wait_s)
            raise Overloaded(
                f"This key may send {record.requests_per_minute} requests a minute. "
                f"Try again in {retry_after} s.",
                code="rate_limit_exceeded",
                retry_after=retry_after,
            )

    def _leave(self, record: KeyRecord) -> None:
        self._in_flight[record.id] -= 1
        if not self._in_flight[record.id]:
            del self._in_flight[record.id]

    def _bucket(self, record: KeyRecord) -> TokenBucket | None:
        """The key's bucket; a new one when the keys file has given it another rate."""
        if not record.requests_per_minute:
            return None
        bucket = self._buckets.get(record.id)
        if bucket is None or bucket.rate_per_minute != record.requests_per_minute:
            bucket = self._buckets[record.id] = TokenBucket(record.requests_per_minute, self._clock)
        return bucket
