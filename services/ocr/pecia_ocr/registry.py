"""Which engine answers: by the model a caller names, by task, and by what is ready."""

from collections.abc import Sequence
from dataclasses import dataclass

from pecia_core.errors import InvalidRequest, NotFound, PeciaError, Unavailable
from pecia_core.recognition import Notice, RecognizeOptions
from pecia_core.vocabulary import EngineName, EngineState, ModelSize, TaskType

from pecia_ocr.scheduling.lane import Lane

AUTO = "auto"
DEEPSEEK = "deepseek-ocr"
# The small checkpoint that comes along: it reads short printed strings, for whoever asks for it by this name.
DEMO = "deepseek-ocr-demo"
MODELS: dict[EngineName, tuple[str, ...]] = {
    EngineName.DEEPSEEK: (DEEPSEEK, *(f"{DEEPSEEK}:{size}" for size in ModelSize)),
    EngineName.RAPID: ("rapid", "ppocr"),
    EngineName.TESSERACT: ("tesseract",),
    EngineName.SCRIPTED: ("scripted",),
}
# Best first; scripted answers only who asks for it.
_AUTO_ORDER = (EngineName.DEEPSEEK, EngineName.RAPID, EngineName.TESSERACT)
_LOADING_RETRY_S = 5.0


def names_of(lane: Lane) -> tuple[str, ...]:
    """What callers call a lane's engine."""
    return (DEMO,) if lane.demo else MODELS[lane.name]


@dataclass(frozen=True, slots=True)
class Choice:
    """The lane that answers, and what its caller should know of the choice."""

    lane: Lane
    fallback_from: str = ""
    warnings: tuple[Notice, ...] = ()


class Registry:
    """The lanes of this process."""

    def __init__(self, lanes: Sequence[Lane], *, autofallback: bool) -> None:
        """Remember the lanes.

        Args:
            lanes: one per engine.
            autofallback: whether CPU engines answer for DeepSeek-OCR, flagged, while it is not ready.
        """
        self._lanes = {lane.name: lane for lane in lanes}
        self._autofallback = autofallback

    @property
    def lanes(self) -> list[Lane]:
        """Best engine first."""
        order = [*_AUTO_ORDER, EngineName.SCRIPTED]
        return sorted(self._lanes.values(), key=lambda lane: order.index(lane.name))

    @property
    def ready(self) -> bool:
        """Whether any engine can answer who names none."""
        return any(lane.state == EngineState.READY and not lane.demo for lane in self._lanes.values())

    def choose(self, options: RecognizeOptions) -> Choice:
        """The lane for this page.

        Raises:
            NotFound: no engine has this model.
            Unavailable: the engine is loading or broken.
            InvalidRequest: the engine cannot do this task.
        """
        choice = self._by_model(options.model.strip().lower() or AUTO)
        self._check_task(choice.lane, options.task_type)
        if options.model_size and not (choice.lane.info and choice.lane.info.sizes):
            notice = Notice("model_size_ignored", f"The {choice.lane.name} engine has no model sizes.")
            return Choice(choice.lane, choice.fallback_from, (*choice.warnings, notice))
        return choice

    def on_cpu(self, task: TaskType) -> Lane | None:
        """The CPU engine that answers for DeepSeek-OCR, if one may and can."""
        if not self._autofallback:
            return None
        able = (
            lane for lane in self.lanes if lane.name in _AUTO_ORDER[1:] and lane.state == EngineState.READY
        )
        return next((lane for lane in able if lane.info and task in lane.info.tasks), None)

    @property
    def second(self) -> Lane | None:
        """The CPU engine that looks at pages beside DeepSeek-OCR, if one is ready."""
        ready = (
            lane for lane in self.lanes if lane.name in _AUTO_ORDER[1:] and lane.state == EngineState.READY
        )
        return next(ready, None)

    def _by_model(self, model: str) -> Choice:
        if model == AUTO:
            return Choice(self._best(self.lanes))
        lane = next((lane for lane in self.lanes if model in names_of(lane)), None)
        if lane and lane.state == EngineState.READY:
            return Choice(lane)
        if model in MODELS[EngineName.DEEPSEEK] and self._autofallback:
            message = "No DeepSeek-OCR engine is ready; a CPU engine answered."
            return Choice(self._best(self.lanes), DEEPSEEK, (Notice("engine_fallback", message),))
        if lane is None:
            raise self._no_such_model(model)
        raise not_ready(lane)

    def _best(self, lanes: Sequence[Lane]) -> Lane:
        for lane in lanes:
            if lane.state == EngineState.READY and lane.name in _AUTO_ORDER and not lane.demo:
                return lane
        states = (EngineState.LOADING, EngineState.DRAINING)
        waiting = [lane for lane in lanes if lane.state in states and not lane.demo]
        if waiting:
            raise not_ready(waiting[0])
        raise Unavailable("No engine works on this machine: the logs of the ocr service say why.")

    def _no_such_model(self, model: str) -> PeciaError:
        there_is = ", ".join([AUTO, *(name for lane in self.lanes for name in names_of(lane))])
        return NotFound(
            f"There is no model {model[:64]!r} here. There is: {there_is}.",
            code="model_not_found",
            param="model",
        )

    def _check_task(self, lane: Lane, task: TaskType) -> None:
        if lane.info is None or task in lane.info.tasks:
            return
        able = [
            name
            for other in self.lanes
            if other.info and task in other.info.tasks
            for name in names_of(other)
        ]
        instead = (
            f"Engines here that can: {', '.join(able)}."
            if able
            else "No engine here can: it needs deepseek-ocr."
        )
        raise InvalidRequest(
            f"The {lane.name} engine cannot do the task {task}. {instead}",
            code="unsupported_value",
            param="task_type",
        )


def not_ready(lane: Lane) -> PeciaError:
    """Why a lane cannot answer now."""
    match lane.state:
        case EngineState.LOADING:
            message = f"The {lane.name} engine is loading; try again in a few seconds."
            return Unavailable(message, code="model_loading", retry_after=_LOADING_RETRY_S)
        case EngineState.DRAINING:
            return Unavailable(
                "This process is shutting down; another one answers.", code="draining", retry_after=1.0
            )
        case _:
            return Unavailable(f"Model loading failed: {lane.reason}", code="engine_unavailable")
