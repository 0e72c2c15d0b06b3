"""Results that were kept, as REST callers ask for them and hear of them."""

from typing import Any

import pytest
from pecia_core.errors import from_code
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
FORMS = ["/v1/ocr", "/v1/ocr/receipt", "/v1/parse"]


def first_kept(_picture: bytes, options: RecognizeOptions) -> Script:
    """The first page was read before, the others were not."""
    return Script(cached=options.page_index == 0)


def kept(_picture: bytes, _options: RecognizeOptions) -> Script:
    """Every page was read before."""
    return Script(cached=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cached", [False, True])
async def test_chat_says_whether_it_was_kept(start: Any, chat: Any, stream: bool, cached: bool) -> None:
    """In the header, before the first delta of a stream, and in `ocr`."""
    async with start(ScriptedOcr(play=lambda *_: Script(cached=cached))) as gateway:
        answer = await gateway.client.post(CHAT, json=chat(stream=stream))
    assert answer.headers["x-ocr-cache"] == ("hit" if cached else "miss")
    assert f'"cached":{str(cached).lower()}' in answer.text


async def test_the_older_surface_says_it_too(start: Any, data_url: str) -> None:
    """/v1/completions, whole and as a stream."""
    async with start(ScriptedOcr(play=kept)) as gateway:
        for stream in (False, True):
            answer = await gateway.client.post(TEXT, json={"prompt": data_url, "stream": stream})
            assert answer.headers["x-ocr-cache"] == "hit"


@pytest.mark.parametrize("path", FORMS)
async def test_forms_say_it_too(start: Any, png: bytes, path: str) -> None:
    """One file, kept."""
    async with start(ScriptedOcr(play=kept)) as gateway:
        answer = await gateway.client.post(path, files={"file": ("a.png", png, "image/png")})
    assert answer.headers["x-ocr-cache"] == "hit"


async def test_several_pages_are_a_hit_only_together(start: Any, chat: Any, data_url: str) -> None:
    """One page that had to be read makes the answer a miss, whichever page it is."""
    body = chat(data_url, data_url)
    async with start(ScriptedOcr(play=first_kept)) as gateway:
        answer = await gateway.client.post(CHAT, json=body)
        assert answer.headers["x-ocr-cache"] == "miss"
        assert answer.json()["ocr"]["cached"] is False
    async with start(ScriptedOcr(play=lambda _, options: Script(cached=options.page_index == 1))) as gateway:
        assert (await gateway.client.post(CHAT, json=body)).headers["x-ocr-cache"] == "miss"
    async with start(ScriptedOcr(play=kept)) as gateway:
        assert (await gateway.client.post(CHAT, json=body)).headers["x-ocr-cache"] == "hit"


async def test_a_stream_of_several_pages_promises_nothing(start: Any, chat: Any, data_url: str) -> None:
    """Its head is out before the later pages are known; the end says how it was."""
    async with start(ScriptedOcr(play=kept)) as gateway:
        answer = await gateway.client.post(CHAT, json=chat(data_url, data_url, stream=True))
    assert answer.headers["x-ocr-cache"] == "miss"
    assert '"cached":true' in answer.text


async def test_a_stream_that_opens_before_anything_is_known_is_a_miss(start: Any, chat: Any) -> None:
    """A keep-alive goes out while the page waits."""
    script = Script(wait_s=0.5)
    async with start(ScriptedOcr(play=lambda *_: script), http={"sse_keep_alive_s": 0.1}) as gateway:
        answer = await gateway.client.post(CHAT, json=chat(stream=True))
    assert ": keep-alive" in answer.text
    assert answer.headers["x-ocr-cache"] == "miss"


async def test_a_file_that_failed_was_no_hit(start: Any, png: bytes) -> None:
    """Of several files one could not be read: work was done."""

    def play(picture: bytes, _options: RecognizeOptions) -> Script:
        if b"broken" in picture:
            return Script((), error=from_code("invalid_image", "Not a picture."))
        return Script(cached=True)

    files = [("files", (name, data, "image/png")) for name, data in (("a", png), ("b", png + b"broken"))]
    async with start(ScriptedOcr(play=play)) as gateway:
        assert (await gateway.client.post("/v1/ocr", files=files)).headers["x-ocr-cache"] == "miss"
        good = await gateway.client.post("/v1/ocr", files=[files[0], files[0]])
        assert good.headers["x-ocr-cache"] == "hit"


@pytest.mark.parametrize(
    ("header", "passed"),
    [
        (None, None),
        ("no-cache", "no-cache"),
        ("max-age=0, No-Store", "no-store"),
        ("no-store, no-cache", "no-cache, no-store"),
        ("max-age=60", None),
        ("n\u00f6-cache, \x7f", None),
    ],
)
async def test_the_callers_word_is_handed_on(
    gateway: Any, chat: Any, png: bytes, header: str | None, passed: str | None
) -> None:
    """Only the words that mean something, on every surface; the engine's service sees nothing else."""
    headers = {"cache-control": header.encode("latin-1")} if header else {}
    await gateway.client.post(CHAT, json=chat(), headers=headers)
    await gateway.client.post(CHAT, json=chat(stream=True), headers=headers)
    await gateway.client.post("/v1/ocr", files={"file": ("a.png", png, "image/png")}, headers=headers)
    assert [seen.metadata.get("cache-control") for seen in gateway.ocr.seen] == [passed] * 3


def test_the_document_tells_both_headers() -> None:
    """Callers of every reading route find what to send and what comes back."""
    paths = create_app(Settings()).openapi()["paths"]
    for path in (CHAT, TEXT, *FORMS):
        operation = paths[path]["post"]
        assert operation["responses"]["200"]["headers"]["x-ocr-cache"]["schema"]["enum"] == ["hit", "miss"]
        assert [one["name"] for one in operation["parameters"] if one["in"] == "header"] == ["Cache-Control"]
