"""What runs, where, and how the parts find each other."""

import pytest
from pecia_standalone.services import api_url, page_url, services
from pecia_standalone.settings import Settings


def test_the_parts_find_each_other(settings: Settings) -> None:
    """The gateway is told where the ocr service is, the page where the gateway is."""
    ocr, gateway, worker, ui = services(settings)
    assert gateway.environment["PECIA_OCR__TARGET"] == f"127.0.0.1:{ocr.port}"
    assert worker.environment["PECIA_OCR__TARGET"] == f"127.0.0.1:{ocr.port}"
    assert ui.environment["PECIA_API__BASE"] == f"http://127.0.0.1:{gateway.port}"
    assert ocr.environment["PECIA_GRPC__PORT"] == str(ocr.port)


def test_a_laptop_is_not_opened_to_its_network() -> None:
    """Unless told otherwise everything binds 127.0.0.1."""
    assert {service.host for service in services(Settings())} == {"127.0.0.1"}


def test_the_ocr_service_stays_inside_even_when_the_rest_is_opened() -> None:
    """--host 0.0.0.0 opens the gateway and the page; they are still reached over loopback from here."""
    settings = Settings(host="0.0.0.0")
    ocr, gateway, worker, ui = services(settings)
    assert (ocr.host, worker.host) == ("127.0.0.1", "127.0.0.1")
    assert (gateway.host, ui.host) == ("0.0.0.0", "0.0.0.0")
    assert api_url(settings) == "http://127.0.0.1:8000"
    assert ui.environment["PECIA_API__BASE"] == "http://127.0.0.1:8000"


def test_the_gateway_and_the_worker_see_the_same_jobs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file and a folder of this machine, unless a database or a bucket is named."""
    _, gateway, worker, _ = services(settings)
    names = ("PECIA_DATABASE__URL", "PECIA_BLOBS__URL")
    assert [gateway.environment[name] for name in names] == [
        f"sqlite:///{settings.jobs}/jobs.sqlite3",
        f"{settings.jobs}/blobs",
    ]
    assert [worker.environment[name] for name in names] == [gateway.environment[name] for name in names]
    assert gateway.environment["PECIA_WEBHOOKS__KEYS_FILE"] == f"{settings.jobs}/webhook.keys"
    monkeypatch.setenv("DATABASE_URL", "postgresql://there/jobs")
    monkeypatch.setenv("CF_R2_BUCKET_NAME", "scans")
    _, gateway, _, _ = services(Settings())
    assert gateway.environment["PECIA_DATABASE__URL"] == "postgresql://there/jobs"
    assert "PECIA_BLOBS__URL" not in gateway.environment


def test_a_worker_gives_pages_back_before_it_would_be_killed(settings: Settings) -> None:
    """Its own grace is shorter than the supervisor's."""
    _, _, worker, _ = services(settings)
    assert float(worker.environment["PECIA_WORKER__DRAIN_S"]) < settings.stop_timeout_s


def test_without_a_page_there_are_three() -> None:
    """--no-ui leaves the page out."""
    assert [service.name for service in services(Settings(ui=False))] == ["ocr", "gateway", "worker"]


def test_ports_carry_the_names_the_services_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """PECIA_HTTP__PORT moves the gateway whether it is started alone or from here."""
    monkeypatch.setenv("PECIA_HTTP__PORT", "9000")
    monkeypatch.setenv("PECIA_UI__PORT", "9001")
    monkeypatch.setenv("PECIA_GRPC__PORT", "9002")
    monkeypatch.setenv("PECIA_HEALTH__PORT", "9003")
    assert [service.port for service in services(Settings())] == [9002, 9000, 9003, 9001]


def test_an_ipv6_address_stands_in_brackets() -> None:
    """URLs of ::1 can be opened."""
    settings = Settings(host="::1")
    assert (api_url(settings), page_url(settings)) == ("http://[::1]:8000", "http://[::1]:8501")


def test_one_setting_makes_calls_secure(settings: Settings) -> None:
    """Each side is told where its papers lie, by names of one folder; without it, nobody is."""
    ocr, gateway, worker, ui = services(settings.model_copy(update={"secure": True}))
    for who, caller in (("gateway", gateway), ("worker", worker)):
        given = caller.environment
        assert given["PECIA_OCR__TLS__CERT_FILE"].endswith(f"{who}.crt")
        assert given["PECIA_OCR__TLS__CA_FILE"] == ocr.environment["PECIA_TLS__CLIENT_CA_FILE"]
        assert given["PECIA_OCR__ASSERTION__KEY_FILE"].endswith("signing.pem")
    assert ocr.environment["PECIA_ASSERTION__KEYS_FILE"].endswith("verifying.pem")
    assert not any("TLS" in name for name in ui.environment)
    for plain in services(settings):
        assert not any("TLS" in name or "ASSERTION" in name for name in plain.environment)
