"""The ports of the service: with TLS whose certificates change while it runs, and a plain one for probes."""

import logging

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from pecia_identity.certificates import PaperFiles, Papers
from pecia_identity.watched import Watched

from pecia_ocr.settings import GrpcSettings, TlsSettings

_log = logging.getLogger(__name__)


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """What the service shows and demands; None = no TLS. New files count from the next connection on.

    Raises:
        ValueError: the files hold no certificate, key or authority, or do not belong together.
        OSError: a file cannot be read.
    """
    if tls.cert_file is None and tls.key_file is None:
        return None
    files = PaperFiles(tls.cert_file, tls.key_file, tls.client_ca_file)
    shown = _Shown(Watched("certificates of the ocr service", files.there, files.read, tls.reload_s))
    return grpc.dynamic_ssl_server_credentials(
        shown.first(),
        shown.changed,  # type: ignore[arg-type]  # None = nothing new, as gRPC documents
        require_client_authentication=tls.client_ca_file is not None,
    )


class _Shown:
    """Tells gRPC, which asks at every handshake and in threads of its own, what is new."""

    def __init__(self, papers: Watched[Papers]) -> None:
        self._papers = papers
        self._last = papers.now()
        _warn(self._last)

    def first(self) -> grpc.ServerCertificateConfiguration:
        return _configuration(self._last)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        papers = self._papers.now()
        if papers == self._last:
            return None
        self._last = papers
        _warn(papers)
        return _configuration(papers)


def _configuration(papers: Papers) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(papers.key, papers.certificate)], papers.authorities or None
    )


def _warn(papers: Papers) -> None:
    if ended := papers.ended():
        _log.error(
            "Callers will refuse this service: %s. Renew PECIA_TLS__CERT_FILE; no restart is needed", ended
        )


class HealthPort:
    """grpc.health.v1 without TLS on a port of its own; nothing else answers there."""

    def __init__(self, servicer: health.aio.HealthServicer, settings: GrpcSettings) -> None:
        """Answer what `servicer` knows, where the settings name a port."""
        self._server: grpc.aio.Server | None = None
        if settings.health_port:
            self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
            health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
            self._server.add_insecure_port(f"{settings.host}:{settings.health_port}")

    async def start(self) -> None:
        """Listen."""
        if self._server is not None:
            await self._server.start()

    async def stop(self) -> None:
        """Hang up: it answers until the very end of the service."""
        if self._server is not None:
            await self._server.stop(grace=0)
