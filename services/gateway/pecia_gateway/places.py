"""Places of a kind, so many for each tenant and so many for all: uploads at once, watchers at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pecia_core.errors import Overloaded

# Seconds.
_COME_BACK = 5


class Places:
    """Counts who holds one."""

    def __init__(self, what: str, *, each: int, together: int) -> None:
        """`what` is held, in the plural; at most `each` by a tenant, and `together` by all."""
        self._what = what
        self._each = each
        self._together = together
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, tenant: str) -> Iterator[None]:
        """Hold one.

        Raises:
            Overloaded: none is left, for this tenant or for anybody.
        """
        if self._held[tenant] >= self._each or self._held.total() >= self._together:
            raise Overloaded(
                f"There are too many {self._what} at once. Wait until one has ended.",
                code="rate_limit_exceeded",
                retry_after=_COME_BACK,
            )
        self._held[tenant] += 1
        try:
            yield
        finally:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]
