"""One pod of the ocr service, as this gateway has come to know it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc

from pecia_dispatch.addresses import Address
from pecia_dispatch.fleet import PodView

Clock = Callable[[], float]

_READY = ocr_pb2.ENGINE_STATE_READY
# Seconds a pod that gave no answer is avoided: what it takes to look again.
_AVOID_S = 5.0
# Seconds a refusal is remembered at most: a place may come free at any moment.
_FULL_S = 1.0


class Pod:
    """A channel, what runs over it, and the pod's last words about itself."""

    def __init__(self, address: Address, channel: grpc.aio.Channel, clock: Clock = time.monotonic) -> None:
        """Nothing is known yet."""
        self.address = address
        self.channel = channel
        self.stub = ocr_pb2_grpc.OcrServiceStub(channel)
        self.outstanding = 0
        self.free_slots: int | None = None
        self.queue_length: int | None = None
        self.description: ocr_pb2.DescribeResponse | None = None
        self._clock = clock
        self._picked_at = 0.0
        self._avoided_until = 0.0
        self._not_ready_until = 0.0
        self._full_until = 0.0

    def follow(self, former: "Pod") -> None:
        """Know what was known over another connection to the same pod."""
        self.description = former.description
        self.free_slots, self.queue_length = former.free_slots, former.queue_length

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count a call for as long as it runs."""
        self.outstanding += 1
        self._picked_at = self._clock()
        try:
            yield
        finally:
            self.outstanding -= 1

    def heard(self, trailers: Iterable[tuple[str, str | bytes]] | None) -> None:
        """The pod answered: it is there, and says how busy it is."""
        self._avoided_until = 0.0
        self._full_until = 0.0
        self._read(trailers)

    def refused(self, trailers: Iterable[tuple[str, str | bytes]] | None, retry_after: float | None) -> None:
        """It has no room now."""
        self._read(trailers)
        self._full_until = self._clock() + min(retry_after or _FULL_S, _FULL_S)

    def unreachable(self) -> None:
        """It gave no answer."""
        self._avoided_until = self._clock() + _AVOID_S

    def not_ready(self) -> None:
        """It answers, and cannot work now: it loads or drains."""
        self._not_ready_until = self._clock() + _AVOID_S

    def described(self, description: ocr_pb2.DescribeResponse) -> None:
        """It said what it offers."""
        self.description = description
        self.free_slots = description.load.free_slots
        self.queue_length = description.load.queue_length
        self._avoided_until = 0.0
        self._not_ready_until = 0.0

    @property
    def reachable(self) -> bool:
        """Whether nothing speaks against an answer."""
        return self._clock() >= self._avoided_until

    @property
    def full(self) -> bool:
        """Whether it has just refused."""
        return self._clock() < self._full_until

    @property
    def draining(self) -> bool:
        """Whether it is about to go, or cannot work otherwise."""
        if self._clock() < self._not_ready_until:
            return True
        engines = self.description.engines if self.description else ()
        return bool(engines) and all(engine.state == ocr_pb2.ENGINE_STATE_DRAINING for engine in engines)

    def offers(self, model: str, *, ready: bool) -> bool:
        """Whether one of its engines answers to that name, and is ready if that matters."""
        engines = self.description.engines if self.description else ()
        family = model.partition(":")[0]
        return any(
            (engine.state == _READY or not ready)
            and (model == "auto" or model in engine.models or family in engine.models or engine.name == model)
            for engine in engines
        )

    def fits(self, model: str) -> bool:
        """Whether nothing speaks against giving it a page for this model now."""
        return self.reachable and not self.full and not self.draining and self.offers(model, ready=True)

    def preference(self) -> tuple[bool, bool, bool, int, int, int, float]:
        """Smaller is better: there, staying, with room, least outstanding, most free, shortest queue."""
        return (
            not self.reachable,
            self.draining,
            self.full,
            self.outstanding,
            -(self.free_slots or 0),
            self.queue_length or 0,
            self._picked_at,
        )

    def view(self) -> PodView:
        """The pod for people."""
        return PodView(
            str(self.address),
            self.reachable,
            self.draining,
            self.outstanding,
            self.free_slots,
            self.queue_length,
        )

    def _read(self, trailers: Iterable[tuple[str, str | bytes]] | None) -> None:
        said = {key: value for key, value in trailers or () if isinstance(value, str) and value.isdecimal()}
        if "pecia-free-slots" in said:
            self.free_slots = int(said["pecia-free-slots"])
        if "pecia-queue-length" in said:
            self.queue_length = int(said["pecia-queue-length"])
