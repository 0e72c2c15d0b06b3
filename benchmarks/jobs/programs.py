"""Our services as processes that can be killed, stopped, gone on with and started again."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pecia_standalone import leash

_END_S = 30.0


@dataclass(slots=True)
class Program:
    """One service. `environment` is added to this process's own; `ready_url` says whether it can work."""

    name: str
    module: str
    environment: Mapping[str, str]
    log: Path
    ready_url: str
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Of the process that runs now or ran last; 0 = none yet."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin, in a process group of its own, so that its children can be killed with it."""
        assert not self.running
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                leash.command(self.module),
                env=os.environ | self.environment,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As a machine that loses its power does: without a word."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def freeze(self) -> None:
        """Stop it where it stands."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had happened."""
        self._signal(signal.SIGCONT)

    def end(self) -> int:
        """Ask it to finish; gives its exit status, and kills it where that takes too long."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def _signal(self, number: signal.Signals) -> None:
        if self.running and self._process is not None:
            os.killpg(self._process.pid, number)
