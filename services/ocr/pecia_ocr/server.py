"""The composition root: settings -> lanes -> pipeline -> servicer -> server, and their end."""

import asyncio
import logging
import signal
from importlib.metadata import version

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.telemetry import RequestMetrics, configure_logging, show_walls
from pecia_core.vocabulary import EngineState
from pecia_identity.audit_log import AuditLog
from pecia_wall import Bearing, Walls, probe
from prometheus_client import CollectorRegistry, start_http_server

from pecia_ocr.admission import Admission
from pecia_ocr.authentication import Door
from pecia_ocr.blobs import BlobFolder
from pecia_ocr.cache import Elsewhere, LayeredStore, MemoryStore, RedisLink, Results, SharedStore, Store
from pecia_ocr.fallback import Ladder
from pecia_ocr.interceptors import CallBoundary
from pecia_ocr.lanes import build_lanes
from pecia_ocr.pipeline import Pipeline
from pecia_ocr.registry import Registry
from pecia_ocr.servicer import OcrServicer, Told
from pecia_ocr.settings import CacheSettings, Settings
from pecia_ocr.together import Together
from pecia_ocr.transport import HealthPort, server_credentials
from pecia_ocr.witness import Witness

log = logging.getLogger(__name__)

SERVICE = ocr_pb2.DESCRIPTOR.services_by_name["OcrService"].full_name
_BROKEN = 3
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class OcrServer:
    """The whole service in one process, without its signals."""

    def __init__(self, settings: Settings, bearing: Bearing | None = None) -> None:
        """Put everything together; nothing runs yet.

        Args:
            settings: of this service.
            bearing: what holds the processes that decode, to be told; None = nobody has looked.
        """
        self.settings = settings
        self.walls = _walls(settings, bearing) if bearing else None
        self.lanes = build_lanes(settings)
        self.registry = Registry(self.lanes, autofallback=settings.gpu_autofallback)
        self.health = health.aio.HealthServicer()
        self.port = 0
        self.metrics_registry = CollectorRegistry()
        if self.walls:
            show_walls(self.metrics_registry, "ocr", self.walls)
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
        together = Together(self.pipeline, witness, admission, self.metrics_registry)
        most = settings.limits.max_picture_bytes
        blobs = BlobFolder(settings.blobs.root, most, apart=not door.open)
        told = Told(lambda: door.uses, self.walls)
        ocr_pb2_grpc.add_OcrServiceServicer_to_server(OcrServicer(together, blobs, settings, told), server)
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


def _walls(settings: Settings, bearing: Bearing) -> Walls:
    return Walls(bearing, settings.limits.decode_memory_mb << 20, settings.limits.decode_s)


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
    server = OcrServer(settings, probe.check(required=settings.wall.required))
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
