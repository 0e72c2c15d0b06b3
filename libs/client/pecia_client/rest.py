"""The gateway's REST API, typed. One connection pool; safe to share between threads."""

import base64
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_core.recognition import RecognizeOptions

from pecia_client.admin import Administration
from pecia_client.connection import Connection, Retries, data_events, request_id
from pecia_client.failures import from_event
from pecia_client.jobs.api import Jobs
from pecia_client.media import media_type
from pecia_client.reading import Json, Lines, ModelCard, Reading

__all__ = ["RestClient", "Retries", "chat_body"]

_PDF = "application/pdf"


@dataclass(slots=True)
class _Draft:
    """A streamed answer while it grows."""

    text: list[str] = field(default_factory=list)
    ocr: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)


class RestClient:
    """Every call raises a PeciaError with the gateway's own message, code and request id."""

    def __init__(  # noqa: PLR0913 - what a client is set up with, by name
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        retries: Retries | None = None,
        cache: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Open a pool; nothing is sent yet.

        Args:
            base_url: of the gateway, with or without /v1.
            api_key: sent as a bearer token.
            timeout_s: seconds to wait for an answer.
            retries: None = twice, where the gateway says that a retry helps.
            cache: False = have every page read, although its result may be kept.
            tls: whom an https gateway has to be; None = one with a certificate of a well-known authority.
        """
        self._connection = Connection(
            base_url,
            _headers(api_key, cache=cache),
            timeout_s=timeout_s,
            retries=retries or Retries(),
            tls=tls,
        )
        self.base_url = self._connection.base_url
        self.jobs = Jobs(self._connection)
        self.administration = Administration(self._connection)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pool."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def recognize(self, data: bytes, options: RecognizeOptions | None = None) -> Reading:
        """Read a picture, or a PDF of few pages, and wait for all of it."""
        response = self._connection.send("POST", "/v1/chat/completions", json=chat_body(data, options))
        body = response.json()
        text = body["choices"][0]["message"]["content"]
        return Reading.from_chat(text, body.get("ocr") or {}, body.get("usage") or {}, request_id(response))

    def stream(
        self, data: bytes, options: RecognizeOptions | None = None
    ) -> Generator[str | Reading, None, None]:
        """Read a picture and get its text as it is recognised; the last thing is the whole reading."""
        body = chat_body(data, options) | {"stream": True, "stream_options": {"include_usage": True}}
        draft = _Draft()
        with self._connection.stream("POST", "/v1/chat/completions", json=body) as response:
            call = request_id(response)
            for chunk in data_events(response):
                if "error" in chunk:
                    raise from_event(chunk["error"], call)
                draft.ocr |= chunk.get("ocr") or {}
                draft.usage |= chunk.get("usage") or {}
                for choice in chunk.get("choices") or ():
                    if delta := choice.get("delta", {}).get("content"):
                        draft.text.append(delta)
                        yield delta
        yield Reading.from_chat("".join(draft.text), draft.ocr, draft.usage, call)

    def lines(self, data: bytes, options: RecognizeOptions | None = None) -> Lines:
        """Read a picture as lines with boxes (`/v1/ocr`); without options, on a CPU engine."""
        name = "picture." + media_type(data).rpartition("/")[2]
        files = {"file": (name, data, media_type(data))}
        response = self._connection.send(
            "POST", "/v1/ocr", files=files, data=_form(options) if options else {}
        )
        return Lines.from_json(response.json(), request_id(response))

    def models(self) -> list[ModelCard]:
        """What a caller may name as model."""
        cards = self._connection.send("GET", "/v1/models").json()["data"]
        return [_card(card) for card in cards]

    def model(self, name: str) -> ModelCard:
        """One model; raises NotFound."""
        return _card(self._connection.send("GET", f"/v1/models/{name}").json())

    def health(self) -> Json:
        """The gateway's /health body."""
        return self._json("/health")

    def capacity(self) -> Json:
        """The gateway's /v1/capacity body."""
        return self._json("/v1/capacity")

    def ready(self) -> bool:
        """Whether an engine can answer now; False also when nothing listens."""
        return self._connection.answers("/ready")

    def _json(self, path: str) -> Json:
        body: Json = self._connection.send("GET", path).json()
        return body


def chat_body(data: bytes, options: RecognizeOptions | None = None) -> dict[str, Any]:
    """The chat completion request for one file: a picture as image_url, a PDF as file part."""
    options = options or RecognizeOptions()
    kind = media_type(data)
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    part: Mapping[str, Any] = {"type": "image_url", "image_url": {"url": url}}
    if kind == _PDF:
        # The file's own name stays on this machine: it may say more than it should.
        part = {"type": "file", "file": {"file_data": url, "filename": "document.pdf"}}
    return {"messages": [{"role": "user", "content": [part]}], **_extras(options)}


def _extras(options: RecognizeOptions) -> dict[str, Any]:
    said = {
        "model": options.model,
        "task_type": str(options.task_type),
        "model_size": str(options.model_size) if options.model_size else None,
        "ref_text": options.ref_text,
        "languages": list(options.languages),
        "max_tokens": options.sampling.max_tokens,
    }
    return {name: value for name, value in said.items() if value}


def _form(options: RecognizeOptions) -> dict[str, Any]:
    # A form has no lists.
    return _extras(options) | ({"languages": ",".join(options.languages)} if options.languages else {})


def _card(card: Json) -> ModelCard:
    return ModelCard(
        id=card["id"],
        owned_by=card.get("owned_by") or "",
        created=int(card.get("created") or 0),
        engine=card.get("engine") or "",
        state=card.get("state") or "",
        raw=card,
    )


def _headers(api_key: str | None, *, cache: bool) -> dict[str, str]:
    key = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return key if cache else key | {"cache-control": "no-cache"}
