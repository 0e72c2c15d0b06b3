"""Chat messages -> what the last user said and the pictures they sent."""

from dataclasses import dataclass

from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import ModelSize

from pecia_gateway.schemas.openai import ChatMessage, ContentPart, ImageUrl

_SIZE_OF_DETAIL = {"low": ModelSize.TINY, "high": ModelSize.GUNDAM, "auto": None}
_TEXT_PARTS = ("text", "input_text")
_IMAGE_PARTS = ("image_url", "input_image")
_FILE_PARTS = ("file", "input_file")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a picture or PDF comes from. `param` is the field of the request that says so."""

    url: str
    param: str
    size: ModelSize | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked: the words and the pictures, in the order they were sent."""

    text: str
    sources: tuple[Source, ...]


def last_turn(messages: list[ChatMessage]) -> Turn:
    """The text of the last user turn and the pictures of the last user turn that has any.

    A follow-up question ("now as markdown") is about the pictures sent before it.
    """
    text = next((_text(message) for message in reversed(messages) if message.role == "user"), "")
    for index in reversed(range(len(messages))):
        if messages[index].role == "user" and (sources := _sources(messages[index], f"messages[{index}]")):
            return Turn(text, sources)
    raise InvalidRequest(
        "No picture to read: add a part of type image_url (or file) to the user message.",
        code="missing_required_parameter",
        param="messages",
    )


def source_of(image: str | ImageUrl, param: str) -> Source:
    """A picture given as an object or as a bare URL."""
    if isinstance(image, str):
        return Source(image, param)
    return Source(image.url, f"{param}.url", _size(image.detail, f"{param}.detail"))


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, list):
        return "\n".join(part.text or "" for part in message.content if part.type in _TEXT_PARTS)
    return message.content or ""


def _sources(message: ChatMessage, param: str) -> tuple[Source, ...]:
    if not isinstance(message.content, list):
        return ()
    found = (_source(part, f"{param}.content[{index}]") for index, part in enumerate(message.content))
    return tuple(source for source in found if source)


def _source(part: ContentPart, param: str) -> Source | None:
    if part.type in _IMAGE_PARTS:
        return _image(part, param)
    if part.type in _FILE_PARTS:
        return _file(part, param)
    return None


def _image(part: ContentPart, param: str) -> Source:
    if part.image_url is None:
        raise _missing("image_url", f"{param}.image_url", part.file_id)
    source = source_of(part.image_url, f"{param}.image_url")
    size = source.size or _size(part.detail, f"{param}.detail")
    return Source(source.url, source.param, size)


def _file(part: ContentPart, param: str) -> Source:
    inside = f"{param}.file.file_data" if part.file else f"{param}.file_data"
    data = part.file.file_data if part.file else part.file_data
    if not data:
        raise _missing("file_data", inside, part.file.file_id if part.file else part.file_id)
    # OpenAI's reference says base64, its clients send a data URL: both are taken.
    return Source(data if ":" in data[:16] else f"data:;base64,{data}", inside)


def _missing(field: str, param: str, file_id: str | None) -> InvalidRequest:
    if file_id:
        return InvalidRequest(
            f"Files are not stored here, so file_id cannot be used: send the bytes in {field}.",
            code="unsupported_parameter",
            param=param.rpartition(".")[0] + ".file_id",
        )
    return InvalidRequest(f"This part needs {field}.", code="missing_required_parameter", param=param)


def _size(detail: str | None, param: str) -> ModelSize | None:
    if detail is None:
        return None
    if detail not in _SIZE_OF_DETAIL:
        raise InvalidRequest("detail is one of low, high and auto.", code="unsupported_value", param=param)
    return _SIZE_OF_DETAIL[detail]
