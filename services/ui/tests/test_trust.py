"""Whom the page takes for its gateway, where that speaks HTTPS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from pecia_ui.calls import Calls
from pecia_ui.errors import UiError
from pecia_ui.settings import Settings
from pydantic import ValidationError


@asynccontextmanager
async def gateway(certificate: trustme.LeafCert) -> AsyncIterator[str]:
    """A server that answers with an empty object."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close"
        writer.write(head + b"\r\n\r\n{}")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def asked(url: str, path: Path, *, check_name: bool) -> bool:
    """Whether the page takes what answers there for its gateway."""
    settings = Settings(api_ca_file=path, api_check_name=check_name)
    try:
        return await Calls(base=url, tls=settings.trust()).json("GET", "/health") == {}
    except UiError:
        return False


async def test_authorities_vouch_for_a_name_and_a_certificate_for_itself(tmp_path: Path) -> None:
    """By an authority it has to carry the name in the address; the very certificate need not."""
    authority = trustme.CA()
    here, elsewhere = authority.issue_cert("127.0.0.1"), authority.issue_cert("ocr.example.test")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    elsewhere.cert_chain_pems[0].write_to_path(tmp_path / "own")
    async with gateway(here) as url:
        assert await asked(url, tmp_path / "ca", check_name=True)
        assert not await asked(url, tmp_path / "own", check_name=False)
    async with gateway(elsewhere) as url:
        assert not await asked(url, tmp_path / "ca", check_name=True)
        assert await asked(url, tmp_path / "own", check_name=False)


def test_without_the_certificate_names_are_always_checked() -> None:
    """Or anybody with a certificate of a well-known authority would be the gateway."""
    with pytest.raises(ValidationError, match="needs the certificate itself in PECIA_API__CA_FILE"):
        Settings(api_check_name=False)
    assert Settings().trust() is None


def test_a_file_that_was_not_named_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the folder this process stands in."""
    monkeypatch.setenv("PECIA_API__CA_FILE", "")
    with pytest.raises(ValidationError, match="names no path"):
        Settings()
