"""What the person who started it sees: few lines, each worth reading."""

import signal
from collections.abc import Sequence
from importlib.metadata import version

from rich.console import Console

from pecia_standalone.child import Child
from pecia_standalone.probes import Engine
from pecia_standalone.sample import Checked
from pecia_standalone.services import api_url, page_url
from pecia_standalone.settings import Settings


class Screen:
    """Speaks on standard output, about failures on standard error."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is said yet."""
        self._settings = settings
        self._out = Console(highlight=False, soft_wrap=True, markup=False)
        self._err = Console(highlight=False, soft_wrap=True, markup=False, stderr=True)

    def starting(self, children: Sequence[Child]) -> None:
        """What is about to run."""
        names = ", ".join(child.service.name for child in children)
        self._out.print(f"pecia {version('pecia-standalone')}: starting {names}", style="bold")

    def ready(self, name: str, seconds: float) -> None:
        """One service can work."""
        self._out.print(f"  {name:<8} ready after {seconds:.1f} s")

    def waiting(self, name: str, seconds: float, child: Child) -> None:
        """It takes long; where to look."""
        self._out.print(f"  {name:<8} still starting after {seconds:.0f} s; see {child.log.path}")

    def engines(self, engines: Sequence[Engine]) -> None:
        """Who can read, and why others cannot."""
        for engine in engines:
            why = f": {engine.reason}" if engine.reason else ""
            self._out.print(f"  engine   {engine.name} is {engine.state}{why}")

    def checked(self, checked: Checked, seconds: float) -> None:
        """The sample's text."""
        reading = checked.reading
        self._out.print("\nA sample receipt, read through the gateway:\n", style="bold")
        for line in reading.text.splitlines():
            self._out.print(f"    {line}")
        spent = reading.timings.total_ms / 1000
        self._out.print(
            f"\nSelf-check passed: {checked.found:.0%} of its words came back, "
            f"read by {reading.engine} in {spent:.1f} s. Up for {seconds:.1f} s.\n",
            style="green",
        )

    def unchecked(self) -> None:
        """Keys are on and none was given."""
        self._out.print(
            "\nSelf-check left out: keys are on. Put one into PECIA_API_KEY to have it.\n", style="yellow"
        )

    def addresses(self) -> None:
        """Where to go from here."""
        settings = self._settings
        if settings.ui:
            self._out.print(f"  Page  {page_url(settings)}", style="bold")
        self._out.print(
            f"  API   {api_url(settings)}   (what it offers: {api_url(settings)}/docs)", style="bold"
        )
        how = f"   (mutual TLS, signed calls: {settings.identity})" if settings.secure else ""
        self._out.print(f"  gRPC  127.0.0.1:{settings.grpc_port}{how}")
        self._out.print(f"  Jobs  {settings.jobs}   (http://127.0.0.1:{settings.worker_port}/health)")
        self._out.print(f"  Logs  {settings.logs}")
        self._out.print("\nCtrl-C stops everything.")

    def restarting(self, child: Child, status: int, pause_s: float) -> None:
        """One ended by itself and is started again."""
        self._err.print(
            f"{child.service.name} {_ended(status)}; starting it again in {pause_s:.0f} s "
            f"(see {child.log.path})",
            style="yellow",
        )

    def died(self, child: Child, status: int, *, reason: str) -> None:
        """One ended and that is the end of all; its last words."""
        self._err.print(
            f"\n{child.service.name} {_ended(status)}, {reason}. Its last words:", style="bold red"
        )
        for line in child.log.tail:
            self._err.print(f"    {line}")
        self._err.print(f"All of them: {child.log.path}")

    def failed(self, sentence: str) -> None:
        """It does not work, and why."""
        self._err.print(sentence, style="bold red")

    def stopping(self) -> None:
        """It takes a moment."""
        self._out.print("\nStopping. Once more to stop at once.")

    def stopped(self, child: Child, *, in_time: bool) -> None:
        """One has ended."""
        self._out.print(f"  {child.service.name:<8} {'stopped' if in_time else 'killed: it did not stop'}")

    def echo(self, name: str, line: str) -> None:
        """A line of a service's log."""
        self._err.print(f"{name:<8}| {line}", style="dim")


def _ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
