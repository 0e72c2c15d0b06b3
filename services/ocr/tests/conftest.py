"""A running ocr service in this process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import grpc
import pytest
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running


@pytest.fixture
async def start_server() -> AsyncIterator[Callable[..., Awaitable[OcrServer]]]:
    """Start services that are stopped when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings | None = None, *, ready: bool = True) -> OcrServer:
            return await stack.enter_async_context(running(settings, ready=ready))

        yield start


@pytest.fixture
async def server() -> AsyncIterator[OcrServer]:
    """The scripted engine, two workers, ready."""
    async with running() as server:
        yield server


@pytest.fixture
async def channel(server: OcrServer) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
