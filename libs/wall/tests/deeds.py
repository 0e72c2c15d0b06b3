"""What somebody would do who has taken over a decoder. `python deeds.py NAME` exits 0 where it succeeds."""

import ctypes
import mmap
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PARENT = os.getppid()
_SEIZE = 0x4206
_libc = ctypes.CDLL(None, use_errno=True)


def open_a_socket() -> None:
    """Of any kind."""
    socket.socket(socket.AF_UNIX).close()


def connect() -> None:
    """To this machine; a refusal by nobody listening is an answer as well."""
    with socket.socket() as out, suppress(ConnectionRefusedError):
        out.connect(("127.0.0.1", 9))


def run_a_program() -> None:
    """In place of this one."""
    os.execv("/bin/true", ["true"])  # noqa: S606


def read_a_secret() -> None:
    """Which everybody may read whom nothing confines."""
    Path("/etc/passwd").read_bytes()


def read_the_parents_memory() -> None:
    """Where its keys are."""
    with Path(f"/proc/{_PARENT}/mem").open("rb"):
        pass


def list_processes() -> None:
    """To find somebody."""
    os.listdir("/proc")  # noqa: PTH208


def write_outside() -> None:
    """A file in the folder for temporary ones."""
    path = Path(tempfile.gettempdir()) / f"deed-{os.getpid()}"
    path.write_bytes(b"x")
    path.unlink()


def fork() -> None:
    """Many times."""
    for _ in range(50):
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)


def take_10_gb() -> None:
    """Of address space."""
    mmap.mmap(-1, 10 << 30).close()


def trace_the_parent() -> None:
    """To change what it does."""
    _seize(_PARENT)


def signal_the_parent() -> None:
    """With nothing; any other signal is allowed where this one is."""
    os.kill(_PARENT, 0)


def limit_the_parent() -> None:
    """So that it cannot open another file."""
    resource.prlimit(_PARENT, resource.RLIMIT_NOFILE)


def bring_code_along() -> None:
    """Memory that is written and then run."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def load_a_library() -> None:
    """With code that nobody has looked at."""
    ctypes.CDLL("libcrypt.so.1")


def _seize(process: int) -> None:
    if _libc.ptrace(_SEIZE, process, None, None) < 0:
        raise OSError(ctypes.get_errno(), "not traced")


def loop() -> None:
    """For ever."""
    while True:
        pass


DEEDS: dict[str, Callable[[], None]] = {
    deed.__name__: deed
    for deed in (
        *(open_a_socket, connect, run_a_program, read_a_secret, read_the_parents_memory, list_processes),
        *(write_outside, fork, take_10_gb, trace_the_parent, signal_the_parent, limit_the_parent),
        *(bring_code_along, load_a_library, loop),
    )
}
# This one does not end where nothing confines it.
ENDING = [name for name in DEEDS if name != "loop"]

if __name__ == "__main__":
    DEEDS[sys.argv[1]]()
