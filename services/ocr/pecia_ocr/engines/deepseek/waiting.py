"""Whose turn it is: the most urgent first; among equals tenants take turns, each one's pages in order."""

from collections import deque
from collections.abc import Callable, Mapping

from pecia_ocr.engines.deepseek.tickets import Ticket


class WaitingLine:
    """Tickets that have no slot yet. Used by the scheduler's thread; its length may be read by any."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._lines: dict[int, dict[str, deque[Ticket]]] = {}
        self._served: dict[str, int] = {}
        self._turn = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, ticket: Ticket) -> None:
        """At the end of its tenant's line."""
        tenants = self._lines.setdefault(ticket.request.priority, {})
        tenants.setdefault(ticket.request.tenant, deque()).append(ticket)
        self._length += 1

    def next(self, running: Mapping[str, int], fits: Callable[[Ticket], bool]) -> Ticket | None:
        """Take out whose turn it is; None where that one does not fit yet: others do not slip past it.

        Args:
            running: how many slots each tenant has; the one with the fewest is next, then the one whose
                last turn is longest ago.
            fits: whether there is room for a ticket.
        """
        if not self._lines:
            return None
        tenants = self._lines[min(self._lines)]
        tenant = min(tenants, key=lambda name: (running.get(name, 0), self._served.get(name, 0)))
        if not fits(tenants[tenant][0]):
            return None
        ticket = tenants[tenant].popleft()
        self._length -= 1
        self._turn += 1
        self._served[tenant] = self._turn
        self._tidy()
        return ticket

    def remove(self, unwanted: Callable[[Ticket], bool]) -> list[Ticket]:
        """Take out all that are unwanted."""
        removed: list[Ticket] = []
        for tenants in self._lines.values():
            for tenant, line in tenants.items():
                kept: deque[Ticket] = deque()
                for ticket in line:
                    (removed if unwanted(ticket) else kept).append(ticket)
                tenants[tenant] = kept
        self._length -= len(removed)
        self._tidy()
        return removed

    def _tidy(self) -> None:
        for priority, tenants in list(self._lines.items()):
            left = {tenant: line for tenant, line in tenants.items() if line}
            if left:
                self._lines[priority] = left
            else:
                del self._lines[priority]
        if not self._lines:
            # Turns count among those who wait together; a tenant's name is not kept for ever.
            self._served.clear()
