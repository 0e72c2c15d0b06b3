"""A real gateway on a real socket, in front of an ocr service that says what the test wrote down."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
import pytest
import uvicorn
from pecia_dispatch.testing import ScriptedOcr, serving
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from PIL import Image


@dataclass(frozen=True)
class Running:
    """A gateway that answers at `url`, and the ocr service behind it."""

    url: str
    client: httpx.AsyncClient
    ocr: ScriptedOcr


@asynccontextmanager
async def running_gateway(ocr: ScriptedOcr, /, **changes: Any) -> AsyncIterator[Running]:
    """Start both; `changes` are groups of settings, as dictionaries."""
    async with serving(ocr) as target:
        settings = Settings(**{**changes, "ocr": {"target": target, **changes.get("ocr", {})}})
        config = uvicorn.Config(
            create_app(settings), port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serve = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
            if serve.done():
                serve.result()
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield Running(url, client, ocr)
        finally:
            server.should_exit = True
            await serve


@pytest.fixture
async def ocr() -> ScriptedOcr:
    """The ocr service; a test changes its script."""
    return ScriptedOcr()


@pytest.fixture
async def gateway(ocr: ScriptedOcr) -> AsyncIterator[Running]:
    """A gateway with its defaults."""
    async with running_gateway(ocr) as running:
        yield running


@pytest.fixture
def start() -> Any:
    """Start a gateway with other settings."""
    return running_gateway


def picture_bytes(colour: str = "white") -> bytes:
    """A small PNG."""
    buffer = BytesIO()
    Image.new("RGB", (40, 20), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def png() -> bytes:
    """A small white PNG."""
    return picture_bytes()


@pytest.fixture
def data_url(png: bytes) -> str:
    """The same as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


@pytest.fixture
def chat(data_url: str) -> Any:
    """Make a chat request about the picture, with more fields where wanted."""

    def make(*urls: str, text: str = "Free OCR.", **fields: Any) -> dict[str, Any]:
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls or (data_url,)]
        content = [{"type": "text", "text": text}, *images]
        return {"messages": [{"role": "user", "content": content}], **fields}

    return make
