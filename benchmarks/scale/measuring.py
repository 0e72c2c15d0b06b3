"""What this machine can measure of what a large fleet costs: looking at pods, choosing one, a page in SQL."""

import asyncio
import os
import time
from dataclasses import dataclass
from random import Random

import asyncpg
import grpc
import psutil
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_dispatch.addresses import Address
from pecia_dispatch.channel import open_channel
from pecia_dispatch.settings import OcrSettings
from pecia_identity.certificates import PaperFiles
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.testing import PostgresServer, postgres

from benchmarks.jobs import claiming
from benchmarks.processes import cpu_seconds, free_port, our_command, running
from benchmarks.scale.views import Dispatch
from benchmarks.spread import Spread, spread

_READY = 30_000
_BEATS = 500


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU in milliseconds, memory in KiB, log in bytes; each with its spread over the rounds."""

    choose_ms: dict[int, Spread]  # by number of pods
    describe_client_ms: Spread
    describe_server_ms: Spread
    connect_client_ms: Spread  # opening a connection and its first Describe
    connect_server_ms: Spread
    channel_kib: Spread
    pages_per_s: Spread  # claimed and recorded, by one PostgreSQL on this machine
    database_ms: Spread  # of the server, a page
    worker_ms: Spread  # of the claimer, a page
    wal_bytes: Spread  # a page claimed and recorded
    beat_wal_bytes: Spread  # a lease renewed


def measure(rounds: int, pods: tuple[int, ...], calls: int, seconds: float) -> Measured:
    """Everything once a round: `calls` Describes, `seconds` of SQL."""
    choosing = {count: spread([_choosing_ms(count) for _ in range(rounds)]) for count in pods}
    looks = asyncio.run(_looks(rounds, calls))
    pages, beats = _pages(rounds, seconds)
    asking, answering, connecting, connected, held = map(spread, zip(*looks, strict=True))
    per_s, database, worker, log = map(spread, zip(*pages, strict=True))
    return Measured(
        choose_ms=choosing,
        describe_client_ms=asking,
        describe_server_ms=answering,
        connect_client_ms=connecting,
        connect_server_ms=connected,
        channel_kib=held,
        pages_per_s=per_s,
        database_ms=database,
        worker_ms=worker,
        wal_bytes=log,
        beat_wal_bytes=spread(beats),
    )


def _choosing_ms(pods: int) -> float:
    view = Dispatch(pods, time.monotonic, Random(0))
    view.described([8] * pods, [0] * pods)
    times = max(20, 20_000 // pods)
    began = time.process_time()
    for number in range(times):
        view.choose(())
        view.began(number % pods)
    return 1e3 * (time.process_time() - began) / times


async def _looks(rounds: int, calls: int) -> list[tuple[float, ...]]:
    """The real ocr service with the scripted engine, asked what it offers over one and over many channels."""
    port = free_port()
    engines = {"PECIA_ENGINES__RAPID": "false", "PECIA_ENGINES__TESSERACT": "false"}
    settings = {"PECIA_ENGINES__SCRIPTED": "true", "PECIA_GRPC__PORT": str(port)} | engines
    with running(
        our_command("pecia_ocr"), "scale-ocr", settings | {"PECIA_TELEMETRY__LOG_LEVEL": "WARNING"}
    ) as pid:
        address = Address("127.0.0.1", port, "ocr")
        await _up(address)
        return [await _look(address, pid, calls) for _ in range(rounds)]


def _channel(address: Address) -> grpc.aio.Channel:
    return open_channel(address, OcrSettings(), PaperFiles().read())


async def _up(address: Address) -> None:
    end = time.monotonic() + 60
    channel = _channel(address)
    while time.monotonic() < end:
        try:
            await ocr_pb2_grpc.OcrServiceStub(channel).Describe(ocr_pb2.DescribeRequest(), timeout=2)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.2)
        else:
            break
    await channel.close()


async def _look(address: Address, pid: int, calls: int) -> tuple[float, ...]:
    channel = _channel(address)
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    await stub.Describe(ocr_pb2.DescribeRequest())
    ours, theirs = time.process_time(), cpu_seconds([pid])
    for _ in range(calls):
        await stub.Describe(ocr_pb2.DescribeRequest())
    described = time.process_time() - ours, cpu_seconds([pid]) - theirs
    await channel.close()
    many = calls // 5
    ours, theirs, held = time.process_time(), cpu_seconds([pid]), _resident_kib()
    channels = [_channel(address) for _ in range(many)]
    for one in channels:
        await ocr_pb2_grpc.OcrServiceStub(one).Describe(ocr_pb2.DescribeRequest())
    grown = _resident_kib() - held
    connected = time.process_time() - ours, cpu_seconds([pid]) - theirs
    await asyncio.gather(*(one.close() for one in channels))
    return *(1e3 * s / calls for s in described), *(1e3 * s / many for s in connected), max(grown, 0.0) / many


def _resident_kib() -> float:
    return psutil.Process(os.getpid()).memory_info().rss / 1024


def _pages(rounds: int, seconds: float) -> tuple[list[tuple[float, ...]], list[float]]:
    """Pages claimed and recorded by four claimers, with limits; the server syncs its log."""
    with postgres(durable=True) as server:
        pids = _processes_of(server)
        url = asyncio.run(claiming.filled(server, _READY * rounds, tenants=8))
        return [_round(server, url, pids, seconds) for _ in range(rounds)], [
            asyncio.run(_beats(server, url)) for _ in range(rounds)
        ]


def _round(server: PostgresServer, url: str, pids: list[int], seconds: float) -> tuple[float, ...]:
    log, cpu = asyncio.run(_written(server)), cpu_seconds(pids)
    found = claiming.claimed(url, _READY, 4, seconds, recorded=True)
    pages = max(found.pages, 1)
    return (
        found.per_second,
        1e3 * (cpu_seconds(pids) - cpu) / pages,
        found.cpu_ms,
        (asyncio.run(_written(server)) - log) / pages,
    )


async def _beats(server: PostgresServer, url: str) -> float:
    """Log bytes of renewing one of 64 leases, as a worker with as many pages does it."""
    database = Database(url)
    leases = Leases(database)
    tokens = [lease.token for lease in await leases.claim("w", 64)]
    before = await _written(server)
    for _ in range(_BEATS // 64 + 1):
        await leases.beat("w", tokens)
    after = await _written(server)
    await leases.release(tokens)
    await database.close()
    return (after - before) / (64 * (_BEATS // 64 + 1))


async def _written(server: PostgresServer) -> float:
    """Bytes of the server's log so far."""
    connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
    try:
        return float(await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))
    finally:
        await connection.close()


def _processes_of(server: PostgresServer) -> list[int]:
    folder = server.url().partition("host=")[2]
    found = psutil.process_iter(["cmdline"])
    return [
        process.pid for process in found if any(folder in word for word in process.info["cmdline"] or ())
    ][:1]
