"""What the fleet offers, in the words of the model list and the probes."""

from collections.abc import Iterable, Iterator
from typing import Literal

from pecia_core.vocabulary import EngineName, EngineState, ModelSize
from pecia_dispatch import EngineOffer, Fleet
from pecia_wall import Walls

from pecia_gateway.schemas.completions import Model, ModelList
from pecia_gateway.schemas.health import EngineHealth, WallHealth

AUTO = "auto"
_DEEPSEEK = ("deepseek-ocr", *(f"deepseek-ocr:{size}" for size in ModelSize))
# What is asked for by its own name only.
_DEMO = "deepseek-ocr-demo"
_CPU = (EngineName.RAPID, EngineName.TESSERACT)
_ABSENT = (EngineState.UNAVAILABLE, EngineState.FAILED)


def model_list(fleet: Fleet, *, created: int, gpu_autofallback: bool) -> ModelList:
    """Every name that is answered now or soon; DeepSeek-OCR's also where a CPU engine answers for it."""
    offers = [offer for offer in fleet.engines if offer.state not in _ABSENT]
    models = {AUTO: _model(AUTO, _best(offers), created)}
    for offer in offers:
        models |= {name: _model(name, offer, created) for name in offer.models}
    fallback = next((offer for offer in offers if offer.name in _CPU), None)
    if gpu_autofallback and fallback:
        models = {name: _model(name, fallback, created) for name in _DEEPSEEK} | models
    return ModelList(data=list(models.values()))


def cpu_model(fleet: Fleet) -> str:
    """The model for plain lines when none is named: a CPU engine that is ready, else whatever is."""
    ready = [offer for offer in fleet.engines if offer.state is EngineState.READY]
    return next((offer.name.value for name in _CPU for offer in ready if offer.name is name), AUTO)


def is_ready(fleet: Fleet) -> bool:
    """Whether any engine can answer."""
    return any(offer.state is EngineState.READY for offer in fleet.engines)


def reason_of(fleet: Fleet) -> str:
    """Why no engine can answer, and what to do; "" where one can."""
    if is_ready(fleet):
        return ""
    states = ", ".join(f"{offer.name} is {offer.state}" for offer in fleet.engines)
    reasons = (fleet.trouble, *(offer.reason for offer in fleet.engines), f"No engine can answer: {states}.")
    return next(reason for reason in reasons if reason) if states or fleet.trouble else "There is no engine."


def status_of(fleet: Fleet) -> Literal["healthy", "loading", "degraded"]:
    """One word for all engines: a broken one shows even while others answer."""
    states = {offer.state for offer in fleet.engines}
    if EngineState.READY in states:
        return "degraded" if EngineState.FAILED in states else "healthy"
    return "loading" if EngineState.LOADING in states else "degraded"


def engine_health(offers: Iterable[EngineOffer]) -> list[EngineHealth]:
    """Each engine, as the probes tell it."""
    return list(_engine_health(offers))


def _engine_health(offers: Iterable[EngineOffer]) -> Iterator[EngineHealth]:
    for offer in offers:
        yield EngineHealth(
            name=offer.name.value,
            state=offer.state.value,
            reason=offer.reason,
            models=list(offer.models),
            revision=offer.revision,
            tasks=[task.value for task in offer.tasks],
            sizes=[size.value for size in offer.sizes],
            languages=list(offer.languages),
            slots=offer.slots,
            pages_together=offer.pages_together,
        )


def wall_health(gateway: Walls | None, fleet: Walls | None) -> list[WallHealth]:
    """The walls of this service and of the ocr service's pods; None = nobody has looked."""
    services: tuple[tuple[Literal["gateway", "ocr"], Walls | None], ...] = (
        ("gateway", gateway),
        ("ocr", fleet),
    )
    return [
        WallHealth(
            service=service,
            landlock=walls.bearing.landlock,
            seccomp=walls.bearing.seccomp,
            no_new_privs=walls.bearing.no_new_privs,
            missing=list(walls.bearing.missing),
            memory_mb=walls.memory_bytes >> 20,
            cpu_seconds=walls.cpu_s,
        )
        for service, walls in services
        if walls
    ]


def _best(offers: list[EngineOffer]) -> EngineOffer | None:
    named = [offer for offer in offers if offer.name is not EngineName.SCRIPTED and _DEMO not in offer.models]
    ready = [offer for offer in named if offer.state is EngineState.READY]
    return next(iter(ready or named), None)


def _model(name: str, offer: EngineOffer | None, created: int) -> Model:
    state = offer.state if offer else EngineState.UNAVAILABLE
    return Model(id=name, created=created, engine=offer.name.value if offer else "", state=state.value)
