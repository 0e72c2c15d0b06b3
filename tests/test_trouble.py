"""A gateway that cannot use its ocr service says why, and what to set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from pecia_core.errors import Unavailable
from pecia_core.keys import create_key
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch import Call, OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_ocr.testing import picture, running, scripted_settings


async def told(port: int, **ocr: Any) -> str:
    """The reason a gateway gives that is set up like this; /ready and /health agree, and nobody waits."""
    app = create_app(Settings.model_validate({"ocr": {"target": f"localhost:{port}", **ocr}}))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", timeout=30)
    async with app.router.lifespan_context(app), client:
        ready, health = await client.get("/ready"), await client.get("/health")
    assert (ready.status_code, health.status_code) == (503, 200)
    assert ready.json()["reason"] == health.json()["reason"]
    return str(ready.json()["reason"])


@pytest.mark.parametrize(
    ("ocr", "reason"),
    [
        ({}, "The ocr service asks for a key: set PECIA_OCR__BEARER_KEY"),
        ({"bearer_key": "pk-of-somebody"}, "does not know the key in PECIA_OCR__BEARER_KEY"),
    ],
)
async def test_a_missing_or_wrong_key(tmp_path: Path, ocr: Mapping[str, Any], reason: str) -> None:
    """The setting is named, and the key is not."""
    (tmp_path / "keys.toml").write_text(create_key("acme")[1])
    async with running(scripted_settings(auth={"keys_file": tmp_path / "keys.toml"})) as server:
        said = await told(server.port, **ocr)
    assert reason in said
    assert "pk-of-somebody" not in said


async def test_an_ocr_service_that_speaks_tls_only(tmp_path: Path) -> None:
    """A gateway without an authority's file is told which setting wants one; so is one with a wrong file."""
    authority, other = trustme.CA(), trustme.CA()
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    own.private_key_pem.write_to_path(tmp_path / "key")
    other.cert_pem.write_to_path(tmp_path / "other")
    tls = {"cert_file": tmp_path / "cert", "key_file": tmp_path / "key"}
    async with running(scripted_settings(tls=tls)) as server:
        assert "PECIA_OCR__TLS__CA_FILE" in await told(server.port)
        assert "PECIA_OCR__TLS__CA_FILE" in await told(server.port, tls={"ca_file": tmp_path / "other"})


async def test_nobody_there() -> None:
    """The address is named."""
    assert "Nobody answers at localhost:9" in await told(9)


async def test_a_name_without_an_address() -> None:
    """The setting with the name is named."""
    app = create_app(Settings.model_validate({"ocr": {"target": "nowhere.invalid:50051"}}))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", timeout=30)
    async with app.router.lifespan_context(app), client:
        assert "PECIA_OCR__TARGET" in (await client.get("/ready")).json()["reason"]


async def test_a_certificate_of_nobody_who_may_call(tmp_path: Path) -> None:
    """Whom it names and what allows others is told; who sends a page hears nothing of certificates."""
    authority = trustme.CA()
    own, shown = authority.issue_cert("localhost"), authority.issue_cert("page.pecia")
    for name, one in (("own", own), ("shown", shown)):
        one.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.cert")
        one.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    tls = {
        "cert_file": tmp_path / "own.cert",
        "key_file": tmp_path / "own.key",
        "client_ca_file": tmp_path / "ca",
        "client_names": ("gateway.pecia",),
    }
    calling = {
        "ca_file": tmp_path / "ca",
        "cert_file": tmp_path / "shown.cert",
        "key_file": tmp_path / "shown.key",
    }
    async with running(scripted_settings(tls=tls)) as server:
        said = await told(server.port, tls=calling)
        client = OcrClient(OcrSettings.model_validate({"target": f"localhost:{server.port}", "tls": calling}))
        with pytest.raises(Unavailable) as refused:
            await client.recognize(picture(), RecognizeOptions(model="scripted"), Call("1", "acme", 20.0))
        await client.close()
    assert "names page.pecia, and PECIA_TLS__CLIENT_NAMES" in said
    assert "PECIA_OCR__TLS__CERT_FILE" in said
    assert "page.pecia" not in refused.value.message
