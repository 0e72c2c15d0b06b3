"""Which request is in which slot, and how far it has come."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pecia_ocr.engines.deepseek.sampler import Rules, Work
from pecia_ocr.engines.deepseek.tickets import Ticket


@dataclass(slots=True, eq=False)
class Seat:
    """A request in a slot.

    Attributes:
        ticket: whose answer it is.
        rules: how its tokens are chosen.
        most: tokens its answer may have.
        launched: steps begun for it.
        received: tokens that have come from these.
    """

    ticket: Ticket
    rules: Rules
    most: int
    launched: int = 0
    received: int = 0

    @property
    def prompt(self) -> int:
        """Tokens of its prompt."""
        return len(self.ticket.request.ids)

    @property
    def reserved(self) -> int:
        """Tokens it may come to, prompt and answer together."""
        return self.prompt + self.most

    @property
    def tokens(self) -> int:
        """Tokens in its row after the steps begun so far: all of the prompt but its last, and an each."""
        return self.prompt - 1 + self.launched


class Seats:
    """The slots as the host knows them, from 0."""

    def __init__(self, slots: int) -> None:
        """All free."""
        self._slots: list[Seat | None] = [None] * slots

    def __len__(self) -> int:
        return sum(seat is not None for seat in self._slots)

    def __iter__(self) -> Iterator[tuple[int, Seat]]:
        """Slot and seat of all who are seated."""
        return iter([(slot, seat) for slot, seat in enumerate(self._slots) if seat is not None])

    @property
    def free(self) -> int | None:
        """The lowest free slot: steps are computed for all slots up to the last one taken."""
        return next((slot for slot, seat in enumerate(self._slots) if seat is None), None)

    @property
    def rows(self) -> int:
        """How many slots, from the first, a step has to compute."""
        return max((slot + 1 for slot, _ in self), default=0)

    @property
    def longest(self) -> int:
        """Tokens of the longest of them, with the next step's."""
        return max((seat.tokens + 1 for _, seat in self), default=0)

    @property
    def reserved(self) -> int:
        """Tokens that all of them may come to."""
        return sum(seat.reserved for _, seat in self)

    @property
    def work(self) -> Work:
        """What their rules need."""
        rules = [seat.rules for _, seat in self]
        return Work(
            sampled=any(rule.temperature > 0 for rule in rules),
            penalised=any(rule.repetition_penalty != 1 for rule in rules),
        )

    def by_tenant(self) -> Counter[str]:
        """How many slots each tenant has."""
        return Counter(seat.ticket.request.tenant for _, seat in self)

    def take(self, slot: int, seat: Seat) -> None:
        """Seat it."""
        self._slots[slot] = seat

    def leave(self, slot: int) -> None:
        """Free a slot."""
        self._slots[slot] = None

    def move(self, source: int, target: int) -> None:
        """Seat it elsewhere."""
        self._slots[target], self._slots[source] = self._slots[source], None
