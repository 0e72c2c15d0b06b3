"""How often and how much at once a caller may ask; refusals say when to come back."""

from collections.abc import Iterator
from contextlib import contextmanager

from pecia_core.keys import KeyRecord, hash_key
from pecia_core.limits import Allowance, TenantLimits

from pecia_gateway.auth import Caller
from pecia_gateway.settings import AuthSettings

# The x-ratelimit headers of an answer.
RateHeaders = Allowance


class Admission:
    """Counts requests by key; callers without keys share one count."""

    def __init__(self, settings: AuthSettings) -> None:
        """Nobody has called yet."""
        self._limits = TenantLimits()
        self._everybody = KeyRecord(
            id="default",
            tenant="default",
            sha256=hash_key(""),
            requests_per_minute=settings.requests_per_minute,
            max_in_flight=settings.max_in_flight,
        )

    @contextmanager
    def admit(self, caller: Caller) -> Iterator[RateHeaders]:
        """Hold one of the caller's places until the answer is out.

        Raises:
            Overloaded: too many a minute or at once; says when to come back.
        """
        with self._limits.admit(self._record(caller)) as allowance:
            yield allowance

    def allowance(self, caller: Caller) -> RateHeaders:
        """What the caller has left, without taking any of it."""
        return self._limits.allowance(self._record(caller))

    def _record(self, caller: Caller) -> KeyRecord:
        return caller.record or self._everybody
