"""Fields of an OpenAI request -> what the ocr service is asked for, and what was passed over."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from pecia_core.errors import InvalidRequest, NotFound
from pecia_core.recognition import Notice, RecognizeOptions, Sampling
from pecia_core.vocabulary import ModelSize, Priority, TaskType

from pecia_gateway.prompts import task_of, without_control_tokens
from pecia_gateway.schemas.openai import MAX_CHOICES, MAX_REF_TEXT, GenerationRequest, PageRequest

_Word = TypeVar("_Word", bound=StrEnum)
_MAX_STOPS = 4
_MAX_LANGUAGES = 16
_MAX_WARNINGS = 20
_MAX_NAME = 64
_DEEPSEEK = "deepseek-ocr"
# (base_size, image_size, crop_mode) as DeepSeek-OCR's own code names its sizes.
_SIZE_OF_PIXELS = {
    (512, 512, False): ModelSize.TINY,
    (640, 640, False): ModelSize.SMALL,
    (1024, 1024, False): ModelSize.BASE,
    (1280, 1280, False): ModelSize.LARGE,
    (1024, 640, True): ModelSize.GUNDAM,
}
_PIXEL_FIELDS = ("base_size", "image_size", "crop_mode")
_PRIORITY_OF_TIER = {
    "auto": Priority.DEFAULT,
    "default": Priority.DEFAULT,
    "standard": Priority.DEFAULT,
    "priority": Priority.PRIORITY,
    "flex": Priority.FLEX,
}
# Fields of OpenAI's that mean nothing to a reader of pages.
_IGNORED = frozenset(
    {
        *("audio", "best_of", "echo", "function_call", "functions", "include_obfuscation", "logit_bias"),
        *("metadata", "moderation", "parallel_tool_calls", "prediction", "prompt_cache_key"),
        *("prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "safety_identifier"),
        *("store", "suffix", "tool_choice", "tools", "top_logprobs", "verbosity", "web_search_options"),
    }
)


def refuse_what_nobody_can_do(fields: Mapping[str, Any]) -> None:
    """Raise for fields whose silent loss would surprise the caller."""
    refused = {
        "tool_choice": fields.get("tool_choice") not in (None, "none", "auto"),
        "function_call": fields.get("function_call") not in (None, "none", "auto"),
        "audio": "audio" in fields,
        "modalities": "audio" in _listed(fields.get("modalities")),
        "web_search_options": "web_search_options" in fields,
        "logprobs": fields.get("logprobs") not in (None, False),
        "echo": fields.get("echo") not in (None, False),
        "suffix": bool(fields.get("suffix")),
    }
    for name, is_refused in refused.items():
        if is_refused:
            raise InvalidRequest(
                f"{name} cannot be honoured by an OCR engine: leave it out.",
                code="unsupported_parameter",
                param=name,
            )


def choices_of(asked: GenerationRequest) -> int:
    """How many choices to answer with."""
    count = 1 if asked.n is None else asked.n
    if count < 1:
        raise InvalidRequest("n has to be at least 1.", param="n")
    if count > MAX_CHOICES:
        raise InvalidRequest(f"n can be at most {MAX_CHOICES}.", code="unsupported_parameter", param="n")
    return count


def page_options(asked: PageRequest, prompt: str = "") -> RecognizeOptions:
    """What is wanted from a page. `model_size` None = the picture's own `detail` decides."""
    model, size_of_name = _model(asked.model)
    task, ref_text = _task(asked, prompt)
    return RecognizeOptions(
        model=model,
        task_type=task,
        model_size=_size(asked) or size_of_name,
        ref_text=ref_text,
        languages=_languages(asked.languages),
        annotate=bool(asked.annotate),
        figures=bool(asked.figures),
    )


def generation_options(asked: GenerationRequest, prompt: str, max_tokens: int | None) -> RecognizeOptions:
    """The same, with how tokens are chosen and how urgent it is."""
    return replace(
        page_options(asked, prompt),
        sampling=Sampling(
            temperature=asked.temperature or 0.0,
            max_tokens=max_tokens or 0,
            top_p=asked.top_p,
            seed=asked.seed,
            stop=_stops(asked.stop),
            repetition_penalty=asked.repetition_penalty,
        ),
        priority=_priority(asked.service_tier),
    )


def unknown_fields(asked: GenerationRequest) -> tuple[Notice, ...]:
    """A warning for every key that nobody knows."""
    unknown = sorted(set(asked.model_extra or ()) - _IGNORED)[:_MAX_WARNINGS]
    return tuple(
        Notice("unknown_parameter", f"{name[:_MAX_NAME]} is not known and was ignored.") for name in unknown
    )


def _languages(asked: list[str] | str | None) -> tuple[str, ...]:
    names = asked.replace("+", ",").split(",") if isinstance(asked, str) else asked or []
    codes = tuple(name.strip() for name in names if name.strip())
    if len(codes) > _MAX_LANGUAGES or any(not code.replace("_", "").isalnum() for code in codes):
        raise InvalidRequest(
            f"languages holds up to {_MAX_LANGUAGES} codes such as en, id or eng.",
            code="unsupported_value",
            param="languages",
        )
    return codes


def _model(name: str | None) -> tuple[str, ModelSize | None]:
    model, colon, size = (name or "auto").strip().partition(":")
    if model.casefold() != _DEEPSEEK or not colon:
        return (name or "auto").strip() or "auto", None
    if size.casefold() not in set(ModelSize):
        raise NotFound(
            f"There is no model {_DEEPSEEK}:{size[:_MAX_NAME]}: the sizes are {_words(ModelSize)}.",
            code="model_not_found",
            param="model",
        )
    return _DEEPSEEK, ModelSize(size.casefold())


def _task(asked: PageRequest, prompt: str) -> tuple[TaskType, str]:
    found = task_of(prompt)
    task, ref_text = found or (TaskType.FREE_OCR, "")
    if asked.task_type is not None:
        task = _word(TaskType, asked.task_type, "task_type")
    if len(ref_text) > MAX_REF_TEXT:  # the one in the prompt; the field has the same bound
        raise InvalidRequest(f"The words to locate may have {MAX_REF_TEXT} characters.", param="messages")
    ref_text = without_control_tokens(asked.ref_text or ref_text)
    if task is TaskType.LOCATE and not ref_text:
        raise InvalidRequest(
            "locate needs ref_text: the words to look for.",
            code="missing_required_parameter",
            param="ref_text",
        )
    return task, ref_text


def _size(asked: PageRequest) -> ModelSize | None:
    if asked.model_size is not None:
        return _word(ModelSize, asked.model_size, "model_size")
    own = {name: value for name in _PIXEL_FIELDS if (value := getattr(asked, name)) is not None}
    if own:
        return _size_of_pixels(own, next(iter(own)))
    known = {
        name: value for name, value in (asked.mm_processor_kwargs or {}).items() if name in _PIXEL_FIELDS
    }
    return _size_of_pixels(known, "mm_processor_kwargs") if known else None


def _size_of_pixels(pixels: Mapping[str, Any], param: str) -> ModelSize:
    matching = [
        size
        for row, size in _SIZE_OF_PIXELS.items()
        if all(dict(zip(_PIXEL_FIELDS, row, strict=True))[name] == value for name, value in pixels.items())
    ]
    if len(matching) == 1:
        return matching[0]
    raise InvalidRequest(
        f"base_size, image_size and crop_mode do not name one size: use model_size ({_words(ModelSize)}).",
        code="unsupported_value",
        param=param,
    )


def _stops(asked: str | list[str] | None) -> tuple[str, ...]:
    stops = (asked,) if isinstance(asked, str) else tuple(asked or ())
    if len(stops) > _MAX_STOPS:
        raise InvalidRequest(f"stop holds at most {_MAX_STOPS} strings.", param="stop")
    return stops


def _priority(tier: str | None) -> Priority:
    if tier is None:
        return Priority.DEFAULT
    if tier not in _PRIORITY_OF_TIER:
        raise InvalidRequest(
            "service_tier is one of priority, default, auto and flex.",
            code="unsupported_value",
            param="service_tier",
        )
    return _PRIORITY_OF_TIER[tier]


def _word(kind: type[_Word], value: str, param: str) -> _Word:
    word = value.strip().casefold()
    if word not in set(kind):
        raise InvalidRequest(f"{param} is one of {_words(kind)}.", code="unsupported_value", param=param)
    return kind(word)


def _words(kind: Iterable[StrEnum]) -> str:
    return ", ".join(kind)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
