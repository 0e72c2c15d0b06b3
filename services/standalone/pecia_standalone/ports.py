"""Whether the ports are free, asked before anything is started."""

import errno
import socket
from collections.abc import Iterable

from pecia_standalone.services import Service


class PortTaken(Exception):
    """A service cannot have its port; says which and how to choose another."""


def check_free(services: Iterable[Service]) -> None:
    """Raise PortTaken for the first port that cannot be had."""
    taken: dict[int, str] = {}
    for service in services:
        if service.port in taken:
            raise PortTaken(
                f"{service.name} and {taken[service.port]} cannot both have port {service.port}. "
                f"Choose another: {service.flag} {service.port + 1}"
            )
        taken[service.port] = service.name
        _bind(service)


def _bind(service: Service) -> None:
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers bind; the ports of connections that just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((service.host, service.port))
        except OSError as failure:
            raise PortTaken(_why(service, failure)) from failure


def _why(service: Service, failure: OSError) -> str:
    if failure.errno == errno.EADDRINUSE:
        return (
            f"Port {service.port} is taken, and {service.name} needs it. Is pecia running already? "
            f"Otherwise choose another: {service.flag} {service.port + 1}"
        )
    return f"{service.name} cannot have {service.host}:{service.port}: {failure.strerror}."
