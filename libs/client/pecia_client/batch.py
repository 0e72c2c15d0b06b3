"""Many files through one client, several at a time; a file that fails does not stop the others."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pecia_core.errors import InvalidDocument, PeciaError

from pecia_client.reading import Reading

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: a reading or an error."""

    index: int
    name: str
    reading: Reading | None = None
    error: PeciaError | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One file named on the command line; `-` is standard input."""

    name: str
    stdin: BinaryIO

    @property
    def label(self) -> str:
        """What to call it."""
        return "stdin" if self.name == STDIN else self.name

    def load(self) -> bytes:
        """Its bytes; raises InvalidDocument in a person's words."""
        if self.name == STDIN:
            return self.stdin.read()
        path = Path(self.name)
        if path.is_dir():
            raise InvalidDocument(f"{self.name} is a folder; name its files: {path}/*")
        try:
            return path.read_bytes()
        except OSError as failure:
            raise InvalidDocument(f"{self.name} cannot be opened: {failure.strerror}") from failure


def read_all(
    sources: Sequence[Source],
    recognize: Callable[[bytes], Reading],
    *,
    concurrency: int,
    done: Callable[[], None],
) -> Iterator[Outcome]:
    """Outcomes in the order of the sources, each as soon as it and all before it are there.

    Args:
        sources: what to read.
        recognize: reads the bytes of one file; raises PeciaError.
        concurrency: files on their way at the same time. No more than twice as many are held in memory.
        done: called from any thread when a file is finished, for a progress bar.
    """

    def one(index: int, source: Source) -> Outcome:
        try:
            return Outcome(index, source.label, reading=recognize(source.load()))
        except PeciaError as error:
            return Outcome(index, source.label, error=error)
        finally:
            done()

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="ocr")
    try:
        running: deque[Future[Outcome]] = deque()
        for index, source in enumerate(sources):
            running.append(pool.submit(one, index, source))
            while len(running) >= 2 * concurrency:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
