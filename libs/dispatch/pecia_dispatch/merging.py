"""Many pods' descriptions as one fleet."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeVar

from pecia.ocr.v1 import ocr_pb2
from pecia_core import wire
from pecia_core.vocabulary import EngineName, EngineState
from pecia_wall import Bearing, Walls

from pecia_dispatch.fleet import EngineOffer, Fleet

_Word = TypeVar("_Word", bound=str)
_ENGINES = frozenset(EngineName)
_STATES = {
    ocr_pb2.ENGINE_STATE_READY: EngineState.READY,
    ocr_pb2.ENGINE_STATE_LOADING: EngineState.LOADING,
    ocr_pb2.ENGINE_STATE_DRAINING: EngineState.DRAINING,
    ocr_pb2.ENGINE_STATE_FAILED: EngineState.FAILED,
    ocr_pb2.ENGINE_STATE_UNAVAILABLE: EngineState.UNAVAILABLE,
}
# Best first: an engine is as good as the best pod that has it.
_BEST = tuple(_STATES.values())


def merged(descriptions: Sequence[ocr_pb2.DescribeResponse]) -> Fleet:
    """What the pods that answered offer together."""
    found: dict[EngineName, list[ocr_pb2.EngineDescription]] = {}
    for description in descriptions:
        for engine in description.engines:
            if engine.name in _ENGINES:  # a newer service may have more
                found.setdefault(EngineName(engine.name), []).append(engine)
    loads = [description.load for description in descriptions]
    limits = [description.limits for description in descriptions]
    # A former version says nothing of them.
    walls = [_walls(description.walls) for description in descriptions if description.HasField("walls")]
    return Fleet(
        engines=tuple(_offer(name, engines) for name, engines in found.items()),
        pods=len(descriptions),
        free_slots=sum(load.free_slots for load in loads),
        queue_length=sum(load.queue_length for load in loads),
        running=sum(load.running for load in loads),
        pages_per_second=sum(load.pages_per_second for load in loads),
        max_picture_bytes=min((limit.max_picture_bytes for limit in limits), default=0),
        max_picture_pixels=min((limit.max_picture_pixels for limit in limits), default=0),
        walls=reduce(Walls.weaker, walls) if walls else None,
    )


def _walls(said: ocr_pb2.Walls) -> Walls:
    bearing = Bearing(said.landlock, said.seccomp, said.no_new_privs)
    return Walls(bearing, said.memory_bytes, said.cpu.seconds)


def _offer(name: EngineName, engines: Sequence[ocr_pb2.EngineDescription]) -> EngineOffer:
    best = min(engines, key=_rank)
    sizes = (wire.size_from_proto(size) for engine in engines for size in engine.sizes)
    return EngineOffer(
        name=name,
        models=_union(engine.models for engine in engines),
        revision=", ".join(_union((engine.revision,) for engine in engines if engine.revision)),
        state=_state(best),
        reason=best.reason,
        tasks=_union(map(wire.task_from_proto, engine.tasks) for engine in engines),
        sizes=_union((size,) for size in sizes if size is not None),
        languages=_union(engine.languages for engine in engines),
        slots=sum(engine.slots for engine in engines if _state(engine) == EngineState.READY),
        pages_together=max(1, *(engine.pages_together for engine in engines)),
    )


def _state(engine: ocr_pb2.EngineDescription) -> EngineState:
    return _STATES.get(engine.state, EngineState.UNAVAILABLE)


def _rank(engine: ocr_pb2.EngineDescription) -> int:
    return _BEST.index(_state(engine))


def _union(groups: Iterable[Iterable[_Word]]) -> tuple[_Word, ...]:
    """Every word once, in the order first met."""
    return tuple(dict.fromkeys(word for group in groups for word in group))
