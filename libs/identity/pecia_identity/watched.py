"""Something that is read from files, and read again when they change."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_NO_FILE = (0, 0, 0)
_Version = tuple[tuple[int, int, int], ...]


class Watched(Generic[_T]):
    """The newest good content of some files. May be asked from any thread."""

    def __init__(self, what: str, files: Sequence[Path], read: Callable[[], _T], every_s: float) -> None:
        """Read it.

        Args:
            what: the content, in the log.
            files: that hold it.
            read: makes it of them; raises ValueError or OSError where they cannot be used.
            every_s: seconds between two looks at least; nobody looks but when asked.

        Raises:
            ValueError, OSError: as `read` does: a service must not start open by mistake.
        """
        self._what = what
        self._files = tuple(files)
        self._read = read
        self._every_s = every_s
        self._looked_at = monotonic()
        self._seen = self._version()
        self._content = read()

    def now(self) -> _T:
        """The content; the former one where the files are broken or gone: the log says so, once."""
        if monotonic() - self._looked_at >= self._every_s:
            self._looked_at = monotonic()
            self._look()
        return self._content

    def _look(self) -> None:
        version = self._version()
        if version == self._seen:
            return
        self._seen = version
        try:
            self._content = self._read()
        except (OSError, ValueError) as error:
            said = f"{self._what}: changed and cannot be used; the former ones stay in force"
            _log.error(said, extra={"reason": str(error)})
        else:
            _log.info("%s: read again", self._what)

    def _version(self) -> _Version:
        return tuple(_version_of(file) for file in self._files)


def _version_of(path: Path) -> tuple[int, int, int]:
    """What changes when the file does, also when another one is put in its place."""
    try:
        stat = path.stat()
    except OSError:
        return _NO_FILE
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
