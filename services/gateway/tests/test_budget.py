"""What one request may cost in all, refused before any of the work; and what one tenant may hold."""

import asyncio
import base64
import struct
import time
import zlib
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, PeciaError, TooLarge
from pecia_core.recognition import RecognizeOptions
from pecia_core.sample_pdf import long_pdf, prose
from pecia_core.upload import Upload
from pecia_fetch.settings import FetchSettings
from pecia_gateway.asks import Ask
from pecia_gateway.budget import Budget
from pecia_gateway.intake import Intake
from pecia_gateway.messages import Source
from pecia_gateway.middleware import BodyBudget
from pecia_gateway.pages import take_in
from pecia_gateway.settings import LimitSettings, PdfSettings

ONE_BYTE = "data:image/png;base64,AA=="


def claiming(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels and has none."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


class Listening(Intake):
    """An intake that remembers what it was asked to do; downloads last as long as they may."""

    def __init__(self, limits: LimitSettings) -> None:
        super().__init__(limits, FetchSettings(), PdfSettings())
        self.asked: list[str] = []

    async def from_url(self, url: str, **options: Any) -> Upload:
        self.asked.append(url[:5])
        return await super().from_url(url, **options)

    async def pages(self, upload: Upload, **options: Any) -> list[bytes]:
        self.asked.append("pages")
        return await super().pages(upload, **options)


def asking(*urls: str) -> Ask:
    """A request for the pictures behind these."""
    sources = tuple(Source(url, f"messages[0].content[{index}]") for index, url in enumerate(urls))
    return Ask("auto", sources, RecognizeOptions())


def data_url(data: bytes) -> str:
    """The file itself."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


async def refused(limits: LimitSettings, ask: Ask) -> tuple[PeciaError, list[str]]:
    """Why, and what was done before."""
    intake = Listening(limits)
    with pytest.raises((TooLarge, InvalidRequest)) as error:
        await take_in(ask, intake, limits, deadline=time.monotonic() + 60)
    await intake.close()
    return error.value, intake.asked


async def test_a_hundred_parts_are_refused_before_one_is_looked_at() -> None:
    """However small they are."""
    error, asked = await refused(LimitSettings(), asking(*[ONE_BYTE] * 100))
    assert (error.code, error.param, asked) == ("request_too_large", "messages[0].content[8]", [])


async def test_twenty_slow_addresses_are_refused_before_one_is_asked() -> None:
    """They count like pictures."""
    error, asked = await refused(LimitSettings(), asking(*["https://example.com/page"] * 20))
    assert (error.code, asked) == ("request_too_large", [])


async def test_eight_pictures_of_99_megapixels_are_refused_before_one_is_decoded() -> None:
    """By their headers, all together; each alone would be read."""
    urls = [data_url(claiming(11_000, 9_000))] * 8
    error, asked = await refused(LimitSettings(), asking(*urls))
    assert (error.code, error.param) == ("image_too_large", "messages[0].content[4]")
    assert asked == ["data:"] * 5


async def test_what_came_along_is_counted_before_anything_is_fetched() -> None:
    """The order of the request does not matter."""
    urls = ["https://example.com/page", *[data_url(claiming(11_000, 9_000))] * 5]
    error, asked = await refused(LimitSettings(), asking(*urls))
    assert error.code == "image_too_large"
    assert "https" not in asked


async def test_files_have_a_size_together() -> None:
    """Downloads as well: their bytes never passed the limit of the body."""
    limits = LimitSettings(max_request_mb=1)
    error, asked = await refused(limits, asking(*[data_url(bytes(600_000))] * 2))
    assert (error.code, asked) == ("request_too_large", ["data:", "data:"])


async def test_pages_are_counted_before_they_are_drawn() -> None:
    """Eight documents of eight pages are a job."""
    limits = LimitSettings(max_request_pages=3)
    document = data_url(long_pdf([prose(), prose()]))
    error, _ = await refused(limits, asking(document, document))
    assert error.code == "request_too_large"
    assert "/v1/jobs" in error.message


async def test_downloads_have_their_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight slow addresses, each within its own time, do not hold a place for eight times that."""
    limits = LimitSettings(max_fetch_s=0.3)

    async def slow(*_: object, **__: object) -> Upload:
        await asyncio.sleep(30)
        return Upload(b"", "")

    monkeypatch.setattr(Intake, "from_url", slow)
    began = time.monotonic()
    error, _ = await refused(limits, asking(*["https://example.com/page"] * 8))
    assert error.code == "failed_to_download_image"
    assert time.monotonic() - began < 5


def test_the_budget_is_spent_exactly() -> None:
    """The last byte, pixel and page pass; one more does not."""
    limits = LimitSettings(max_request_mb=1, max_request_pixels=200, max_request_pages=2)
    budget = Budget(limits)
    picture = claiming(10, 10)
    budget.take(Upload(picture, ""), "file")
    budget.take(Upload(picture, ""), "file")
    with pytest.raises(TooLarge):
        budget.take(Upload(claiming(1, 1), ""), "file")
    budget.take_pages(2, "file")
    with pytest.raises(TooLarge):
        budget.take_pages(1, "file")
    whole = Budget(limits)
    whole.take(Upload(bytes(1 << 20), ""), "file")
    with pytest.raises(TooLarge):
        whole.take(Upload(b"x", ""), "file")


def test_a_tenant_who_fills_memory_leaves_room_for_others() -> None:
    """A quarter of it, whatever one sends; what is given back is free again."""
    budget = BodyBudget(100, 75)
    assert budget.take(75, "greedy")
    assert not budget.take(1, "greedy")
    assert budget.take(25, "modest")
    assert not budget.take(1, "third")
    budget.give_back(75, "greedy")
    assert budget.take(1, "greedy")
    assert budget.held == 26
