"""The gateway is known by its very certificate, whatever name that carries."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from pecia_standalone.pinned import only
from pecia_standalone.services import api_url, services
from pecia_standalone.settings import Settings


@asynccontextmanager
async def showing(certificate: trustme.LeafCert) -> AsyncIterator[str]:
    """A server of this machine, and its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
def authority() -> trustme.CA:
    """Of all certificates here."""
    return trustme.CA()


@pytest.mark.parametrize("whole_chain", [False, True])
async def test_the_certificate_itself_is_believed(
    authority: trustme.CA, tmp_path: Path, *, whole_chain: bool
) -> None:
    """At this machine's address, though it names another, and whether or not its issuer stands behind it."""
    own, other = (authority.issue_cert("ocr.example.test") for _ in range(2))
    chain = [own.cert_chain_pems[0], *([authority.cert_pem] if whole_chain else [])]
    (tmp_path / "cert").write_bytes(b"".join(one.bytes() for one in chain))
    trust = only(tmp_path / "cert")
    assert trust is not None
    async with showing(own) as url, httpx.AsyncClient(verify=trust) as http:
        assert (await http.get(url)).text == "ok"
    async with showing(other) as url, httpx.AsyncClient(verify=trust) as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(url)


def test_a_file_without_a_certificate_is_told(tmp_path: Path) -> None:
    """Rather than that nobody is believed."""
    (tmp_path / "cert").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        only(tmp_path / "cert")
    assert only(None) is None


def test_everybody_here_asks_over_https_then(settings: Settings, tmp_path: Path) -> None:
    """Probes, self-check and the page; without a certificate nothing changes."""
    secured = settings.model_copy(update={"cert_file": tmp_path / "cert"})
    assert api_url(secured).startswith("https://127.0.0.1:")
    ocr, gateway, _, ui = services(secured)
    assert ocr.ready_url.startswith("https://")
    assert gateway.ready_url.startswith("https://")
    assert ui.ready_url.startswith("http://")
    assert ui.environment["PECIA_API__BASE"] == api_url(secured)
    assert ui.environment["PECIA_API__CA_FILE"] == str(tmp_path / "cert")
    assert "PECIA_API__CA_FILE" not in services(settings)[3].environment
