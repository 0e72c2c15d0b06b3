"""Small programs that stand in for the services: real processes, real ports, no models."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pecia_standalone.services import Service
from pecia_standalone.settings import Settings

# PLAN says what it does beside answering; NOTES is a file to which it appends what happens to it.
_STAND_IN = """
import json, os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pecia_core.testing import sample_receipt

name, port, plan = os.environ["NAME"], int(os.environ["PORT"]), os.environ.get("PLAN", "")

def note(event):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{name} {event}\\n")

note(f"pid {os.getpid()}")
print(f"{name} says hello", flush=True)
if plan == "die":
    print("these are its last words", flush=True)
    sys.exit(3)
if plan == "child" and os.fork() == 0:
    note(f"grandchild {os.getpid()}")
    time.sleep(600)

def leave(*_):
    note("terminated")
    if plan != "stubborn":
        sys.exit(0)

signal.signal(signal.SIGTERM, leave)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(4)
        state = "loading" if plan == "loading" else "failed" if plan == "failed" else "ready"
        self.answer({"engines": [{"name": "scripted", "state": state, "reason": ""}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        text = "gibberish" if plan == "unreadable" else "\\n".join(sample_receipt()[1])
        choice = {"message": {"content": text}}
        self.answer({"choices": [choice], "ocr": {"engine": "scripted"}, "usage": {}})

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

ThreadingHTTPServer.allow_reuse_address = True
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """What happened to the stand-ins, a line an event: `NAME EVENT`."""
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports nobody listens on."""
    given: set[int] = set()

    def next_port() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                return port

    return next_port


@pytest.fixture
def settings(tmp_path: Path, free_port: Callable[[], int]) -> Settings:
    """Free ports, logs in a folder of the test, little patience."""
    return Settings(
        http_port=free_port(),
        ui_port=free_port(),
        grpc_port=free_port(),
        worker_port=free_port(),
        jobs=tmp_path / "jobs",
        logs=tmp_path / "logs",
        stop_timeout_s=20,
        keys_file=None,
    )


@pytest.fixture
def stand_in(tmp_path: Path, notes: Path, free_port: Callable[[], int]) -> Callable[..., Service]:
    """Makes a service that is a stand-in."""
    (tmp_path / "pecia_stand_in.py").write_text(_STAND_IN)

    def make(name: str = "ocr", plan: str = "", port: int | None = None) -> Service:
        port = port or free_port()
        environment = {"NAME": name, "PORT": str(port), "PLAN": plan, "NOTES": str(notes)}
        environment["PYTHONPATH"] = str(tmp_path)
        url = f"http://127.0.0.1:{port}/v1/capacity"
        return Service(name, "pecia_stand_in", "127.0.0.1", port, url, "--port", environment)

    return make
