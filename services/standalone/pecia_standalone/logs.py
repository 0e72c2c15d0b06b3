"""A service's output in a file that cannot grow without end, and its last lines at hand."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_MAX_BYTES = 10 * 1024 * 1024
_TAIL_LINES = 15


class LogFile:
    """Takes bytes as they come; `path` and one older file beside it hold at most twice `max_bytes`."""

    def __init__(
        self, path: Path, *, max_bytes: int = _MAX_BYTES, echo: Callable[[str], None] | None = None
    ) -> None:
        """Start a new file; the one of the last run becomes `path`.1.

        Args:
            path: of the file; its folder must exist.
            max_bytes: at which the file is turned over.
            echo: also gets every whole line, without its end.
        """
        self.path = path
        self._max_bytes = max_bytes
        self._echo = echo
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._unfinished = b""
        self._file = self._turn_over()

    @property
    def tail(self) -> list[str]:
        """The last lines, oldest first."""
        rest = self._unfinished.decode(errors="replace")
        return [*self._tail, rest] if rest else list(self._tail)

    def write(self, data: bytes) -> None:
        """Append, and keep the lines that are complete."""
        if self._file.tell() + len(data) > self._max_bytes:
            self._file.close()
            self._file = self._turn_over()
        self._file.write(data)
        self._file.flush()
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        # A service that never ends its line must not fill this process.
        self._unfinished = self._unfinished[-self._max_bytes :]
        for line in lines:
            self._keep(line.decode(errors="replace"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _keep(self, line: str) -> None:
        self._tail.append(line)
        if self._echo:
            self._echo(line)

    def _turn_over(self) -> BinaryIO:
        if self.path.exists():
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        return self.path.open("wb")
