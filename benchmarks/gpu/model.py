"""The model alone: `python -m benchmarks.gpu.model ORDER`, a process of its own that leaves the GPU empty.

ORDER is JSON (see `Order`). What was found is written to its file after each part, so that a crash loses one.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep

import torch
from pecia_core.recognition import RecognizeOptions, Sampling
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.deepseek.engine import DeepseekEngine
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.runner import Newcomer, Runner, RunnerOptions
from pecia_ocr.engines.deepseek.sampler import Rules
from pecia_ocr.engines.deepseek.scheduler import Scheduler, SchedulerLimits
from pecia_ocr.engines.deepseek.tickets import Request
from pecia_ocr.engines.deepseek.vision import VisionEncoder

from benchmarks.gpu import clock, decoding, found, pages, rival
from benchmarks.gpu.found import Model
from benchmarks.gpu.scale import SCALES, Scale

_NGRAM = NGram(30, 90)
_CANCELS = 10
_LOOK_S = 0.0002
_GIGA = 1e9
_DEFAULT_PAGES = 64  # more than the default settings have slots for


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: on the checkpoint `folder`, on `device`, told to `file`, which may hold earlier parts.

    `defaults`: the engine at its default settings, instead of all else: it never gives its memory back.
    """

    folder: str
    device: str
    scale: str
    rounds: int
    file: str
    defaults: bool = False


class Bench:
    """One run."""

    def __init__(self, order: Order) -> None:
        """Nothing is loaded yet."""
        self._order = order
        self._scale: Scale = SCALES[order.scale]
        self._device = torch.device(order.device)
        self.found = model_from(Path(order.file))

    def run(self) -> None:
        """All parts; the rival first, while the model is as transformers loads it."""
        if self._order.defaults:
            self._part("defaults", self._defaults)
            return
        for _ in range(self._order.rounds - 1):
            self._load()
        loaded = self._load()
        self._part("generate", lambda: self._rival(loaded))
        self._part("vision", lambda: self._vision(loaded))
        self._part("prefill", lambda: self._prefill(loaded))
        self._part("cancel", lambda: self._cancel(loaded))
        self._part("decode", lambda: self._decode(loaded))  # last: what fails there may leave nothing usable
        if self._device.type != "cuda":
            self._part("defaults", self._defaults)

    def _part(self, name: str, work: Callable[[], None]) -> None:
        print(f"model: {name}", file=sys.stderr, flush=True)
        work()
        Path(self._order.file).write_text(json.dumps(asdict(self.found)))

    def _load(self) -> LoadedModel:
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        began = perf_counter()
        loaded = load_model(Path(self._order.folder), device=self._device, dtype=dtype)
        clock.wait(self._device)
        self.found.load_s.append(perf_counter() - began)
        return loaded

    def _rival(self, loaded: LoadedModel) -> None:
        self.found.rival_experts = rival.experts(loaded)
        self.found.rival_s = rival.measure(loaded, self._scale, self._order.rounds)

    @torch.inference_mode()
    def _vision(self, loaded: LoadedModel) -> None:
        encoder = VisionEncoder(loaded)
        for size in self._scale.sizes:
            page = pages.asked(loaded, size)
            times = [
                clock.seconds(self._device, lambda page=page: encoder.encode([(page.views, page.plan)]))  # type: ignore[misc]
                for _ in range(self._order.rounds + 1)
            ]
            self.found.vision_ms[size] = [1000 * each for each in times[1:]]

    @torch.inference_mode()
    def _prefill(self, loaded: LoadedModel) -> None:
        for size in self._scale.sizes:
            ids = pages.asked(loaded, size).ids
            runner = Runner(loaded, RunnerOptions(1, len(ids) + 2, _NGRAM))
            plain = [2 + index % 200 for index in range(len(ids))]
            newcomer = Newcomer(0, plain, runner.embed(plain, ()), Rules(ngram=_NGRAM))
            times = [
                clock.seconds(self._device, lambda runner=runner, newcomer=newcomer: runner.seat([newcomer]))  # type: ignore[misc]
                for _ in range(self._order.rounds + 1)
            ]
            self.found.prompt_tokens[size] = len(ids)
            self.found.prefill_ms[size] = [1000 * each for each in times[1:]]

    def _decode(self, loaded: LoadedModel) -> None:
        self.found.decode = decoding.measure(loaded, self._scale, self._order.rounds)

    def _cancel(self, loaded: LoadedModel) -> None:
        """Of two that run, one is cancelled; each step passed on until its slot is free gives two tokens.

        A step that was passed on before we looked counts, too: never too few, now and then one too many.
        """
        scheduler = Scheduler(loaded, SchedulerLimits(slots=2, max_length=1024))
        try:
            for _ in range(_CANCELS):
                self.found.cancel_steps.append(_steps_to_leave(scheduler))
        finally:
            scheduler.close()

    def _defaults(self) -> None:
        """The engine as the settings make it, full of pages: what it takes of the GPU at most."""
        on_gpu = self._device.type == "cuda"
        engine = DeepseekEngine(folder=self._order.folder, device=self._order.device)
        began = perf_counter()
        engine.load(lambda _: None)
        self.found.ready_s.append(perf_counter() - began)
        if not on_gpu:
            return
        asked = [(pages.pixels(seed), ModelSize(size)) for seed, size in enumerate(self._scale.sizes)]
        readers = [
            Thread(target=_read, args=(engine, *asked[number % len(asked)]))
            for number in range(_DEFAULT_PAGES)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        peak = torch.cuda.max_memory_reserved(self._device) / _GIGA
        self.found.peak_gb = max(peak, self.found.peak_gb or 0.0)


def model_from(file: Path) -> Model:
    """What such a process has written so far."""
    return found.model(json.loads(file.read_text())) if file.exists() else Model()


def _steps_to_leave(scheduler: Scheduler) -> int:
    first, second = (scheduler.submit(Request([0, 5, 9], max_new_tokens=900)) for _ in range(2))
    try:
        for ticket in (first, second):
            ticket._steps.get()  # noqa: SLF001 - `steps` would cancel when it is left
        second.cancel()
        before = scheduler.stats().tokens
        while scheduler.stats().running > 1:
            sleep(_LOOK_S)
        return -(-(scheduler.stats().tokens - before) // 2)
    finally:
        first.cancel()
        while not scheduler.idle:
            sleep(_LOOK_S)


def _read(engine: DeepseekEngine, page: object, size: ModelSize) -> None:
    options = RecognizeOptions(model_size=size, sampling=Sampling(max_tokens=128))
    for _ in engine.read(page, options, CancelToken()):  # type: ignore[arg-type]
        pass


if __name__ == "__main__":
    Bench(Order(**json.loads(sys.argv[1]))).run()
