"""Callers who have pictures read side by side, behind a balancer, and try again as docs/API.md says."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from pecia_core.testing import sample_receipt

_TRIES = 30
_AGAIN = {429, 503}
_DEADLINE_S = 60.0


@dataclass
class Load:
    """`answered` = seconds each 200 took, `again` = refusals that were tried again as they asked for.

    `broken` = requests whose connection ended before an answer; `failed` = those without one in the end.
    """

    gateways: list[str]
    model: str = "scripted"
    answered: list[float] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _picture: bytes = field(default_factory=lambda: sample_receipt()[0])

    def leave(self, gateway: str) -> None:
        """The balancer sends nothing new there, as before a pod gets its SIGTERM."""
        self.gateways = [address for address in self.gateways if address != gateway]

    @contextmanager
    def from_callers(self, callers: int) -> Iterator[None]:
        """That many callers, until the block ends and each has its last answer."""
        threads = [threading.Thread(target=self._call, args=(number,)) for number in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(_TRIES * _DEADLINE_S)

    def _call(self, number: int) -> None:
        # A connection a request, as behind a balancer: none is kept that the other side is about to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(timeout=_DEADLINE_S, limits=limits) as http:
            while not self._stopping.is_set():
                self._read(http, number)
                number += 1

    def _read(self, http: httpx.Client, number: int) -> None:
        begun = time.monotonic()
        for attempt in range(_TRIES):
            gateways = self.gateways
            try:
                answer = http.post(
                    f"{gateways[(number + attempt) % len(gateways)]}/v1/ocr",
                    files={"file": ("page.png", self._picture, "image/png")},
                    data={"model": self.model},
                    headers={"Cache-Control": "no-cache"},
                )
            except httpx.HTTPError as error:
                self.broken.append(repr(error))
                time.sleep(0.2)
                continue
            if answer.status_code == httpx.codes.OK:
                self.answered.append(time.monotonic() - begun)
                return
            if answer.status_code not in _AGAIN:
                self.failed.append(f"{answer.status_code} {answer.text[:200]}")
                return
            self.again.append(answer.status_code)
            time.sleep(float(answer.headers["retry-after"]))
        self.failed.append(f"no answer in {_TRIES} tries")
