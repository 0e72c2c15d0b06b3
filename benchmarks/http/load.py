"""A closed loop of requests from a process of its own: `python -m benchmarks.http.load ORDER`.

ORDER is JSON (see `Order`). Each of `concurrency` threads keeps a connection and sends its next request when
it has the answer to the last one, until `seconds` are over or `requests` are sent; what is under way then is
waited for. Prints what came back, as JSON.
"""

import http.client
import json
import sys
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from time import perf_counter
from urllib.parse import urlsplit

_BOUNDARY = "pecia-benchmark"
_TIMEOUT_S = 300
_OK = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What to send, and how much of it. `requests` 0 = as many as the time allows."""

    url: str
    field: str
    form: dict[str, str]
    files: list[str]
    concurrency: int
    seconds: float
    requests: int = 0


@dataclass(slots=True)
class Outcome:
    """Seconds of each request that was answered, requests that were not, the timings replies spoke of."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    wall_s: float = 0.0
    timings: list[dict[str, float]] = field(default_factory=list)


class Load:
    """One run."""

    def __init__(self, order: Order) -> None:
        """Read the files."""
        self._order = order
        self._bodies = [_multipart(order, Path(name)) for name in order.files]
        self._numbers = count()
        self._lock = Lock()
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Send."""
        began = perf_counter()
        threads = [Thread(target=self._loop, args=(began,)) for _ in range(self._order.concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.outcome.wall_s = perf_counter() - began
        return self.outcome

    def _loop(self, began: float) -> None:
        place = urlsplit(self._order.url)
        connection = http.client.HTTPConnection(place.netloc, timeout=_TIMEOUT_S)
        while perf_counter() - began < self._order.seconds:
            with self._lock:
                number = next(self._numbers)
            if self._order.requests and number >= self._order.requests:
                break
            try:
                self._send(connection, place.path, self._bodies[number % len(self._bodies)])
            except (OSError, http.client.HTTPException):
                self._failed()
                connection.close()
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
        headers = {
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            "Cache-Control": "no-cache",
        }
        began = perf_counter()
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        said = reply.read()
        spent = perf_counter() - began
        if reply.status != _OK:
            self._failed()
            return
        timings = json.loads(said).get("timings")
        with self._lock:
            self.outcome.seconds.append(spent)
            if timings:
                self.outcome.timings.append({**timings, "client_ms": 1000 * spent})

    def _failed(self) -> None:
        with self._lock:
            self.outcome.errors += 1


def _multipart(order: Order, file: Path) -> bytes:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in order.form.items()
    ]
    kind = "image/png" if file.suffix == ".png" else "image/jpeg"
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{order.field}"; filename="page{file.suffix}"'
        f"\r\nContent-Type: {kind}\r\n\r\n"
    )
    return b"".join([*parts, head.encode(), file.read_bytes(), f"\r\n--{_BOUNDARY}--\r\n".encode()])


if __name__ == "__main__":
    print(json.dumps(asdict(Load(Order(**json.loads(sys.argv[1]))).run())))
