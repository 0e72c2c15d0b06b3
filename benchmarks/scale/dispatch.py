"""Pages, gateways and pods in a simulated time: how long a page waits for a slot under each way to choose.

Pages arrive at random and go to a random gateway, which asks the pod its view prefers. A pod has slots and a
queue of limited length, and refuses beyond it; the page is then offered elsewhere. A page in a slot takes its
time whatever else runs in the pod.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log, sqrt

from benchmarks.scale.views import Dispatch, Mirror, OfAll, RoundRobin, TwoAtRandom, View
from benchmarks.spread import percentile

_DESCRIBE_S = 5.0
# Pages waiting per engine before a pod refuses: pecia_ocr's own setting.
_MOST_WAITING = 64
_LATENCY_S = 0.001


@dataclass(frozen=True, slots=True)
class Shape:
    """A fleet and its load. `share` = busy slots; `page_s`: mean seconds, `spread` = deviation by mean."""

    pods: int
    slots: int
    gateways: int
    share: float
    page_s: float
    spread: float = 0.6
    seconds: float = 300.0

    @property
    def per_second(self) -> float:
        """Pages that arrive."""
        return self.share * self.pods * self.slots / self.page_s


@dataclass(slots=True)
class Waits:
    """Seconds each page of the second half waited for its slot, and pages nobody took."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def at(self, part: float) -> float:
        """A percentile."""
        return percentile(self.seconds, part)


@dataclass(slots=True)
class _Pod:
    free: int
    waiting: deque[tuple[float, int]] = field(default_factory=deque)  # when it arrived, its gateway


class Simulation:
    """Pods behind gateways. `run` gives the waits; the same seed gives the same."""

    def __init__(self, shape: Shape, seed: int) -> None:
        """Slots are busy to the share they will be, with pages that are somewhere in their time."""
        self.now = 0.0
        self._shape = shape
        self._chance = random.Random(seed)
        self._pods = [_Pod(shape.slots) for _ in range(shape.pods)]
        self._events: list[tuple[float, int, int, int]] = []  # when, what, pod or gateway, gateway
        self._waits = Waits()
        variance = log(1 + shape.spread**2)
        self._log_mean, self._log_deviation = log(shape.page_s) - variance / 2, sqrt(variance)

    def clock(self) -> float:
        """Simulated seconds."""
        return self.now

    def run(self, view_of: Callable[[int], View]) -> Waits:
        """Pages go to the pods that the views choose."""
        views = [view_of(gateway) for gateway in range(self._shape.gateways)]
        for gateway in range(self._shape.gateways):
            heapq.heappush(self._events, (self._chance.uniform(0, _DESCRIBE_S), _LOOK, gateway, 0))
        for view in views:
            self._tell(view)
        for number, pod in enumerate(self._pods):
            for _ in range(round(min(self._shape.share, 1.0) * self._shape.slots)):
                gateway = self._chance.randrange(self._shape.gateways)
                pod.free -= 1
                views[gateway].began(number)
                self._later(self._chance.random() * self._takes(), _END, number, gateway)
        self._arrive()
        while self._events and self.now < self._shape.seconds:
            self.now, what, who, gateway = heapq.heappop(self._events)
            if what == _ARRIVE:
                self._offer(views)
                self._arrive()
            elif what == _LOOK:
                self._tell(views[who])
                self._later(_DESCRIBE_S, _LOOK, who, 0)
            else:
                self._leave(views, who, gateway)
        # Who still waits has waited so long at least: leaving them out would flatter the worst.
        late = [arrived for pod in self._pods for arrived, _ in pod.waiting if self._counts(arrived)]
        self._waits.seconds += [self.now - arrived for arrived in late]
        return self._waits

    def _offer(self, views: Sequence[View]) -> None:
        gateway = self._chance.randrange(len(views))
        view = views[gateway]
        tried: list[int] = []
        while (number := view.choose(tried)) is not None:
            pod = self._pods[number]
            view.began(number)
            if pod.free > 0:
                self._start(number, gateway, self.now)
                return
            if len(pod.waiting) < _MOST_WAITING:
                pod.waiting.append((self.now, gateway))
                return
            view.refused(number, pod.free, len(pod.waiting))
            tried.append(number)
        self._waits.refused += self._counts(self.now)

    def _start(self, number: int, gateway: int, arrived: float) -> None:
        self._pods[number].free -= 1
        if self._counts(arrived):
            self._waits.seconds.append(self.now - arrived)
        self._later(self._takes(), _END, number, gateway)

    def _leave(self, views: Sequence[View], number: int, gateway: int) -> None:
        pod = self._pods[number]
        pod.free += 1
        if pod.waiting:
            arrived, other = pod.waiting.popleft()
            self._start(number, other, arrived)
        views[gateway].ended(number, pod.free, len(pod.waiting))

    def _tell(self, view: View) -> None:
        view.described([pod.free for pod in self._pods], [len(pod.waiting) for pod in self._pods])

    def _counts(self, arrived: float) -> bool:
        return arrived > self._shape.seconds / 2

    def _arrive(self) -> None:
        self._later(self._chance.expovariate(self._shape.per_second), _ARRIVE, 0, 0)

    def _takes(self) -> float:
        return self._chance.lognormvariate(self._log_mean, self._log_deviation)

    def _later(self, seconds: float, what: int, who: int, gateway: int) -> None:
        heapq.heappush(self._events, (self.now + seconds, what, who, gateway))


_END, _LOOK, _ARRIVE = range(3)


class OneQueue:
    """Credits at their best: a page waits outside of the pods and goes to whichever has a slot first."""

    def __init__(self, shape: Shape, seed: int) -> None:
        """The same load."""
        self._shape = shape
        self._load = Simulation(shape, seed)

    def run(self) -> Waits:
        """As many servers as there are slots, and one line."""
        shape, load, waits = self._shape, self._load, Waits()
        chance = random.Random(shape.pods)
        slots = shape.pods * shape.slots
        busy = [chance.random() * load._takes() for _ in range(round(min(shape.share, 1.0) * slots))]  # noqa: SLF001 - the same draw
        free = [0.0] * (slots - len(busy)) + busy
        heapq.heapify(free)
        now = 0.0
        while now < shape.seconds:
            now += chance.expovariate(shape.per_second)
            begins = max(now, heapq.heappop(free)) + _LATENCY_S
            heapq.heappush(free, begins + load._takes())  # noqa: SLF001 - the same draw
            if now > shape.seconds / 2:
                waits.seconds.append(begins - now)
        return waits


def round_robin(shape: Shape, seed: int) -> Waits:
    """Each gateway asks one pod after the other."""
    starts = random.Random(seed)
    return Simulation(shape, seed).run(lambda _: RoundRobin(shape.pods, starts.randrange(shape.pods)))


def as_pecia(shape: Shape, seed: int) -> Waits:
    """Each gateway asks the pod with the fewest of its pages: of all if they are few, else of three drawn."""
    simulation = Simulation(shape, seed)
    return simulation.run(lambda gateway: Mirror(shape.pods, simulation.clock, _chance(seed, gateway)))


def of_all(shape: Shape, seed: int) -> Waits:
    """Each gateway asks the pod with the fewest of its own pages, of all."""
    simulation = Simulation(shape, seed)
    return simulation.run(lambda gateway: OfAll(shape.pods, simulation.clock, _chance(seed, gateway)))


def two_at_random(shape: Shape, seed: int) -> Waits:
    """Each gateway compares two pods that chance gives it."""
    simulation = Simulation(shape, seed)
    return simulation.run(lambda gateway: TwoAtRandom(shape.pods, simulation.clock, _chance(seed, gateway)))


def real(shape: Shape, seed: int) -> Waits:
    """As `as_pecia` by the gateway's own code."""
    simulation = Simulation(shape, seed)
    return simulation.run(lambda gateway: Dispatch(shape.pods, simulation.clock, _chance(seed, gateway)))


def _chance(seed: int, gateway: int) -> random.Random:
    return random.Random(f"{seed} {gateway}")


def credits_at_best(shape: Shape, seed: int) -> Waits:
    """One line for all."""
    return OneQueue(shape, seed).run()
