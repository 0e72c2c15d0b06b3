"""What runs, where, and how the parts find each other."""

import pytest
from pecia_standalone.services import api_url, page_url, services
from pecia_standalone.settings import Settings


def test_the_parts_find_each_other(settings: Settings) -> None:
    """The gateway is told where the ocr service is, the page where the gateway is."""
    ocr, gateway, ui = services(settings)
    assert gateway.environment["PECIA_OCR__TARGET"] == f"127.0.0.1:{ocr.port}"
    assert ui.environment["PECIA_API__BASE"] == f"http://127.0.0.1:{gateway.port}"
    assert ocr.environment["PECIA_GRPC__PORT"] == str(ocr.port)


def test_a_laptop_is_not_opened_to_its_network() -> None:
    """Unless told otherwise everything binds 127.0.0.1."""
    assert {service.host for service in services(Settings())} == {"127.0.0.1"}


def test_the_ocr_service_stays_inside_even_when_the_rest_is_opened() -> None:
    """--host 0.0.0.0 opens the gateway and the page; they are still reached over loopback from here."""
    settings = Settings(host="0.0.0.0")
    ocr, gateway, ui = services(settings)
    assert (ocr.host, gateway.host, ui.host) == ("127.0.0.1", "0.0.0.0", "0.0.0.0")
    assert api_url(settings) == "http://127.0.0.1:8000"
    assert ui.environment["PECIA_API__BASE"] == "http://127.0.0.1:8000"


def test_without_a_page_there_are_two() -> None:
    """--no-ui leaves the page out."""
    assert [service.name for service in services(Settings(ui=False))] == ["ocr", "gateway"]


def test_ports_carry_the_names_the_services_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """PECIA_HTTP__PORT moves the gateway whether it is started alone or from here."""
    monkeypatch.setenv("PECIA_HTTP__PORT", "9000")
    monkeypatch.setenv("PECIA_UI__PORT", "9001")
    monkeypatch.setenv("PECIA_GRPC__PORT", "9002")
    assert [service.port for service in services(Settings())] == [9002, 9000, 9001]


def test_an_ipv6_address_stands_in_brackets() -> None:
    """URLs of ::1 can be opened."""
    settings = Settings(host="::1")
    assert (api_url(settings), page_url(settings)) == ("http://[::1]:8000", "http://[::1]:8501")
