"""What a gateway knows of the pods, and whom it asks next: the real code, the same faster, and round robin.

A view belongs to one gateway: what others have sent, it does not see.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from random import Random
from typing import Any, Protocol, cast

import grpc
import numpy as np
from pecia.ocr.v1 import ocr_pb2
from pecia_dispatch.addresses import Address
from pecia_dispatch.choosing import COMPARED, DRAWN, FEW
from pecia_dispatch.pod import Clock, Pod
from pecia_dispatch.pods import Pods
from pecia_dispatch.settings import OcrSettings

# Of one pod, or of all of them.
Numbers = Any
_MODEL = "deepseek-ocr"
# As in pecia_dispatch.pod: seconds a refusal is remembered.
_FULL_S = 1.0
# One number in place of the tuple that Pod.preference compares: each place is wider than what stands below it
# (times to 1,000 s, 100 waiting, 100 free), and microseconds still count beside the largest.
_FULL, _OUTSTANDING, _FREE, _QUEUE = 1e10, 1e7, 1e5, 1e3


class View(Protocol):
    """One gateway's sight of pods 0 to n-1."""

    def choose(self, tried: Collection[int]) -> int | None:
        """The pod to ask, None = nobody is left; a pod that is full is given only as the second."""

    def began(self, pod: int) -> None:
        """A page is with it."""

    def ended(self, pod: int, free: int, queue: int) -> None:
        """It answered, and said how busy it is."""

    def refused(self, pod: int, free: int, queue: int) -> None:
        """It has no room, and said how busy it is."""

    def described(self, free: Sequence[int], queue: Sequence[int]) -> None:
        """What all of them say every few seconds."""


class _Found(Pods):
    """Pods that need not be looked for."""

    def place(self, pods: Sequence[Pod]) -> None:
        """These are there."""
        self._pods = {pod.address: pod for pod in pods}
        self._listed = tuple(pods)


class Dispatch:
    """The gateway's own code: `pecia_dispatch.pods.Pods.choose` over `pecia_dispatch.pod.Pod`."""

    def __init__(self, pods: int, clock: Clock, chance: Random) -> None:
        """All are ready, and nobody has been asked."""
        unused = cast("grpc.aio.Channel", _NoChannel())
        places = [Address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 50051, "ocr") for n in range(pods)]
        self._pods = [Pod(place, unused, clock) for place in places]
        self._index = {pod.address: number for number, pod in enumerate(self._pods)}
        self._entered: list[list[AbstractContextManager[None]]] = [[] for _ in range(pods)]
        self._found = _Found(OcrSettings(), clock=clock, chance=chance)
        self._found.place(self._pods)
        self._clock = clock
        self._engine = ocr_pb2.EngineDescription(
            name="deepseek", models=[_MODEL], state=ocr_pb2.ENGINE_STATE_READY, slots=64
        )

    def choose(self, tried: Collection[int]) -> int | None:
        """As `pecia_dispatch.tries.Tries.next_pod` does it."""
        pod = self._found.choose(_MODEL, [self._pods[number] for number in tried])
        if pod is None or (pod.full and len(tried) > 1):
            return None
        return self._index[pod.address]

    def began(self, pod: int) -> None:
        """`Pod.busy` is entered, and left in `_left`."""
        call = self._pods[pod].busy()
        call.__enter__()
        self._entered[pod].append(call)

    def ended(self, pod: int, free: int, queue: int) -> None:
        """`Pod.busy` is left, and the trailers are read."""
        self._left(pod)
        self._pods[pod].heard(_trailers(free, queue))

    def refused(self, pod: int, free: int, queue: int) -> None:
        """A refusal is an answer, too."""
        self._left(pod)
        self._pods[pod].refused(_trailers(free, queue), None)

    def described(self, free: Sequence[int], queue: Sequence[int]) -> None:
        """As after a round of Describe."""
        for pod, slots, length in zip(self._pods, free, queue, strict=True):
            load = ocr_pb2.Load(free_slots=int(slots), queue_length=int(length))
            pod.described(ocr_pb2.DescribeResponse(engines=[self._engine], load=load))

    def _left(self, pod: int) -> None:
        self._entered[pod].pop().__exit__(None, None, None)


class Mirror:
    """Chooses as `Dispatch` does, thirty times as fast with a thousand pods; a test compares them."""

    def __init__(self, pods: int, clock: Clock, chance: Random) -> None:
        """All are ready, and nobody has been asked."""
        self._pods = pods
        self._clock = clock
        self._chance = chance
        self._outstanding = np.zeros(pods)
        self._free = np.zeros(pods)
        self._queue = np.zeros(pods)
        self._picked = np.zeros(pods)
        self._full = np.full(pods, -1.0)
        self._key = np.zeros(pods)

    def choose(self, tried: Collection[int]) -> int | None:
        """The least key, of all or of three drawn; who was full is looked at again."""
        now = self._clock()
        for over in np.flatnonzero((self._full >= 0) & (self._full <= now)):
            self._full[over] = -1.0
            self._rate(int(over))
        if self._pods > FEW:
            drawn = self._chance.sample(range(self._pods), DRAWN)
            fit = [pod for pod in drawn if pod not in tried and self._full[pod] <= now]
            if len(fit) >= COMPARED:
                return min(fit[:COMPARED], key=lambda pod: float(self._key[pod]))
        return self._of_all(tried, now)

    def _of_all(self, tried: Collection[int], now: float) -> int | None:
        left = self._key.copy()
        left[list(tried)] = np.inf
        pod = int(left.argmin())
        if left[pod] == np.inf or (self._full[pod] > now and len(tried) > 1):
            return None
        return pod

    def began(self, pod: int) -> None:
        """One more outstanding."""
        self._outstanding[pod] += 1
        self._picked[pod] = self._clock()
        self._rate(pod)

    def ended(self, pod: int, free: int, queue: int) -> None:
        """One less."""
        self._full[pod] = -1.0
        self._heard(pod, free, queue)

    def refused(self, pod: int, free: int, queue: int) -> None:
        """One less, and full for a while."""
        self._full[pod] = self._clock() + _FULL_S
        self._heard(pod, free, queue)

    def described(self, free: Sequence[int], queue: Sequence[int]) -> None:
        """All at once."""
        self._free = np.array(free, dtype=float)
        self._queue = np.array(queue, dtype=float)
        full = self._full > self._clock()
        self._key = _key(full, self._outstanding, self._free, self._queue) + self._picked

    def _heard(self, pod: int, free: int, queue: int) -> None:
        self._outstanding[pod] -= 1
        self._free[pod] = free
        self._queue[pod] = queue
        self._rate(pod)

    def _rate(self, pod: int) -> None:
        full = self._full[pod] > self._clock()
        rated = _key(full, self._outstanding[pod], self._free[pod], self._queue[pod])
        self._key[pod] = rated + self._picked[pod]


class OfAll(Mirror):
    """What pecia does not do: compare all pods, however many."""

    def choose(self, tried: Collection[int]) -> int | None:
        """The least key of all."""
        return self._of_all(tried, self._clock())


class TwoAtRandom(Mirror):
    """What pecia does not do: two pods by chance, and the better of them as `Mirror` compares."""

    def choose(self, tried: Collection[int]) -> int | None:
        """Three rounds at most."""
        if len(tried) > 2:
            return None
        first, second = self._chance.randrange(self._pods), self._chance.randrange(self._pods)
        return first if self._key[first] <= self._key[second] else second


class RoundRobin:
    """One pod after the other, whatever they say; where it begins is chance."""

    def __init__(self, pods: int, start: int) -> None:
        """Begin at `start`."""
        self._pods = pods
        self._next = start

    def choose(self, tried: Collection[int]) -> int | None:
        """The next one, at most three in all."""
        if len(tried) > 2:
            return None
        self._next = (self._next + 1) % self._pods
        return self._next

    def began(self, pod: int) -> None:
        """Not remembered."""

    def ended(self, pod: int, free: int, queue: int) -> None:
        """Not heard."""

    def refused(self, pod: int, free: int, queue: int) -> None:
        """Not heard."""

    def described(self, free: Sequence[int], queue: Sequence[int]) -> None:
        """Not heard."""


class _NoChannel:
    """Where a stub is made of it and never called."""

    def unary_unary(self, *_: object, **__: object) -> None:
        """Nothing."""

    def unary_stream(self, *_: object, **__: object) -> None:
        """Nothing."""


def _trailers(free: int, queue: int) -> list[tuple[str, str | bytes]]:
    return [("pecia-free-slots", str(free)), ("pecia-queue-length", str(queue))]


def _key(full: Numbers, outstanding: Numbers, free: Numbers, queue: Numbers) -> Numbers:
    return full * _FULL + outstanding * _OUTSTANDING - free * _FREE + queue * _QUEUE
