"""What every contender's process speaks: a JSON line in, a JSON line out. Nothing but the standard library.

`{"id": 1, "file": path, "languages": []}` is answered by `{"id": 1, "lines": [[text, confidence, x0, y0,
x1, y1], ...]}` or `{"id": 1, "error": why}`; `{"clock": true}` by the processor seconds the process and the
programs it ran have used so far, and the most memory they held. The first line out says it is ready.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TextIO

Line = tuple[str, float | None, float, float, float, float]
Read = Callable[[str, list[str]], list[Line]]


class Mouth:
    """Says JSON lines on the original standard output; libraries that print there reach the log."""

    def __init__(self) -> None:
        """Take standard output over."""
        self._lock = Lock()
        self._out: TextIO = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def say(self, **words: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """One line."""
        with self._lock:
            self._out.write(json.dumps(words) + "\n")


def serve(read: Read, mouth: Mouth, places: int = 1) -> None:
    """Answer until standard input ends, with as many pictures at a time as there are places."""
    mouth.say(ready=True)
    with ThreadPoolExecutor(places) as pool:
        for line in sys.stdin:
            request = json.loads(line)
            if request.get("clock"):
                mouth.say(**_clock())
            else:
                pool.submit(_answer, read, mouth, request)


def _answer(read: Read, mouth: Mouth, request: dict[str, Any]) -> None:
    try:
        mouth.say(id=request["id"], lines=read(request["file"], request.get("languages", [])))
    except Exception as error:  # noqa: BLE001 - whatever a rival raises is a picture it did not read
        mouth.say(id=request["id"], error=type(error).__name__)


def _clock() -> dict[str, float]:
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
    return {"cpu_s": cpu, "peak_mb": (own.ru_maxrss + others.ru_maxrss) / 1024}
