"""A model on another server (vLLM, SGLang, anything that speaks OpenAI's chat API) behind the same seam.

Threads ask; one event loop beside them talks to the server, so that a page nobody wants any more is hung
up on at once, and the server stops computing it.
"""

import asyncio
import base64
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk
from pecia_core.errors import InvalidRequest, PeciaError, Unavailable
from pecia_core.recognition import RecognizeOptions, Usage
from pecia_core.vocabulary import EngineName
from PIL import Image

from pecia_ocr.engines.base import CancelToken, EngineEvent, EngineInfo, Finished, Pixels
from pecia_ocr.engines.deepseek.division import by_page
from pecia_ocr.engines.deepseek.guard import is_blank
from pecia_ocr.engines.deepseek.outcomes import end_of, translated
from pecia_ocr.engines.deepseek.profiles import MODEL, MODELS, REF_TEXT_MARK
from pecia_ocr.engines.deepseek.prompts import plain_words
from pecia_ocr.engines.deepseek.served import find
from pecia_ocr.engines.deepseek.transcript import NextPage, Said, Transcript
from pecia_ocr.engines.deepseek.views import size_of

log = logging.getLogger(__name__)

_LOOK_S = 2.0
_CONNECT_S = 5.0
_QUALITY = 95

_Heard = ChatCompletionChunk | PeciaError | None
"""What comes of a page: chunks, then an error or nothing more."""


class RemoteEngine:
    """Asks a server; `read` may be called by many threads."""

    def __init__(
        self, *, url: str, profile: str, model: str = "", api_key: str = "", silence_s: float = 120.0
    ) -> None:
        """Nobody is asked yet.

        Args:
            url: of the server's API, up to `/v1`.
            profile: a name or file, see `served`.
            model: the server's name of it; empty = the only one it has.
            api_key: of the server, where it wants one.
            silence_s: seconds without a word after which the server is given up.
        """
        self._url = url
        self._served = find(profile)
        self._model = model
        self._key = api_key
        self._timeout = openai.Timeout(silence_s, connect=_CONNECT_S)
        self._loop = asyncio.new_event_loop()
        self._client: openai.AsyncOpenAI | None = None

    @property
    def info(self) -> EngineInfo:
        """What the profile says the server can do."""
        profile = self._served.profile
        revision = f"{self._model or MODEL}@{self._served.name}"
        tasks, sizes = tuple(profile.tasks), tuple(profile.sizes)
        together = self._served.pages_together
        return EngineInfo(EngineName.DEEPSEEK, MODELS, revision, tasks, sizes, pages_together=together)

    def load(self, progress: Callable[[float], None]) -> None:
        """Wait for the server.

        Raises:
            Unavailable: it answers, but not with this model.
        """
        Thread(target=self._loop.run_forever, name="model-server", daemon=True).start()
        progress(0.0)
        asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()
        progress(1.0)

    async def _wait(self) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=self._url, api_key=self._key or "none", max_retries=0, timeout=self._timeout
        )
        while True:
            try:
                models = [model.id async for model in self._client.models.list()]
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                log.info("The model server does not answer yet", extra={"reason": str(error)})
                await asyncio.sleep(_LOOK_S)
            except openai.APIStatusError as error:
                raise Unavailable(
                    f"The model server refuses ({error.status_code}): is its key set, and does its address "
                    "end in /v1?"
                ) from error
            else:
                self._model = _chosen(self._model, models)
                return

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page.

        Raises:
            Interrupted: `cancel` said so; the server has been hung up on.
            PeciaError: what was asked cannot be done, or the server failed.
        """
        if is_blank(pixels):
            yield Finished()
            return
        served = self._served
        self._check_size(options)
        text = served.prompt(options.task_type).replace(REF_TEXT_MARK, plain_words(options.ref_text))
        request = self._request([_picture(pixels)], text, served.request, options)
        transcript = Transcript(served.profile, size_of(pixels), options)
        for event in self._said(request, transcript, cancel):
            if not isinstance(event, NextPage):
                yield event

    def read_together(
        self, pages: Sequence[Pixels], options: RecognizeOptions, cancel: CancelToken
    ) -> Iterator[EngineEvent]:
        """Read several pages as one document. What the server counted is told of the last one.

        Raises: as `read`, and `not_together`.
        """
        served = self._served
        written = [page for page in pages if not is_blank(page)]
        if not written:
            yield from (Finished(usage=Usage()) for _ in pages)
            return
        pictures = []
        for page in written:
            cancel.check()
            pictures.append(_picture(page))
        request = self._request(pictures, served.prompt_together, served.together, options)
        first, *others = map(size_of, written)
        transcript = Transcript(served.profile, first, options, others)
        said = self._said(request, transcript, cancel)
        yield from by_page(said, transcript, [not is_blank(page) for page in pages])

    def _said(
        self, request: dict[str, Any], transcript: Transcript, cancel: CancelToken
    ) -> Iterator[Said | Finished]:
        """What the model writes, and why it ends.

        Raises:
            EngineFailed: the server gave up before the model had come to an end.
        """
        reason, usage = "", Usage()
        for chunk in self._chunks(request, cancel):
            usage = _usage(chunk) or usage
            for choice in chunk.choices:
                reason = str(choice.finish_reason or reason)
                yield from transcript.write(choice.delta.content or "", logprob=_logprob(choice))
            if transcript.is_over:
                break
        ended = transcript.reason or end_of(reason)
        yield from transcript.finish()
        yield Finished(ended, usage)

    def _check_size(self, options: RecognizeOptions) -> None:
        served = self._served
        if options.model_size and options.model_size not in served.profile.sizes:
            able = ", ".join(served.profile.sizes) or "no sizes at all"
            raise InvalidRequest(
                f"{served.name} cannot be asked for the size {options.model_size}: it knows {able}.",
                code="unsupported_value",
                param="model_size",
            )

    def _request(
        self,
        pictures: Sequence[Mapping[str, object]],
        text: str,
        fields: Mapping[str, object],
        options: RecognizeOptions,
    ) -> dict[str, Any]:
        sampling, most = options.sampling, self._served.max_tokens
        wanted = {"top_p": sampling.top_p, "seed": sampling.seed}
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": [*pictures, {"type": "text", "text": text}]}],
            "temperature": sampling.temperature,
            "max_tokens": min(sampling.max_tokens or most, most),
            "stream": True,
            "stream_options": {"include_usage": True},
            "extra_body": dict(fields),
            **{name: value for name, value in wanted.items() if value is not None},
        }

    def _chunks(self, request: dict[str, Any], cancel: CancelToken) -> Iterator[ChatCompletionChunk]:
        said: SimpleQueue[_Heard] = SimpleQueue()
        asking: Future[None] = asyncio.run_coroutine_threadsafe(self._ask(request, said), self._loop)
        cancel.on_cancel(partial(_give_up, asking))
        try:
            while (word := said.get()) is not None:
                cancel.check()
                if isinstance(word, PeciaError):
                    raise word
                yield word
            cancel.check()
        finally:
            asking.cancel()

    async def _ask(self, request: dict[str, Any], said: SimpleQueue[_Heard]) -> None:
        if self._client is None:
            raise RuntimeError("asked before loaded")
        try:
            async with await self._client.chat.completions.create(**request) as stream:
                async for chunk in stream:
                    said.put(_checked(chunk))
        except Exception as error:  # noqa: BLE001 - whatever another server's answer leads to
            said.put(translated(error))
        finally:
            said.put(None)


def _give_up(asking: "Future[None]") -> None:
    asking.cancel()


def _chosen(wanted: str, there_is: list[str]) -> str:
    if wanted in there_is:
        return wanted
    if not wanted and len(there_is) == 1:
        return there_is[0]
    raise Unavailable(
        f"The model server has {', '.join(there_is) or 'no model'}, "
        + (f"not {wanted!r}." if wanted else "and which one is meant is not set.")
    )


def _checked(chunk: object) -> ChatCompletionChunk:
    """The SDK passes on whatever JSON it was sent."""
    if not isinstance(chunk, ChatCompletionChunk) or not isinstance(chunk.choices, list):
        raise TypeError(f"a chunk is an object with choices, not {type(chunk).__name__}")
    return chunk


def _picture(page: Pixels) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": _data_url(page)}}


def _data_url(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _usage(chunk: ChatCompletionChunk) -> Usage | None:
    usage = chunk.usage
    return Usage(usage.prompt_tokens, 0, usage.completion_tokens) if usage else None


def _logprob(choice: Any) -> float | None:  # noqa: ANN401 - nested types of the SDK
    """The mean of the chunk's tokens, where the profile asks for them."""
    tokens = choice.logprobs.content if choice.logprobs else None
    return sum(token.logprob for token in tokens) / len(tokens) if tokens else None
