"""What is fetched for a request lies in memory like its body, and counts in the same shares."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pecia_core.errors import Overloaded
from pecia_core.keys import KeyWish, make_key, snippet_of
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_gateway.middleware import BodyBudget
from pecia_gateway.middleware.holding import Holding
from PIL import Image

_MIB = 1 << 20
_SHARES = {"max_buffered_mb": 1.0, "tenant_buffered_mb": 0.75}
_FETCHING = {"allow_http": True, "allowed_private_hosts": ("127.0.0.1/32",)}


def noise(least: int) -> bytes:
    """A PNG of at least so many bytes; not many more."""
    side = 64
    while True:
        buffer = BytesIO()
        Image.effect_noise((side, side), 90).save(buffer, "PNG")
        if buffer.tell() >= least:
            return buffer.getvalue()
        side += 32


class Web:
    """A server whose pictures come to their end when it is told so."""

    def __init__(self, picture: bytes) -> None:
        self.picture = picture
        self.url = ""
        self.release = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All but the last byte; and that one later."""
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n\r\n")
            writer.write(self.picture[:-1])
            await writer.drain()
            await self.release.wait()
            writer.write(self.picture[-1:])
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web(picture: bytes) -> AsyncIterator[Web]:
    """It runs meanwhile."""
    ours = Web(picture)
    async with await asyncio.start_server(ours.serve, "127.0.0.1", 0) as server:
        ours.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/page.png"
        yield ours


def budget_of(app: Any) -> BodyBudget:
    """The memory that all requests share."""
    (found,) = [one.kwargs["budget"] for one in app.user_middleware if "budget" in one.kwargs]
    assert isinstance(found, BodyBudget)
    return found


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, dict[str, dict[str, str]]]:
    """A keys file, and the headers of the tenants `ant` and `bee`."""
    made = {name: make_key(KeyWish(name)) for name in ("ant", "bee")}
    path = tmp_path / "keys.toml"
    path.write_text("\n".join(snippet_of(record) for _, record in made.values()))
    return path, {name: {"authorization": f"Bearer {key}"} for name, (key, _) in made.items()}


async def test_downloads_count_in_their_tenants_share(start: Any, chat: Any, keys: Any) -> None:
    """One tenant's are refused while theirs fill it; another's are read meanwhile; all is given back."""
    path, headers = keys
    picture = noise(_MIB // 2)
    async with (
        web(picture) as slow,
        web(picture[: _MIB // 8]) as small,
        start(ScriptedOcr(), limits=_SHARES, fetch=_FETCHING, auth={"keys_file": path}) as running,
    ):
        small.release.set()
        budget = budget_of(running.app)
        call = running.client.post
        first = asyncio.ensure_future(
            call("/v1/chat/completions", json=chat(slow.url), headers=headers["ant"])
        )
        async with asyncio.timeout(20):
            while budget.held < len(picture) - 1:
                await asyncio.sleep(0.01)
        second = await call("/v1/chat/completions", json=chat(slow.url), headers=headers["ant"])
        assert (second.status_code, second.json()["error"]["code"]) == (429, "queue_full")
        assert second.headers["retry-after"] == "1"
        other = await call("/v1/chat/completions", json=chat(small.url), headers=headers["bee"])
        assert other.status_code == 200
        slow.release.set()
        assert (await first).status_code == 200
        assert budget.held == 0


async def test_a_download_that_fails_gives_its_memory_back(start: Any, chat: Any) -> None:
    """What had come of it, too."""
    fetching = {**_FETCHING, "timeout_s": 0.5}
    async with (
        web(noise(_MIB // 8)) as slow,
        start(ScriptedOcr(), limits=_SHARES, fetch=fetching) as running,
    ):
        answer = await running.client.post("/v1/chat/completions", json=chat(slow.url))
        assert answer.json()["error"]["code"] == "failed_to_download_image"
        assert budget_of(running.app).held == 0


async def test_a_stream_holds_its_picture_to_its_end(start: Any, chat: Any) -> None:
    """Pages may be handed over again as long as the answer is not out."""
    picture = noise(_MIB // 8)
    ocr = ScriptedOcr(play=lambda _picture, _options: Script(pause_s=0.5))
    async with web(picture) as quick, start(ocr, limits=_SHARES, fetch=_FETCHING) as running:
        quick.release.set()
        budget = budget_of(running.app)
        asked = {"json": chat(quick.url, stream=True)}
        async with running.client.stream("POST", "/v1/chat/completions", **asked) as answer:
            pieces = answer.aiter_text()
            await anext(pieces)
            assert budget.held >= len(picture)
            async for _ in pieces:
                pass
        async with asyncio.timeout(10):
            while budget.held:
                await asyncio.sleep(0.01)


def test_a_holding_is_one_tenants_and_is_given_back_whole() -> None:
    """Whoever it is known to be when the first byte comes."""
    budget = BodyBudget(100, 60)
    tenants = iter(["ant", "bee"])
    first, second = (Holding(budget, lambda: next(tenants)) for _ in range(2))
    first.take(40)
    first.take(20)
    with pytest.raises(Overloaded):
        first.take(1)
    second.take(40)
    first.give_back()
    first.give_back()
    assert budget.held == 40
    assert budget.take(60, "ant")
