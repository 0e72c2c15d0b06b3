"""Callers in a process of their own: `python -m benchmarks.gpu.load ORDER`.

ORDER is JSON (see `Order`). Pages are asked for over gRPC, streaming, and followed to their end. Prints what
came of each, as JSON.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from threading import Lock, Thread
from time import perf_counter, sleep

from pecia_client.grpc import GrpcClient
from pecia_core.errors import PeciaError
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Sampling
from pecia_core.vocabulary import ModelSize

from benchmarks.gpu.paper import encoded

_PICTURES = 6


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask for.

    Either `rate` pages a second, arriving by chance (Poisson), whoever is still waiting; or, where it is 0,
    `at_once` callers each with the next page when they have the last. `tokens`: fewest and most of an answer.
    """

    target: str
    rate: float
    at_once: int
    seconds: float
    sizes: list[str]
    tokens: tuple[int, int]
    seed: int
    small: bool


@dataclass(slots=True)
class Reading:
    """One page: seconds to its first token and to its end; `end`: finish reason, or the error's code."""

    first_s: float = 0.0
    whole_s: float = 0.0
    tokens: int = 0
    answered: bool = False
    end: str = ""


@dataclass(slots=True)
class Outcome:
    """All pages, and the seconds until the last one had its end."""

    readings: list[Reading]
    wall_s: float


class Load:
    """One run."""

    def __init__(self, order: Order, client: GrpcClient) -> None:
        """Draw the pictures."""
        self._order = order
        self._client = client
        self._chance = Random(order.seed)  # noqa: S311 - nothing secret
        self._lock = Lock()
        self._pictures = [encoded(seed, small=order.small) for seed in range(_PICTURES)]
        self._readings: list[Reading] = []

    def run(self) -> Outcome:
        """Ask."""
        began = perf_counter()
        threads = list(self._arriving(began) if self._order.rate else self._callers(began))
        for thread in threads:
            thread.join()
        return Outcome(self._readings, perf_counter() - began)

    def _arriving(self, began: float) -> Iterator[Thread]:
        due = self._chance.expovariate(self._order.rate)
        while due < self._order.seconds:
            sleep(max(0.0, began + due - perf_counter()))
            thread = Thread(target=self._read)
            thread.start()
            yield thread
            due += self._chance.expovariate(self._order.rate)

    def _callers(self, began: float) -> Iterator[Thread]:
        for _ in range(self._order.at_once):
            thread = Thread(target=self._call, args=(began,))
            thread.start()
            yield thread

    def _call(self, began: float) -> None:
        self._read()
        while perf_counter() - began < self._order.seconds:
            self._read()

    def _chosen(self) -> tuple[bytes, RecognizeOptions]:
        with self._lock:
            picture, size = self._chance.choice(self._pictures), self._chance.choice(self._order.sizes)
            tokens = self._chance.randint(*self._order.tokens)
        options = RecognizeOptions(
            model="deepseek-ocr", model_size=ModelSize(size), sampling=Sampling(max_tokens=tokens)
        )
        return picture, options

    def _read(self) -> None:
        reading, began = Reading(), perf_counter()
        try:
            for event in self._client.stream(*self._chosen()):
                if isinstance(event, Delta) and not reading.first_s:
                    reading.first_s = perf_counter() - began
                if isinstance(event, Recognition):
                    reading.end, reading.tokens = event.finish_reason.value, event.usage.completion_tokens
                    reading.answered = True
        except PeciaError as error:
            reading.end = error.code
        reading.whole_s = perf_counter() - began
        reading.first_s = reading.first_s or reading.whole_s
        with self._lock:
            self._readings.append(reading)


if __name__ == "__main__":
    asked = Order(**json.loads(sys.argv[1]))
    with GrpcClient(asked.target, cache=False) as caller:
        print(json.dumps(asdict(Load(asked, caller).run())))
