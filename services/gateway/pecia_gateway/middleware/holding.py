"""The memory set aside for what requests bring along, and what each of them has of it."""

from collections import Counter
from collections.abc import Callable

from pecia_core.errors import Overloaded


class BodyBudget:
    """Bytes of request bodies and fetched files in the house: of all requests together, and of a tenant's."""

    def __init__(self, capacity: int, each: int | None = None) -> None:
        """Hold at most `capacity` bytes, and `each` of one tenant; None = as many."""
        self._capacity = capacity
        self._each = capacity if each is None else each
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Bytes now."""
        return self._held.total()

    def take(self, count: int, tenant: str = "") -> bool:
        """Whether there was room for `count` more of this tenant."""
        if self.held + count > self._capacity or self._held[tenant] + count > self._each:
            return False
        self._held[tenant] += count
        return True

    def give_back(self, count: int, tenant: str = "") -> None:
        """Make room again."""
        self._held[tenant] -= count
        if not self._held[tenant]:
            del self._held[tenant]


class Holding:
    """What one request has in memory: its body, and what was fetched for it; given back when it ends."""

    def __init__(self, budget: BodyBudget, tenant_of: Callable[[], str]) -> None:
        """Nothing yet. `tenant_of` is asked when there is something, which is after it is known who calls."""
        self._budget = budget
        self._tenant_of = tenant_of
        self._tenant = ""
        self._held = 0

    def take(self, count: int) -> None:
        """Count bytes that have arrived, before they are kept.

        Raises:
            Overloaded: there is no room for them, in the house or in this tenant's share of it.
        """
        if not self._held:
            self._tenant = self._tenant_of()
        if not self._budget.take(count, self._tenant):
            raise Overloaded("The requests being read fill the memory set aside for them.", retry_after=1)
        self._held += count

    def give_back(self) -> None:
        """All of it."""
        self._budget.give_back(self._held, self._tenant)
        self._held = 0
