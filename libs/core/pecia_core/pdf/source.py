"""A PDF as an open descriptor that children can only read: its bytes are sent to nobody."""

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, Self

from pecia_core.errors import InvalidDocument

if sys.platform == "linux":
    import fcntl


class Source:
    """One document for as long as it is open; two of them are never the same."""

    def __init__(self, descriptor: int, password: str | None) -> None:
        """Take over a descriptor of a plain file; `of` makes one."""
        self._descriptor = descriptor
        self.password = password
        self.closed = False

    @property
    def descriptor(self) -> int:
        """For reading alone.

        Raises:
            ValueError: it is closed, and the number may belong to another file by now.
        """
        if self.closed:
            raise ValueError("this document is closed: keep it open until all its calls have ended")
        return self._descriptor

    @classmethod
    def of(cls, document: bytes | Path | BinaryIO, password: str | None) -> Self:
        """Open it.

        Args:
            document: bytes are copied once, into memory outside the heap. A file is read where it lies
                and must not be changed meanwhile; of an open one, everything written is flushed.
            password: as given by the user.

        Raises:
            InvalidDocument: not a plain file.
            OSError: the file cannot be opened.
        """
        if isinstance(document, bytes):
            return cls(_in_memory(document), password)
        # A second opening: whatever the caller may do to the file, a child may only read it.
        place = document if isinstance(document, Path) else f"/dev/fd/{document.fileno()}"
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InvalidDocument("A PDF is read from a plain file. Save it as one.", code="invalid_pdf")
        return cls(descriptor, password)

    def close(self) -> None:
        """Children that have it open keep it until they are told."""
        os.close(self.descriptor)
        self.closed = True


def _in_memory(data: bytes) -> int:
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return os.open(file.name, os.O_RDONLY | os.O_CLOEXEC)
    descriptor = os.memfd_create("pdf", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        # From here on nobody can change it, this process included.
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
