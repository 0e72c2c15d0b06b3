"""Which engine answers: names, aliases, fallback, readiness, tasks."""

import pytest
from pecia_core.errors import InvalidRequest, NotFound, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName, EngineState, ModelSize, TaskType
from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.registry import DEMO, MODELS, Registry
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.process import EngineSpec

_CPU_TASKS = (TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LINES, TaskType.LOCATE)


def _lane(name: EngineName, state: EngineState = EngineState.READY) -> Lane:
    lane = Lane(EngineSpec(name, {}, {}), workers=1)
    lane.state = state
    if state is EngineState.READY:
        lane.info = EngineInfo(name, MODELS[name], f"{name}-1", _CPU_TASKS)
    return lane


def _registry(*lanes: Lane, autofallback: bool = True) -> Registry:
    return Registry(lanes, autofallback=autofallback)


@pytest.mark.parametrize("model", ["", "auto", "rapid", "ppocr", " PPOCR "])
def test_names_of_the_default_engine(model: str) -> None:
    """No model, auto, the engine's name and its alias all mean rapid here."""
    registry = _registry(_lane(EngineName.TESSERACT), _lane(EngineName.RAPID))
    choice = registry.choose(RecognizeOptions(model=model))
    assert (choice.lane.name, choice.fallback_from, choice.warnings) == (EngineName.RAPID, "", ())


def test_auto_takes_the_best_that_is_ready() -> None:
    """While rapid loads, tesseract answers."""
    registry = _registry(_lane(EngineName.RAPID, EngineState.LOADING), _lane(EngineName.TESSERACT))
    assert registry.choose(RecognizeOptions()).lane.name is EngineName.TESSERACT


def test_auto_never_means_scripted() -> None:
    """An engine that makes answers up is asked for by name only."""
    with pytest.raises(Unavailable):
        _registry(_lane(EngineName.SCRIPTED)).choose(RecognizeOptions())


@pytest.mark.parametrize("model", ["deepseek-ocr", "DeepSeek-OCR", "deepseek-ocr:tiny"])
def test_deepseek_is_answered_by_a_cpu_engine_and_flagged(model: str) -> None:
    """The seeds' default model works without a GPU, and says who answered."""
    choice = _registry(_lane(EngineName.RAPID)).choose(RecognizeOptions(model=model))
    assert (choice.lane.name, choice.fallback_from) == (EngineName.RAPID, "deepseek-ocr")
    assert [notice.code for notice in choice.warnings] == ["engine_fallback"]


def test_without_autofallback_deepseek_is_not_found_and_the_error_lists_what_there_is() -> None:
    """404 names the models a caller can use."""
    with pytest.raises(NotFound, match="auto, rapid, ppocr") as caught:
        _registry(_lane(EngineName.RAPID), autofallback=False).choose(RecognizeOptions(model="deepseek-ocr"))
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_model_is_not_found_and_not_echoed_at_length() -> None:
    """A megabyte of model name does not come back."""
    with pytest.raises(NotFound) as caught:
        _registry(_lane(EngineName.RAPID)).choose(RecognizeOptions(model="x" * 1_000_000))
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (EngineState.LOADING, "model_loading"),
        (EngineState.DRAINING, "draining"),
        (EngineState.UNAVAILABLE, "engine_unavailable"),
    ],
)
def test_an_engine_that_is_not_ready_says_why(state: EngineState, code: str) -> None:
    """Loading and draining carry a hint when to come back."""
    with pytest.raises(Unavailable) as caught:
        _registry(_lane(EngineName.RAPID, state)).choose(RecognizeOptions(model="rapid"))
    assert caught.value.code == code
    assert (caught.value.retry_after is None) == (code == "engine_unavailable")


@pytest.mark.parametrize("task", [TaskType.DESCRIBE, TaskType.PARSE_FIGURE])
def test_a_task_no_engine_can_do_is_refused(task: TaskType) -> None:
    """CPU engines describe nothing, and say what would."""
    with pytest.raises(InvalidRequest, match="deepseek-ocr") as caught:
        _registry(_lane(EngineName.RAPID)).choose(RecognizeOptions(task_type=task))
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "task_type")


def test_a_size_is_ignored_with_a_warning() -> None:
    """CPU engines have no sizes; the caller hears of it."""
    choice = _registry(_lane(EngineName.RAPID)).choose(RecognizeOptions(model_size=ModelSize.TINY))
    assert [notice.code for notice in choice.warnings] == ["model_size_ignored"]


def test_nothing_works() -> None:
    """Ready is false, and auto is an honest 503."""
    registry = _registry(_lane(EngineName.RAPID, EngineState.UNAVAILABLE))
    assert not registry.ready
    with pytest.raises(Unavailable, match="No engine works"):
        registry.choose(RecognizeOptions())


def test_the_demo_answers_to_its_own_name_only() -> None:
    """Nobody who asks for the model it is named after, or for any, gets what reads short strings."""
    demo = Lane(EngineSpec(EngineName.DEEPSEEK, {}, {}, demo=True), workers=1)
    demo.state = EngineState.READY
    demo.info = EngineInfo(EngineName.DEEPSEEK, (DEMO,), "demo", (TaskType.FREE_OCR,), (ModelSize.TINY,))
    registry = _registry(demo, _lane(EngineName.RAPID))
    assert registry.choose(RecognizeOptions(model=DEMO)).lane is demo
    assert registry.choose(RecognizeOptions()).lane.name is EngineName.RAPID
    asked = registry.choose(RecognizeOptions(model="deepseek-ocr:tiny"))
    assert (asked.lane.name, asked.fallback_from) == (EngineName.RAPID, "deepseek-ocr")
    alone = _registry(demo)
    assert not alone.ready
    with pytest.raises(Unavailable):
        alone.choose(RecognizeOptions())
    with pytest.raises(InvalidRequest, match="rapid, ppocr"):
        registry.choose(RecognizeOptions(model=DEMO, task_type=TaskType.LOCATE))
