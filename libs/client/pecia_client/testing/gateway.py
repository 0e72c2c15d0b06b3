"""A stand-in gateway for tests: a real HTTP server that answers as told and remembers what it was sent."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Answer:
    """One HTTP answer. `pieces` go out one by one instead of the body, and then the connection ends."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] | None = None

    @classmethod
    def of(cls, body: object, status: int = 200, **headers: str) -> Self:
        """JSON, with headers written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(body).encode(), {"content-type": "application/json"} | named)

    @classmethod
    def refusal(cls, status: int, code: str, message: str) -> Self:
        """An error as the gateway tells it."""
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        return cls.of({"error": error, "detail": message}, status)


@dataclass
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


@dataclass
class FakeGateway:
    """Answers each request with what `answer` makes of it."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer] = lambda _asked: Answer()


@contextmanager
def fake_gateway(port: int = 0) -> Iterator[FakeGateway]:
    """A gateway on a free port of this machine, or on `port`, that answers {} until told otherwise."""
    fake = FakeGateway()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(fake))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(gateway: FakeGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            gateway.asked.append(asked)
            answer = gateway.answer(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            pieces = [answer.body] if answer.pieces is None else answer.pieces
            if answer.pieces is None:
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
