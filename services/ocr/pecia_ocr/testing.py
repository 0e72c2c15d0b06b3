"""The service in this process, for tests of its own and of what calls it: real sockets, scripted engine."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings

_LOADING_S = 300.0  # of models and their libraries, on a busy machine


def picture(color: tuple[int, int, int] = (255, 255, 255), size: tuple[int, int] = (64, 48)) -> bytes:
    """A PNG of one colour; the scripted engine chooses its scene by it."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def scripted_settings(**changes: Mapping[str, Any]) -> Settings:
    """Only the scripted engine, two workers, on a free port, every page read: tests send the same ones.

    `changes` are groups of settings; `cache={"enabled": True}` is for tests that ask for it.
    """
    groups: dict[str, dict[str, Any]] = {
        "grpc": {"port": 0},
        "cache": {"enabled": False},
        "engines": {"rapid": False, "tesseract": False, "scripted": True, "scripted_workers": 2},
    }
    for group, values in changes.items():
        groups[group] = {**groups.get(group, {}), **values}
    return Settings.model_validate(groups)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that other processes bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event of this process tells
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(settings: Settings | None = None, *, ready: bool = True) -> AsyncIterator[OcrServer]:
    """A started service; with `ready`, every worker of it has loaded."""
    server = OcrServer(settings or scripted_settings())
    await server.start()
    try:
        if ready:
            await until(lambda: all(lane.free_slots == lane.slots for lane in server.lanes), _LOADING_S)
        yield server
    finally:
        await server.stop()
