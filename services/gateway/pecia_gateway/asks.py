"""A request in OpenAI's words -> an Ask: pictures, options and the shape of the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pecia_core.errors import InvalidRequest
from pecia_core.recognition import Notice, RecognizeOptions

from pecia_gateway.body import checked, merged
from pecia_gateway.messages import Source, Turn, last_turn, source_of
from pecia_gateway.options import choices_of, generation_options, refuse_what_nobody_can_do, unknown_fields
from pecia_gateway.schemas.openai import (
    ChatCompletionRequest,
    CompletionRequest,
    GenerationRequest,
    ResponseFormat,
)

_DATA_URL = re.compile(r"data:[\w.+-]{1,80}/[\w.+-]{1,80};base64,[A-Za-z0-9+/_=-]+")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, understood. `model` is the name to repeat in the answer."""

    model: str
    sources: tuple[Source, ...]
    options: RecognizeOptions
    warnings: tuple[Notice, ...] = ()
    choices: int = 1
    stream: bool = False
    include_usage: bool = False
    as_json: bool = False
    pages_together: bool = False
    timeout_s: float | None = None

    def options_for(self, source: Source, page_index: int) -> RecognizeOptions:
        """What is asked for one page: a size in the request wins over the picture's own."""
        size = self.options.model_size or source.size
        return replace(self.options, model_size=size, page_index=page_index)


def chat_ask(body: Mapping[str, Any], default_model: str = "auto") -> Ask:
    """A body of /v1/chat/completions, understood.

    Raises:
        InvalidRequest: naming the field at fault.
        NotFound: there is no such model.
    """
    fields = {"model": default_model, **merged(body)}
    refuse_what_nobody_can_do(fields)
    asked = checked(ChatCompletionRequest, fields)
    as_json = _as_json(asked.response_format)
    ask = _ask(asked, last_turn(asked.messages), asked.max_completion_tokens or asked.max_tokens)
    return replace(ask, as_json=as_json)


def completion_ask(body: Mapping[str, Any], default_model: str = "auto") -> Ask:
    """A body of /v1/completions, understood; raises as `chat_ask` does."""
    fields = {"model": default_model, **merged(body)}
    refuse_what_nobody_can_do(fields)
    asked = checked(CompletionRequest, fields)
    return _ask(asked, _prompt(asked), asked.max_tokens)


def _ask(asked: GenerationRequest, turn: Turn, max_tokens: int | None) -> Ask:
    return Ask(
        model=asked.model or "auto",
        sources=turn.sources,
        options=generation_options(asked, turn.text, max_tokens),
        warnings=unknown_fields(asked),
        choices=choices_of(asked),
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        pages_together=bool(asked.pages_together),
        timeout_s=asked.timeout_s,
    )


def _as_json(asked: ResponseFormat | None) -> bool:
    if asked is not None and asked.type == "json_schema":
        raise InvalidRequest(
            "A schema of your own cannot be honoured: use response_format json_object, which gives "
            "pages, blocks, lines and words.",
            code="unsupported_value",
            param="response_format",
        )
    return asked is not None and asked.type == "json_object"


def _prompt(asked: CompletionRequest) -> Turn:
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if len(prompts) != 1:
        raise InvalidRequest("prompt has to be one string.", code="unsupported_value", param="prompt")
    prompt = prompts[0]
    named = [
        source_of(image, name)
        for name, image in (("image", asked.image), ("image_url", asked.image_url))
        if image is not None
    ]
    sources = (*named, *(Source(url, "prompt") for url in _DATA_URL.findall(prompt)))
    if not sources:
        raise InvalidRequest(
            "No picture to read: add image with a data: or https: URL.",
            code="missing_required_parameter",
            param="image",
        )
    return Turn(_DATA_URL.sub("", prompt), sources)
