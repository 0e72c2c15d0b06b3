"""services/probe.py, the health check in every image, against real servers; gRPC's are in test-images."""

import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

PROBE = Path(__file__).parents[1] / "services/probe.py"


class Service(BaseHTTPRequestHandler):
    """Well at /live, not ready at any other address."""

    def do_GET(self) -> None:
        """One answer."""
        self.send_response(200 if self.path == "/live" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name for it
        """Nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A service on a free port of this machine."""
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def probed(address: str) -> subprocess.CompletedProcess[str]:
    """What the health check says."""
    return subprocess.run(
        [sys.executable, PROBE, address], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(("path", "status"), [("live", 0), ("ready", 1)])
def test_http(path: str, status: int) -> None:
    """200 is well, 503 is not."""
    with serving() as port:
        assert probed(f"http://127.0.0.1:{port}/{path}").returncode == status


def test_https_with_a_certificate_for_another_name() -> None:
    """A gateway that speaks HTTPS asks itself by its own address, which no certificate names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("ocr.example.com").configure_cert(context)
    with serving(context) as port:
        assert probed(f"https://127.0.0.1:{port}/live").returncode == 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/live", "grpc://127.0.0.1:1"])
def test_nothing_listens(address: str) -> None:
    """It is not well, and why not is said in one line, where `docker inspect` shows it."""
    ended = probed(address)
    assert ended.returncode == 1
    assert ended.stderr.startswith(address)
    assert "Traceback" not in ended.stderr
