"""A running ocr service in this process, and a Redis of its own."""

import importlib.util
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running

if TYPE_CHECKING:
    from pecia_ocr.engines.deepseek.loader import LoadedModel
    from pecia_ocr.engines.deepseek.scheduler import Scheduler

# Where torch is not installed, what needs it is not collected; `make test` has it.
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = [
        f"test_deepseek_{part}.py"
        for part in ("demo", "loader", "vision", "sampler", "runner", "scheduler*", "second*", "waiting")
    ]


@pytest.fixture
async def start_server() -> AsyncIterator[Callable[..., Awaitable[OcrServer]]]:
    """Start services that are stopped when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings | None = None, *, ready: bool = True) -> OcrServer:
            return await stack.enter_async_context(running(settings, ready=ready))

        yield start


@pytest.fixture
async def server() -> AsyncIterator[OcrServer]:
    """The scripted engine, two workers, ready."""
    async with running() as server:
        yield server


@pytest.fixture
async def channel(server: OcrServer) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


@dataclass
class RedisServer:
    """A Redis on a port of this machine; it keeps nothing on disk."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def running_redis(folder: Path, port: int = 0) -> Iterator[RedisServer]:
    """Start the installed Redis, and end it."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    options = f"--bind 127.0.0.1 --port {port} --dir {folder} --appendonly no --loglevel warning".split()
    process = subprocess.Popen(["redis-server", *options, "--save", ""], stdout=subprocess.DEVNULL)
    server = RedisServer(port, process)
    try:
        until = monotonic() + 30
        while not server.answers():
            assert monotonic() < until, "Redis did not start"
            assert process.poll() is None, "Redis ended"
            sleep(0.02)
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for this test."""
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start one on a port, to come back after another one there."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(running_redis(tmp_path, port))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with DeepSeek-OCR's files, half a megabyte of them."""
    from pecia_ocr.engines.deepseek.testing import write  # noqa: PLC0415 - needs torch

    return write(tmp_path_factory.mktemp("deepseek") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint: Path) -> "LoadedModel":
    """It, loaded in single precision."""
    import torch  # noqa: PLC0415 - not everywhere
    from pecia_ocr.engines.deepseek.loader import load_model  # noqa: PLC0415 - needs torch

    return load_model(tiny_checkpoint, dtype=torch.float)


@pytest.fixture
def start(tiny_model: "LoadedModel") -> Iterator[Callable[..., "Scheduler"]]:
    """Start schedulers that never see an end token; nothing may be left in them.

    The first argument is another model, the named ones are fields of `SchedulerLimits`.
    """
    from pecia_ocr.engines.deepseek.profiles import NGram  # noqa: PLC0415 - needs torch
    from pecia_ocr.engines.deepseek.scheduler import Scheduler, SchedulerLimits  # noqa: PLC0415 - needs torch

    usual = SchedulerLimits(slots=3, max_length=512, ngram=NGram(8, 64))
    endless = replace(tiny_model, profile=replace(tiny_model.profile, eos_token_id=-1))
    started = []

    def begin(model: "LoadedModel | None" = None, **limits: Any) -> "Scheduler":
        started.append(Scheduler(model or endless, replace(usual, **limits)))
        return started[-1]

    yield begin
    for scheduler in started:
        # One that was ended, by a test or by a failure, no longer cares for its slots.
        well = scheduler.idle and not scheduler._closed
        scheduler.close()
        assert scheduler.idle
        assert not (well and scheduler._rounds.runner.cache.rows.taken.any())
