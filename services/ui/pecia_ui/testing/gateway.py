"""A stand-in gateway for tests: a real HTTP server that answers as told and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

REQUEST_ID = "req-stand-in-1"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Without `length_known` the pieces go out one by one, `pause_s` seconds apart."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] = ()
    pause_s: float = 0.0

    @classmethod
    def of(cls, body: object, status: int = 200, **headers: str) -> Self:
        """JSON, with headers written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"content-type": "application/json"} | named, [json.dumps(body).encode()])

    @classmethod
    def refusal(cls, status: int, code: str, message: str, **headers: str) -> Self:
        """An error as the gateway tells it."""
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        return cls.of({"error": error, "detail": message}, status, x_request_id=REQUEST_ID, **headers)

    @classmethod
    def stream(cls, *pieces: bytes, pause_s: float = 0.0) -> Self:
        """Server-sent events as they stand."""
        headers = {"content-type": "text/event-stream", "x-request-id": REQUEST_ID}
        return cls(200, headers, pieces, pause_s)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


def models(*cards: tuple[str, str, str]) -> Answer:
    """The list of models, each with its engine and that engine's state."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "pecia", "engine": engine, "state": state}
        for name, engine, state in cards
    ]
    return Answer.of({"object": "list", "data": data})


@dataclass
class StandIn:
    """Answers GET /v1/models with `models`, jobs with `jobs`, all else with what `answer` makes of it."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    models: Answer = field(
        default_factory=lambda: models(("auto", "rapid", "ready"), ("rapid", "rapid", "ready"))
    )
    answer: Callable[[Asked], Answer] = lambda _asked: reading(page(["Hello"]))
    jobs: Callable[[Asked], Answer] = lambda _asked: Answer.refusal(404, "not_found", "There is no such job.")
    hung_up: threading.Event = field(default_factory=threading.Event)

    def told(self, asked: Asked) -> Answer:
        """What this request is answered with."""
        if asked.path == "/v1/models":
            return self.models
        return self.jobs(asked) if asked.path.startswith("/v1/jobs") else self.answer(asked)

    @property
    def readings(self) -> list[Asked]:
        """What was asked of the chat surface."""
        return [one for one in self.asked if one.path == "/v1/chat/completions"]


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A gateway on a free port of this machine."""
    gateway = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(gateway))
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def event(body: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(text: str) -> bytes:
    """A piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


DONE = b"data: [DONE]\n\n"


def page(
    texts: Sequence[str], confidence: float = 0.97, *, width: int = 800, height: int = 600
) -> dict[str, Any]:
    """A page of one block with a line below the other, each 40 pixels high; every third is doubtful."""
    lines = [
        _line(text, 40 + 60 * number, confidence if (number + 1) % 3 else 0.42)
        for number, text in enumerate(texts)
    ]
    block = {"kind": "paragraph", "polygon": [[40, 40], [400, 40], [400, 500], [40, 500]], "lines": lines}
    return {
        "index": 0,
        "number": 1,
        "width": width,
        "height": height,
        "rotation": 0,
        "confidence": confidence if texts else None,
        "blocks": [block] if texts else [],
    }


def _line(text: str, top: int, confidence: float) -> dict[str, Any]:
    polygon = [[40, top], [400, top], [400, top + 40], [40, top + 40]]
    return {"text": text, "confidence": confidence, "polygon": polygon, "row": top // 60}


def reading(page: dict[str, Any], *, pause_s: float = 0.0, **ocr: object) -> Answer:
    """A whole streamed answer for one page, line by line; `ocr` overrides the extension."""
    texts = [line["text"] for block in page["blocks"] for line in block["lines"]]
    extension = {
        "engine": "rapid",
        "model": "PP-OCR",
        "fallback_from": "",
        "warnings": [],
        "truncated": False,
        "timings": {"decode_ms": 4.0, "queue_ms": 1.0, "engine_ms": 900.0, "total_ms": 910.0},
        "pages": [page],
    } | ocr
    ending = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "ocr": extension}
    pieces = [delta(("\n" if number else "") + text) for number, text in enumerate(texts)]
    return Answer.stream(b": keep-alive\n\n", *pieces, event(ending), DONE, pause_s=pause_s)


def _handler(gateway: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            gateway.asked.append(asked)
            answer = gateway.told(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            try:
                for piece in answer.pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(answer.pause_s)
            except (BrokenPipeError, ConnectionResetError):
                gateway.hung_up.set()

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
