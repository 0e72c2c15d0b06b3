"""OpenAI's surfaces: POST /v1/chat/completions and the older /v1/completions."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pecia_core.keys import Scope
from pydantic import BaseModel

from pecia_gateway.access import needs
from pecia_gateway.asks import chat_ask, completion_ask
from pecia_gateway.completions import Surface, complete
from pecia_gateway.gateway import TheGateway
from pecia_gateway.rendering import chat_completion, text_completion
from pecia_gateway.schemas.caching import ASKING, TELLING
from pecia_gateway.schemas.completions import ChatCompletion, TextCompletion
from pecia_gateway.schemas.openai import ChatCompletionRequest, CompletionRequest
from pecia_gateway.schemas.problem import READING, problems
from pecia_gateway.streaming import ChatChunks, TextChunks

router = APIRouter(tags=["OpenAI"], dependencies=[needs(Scope.OCR)])

CHAT = Surface("chatcmpl", chat_ask, chat_completion, ChatChunks())
TEXT = Surface("cmpl", completion_ask, text_completion, TextChunks())


def _asks(kind: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}, **ASKING}


def _answers(kind: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    described = {"description": "The text; with `stream`, chunks as server-sent events.", "content": stream}
    return {200: {"model": kind, **described, **TELLING}, **problems(*READING)}


@router.post(
    "/v1/chat/completions",
    summary="Read the pictures of a chat message",
    responses=_answers(ChatCompletion),
    openapi_extra=_asks(ChatCompletionRequest),
)
async def create_chat_completion(request: Request, gateway: TheGateway) -> Response:
    """Pictures and short PDFs of the last user message come back as text.

    Takes what OpenAI's clients send. What to do with a page is said by `task_type`, or by a known
    prompt such as "Convert the document to markdown." Lines, boxes and confidences are in `ocr`.
    `x-ocr-cache` says whether every page is from a result that was kept (`hit`) or was read (`miss`);
    `Cache-Control: no-cache` has them read now.
    `timeout_s` is the number of seconds after which to give up with a 504; the server's limit holds too.
    """
    return await complete(request, gateway, CHAT)


@router.post(
    "/v1/completions",
    summary="Read a picture named in a prompt",
    responses=_answers(TextCompletion),
    openapi_extra=_asks(CompletionRequest),
)
async def create_completion(request: Request, gateway: TheGateway) -> Response:
    """The older surface: the picture is in `image`, `image_url`, or a data URL inside the prompt."""
    return await complete(request, gateway, TEXT)
