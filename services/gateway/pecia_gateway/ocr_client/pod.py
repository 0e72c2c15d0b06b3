"""One pod of the ocr service: its connection, and what is known of its load."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import grpc
from pecia.ocr.v1 import ocr_pb2_grpc

from pecia_gateway.ocr_client.fleet import PodView
from pecia_gateway.settings import OcrSettings

_AVOIDED_S = 2.0
Options = list[tuple[str, str | int]]


class Pod:
    """A channel to one address; round robin inside gRPC is never asked."""

    def __init__(self, address: str, name: str, settings: OcrSettings) -> None:
        """Connect when first used.

        Args:
            address: ip:port, or [ip]:port.
            name: what the caller wrote in the target, for the certificate.
            settings: transport security and message limits.
        """
        self.address = address
        self.outstanding = 0
        self.free_slots: int | None = None
        self.queue_length: int | None = None
        self.reachable = True
        self._avoided_until = 0.0
        self._channel = _channel(address, name, settings)
        self.stub = ocr_pb2_grpc.OcrServiceStub(self._channel)

    @property
    def draining(self) -> bool:
        """Whether it refused a call a moment ago for more than want of room."""
        return time.monotonic() < self._avoided_until

    def avoid(self) -> None:
        """Ask others first for a while: it is draining, loading or gone."""
        self._avoided_until = time.monotonic() + _AVOIDED_S

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Best first: least outstanding, then most free slots, then the shortest queue."""
        return (self.draining, self.outstanding, -(self.free_slots or 0), self.queue_length or 0)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count one call while it is outstanding."""
        self.outstanding += 1
        try:
            yield
        finally:
            self.outstanding -= 1

    def note(self, trailers: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Believe the load a reply carries, if it makes sense."""
        said = {key: value for key, value in trailers or () if isinstance(value, str) and value.isdigit()}
        if "pecia-free-slots" in said:
            self.free_slots = int(said["pecia-free-slots"])
            self.queue_length = int(said.get("pecia-queue-length", "0"))

    def view(self) -> PodView:
        """What this gateway knows of it."""
        return PodView(
            self.address, self.reachable, self.draining, self.outstanding, self.free_slots, self.queue_length
        )

    async def close(self, grace_s: float | None = None) -> None:
        """Drop the connection, once its calls have ended or the grace is over (seconds; None = at once)."""
        await self._channel.close(grace_s)


def _channel(address: str, name: str, settings: OcrSettings) -> grpc.aio.Channel:
    options: Options = [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Each pod its own connection, found again soon after it was away.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    if settings.keepalive_s:
        options.append(("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)))
    family = "ipv6" if address.startswith("[") else "ipv4"
    target = f"{family}:{quote(address, safe=':.') if family == 'ipv6' else address}"
    credentials = _credentials(settings)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options)
    options.append(("grpc.ssl_target_name_override", settings.tls.server_name or name))
    return grpc.aio.secure_channel(target, credentials, options)


def _credentials(settings: OcrSettings) -> grpc.ChannelCredentials | None:
    tls = settings.tls
    if tls.ca_file is None:
        return None
    key = tls.key_file.read_bytes() if tls.key_file else None
    chain = tls.cert_file.read_bytes() if tls.cert_file else None
    return grpc.ssl_channel_credentials(tls.ca_file.read_bytes(), key, chain)
