"""What is answered in OpenAI's words, with pecia's own beside them in `ocr`."""

from typing import Any, Literal

from pydantic import BaseModel, Field

OpenAIFinish = Literal["stop", "length"]


class Choice(BaseModel):
    """What every choice has."""

    index: int
    finish_reason: OpenAIFinish
    logprobs: None = None


class AssistantMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(Choice):
    """One answer of a chat completion."""

    message: AssistantMessage


class TextChoice(Choice):
    """One answer of a text completion."""

    text: str


class PromptTokensDetails(BaseModel):
    """Of what the prompt tokens were."""

    image_tokens: int = 0
    cached_tokens: int = 0
    audio_tokens: int = 0


class TokenUsage(BaseModel):
    """Tokens. Engines without tokens count no prompt and one per word."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class OcrNotice(BaseModel):
    """Something to know although the answer came."""

    code: str
    message: str


class OcrTimings(BaseModel):
    """Milliseconds, summed over the pages."""

    decode_ms: float
    queue_ms: float
    engine_ms: float
    total_ms: float


class OcrExtension(BaseModel):
    """What pecia knows beyond OpenAI's fields."""

    engine: str = Field(description="What read the pages.", examples=["rapid"])
    model: str = Field(description="Weights and revision.")
    fallback_from: str = Field(description="What was asked for, where another engine answered; else empty.")
    attempts: int
    warnings: list[OcrNotice]
    finish_reason: str = Field(description="stop, length, repetition or cancelled.")
    truncated: bool = Field(description="Whether text is missing at the end.")
    cached: bool = Field(description="Whether every page is from a result that was kept.")
    timings: OcrTimings
    pages: list[dict[str, Any]] = Field(
        description="Pages > blocks > lines > words; pixels of the picture as received, origin top left. "
        "With `annotate` each has `annotated_png`, a PNG in base64; with `figures` the `figures` that its "
        "text names, as JPEGs in base64."
    )


class Completion(BaseModel):
    """What both OpenAI answers share."""

    id: str
    created: int = Field(description="Seconds since 1970.")
    model: str = Field(description="The model that was asked for.")
    usage: TokenUsage
    ocr: OcrExtension


class ChatCompletion(Completion):
    """The answer of `POST /v1/chat/completions`."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]


class TextCompletion(Completion):
    """The answer of `POST /v1/completions`."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[TextChoice]


class Model(BaseModel):
    """One name a caller may use."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970.")
    owned_by: str = "pecia"
    engine: str = Field(description="What answers; empty for `auto`.")
    state: str = Field(description="loading, ready, draining, failed or unavailable.")


class ModelList(BaseModel):
    """Every name a caller may use."""

    object: Literal["list"] = "list"
    data: list[Model]
