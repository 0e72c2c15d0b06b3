"""The composition root: settings -> lanes -> pipeline -> servicer -> server, and their end."""

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.telemetry import RequestMetrics, configure_logging
from pecia_core.vocabulary import EngineName, EngineState
from pecia_identity.audit_log import AuditLog
from pecia_wall import probe
from prometheus_client import CollectorRegistry, start_http_server

from pecia_ocr.admission import Admission
from pecia_ocr.authentication import Door
from pecia_ocr.blobs import BlobFolder
from pecia_ocr.cache import Elsewhere, LayeredStore, MemoryStore, RedisLink, Results, SharedStore, Store
from pecia_ocr.decoding import DecodeLimits
from pecia_ocr.fallback import Ladder
from pecia_ocr.interceptors import CallBoundary
from pecia_ocr.pipeline import Pipeline
from pecia_ocr.registry import Registry
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.process import EngineSpec
from pecia_ocr.servicer import OcrServicer
from pecia_ocr.settings import (
    CacheSettings,
    Settings,
    gpu_environment,
    usable_cores,
    worker_environment,
)
from pecia_ocr.transport import HealthPort, server_credentials
from pecia_ocr.witness import Witness

log = logging.getLogger(__name__)

SERVICE = ocr_pb2.DESCRIPTOR.services_by_name["OcrService"].full_name
_BROKEN = 3
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class OcrServer:
    """The whole service in one process, without its signals."""

    def __init__(self, settings: Settings) -> None:
        """Put everything together; nothing runs yet."""
        self.settings = settings
        self.lanes = build_lanes(settings)
        self.registry = Registry(self.lanes, autofallback=settings.gpu_autofallback)
        self.health = health.aio.HealthServicer()
        self.port = 0
        self.metrics_registry = CollectorRegistry()
        self.audit = AuditLog(settings.audit, "ocr")
        self._draining = False
        self.broken = asyncio.Event()
        self._server = self._build_server()

    def _build_server(self) -> grpc.aio.Server:
        settings = self.settings
        metrics = RequestMetrics(self.metrics_registry, "ocr")
        door = Door(settings, self.audit)
        boundary = CallBoundary(door, self.registry, metrics)
        server = grpc.aio.server(interceptors=(boundary,), options=_options(settings))
        store, elsewhere = build_cache(settings.cache)
        results = Results(store, _setup(settings), self.metrics_registry)
        admission = Admission(settings.limits)
        ladder = Ladder(self.registry, self.metrics_registry)
        witness = Witness(ladder, settings.deepseek, self.metrics_registry)
        self.pipeline = Pipeline(witness, admission, results, elsewhere, settings.inference_timeout_s)
        most = settings.limits.max_picture_bytes
        blobs = BlobFolder(settings.blobs.root, most, apart=not door.open)
        ocr_pb2_grpc.add_OcrServiceServicer_to_server(OcrServicer(self.pipeline, blobs, settings), server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        if settings.grpc.reflection:
            names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
            reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
        return server

    async def start(self) -> None:
        """Answer health at once; load the engines in the background."""
        address = f"{self.settings.grpc.host}:{self.settings.grpc.port}"
        credentials = server_credentials(self.settings.tls)
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self._health_port = HealthPort(self.health, self.settings.grpc)
        await self._update_health()
        await self._server.start()
        await self._health_port.start()
        if self.settings.telemetry.metrics_port:
            start_http_server(self.settings.telemetry.metrics_port, registry=self.metrics_registry)
        log.info("Listening", extra={"address": f"{self.settings.grpc.host}:{self.port}"})
        for lane in self.lanes:
            lane.on_change = self._on_lane_change
            lane.start()

    def _on_lane_change(self) -> None:
        self._health_task = asyncio.ensure_future(self._update_health())
        if self._is_broken:
            self.broken.set()

    @property
    def _is_broken(self) -> bool:
        """Whether only a new process may mend it: no engine works, or one that did is lost for good."""
        dead = [lane.state in (EngineState.UNAVAILABLE, EngineState.FAILED) for lane in self.lanes]
        return (bool(dead) and all(dead)) or any(lane.lost for lane in self.lanes)

    async def _update_health(self) -> None:
        """The nameless service says the process is alive and not broken, the named ones who can answer."""
        await self.health.set("", _NOT_SERVING if self._is_broken else _SERVING)
        serving = self.registry.ready and not self._draining
        await self.health.set(SERVICE, _SERVING if serving else _NOT_SERVING)
        for lane in self.lanes:
            ready = lane.state == EngineState.READY and not self._draining
            await self.health.set(lane.name, _SERVING if ready else _NOT_SERVING)

    async def stop(self) -> None:
        """Take no more calls, finish what runs, end the workers."""
        self._draining = True
        await self._update_health()
        await self._server.stop(self.settings.inference_timeout_s)
        await self.pipeline.close()
        for lane in self.lanes:
            await lane.close()
        await self._health_port.stop()
        await asyncio.to_thread(self.audit.close)


def build_cache(cache: CacheSettings) -> tuple[Store | None, Elsewhere]:
    """Where results are kept, None = nowhere, and who else reads.

    Raises:
        ValueError: the address of Redis is none.
    """
    if not cache.enabled:
        return None, Elsewhere()
    near = MemoryStore(cache.max_bytes, cache.ttl_s)
    url = cache.redis_url.get_secret_value() if cache.redis_url else ""
    if not url:
        return near, Elsewhere()
    link = RedisLink(url)
    far = SharedStore(link, cache.ttl_s)
    return LayeredStore(near, far), Elsewhere(link, far)


def _setup(settings: Settings) -> str:
    """What may change a reading although the engine's revision is the same: another version or setting."""
    return (
        f"{version('pecia-ocr')} {settings.engines.model_dump_json()} {settings.deepseek.model_dump_json()}"
    )


def build_lanes(settings: Settings) -> list[Lane]:
    """One lane per engine that is switched on, best first."""
    engines = settings.engines
    lanes = []
    if settings.gpu_enabled and settings.deepseek.server_url:
        lanes.append(Lane(_remote(settings), workers=1))
    elif settings.gpu_enabled and settings.model_path is not None:
        lanes.append(Lane(_deepseek(settings, settings.model_path), workers=1))
    if engines.rapid:
        lanes.append(Lane(_rapid(settings), engines.rapid_workers or usable_cores()))
    if engines.tesseract and engines.tesseract_workers:
        config = {"languages": list(engines.tesseract_languages)}
        lanes.append(Lane(_spec(settings, EngineName.TESSERACT, config), engines.tesseract_workers))
    if engines.scripted:
        spec = _spec(settings, EngineName.SCRIPTED, {"script": engines.scripted_script})
        pages = engines.scripted_pages_per_worker
        lanes.append(Lane(replace(spec, pages_at_once=pages), engines.scripted_workers))
    return lanes


def _deepseek(settings: Settings, model_path: Path) -> EngineSpec:
    """One process owns the GPU; its pages share every step."""
    deepseek = settings.deepseek
    config = {
        "folder": str(model_path),
        "device": deepseek.device,
        "slots": deepseek.pages_at_once,
        "max_tokens": deepseek.max_tokens,
        "memory_gb": deepseek.memory_gb,
        "public_key": deepseek.signing_key_file.read_text("utf-8") if deepseek.signing_key_file else "",
    }
    return replace(
        _spec(settings, EngineName.DEEPSEEK, config),
        environment=worker_environment() | gpu_environment(),
        pages_at_once=deepseek.pages_at_once,
    )


def _remote(settings: Settings) -> EngineSpec:
    """One process asks the server for all pages. It alone of all workers has a key and uses the network."""
    deepseek = settings.deepseek
    config = {
        "url": deepseek.server_url,
        "profile": deepseek.server_profile,
        "model": deepseek.server_model,
        "api_key": deepseek.server_key.get_secret_value() if deepseek.server_key else "",
        "silence_s": deepseek.server_silence_s,
    }
    return replace(_spec(settings, EngineName.DEEPSEEK, config), pages_at_once=deepseek.pages_at_once)


def _rapid(settings: Settings) -> EngineSpec:
    engines = settings.engines
    config = {
        "threads": engines.rapid_threads,
        "runtime": engines.rapid_runtime,
        "precision": engines.rapid_precision,
        "script": engines.rapid_script,
    }
    return replace(
        _spec(settings, EngineName.RAPID, config),
        pages_at_once=engines.rapid_pages_per_worker,
        max_resident_bytes=engines.rapid_max_resident_mb << 20,
    )


def _spec(settings: Settings, name: EngineName, config: Mapping[str, object]) -> EngineSpec:
    return EngineSpec(
        name=name,
        config=dict(config),
        environment=worker_environment(),
        load_timeout_s=settings.engines.load_timeout_s,
        reload_patience_s=settings.engines.reload_patience_s,
        cancel_grace_s=settings.engines.cancel_grace_s,
        log_level=settings.telemetry.log_level,
        decoding=_decoding(settings),
    )


def _decoding(settings: Settings) -> DecodeLimits:
    limits = settings.limits
    return DecodeLimits(
        limits.max_picture_pixels, limits.decode_memory_mb << 20, limits.decode_s, settings.wall.required
    )


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.grpc.max_message_bytes),
        ("grpc.max_send_message_length", settings.grpc.max_message_bytes),
        ("grpc.max_connection_age_ms", settings.grpc.max_connection_age_s * 1000),
        # A call that runs when its connection grows old is let finish.
        ("grpc.max_connection_age_grace_ms", int(settings.inference_timeout_s * 1000)),
        # Callers ping while a page is read; by default gRPC hangs up on the third ping of a silent call.
        ("grpc.http2.min_ping_interval_without_data_ms", settings.grpc.min_ping_interval_s * 1000),
        ("grpc.so_reuseport", 0),
    ]


async def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT, then drain; or until no engine can be loaded, where that is wished.

    Returns:
        The exit status: 3 = no engine could be loaded, or one was lost.
    """
    configure_logging("ocr", settings.telemetry.log_level)
    probe.check(required=settings.wall.required)
    server = OcrServer(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    waited = {asyncio.create_task(stop.wait())}
    if settings.engines.exit_when_broken:
        waited.add(asyncio.create_task(server.broken.wait()))
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    reasons = " ".join(lane.reason for lane in server.lanes if lane.reason)
    lost = any(lane.lost for lane in server.lanes)
    log.info("Draining")
    await server.stop()
    log.info("Stopped")
    if stop.is_set():
        return 0
    log.error("An engine was lost" if lost else "No engine could be loaded", extra={"reason": reasons})
    return _BROKEN
