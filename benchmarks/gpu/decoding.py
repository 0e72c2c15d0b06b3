"""Decoding steps alone: so many rows, with and without CUDA graphs, with each way to compute experts."""

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.runner import (
    ALL_EXPERTS,
    Newcomer,
    Outcome,
    Runner,
    RunnerOptions,
)
from pecia_ocr.engines.deepseek.sampler import Rules, Work

from benchmarks.gpu import clock
from benchmarks.gpu.found import Decode
from benchmarks.gpu.scale import Scale

_GROUPED, _BATCHED = "grouped_mm", "batched_mm"
_POLICIES = (_GROUPED, ALL_EXPERTS, _BATCHED)
_WARMING = 6
_FEW_LETTERS = 80
_CAPABILITIES_THAT_GROUP = (9, 10)
_WIDEST = NGram(40, 128)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to step."""

    batch: int
    graphs: bool
    experts: str


def kinds(scale: Scale, capability: int | None) -> Iterator[Kind]:
    """All of them; on a CPU there are no graphs. Last what copies weights, and may not fit."""
    for experts in _POLICIES:
        for batch in scale.batches:
            for graphs in (True, False) if capability is not None else (False,):
                yield Kind(batch, graphs, experts)


def measure(loaded: LoadedModel, scale: Scale, rounds: int) -> list[Decode]:
    """Every kind, `rounds` times."""
    capability = capability_of(loaded.device)
    return [_decode(loaded, scale, kind, rounds) for kind in kinds(scale, capability)]


def capability_of(device: torch.device) -> int | None:
    """The first number of a GPU's compute capability; None = a CPU."""
    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else None


def _decode(loaded: LoadedModel, scale: Scale, kind: Kind, rounds: int) -> Decode:
    found = Decode(kind.batch, kind.graphs, kind.experts, scale.context + _WARMING + scale.steps / 2)
    if impossible := _impossible(kind, capability_of(loaded.device)):
        found.note = impossible
        return found
    try:
        for _ in range(rounds):
            found.tokens_s.append(_round(loaded, scale, kind))
    except torch.OutOfMemoryError:
        found.note = "does not fit"
    except RuntimeError as error:  # what a GPU cannot do is found out by trying
        found.note = f"failed: {str(error).splitlines()[0][:_FEW_LETTERS]}"
    if loaded.device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
    print(f"decode {kind}: {found.tokens_s} {found.note}", file=sys.stderr, flush=True)
    return found


def _impossible(kind: Kind, capability: int | None) -> str:
    grouped = kind.graphs and kind.experts == _GROUPED
    if grouped and capability not in _CAPABILITIES_THAT_GROUP:
        return "asks the host on this GPU, so it cannot be captured"
    return ""


@torch.inference_mode()
def _round(loaded: LoadedModel, scale: Scale, kind: Kind) -> float:
    """Tokens a second of all rows together; a step's tokens are read while the next one runs."""
    length = scale.context + _WARMING + scale.steps + 2
    runner = Runner(loaded, RunnerOptions(kind.batch, length, _WIDEST, kind.graphs, kind.experts))
    ids = [2 + index % 200 for index in range(scale.context)]
    for slot in range(kind.batch):
        embeddings = runner.embed(ids, ())
        runner.seat([Newcomer(slot, ids, embeddings, Rules(ngram=NGram(30, 90)))])
    before: Outcome | None = None
    began = perf_counter()
    for number in range(_WARMING + scale.steps):
        if number == _WARMING:
            clock.wait(loaded.device)
            began = perf_counter()
        now = runner.step(kind.batch, scale.context + number, Work())
        if before is not None:
            before.read()
        before = now
    clock.wait(loaded.device)
    return kind.batch * scale.steps / (perf_counter() - began)
