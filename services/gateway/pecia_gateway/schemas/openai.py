"""What is asked in OpenAI's words. Strict about types, tolerant of unknown keys.

Every field may be null, which is the same as leaving it out. Keys not named here are ignored
with a warning in the answer.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

MAX_CHOICES = 4
MAX_REF_TEXT = 1000  # characters
_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1


class Asked(BaseModel):
    """A part of a request: types are checked, not converted."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class ImageUrl(Asked):
    """Where a picture is."""

    url: str = Field(description="`data:` URL with base64, or an `https:` URL.")
    detail: str | None = Field(None, description="`low` = size Tiny, `high` = Gundam, `auto` = the default.")


class FileContent(Asked):
    """A picture or a short PDF, inline."""

    file_data: str | None = Field(None, description="`data:` URL with base64, or bare base64.")
    filename: str | None = None
    file_id: str | None = Field(None, description="Not available: send `file_data`.")


class ContentPart(Asked):
    """One part of a message: `text`, `image_url` or `file`, or their Responses-API spellings."""

    type: Literal["text", "input_text", "image_url", "input_image", "file", "input_file", "refusal"]
    text: str | None = None
    image_url: str | ImageUrl | None = Field(None, description="An object, or only the URL.")
    detail: str | None = Field(None, description="For `input_image`: as in `image_url.detail`.")
    file: FileContent | None = None
    file_data: str | None = Field(None, description="For `input_file`.")
    filename: str | None = None
    file_id: str | None = Field(None, description="Not available: send the bytes.")


class ChatMessage(Asked):
    """One turn. Text and pictures of the last user turn count."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(Asked):
    """How to stream."""

    include_usage: bool | None = Field(None, description="Send one more chunk with `usage`.")


class ResponseFormat(Asked):
    """The shape of `content`."""

    type: Literal["text", "json_object", "json_schema"] = Field(
        description="`text`; `json_object` = pages, blocks, lines and words; `json_schema` is refused."
    )


class PageRequest(Asked):
    """What every surface takes: which model, which task."""

    model: str | None = Field(
        None,
        max_length=200,
        description="`auto` (default), `rapid`, `tesseract`, `deepseek-ocr` or `deepseek-ocr:tiny` ... "
        "`:gundam`; see /v1/models.",
        examples=["auto"],
    )
    model_size: str | None = Field(
        None, description="Tiny, Small, Base, Large or Gundam, in any case.", examples=["Gundam"]
    )
    task_type: str | None = Field(
        None,
        description="free_ocr (default), markdown, parse_figure, locate, lines or describe. "
        "When absent, a known prompt text chooses it.",
        examples=["free_ocr"],
    )
    ref_text: str | None = Field(
        None, max_length=MAX_REF_TEXT, description="What to look for; `locate` needs it."
    )
    languages: list[str] | str | None = Field(
        None, description="ISO 639 codes, as a list or joined by commas.", examples=[["id", "en"]]
    )
    annotate: bool | None = Field(
        None,
        strict=False,  # forms have words only
        description="Also answer with a picture of each page, what was found drawn on it.",
    )
    figures: bool | None = Field(
        None, strict=False, description="Also answer with the figures that the text names, cut out."
    )
    base_size: int | None = Field(
        None, description="With image_size and crop_mode: another way to name a size."
    )
    image_size: int | None = None
    crop_mode: bool | None = None
    mm_processor_kwargs: dict[str, Any] | None = Field(
        None, description="vLLM's spelling of base_size, image_size and crop_mode."
    )


class GenerationRequest(PageRequest):
    """What both OpenAI surfaces share, with pecia's own fields."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=_MAX_INT32, description="Default: the engine's own bound.")
    stop: str | list[str] | None = Field(None, description="At most four strings.")
    stream: bool | None = Field(None, description="Send text as it is recognised (server-sent events).")
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, description=f"Choices, 1 to {MAX_CHOICES}.")
    seed: int | None = Field(None, ge=-_MAX_INT64, le=_MAX_INT64)
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="Ignored.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="Ignored.")
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    user: str | None = None
    service_tier: str | None = Field(None, description="`priority`, `default`, `auto` or `flex`.")
    pages_together: bool | None = Field(
        None,
        description="Read several pages as one document, with models that were taught to (Unlimited-OCR; "
        "/health says how many at once). Where that does not work out, each is read by itself and says so "
        "in `ocr.warnings`.",
    )
    # Not in the document, where fuzzers would find that too short a time is a 504, as it should be.
    timeout_s: SkipJsonSchema[float | None] = Field(None, gt=0, le=3600)
    extra_body: dict[str, Any] | None = Field(
        None, description="Any of these fields once more, for raw clients; the top level wins."
    )


class ChatCompletionRequest(GenerationRequest):
    """`POST /v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, le=_MAX_INT32, description="Wins over max_tokens.")
    response_format: ResponseFormat | None = None
    logprobs: bool | None = Field(None, description="`true` is refused.")
    modalities: list[str] | None = Field(None, description='Only `["text"]`.')

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "auto",
                    "messages": [
                        {
                            "role": "user",
                            "content": [
                                {"type": "text", "text": "Free OCR."},
                                {
                                    "type": "image_url",
                                    "image_url": {"url": "data:image/png;base64,iVBORw0..."},
                                },
                            ],
                        }
                    ],
                }
            ]
        }
    )


class CompletionRequest(GenerationRequest):
    """`POST /v1/completions`, the older surface."""

    prompt: str | list[str] = Field(description="The prompt; may hold a `data:` URL.", examples=["Free OCR."])
    image: str | ImageUrl | None = Field(None, description="A `data:` or `https:` URL.")
    image_url: str | ImageUrl | None = Field(None, description="The same as `image`.")
    logprobs: int | None = Field(None, description="Refused.")
