"""How well a kill was survived: pages read again, and how long the dead worker's pages lay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.jobs.history import Event, Kind


@dataclass(frozen=True, slots=True)
class Recovery:
    """Of one kill: pages the dead held, seconds until the last of them was in other hands (None: never)."""

    who: str
    held: int
    seconds: float | None


def recoveries(history: Sequence[Event]) -> list[Recovery]:
    """One for each kill. A page that was given up, cancelled or recorded counts as picked up."""
    return [_of(event, history) for event in history if event.kind is Kind.KILLED]


def _of(kill: Event, history: Sequence[Event]) -> Recovery:
    tokens = {token for token in kill.detail.split(",") if token}
    places = {
        (event.job, event.page) for event in history if event.kind is Kind.CLAIMED and event.token in tokens
    }
    again: dict[tuple[str, int], float] = {}
    for event in history:
        place = (event.job, event.page)
        if event.at > kill.at and place in places and event.token not in tokens:
            if event.kind is Kind.CLAIMED:
                again.setdefault(place, event.at)
        elif event.at > kill.at and place in places and event.kind in {Kind.RECORDED, Kind.GIVEN_UP}:
            again.setdefault(place, event.at)  # the commit was under way when the kill came
    late = max(again.values(), default=kill.at)
    return Recovery(kill.worker, len(tokens), late - kill.at if again.keys() >= places else None)


def read_again(history: Sequence[Event]) -> int:
    """Pages an engine was shown more than once, each further time counted."""
    shown = Counter((event.job, event.page) for event in history if event.kind is Kind.READ)
    return sum(times - 1 for times in shown.values())


def claimed_again(history: Sequence[Event]) -> int:
    """Claims beyond the first of each page; number 0, which puts the job together, counts too."""
    claims = Counter((event.job, event.page) for event in history if event.kind is Kind.CLAIMED)
    return sum(times - 1 for times in claims.values())
