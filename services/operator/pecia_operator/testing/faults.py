"""Trouble between the operator and the API server: on request, or by a seeded chance."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

# What a call may meet instead of its answer. A lost answer: it was done, and the caller is not told.
CONFLICT, INVALID, BROKEN, SLOW, LOST, DROPPED = "409", "422", "500", "timeout", "lost", "dropped"
_WRITES = {"create", "update", "patch", "delete"}


@dataclass
class Chaos:
    """Trouble by chance. The same seed and the same calls in the same order give the same trouble.

    Attributes:
        rates: kind of trouble to its share of calls, 0 to 1.
    """

    seed: int
    rates: Mapping[str, float]
    caused: list[str] = field(default_factory=list)
    enabled: bool = True

    def __post_init__(self) -> None:
        """Seed the chance."""
        self._random = random.Random(self.seed)  # noqa: S311  to be repeated
        self._lock = threading.Lock()

    def trouble(self, verb: str) -> str:
        """What happens to this call; empty = nothing."""
        with self._lock:
            drawn, kind = self._random.random(), ""
            for name, rate in self.rates.items():
                if drawn < rate:
                    kind = name
                    break
                drawn -= rate
            if not self.enabled or (kind == DROPPED) != (verb == "watch"):
                return ""
            if kind in {CONFLICT, INVALID, LOST} and verb not in _WRITES:
                return ""
            if kind:
                self.caused.append(kind)
            return kind


@dataclass
class Planned:
    """Trouble on request: the next so many calls of one kind."""

    verb: str
    plural: str
    kind: str
    times: int
