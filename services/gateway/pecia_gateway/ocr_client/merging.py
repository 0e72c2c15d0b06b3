"""Many pods' descriptions as one fleet."""

from collections.abc import Sequence

from pecia.ocr.v1 import ocr_pb2
from pecia_core import wire
from pecia_core.vocabulary import EngineName, EngineState

from pecia_gateway.ocr_client.fleet import EngineOffer, Fleet

_STATES = {ocr_pb2.EngineState.Value(f"ENGINE_STATE_{state.name}"): state for state in EngineState}
# Of several pods' states the caller hears the best.
_BEST_FIRST = [
    EngineState.READY,
    EngineState.LOADING,
    EngineState.DRAINING,
    EngineState.FAILED,
    EngineState.UNAVAILABLE,
]


def merged(answers: Sequence[ocr_pb2.DescribeResponse]) -> Fleet:
    """Loads added up, limits the smallest, engines in their best state."""
    if not answers:
        return Fleet()
    names = dict.fromkeys(engine.name for answer in answers for engine in answer.engines)
    return Fleet(
        engines=tuple(_offer(name, answers) for name in names if name in set(EngineName)),
        pods=len(answers),
        free_slots=sum(answer.load.free_slots for answer in answers),
        queue_length=sum(answer.load.queue_length for answer in answers),
        running=sum(answer.load.running for answer in answers),
        pages_per_second=sum(answer.load.pages_per_second for answer in answers),
        max_picture_bytes=min(answer.limits.max_picture_bytes for answer in answers),
        max_picture_pixels=min(answer.limits.max_picture_pixels for answer in answers),
    )


def _offer(name: str, answers: Sequence[ocr_pb2.DescribeResponse]) -> EngineOffer:
    engines = [engine for answer in answers for engine in answer.engines if engine.name == name]
    best = min(engines, key=lambda engine: _BEST_FIRST.index(_state(engine)))
    return EngineOffer(
        name=EngineName(name),
        models=tuple(best.models),
        revision=best.revision,
        state=_state(best),
        reason=best.reason,
        tasks=tuple(wire.task_from_proto(task) for task in best.tasks),
        sizes=tuple(size for value in best.sizes if (size := wire.size_from_proto(value))),
        languages=tuple(best.languages),
        slots=sum(engine.slots for engine in engines if _state(engine) is EngineState.READY),
    )


def _state(engine: ocr_pb2.EngineDescription) -> EngineState:
    return _STATES.get(engine.state, EngineState.UNAVAILABLE)
