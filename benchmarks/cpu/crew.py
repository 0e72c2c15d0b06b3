"""The processes of one contender: pictures are dealt out to them one by one, from one pile."""

import json
import subprocess
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from benchmarks.cpu.contenders import Contender
from benchmarks.quality.scoring import Placed
from benchmarks.rivals.venvs import BUILD, ROOT


@dataclass(frozen=True, slots=True)
class ReadLine:
    """What a contender says of one line."""

    placed: Placed
    confidence: float | None


Reading = tuple[ReadLine, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """All pictures of a pile, once: seconds on the clock, seconds of processors, and what was read.

    A picture that could not be read has an empty reading and is counted in `failed`.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    readings: tuple[Reading, ...]
    failed: int


class Crew:
    """One contender's processes."""

    def __init__(self, contender: Contender) -> None:
        """Start and load them all; RuntimeError where one ends."""
        self.contender = contender
        self._children: list[_Child] = []
        self.start()

    def start(self) -> None:
        """Start and load the processes, those that are there already ended; RuntimeError where one ends."""
        self.__exit__()
        command = self.contender.command()
        self._children = [_Child(self.contender, command) for _ in range(self.contender.processes)]
        try:
            for child in self._children:
                child.hear()  # ready
        except RuntimeError:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        for child in self._children:
            child.end()

    def read(self, files: Sequence[Path], languages: Sequence[str] = ()) -> Pass:
        """Read the files; whichever process has a place takes the next one.

        Raises:
            RuntimeError: a process ended; its log is named.
        """
        pile = deque(enumerate(files))
        said: dict[int, dict[str, Any]] = {}
        before = self._clock()
        began = perf_counter()
        with ThreadPoolExecutor(len(self._children)) as pool:
            for done in [pool.submit(child.work, pile, list(languages), said) for child in self._children]:
                done.result()
        wall = perf_counter() - began
        after = self._clock()
        return Pass(
            wall_s=wall,
            cpu_s=sum(clock["cpu_s"] for clock in after) - sum(clock["cpu_s"] for clock in before),
            peak_mb=sum(clock["peak_mb"] for clock in after),
            readings=tuple(_reading(said[number]) for number in range(len(files))),
            failed=sum("error" in reply for reply in said.values()),
        )

    def _clock(self) -> list[dict[str, float]]:
        return [child.ask(clock=True) for child in self._children]


@dataclass(slots=True)
class _Child:
    contender: Contender
    command: list[str]
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        log = BUILD / f"{self.contender.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.contender.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
            )

    def work(
        self, pile: deque[tuple[int, Path]], languages: list[str], said: dict[int, dict[str, Any]]
    ) -> None:
        """Take from the pile until it is empty, with as many at a time as there are places."""
        under_way = 0
        while True:
            with suppress(IndexError):  # another process took the last one
                while under_way < self.contender.places:
                    number, file = pile.popleft()
                    self.say(id=number, file=str(file), languages=languages)
                    under_way += 1
            if not under_way:
                return
            reply = self.hear()
            said[reply["id"]] = reply
            under_way -= 1

    def ask(self, **words: object) -> dict[str, Any]:
        self.say(**words)
        return self.hear()

    def say(self, **words: object) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            name = self.contender.name
            code = self.process.wait()
            raise RuntimeError(f"a process of {name} ended with {code}; build/bench/{name}.log may say why")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def end(self) -> None:
        with suppress(OSError):
            self.process.communicate(timeout=5)  # closes its input, at which it ends
        self.process.kill()
        self.process.wait()


def _reading(reply: dict[str, Any]) -> Reading:
    return tuple(
        ReadLine(Placed(text, *box), confidence) for text, confidence, *box in reply.get("lines", [])
    )
