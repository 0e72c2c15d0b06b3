"""An ocr service over a real socket that notes every page it is shown, and says which one it sees."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pecia.ocr.v1 import ocr_pb2
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch.testing import Script, ScriptedOcr, engine_description, serving

from benchmarks.jobs.drawn import number_of
from benchmarks.jobs.history import Kind, Recorder


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a page takes, by chance between these; `slots` pages at once is what the service offers."""

    least_s: float = 0.05
    most_s: float = 0.4
    slots: int = 8


def said_of(label: str, number: int) -> str:
    """The text of page `number` of the job that was submitted under a label."""
    return f"{label} page {number:05d}"


class Engine:
    """Reads the number a page shows. A job's label comes with `ref_text`."""

    def __init__(self, recorder: Recorder, pace: Pace, dice: random.Random) -> None:
        """Read nothing yet."""
        self._recorder = recorder
        self._pace = pace
        self._dice = dice

    def play(self, picture: bytes, options: RecognizeOptions) -> Script:
        """What happens to a page; noted under the number it shows, whatever the caller says it is."""
        number = number_of(picture)
        text = said_of(options.ref_text, number)
        self._recorder.note(Kind.READ, options.ref_text, options.page_index + 1, detail=text)
        return Script(lines=(text,), wait_s=self._dice.uniform(self._pace.least_s, self._pace.most_s))

    def service(self) -> ScriptedOcr:
        """To be served."""
        description = engine_description(models=("rapid", "ppocr", "auto"))
        description.slots = self._pace.slots
        load = ocr_pb2.Load(free_slots=self._pace.slots, pages_per_second=10.0)
        trailers = (("pecia-free-slots", str(self._pace.slots)), ("pecia-queue-length", "0"))
        return ScriptedOcr(play=self.play, engines=[description], load=load, trailers=trailers)


class Switch:
    """A served engine that can be taken away and put back at the same address."""

    def __init__(self, service: Callable[[], ScriptedOcr]) -> None:
        """Serve nothing yet; `service` makes what is served."""
        self._service = service
        self._port = 0
        self._wanted = asyncio.Event()
        self._gone = asyncio.Event()
        self._served: ScriptedOcr | None = None
        self.target = ""

    @property
    def reading(self) -> int:
        """Pages being read at this moment."""
        return self._served.running if self._served else 0

    async def serve(self) -> None:
        """Until cancelled."""
        while True:
            self._served = self._service()
            async with serving(self._served, self._port) as target:
                self.target, self._port = target, int(target.rpartition(":")[2])
                self._gone.clear()
                self._wanted.set()
                await self._gone.wait()
            self._wanted.clear()
            await self._wanted.wait()

    async def off(self) -> None:
        """Take it away: calls under way fail."""
        self._gone.set()
        while self._wanted.is_set():
            await asyncio.sleep(0.01)

    def on(self) -> None:
        """Put it back."""
        self._wanted.set()

    async def ready(self) -> None:
        """Until it is served."""
        await self._wanted.wait()


@asynccontextmanager
async def reading(engine: Engine) -> AsyncIterator[Switch]:
    """Serve an engine."""
    switch = Switch(engine.service)
    task = asyncio.create_task(switch.serve())
    try:
        await switch.ready()
        yield switch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
