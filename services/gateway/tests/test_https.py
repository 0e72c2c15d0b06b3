"""The gateway's own HTTPS, as a process: its certificate changes and no request fails."""

import asyncio
import os
import socket
import ssl
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest
import trustme
from pecia_dispatch.testing import ScriptedOcr, serving


def show(folder: Path, issued: trustme.LeafCert) -> None:
    """Put a certificate and its key where the gateway looks, one after the other."""
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (folder / "tls.key").write_bytes(issued.private_key_pem.bytes())


def shown_at(port: int, authority: trustme.CA, name: str | None = "localhost") -> bytes:
    """The certificate a new connection sees, with and without a server's name in its hello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.check_hostname = name is not None
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


async def test_a_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    """To new connections, within a second or two; requests all the while, on old connections and new."""
    authority = trustme.CA()
    show(tmp_path, authority.issue_cert("localhost"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving(ScriptedOcr()) as target:
        known = {
            "PECIA_HTTP__HOST": "127.0.0.1",
            "PECIA_HTTP__PORT": str(port),
            "PECIA_HTTP__CERT_FILE": str(tmp_path / "tls.crt"),
            "PECIA_HTTP__KEY_FILE": str(tmp_path / "tls.key"),
            "PECIA_OCR__TARGET": target,
            "PECIA_JOBS__ENABLED": "false",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pecia_gateway"), env={"PATH": os.defpath, **known}, stderr=PIPE
        )
        try:
            await _serves_on(port, authority, tmp_path)
        finally:
            process.kill()
            await process.communicate()


async def _serves_on(port: int, authority: trustme.CA, folder: Path) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(verify=trust, base_url=f"https://localhost:{port}") as client,
    ):
        while True:
            try:
                assert (await client.get("/live")).status_code == 200
                break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
        first = await asyncio.to_thread(shown_at, port, authority)
        assert await asyncio.to_thread(shown_at, port, authority, None) == first
        for name in ("tls.crt", "tls.key"):
            (folder / name).write_text("half written")
        await asyncio.sleep(1.2)
        assert await asyncio.to_thread(shown_at, port, authority) == first
        show(folder, authority.issue_cert("localhost"))
        while await asyncio.to_thread(shown_at, port, authority) == first:
            assert (await client.get("/live")).status_code == 200
        assert await asyncio.to_thread(shown_at, port, authority, None) != first
    async with httpx.AsyncClient() as plain:
        with pytest.raises(httpx.TransportError):
            await plain.get(f"http://127.0.0.1:{port}/live")
