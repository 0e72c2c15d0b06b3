"""The whole way: `python -m benchmarks.gpu.service ORDER`, bytes in and text out, through gRPC.

ORDER is JSON (see `Order`). The ocr service runs as anybody would start it, with the engine and nothing else.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from pecia_client.grpc import GrpcClient

from benchmarks import machine
from benchmarks.gpu import load
from benchmarks.gpu.found import Served
from benchmarks.gpu.load import Outcome, Reading
from benchmarks.gpu.scale import SCALES
from benchmarks.processes import cpu_seconds, free_port, our_command, running, tree, until
from benchmarks.readiness import all_free
from benchmarks.rivals.venvs import ROOT
from benchmarks.spread import percentile

_START_S = 600.0
_MOST_CALLERS = 4  # processes; a caller's own work must not slow what it measures
_CORES_A_CALLER = 4


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: `rounds` of `seconds` each, with the checkpoint `folder` on `device`."""

    folder: str
    device: str
    scale: str
    rounds: int
    seconds: float
    file: str


@dataclass(frozen=True, slots=True)
class Service:
    """Where it is asked, and its process."""

    target: str
    pid: int


@contextmanager
def serving(order: Order, **settings: str) -> Iterator[Service]:
    """The ocr service, ready. Without a GPU it gets one core: so one thread, which can be told, computes."""
    port = free_port()
    environment = {
        "MODEL_PATH": str(Path(order.folder).resolve()),
        "PECIA_DEEPSEEK__DEVICE": order.device,
        "PECIA_ENGINES__RAPID": "false",
        "PECIA_ENGINES__TESSERACT": "false",
        "PECIA_GRPC__PORT": str(port),
        "PECIA_TELEMETRY__LOG_LEVEL": "WARNING",
    } | {f"PECIA_DEEPSEEK__{name}": value for name, value in settings.items()}
    alone = ["taskset", "--cpu-list", "0"] if order.device == "cpu" and shutil.which("taskset") else []
    with (
        running([*alone, *our_command("pecia_ocr")], "gpu", environment) as pid,
        GrpcClient(f"127.0.0.1:{port}") as client,
    ):
        until(lambda: all_free(client), "pecia", pid, within_s=_START_S)
        yield Service(f"127.0.0.1:{port}", pid)


def measure(order: Order) -> tuple[Served, list[Served]]:
    """Full of pages of one kind, as the rival is asked; then pages that arrive by chance, of all kinds."""
    scale = SCALES[order.scale]
    small = scale.name == "smallest"
    base = "base" if "base" in scale.sizes else scale.sizes[-1]
    tokens = (scale.rival_tokens, scale.rival_tokens)
    same = load.Order("", 0, scale.at_once, order.seconds, [base], tokens, 0, small)
    with serving(order, PAGES_AT_ONCE=str(scale.at_once), MAX_TOKENS=str(max(16, tokens[0]))) as service:
        send(service, replace(same, seconds=0, tokens=(1, 8)))
        full = _rounds(service, same, order.rounds)
    mixed = replace(same, sizes=list(scale.sizes), tokens=scale.lengths)
    with serving(order) as service:
        send(service, replace(mixed, seconds=0, tokens=(1, 8)))
        most = _rounds(service, mixed, 1)
        rates = [part * pages for pages in most.pages_s for part in scale.rates]
        arrivals = [_rounds(service, replace(mixed, rate=rate, at_once=0), order.rounds) for rate in rates]
    return full, [most, *arrivals]


def _rounds(service: Service, order: load.Order, rounds: int) -> Served:
    served = Served(order.rate, order.at_once)
    ends: Counter[str] = Counter()
    for number in range(rounds):
        before, threads = cpu_seconds([service.pid]), _threads(service.pid)
        outcome = send(service, replace(order, seed=100 * number))
        spent = cpu_seconds([service.pid]) - before
        after = _threads(service.pid)
        model = max((after[each] - threads.get(each, 0.0) for each in after), default=0.0)
        _add(served, outcome, order, (spent, model))
        ends.update(reading.end for reading in outcome.readings)
    served.ends = dict(ends)
    print(f"service: {served}", file=sys.stderr, flush=True)
    return served


def _add(served: Served, outcome: Outcome, order: load.Order, cpu: tuple[float, float]) -> None:
    """One round. `cpu`: seconds of the whole service, and of the thread that used most."""
    answered = [reading for reading in outcome.readings if reading.answered]
    served.errors += len(outcome.readings) - len(answered)
    if not answered:
        return
    # Those that arrive by chance are counted by the time in which they arrive: the last ones' end is no load.
    wall = order.seconds if order.rate else outcome.wall_s
    served.pages_s.append(len(answered) / wall)
    served.tokens_s.append(sum(reading.tokens for reading in answered) / wall)
    firsts = [reading.first_s for reading in answered]
    served.first_p50_s.append(percentile(firsts, 0.5))
    served.first_p95_s.append(percentile(firsts, 0.95))
    served.cpu_ms.append(1000 * cpu[0] / len(answered))
    served.host_ms.append(1000 * (cpu[0] - cpu[1]) / len(answered))


def send(service: Service, order: load.Order) -> Outcome:
    """A load, from as many processes as leave the service its cores."""
    callers = max(1, min(_MOST_CALLERS, machine.cores() // _CORES_A_CALLER, order.at_once or _MOST_CALLERS))
    processes = []
    for number in range(callers):
        at_once = order.at_once // callers + (number < order.at_once % callers)
        part = replace(
            order,
            target=service.target,
            rate=order.rate / callers,
            at_once=at_once,
            seed=order.seed + number,
        )
        command = [sys.executable, "-m", "benchmarks.gpu.load", json.dumps(asdict(part))]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
    return _together([process.communicate()[0] for process in processes])


def _together(said: Sequence[str]) -> Outcome:
    outcomes = [json.loads(each) for each in said]
    readings = [Reading(**reading) for outcome in outcomes for reading in outcome["readings"]]
    return Outcome(readings, max(outcome["wall_s"] for outcome in outcomes))


def _threads(pid: int) -> dict[tuple[int, int], float]:
    """CPU seconds of each thread of the service's worker processes."""
    spent = {}
    for process in tree([pid])[1:]:
        try:
            for thread in process.threads():
                spent[process.pid, thread.id] = thread.user_time + thread.system_time
        except psutil.NoSuchProcess:
            continue
    return spent


if __name__ == "__main__":
    wanted = Order(**json.loads(sys.argv[1]))
    house, came = measure(wanted)
    Path(wanted.file).write_text(json.dumps([asdict(house), [asdict(each) for each in came]]))
