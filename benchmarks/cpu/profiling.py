"""Where our engine's time goes: `python -m benchmarks.cpu.profiling FILE...` in a process of its own.

The networks and three steps are wrapped, so that this pass is apart from those that are timed.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from pecia_core.recognition import RecognizeOptions
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.rapid import RapidEngine, engine, sheet
from pecia_ocr.engines.rapid.detection import Detector
from pecia_ocr.engines.rapid.head import Head
from pecia_ocr.engines.rapid.networks import Network, Tensor, choose

from benchmarks.cpu.operations import gflop

STEPS = ("decode", "detect: network", "detect: before and after it", "cut strips", "recognise: network",
         "recognise: head", "rest")  # fmt: skip
_MEGA = 1e6


class Stopwatch:
    """Seconds by step; what a step spends inside another one counts for the inner one alone."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def around(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured."""

        def measured(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
            began = perf_counter()
            self._inner.append(0.0)
            try:
                return work(*args, **kwargs)
            finally:
                spent = perf_counter() - began
                self.seconds[step] += spent - self._inner.pop()
                self._inner[-1] += spent

        return measured


class Counted:
    """A network that says what it was given."""

    def __init__(self, network: Network, watch: Stopwatch, step: str, shapes: list[tuple[int, ...]]) -> None:
        """Measure `network` as `step`, and keep the shape of each input in `shapes`."""
        self._run = watch.around(step, network.run)
        self._shapes = shapes

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """Compute."""
        self._shapes.append(tensor.shape)
        output: Tensor = self._run(tensor, cancel)
        return output


class Profile:
    """An engine under the stopwatch."""

    def __init__(self) -> None:
        """Load it."""
        self.watch = Stopwatch()
        self.shapes: dict[str, list[tuple[int, ...]]] = {"detect": [], "recognise": []}
        self._networks: dict[str, bytes] = {}
        self._wrap()
        self._engine = RapidEngine()
        self._engine.load(lambda _: None)
        self._decode = self.watch.around("decode", decode)

    def _wrap(self) -> None:
        steps = ((Detector, "find", "detect: before and after it"), (Head, "transcribe", "recognise: head"))
        for owner, name, step in (*steps, (sheet, "strip", "cut strips")):
            setattr(owner, name, self.watch.around(step, getattr(owner, name)))
        vars(engine)["choose"] = self._chooser(choose)

    def _chooser(self, original: Callable[..., Callable[[bytes], Network]]) -> Callable[..., Any]:
        names = iter(self.shapes)  # the engine loads its detector first

        def chosen(*args: object) -> Callable[[bytes], Network]:
            network = original(*args)

            def loaded(model: bytes) -> Network:
                name = next(names)
                self._networks[name] = model
                return Counted(network(model), self.watch, f"{name}: network", self.shapes[name])

            return loaded

        return chosen

    def read(self, files: list[str]) -> float:
        """Read the files from nothing on the watch; gives the seconds it took."""
        self.watch.seconds.clear()
        for shapes in self.shapes.values():
            shapes.clear()
        began = perf_counter()
        for file in files:
            pixels = self._decode(Path(file).read_bytes())
            for _ in self._engine.read(pixels, RecognizeOptions(), CancelToken()):
                pass
        return perf_counter() - began

    def report(self, total: float) -> dict[str, Any]:
        """Seconds by step, megapixels detected, columns recognised, operations of both networks."""
        seconds = {step: self.watch.seconds[step] for step in STEPS}
        seconds["rest"] = total - sum(seconds.values())
        detected = sum(shape[0] * shape[2] * shape[3] for shape in self.shapes["detect"])
        columns = sum(shape[0] * shape[3] for shape in self.shapes["recognise"])
        work = {name: gflop(model, self.shapes[name]) for name, model in self._networks.items()}
        return {"seconds": seconds, "megapixels": detected / _MEGA, "columns": columns, "gflop": work}


def main(files: list[str]) -> None:
    """Read once to warm up, once to measure."""
    profile = Profile()
    profile.read(files)
    print(json.dumps(profile.report(profile.read(files)) | {"pictures": len(files)}))


if __name__ == "__main__":
    main(sys.argv[1:])
