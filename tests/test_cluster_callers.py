"""The callers of `make test-cluster` miss nothing: they are what says that an upgrade lost no request."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import free_port

ROOT = Path(__file__).parents[1]
PROGRAM = (ROOT / "tests/cluster/inside/callers.py").read_text()
LINES = {"lines": [{"text": "TOTAL 77.145"}]}
WITHIN_S = 60


class Gateway(BaseHTTPRequestHandler):
    """Answers by turns: well, not now, with a fault, with other words, and not at all; then well for ever."""

    turns: Iterator[str]

    def do_POST(self) -> None:
        """One picture."""
        self.rfile.read(int(self.headers["Content-Length"]))
        turn = next(self.turns, "well")
        if turn == "breaks":
            return
        answers: dict[str, tuple[int, object]] = {
            "later": (503, {}),
            "faulty": (500, {}),
            "other": (200, {"lines": []}),
        }
        status, body = answers.get(turn, (200, LINES))
        self.send_response(status)
        if turn == "later":
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(*turns: str) -> Iterator[int]:
    """A gateway's port."""
    handler: Callable[..., Gateway] = type("Turns", (Gateway,), {"turns": iter(turns)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def heard(folder: Path, port: int, answers: int) -> list[dict[str, object]]:
    """What one caller wrote down until it had so many answers and was told to stop."""
    stop = folder / "stop"
    program = folder / "callers.py"
    program.write_text(PROGRAM.replace("_PORT = 8000", f"_PORT = {port}").replace("/tmp/stop", str(stop)))  # noqa: S108 - what the program says
    (folder / "receipt.png").write_bytes(b"a picture")
    said = os.environ | {"GATEWAY_HOST": "127.0.0.1", "READ": "pictures", "CALLERS": "1"}
    command = [sys.executable, "-I", "-S", str(program)]
    with subprocess.Popen(command, env=said, stdout=subprocess.PIPE, text=True) as caller:
        watchdog = threading.Timer(WITHIN_S, caller.send_signal, [signal.SIGKILL])
        watchdog.start()
        lines = []
        assert caller.stdout
        for line in caller.stdout:
            lines.append(json.loads(line))
            if len([one for one in lines if "again" not in one]) == answers:
                stop.touch()
        watchdog.cancel()
    assert caller.returncode == 0
    return lines


def test_each_kind_of_loss_is_written_down(tmp_path: Path) -> None:
    """A fault, an answer without the words and a connection that breaks are losses; a 503 is tried again."""
    with answering("well", "later", "well", "faulty", "other", "breaks") as port:
        lines = heard(tmp_path, port, 6)
    kinds = [
        next(key for key in ("read", "again", "failed", "broken", "ended") if key in one) for one in lines
    ]
    assert kinds[:6] == ["read", "again", "read", "failed", "failed", "broken"]
    assert set(kinds[6:-1]) <= {"read"}
    assert kinds[-1] == "ended"


def test_nobody_there_is_a_loss(tmp_path: Path) -> None:
    """A Service without a pod refuses the connection."""
    lines = heard(tmp_path, free_port(), 2)
    assert {"broken" in one for one in lines[:2]} == {True}
