"""Pages that are to be read as one document: one call of the ocr service, and an answer like any other."""

import json
from typing import Any

from pecia_core.errors import from_code
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch.testing import Script, ScriptedOcr, engine_description

PATH = "/v1/chat/completions"


def play(_picture: bytes, options: RecognizeOptions) -> Script:
    """A page that says its number."""
    return Script((f"page {options.page_index}", "ünïcode\u2028line"))


def chunks_of(text: str) -> list[dict[str, Any]]:
    """Of a stream."""
    lines = [line for line in text.split("\n\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_pages_are_asked_for_at_once(start: Any, chat: Any, data_url: str) -> None:
    """Only by who wants that; the text is the same, streamed or not."""
    request = chat(data_url, data_url, data_url, task_type="markdown")
    wanted = {**request, "extra_body": {"pages_together": True}}
    async with start(ScriptedOcr(play=play)) as gateway:
        apart = (await gateway.client.post(PATH, json=request)).json()
        assert {seen.method for seen in gateway.ocr.seen} == {"Recognize"}
        gateway.ocr.seen.clear()
        answer = await gateway.client.post(PATH, json=wanted)
        streamed = chunks_of((await gateway.client.post(PATH, json={**wanted, "stream": True})).text)
    assert answer.status_code == 200
    assert answer.headers["x-ocr-engine"] == "rapid"
    assert [seen.method for seen in gateway.ocr.seen] == ["RecognizePages"] * 6
    assert [seen.options.page_index for seen in gateway.ocr.seen] == [0, 1, 2] * 2
    content = answer.json()["choices"][0]["message"]["content"]
    assert content == apart["choices"][0]["message"]["content"]
    assert "\n\n--- page 2 ---\n\npage 1" in content
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in streamed if chunk["choices"]]
    assert "".join(deltas) == content
    for ocr in (answer.json()["ocr"], streamed[-1]["ocr"]):
        assert [page["number"] for page in ocr["pages"]] == [1, 2, 3]


async def test_json_of_pages_read_together(start: Any, chat: Any, data_url: str) -> None:
    """One document, streamed in one piece."""
    fields = {"pages_together": True, "response_format": {"type": "json_object"}}
    async with start(ScriptedOcr(play=play)) as gateway:
        answer = (await gateway.client.post(PATH, json=chat(data_url, data_url, **fields))).json()
        text = (await gateway.client.post(PATH, json=chat(data_url, data_url, stream=True, **fields))).text
    document = json.loads(answer["choices"][0]["message"]["content"])
    assert len(document["pages"]) == 2
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks_of(text)]
    assert [json.loads(piece) for piece in pieces if piece] == [document]


async def test_one_page_is_read_as_ever(start: Any, chat: Any) -> None:
    """There is nothing to read it together with."""
    async with start(ScriptedOcr(play=play)) as gateway:
        await gateway.client.post(PATH, json=chat(pages_together=True))
    assert [seen.method for seen in gateway.ocr.seen] == ["Recognize"]


async def test_a_failing_page_names_its_field(start: Any, chat: Any, data_url: str) -> None:
    """The ocr service says which picture, the gateway where that stood."""

    def broken(_picture: bytes, options: RecognizeOptions) -> Script:
        error = from_code("invalid_image", "It is damaged.", param="pictures[1]")
        return Script(("fine",), error=error if options.page_index else None)

    async with start(ScriptedOcr(play=broken)) as gateway:
        answer = await gateway.client.post(PATH, json=chat(data_url, data_url, pages_together=True))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_image", "messages[0].content[2].image_url.url")


async def test_health_tells_how_many(start: Any) -> None:
    """So that a caller need not try."""
    able = engine_description()
    able.pages_together = 8
    async with start(ScriptedOcr(engines=[able])) as gateway:
        engines = (await gateway.client.get("/health")).json()["engines"]
    assert [engine["pages_together"] for engine in engines] == [8]
