"""`make bench-gpu`: the DeepSeek-OCR engine on this machine's GPU, beside what its memory allows.

Once, on a machine with one GPU (an L4 is enough):

    make install torch          (or any torch 2.11 to 2.13, and `make install`)
    make bench-gpu

Nothing is fetched: the weights are chance numbers in the published shapes, bfloat16, 6.7 GB in
build/bench/gpu-full, deleted at the end. What takes time does not depend on what the numbers are, except that
chance spreads rows over the experts more evenly than text may. Where there is no GPU the same is done with a
small network, and the page says so.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from pecia_ocr.settings import gpu_environment

from benchmarks import machine
from benchmarks.gpu import found as run
from benchmarks.gpu import model, place, report, weights
from benchmarks.gpu.found import Found
from benchmarks.gpu.scale import SCALES, Scale
from benchmarks.rivals.venvs import BUILD, ROOT

_PARTS = ("model", "service")
Order = dict[str, Any]
_EPILOG = """
examples:
  make bench-gpu                        everything, 3 rounds; on a GPU some 20 minutes, without one some 10
  make bench-gpu ONLY=model             load, vision, prefill, decode, generate
  make bench-gpu ONLY=service           through gRPC; the page keeps the last run's other half
  make bench-gpu SMALL=1                a small network, though there is a GPU
  make bench-gpu ROUNDS=5 SECONDS=60    more rounds, longer loads
  make bench-gpu ARGS=--bandwidth=3350  GB/s of a GPU whose name it does not know

What was found is kept in build/bench/gpu.json: the next run goes on with the parts it does not measure, if
commit, scale and device are the same. It writes benchmarks/results/gpu.md. Leave the machine to it.
"""


def main(arguments: list[str]) -> int:
    """Measure and write the page."""
    asked = _parser().parse_args(arguments)
    on_gpu = torch.cuda.is_available()
    scale = _scale(on_gpu=on_gpu, small=asked.small)
    seconds = asked.seconds or {"full": 20.0, "small": 15.0, "smallest": 2.0}[scale.name]
    folder = Path(asked.state) / f"gpu-{scale.name}"
    found = _begun(Path(asked.state) / "gpu.json", scale, asked.bandwidth)
    device = "cuda" if on_gpu else "cpu"
    print(f"Scale {scale.name}, {found.place.device if found.place else device}", file=sys.stderr)
    weights.write(folder, scale.dimensions, device)
    if on_gpu:
        torch.cuda.empty_cache()  # the parts are processes of their own, and want all of it
    try:
        for part in (asked.only,) if asked.only else _PARTS:
            found.problems.pop(part, None)
            order = {"folder": str(folder), "device": device, "scale": scale.name, "rounds": asked.rounds}
            _model(found, order) if part == "model" else _service(found, order | {"seconds": seconds})
    finally:
        shutil.rmtree(folder)
    (Path(asked.state) / "gpu.json").write_text(json.dumps(found.to_json()))
    Path(asked.results).mkdir(parents=True, exist_ok=True)
    (Path(asked.results) / "gpu.md").write_text(report.render(found), "utf-8")
    print("Written: gpu.md", file=sys.stderr)
    return 1 if found.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make bench-gpu", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="ROUNDS: of everything; 3")
    parser.add_argument("--seconds", type=float, help="SECONDS: of each load on the service; 20, small 15")
    parser.add_argument("--small", type=int, default=0, help="SMALL: 1 = a small network, 2 = the smallest")
    parser.add_argument("--only", choices=_PARTS, help="ONLY: one of the parts")
    parser.add_argument("--bandwidth", type=float, help="GB/s that the GPU's memory is said to reach")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    parser.add_argument("--state", default=str(BUILD), help="folder for weights and what was found")
    return parser


def _scale(*, on_gpu: bool, small: int) -> Scale:
    return SCALES[("full" if on_gpu else "small", "small", "smallest")[min(small, 2)]]


def _begun(state: Path, scale: Scale, bandwidth: float | None) -> Found:
    """What the last run found, where it was one of the same kind."""
    here = place.here(bandwidth)
    if state.exists():
        before = Found.from_json(json.loads(state.read_text()))
        same = before.place is not None and before.place.device == here.device
        if same and (before.scale, before.commit) == (scale.name, machine.commit()):
            before.place = here
            return before
    state.parent.mkdir(parents=True, exist_ok=True)
    return Found(scale.name, machine.commit(), here)


def _model(found: Found, order: Order) -> None:
    file = Path(str(order["folder"])).with_suffix(".model.json")
    file.unlink(missing_ok=True)
    _child(found, "model", order | {"file": str(file)})
    for _ in range(int(order["rounds"]) if order["device"] == "cuda" else 0):
        _child(found, "model", order | {"file": str(file), "defaults": True})
    found.model = model.model_from(file)


def _service(found: Found, order: Order) -> None:
    file = Path(str(order["folder"])).with_suffix(".service.json")
    file.unlink(missing_ok=True)
    _child(found, "service", order | {"file": str(file)})
    if file.exists():
        full, arrivals = json.loads(file.read_text())
        found.full_house = run.Served(**full)
        found.arrivals = [run.Served(**one) for one in arrivals]


def _child(found: Found, part: str, order: Order) -> None:
    """A part in a process of its own. What it measured until it failed counts, and the page tells of it."""
    command = [sys.executable, "-m", f"benchmarks.gpu.{part}", json.dumps(order)]
    environment = os.environ | gpu_environment()  # memory kept as the service keeps it
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if code:
        found.problems[part] = f"it ended with code {code} before it was through"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
