"""Recognitions -> the answers of the REST API."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pecia_core.document import Document
from pecia_core.formats import document_json, page_json
from pecia_core.recognition import Figure, Notice, Recognition, Usage
from pecia_core.vocabulary import FinishReason

from pecia_gateway.schemas.completions import (
    AssistantMessage,
    ChatChoice,
    ChatCompletion,
    OcrExtension,
    OcrNotice,
    OcrTimings,
    OpenAIFinish,
    PromptTokensDetails,
    TextChoice,
    TextCompletion,
    TokenUsage,
)
from pecia_gateway.schemas.ocr import OcrLine, OcrResponse

_REPETITION = Notice("repetition_truncated", "The model repeated itself; the text ends where that began.")
_TRUNCATED = (FinishReason.LENGTH, FinishReason.REPETITION, FinishReason.CANCELLED)


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of one answer repeats. `created` is in seconds since 1970."""

    id: str
    created: int
    model: str
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The pages of one choice, in order, and the text made of them."""

    pages: tuple[Recognition, ...]
    text: str


def page_marker(page_index: int) -> str:
    """What stands before a page's text: nothing before the first."""
    return f"\n\n--- page {page_index + 1} ---\n\n" if page_index else ""


def reading_of(pages: Sequence[Recognition], *, as_json: bool = False) -> Reading:
    """The pages joined: as text with a marker before each but the first, or as one JSON document."""
    if as_json:
        return Reading(tuple(pages), json_text(pages))
    text = "".join(page_marker(index) + page.text for index, page in enumerate(pages))
    return Reading(tuple(pages), text)


def json_text(pages: Sequence[Recognition]) -> str:
    """The document as JSON text, for callers who asked for a JSON object."""
    return json.dumps(document_json(Document(tuple(page.page for page in pages))), ensure_ascii=False)


def chat_completion(head: Head, choices: Sequence[Reading], *, runs: int) -> ChatCompletion:
    """The answer of /v1/chat/completions; `runs` of the choices cost tokens, the others are copies."""
    return ChatCompletion(
        id=head.id,
        created=head.created,
        model=head.model,
        choices=[
            ChatChoice(
                index=index,
                message=AssistantMessage(content=choice.text),
                finish_reason=finish_of(choice.pages),
            )
            for index, choice in enumerate(choices)
        ],
        usage=usage_of(choices[:runs]),
        ocr=extension_of(choices[0].pages, head.warnings),
    )


def text_completion(head: Head, choices: Sequence[Reading], *, runs: int) -> TextCompletion:
    """The answer of /v1/completions; `runs` as in `chat_completion`."""
    return TextCompletion(
        id=head.id,
        created=head.created,
        model=head.model,
        choices=[
            TextChoice(index=index, text=choice.text, finish_reason=finish_of(choice.pages))
            for index, choice in enumerate(choices)
        ],
        usage=usage_of(choices[:runs]),
        ocr=extension_of(choices[0].pages, head.warnings),
    )


def ocr_response(pages: Sequence[Recognition], request_id: str, processing_time_ms: float) -> OcrResponse:
    """One file in the words of the first receipt API."""
    lines = [
        OcrLine(
            text=line.text,
            confidence=line.confidence,
            bbox=line.polygon.pairs(),
            page=page.page.number,
        )
        for page in pages
        for line in page.page.lines()
    ]
    known = [line.confidence for line in lines if line.confidence is not None]
    extension = extension_of(pages)
    return OcrResponse(
        lines=lines,
        line_count=len(lines),
        avg_confidence=sum(known) / len(known) if known else None,
        processing_time_ms=round(processing_time_ms),
        text=reading_of(pages).text,
        engine=extension.engine,
        model=extension.model,
        fallback_from=extension.fallback_from,
        warnings=extension.warnings,
        timings=extension.timings,
        pages=extension.pages,
        request_id=request_id,
    )


def finish_of(pages: Sequence[Recognition]) -> OpenAIFinish:
    """OpenAI's word: `length` when tokens ran out on any page, else `stop`."""
    return "length" if any(page.finish_reason is FinishReason.LENGTH for page in pages) else "stop"


def usage_of(readings: Sequence[Reading]) -> TokenUsage:
    """The tokens of all pages of these readings."""
    usages: list[Usage] = [page.usage for reading in readings for page in reading.pages]
    prompt = sum(usage.prompt_tokens for usage in usages)
    completion = sum(usage.completion_tokens for usage in usages)
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetails(image_tokens=sum(usage.image_tokens for usage in usages)),
    )


def extension_of(pages: Sequence[Recognition], warnings: Sequence[Notice] = ()) -> OcrExtension:
    """What pecia knows beyond OpenAI's fields; where pages differ, the first word that is not empty."""
    worst = _worst_finish(pages)
    notices = [*warnings, *(notice for page in pages for notice in page.warnings)]
    if worst is FinishReason.REPETITION and _REPETITION.code not in {notice.code for notice in notices}:
        notices.append(_REPETITION)
    return OcrExtension(
        engine=next((page.engine for page in pages if page.engine), ""),
        model=next((page.model for page in pages if page.model), ""),
        fallback_from=next((page.fallback_from for page in pages if page.fallback_from), ""),
        attempts=max((page.attempts for page in pages), default=0),
        # The same notice on every page is said once.
        warnings=[OcrNotice(code=one.code, message=one.message) for one in dict.fromkeys(notices)],
        finish_reason=worst.value,
        truncated=worst in _TRUNCATED,
        cached=bool(pages) and all(page.cached for page in pages),
        timings=OcrTimings(
            decode_ms=sum(page.timings.decode_ms for page in pages),
            queue_ms=sum(page.timings.queue_ms for page in pages),
            engine_ms=sum(page.timings.engine_ms for page in pages),
            total_ms=sum(page.timings.total_ms for page in pages),
        ),
        pages=[_page(page) for page in pages],
    )


def _page(read: Recognition) -> dict[str, Any]:
    said = page_json(read.page)
    if read.annotated_png:
        said["annotated_png"] = b64encode(read.annotated_png).decode()
    if read.agreement is not None:
        said["agreement"] = read.agreement
    if read.figures:
        said["figures"] = [_figure(figure) for figure in read.figures]
    return said


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "block": figure.block,
        "width": figure.width,
        "height": figure.height,
        "media_type": "image/jpeg",
        "data": b64encode(figure.jpeg).decode(),
    }


def _worst_finish(pages: Sequence[Recognition]) -> FinishReason:
    reasons = {page.finish_reason for page in pages}
    return next((reason for reason in _TRUNCATED if reason in reasons), FinishReason.STOP)
