"""Ports that cannot be had are told before anything starts."""

import socket
from collections.abc import Callable

import pytest
from pecia_standalone.ports import PortTaken, check_free
from pecia_standalone.services import Service


def test_a_taken_port_is_named_with_the_way_out(stand_in: Callable[..., Service]) -> None:
    """Which service, which port, and the flag that changes it."""
    service = stand_in("gateway")
    with socket.create_server(("127.0.0.1", service.port)), pytest.raises(PortTaken) as caught:
        check_free([service])
    assert str(caught.value) == (
        f"Port {service.port} is taken, and gateway needs it. Is pecia running already? "
        f"Otherwise choose another: --port {service.port + 1}"
    )


def test_two_services_cannot_share_a_port(stand_in: Callable[..., Service]) -> None:
    """A slip in the flags is found at once."""
    first = stand_in("ocr")
    with pytest.raises(PortTaken, match="ui and ocr cannot both have port"):
        check_free([first, stand_in("ui", port=first.port)])


def test_a_port_that_was_just_used_is_free(stand_in: Callable[..., Service]) -> None:
    """Connections that linger after a stop do not forbid the next start."""
    service = stand_in("ocr")
    with socket.create_server(("127.0.0.1", service.port)) as server:
        client = socket.create_connection(("127.0.0.1", service.port))
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
        client.close()
    check_free([service])


def test_an_address_of_somebody_else_is_told(stand_in: Callable[..., Service]) -> None:
    """Binding an address this machine does not have is an error in words."""
    service = stand_in("gateway")
    elsewhere = Service("gateway", "m", "192.0.2.1", service.port, "", "--port")
    with pytest.raises(PortTaken, match=r"gateway cannot have 192\.0\.2\.1"):
        check_free([elsewhere])
