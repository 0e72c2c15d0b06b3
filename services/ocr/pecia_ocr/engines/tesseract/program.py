"""The tesseract program: what it can do here, and one bounded, stoppable run of it."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from pecia_core.errors import DeadlineExceeded, EngineFailed, Unavailable

from pecia_ocr.engines.base import CancelToken, Pixels

_ASK_S = 30  # seconds for questions about itself
# Its own threads cost more than they bring, and take cores that the scheduler has given to others.
_ONE_THREAD = ("/usr/bin/env", "OMP_THREAD_LIMIT=1")


@dataclass(frozen=True, slots=True)
class Program:
    """An installed tesseract."""

    path: str
    version: str
    languages: frozenset[str]
    timeout_s: float

    def run(self, pixels: Pixels, arguments: Sequence[str], cancel: CancelToken) -> str | None:
        """What it prints about a picture; None = it gave up on it.

        Raises:
            Interrupted: it was cancelled; the process has ended.
            DeadlineExceeded: it took longer than `timeout_s`; the process has ended.
            EngineFailed: it crashed.
        """
        command = [*_leash(), *_ONE_THREAD, self.path, "stdin", "stdout", *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(  # noqa: S603 - the path is ours, the arguments are numbers and known languages
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        ) as process:
            cancel.on_cancel(process.kill)
            try:
                printed, _ = process.communicate(_portable_pixmap(pixels), self.timeout_s)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise DeadlineExceeded(
                    f"Tesseract took longer than {self.timeout_s:g} s: send a smaller picture, or try rapid."
                ) from error
        cancel.check()
        if process.returncode < 0:
            raise EngineFailed(
                f"Tesseract was ended by signal {-process.returncode} on this page: try rapid."
            )
        return printed.decode("utf-8", "replace") if process.returncode == 0 else None


def installed(timeout_s: float) -> Program:
    """The tesseract on the PATH.

    Raises:
        Unavailable: there is none, or it does not run.
    """
    path = shutil.which("tesseract")
    if path is None:
        raise Unavailable(
            "Tesseract is not installed: apt-get install tesseract-ocr tesseract-ocr-ind.",
            code="engine_unavailable",
        )
    version = _ask(path, "--version").split("\n")[0].removeprefix("tesseract").strip()
    languages = frozenset(_ask(path, "--list-langs").split("\n")[1:]) - {""}
    return Program(path, version, languages, timeout_s)


def _ask(path: str, question: str) -> str:
    command = [path, question]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=True)  # noqa: S603 - found on the PATH, asked by this module only
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"{path} {question} does not work: apt-get install --reinstall tesseract-ocr.",
            code="engine_unavailable",
        ) from error
    return answer.stdout


def _leash() -> list[str]:
    """Makes the kernel end the program with the process that started it, where setpriv is installed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _portable_pixmap(pixels: Pixels) -> bytes:
    height, width = pixels.shape[:2]
    return b"P6 %d %d 255\n" % (width, height) + pixels.tobytes()
