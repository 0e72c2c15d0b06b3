"""A model server for tests that plays what vLLM says: real sockets, recorded words, failures on demand."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

MODEL = "deepseek-ai/DeepSeek-OCR"
_MOST_S = 30.0
_SIGN_OF_LIFE_S = 0.05


def chunk(text: str = "", finish: str | None = None, usage: dict[str, int] | None = None) -> str:
    """One event as vLLM sends it."""
    choices = [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}]
    said: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [] if usage else choices,
        "usage": usage,
    }
    return f"data: {json.dumps(said)}\n\n"


def answer(text: str, finish: str = "stop", piece: int = 7) -> list[str]:
    """All events of an answer, cut into small pieces."""
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    usage = {"prompt_tokens": 913, "completion_tokens": 40, "total_tokens": 953}
    return [*map(chunk, pieces), chunk("", finish), chunk(usage=usage), "data: [DONE]\n\n"]


@dataclass
class ModelServer:
    """Plays a server: what it was asked, and what it says next."""

    events: list[str] = field(default_factory=lambda: answer("hello"))
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=lambda: [MODEL])
    key: str = ""
    hold: Event | None = None  # until it is set, nothing but signs of life follow the first event
    mute: Event | None = None  # until it is set, not even these
    asked: list[dict[str, Any]] = field(default_factory=list)
    hung_up: Event = field(default_factory=Event)
    url: str = ""
    play: Callable[[dict[str, Any]], list[str]] | None = None  # events by what is asked
    replies: dict[str, bytes] = field(default_factory=dict)  # by method: all bytes of a reply, head and all

    def said(self, asked: dict[str, Any]) -> Iterator[bytes]:
        """What goes out, event by event."""
        if self.mute:
            self.mute.wait(_MOST_S)
        for event in self.play(asked) if self.play else self.events:
            yield event.encode()
            while self.hold and not self.hold.wait(_SIGN_OF_LIFE_S):
                yield b": still here\n\n"


class _Handler(BaseHTTPRequestHandler):
    server_played: ModelServer

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""

    def do_GET(self) -> None:
        server = self.server_played
        if reply := server.replies.get("GET"):
            self.wfile.write(reply)
        elif server.key and self.headers["authorization"] != f"Bearer {server.key}":
            self._send(HTTPStatus.UNAUTHORIZED, {"error": {"message": "no"}})
        else:
            self._send(HTTPStatus.OK, {"object": "list", "data": [_model(name) for name in server.models]})

    def do_POST(self) -> None:
        server = self.server_played
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.asked.append(asked)
        if "POST" in server.replies:
            self.wfile.write(server.replies["POST"])
            return
        if server.status != HTTPStatus.OK:
            self._send(server.status, {"error": {"message": "a secret of the server"}})
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for event in server.said(asked):
                self.wfile.write(event)
                self.wfile.flush()
        except OSError:
            server.hung_up.set()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in self.server_played.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "vllm"}


@contextmanager
def played() -> Iterator[ModelServer]:
    """A server on a free port of this machine."""
    server = ModelServer()
    handler = type("Handler", (_Handler,), {"server_played": server})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        for waited_for in (server.hold, server.mute):
            if waited_for:
                waited_for.set()
        httpd.shutdown()
        httpd.server_close()
