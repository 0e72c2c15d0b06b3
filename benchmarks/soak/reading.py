"""The service as two workers, page after page, weighed after every ten."""

import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import psutil
from pecia_client.grpc import GrpcClient
from pecia_core.errors import PeciaError
from pecia_core.recognition import RecognizeOptions

from benchmarks import machine
from benchmarks.processes import free_port, our_command, resident_mb, running, until
from benchmarks.quality.dataset import DataSet
from benchmarks.readiness import all_free
from benchmarks.soak import mixture
from benchmarks.soak.record import Record, Sample

WORKERS = 2
_EVERY = 10
_AT_A_TIME = 4
_OPTIONS = RecognizeOptions(model="rapid")
_SAY_EVERY = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """When to stop: pages over all runs, seconds of this one."""

    pages: int
    seconds: float


@contextmanager
def service() -> Iterator[tuple[GrpcClient, int]]:
    """The ocr service with two rapid workers, ready; a client of it, and its process id."""
    port = free_port()
    environment = {
        "PECIA_GRPC__PORT": str(port),
        "PECIA_ENGINES__TESSERACT": "false",
        "PECIA_ENGINES__RAPID_WORKERS": str(WORKERS),
        "PECIA_TELEMETRY__LOG_LEVEL": "WARNING",
    }
    with (
        running(our_command("pecia_ocr"), "soak", environment) as pid,
        GrpcClient(f"127.0.0.1:{port}") as client,
    ):
        until(lambda: all_free(client), "pecia", pid)
        yield client, pid


def read(record: Record, data: DataSet, bounds: Bounds) -> None:
    """Read until a bound is reached; what was seen is in the record even if this is interrupted."""
    begin, run, failed = record.pages, record.next_run, record.failed
    began = monotonic()
    with service() as (client, pid), ThreadPoolExecutor(_AT_A_TIME) as pool:
        under_way: set[Future[bool]] = set()
        sent = done = 0
        while begin + done < bounds.pages and monotonic() - began < bounds.seconds:
            while len(under_way) < _AT_A_TIME and begin + sent < bounds.pages:
                under_way.add(pool.submit(_read, client, mixture.page(data, begin + sent)))
                sent += 1
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                done, failed = done + 1, failed + (not future.result())
                if done % _EVERY == 0:
                    seen = _weighed(pid)
                    counts = (run, begin + done, failed, monotonic() - began)
                    record.add(Sample(*counts, *seen, machine.commit(), data.fingerprint))
                if done % _SAY_EVERY == 0:
                    _say(record.samples[-1], bounds)


def _read(client: GrpcClient, picture: bytes) -> bool:
    try:
        client.recognize(picture, _OPTIONS)
    except PeciaError:
        return False
    return True


def _weighed(pid: int) -> tuple[float, float, tuple[int, ...]]:
    workers = tuple(process.pid for process in psutil.Process(pid).children(recursive=True))
    return resident_mb([pid]), resident_mb(workers), workers


def _say(sample: Sample, bounds: Bounds) -> None:
    print(
        f"{sample.pages} of {bounds.pages} pages, {sample.seconds:.0f} s: {sample.total_mb:.0f} MB",
        file=sys.stderr,
        flush=True,
    )
